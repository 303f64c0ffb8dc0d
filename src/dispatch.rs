//! Jobs -> dispatches: bindings and workgroups under a device's limits. Pure arithmetic.
//!
//! Jobs of one kernel whose bytes lie in one binding share a dispatch. What bytes they share, if any, is
//! their caller's concern.

use std::ops::Range;

use crate::Error;
use crate::jobs::{Job, VECTOR_BYTES};
use crate::params::Params;
use crate::shaders::MOST_ROWS;
use crate::target::Target;

/// Bindings stay below this, so that positions in a binding keep clear of 2^32 (`begin` and `end`
/// are u32, and elements before the binding wrap to just below 2^32), and the invocations of a job below 2^31, of
/// which [`Params`] divides no more.
const LARGEST_BINDING: u64 = 1 << 31;

/// WebGPU's default. Some devices allow 2^32 - 1, which no window needs and whose square no integer holds.
pub(crate) const MOST_WORKGROUPS: u32 = 65_535;

/// Workgroups in a row of a dispatch of many jobs. A job gets rows of the largest size that it fills, so that less
/// than half of what it gets is idle, and all jobs with rows of one size share a dispatch.
const ROWS: [u64; 3] = [256, 16, 1];

/// Workgroups from which on a job has a dispatch of its own. On a GPU this is some 40 microseconds of writing, beside
/// a few for the end of one dispatch and the beginning of the next.
const LARGE: u64 = 4096;
/// The same of a software adapter. llvmpipe (Mesa 22) gathers the parameters of a job among many lane by lane, which
/// halves the speed of normals, and starts a dispatch in a few microseconds.
const LARGE_IN_SOFTWARE: u64 = 8;

/// The limits that shape a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes that a storage binding may have.
    binding: u64,
    /// What a binding's offset is a multiple of.
    alignment: u64,
    /// Workgroups in one dimension of a dispatch.
    workgroups: u64,
    target: Target,
}

impl Limits {
    /// # Errors
    /// [`Error::DeviceLimit`] where no kernel of this library could run.
    pub(crate) fn of(limits: &wgpu::Limits, target: Target) -> Result<Self, Error> {
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment).max(VECTOR_BYTES);
        let workgroup = u64::from(target.workgroup_size());
        let binding = limits.max_storage_buffer_binding_size.min(LARGEST_BINDING);
        let params = size_of::<Params>() as u64 * u64::from(MOST_ROWS);
        for (limit, actual, needed) in [
            ("max_compute_workgroup_size_x", u64::from(limits.max_compute_workgroup_size_x), workgroup),
            (
                "max_compute_invocations_per_workgroup",
                u64::from(limits.max_compute_invocations_per_workgroup),
                workgroup,
            ),
            (
                "max_compute_workgroups_per_dimension",
                u64::from(limits.max_compute_workgroups_per_dimension),
                1,
            ),
            (
                "max_storage_buffers_per_shader_stage",
                u64::from(limits.max_storage_buffers_per_shader_stage),
                2,
            ),
            // A window may begin up to one alignment before its first element.
            ("max_storage_buffer_binding_size", binding, 2 * alignment),
            ("max_uniform_buffer_binding_size", limits.max_uniform_buffer_binding_size, params),
        ] {
            if actual < needed {
                return Err(Error::DeviceLimit { limit, actual, needed });
            }
        }
        Ok(Self {
            binding: binding / VECTOR_BYTES * VECTOR_BYTES,
            alignment,
            workgroups: u64::from(limits.max_compute_workgroups_per_dimension.min(MOST_WORKGROUPS)),
            target,
        })
    }

    /// Bytes that a storage binding may have.
    pub(crate) fn binding(&self) -> u64 {
        self.binding
    }

    /// What a binding's offset is a multiple of.
    pub(crate) fn alignment(&self) -> u64 {
        self.alignment
    }

    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// The workgroups of a job.
    fn workgroups_of(&self, job: &Job) -> u64 {
        job.stores.div_ceil(u64::from(self.target.workgroup_size()))
    }

    /// Workgroups from which on a job has a dispatch of its own.
    fn large(&self) -> u64 {
        if self.target.is_gpu() { LARGE } else { LARGE_IN_SOFTWARE }
    }

    /// Invocations that one dispatch can have. 32 bits count those of a job, which has no more than elements of a
    /// binding.
    pub(crate) fn stores(&self) -> u64 {
        self.workgroups * self.workgroups * u64::from(self.target.workgroup_size())
    }

    /// Elements of an f32 matrix of which any run lies in one binding.
    pub(crate) fn elements_of_source(&self) -> u64 {
        // The run may begin up to one alignment into the binding.
        (self.binding - self.alignment) / 4
    }

    /// The bytes of an f32 matrix that a job reads.
    pub(crate) fn source_range(&self, job: &Job) -> Range<u64> {
        let elements = job.elements();
        elements.start * 4 / self.alignment * self.alignment..elements.end * 4
    }
}

