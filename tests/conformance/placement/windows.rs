//! Tensors larger than a binding, grids larger than a dimension.

use seedbed::gpu::Readback;
use seedbed::{Init, Key, Region, TensorView, host};

use crate::Check;
use crate::harness::engines::{Device, Engine, USAGE};
use crate::placement::memory::assert_only;
use crate::reference::{assert_same_bits, assert_same_words};

pub const CHECKS: &[Check] = &[
    Check::device("windows::small_limits", small_limits),
    Check::device_with_buffer("windows::three_hundred_mebibytes", BYTES, three_hundred_mebibytes),
];

const KEY: Key = Key { seed: 300, offset: u64::MAX - 1_000_000 };
const NORMAL: Init = Init::normal(0.0, 1.0);

/// Limits so tight that one fill takes many bindings and many dispatches. What wgpu would refuse at
/// the submission, such as a grid that is too large, comes out of the download.
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
        // Whole blocks on 16-byte boundaries, and neither.
        for (offset, start, len) in [(0, 0, 60_000), (16, 4, 50_001), (20, 3, 50_003), (252, 1, 40_001)] {
            let region = Region::from([1 << 40]).elements(start..start + len);
            let what = (binding, workgroups, alignment, offset, start, len);

            let buffer = small.sentinel_buffer(offset + 4 * len + 300, USAGE);
            let tensor = TensorView::f32(&buffer, region.clone()).at(offset);
            small
                .submit(|encoder| small.recorder.fill(encoder, &tensor, &NORMAL, KEY))
                .expect("a right fill");
            let expected = Engine::Host.fill(region.clone(), &NORMAL, KEY);
            assert_only(&small.read(&buffer), &[(offset, &expected)], what);

            assert_same_words(&small.words(region.clone(), KEY), &Engine::Host.words(region, KEY), what);
        }
        assert_same_bits(&small.fill([50_001], &Init::Ones, KEY), &[1.0; 50_001], (binding, workgroups));
    }
}

/// More than the binding limit of many devices, and more than 65,535 workgroups, of which one writes 1024 elements of
/// `NORMAL`: 256 invocations four each, or 128 eight.
const ELEMENTS: u64 = 75 * (1 << 20) + 1;
const BYTES: u64 = 4 * ELEMENTS;

fn three_hundred_mebibytes(device: &Device) {
    let gpu = &device.gpu;
    let buffer = gpu.storage_buffer(BYTES);
    device
        .submit(|encoder| device.recorder.fill(encoder, &TensorView::f32(&buffer, [ELEMENTS]), &NORMAL, KEY))
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
        host::fill(expected, Region::from([ELEMENTS]).elements(start..end), &NORMAL, KEY)
            .expect("a right fill");
        pollster::block_on(readback.read(|bytes| {
            assert_same_bits(bytemuck::cast_slice(bytes), expected, start..end);
        }))
        .expect("a device that works");
    }
}
