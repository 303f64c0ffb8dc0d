//! A model of the kernels' indexing in Rust, which executes batches: every element is written once, to its own position.

use proptest::prelude::*;

use super::*;
use crate::init::kernel_args::Generator;
use crate::kernel::choices::{Rounding, StorePath, elements_per_invocation};
use crate::kernel::constants::{STRIP_INVOCATIONS, STRIP_VECTORS};
use crate::kernel::device_class::DeviceClass;
use crate::layout::runs::StridedRuns;
use crate::layout::runs::tests::{by_definition, shards};
use crate::math::division::divide;
use crate::math::philox::BLOCK;
use crate::program::device::{Device, Limits};
use crate::program::encode;
use crate::program::split::split;

/// The vectors of a run that an invocation of `shaders/store/constant_strips.wgsl` writes, before the kernel replaces those
/// that do not exist by the last one.
fn strips(invocation: u32, vectors: u32) -> [u32; STRIP_VECTORS as usize] {
    let (member, invocations) = (invocation % STRIP_INVOCATIONS, vectors.div_ceil(STRIP_VECTORS));
    let group = invocation - member;
    let strip = 2 * (invocations - group).min(STRIP_INVOCATIONS);
    std::array::from_fn(|i| STRIP_VECTORS * group + 2 * member + i as u32 % 2 + i as u32 / 2 * strip)
}

/// Executes batches as the kernels would: position in the buffer -> element.
fn execute(
    batches: &[Batch<()>],
    generator: Generator,
    rounding: Rounding,
    limits: FillLimits,
) -> Vec<(u64, u64)> {
    let mut written = Vec::new();
    for d in batches {
        assert!(d.binding.start.is_multiple_of(limits.alignment));
        assert!(d.binding.end - d.binding.start <= limits.binding);
        assert!((d.binding.end - d.binding.start).is_multiple_of(4));
        assert!(d.workgroups.iter().all(|&w| 1 <= w && u64::from(w) <= limits.workgroups));
        let [row, rows] = d.workgroups;
        let params =
            |item: usize| encode::placed(&d.items[item].1, d.binding.start / rounding.element_bytes());
        let rows: Vec<_> = if d.items.len() == 1 {
            (0..rows)
                .map(|y| (0, encode::in_row(params(0), y * row * limits.class.workgroup_size())))
                .collect()
        } else {
            assert!(rows <= MAX_GRID_ROWS);
            d.rows(limits).map(|(item, first)| (item, encode::in_row(params(item), first))).collect()
        };
        assert_eq!(rows.len(), d.workgroups[1] as usize);
        for (item, p) in rows {
            let item = &d.items[item].1;
            let vector = rounding.elements_per_vector() as u32;
            let per_invocation =
                elements_per_invocation(generator, item.store_path, rounding, limits.class) as u32;
            // `shaders/entry/clamped.wgsl` repeats the last write.
            assert!(p.invocations > 0);
            for x in 0..row * limits.class.workgroup_size() {
                let invocation = p.first_invocation + x;
                if invocation >= p.invocations {
                    continue;
                }
                let mut run = if p.dims == 0 { 0 } else { divide(invocation, p.run_factor, p.run_shift) };
                let in_run = invocation - run * p.invocations_per_run;
                let (mut element, mut begin) = (p.begin.wrapping_sub(p.origin), p.begin);
                for dim in 0..p.dims as usize {
                    let quotient = divide(run, p.dim_factor[dim], p.dim_shift[dim]);
                    let index = run - quotient * p.dim_count[dim];
                    element += index * p.src_stride[dim];
                    begin += index * p.dst_stride[dim];
                    run = quotient;
                }
                assert_eq!(run, 0);
                let end = begin + (p.end - p.begin);
                let origin = begin.wrapping_sub(element % 4);
                let first = element / 4 * 4;
                if item.store_path == StorePath::Vectorized {
                    // A kernel may lack its further vectors, but not its first one.
                    let at = origin.wrapping_add(in_run * per_invocation);
                    assert!((begin..end).contains(&at) && at + vector <= end);
                }
                let in_strips = (item.store_path, generator, limits.class)
                    == (StorePath::Vectorized, Generator::Constant, DeviceClass::Llvmpipe);
                let offsets: Vec<u32> = if in_strips {
                    let vectors = strips(in_run, (end - begin) / vector);
                    vectors.into_iter().flat_map(|v| v * vector..(v + 1) * vector).collect()
                } else {
                    (in_run * per_invocation..(in_run + 1) * per_invocation).collect()
                };
                for offset_in_run in offsets {
                    let at = origin.wrapping_add(offset_in_run);
                    if item.store_path == StorePath::Vectorized {
                        assert!(origin.is_multiple_of(vector) && end.is_multiple_of(vector) && begin <= at);
                    }
                    if (begin..end).contains(&at) {
                        assert!(u64::from(at) * rounding.element_bytes() < d.binding.end - d.binding.start);
                        let element = item.first_block() * BLOCK + u64::from(first + offset_in_run);
                        written.push((d.binding.start / rounding.element_bytes() + u64::from(at), element));
                    }
                }
            }
        }
    }
    written.sort_unstable();
    written
}

