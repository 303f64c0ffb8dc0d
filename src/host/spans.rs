//! Runs that are no neighbours in the tensor, in tiles.

use std::ops::Range;

use super::tile::{BLOCKS, ELEMENTS, Workspace};
use crate::layout::runs::StridedRuns;
use crate::math::philox::BLOCK;

/// Neighbours, the first of them and their places, among `len` elements of a destination from one on that may lie
/// within a run.
pub(super) fn contiguous_spans(
    runs: &StridedRuns,
    start: u64,
    len: usize,
) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (run, within) = ((start + at as u64) / runs.len, (start + at as u64) % runs.len);
        let place = at..len.min(at + (runs.len - within) as usize);
        at = place.end;
        (!place.is_empty()).then(|| (runs.start_of(run) + within, place))
    })
}

/// Elements of a tile that are neighbours in the destination, too.
pub(super) struct Span {
    /// The first one's place in the tile.
    pub(super) from: usize,
    /// Their places in the destination.
    pub(super) place: Range<usize>,
}

/// Stretches, cut and gathered so that each tile has as many of them as it has room for. Blocks that a span has only
/// a part of are computed whole.
pub(super) struct TileSpans<S> {
    contiguous_spans: S,
    /// What is left of the last span.
    rest: (u64, Range<usize>),
    of_tile: Vec<Span>,
}

impl TileSpans<()> {
    /// Of `len` elements of a destination from one on.
    pub(super) fn of(
        runs: &StridedRuns,
        start: u64,
        len: usize,
    ) -> TileSpans<impl Iterator<Item = (u64, Range<usize>)>> {
        TileSpans {
            contiguous_spans: contiguous_spans(runs, start, len),
            rest: (0, 0..0),
            of_tile: Vec::with_capacity(BLOCKS),
        }
    }
}

impl<S: Iterator<Item = (u64, Range<usize>)>> TileSpans<S> {
    /// Gives the next tile its blocks. What it then writes ends there in the destination; `None` if nothing is left.
    pub(super) fn next(&mut self, tile: &mut Workspace) -> Option<usize> {
        self.of_tile.clear();
        let mut blocks = 0;
        while blocks < BLOCKS {
            if self.rest.1.is_empty() {
                let Some(span) = self.contiguous_spans.next() else { break };
                self.rest = span;
            }
            let (element, place) = &mut self.rest;
            let from = BLOCK as usize * blocks + (*element % BLOCK) as usize;
            let len = place.len().min(ELEMENTS - from);
            let end = (from + len).div_ceil(BLOCK as usize);
            for (block, slot) in (*element / BLOCK..).zip(&mut tile.blocks[blocks..end]) {
                *slot = block;
            }
            self.of_tile.push(Span { from, place: place.start..place.start + len });
            blocks = end;
            *element += len as u64;
            place.start += len;
        }
        self.of_tile.last().map(|span| span.place.end)
    }

    /// What is written of the tile.
    pub(super) fn of_tile(&self) -> &[Span] {
        &self.of_tile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::runs::tests::{by_definition, shards};
    use proptest::prelude::*;

    proptest! {
        /// Every element is taken once, to its own place, and no tile but the last has room for another block.
        #[test]
        fn tiles_cover_a_part_of_a_shard_exactly(
            (shape, start, local) in shards(1..5),
            scale in prop_oneof![Just(1_u64), Just(4), Just(67)],
            (begin, end) in (0.0..1.0, 0.0..=1.0),
        ) {
            let [shape, start, local] = [shape, start, local].map(|mut dimensions| {
                if let Some(last) = dimensions.last_mut() { *last *= scale }
                dimensions
            });
            let all = by_definition(&shape, &start, &local, local.last().copied().unwrap_or(1));
            let at = |fraction: f64| (fraction * all.len() as f64) as usize;
            let part = at(begin)..at(end).max(at(begin));

            let runs = StridedRuns::of_shard(&shape, Some(&start), &local, None);
            let mut spans = TileSpans::of(&runs, part.start as u64, part.len());
            let (mut tile, mut taken, mut was_full) = (Workspace::new(), Vec::new(), true);
            while let Some(end) = spans.next(&mut tile) {
                prop_assert!(was_full);
                for span in spans.of_tile() {
                    prop_assert_eq!(span.place.start, taken.len());
                    taken.extend((span.from..span.from + span.place.len()).map(|from| {
                        tile.blocks[from / BLOCK as usize] * BLOCK + from as u64 % BLOCK
                    }));
                }
                prop_assert_eq!(end, taken.len());
                was_full = spans.of_tile().last().is_some_and(|p| p.from + p.place.len() > ELEMENTS - BLOCK as usize);
            }
            let expected: Vec<_> = all[part].iter().map(|(_, element)| *element).collect();
            prop_assert_eq!(taken, expected);
        }
    }
}
