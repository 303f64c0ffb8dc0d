//! A fill -> work items: parts that one binding and one kernel can write. Pure arithmetic.
//!
//! A work item is a run of elements, or runs within strided dimensions. Neighbours in the logical tensor that lie on
//! 16-byte boundaries are written as whole vectors of 16 bytes: one block of 32-bit elements, two blocks of 16-bit ones.
//! The ragged ends of a run, and runs whose blocks and boundaries do not coincide, are written element by element.

use std::ops::Range;

use super::device::FillLimits;
use crate::init::kernel_args::Generator;
use crate::kernel::choices::{Rounding, StorePath, elements_per_invocation};
use crate::kernel::params::MAX_STRIDED_DIMS;
use crate::layout::runs::{StridedDim, StridedRuns};
use crate::math::philox::BLOCK;

/// Elements of the logical tensor from a work item's first to its last, where there are strided dimensions: rows, columns
/// and blocks then count in 32 bits.
const MAX_LOGICAL_SPAN: u64 = 1 << 30;
/// A run with fewer elements is not split into its middle and its ends: another dispatch would cost more.
const MIN_ELEMENTS_TO_SPLIT: u64 = 4096;

/// What one kernel writes in one dispatch, alone or beside other work items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkItem {
    pub(crate) store_path: StorePath,
    /// First element of the first run, in the logical tensor.
    pub(crate) element: u64,
    /// Its position in the buffer, in elements.
    pub(crate) position: u64,
    /// Elements of a run.
    pub(crate) run: u64,
    /// At most [`MAX_STRIDED_DIMS`], outermost first.
    pub(crate) dims: Vec<StridedDim>,
    /// From the first to the last byte that is written, in whole words.
    pub(crate) bytes: Range<u64>,
    /// Invocations of a run.
    pub(crate) invocations_per_run: u64,
    /// Invocations in all.
    pub(crate) invocations: u64,
}

impl WorkItem {
    /// The first block that is computed.
    pub(crate) fn first_block(&self) -> u64 {
        self.element / BLOCK
    }

    /// Elements of the logical tensor, from the first to the last that is written.
    pub(crate) fn elements(&self) -> Range<u64> {
        self.element..self.element + span(self.run, &self.dims, |dim| dim.src_stride)
    }
}

/// Splits a fill that begins at a byte offset of a buffer into work items. `max_elements` bounds the logical span of an
/// item where its generator reads a buffer too.
pub(crate) fn split(
    limits: FillLimits,
    generator: Generator,
    rounding: Rounding,
    runs: &StridedRuns,
    offset: u64,
    max_elements: Option<u64>,
) -> Vec<WorkItem> {
    let mut splitter = Splitter {
        limits,
        generator,
        rounding,
        max_elements: max_elements.unwrap_or(u64::MAX),
        items: Vec::new(),
    };
    if !runs.is_empty() {
        splitter.split(runs.first, offset / rounding.element_bytes(), runs.len, &runs.dims);
    }
    splitter.items
}

struct Splitter {
    limits: FillLimits,
    generator: Generator,
    rounding: Rounding,
    max_elements: u64,
    items: Vec<WorkItem>,
}

/// Elements from the first to the last one of all runs, where `stride` says how far a dimension steps.
fn span(run: u64, dims: &[StridedDim], stride: impl Fn(&StridedDim) -> u64) -> u64 {
    dims.iter().map(|dim| (dim.count - 1) * stride(dim)).sum::<u64>() + run
}

