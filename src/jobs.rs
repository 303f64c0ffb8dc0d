//! A fill -> jobs: parts that one binding and one kernel can write. Pure arithmetic.
//!
//! A job is a run of elements, or runs within loops. Neighbours in the logical tensor that lie on 16-byte boundaries
//! are stored as whole vectors of 16 bytes (one block of 32-bit elements, two blocks of 16-bit ones); the ragged
//! ends of a run, and runs whose blocks and boundaries do not coincide, are stored piece by piece.

use std::ops::Range;

use crate::DType;
use crate::dispatch::Limits;
use crate::layout::runs::{Level, Runs};
use crate::math::philox::BLOCK;
use crate::shaders::Values;

/// Bytes that are stored at once, if they can be.
pub(crate) const VECTOR_BYTES: u64 = 16;
/// Loops of a job, as `shaders/params.wgsl` declares them. Further ones become more jobs.
pub(crate) const LEVELS: usize = 4;

/// Elements of the logical tensor from a job's first to its last, where there are loops: rows, columns and blocks
/// then count in 32 bits.
const LONGEST: u64 = 1 << 30;
/// A run with less is not worth a dispatch for its middle beside one for its ends.
const FEW_ELEMENTS: u64 = 4096;

/// How a kernel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Store {
    /// `store_vector.wgsl`, `store_two_blocks.wgsl`, `store_constant*.wgsl`: whole vectors on their boundaries.
    Whole,
    /// `store_words.wgsl`, `store_halves.wgsl`: anything.
    Ragged,
}

/// What one kernel does in one dispatch, alone or beside other jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) store: Store,
    /// The first element of the first run, of the logical tensor.
    pub(crate) element: u64,
    /// Where that lies in the buffer, in elements.
    pub(crate) position: u64,
    /// Elements of a run.
    pub(crate) run: u64,
    /// At most [`LEVELS`], the outermost first.
    pub(crate) levels: Vec<Level>,
    /// From the first to the last byte that is written, in whole words.
    pub(crate) bytes: Range<u64>,
    /// Invocations of a run.
    pub(crate) stores_of_run: u64,
    /// Invocations in all.
    pub(crate) stores: u64,
}

impl Job {
    /// The first block that is computed.
    pub(crate) fn first_block(&self) -> u64 {
        self.element / BLOCK
    }

    /// Elements of the logical tensor, from the first to the last that is written.
    pub(crate) fn elements(&self) -> Range<u64> {
        self.element..self.element + span(self.run, &self.levels, |level| level.stride)
    }
}

/// The jobs that write the elements of a logical tensor from a byte offset of a buffer on.
/// `most` bounds the elements of a job from elsewhere than the destination.
pub(crate) fn jobs(
    limits: Limits,
    values: Values,
    dtype: DType,
    runs: &Runs,
    offset: u64,
    most: Option<u64>,
) -> Vec<Job> {
    let mut cutter = Cutter { limits, values, dtype, most: most.unwrap_or(u64::MAX), jobs: Vec::new() };
    if !runs.is_empty() {
        cutter.cut(runs.first, offset / dtype.size(), runs.len, &runs.levels);
    }
    cutter.jobs
}

struct Cutter {
    limits: Limits,
    values: Values,
    dtype: DType,
    most: u64,
    jobs: Vec<Job>,
}

/// From the first to the last element of runs, counting as a level does.
fn span(run: u64, levels: &[Level], step: impl Fn(&Level) -> u64) -> u64 {
    levels.iter().map(|level| (level.count - 1) * step(level)).sum::<u64>() + run
}

