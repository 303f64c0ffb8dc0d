//! The limits of a device change no bit: tensors larger than a binding, grids larger than a dimension of a
//! dispatch.

use pollster::block_on;
use seedbed::gpu::{Gpu, Readback};
use seedbed::wgpu::{Features, Limits};
use seedbed::{DType, FillRecorder, Init, Key, Region, TensorView, host};

use super::fill_all::{check as check_list, check_random_lists, job, record_list, with_keys};
use super::memory::{self, Destination, HALVES_KEY};
use super::shards::{check as check_shard, check_random_shards, shard_of, size_of};
use crate::Check;
use crate::harness::assertions::{assert_only, assert_same_bits, assert_same_elements, assert_same_words};
use crate::harness::cases::{Case, every_initialiser, plain_initialisers};
use crate::harness::destinations;
use crate::harness::destinations::{assert_buffers, buffers, simulate};
use crate::harness::engines::{Device, Engine, NO_COPY_DST, USAGE};
use crate::harness::shards::TYPES;
use crate::reference::half::{ALL, HALVES};

pub const CHECKS: &[Check] = &[
    Check::device("windows::small_limits", small_limits),
    Check::device_with_buffer("windows::three_hundred_mebibytes", BYTES, three_hundred_mebibytes),
    Check::device("windows::halves_under_small_limits", halves_under_small_limits),
    Check::device("windows::every_initialiser_under_small_limits", every_initialiser_under_small_limits),
    Check::device("windows::downlevel_defaults", downlevel_defaults),
    Check::device("windows::shards", shards),
    Check::device("windows::random_shards", random_shards),
    Check::device("windows::every_initialiser_in_shards", every_initialiser_in_shards),
    Check::device("windows::fill_all", fill_all),
    Check::device("windows::fill_all_random", fill_all_random),
    Check::device("windows::orthogonal", orthogonal),
];

const KEY: Key = Key { seed: 300, offset: u64::MAX - 1_000_000 };
const ORTHOGONAL_KEY: Key = Key { seed: 0x0B70_9000, offset: u64::MAX - 100 };

const STANDARD_NORMAL: Init = Init::normal(0.0, 1.0);
const NORMAL: Init = Init::normal(0.0, 0.02);

/// The limits are so tight that one fill takes many bindings and many dispatches. The download returns what
/// wgpu refuses at the submission, such as a grid that is too large.
fn small_limits(device: &Device) {
    let all = device.adapter.limits();
    for (binding, workgroups, alignment) in [
        (4096, all.max_compute_workgroups_per_dimension, all.min_storage_buffer_offset_alignment),
        (4096, 1, all.min_storage_buffer_offset_alignment),
        (1024, 2, 256),
        (65_536, 2, all.min_storage_buffer_offset_alignment),
        (65_536, 3, 256),
        (all.max_storage_buffer_binding_size, 4, all.min_storage_buffer_offset_alignment),
        (all.max_storage_buffer_binding_size, 5, 256),
    ] {
        let small = device.limited(binding, workgroups, alignment);
        // The first two fills are whole blocks on 16-byte boundaries, the others are neither.
        for (offset, start, len) in [(0, 0, 60_000), (16, 4, 50_001), (20, 3, 50_003), (252, 1, 40_001)] {
            let region = Region::from([1_u64 << 40]).elements(start..start + len);
            let what = (binding, workgroups, alignment, offset, start, len);

            let buffer = small.sentinel_buffer(offset + 4 * len + 300, USAGE);
            let tensor = TensorView::f32(&buffer, region.clone()).at(offset);
            small
                .submit(|encoder| small.recorder.fill(encoder, &tensor, &STANDARD_NORMAL, KEY))
                .expect("a right fill");
            let expected = Engine::Host.fill(region.clone(), &STANDARD_NORMAL, KEY);
            assert_only(&small.read(&buffer), &[(offset, &expected)], what);

            assert_same_words(&small.words(region.clone(), KEY), &Engine::Host.words(region, KEY), what);
        }
        assert_same_bits(&small.fill([50_001], &Init::Ones, KEY), &[1.0; 50_001], (binding, workgroups));
    }
}