impl Splitter {
    /// Splits the outermost dimension into as few work items as the limits allow, or unrolls that dimension.
    fn split(&mut self, element: u64, position: u64, run: u64, dims: &[StridedDim]) {
        if dims.len() > MAX_STRIDED_DIMS {
            // The shortest dimension is unrolled. The order of dimensions is free.
            let shortest = (0..dims.len()).min_by_key(|&i| dims[i].count).unwrap_or(0);
            let others = [&dims[..shortest], &dims[shortest + 1..]].concat();
            let StridedDim { count, src_stride, dst_stride } = dims[shortest];
            for i in 0..count {
                self.split(element + i * src_stride, position + i * dst_stride, run, &others);
            }
            return;
        }
        let Some((outer, inner)) = dims.split_first() else {
            return self.split_run(element, position, run);
        };
        let max_count = self.max_count(outer, run, inner);
        let mut i = 0;
        while i < outer.count {
            let (element, position) = (element + i * outer.src_stride, position + i * outer.dst_stride);
            match max_count.min(outer.count - i) {
                0 | 1 => {
                    self.split(element, position, run, inner);
                    i += 1;
                }
                count => {
                    self.push(element, position, run, &[&[StridedDim { count, ..*outer }], inner].concat());
                    i += count;
                }
            }
        }
    }

    /// The largest count of a dimension around `inner` that one work item can hold.
    fn max_count(&self, outer: &StridedDim, run: u64, inner: &[StridedDim]) -> u64 {
        // A binding begins up to one alignment before its first element.
        let room = (self.limits.binding - self.limits.alignment) / self.rounding.element_bytes();
        let invocations: u64 = self.max_invocations(run) * inner.iter().map(|dim| dim.count).product::<u64>();
        let fitting = |max: u64, of_inner: u64, stride: u64| match max.checked_sub(of_inner) {
            Some(rest) => rest / stride.max(1) + 1,
            None => 0,
        };
        fitting(room, span(run, inner, |dim| dim.dst_stride), outer.dst_stride)
            .min(fitting(
                MAX_LOGICAL_SPAN.min(self.max_elements),
                span(run, inner, |dim| dim.src_stride),
                outer.src_stride,
            ))
            .min(self.limits.invocations() / invocations)
    }

    /// Invocations of a run, wherever in a block the run begins.
    fn max_invocations(&self, run: u64) -> u64 {
        (run + BLOCK - 1).div_ceil(BLOCK)
    }

    /// Splits a run into windows that a binding and a dispatch can hold, and each window into whole vectors and ragged
    /// ends.
    fn split_run(&mut self, mut element: u64, mut position: u64, len: u64) {
        let (size, vector) = (self.rounding.element_bytes(), self.rounding.elements_per_vector());
        let end = element + len;
        let aligned = position % vector == element % vector;
        while element < end {
            let room = (self.limits.binding - position * size % self.limits.alignment) / size;
            let max_elements =
                room.min(self.max_elements).min((self.limits.invocations() - 1).saturating_mul(BLOCK));
            let mut stop = end.min(element.saturating_add(max_elements));
            if stop < end && stop / vector * vector > element {
                stop = stop / vector * vector;
            }
            let body = element.next_multiple_of(vector)..stop / vector * vector;
            let is_whole = body == (element..stop);
            if !aligned || body.is_empty() || (!is_whole && stop - element < MIN_ELEMENTS_TO_SPLIT) {
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

    fn push(&mut self, element: u64, position: u64, run: u64, dims: &[StridedDim]) {
        let (size, vector) = (self.rounding.element_bytes(), self.rounding.elements_per_vector());
        let is_whole = |x: u64| x.is_multiple_of(vector);
        let store_path = if is_whole(element | position | run)
            && dims.iter().all(|dim| is_whole(dim.src_stride | dim.dst_stride))
        {
            StorePath::Vectorized
        } else {
            StorePath::Elementwise
        };
        let per_invocation =
            elements_per_invocation(self.generator, store_path, self.rounding, self.limits.class);
        let invocations_per_run = if dims.iter().all(|dim| dim.src_stride.is_multiple_of(BLOCK)) {
            (element % BLOCK + run).div_ceil(per_invocation)
        } else {
            self.max_invocations(run)
        };
        let end = position + span(run, dims, |dim| dim.dst_stride);
        self.items.push(WorkItem {
            store_path,
            element,
            position,
            run,
            dims: dims.to_vec(),
            bytes: position * size / 4 * 4..(end * size).next_multiple_of(4),
            invocations_per_run,
            invocations: invocations_per_run * dims.iter().map(|dim| dim.count).product::<u64>(),
        });
    }
}
