//! Handles that a fill can't use: of another device, destroyed, mapped, or in the middle of a pass.

use pollster::block_on;
use seedbed::wgpu::{self, BufferUsages, ErrorFilter};
use seedbed::{Error, Fill, FillRecorder, Init, Key, TensorView};

use crate::Check;
use crate::harness::engines::Device;

pub const CHECKS: &[Check] = &[
    Check::device("errors::buffers_that_can_not_be_bound", buffers_that_can_not_be_bound),
    Check::device("errors::mistakes_that_wgpu_reports", mistakes_that_wgpu_reports),
];

const KEY: Key = Key::new(10);
const NORMAL: Init = Init::normal(0.0, 1.0);

/// A device without an error handler, on which a report that no error scope takes would panic.
struct Raw {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

impl Raw {
    fn new(device: &Device) -> Self {
        let descriptor =
            wgpu::DeviceDescriptor { required_limits: device.adapter.limits(), ..Default::default() };
        let (device, queue) = block_on(device.adapter.request_device(&descriptor)).expect("a device");
        Self { device, queue }
    }

    fn buffer(&self, mapped_at_creation: bool) -> wgpu::Buffer {
        self.buffer_of(1 << 18, mapped_at_creation)
    }

    fn buffer_of(&self, size: u64, mapped_at_creation: bool) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("weights"),
            size,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST,
            mapped_at_creation,
        })
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }

    /// What wgpu reports about validity while `call` runs.
    fn reported<R>(&self, call: impl FnOnce() -> R) -> (R, Option<String>) {
        let scope = self.device.push_error_scope(ErrorFilter::Validation);
        let result = call();
        (result, block_on(scope.pop()).map(|error| error.to_string()))
    }
}

/// A buffer that a kernel can't bind is an error, and the encoder stays usable.
fn buffers_that_can_not_be_bound(device: &Device) {
    let (ours, other) = (Raw::new(device), Raw::new(device));
    let recorder = FillRecorder::new(&ours.device);
    let destroyed = ours.buffer(false);
    destroyed.destroy();
    // The caller has missed the report about a buffer that could not be made.
    let size = ours.device.limits().max_buffer_size + 4;
    let (invalid, report) = ours.reported(|| ours.buffer_of(size, false));
    assert!(report.is_some(), "a buffer of {size} bytes");
    for (buffer, reason) in [
        (other.buffer(false), "Buffer with 'weights' label doesn't match Device"),
        (destroyed, "Buffer with 'weights' label has been destroyed"),
        (invalid, "Buffer with 'weights' label is invalid"),
    ] {
        let mut encoder = ours.encoder();
        let right = ours.buffer(false);
        let fill = |encoder: &mut _, buffer| {
            recorder.fill(encoder, &TensorView::f32(buffer, [256, 256]), &NORMAL, KEY)
        };
        for _ in 0..2 {
            let error = fill(&mut encoder, &buffer).expect_err(reason);
            assert!(matches!(&error, Error::Refused { reason: text } if text.contains(reason)), "{error:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        // A list names the fill, whatever else the list holds.
        let fills = [
            Fill::named("right", TensorView::f32(&right, [64]), NORMAL, KEY),
            Fill::named("wrong", TensorView::f32(&buffer, [256, 256]), NORMAL, KEY),
        ];
        let error = recorder.fill_all(&mut encoder, &fills).expect_err(reason);
        let Error::Fill { fill: name, error } = &error else { panic!("{error:?}") };
        assert_eq!(name, "wrong");
        assert!(matches!(&**error, Error::Refused { reason: text } if text.contains(reason)), "{error:?}");
        fill(&mut encoder, &right).expect("a fill that is right");
        assert_eq!(ours.reported(|| ours.queue.submit([encoder.finish()])).1, None);
    }
}

/// Mistakes that wgpu finds only later, and what it says: the guide "Embedding seedbed" has the same table. Each
/// is reported to the error scope or to the device's error handler, as for any other command.
fn mistakes_that_wgpu_reports(device: &Device) {
    let (ours, other) = (Raw::new(device), Raw::new(device));
    let recorder = FillRecorder::new(&ours.device);
    let record = |encoder: &mut wgpu::CommandEncoder, buffer: &wgpu::Buffer, init: Init| {
        let result = recorder.fill(encoder, &TensorView::f32(buffer, [256, 256]), &init, KEY);
        result.expect("a mistake that can't be seen before recording");
    };
    let destroyed = ours.buffer(false);
    destroyed.destroy();
    let right = ours.buffer(false);
    // Zeros are a clear here, which binds nothing.
    for (buffer, init, message) in [
        (ours.buffer(true), NORMAL, "Buffer with 'weights' label is still mapped"),
        (ours.buffer(true), Init::zeros(), "Buffer with 'weights' label is still mapped"),
        (destroyed, Init::zeros(), "Buffer with 'weights' label has been destroyed"),
        (other.buffer(false), Init::zeros(), "Buffer with 'weights' label doesn't match Device"),
    ] {
        let mut encoder = ours.encoder();
        assert_eq!(ours.reported(|| record(&mut encoder, &buffer, init)).1, None, "recording: {message}");
        let report = ours.reported(|| ours.queue.submit([encoder.finish()])).1;
        assert!(report.as_ref().is_some_and(|report| report.contains(message)), "{report:?}, {message}");
    }
    for (init, message) in [
        (NORMAL, "ComputePipeline with 'seedbed::normal_f32_vectorized' label doesn't match Device"),
        (Init::zeros(), "Buffer with 'weights' label doesn't match Device"),
    ] {
        let mut encoder = other.encoder();
        assert_eq!(other.reported(|| record(&mut encoder, &right, init)).1, None, "recording: {message}");
        let report = other.reported(|| other.queue.submit([encoder.finish()])).1;
        assert!(report.as_ref().is_some_and(|report| report.contains(message)), "{report:?}, {message}");
    }
    // A clear binds nothing, so a device that was destroyed shows itself only at the submission, which is lost.
    let destroyed = Raw::new(device);
    let (mut encoder, buffer) = (destroyed.encoder(), destroyed.buffer(false));
    let recorder_of_destroyed = FillRecorder::new(&destroyed.device);
    destroyed.device.destroy();
    let view = TensorView::f32(&buffer, [256, 256]);
    assert_eq!(recorder_of_destroyed.fill(&mut encoder, &view, &Init::zeros(), KEY), Ok(()));
    assert_eq!(destroyed.reported(|| destroyed.queue.submit([encoder.finish()])).1, None);
    for init in [NORMAL, Init::zeros()] {
        let mut encoder = ours.encoder();
        let pass = encoder.begin_compute_pass(&Default::default()).forget_lifetime();
        let (_, at_once) = ours.reported(|| record(&mut encoder, &right, init));
        drop(pass);
        let report = ours.reported(|| ours.queue.submit([encoder.finish()])).1;
        let locked = "Encoder is locked by a previously created render/compute pass";
        assert!(report.is_some_and(|report| report.contains(locked)));
        assert_eq!(at_once.is_some_and(|report| report.contains(locked)), init == NORMAL);
    }
}
