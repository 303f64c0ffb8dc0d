//! Mistakes and failures: errors before anything is recorded, and a recorder that works afterwards.

use pollster::block_on;
use seedbed::program::Planner;
use seedbed::{DType, Error, Init, Key, Math};
use seedbed_wgpu_29::{Fill, FillRecorder, TensorView};
use wgpu::BufferUsages;

use crate::device::{Device, NO_COPY_DST, SENTINEL, USAGE, assert_same, assert_starts};

const KEY: Key = Key::new(10);
const NORMAL: Init = Init::normal(0.0, 1.0);

/// Records a wrong list between two right fills, and a list of one as a fill too. The wrong list leaves no
/// trace.
fn check(device: &Device, buffers: &[&wgpu::Buffer], wrong: &[Fill<'_>], message: &str) {
    let right = device.sentinel_buffer(64, USAGE);
    let fill = |encoder: &mut _, offset: u64| {
        let view = TensorView::f32(&right, [4]).at(offset);
        device.recorder.fill(encoder, &view, &NORMAL, KEY)
    };
    let result = device.submit(|encoder| {
        fill(encoder, 0)?;
        for _ in 0..2 {
            assert_starts(device.recorder.fill_all(encoder, wrong), message);
        }
        if let ([one], Some((_, message))) = (wrong, message.split_once("fill 0: ")) {
            let result = device.recorder.fill(encoder, one.tensor(), one.init(), one.key());
            assert_starts(result, message);
        }
        fill(encoder, 32)
    });
    result.expect("a fill that is right");
    for buffer in buffers {
        assert!(device.read_all(buffer).iter().all(|&byte| byte == SENTINEL), "{message}");
    }
    let mut expected = vec![SENTINEL; 64];
    for offset in [0, 32] {
        let placement = TensorView::f32(&right, [4]).at(offset).placement().clone();
        seedbed::host::fill_buffer(&mut expected, &placement, &NORMAL, KEY).expect("a right fill");
    }
    assert_same(&device.read_all(&right), &expected, message);
}

pub fn mistakes(device: &Device) {
    let buffer = device.sentinel_buffer(1 << 17, USAGE);
    let no_storage = device.sentinel_buffer(1 << 17, BufferUsages::COPY_SRC | BufferUsages::COPY_DST);
    let missing = "fill 0: the buffer was created with usage BufferUsages(COPY_SRC | COPY_DST); a fill needs BufferUsages(STORAGE)";
    for (view, init, message) in [
        (TensorView::f32(&no_storage, [64, 64]), NORMAL, missing),
        (TensorView::f32(&no_storage, [1 << 15]), Init::Zeros, missing),
        (TensorView::f32(&buffer, [4]).at(2), NORMAL, "fill 0: the byte offset 2 is not a multiple of 4"),
        (
            TensorView::f32(&buffer, [1 << 16]),
            NORMAL,
            "fill 0: the tensor needs bytes 0..262144 of its buffer",
        ),
        (TensorView::u32(&buffer, [4]), NORMAL, "fill 0: an initialiser can't write u32"),
        (TensorView::f32(&buffer, [4]), Init::normal(0.0, -1.0), "fill 0: normal expects std >= 0.0"),
    ] {
        check(device, &[&buffer, &no_storage], &[Fill::new(view, init, KEY)], message);
    }
    let named = |name: &'static str, offset: u64| {
        Fill::named(name, TensorView::f32(&buffer, [8]).at(offset), NORMAL, KEY)
    };
    let twice = [named("a", 0), named("b", 32), named("a", 64)];
    check(device, &[&buffer], &twice, "two fills of the list are named \"a\"");
    // Zeros that are cleared come before a fill that is wrong.
    let zeros = Fill::new(TensorView::f32(&buffer, [1 << 15]), Init::Zeros, KEY);
    let wrong = Fill::named("wrong", TensorView::f32(&buffer, [4]).at(2), NORMAL, KEY);
    check(device, &[&buffer], &[zeros, wrong], "wrong: the byte offset 2");
}