/// Jobs that share a kernel, a binding and a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispatch<T> {
    /// Each with what its caller knows it by.
    pub(crate) jobs: Vec<(T, Job)>,
    /// The binding, in bytes of the buffer.
    pub(crate) binding: Range<u64>,
    /// Workgroups in x and y.
    pub(crate) workgroups: [u32; 2],
}

impl<T> Dispatch<T> {
    /// Of many jobs, the rows of the grid: each a job, by its number, and how many of its invocations come before.
    pub(crate) fn rows(&self, limits: Limits) -> impl Iterator<Item = (usize, u32)> {
        let row = self.workgroups[0] * limits.target.workgroup_size();
        let firsts = move |job: &Job| (0..job.stores as u32).step_by(row as usize);
        self.jobs
            .iter()
            .enumerate()
            .flat_map(move |(number, (_, job))| firsts(job).map(move |first| (number, first)))
    }
}

/// Packs jobs of one kernel and one buffer into as few dispatches as their sizes and their places in the buffer allow.
pub(crate) fn pack<T>(limits: Limits, mut jobs: Vec<(T, Job)>) -> Vec<Dispatch<T>> {
    let most_rows = limits.workgroups.min(u64::from(MOST_ROWS));
    // The size of a row and their number, among others.
    let rows = |job: &Job| {
        let mut sizes = ROWS.into_iter().map(|row| row.min(limits.workgroups));
        let row = sizes.find(|&row| row <= limits.workgroups_of(job)).unwrap_or(1);
        (row, limits.workgroups_of(job).div_ceil(row))
    };
    let is_large = |job: &Job| limits.workgroups_of(job) >= limits.large() || rows(job).1 > most_rows;
    // Neighbours with rows of one size follow each other.
    jobs.sort_by_key(|(_, job)| (is_large(job), rows(job).0, job.bytes.start));
    let mut dispatches: Vec<Dispatch<T>> = Vec::new();
    for (of, job) in jobs {
        let (row, count) = rows(&job);
        if let Some(last) = dispatches.last_mut()
            && !is_large(&job)
            && u64::from(last.workgroups[0]) == row
            && job.bytes.end - last.binding.start <= limits.binding
            && u64::from(last.workgroups[1]) + count <= most_rows
        {
            last.binding.end = last.binding.end.max(job.bytes.end);
            last.workgroups[1] += count as u32;
            last.jobs.push((of, job));
        } else {
            let start = job.bytes.start / limits.alignment * limits.alignment;
            dispatches.push(Dispatch {
                binding: start..job.bytes.end,
                jobs: vec![(of, job)],
                workgroups: [row as u32, count as u32],
            });
        }
    }
    // A job alone needs no rows of its own.
    for dispatch in dispatches.iter_mut().filter(|dispatch| dispatch.jobs.len() == 1) {
        let groups = limits.workgroups_of(&dispatch.jobs[0].1);
        let rows = groups.div_ceil(limits.workgroups);
        dispatch.workgroups = [groups.div_ceil(rows) as u32, rows as u32];
    }
    dispatches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::jobs::{Store, jobs};
    use crate::layout::runs::{Runs, tests::by_definition, tests::shards};
    use crate::math::division::divide;
    use crate::math::philox::BLOCK;
    use crate::shaders::Values;
    use proptest::prelude::*;

    /// Which of a run's vectors an invocation of `shaders/store_constant_strips.wgsl` stores, before it takes the last
    /// one for those that do not exist.
    fn strips(invocation: u32, vectors: u32) -> [u32; 16] {
        let (group, place) = (invocation / 128 * 128, invocation % 128);
        let invocations = vectors.div_ceil(16);
        let strip = 2 * (invocations - group).min(128);
        std::array::from_fn(|i| 16 * group + 2 * place + i as u32 % 2 + i as u32 / 2 * strip)
    }

    /// Executes a plan as the kernels would: position in the buffer -> element.
    fn execute(dispatches: &[Dispatch<()>], values: Values, dtype: DType, limits: Limits) -> Vec<(u64, u64)> {
        let mut written = Vec::new();
        for d in dispatches {
            assert!(d.binding.start.is_multiple_of(limits.alignment));
            assert!(d.binding.end - d.binding.start <= limits.binding);
            assert!((d.binding.end - d.binding.start).is_multiple_of(4));
            assert!(d.workgroups.iter().all(|&w| 1 <= w && u64::from(w) <= limits.workgroups));
            let [row, rows] = d.workgroups;
            let params = |job: usize| Params::placed(&d.jobs[job].1, d.binding.start / dtype.size());
            let rows: Vec<_> = if d.jobs.len() == 1 {
                (0..rows).map(|y| (0, params(0).in_row(y * row * limits.target.workgroup_size()))).collect()
            } else {
                assert!(rows <= MOST_ROWS);
                d.rows(limits).map(|(job, first)| (job, params(job).in_row(first))).collect()
            };
            assert_eq!(rows.len(), d.workgroups[1] as usize);
            for (job, p) in rows {
                let job = &d.jobs[job].1;
                let vector = (VECTOR_BYTES / dtype.size()) as u32;
                let stored = values.stored(job.store, dtype, limits.target()) as u32;
                // `shaders/fill_clamped.wgsl` has a last store to repeat.
                assert!(p.stores > 0);
                for x in 0..row * limits.target.workgroup_size() {
                    let store = p.first_store + x;
                    if store >= p.stores {
                        continue;
                    }
                    let mut run = if p.levels == 0 { 0 } else { divide(store, p.run_factor, p.run_shift) };
                    let slot = store - run * p.stores_of_run;
                    let (mut element, mut begin) = (p.begin.wrapping_sub(p.origin), p.begin);
                    for level in 0..p.levels as usize {
                        let turns = divide(run, p.level_factor[level], p.level_shift[level]);
                        let turn = run - turns * p.level_count[level];
                        element += turn * p.level_stride[level];
                        begin += turn * p.level_pitch[level];
                        run = turns;
                    }
                    assert_eq!(run, 0);
                    let end = begin + (p.end - p.begin);
                    let origin = begin.wrapping_sub(element % 4);
                    let first = element / 4 * 4;
                    if job.store == Store::Whole {
                        // A kernel does without its further vectors, not without its first.
                        let at = origin.wrapping_add(slot * stored);
                        assert!((begin..end).contains(&at) && at + vector <= end);
                    }
                    let in_strips = (job.store, values, limits.target)
                        == (Store::Whole, Values::Constant, Target::Llvmpipe);
                    let lanes: Vec<u32> = if in_strips {
                        let vectors = strips(slot, (end - begin) / vector);
                        vectors.into_iter().flat_map(|v| v * vector..(v + 1) * vector).collect()
                    } else {
                        (slot * stored..(slot + 1) * stored).collect()
                    };
                    for lane in lanes {
                        let at = origin.wrapping_add(lane);
                        if job.store == Store::Whole {
                            assert!(
                                origin.is_multiple_of(vector) && end.is_multiple_of(vector) && begin <= at
                            );
                        }
                        if (begin..end).contains(&at) {
                            assert!(u64::from(at) * dtype.size() < d.binding.end - d.binding.start);
                            let element = job.first_block() * BLOCK + u64::from(first + lane);
                            written.push((d.binding.start / dtype.size() + u64::from(at), element));
                        }
                    }
                }
            }
        }
        written.sort_unstable();
        written
    }

    fn plan(
        limits: Limits,
        values: Values,
        dtype: DType,
        runs: &Runs,
        offset: u64,
        most: Option<u64>,
    ) -> Vec<Dispatch<()>> {
        let jobs = jobs(limits, values, dtype, runs, offset, most);
        if let Some(most) = most {
            assert!(jobs.iter().all(|job| job.elements().end - job.elements().start <= most));
        }
        let (whole, ragged) =
            jobs.into_iter().map(|job| ((), job)).partition(|(_, job)| job.store == Store::Whole);
        [pack(limits, whole), pack(limits, ragged)].concat()
    }

    prop_compose! {
        fn small_limits()(
            alignment in prop_oneof![Just(16_u64), Just(32), Just(256)],
            // The larger ones for several groups of strips.
            binding in prop_oneof![3 => 512_u64..20_000, 1 => 70_000_u64..140_000],
            workgroups in prop_oneof![1_u64..5, Just(65_535)],
            target in prop_oneof![Just(Target::Gpu), Just(Target::Llvmpipe), Just(Target::Processor)],
        ) -> Limits {
            Limits { binding: binding / 16 * 16, alignment, workgroups, target }
        }
    }

    fn dtypes() -> impl Strategy<Value = DType> {
        prop_oneof![Just(DType::F32), Just(DType::F16)]
    }

    fn values() -> impl Strategy<Value = Values> {
        prop_oneof![Just(Values::Normal), Just(Values::Constant)]
    }

    fn most() -> impl Strategy<Value = Option<u64>> {
        prop_oneof![Just(None), (4_u64..3000).prop_map(Some)]
    }

    proptest! {
        /// Every element is written once, to its own position, and nothing else is.
        #[test]
        fn plans_cover_exactly(
            start in prop_oneof![0_u64..40, (1 << 34) - 20..(1_u64 << 34) + 20],
            len in 0_u64..40_000,
            position in 0_u64..300,
            (limits, values, dtype, most) in (small_limits(), values(), dtypes(), most()),
        ) {
            let runs = Runs::contiguous(start..start + len);
            let dispatches = plan(limits, values, dtype, &runs, position * dtype.size(), most);
            let expected: Vec<_> = (0..len).map(|i| (position + i, start + i)).collect();
            prop_assert_eq!(execute(&dispatches, values, dtype, limits), expected);
        }

        #[test]
        fn plans_of_shards_cover_exactly(
            (shape, start, local) in shards(0..7),
            scale in prop_oneof![Just(1_u64), Just(4), Just(8)],
            padding in 0_u64..9,
            position in 0_u64..300,
            (limits, values, dtype, most) in (small_limits(), values(), dtypes(), most()),
        ) {
            // Rows that are multiples of blocks and vectors, too.
            let [shape, start, local] = [shape, start, local].map(|mut dimensions| {
                if let Some(last) = dimensions.last_mut() { *last *= scale }
                dimensions
            });
            let row_pitch = local.last().copied().unwrap_or(1) + padding * scale.min(4);
            let runs = Runs::of_shard(&shape, Some(&start), &local, Some(row_pitch));
            let dispatches = plan(limits, values, dtype, &runs, position * dtype.size(), most);
            let expected: Vec<_> = by_definition(&shape, &start, &local, row_pitch)
                .into_iter()
                .map(|(at, element)| (position + at, element))
                .collect();
            prop_assert_eq!(execute(&dispatches, values, dtype, limits), expected);
        }
    }

    const USUAL: Limits =
        Limits { binding: 128 << 20, alignment: 256, workgroups: 65_535, target: Target::Gpu };

    #[test]
    fn strips_cover_exactly() {
        let limits = Limits { target: Target::Llvmpipe, ..USUAL };
        // Around the ends of the first two groups, and of invocations.
        for vectors in (2030..2067).chain(4079..4114) {
            for runs in [
                Runs::contiguous(0..4 * vectors),
                Runs::of_shard(&[3, 4 * vectors + 8], Some(&[1, 4]), &[2, 4 * vectors], None),
            ] {
                let dispatches = plan(limits, Values::Constant, DType::F32, &runs, 0, None);
                let written: Vec<_> =
                    execute(&dispatches, Values::Constant, DType::F32, limits).iter().map(|w| w.0).collect();
                assert_eq!(written, (0..runs.elements()).collect::<Vec<_>>(), "{vectors}");
            }
        }
    }

    #[test]
    fn an_aligned_tensor_is_one_dispatch() {
        let dispatches = plan(USUAL, Values::Normal, DType::F32, &Runs::contiguous(0..1 << 20), 256, None);
        assert_eq!(dispatches.len(), 1);
        assert_eq!(dispatches[0].jobs[0].1.store, Store::Whole);
        assert_eq!(dispatches[0].workgroups, [1024, 1]);
    }

    #[test]
    fn a_tensor_as_large_as_a_binding_is_one_dispatch() {
        assert_eq!(plan(USUAL, Values::Normal, DType::F32, &Runs::contiguous(0..1 << 25), 0, None).len(), 1);
        assert_eq!(plan(USUAL, Values::Normal, DType::F32, &Runs::contiguous(0..1 << 25), 16, None).len(), 2);
    }

    #[test]
    fn neighbours_are_one_dispatch() {
        let jobs: Vec<_> = (0..50)
            .flat_map(|i| jobs(USUAL, Values::Normal, DType::F32, &Runs::contiguous(0..768), i * 3072, None))
            .map(|job| ((), job))
            .collect();
        let dispatches = pack(USUAL, jobs);
        assert_eq!(dispatches.len(), 1);
        assert_eq!((dispatches[0].jobs.len(), dispatches[0].workgroups), (50, [1, 50]));
    }

    #[test]
    fn columns_on_block_boundaries_compute_no_block_twice() {
        let shape = [1024, 4096];
        let stores: Vec<u64> = (0..4)
            .map(|device| {
                let runs = Runs::of_shard(&shape, Some(&[0, device * 1024]), &[1024, 1024], None);
                let [dispatch] = &plan(USUAL, Values::Normal, DType::F32, &runs, 0, None)[..] else {
                    panic!("one dispatch")
                };
                let [(_, job)] = &dispatch.jobs[..] else { panic!("one job") };
                assert_eq!(job.store, Store::Whole);
                job.stores
            })
            .collect();
        assert_eq!(stores.iter().sum::<u64>(), 1024 * 4096 / BLOCK);
    }

    #[test]
    fn a_grid_past_65535_workgroups_gets_rows() {
        let limits = Limits { binding: 1 << 31, ..USUAL };
        let dispatches = plan(limits, Values::Normal, DType::F32, &Runs::contiguous(0..1 << 28), 0, None);
        assert_eq!(dispatches.len(), 1);
        assert_eq!(dispatches[0].workgroups, [52_429, 5]);
    }

    #[test]
    fn limits_that_are_too_small_are_named() {
        let limits = wgpu::Limits { max_compute_invocations_per_workgroup: 64, ..wgpu::Limits::default() };
        let error = Limits::of(&limits, Target::Gpu).unwrap_err().to_string();
        assert!(error.contains("max_compute_invocations_per_workgroup is 64"), "{error}");
        assert!(Limits::of(&wgpu::Limits::downlevel_webgl2_defaults(), Target::Gpu).is_err());
        assert!(Limits::of(&wgpu::Limits::default(), Target::Gpu).is_ok());
        let endless =
            wgpu::Limits { max_compute_workgroups_per_dimension: u32::MAX, ..wgpu::Limits::default() };
        let runs = Runs::contiguous(9..1 << 27);
        let dispatches =
            plan(Limits::of(&endless, Target::Gpu).unwrap(), Values::Normal, DType::F32, &runs, 0, None);
        assert!(dispatches.len() < 20, "{}", dispatches.len());
    }
}
