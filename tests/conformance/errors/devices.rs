//! Errors of adapters that do not exist, of devices that can not fill, and of devices that fail.

use pollster::block_on;
use seedbed::gpu::{self, Gpu};
use seedbed::wgpu::{self, BufferUsages, Limits};
use seedbed::{DType, Error, Fill, FillRecorder, Init, Key, TensorView};

use crate::Check;
use crate::harness::assertions::assert_starts;
use crate::harness::engines::Device;

pub const CHECKS: &[Check] = &[
    Check::host("errors::no_such_adapter", no_such_adapter),
    Check::device("errors::device_that_can_not_fill", device_that_can_not_fill),
    Check::device("errors::download", download),
    Check::device("errors::destroyed_device", destroyed_device),
    Check::device("errors::destroyed_between_recordings", destroyed_between_recordings),
    Check::device("errors::device_without_compute", device_without_compute),
    Check::device("errors::out_of_memory", out_of_memory),
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
            let recorder = FillRecorder::new(&raw);
            let buffer = buffer_of(&raw, 8 * 8 * 4);
            let mut encoder = raw.create_command_encoder(&Default::default());
            if prepared {
                recorder.prepare(&init, DType::F32).expect("a device that works");
            }
            raw.destroy();
            let result = recorder.fill(&mut encoder, &TensorView::f32(&buffer, [8, 8]), &init, KEY);
            assert_starts(result, "the GPU failed: the device was lost or destroyed; open another one");
        }
    }
}

/// A device that was destroyed after a right recording: each call says so, what needs no device goes on, and another
/// device takes the plan.
fn destroyed_between_recordings(device: &Device) {
    const LOST: &str = "the GPU failed: the device was lost or destroyed; open another one";
    let descriptor =
        wgpu::DeviceDescriptor { required_limits: device.adapter.limits(), ..Default::default() };
    let open = || block_on(device.adapter.request_device(&descriptor)).expect("a device");
    let (raw, queue) = open();
    let recorder = FillRecorder::new(&raw);
    let buffer = buffer_of(&raw, 1 << 12);
    let views = [TensorView::f32(&buffer, [8, 8]), TensorView::f32(&buffer, [8, 8]).at(1024)];
    let [first, second] = views.each_ref().map(|view| Fill::new(view.clone(), NORMAL, KEY));
    let fills = [first, second.with_key(Key::new(11))];
    let mut encoder = raw.create_command_encoder(&Default::default());
    recorder.fill_all(&mut encoder, &fills).expect("a device that works");
    queue.submit([encoder.finish()]);
    let (program, buffers) = recorder.plan(&fills).expect("fills that are right");
    let mut encoder = raw.create_command_encoder(&Default::default());
    recorder.fill_all(&mut encoder, &fills).expect("a device that works");

    raw.destroy();
    for _ in 0..2 {
        assert_starts(recorder.fill_all(&mut encoder, &fills), LOST);
        assert_starts(recorder.fill(&mut encoder, &views[0], &NORMAL, KEY), LOST);
        assert_starts(recorder.fill_words(&mut encoder, &TensorView::u32(&buffer, [8]), KEY), LOST);
        assert_starts(recorder.replay(&mut encoder, &program, &buffers), LOST);
    }
    assert_eq!(recorder.plan(&fills).expect("a plan needs no device").0, program);
    assert_eq!(recorder.check(&NORMAL, DType::F32, [8, 8]), Ok(()));
    // A mistake of the caller's is named before the device is asked.
    let beyond = TensorView::f32(&buffer, [8, 8]).at(1 << 12);
    assert_starts(recorder.fill(&mut encoder, &beyond, &NORMAL, KEY), "the tensor needs bytes 4096..4352");

    let (raw, queue) = open();
    let (recorder, buffer) = (FillRecorder::new(&raw), buffer_of(&raw, 1 << 12));
    let mut encoder = raw.create_command_encoder(&Default::default());
    recorder.replay(&mut encoder, &program, &[&buffer]).expect("a plan for the same limits");
    queue.submit([encoder.finish()]);
}