/// The tensor exceeds the binding limit of many devices, and takes more than 65,535 workgroups: a workgroup
/// writes 1024 elements of a normal distribution, with 256 invocations of four elements or 128 of eight.
const ELEMENTS: u64 = 75 * (1 << 20) + 1;
const BYTES: u64 = 4 * ELEMENTS;

fn three_hundred_mebibytes(device: &Device) {
    let gpu = &device.gpu;
    let buffer = gpu.storage_buffer(BYTES);
    device
        .submit(|encoder| {
            device.recorder.fill(encoder, &TensorView::f32(&buffer, [ELEMENTS]), &STANDARD_NORMAL, KEY)
        })
        .expect("a fill that is right");

    const SLICE: u64 = 8 << 20;
    let mut readback = Readback::new(gpu, 4 * SLICE);
    let mut expected = vec![0.0; SLICE as usize];
    for start in (0..ELEMENTS).step_by(SLICE as usize) {
        let end = ELEMENTS.min(start + SLICE);
        device.submit(|encoder| readback.record(encoder, &buffer, 4 * start..4 * end));
        readback.map();
        // The host computes while the device copies.
        let expected = &mut expected[..(end - start) as usize];
        host::fill(expected, Region::from([ELEMENTS]).elements(start..end), &STANDARD_NORMAL, KEY)
            .expect("a right fill");
        pollster::block_on(readback.read(|bytes| {
            assert_same_bits(bytemuck::cast_slice(bytes), expected, start..end);
        }))
        .expect("a device that works");
    }
}

/// One fill takes many bindings and many dispatches. The first element of a binding or a dispatch may begin
/// in the middle of a word.
fn halves_under_small_limits(device: &Device) {
    let all = device.adapter.limits();
    for (binding, workgroups, alignment) in [
        (4096, all.max_compute_workgroups_per_dimension, 1),
        (1024, 2, 256),
        (65_536, 2, 256),
        (all.max_storage_buffer_binding_size, 3, 1),
    ] {
        let small = device.limited(binding, workgroups, alignment);
        for (i, (offset, start, len)) in
            [(0, 0, 20_000), (2, 1, 20_001), (18, 3, 20_002), (254, 4, 20_003), (20, 5, 19_999)]
                .into_iter()
                .enumerate()
        {
            let destination = Destination::of_halves(HALVES[i % 2], offset, start, len);
            memory::check(&small, &destination, &NORMAL, HALVES_KEY);
        }
    }
}

fn every_initialiser_under_small_limits(device: &Device) {
    for (binding, workgroups, alignment) in [(16_384, 3, 256), (65_536, 1, 1)] {
        let small = device.limited(binding, workgroups, alignment);
        for Case { init, shape, .. } in every_initialiser([101, 103]) {
            for dtype in ALL {
                let region = Region::from(&shape[..]).elements(3..shape.iter().product());
                let actual = small.fill_bytes(dtype, region.clone(), &init, HALVES_KEY);
                let expected = Engine::Host.fill_bytes(dtype, region, &init, HALVES_KEY);
                assert_same_elements(dtype, &actual, &expected, (&init, dtype, binding, workgroups));
            }
        }
    }
}

/// The lowest limits that wgpu knows with compute are enough for every initialiser and type, on a device without
/// features.
fn downlevel_defaults(device: &Device) {
    let limits = Limits::downlevel_defaults();
    let opened = block_on(Gpu::open_with(&device.adapter, Features::empty(), limits));
    let gpu = opened.expect("the lowest limits with compute");
    let recorder = FillRecorder::new(&gpu.device);
    for Case { init, shape, .. } in every_initialiser([61, 53]) {
        check_downlevel(&gpu, &recorder, &init, &shape);
    }
    for shape in [[61, 53], [33, 300]] {
        check_downlevel(&gpu, &recorder, &Init::orthogonal(), &shape);
    }
}