impl Cutter {
    /// Cuts the outermost loop into as few jobs as the limits allow, or unrolls it.
    fn cut(&mut self, element: u64, position: u64, run: u64, levels: &[Level]) {
        if levels.len() > LEVELS {
            // The loop with the fewest turns becomes jobs; the order of loops is free.
            let fewest = (0..levels.len()).min_by_key(|&i| levels[i].count).unwrap_or(0);
            let others = [&levels[..fewest], &levels[fewest + 1..]].concat();
            for turn in 0..levels[fewest].count {
                let (stride, pitch) = (turn * levels[fewest].stride, turn * levels[fewest].pitch);
                self.cut(element + stride, position + pitch, run, &others);
            }
            return;
        }
        let Some((outer, inner)) = levels.split_first() else {
            return self.cut_run(element, position, run);
        };
        let turns = self.turns(outer, run, inner);
        let mut turn = 0;
        while turn < outer.count {
            let (element, position) = (element + turn * outer.stride, position + turn * outer.pitch);
            match turns.min(outer.count - turn) {
                0 | 1 => {
                    self.cut(element, position, run, inner);
                    turn += 1;
                }
                count => {
                    self.push(element, position, run, &[&[Level { count, ..*outer }], inner].concat());
                    turn += count;
                }
            }
        }
    }

    /// How many turns of a loop around `inner` one job can hold.
    fn turns(&self, outer: &Level, run: u64, inner: &[Level]) -> u64 {
        // A binding begins up to one alignment before its first element.
        let room = (self.limits.binding() - self.limits.alignment()) / self.dtype.size();
        let stores: u64 = self.most_stores(run) * inner.iter().map(|level| level.count).product::<u64>();
        let fitting = |most: u64, of_inner: u64, step: u64| match most.checked_sub(of_inner) {
            Some(rest) => rest / step.max(1) + 1,
            None => 0,
        };
        fitting(room, span(run, inner, |level| level.pitch), outer.pitch)
            .min(fitting(LONGEST.min(self.most), span(run, inner, |level| level.stride), outer.stride))
            .min(self.limits.stores() / stores)
    }

    /// Invocations of a run, wherever in a block it begins.
    fn most_stores(&self, run: u64) -> u64 {
        (run + BLOCK - 1).div_ceil(BLOCK)
    }

    /// Cuts a run into windows that a binding and a dispatch can hold, and each into whole vectors and ragged ends.
    fn cut_run(&mut self, mut element: u64, mut position: u64, len: u64) {
        let (size, vector) = (self.dtype.size(), VECTOR_BYTES / self.dtype.size());
        let end = element + len;
        let aligned = position % vector == element % vector;
        while element < end {
            let room = (self.limits.binding() - position * size % self.limits.alignment()) / size;
            let most = room.min(self.most).min((self.limits.stores() - 1).saturating_mul(BLOCK));
            let mut stop = end.min(element.saturating_add(most));
            if stop < end && stop / vector * vector > element {
                stop = stop / vector * vector;
            }
            let body = element.next_multiple_of(vector)..stop / vector * vector;
            let is_whole = body == (element..stop);
            if !aligned || body.is_empty() || (!is_whole && stop - element < FEW_ELEMENTS) {
                self.push(element, position, stop - element, &[]);
            } else {
                for part in [element..body.start, body.clone(), body.end..stop] {
                    if !part.is_empty() {
                        self.push(part.start, position + (part.start - element), part.end - part.start, &[]);
                    }
                }
            }
            position += stop - element;
            element = stop;
        }
    }

    fn push(&mut self, element: u64, position: u64, run: u64, levels: &[Level]) {
        let (size, vector) = (self.dtype.size(), VECTOR_BYTES / self.dtype.size());
        let is_whole = |x: u64| x.is_multiple_of(vector);
        let store = if is_whole(element | position | run)
            && levels.iter().all(|level| is_whole(level.stride | level.pitch))
        {
            Store::Whole
        } else {
            Store::Ragged
        };
        let stored = self.values.stored(store, self.dtype, self.limits.target());
        let stores_of_run = if levels.iter().all(|level| level.stride.is_multiple_of(BLOCK)) {
            (element % BLOCK + run).div_ceil(stored)
        } else {
            self.most_stores(run)
        };
        let end = position + span(run, levels, |level| level.pitch);
        self.jobs.push(Job {
            store,
            element,
            position,
            run,
            levels: levels.to_vec(),
            bytes: position * size / 4 * 4..(end * size).next_multiple_of(4),
            stores_of_run,
            stores: stores_of_run * levels.iter().map(|level| level.count).product::<u64>(),
        });
    }
}
