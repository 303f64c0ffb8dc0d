//! A device of wgpu 29, as a program of wgpu 29 has one.

use pollster::block_on;
use seedbed::program::Placement;
use seedbed::self_test::Task;
use seedbed::{Error, Init, Key, host};
use seedbed_wgpu_29::{FillRecorder, TensorView};
use wgpu::util::DeviceExt;
use wgpu::{Backend, BufferUsages, Features, Limits};

/// The byte that fills every buffer before a fill.
pub const SENTINEL: u8 = Task::PREFILL;

/// The usages of a buffer that a fill can not clear.
pub const NO_COPY_DST: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC);

/// The usages of a buffer, unless a check is about usages.
pub const USAGE: BufferUsages = NO_COPY_DST.union(BufferUsages::COPY_DST);

/// The adapters that can compute, by name.
pub fn adapters() -> Vec<(String, wgpu::Adapter)> {
    let all = block_on(wgpu::Instance::default().enumerate_adapters(wgpu::Backends::all()));
    let compute = |adapter: &wgpu::Adapter| {
        adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    };
    let named = |adapter: wgpu::Adapter| {
        let info = adapter.get_info();
        let name = match info.backend {
            Backend::Gl => "gl".to_owned(),
            Backend::Vulkan if info.name.contains("llvmpipe") => "lavapipe".to_owned(),
            _ if info.name.contains("SwiftShader") => "swiftshader".to_owned(),
            backend => format!("{backend}/{}", info.name),
        };
        (name, adapter)
    };
    all.into_iter().filter(compute).map(named).collect()
}

/// A way to use an adapter.
#[derive(Clone, Copy, PartialEq)]
pub enum Variant {
    Usual,
    /// The device has no 64-bit integers, so fills take other kernels.
    WithoutInt64,
    /// Fills take the kernels and the dispatches of a GPU.
    AsOnAGpu,
}

impl Variant {
    pub fn of(name: &str, adapter: &wgpu::Adapter) -> Vec<Self> {
        if name == "lavapipe" {
            assert!(adapter.features().contains(Features::SHADER_INT64));
            return vec![Self::Usual, Self::WithoutInt64, Self::AsOnAGpu];
        }
        vec![Self::Usual]
    }

    pub fn name(self, adapter: &str) -> String {
        match self {
            Self::Usual => adapter.to_owned(),
            Self::WithoutInt64 => format!("{adapter}-no-int64"),
            Self::AsOnAGpu => format!("{adapter}-as-on-a-gpu"),
        }
    }
}

/// An open device. It has no error handler, so a report of wgpu that nothing takes is a panic.
pub struct Device {
    /// The name of the adapter and its variant.
    pub name: String,
    pub adapter: wgpu::Adapter,
    variant: Variant,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub recorder: FillRecorder,
}

impl Device {
    pub fn open(name: &str, adapter: &wgpu::Adapter, variant: Variant) -> Self {
        Self::open_with(name, adapter, variant, adapter.limits())
    }

    fn open_with(name: &str, adapter: &wgpu::Adapter, variant: Variant, limits: Limits) -> Self {
        let int64 = Features::SHADER_INT64;
        let hidden = variant == Variant::WithoutInt64;
        let descriptor = wgpu::DeviceDescriptor {
            required_features: if hidden { Features::empty() } else { adapter.features() & int64 },
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = block_on(adapter.request_device(&descriptor)).expect("an adapter that opens");
        let recorder = match variant {
            Variant::AsOnAGpu => FillRecorder::with_gpu_tuning(&device),
            _ => FillRecorder::new(&device),
        };
        Self { name: name.to_owned(), adapter: adapter.clone(), variant, device, queue, recorder }
    }

    /// Another device of the same adapter.
    pub fn another(&self) -> Self {
        Self::open(&self.name, &self.adapter, self.variant)
    }

    /// Another device of the same adapter, with limits that `change` has changed.
    pub fn with_limits(&self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = self.adapter.limits();
        change(&mut limits);
        Self::open_with(&self.name, &self.adapter, self.variant, limits)
    }

    /// A recorder for which nothing is compiled yet.
    pub fn fresh_recorder(&self) -> FillRecorder {
        match self.variant {
            Variant::AsOnAGpu => FillRecorder::with_gpu_tuning(&self.device),
            _ => FillRecorder::new(&self.device),
        }
    }

    /// A buffer of `size` bytes, a multiple of 4, that is full of the sentinel.
    pub fn sentinel_buffer(&self, size: u64, usage: BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("weights"),
            contents: &vec![SENTINEL; size as usize],
            usage,
        })
    }

    pub fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }

    /// Records into a fresh encoder, and submits it.
    pub fn submit<R>(&self, record: impl FnOnce(&mut wgpu::CommandEncoder) -> R) -> R {
        let mut encoder = self.encoder();
        let result = record(&mut encoder);
        self.queue.submit([encoder.finish()]);
        result
    }

    /// The bytes from `start` to `end` of a buffer.
    pub fn read(&self, buffer: &wgpu::Buffer, start: u64, end: u64) -> Vec<u8> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: end - start,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.submit(|encoder| encoder.copy_buffer_to_buffer(buffer, start, &staging, 0, end - start));
        staging.map_async(wgpu::MapMode::Read, .., |result| result.expect("a buffer that can be mapped"));
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("a device that works");
        let bytes = staging.get_mapped_range(..).to_vec();
        staging.unmap();
        bytes
    }

    /// All bytes of a buffer.
    pub fn read_all(&self, buffer: &wgpu::Buffer) -> Vec<u8> {
        self.read(buffer, 0, buffer.size())
    }

    /// Records one fill, and compares every byte of the buffer with what the host writes.
    pub fn check(&self, size: u64, usage: BufferUsages, placement: &Placement<'_>, init: &Init, key: Key) {
        let buffer = self.sentinel_buffer(size, usage);
        let view = TensorView::from_placement(&buffer, placement.clone());
        self.submit(|encoder| self.recorder.fill(encoder, &view, init, key)).expect("a fill that is right");
        let mut expected = vec![SENTINEL; size as usize];
        host::fill_buffer(&mut expected, placement, init, key).expect("a fill that is right");
        assert_same(&self.read_all(&buffer), &expected, (init, placement));
    }
}

/// Compares bytes, and names the first that differs.
#[track_caller]
pub fn assert_same(actual: &[u8], expected: &[u8], what: impl std::fmt::Debug) {
    assert_eq!(actual.len(), expected.len());
    if let Some(byte) = actual.iter().zip(expected).position(|(actual, expected)| actual != expected) {
        panic!("{what:?}: byte {byte} is {:02x}, not {:02x}", actual[byte], expected[byte]);
    }
}

/// Checks that the result is an error with this beginning.
#[track_caller]
pub fn assert_starts<R>(result: Result<R, Error>, beginning: &str) {
    let message = result.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.starts_with(beginning), "{message:?} does not begin with {beginning:?}");
    assert!(!message.contains('\n'), "{message}");
}