/// A buffer of another device, or one that was destroyed: wgpu's reason, and the fill's name.
pub fn buffers_that_can_not_be_bound(device: &Device) {
    let other = device.another();
    let destroyed = device.sentinel_buffer(1 << 18, USAGE);
    destroyed.destroy();
    let right = device.sentinel_buffer(1 << 18, USAGE);
    for (buffer, reason) in [
        (other.sentinel_buffer(1 << 18, USAGE), "Buffer with 'weights' label doesn't match Device"),
        (destroyed, "Buffer with 'weights' label has been destroyed"),
    ] {
        let mut encoder = device.encoder();
        let view = TensorView::f32(&buffer, [256, 256]);
        for _ in 0..2 {
            let error = device.recorder.fill(&mut encoder, &view, &NORMAL, KEY).expect_err(reason);
            assert!(matches!(&error, Error::Refused { reason: text } if text.contains(reason)), "{error:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let fills = [
            Fill::named("right", TensorView::f32(&right, [64]), NORMAL, KEY),
            Fill::named("wrong", view, NORMAL, KEY),
        ];
        let error = device.recorder.fill_all(&mut encoder, &fills).expect_err(reason);
        let Error::Fill { fill, error } = &error else { panic!("{error:?}") };
        assert_eq!(fill, "wrong");
        assert!(matches!(&**error, Error::Refused { reason: text } if text.contains(reason)), "{error:?}");
        // Nothing is recorded, and the encoder works.
        device.queue.submit([encoder.finish()]);
        assert!(device.read_all(&right).iter().all(|&byte| byte == SENTINEL));
    }
}

pub fn programs_that_do_not_fit(device: &Device) {
    let buffer = device.sentinel_buffer(1 << 17, USAGE);
    let uncleared = device.sentinel_buffer(1 << 17, NO_COPY_DST);
    let fills = [
        Fill::new(TensorView::f32(&buffer, [1 << 15]), Init::Zeros, KEY),
        Fill::new(TensorView::f32(&buffer, [100]), NORMAL, KEY),
    ];
    let (program, _) = device.recorder.plan(&fills).expect("fills that are right");
    assert_eq!((program.clears.len(), program.dispatches.len()), (1, 1));
    let mut smaller = *device.recorder.planner().device();
    smaller.limits.max_compute_workgroups_per_dimension /= 2;
    let mut elsewhere = program.clone();
    elsewhere.device = *Planner::new(smaller, Math::Portable).device();
    let mut damaged = program.clone();
    // Offsets of bindings are multiples of 4 at least.
    damaged.dispatches[0].bindings[1].offset += 2;
    let refused = "the program can't be replayed: ";
    for (program, buffers, message) in [
        (&elsewhere, &[&buffer][..], format!("{refused}it was planned for another device")),
        (&program, &[], format!("{refused}it has 1 destinations, but got 0")),
        (&program, &[&uncleared], "the buffer was created with usage".into()),
        (&damaged, &[&buffer], "wgpu refused the fill: ".into()),
    ] {
        device.submit(|encoder| assert_starts(device.recorder.replay(encoder, program, buffers), &message));
    }
    for buffer in [&buffer, &uncleared] {
        assert!(device.read_all(buffer).iter().all(|&byte| byte == SENTINEL));
    }
}

/// A device that was destroyed, whether it had compiled the kernels before or not.
pub fn lost_devices(device: &Device) {
    for init in [NORMAL, Init::constant(1.0), Init::orthogonal(), Init::trunc_normal(0.0, 1.0, -2.0, 2.0)] {
        for prepared in [false, true] {
            let lost = device.another();
            let buffer = lost.sentinel_buffer(256, USAGE);
            let mut encoder = lost.encoder();
            if prepared {
                lost.recorder.prepare(&init, DType::F32).expect("a device that works");
            }
            lost.device.destroy();
            let view = TensorView::f32(&buffer, [8, 8]);
            let message = "the GPU failed: the device was lost or destroyed; open another one";
            for _ in 0..2 {
                assert_starts(lost.recorder.fill(&mut encoder, &view, &init, KEY), message);
                let fills = [Fill::named("weight", view.clone(), init, KEY)];
                assert_starts(lost.recorder.fill_all(&mut encoder, &fills), message);
            }
        }
    }
}

pub fn devices_that_can_not_fill(device: &Device) {
    let small = device.with_limits(|limits| limits.max_storage_buffer_binding_size = 4);
    let buffer = small.sentinel_buffer(64, USAGE);
    let view = TensorView::f32(&buffer, [16]);
    let message = "the device's max_storage_buffer_binding_size is 4; a fill needs at least";
    small.submit(|encoder| assert_starts(small.recorder.fill(encoder, &view, &NORMAL, KEY), message));
    assert_starts(small.recorder.prepare(&NORMAL, DType::F32), message);
    assert!(small.read_all(&buffer).iter().all(|&byte| byte == SENTINEL));

    let webgl = device.with_limits(|limits| *limits = wgpu::Limits::downlevel_webgl2_defaults());
    let buffer = webgl.sentinel_buffer(64, BufferUsages::COPY_DST);
    let view = TensorView::f32(&buffer, [4, 4]);
    for init in [NORMAL, Init::zeros(), Init::orthogonal()] {
        let fills = [Fill::named("w", view.clone(), init, KEY)];
        for result in [
            webgl.recorder.fill(&mut webgl.encoder(), &view, &init, KEY),
            webgl.recorder.fill_all(&mut webgl.encoder(), &fills),
            webgl.recorder.prepare(&init, DType::F32),
            webgl.recorder.check(&init, DType::F32, [4, 4]),
        ] {
            assert_eq!(result, Err(Error::NoCompute), "{init}");
        }
    }
}

/// A process without memory: a child of the test, whose address space has a limit and is full of buffers.
///
/// Only lavapipe is tested: wgpu's OpenGL backend does not ask whether an allocation failed, and SwiftShader
/// crashes when one does.
pub fn out_of_memory(device: &Device) {
    const CHILD: &str = "SEEDBED_TEST_FULL_MEMORY";
    if device.name != "lavapipe" {
        return;
    }
    if std::env::var_os(CHILD).is_some() {
        return fill_without_memory(device);
    }
    let program = std::env::current_exe().expect("the path of this test");
    let child = std::process::Command::new("bash")
        .args(["-c", "ulimit -v 8388608; exec \"$0\" lavapipe::out_of_memory --exact"])
        .arg(program)
        .env(CHILD, "yes")
        .output()
        .expect("bash");
    let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && err.contains(FILLED), "{}\n{out}\n{err}", child.status);
}

const FILLED: &str = "the fill without memory was refused";

fn fill_without_memory(device: &Device) {
    let buffer = |size| {
        device.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    };
    let (small, result) = (buffer(1 << 16), buffer(4 * 4096 * 8192));
    let recorder = FillRecorder::new(&device.device);
    let mut full = Vec::new();
    // Orthogonal matrices of 128 MiB take more than the rest.
    loop {
        let scope = device.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = buffer(256 << 20);
        match block_on(scope.pop()) {
            None => full.push(buffer),
            Some(_) => break,
        }
        assert!(full.len() < 64, "memory without an end");
    }
    let fills = [
        Fill::named("small", TensorView::f32(&small, [16]), NORMAL, KEY),
        Fill::named("large", TensorView::f32(&result, [4096, 8192]), Init::orthogonal(), KEY),
    ];
    let mut encoder = device.encoder();
    for _ in 0..2 {
        assert_starts(recorder.fill_all(&mut encoder, &fills), "the GPU failed: Out of Memory");
    }
    drop(full);
    recorder.fill_all(&mut encoder, &fills).expect("a device with memory again");
    eprintln!("{FILLED}");
}