fn check_downlevel(gpu: &Gpu, recorder: &FillRecorder, init: &Init, shape: &[u64]) {
    for dtype in ALL {
        recorder.check(init, dtype, shape).expect("a fill that the device can make");
        let expected = Engine::Host.fill_bytes(dtype, shape, init, HALVES_KEY);
        let buffer = gpu.storage_buffer((expected.len() as u64).next_multiple_of(4));
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let tensor = TensorView::new(&buffer, dtype, shape);
        recorder.fill(&mut encoder, &tensor, init, HALVES_KEY).expect("a right fill");
        gpu.queue.submit([encoder.finish()]);
        let actual = block_on(gpu.download(&buffer, 0..buffer.size())).expect("a device that works");
        assert_same_elements(dtype, &actual[..expected.len()], &expected, (init, dtype));
    }
}

/// A binding is smaller than a row, than the gap between rows, and than a shard. One or two workgroups are
/// fewer than most shards need.
fn random_shards(device: &Device) {
    check_random_shards(&device.limited(1024, 2, 256), 40, plain_initialisers);
    check_random_shards(&device.limited(512, 1, 1), 40, plain_initialisers);
}

/// A binding holds many short rows, or not even one row or one gap. Each shard is filled alone, and then all
/// of them are filled one after the other in one buffer.
fn shards(device: &Device) {
    let all = device.adapter.limits();
    let max = (all.max_storage_buffer_binding_size, all.max_compute_workgroups_per_dimension);
    for (binding, workgroups, alignment) in
        [(4096, max.1, 1), (1024, 2, 256), (65_536, 1, 1), (max.0, 3, 256)]
    {
        let small = device.limited(binding, workgroups, alignment);
        let jobs = [
            // shape, start, local shape, elements of the pitch
            (&[300, 301][..], &[3, 5][..], &[290, 201][..], Some(301)),
            (&[4000, 8], &[1, 3], &[3999, 1], None),
            (&[4000, 8], &[1, 3], &[3999, 3], Some(4)),
            (&[40, 30, 60], &[1, 2, 3], &[30, 25, 50], Some(51)),
            (&[40, 30, 60], &[1, 0, 0], &[30, 30, 60], Some(61)),
            (&[3, 30_000], &[0, 7], &[3, 20_001], None),
            (&[3, 30_000], &[1, 8], &[2, 24_000], Some(30_000)),
            (&[7, 10], &[1, 1], &[6, 8], Some(9001)),
            (&[3, 5, 7, 11, 13], &[1, 1, 1, 1, 1], &[2, 3, 5, 9, 11], None),
        ];
        let mut in_one = Vec::new();
        let mut end = 0;
        for (i, (shape, start, local, pitch)) in jobs.into_iter().enumerate() {
            let dtype = TYPES[(i + workgroups as usize) % 3];
            let mut job = shard_of(shape, start, local, dtype, [NORMAL, NORMAL, Init::Ones][i % 3]);
            job.offset = [0, 3, 127, 64][i % 4] * dtype.size();
            job.pitch = pitch.map(|pitch| pitch * dtype.size());
            check_shard(&small, job.clone());
            job.offset += end;
            end = size_of(&job) - 14; // the middle of a word
            if dtype == DType::F32 {
                end = end.next_multiple_of(4);
                job.offset = job.offset.next_multiple_of(4);
                end += 4;
            }
            in_one.push(job);
            check_shard(&small, shard_of(shape, start, local, DType::U32, NORMAL));
        }
        let spec = (end.next_multiple_of(4) + 64, USAGE);
        destinations::check(&small, &[spec], &in_one, |job| job.take(&job.whole()));
    }
}

