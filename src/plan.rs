//! Fills that are recorded together -> clears and dispatches: as few as their places, types and distributions
//! allow, with the effect of one fill after the other.

#![expect(clippy::mutable_key_type, reason = "wgpu compares buffers by their identity")]

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::dispatch::{self, Dispatch, Limits};
use crate::init::kernel_args::KernelArgs;
use crate::jobs::{Job, jobs};
use crate::shaders::{Jobs, Kernel, Loops, Values};
use crate::tensor_view::Placed;
use crate::{Key, TensorView};

/// A fill whose tensor has been checked.
pub(crate) struct Request<'a> {
    pub(crate) tensor: &'a TensorView<'a>,
    pub(crate) placed: Placed,
    pub(crate) args: KernelArgs,
    pub(crate) key: Key,
}

/// What is to be recorded, in this order.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    pub(crate) clears: Vec<(&'a wgpu::Buffer, Range<u64>)>,
    pub(crate) dispatches: Vec<Planned<'a>>,
}

/// A dispatch of a plan; its jobs carry the number of their request.
pub(crate) struct Planned<'a> {
    pub(crate) kernel: Kernel,
    pub(crate) buffer: &'a wgpu::Buffer,
    pub(crate) dispatch: Dispatch<usize>,
}

/// What a dispatch reads beside its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reads {
    Nothing,
    /// The quantiles of the truncated distribution with these bounds.
    Table([u64; 3]),
    /// The orthogonal matrix of this request.
    Matrix(usize),
}

/// What jobs of one dispatch have in common, in the order of recording.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group<'a> {
    layer: usize,
    buffer: &'a wgpu::Buffer,
    /// Before the kernel: all that a matrix is copied by follows its making.
    reads: Reads,
    /// The number of the kernel, if there were one job.
    kernel: usize,
}

/// Clearing less costs more than a place in a dispatch with others.
const FEW_BYTES: u64 = 1 << 16;

impl<'a> Plan<'a> {
    pub(crate) fn new(limits: Limits, requests: &'a [Request<'a>]) -> Self {
        let mut plan = Self::default();
        let mut groups: BTreeMap<Group<'_>, (Kernel, Vec<(usize, Job)>)> = BTreeMap::new();
        let mut few_zeros: HashMap<&wgpu::Buffer, usize> = HashMap::new();
        for request in requests.iter().filter(|request| request.is_clear() && request.has_few_bytes()) {
            *few_zeros.entry(request.tensor.buffer).or_default() += 1;
        }
        let mut layers = Layers { written: BTreeMap::new() };
        for (number, request) in requests.iter().enumerate() {
            let (buffer, dtype, bytes) = (request.tensor.buffer, request.tensor.dtype, &request.placed.bytes);
            if bytes.is_empty() {
                continue;
            }
            let layer = layers.of(buffer, bytes);
            // Several times faster than a kernel, and wgpu then need not zero a fresh buffer first.
            if layer == 0 && request.is_clear() && !(request.has_few_bytes() && few_zeros[buffer] > 1) {
                plan.clears.push((buffer, bytes.clone()));
                continue;
            }
            let values = Values::from(&request.args);
            let reads = match request.args {
                KernelArgs::TruncNormal { truncation, .. } => Reads::Table(truncation.canonical().bits()),
                KernelArgs::Orthogonal { .. } => Reads::Matrix(number),
                _ => Reads::Nothing,
            };
            // A copy reads f32, of which a binding may hold fewer than of what it writes.
            let most = matches!(reads, Reads::Matrix(_)).then(|| limits.elements_of_source());
            for job in jobs(limits, values, dtype, &request.placed.runs, bytes.start, most) {
                let loops = if job.levels.is_empty() { Loops::None } else { Loops::Some };
                let kernel = Kernel { values, store: job.store, dtype, loops, jobs: Jobs::One };
                let group = Group { layer, buffer, reads, kernel: kernel.index() };
                groups.entry(group).or_insert((kernel, Vec::new())).1.push((number, job));
            }
        }
        for (Group { buffer, reads, .. }, (kernel, jobs)) in groups {
            let dispatches = match reads {
                // Each reads its own part of the matrix.
                Reads::Matrix(_) => {
                    jobs.into_iter().flat_map(|job| dispatch::pack(limits, vec![job])).collect()
                }
                _ => dispatch::pack(limits, jobs),
            };
            plan.dispatches.extend(dispatches.into_iter().map(|dispatch| {
                let jobs = if dispatch.jobs.len() == 1 { Jobs::One } else { Jobs::Many };
                Planned { kernel: Kernel { jobs, ..kernel }, buffer, dispatch }
            }));
        }
        plan
    }
}

impl Request<'_> {
    /// Whether a `clear_buffer` would do, before anything else of the plan.
    fn is_clear(&self) -> bool {
        let Placed { runs, bytes } = &self.placed;
        self.args == (KernelArgs::Constant { bits: 0 })
            && !bytes.is_empty()
            && runs.levels.is_empty()
            && self.tensor.buffer.usage().contains(wgpu::BufferUsages::COPY_DST)
            && bytes.start.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)
            && bytes.end.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)
    }

    fn has_few_bytes(&self) -> bool {
        self.placed.bytes.end - self.placed.bytes.start < FEW_BYTES
    }
}

/// Fills of a layer may be written in any order, and at once. Those of a later layer come after them.
struct Layers<B> {
    /// What was written last where: buffer and first byte, and the end and the layer. No two overlap.
    written: BTreeMap<(B, u64), (u64, usize)>,
}

impl<B: Ord + Copy> Layers<B> {
    /// The layer of what is written next: the one after all that it might overwrite, or the first.
    fn of(&mut self, buffer: B, bytes: &Range<u64>) -> usize {
        let mut layer = 0;
        // Of those that begin before the end, the last ones end last.
        while let Some((&(other, start), &(end, of))) = self.written.range(..(buffer, bytes.end)).next_back()
            && other == buffer
            && end > bytes.start
        {
            layer = layer.max(of + 1);
            // What is left of it on either side keeps its layer.
            self.written.remove(&(buffer, start));
            if start < bytes.start {
                self.written.insert((buffer, start), (bytes.start, of));
            }
            if bytes.end < end {
                self.written.insert((buffer, bytes.end), (end, of));
            }
        }
        self.written.insert((buffer, bytes.start), (bytes.end, layer));
        layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever overlaps something before it comes after it, and in the first layer that does.
        #[test]
        fn layers_keep_the_order(fills in prop::collection::vec((0_u8..2, 0_u64..40, 1_u64..12), 0..60)) {
            let mut layers = Layers { written: BTreeMap::new() };
            let mut last = std::collections::HashMap::new();
            for (buffer, start, len) in fills {
                let bytes = start..start + len;
                let before = bytes.clone().filter_map(|byte| last.get(&(buffer, byte)).copied()).max();
                let layer = layers.of(buffer, &bytes);
                prop_assert_eq!(layer, before.map_or(0, |before: usize| before + 1));
                last.extend(bytes.map(|byte| ((buffer, byte), layer)));
            }
        }
    }
}