fn plan(
    limits: FillLimits,
    generator: Generator,
    rounding: Rounding,
    runs: &StridedRuns,
    offset: u64,
    max_elements: Option<u64>,
) -> Vec<Batch<()>> {
    let items = split(limits, generator, rounding, runs, offset, max_elements);
    if let Some(max_elements) = max_elements {
        assert!(items.iter().all(|item| item.elements().end - item.elements().start <= max_elements));
    }
    let (whole, ragged) = items
        .into_iter()
        .map(|item| ((), item))
        .partition(|(_, item)| item.store_path == StorePath::Vectorized);
    [batch(limits, whole), batch(limits, ragged)].concat()
}

prop_compose! {
    fn small_limits()(
        alignment in prop_oneof![Just(16_u64), Just(32), Just(256)],
        // The larger ones for several groups of strips.
        binding in prop_oneof![3 => 512_u64..20_000, 1 => 70_000_u64..140_000],
        workgroups in prop_oneof![1_u64..5, Just(65_535)],
        class in prop_oneof![Just(DeviceClass::Gpu), Just(DeviceClass::Llvmpipe), Just(DeviceClass::OtherCpu)],
    ) -> FillLimits {
        FillLimits { binding: binding / 16 * 16, alignment, workgroups, class }
    }
}

fn roundings() -> impl Strategy<Value = Rounding> {
    prop_oneof![Just(Rounding::None), Just(Rounding::F16)]
}

fn generator() -> impl Strategy<Value = Generator> {
    prop_oneof![Just(Generator::Normal), Just(Generator::Constant)]
}

fn max_elements() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), (4_u64..3000).prop_map(Some)]
}

proptest! {
    /// Every element is written once, to its own position, and nothing else is.
    #[test]
    fn plans_cover_exactly(
        start in prop_oneof![0_u64..40, (1 << 34) - 20..(1_u64 << 34) + 20],
        len in 0_u64..40_000,
        position in 0_u64..300,
        (limits, generator, rounding, max_elements) in (small_limits(), generator(), roundings(), max_elements()),
    ) {
        let runs = StridedRuns::contiguous(start..start + len);
        let batches = plan(limits, generator, rounding, &runs, position * rounding.element_bytes(), max_elements);
        let expected: Vec<_> = (0..len).map(|i| (position + i, start + i)).collect();
        prop_assert_eq!(execute(&batches, generator, rounding, limits), expected);
    }

    #[test]
    fn plans_of_shards_cover_exactly(
        (shape, start, local) in shards(0..7),
        scale in prop_oneof![Just(1_u64), Just(4), Just(8)],
        padding in 0_u64..9,
        position in 0_u64..300,
        (limits, generator, rounding, max_elements) in (small_limits(), generator(), roundings(), max_elements()),
    ) {
        // Rows that are multiples of blocks and vectors, too.
        let [shape, start, local] = [shape, start, local].map(|mut dimensions| {
            if let Some(last) = dimensions.last_mut() { *last *= scale }
            dimensions
        });
        let row_pitch = local.last().copied().unwrap_or(1) + padding * scale.min(4);
        let runs = StridedRuns::of_shard(&shape, Some(&start), &local, Some(row_pitch));
        let batches = plan(limits, generator, rounding, &runs, position * rounding.element_bytes(), max_elements);
        let expected: Vec<_> = by_definition(&shape, &start, &local, row_pitch)
            .into_iter()
            .map(|(at, element)| (position + at, element))
            .collect();
        prop_assert_eq!(execute(&batches, generator, rounding, limits), expected);
    }
}

