//! Errors of adapters that do not exist, of devices that can not fill, and of devices that fail.

use pollster::block_on;
use seedbed::gpu::{self, Gpu};
use seedbed::wgpu::{self, BufferUsages, Limits};
use seedbed::{DType, Init, Key, TensorView};

use crate::Check;
use crate::harness::assertions::assert_starts;
use crate::harness::engines::Device;

pub const CHECKS: &[Check] = &[
    Check::host("errors::no_such_adapter", no_such_adapter),
    Check::device("errors::device_that_can_not_fill", device_that_can_not_fill),
    Check::device("errors::download", download),
    Check::device("errors::destroyed_device", destroyed_device),
];

const KEY: Key = Key::new(10);
const NORMAL: Init = Init::normal(0.0, 1.0);

fn no_such_adapter() {
    let wanted = "a name that no vendor would choose";
    let result = block_on(gpu::pick(&wgpu::Instance::default(), Some(wanted)));
    assert_starts(result.map(drop), &format!("no adapter matches {wanted:?}; there are: "));
}

/// If a device was opened with a limit that is too low for a fill, the error names the limit.
fn device_that_can_not_fill(device: &Device) {
    let all = device.adapter.limits();
    for (limits, message) in [
        (
            Limits { max_storage_buffers_per_shader_stage: 0, ..all.clone() },
            "the device's max_storage_buffers_per_shader_stage is 0; a fill needs at least 2",
        ),
        (
            Limits { max_compute_invocations_per_workgroup: 1, ..all.clone() },
            "the device's max_compute_invocations_per_workgroup is 1; a fill needs at least",
        ),
        (
            Limits { max_compute_workgroup_size_x: 1, ..all.clone() },
            "the device's max_compute_workgroup_size_x is 1; a fill needs at least",
        ),
        (
            Limits { max_compute_workgroups_per_dimension: 0, ..all.clone() },
            "the device's max_compute_workgroups_per_dimension is 0; a fill needs at least 1",
        ),
        (
            Limits { max_storage_buffer_binding_size: 4, ..all.clone() },
            "the device's max_storage_buffer_binding_size is 4; a fill needs at least",
        ),
    ] {
        let small = device.with_limits(limits);
        let buffer = small.gpu.storage_buffer(64);
        small.submit(|encoder| {
            assert_starts(
                small.recorder.fill(encoder, &TensorView::f32(&buffer, [16]), &NORMAL, KEY),
                message,
            );
        });
        assert_starts(small.recorder.prepare(&NORMAL, DType::F32), message);
        assert_eq!(small.read(&buffer), [0; 64], "{message}");
    }
}

/// A failure on which wgpu would panic is returned as an error, and later calls return it too.
fn download(device: &Device) {
    let all = device.adapter.limits();
    let other = device.with_limits(all.clone());
    let unreadable = other.sentinel_buffer(64, BufferUsages::STORAGE);
    assert_starts(block_on(other.gpu.download(&unreadable, 0..64)).map(drop), "the GPU failed: ");
    assert_starts(other.gpu.check(), "the GPU failed: ");
    let too_much = Limits { max_storage_buffers_per_shader_stage: u32::MAX, ..all };
    let result = block_on(Gpu::open_with(&device.adapter, wgpu::Features::empty(), too_much));
    let name = gpu::name(&device.adapter.get_info());
    assert_starts(result.map(drop), &format!("the adapter {name} could not be opened: "));
    device.gpu.check().expect("a device that other devices do not disturb");
}

/// A fill on a device that was destroyed returns an error, whether the device had compiled the kernels before
/// or not. The device has no error handler of ours, so any error that wgpu raises would panic.
fn destroyed_device(device: &Device) {
    let limits = device.adapter.limits();
    for init in [NORMAL, Init::constant(1.0), Init::orthogonal(), Init::sparse(0.5)] {
        for prepared in [false, true] {
            let descriptor = wgpu::DeviceDescriptor { required_limits: limits.clone(), ..Default::default() };
            let opened = block_on(device.adapter.request_device(&descriptor));
            let (raw, _queue) = opened.expect("a device with the adapter's limits");
            let recorder = seedbed::FillRecorder::new(&raw);
            let buffer = raw.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 8 * 8 * 4,
                usage: BufferUsages::STORAGE | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let mut encoder = raw.create_command_encoder(&Default::default());
            if prepared {
                recorder.prepare(&init, DType::F32).expect("a device that works");
            }
            raw.destroy();
            let result = recorder.fill(&mut encoder, &TensorView::f32(&buffer, [8, 8]), &init, KEY);
            assert_starts(result, "the GPU failed: ");
        }
    }
}