fn every_initialiser_in_shards(device: &Device) {
    let small = device.limited(16_384, 3, 256);
    for (i, Case { init, shape, .. }) in every_initialiser([101, 103]).into_iter().enumerate() {
        let start: Vec<u64> = shape.iter().map(|&len| (len - 1).min(1)).collect();
        let local: Vec<u64> = shape.iter().zip(&start).map(|(len, start)| len - start).collect();
        let dtype = ALL[i % 3];
        let mut job = shard_of(&shape, &start, &local, dtype, init);
        job.offset = 5 * dtype.size();
        job.pitch = [None, Some(131 * dtype.size())][i % 2];
        check_shard(&small, job);
    }
}

/// Tensors share a binding, lie across two, or are larger than one. All of them have few workgroups.
fn fill_all(device: &Device) {
    let all = device.adapter.limits();
    let max = (all.max_storage_buffer_binding_size, all.max_compute_workgroups_per_dimension);
    let inits = [NORMAL, Init::Zeros, NORMAL, Init::Ones, Init::constant(0.1)];
    for (binding, workgroups, alignment, usages) in [
        (4096, max.1, 1, &[NO_COPY_DST][..]),
        (1024, 2, 256, &[USAGE, NO_COPY_DST]),
        (65_536, 1, 1, &[USAGE]),
        (max.0, 3, 256, &[NO_COPY_DST]),
    ] {
        let small = device.limited(binding, workgroups, alignment);
        for &usage in usages {
            let mut end = 6;
            let mut jobs = with_keys((0..60_u64).map(|i| {
                let dtype = ALL[(i / 2 % 3) as usize];
                let len = [700, 5, 300, 1, 64, 3000, 2, 20_001, 33, 256][(i % 10) as usize] / (1 + i / 30);
                let offset = u64::next_multiple_of(end, dtype.size());
                end = offset + len * dtype.size();
                job(&[len], dtype, inits[(i / 3 % 5) as usize], 0, offset)
            }));
            // These lie over the ends of the others.
            let over = (0..20)
                .map(|i| job(&[2 * i + 1], ALL[i as usize % 3], inits[i as usize % 5], 0, 3000 * i + 4));
            jobs.extend(with_keys(over));
            check_list(&small, &[(end.next_multiple_of(4) + 300, usage)], &jobs);
        }
    }

    // One binding has no room for the parameters of so many fills.
    let small = device.limited(1024, 2, 256);
    let jobs = with_keys((0..3000).map(|i| job(&[3], ALL[i / 50 % 3], inits[i / 7 % 5], 0, 12 * i as u64)));
    let specs = [(36_000, USAGE)];
    let expected = simulate(&specs, &jobs, |job| job.take(&job.whole()));
    let buffers = buffers(&small, &specs);
    record_list(&small, &buffers, &jobs);
    assert_buffers(&small, &buffers, &expected, "three thousand");
}

/// Bindings are smaller than most tensors, and tensors begin anywhere in them.
fn fill_all_random(device: &Device) {
    check_random_lists(&device.limited(512, 1, 1), 60, plain_initialisers);
    check_random_lists(&device.limited(1024, 2, 256), 60, plain_initialisers);
}

/// Bindings hold a few chunks of rows, and grids have a few workgroups.
fn orthogonal(device: &Device) {
    for (binding, workgroups) in [(256 * 300 * 4, 65_535), (128 * 260 * 4, 8)] {
        let small = device.limited(binding, workgroups, 1);
        for shape in [[300, 260], [1000, 257], [257, 1000], [5000, 3], [2, 4000]] {
            let expected = Engine::Host.fill(shape, &Init::orthogonal(), ORTHOGONAL_KEY);
            assert_same_bits(
                &small.fill(shape, &Init::orthogonal(), ORTHOGONAL_KEY),
                &expected,
                (binding, workgroups, shape),
            );
        }
    }
}