const WEBGPU: FillLimits =
    FillLimits { binding: 128 << 20, alignment: 256, workgroups: 65_535, class: DeviceClass::Gpu };

#[test]
fn strips_cover_exactly() {
    let limits = FillLimits { class: DeviceClass::Llvmpipe, ..WEBGPU };
    // Around the ends of the first two groups, and of invocations.
    for vectors in (2030..2067).chain(4079..4114) {
        for runs in [
            StridedRuns::contiguous(0..4 * vectors),
            StridedRuns::of_shard(&[3, 4 * vectors + 8], Some(&[1, 4]), &[2, 4 * vectors], None),
        ] {
            let batches = plan(limits, Generator::Constant, Rounding::None, &runs, 0, None);
            let written: Vec<_> =
                execute(&batches, Generator::Constant, Rounding::None, limits).iter().map(|w| w.0).collect();
            assert_eq!(written, (0..runs.elements()).collect::<Vec<_>>(), "{vectors}");
        }
    }
}

#[test]
fn an_aligned_tensor_is_one_dispatch() {
    let batches =
        plan(WEBGPU, Generator::Normal, Rounding::None, &StridedRuns::contiguous(0..1 << 20), 256, None);
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].items[0].1.store_path, StorePath::Vectorized);
    assert_eq!(batches[0].workgroups, [1024, 1]);
}

#[test]
fn a_tensor_as_large_as_a_binding_is_one_dispatch() {
    assert_eq!(
        plan(WEBGPU, Generator::Normal, Rounding::None, &StridedRuns::contiguous(0..1 << 25), 0, None).len(),
        1
    );
    assert_eq!(
        plan(WEBGPU, Generator::Normal, Rounding::None, &StridedRuns::contiguous(0..1 << 25), 16, None).len(),
        2
    );
}

#[test]
fn neighbours_are_one_dispatch() {
    let items: Vec<_> = (0..50)
        .flat_map(|i| {
            split(WEBGPU, Generator::Normal, Rounding::None, &StridedRuns::contiguous(0..768), i * 3072, None)
        })
        .map(|item| ((), item))
        .collect();
    let batches = batch(WEBGPU, items);
    assert_eq!(batches.len(), 1);
    assert_eq!((batches[0].items.len(), batches[0].workgroups), (50, [1, 50]));
}

#[test]
fn columns_on_block_boundaries_compute_no_block_twice() {
    let shape = [1024, 4096];
    let stores: Vec<u64> = (0..4)
        .map(|device| {
            let runs = StridedRuns::of_shard(&shape, Some(&[0, device * 1024]), &[1024, 1024], None);
            let [dispatch] = &plan(WEBGPU, Generator::Normal, Rounding::None, &runs, 0, None)[..] else {
                panic!("one dispatch")
            };
            let [(_, item)] = &dispatch.items[..] else { panic!("one item") };
            assert_eq!(item.store_path, StorePath::Vectorized);
            item.invocations
        })
        .collect();
    assert_eq!(stores.iter().sum::<u64>(), 1024 * 4096 / BLOCK);
}

#[test]
fn a_grid_past_65535_workgroups_gets_rows() {
    let limits = FillLimits { binding: 1 << 31, ..WEBGPU };
    let batches =
        plan(limits, Generator::Normal, Rounding::None, &StridedRuns::contiguous(0..1 << 28), 0, None);
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].workgroups, [52_429, 5]);
}

#[test]
fn a_device_of_endless_workgroups_gets_few_dispatches() {
    let limits = Limits { max_compute_workgroups_per_dimension: u32::MAX, ..Limits::default() };
    let limits = FillLimits::of(&Device { limits, ..Device::webgpu() }).unwrap();
    let runs = StridedRuns::contiguous(9..1 << 27);
    let batches = plan(limits, Generator::Normal, Rounding::None, &runs, 0, None);
    assert!(batches.len() < 20, "{}", batches.len());
}
