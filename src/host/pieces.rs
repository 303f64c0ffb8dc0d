//! Runs that are no neighbours in the tensor, in tiles.

use std::ops::Range;

use super::tile::{BLOCKS, ELEMENTS, Tile};
use crate::jobs::BLOCK;
use crate::runs::Runs;

/// Neighbours, the first of them and their places, among `len` elements of a destination from one on that may lie
/// within a run.
pub(super) fn stretches(runs: &Runs, start: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (run, within) = ((start + at as u64) / runs.len, (start + at as u64) % runs.len);
        let place = at..len.min(at + (runs.len - within) as usize);
        at = place.end;
        (!place.is_empty()).then(|| (runs.start_of(run) + within, place))
    })
}

/// Elements of a tile that are neighbours in the destination, too.
pub(super) struct Piece {
    /// The first one's place in the tile.
    pub(super) from: usize,
    /// Their places in the destination.
    pub(super) place: Range<usize>,
}

/// Stretches, cut and gathered so that each tile has as many of them as it has room for. Blocks that a stretch has only
/// a part of are computed whole.
pub(super) struct Pieces<S> {
    stretches: S,
    /// What is left of the last stretch.
    rest: (u64, Range<usize>),
    of_tile: Vec<Piece>,
}

impl Pieces<()> {
    /// Of `len` elements of a destination from one on.
    pub(super) fn of(
        runs: &Runs,
        start: u64,
        len: usize,
    ) -> Pieces<impl Iterator<Item = (u64, Range<usize>)>> {
        Pieces {
            stretches: stretches(runs, start, len),
            rest: (0, 0..0),
            of_tile: Vec::with_capacity(BLOCKS),
        }
    }
}

impl<S: Iterator<Item = (u64, Range<usize>)>> Pieces<S> {
    /// Gives the next tile its blocks. What it then writes ends there in the destination; `None` if nothing is left.
    pub(super) fn next(&mut self, tile: &mut Tile) -> Option<usize> {
        self.of_tile.clear();
        let mut blocks = 0;
        while blocks < BLOCKS {
            if self.rest.1.is_empty() {
                let Some(stretch) = self.stretches.next() else { break };
                self.rest = stretch;
            }
            let (element, place) = &mut self.rest;
            let from = BLOCK as usize * blocks + (*element % BLOCK) as usize;
            let len = place.len().min(ELEMENTS - from);
            let end = (from + len).div_ceil(BLOCK as usize);
            for (block, slot) in (*element / BLOCK..).zip(&mut tile.blocks[blocks..end]) {
                *slot = block;
            }
            self.of_tile.push(Piece { from, place: place.start..place.start + len });
            blocks = end;
            *element += len as u64;
            place.start += len;
        }
        self.of_tile.last().map(|piece| piece.place.end)
    }

    /// What is written of the tile.
    pub(super) fn of_tile(&self) -> &[Piece] {
        &self.of_tile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::tests::{by_definition, shards};
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

            let runs = Runs::of_shard(&shape, Some(&start), &local, None);
            let mut pieces = Pieces::of(&runs, part.start as u64, part.len());
            let (mut tile, mut taken, mut was_full) = (Tile::new(), Vec::new(), true);
            while let Some(end) = pieces.next(&mut tile) {
                prop_assert!(was_full);
                for piece in pieces.of_tile() {
                    prop_assert_eq!(piece.place.start, taken.len());
                    taken.extend((piece.from..piece.from + piece.place.len()).map(|from| {
                        tile.blocks[from / BLOCK as usize] * BLOCK + from as u64 % BLOCK
                    }));
                }
                prop_assert_eq!(end, taken.len());
                was_full = pieces.of_tile().last().is_some_and(|p| p.from + p.place.len() > ELEMENTS - BLOCK as usize);
            }
            let expected: Vec<_> = all[part].iter().map(|(_, element)| *element).collect();
            prop_assert_eq!(taken, expected);
        }
    }
}
