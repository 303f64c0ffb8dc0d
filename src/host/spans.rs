//! Tiles of a selection: spans of elements that are contiguous in the tensor and in the destination.

use std::ops::Range;

use super::tile::{BLOCKS, ELEMENTS, Workspace};
use crate::layout::selection::Selection;
use crate::math::philox::BLOCK;

/// Yields (first element, destination range) of each contiguous span in `start..start + len`, in elements of
/// the region; `start` may lie inside a run. Destination ranges count from 0.
pub(super) fn contiguous_spans(
    selection: &Selection,
    start: u64,
    len: usize,
) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == len {
            return None;
        }
        let (element, neighbours) = selection.neighbours_at(start + at as u64);
        let dst_range = at..len.min(at.saturating_add(neighbours as usize));
        at = dst_range.end;
        Some((element, dst_range))
    })
}

/// A span of a tile: elements that are neighbours in the tile and in the destination.
pub(super) struct Span {
    /// The index of the first element in the tile.
    pub(super) from: usize,
    /// The elements' range in the destination.
    pub(super) dst_range: Range<usize>,
}

/// Contiguous spans, cut and gathered so that each tile is as full as possible. A block of which a span has
/// only a part is computed whole.
pub(super) struct TileSpans<S> {
    contiguous_spans: S,
    /// The rest of the last span that was taken.
    rest: (u64, Range<usize>),
    /// The spans of the current tile.
    of_tile: Vec<Span>,
}

impl TileSpans<()> {
    /// The spans of the elements `start..start + len` of a region.
    pub(super) fn of(
        selection: &Selection,
        start: u64,
        len: usize,
    ) -> TileSpans<impl Iterator<Item = (u64, Range<usize>)>> {
        TileSpans {
            contiguous_spans: contiguous_spans(selection, start, len),
            rest: (0, 0..0),
            of_tile: Vec::with_capacity(BLOCKS),
        }
    }
}

impl<S: Iterator<Item = (u64, Range<usize>)>> TileSpans<S> {
    /// Gives the next tile its blocks. Returns the end of the tile's elements in the destination; `None` if
    /// no element is left.
    pub(super) fn next(&mut self, tile: &mut Workspace) -> Option<usize> {
        self.of_tile.clear();
        let mut blocks = 0;
        while blocks < BLOCKS {
            if self.rest.1.is_empty() {
                let Some(span) = self.contiguous_spans.next() else { break };
                self.rest = span;
            }
            let (element, dst_range) = &mut self.rest;
            let from = BLOCK as usize * blocks + (*element % BLOCK) as usize;
            let len = dst_range.len().min(ELEMENTS - from);
            let end = (from + len).div_ceil(BLOCK as usize);
            for (block, slot) in (*element / BLOCK..).zip(&mut tile.blocks[blocks..end]) {
                *slot = block;
            }
            self.of_tile.push(Span { from, dst_range: dst_range.start..dst_range.start + len });
            blocks = end;
            *element += len as u64;
            dst_range.start += len;
        }
        self.of_tile.last().map(|span| span.dst_range.end)
    }

    /// The spans of the tile that [`next`](Self::next) gave.
    pub(super) fn of_tile(&self) -> &[Span] {
        &self.of_tile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ranges::{self, tests::lists};
    use crate::layout::region::Region;
    use crate::layout::runs::StridedRuns;
    use crate::layout::runs::tests::{by_definition, shards};
    use proptest::prelude::*;

    proptest! {
        /// Every element is taken once, for its own index of the destination, and no tile but the last has
        /// room for another block.
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
            let runs = StridedRuns::of_shard(&shape, Some(&start), &local, None);
            check_tiles(&Selection::Rectangle(runs), &all, begin, end)?;
        }

        #[test]
        fn tiles_cover_a_part_of_ranges_exactly(
            (shape, mut lists) in lists(1..4),
            scale in prop_oneof![Just(1_u64), Just(67)],
            (begin, end) in (0.0..1.0, 0.0..=1.0),
        ) {
            let mut shape = shape;
            if let (Some(len), Some(list)) = (shape.last_mut(), lists.last_mut()) {
                *len *= scale;
                list.iter_mut().for_each(|range| *range = range.start * scale..range.end * scale);
            }
            let all = ranges::tests::by_definition(&shape, &lists, 1 << 40);
            let selection = Region::from(&shape).ranges(lists).selection().unwrap();
            check_tiles(&selection, &all, begin, end)?;
        }
    }

    fn check_tiles(
        selection: &Selection,
        all: &[(u64, u64)],
        begin: f64,
        end: f64,
    ) -> Result<(), TestCaseError> {
        let at = |fraction: f64| (fraction * all.len() as f64) as usize;
        let part = at(begin)..at(end).max(at(begin));
        let mut spans = TileSpans::of(selection, part.start as u64, part.len());
        let (mut tile, mut taken, mut was_full) = (Workspace::new(), Vec::new(), true);
        while let Some(end) = spans.next(&mut tile) {
            prop_assert!(was_full);
            for span in spans.of_tile() {
                prop_assert_eq!(span.dst_range.start, taken.len());
                taken.extend(
                    (span.from..span.from + span.dst_range.len())
                        .map(|from| tile.blocks[from / BLOCK as usize] * BLOCK + from as u64 % BLOCK),
                );
            }
            prop_assert_eq!(end, taken.len());
            was_full = spans
                .of_tile()
                .last()
                .is_some_and(|span| span.from + span.dst_range.len() > ELEMENTS - BLOCK as usize);
        }
        let expected: Vec<_> = all[part].iter().map(|(_, element)| *element).collect();
        prop_assert_eq!(taken, expected);
        Ok(())
    }
}
