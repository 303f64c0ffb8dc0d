//! Fills that are recorded together -> clears and dispatches: as few as their places, types and distributions
//! allow, with the effect of one fill after the other.

#![expect(clippy::mutable_key_type, reason = "wgpu compares buffers by their identity")]

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::dispatch::{self, Dispatch, Limits};
use crate::distribution::Distribution;
use crate::jobs::{Job, jobs};
use crate::shaders::{Jobs, Kernel, Runs, Values};
use crate::tensor::Placed;
use crate::{Key, Tensor};

/// A fill whose tensor has been checked.
pub(crate) struct Request<'a> {
    pub(crate) tensor: &'a Tensor<'a>,
    pub(crate) placed: Placed,
    pub(crate) distribution: Distribution,
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
    pub(crate) source: Source,
    pub(crate) dispatch: Dispatch<usize>,
}

/// What a dispatch reads beside its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
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
    /// The number of the kernel, if there were one job.
    kernel: usize,
    source: Source,
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
        let mut layers = Layers::default();
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
            let values = Values::from(&request.distribution);
            let source = match request.distribution {
                Distribution::TruncNormal { truncation, .. } => Source::Table(truncation.canonical().bits()),
                Distribution::Orthogonal { .. } => Source::Matrix(number),
                _ => Source::Nothing,
            };
            // A copy reads f32, of which a binding may hold fewer than of what it writes.
            let most = matches!(source, Source::Matrix(_)).then(|| limits.elements_of_source());
            for job in jobs(limits, dtype, &request.placed.runs, bytes.start, most) {
                let runs = if job.levels.is_empty() { Runs::One } else { Runs::Nested };
                let kernel = Kernel { values, store: job.store, dtype, runs, jobs: Jobs::One };
                let group = Group { layer, buffer, kernel: kernel.index(), source };
                groups.entry(group).or_insert((kernel, Vec::new())).1.push((number, job));
            }
        }
        for (Group { buffer, source, .. }, (kernel, jobs)) in groups {
            let dispatches = match source {
                // Each reads its own part of the matrix.
                Source::Matrix(_) => {
                    jobs.into_iter().flat_map(|job| dispatch::pack(limits, vec![job])).collect()
                }
                _ => dispatch::pack(limits, jobs),
            };
            plan.dispatches.extend(dispatches.into_iter().map(|dispatch| {
                let jobs = if dispatch.jobs.len() == 1 { Jobs::One } else { Jobs::Many };
                Planned { kernel: Kernel { jobs, ..kernel }, buffer, source, dispatch }
            }));
        }
        plan
    }
}

impl Request<'_> {
    /// Whether a `clear_buffer` would do, before anything else of the plan.
    fn is_clear(&self) -> bool {
        let Placed { runs, bytes } = &self.placed;
        self.distribution == (Distribution::Constant { bits: 0 })
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
#[derive(Default)]
struct Layers<'a> {
    layer: usize,
    /// What this layer writes: buffer and first byte, and the end.
    written: BTreeMap<(&'a wgpu::Buffer, u64), u64>,
}

impl<'a> Layers<'a> {
    /// The layer of what is written next: another one than what it might overwrite.
    fn of(&mut self, buffer: &'a wgpu::Buffer, bytes: &Range<u64>) -> usize {
        // Ranges of a layer are apart, so the last one that begins before the end is the last one that ends there.
        let before = self.written.range(..(buffer, bytes.end)).next_back();
        if before.is_some_and(|(&(other, _), &end)| other == buffer && end > bytes.start) {
            self.layer += 1;
            self.written.clear();
        }
        self.written.insert((buffer, bytes.start), bytes.end);
        self.layer
    }
}