/// A device that was opened with the limits of WebGL 2, as many renderers do, has no compute.
fn device_without_compute(device: &Device) {
    let limits = Limits::downlevel_webgl2_defaults();
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
    let (raw, _queue) = block_on(device.adapter.request_device(&descriptor)).expect("the least limits");
    let recorder = FillRecorder::new(&raw);
    let buffer = buffer_of(&raw, 64);
    let tensor = TensorView::f32(&buffer, [4, 4]);
    let mut encoder = raw.create_command_encoder(&Default::default());
    for init in [NORMAL, Init::zeros(), Init::orthogonal()] {
        let fills = [Fill::named("w", tensor.clone(), init, KEY)];
        for result in [
            recorder.fill(&mut encoder, &tensor, &init, KEY),
            recorder.fill_all(&mut encoder, &fills),
            recorder.prepare_all(&fills),
            recorder.prepare(&init, DType::F32),
            recorder.check(&init, DType::F32, [4, 4]),
        ] {
            assert_eq!(result, Err(Error::NoCompute), "{init}");
        }
    }
    let message = Error::NoCompute.to_string();
    for word in ["downlevel_webgl2_defaults", "downlevel_defaults", "host::fill", "write_buffer"] {
        assert!(message.contains(word), "{message}");
    }
}

/// A process without memory: a child of the test, whose address space has a limit and is full of buffers. The
/// device has no error handler of ours, so a report of wgpu would panic.
///
/// Only lavapipe is tested: wgpu's OpenGL backend does not ask whether an allocation failed, and SwiftShader
/// crashes when one does.
fn out_of_memory(device: &Device) {
    const CHILD: &str = "SEEDBED_TEST_FULL_MEMORY";
    let info = device.adapter.get_info();
    if info.backend != wgpu::Backend::Vulkan || !info.name.contains("llvmpipe") {
        return;
    }
    let name = gpu::name(&info);
    match std::env::var(CHILD) {
        Ok(wanted) if wanted == name => return fill_without_memory(device),
        Ok(_) => return,
        Err(_) => {}
    }
    let program = std::env::current_exe().expect("the path of this test");
    let child = std::process::Command::new("bash")
        .args(["-c", "ulimit -v 8388608; exec \"$0\" errors::out_of_memory --test-threads=1"])
        .arg(program)
        .env(CHILD, &name)
        .output()
        .expect("bash");
    let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && err.contains(FILLED), "{}\n{out}\n{err}", child.status);
}

const FILLED: &str = "the fill without memory was refused";

fn fill_without_memory(device: &Device) {
    // Orthogonal matrices of 128 MiB take more than the rest.
    const REST: u64 = 256 << 20;
    let descriptor =
        wgpu::DeviceDescriptor { required_limits: device.adapter.limits(), ..Default::default() };
    let (raw, _queue) = block_on(device.adapter.request_device(&descriptor)).expect("a device");
    let recorder = FillRecorder::new(&raw);
    let small = buffer_of(&raw, 1 << 16);
    let result = buffer_of(&raw, 4 * 4096 * 8192);
    let mut full = Vec::new();
    loop {
        let scope = raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = buffer_of(&raw, REST);
        match block_on(scope.pop()) {
            None => full.push(buffer),
            Some(_) => break,
        }
        assert!(full.len() < 64, "memory without an end");
    }
    let mut encoder = raw.create_command_encoder(&Default::default());
    let orthogonal = Fill::named("large", TensorView::f32(&result, [4096, 8192]), Init::orthogonal(), KEY);
    let fills = [Fill::named("small", TensorView::f32(&small, [16]), NORMAL, KEY), orthogonal];
    for _ in 0..2 {
        assert_starts(recorder.fill_all(&mut encoder, &fills), "the GPU failed: Out of Memory");
    }
    drop(full);
    recorder.fill_all(&mut encoder, &fills).expect("a device with memory again");
    eprintln!("{FILLED}");
}

fn buffer_of(device: &wgpu::Device, size: u64) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage: BufferUsages::STORAGE | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}
