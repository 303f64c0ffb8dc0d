//! Engines, which fill tensors: the host, and every adapter of this machine.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pollster::block_on;
use seedbed::gpu::{self, Gpu};
use seedbed::wgpu::{self, Backend, Features, util::DeviceExt};
use seedbed::{DType, Error, FillRecorder, Init, Key, Region, TensorView, host};

/// The environment variable that lists the adapters without which the tests fail.
pub const REQUIRE: &str = "SEEDBED_REQUIRE_ADAPTERS";

/// The adapters that [`REQUIRE`] can name. These adapters compute on the CPU, so every machine can have them.
pub const KNOWN: [&str; 3] = ["lavapipe", "gl", "swiftshader"];

/// The host, or a device of an adapter.
pub enum Engine {
    Host,
    Device(Device),
}

impl Engine {
    /// Fills the region with f32 elements, and returns them.
    pub fn fill<'a>(&self, region: impl Into<Region<'a>>, init: &Init, key: Key) -> Vec<f32> {
        bytemuck::pod_collect_to_vec(&self.fill_bytes(DType::F32, region, init, key))
    }

    /// Fills the region with f16 or bf16 elements, and returns their bits.
    pub fn fill_halves<'a>(
        &self,
        dtype: DType,
        region: impl Into<Region<'a>>,
        init: &Init,
        key: Key,
    ) -> Vec<u16> {
        bytemuck::pod_collect_to_vec(&self.fill_bytes(dtype, region, init, key))
    }

    /// Fills the region with elements of this type, and returns their bytes.
    pub fn fill_bytes<'a>(
        &self,
        dtype: DType,
        region: impl Into<Region<'a>>,
        init: &Init,
        key: Key,
    ) -> Vec<u8> {
        let region = region.into();
        match self {
            Self::Host => {
                let mut bytes = vec![0; elements_of(&region) * dtype.size() as usize];
                host::fill_bytes(&mut bytes, dtype, region, init, key).expect("a fill that is right");
                bytes
            }
            Self::Device(device) => device.fill_bytes(dtype, region, init, key),
        }
    }

    /// The raw words of the region.
    pub fn words<'a>(&self, region: impl Into<Region<'a>>, key: Key) -> Vec<u32> {
        let region = region.into();
        match self {
            Self::Host => {
                let mut words = vec![0; elements_of(&region)];
                host::fill_words(&mut words, region, key).expect("a fill that is right");
                words
            }
            Self::Device(device) => device.words(region, key),
        }
    }
}

pub fn elements_of(region: &Region<'_>) -> usize {
    let elements = region.element_count().expect("a region that is right");
    usize::try_from(elements).expect("a region that fits memory")
}

/// An adapter, its open device, and a recorder of fills for the device.
pub struct Device {
    pub adapter: wgpu::Adapter,
    pub gpu: Gpu,
    pub recorder: FillRecorder,
    make: MakeRecorder,
}

type MakeRecorder = fn(&wgpu::Device) -> FillRecorder;

/// The byte that fills every buffer of the checks before a fill.
pub const SENTINEL: u8 = 0xA5;

/// The usages of a buffer that a fill can not clear.
pub const NO_COPY_DST: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC);

/// The usages of a buffer, unless a check is about usages.
pub const USAGE: wgpu::BufferUsages = NO_COPY_DST.union(wgpu::BufferUsages::COPY_DST);

impl Device {
    fn new(adapter: wgpu::Adapter, gpu: Gpu, make: MakeRecorder) -> Self {
        let recorder = make(&gpu.device);
        Self { adapter, gpu, recorder, make }
    }

    /// A new recorder, for which nothing is compiled yet.
    pub fn fresh_recorder(&self) -> FillRecorder {
        (self.make)(&self.gpu.device)
    }

    /// Another device of the same adapter, with the same features and these limits.
    pub fn with_limits(&self, limits: wgpu::Limits) -> Self {
        let gpu = block_on(Gpu::open_with(&self.adapter, self.gpu.device.features(), limits));
        Self::new(self.adapter.clone(), gpu.expect("limits that the adapter has"), self.make)
    }

    /// Another device of the same adapter. Its bindings have at most `binding` bytes and begin at multiples
    /// of `alignment` bytes; its grids have at most `workgroups` workgroups in each dimension.
    pub fn limited(&self, binding: u64, workgroups: u32, alignment: u32) -> Self {
        let all = self.adapter.limits();
        self.with_limits(wgpu::Limits {
            max_storage_buffer_binding_size: binding,
            max_compute_workgroups_per_dimension: workgroups,
            min_storage_buffer_offset_alignment: alignment.max(all.min_storage_buffer_offset_alignment),
            ..all
        })
    }

    /// Another device of the same adapter, with the default limits of WebGPU and without features. The recorder
    /// plans as for a GPU, so it takes every program that was planned for `Device::webgpu()`.
    #[cfg(feature = "serde")]
    pub fn with_webgpu_limits(&self) -> Self {
        let defaults = wgpu::Limits::default();
        let limits = wgpu::Limits {
            max_buffer_size: defaults.max_buffer_size,
            max_storage_buffer_binding_size: defaults.max_storage_buffer_binding_size,
            max_uniform_buffer_binding_size: defaults.max_uniform_buffer_binding_size,
            max_storage_buffers_per_shader_stage: defaults.max_storage_buffers_per_shader_stage,
            max_compute_workgroup_storage_size: defaults.max_compute_workgroup_storage_size,
            max_compute_invocations_per_workgroup: defaults.max_compute_invocations_per_workgroup,
            max_compute_workgroup_size_x: defaults.max_compute_workgroup_size_x,
            max_compute_workgroups_per_dimension: defaults.max_compute_workgroups_per_dimension,
            min_storage_buffer_offset_alignment: defaults.min_storage_buffer_offset_alignment,
            min_uniform_buffer_offset_alignment: defaults.min_uniform_buffer_offset_alignment,
            ..self.adapter.limits()
        };
        let gpu = block_on(Gpu::open_with(&self.adapter, Features::empty(), limits));
        let make = FillRecorder::with_gpu_tuning;
        let device = Self::new(self.adapter.clone(), gpu.expect("an adapter with WebGPU's limits"), make);
        assert_eq!(*device.recorder.planner().device(), seedbed::program::Device::webgpu());
        device
    }

    pub fn description(&self) -> String {
        let int64 = self.gpu.device.features().contains(Features::SHADER_INT64);
        let limits = self.gpu.device.limits();
        format!(
            "{}: {} int64, storage bindings of at most {} bytes, buffers of at most {}",
            gpu::name(&self.adapter.get_info()),
            if int64 { "with" } else { "without" },
            limits.max_storage_buffer_binding_size,
            limits.max_buffer_size,
        )
    }

    /// A buffer of `size` bytes, a multiple of 4, that is full of the sentinel.
    pub fn sentinel_buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("conformance::sentinel"),
            contents: &vec![SENTINEL; usize::try_from(size).expect("a buffer that fits memory")],
            usage,
        })
    }

    /// Records into a fresh encoder, and submits it.
    pub fn submit<R>(&self, record: impl FnOnce(&mut wgpu::CommandEncoder) -> R) -> R {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let result = record(&mut encoder);
        self.gpu.queue.submit([encoder.finish()]);
        result
    }

    /// All bytes of a buffer. Fails if the device has reported any error.
    pub fn read(&self, buffer: &wgpu::Buffer) -> Vec<u8> {
        block_on(self.gpu.download(buffer, 0..buffer.size())).expect("a device that works")
    }

    /// Fills the region with f32 elements, and returns them.
    pub fn fill<'a>(&self, region: impl Into<Region<'a>>, init: &Init, key: Key) -> Vec<f32> {
        bytemuck::pod_collect_to_vec(&self.fill_bytes(DType::F32, region, init, key))
    }

    /// Fills the region with elements of this type, and returns their bytes.
    pub fn fill_bytes<'a>(
        &self,
        dtype: DType,
        region: impl Into<Region<'a>>,
        init: &Init,
        key: Key,
    ) -> Vec<u8> {
        let region = region.into();
        self.fill_and_read(&region, dtype, |encoder, buffer| {
            self.recorder.fill(encoder, &TensorView::new(buffer, dtype, region.clone()), init, key)
        })
    }

    /// The raw words of the region.
    pub fn words<'a>(&self, region: impl Into<Region<'a>>, key: Key) -> Vec<u32> {
        let region = region.into();
        let bytes = self.fill_and_read(&region, DType::U32, |encoder, buffer| {
            self.recorder.fill_words(encoder, &TensorView::u32(buffer, region.clone()), key)
        });
        bytemuck::pod_collect_to_vec(&bytes)
    }

    /// Fills a buffer that has the region's size, rounded up to whole words.
    fn fill_and_read(
        &self,
        region: &Region<'_>,
        dtype: DType,
        record: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::Buffer) -> Result<(), Error>,
    ) -> Vec<u8> {
        let size = dtype.size() * elements_of(region) as u64;
        let buffer = self.gpu.storage_buffer(size.next_multiple_of(4));
        self.submit(|encoder| record(encoder, &buffer)).expect("a fill that is right");
        let mut bytes = self.read(&buffer);
        bytes.truncate(size as usize);
        bytes
    }
}

/// An adapter that is opened when the first trial needs it.
pub struct Adapter {
    adapter: wgpu::Adapter,
    variant: Variant,
    engine: OnceLock<Engine>,
    exclusive: Mutex<()>,
}

/// A way to use an adapter.
#[derive(Clone, Copy, PartialEq)]
enum Variant {
    /// The device has the features that the library asks for.
    Usual,
    /// The device has no 64-bit integers, so fills take other kernels.
    WithoutInt64,
    /// The adapter computes on the CPU, but fills take the kernels and the dispatches of a GPU.
    AsOnAGpu,
}

impl Adapter {
    fn new(adapter: &wgpu::Adapter, variant: Variant) -> Arc<Self> {
        Arc::new(Self {
            adapter: adapter.clone(),
            variant,
            engine: OnceLock::new(),
            exclusive: Mutex::new(()),
        })
    }

    fn engine(&self) -> &Engine {
        self.engine.get_or_init(|| {
            let hidden = self.variant == Variant::WithoutInt64;
            let gpu = if hidden {
                block_on(Gpu::open_with(&self.adapter, Features::empty(), self.adapter.limits()))
            } else {
                block_on(Gpu::open(&self.adapter))
            };
            let gpu = gpu.expect("an adapter that opens");
            let int64 = has_int64(&self.adapter) && !hidden;
            assert_eq!(gpu.device.features().contains(Features::SHADER_INT64), int64);
            let make = if self.variant == Variant::AsOnAGpu {
                FillRecorder::with_gpu_tuning
            } else {
                FillRecorder::new
            };
            Engine::Device(Device::new(self.adapter.clone(), gpu, make))
        })
    }

    pub fn with_engine(&self, check: impl FnOnce(&Engine)) {
        let _guard = self.lock();
        check(self.engine());
    }

    pub fn with_device(&self, check: impl FnOnce(&Device)) {
        self.with_engine(|engine| match engine {
            Engine::Device(device) => check(device),
            Engine::Host => unreachable!("an adapter is opened as a device"),
        });
    }

    /// A lock on an OpenGL adapter. OpenGL has one context, wgpu holds the context while it waits, and
    /// another thread that does not get the context within seconds panics.
    fn lock(&self) -> Option<MutexGuard<'_, ()>> {
        let is_gl = self.adapter.get_info().backend == Backend::Gl;
        is_gl.then(|| self.exclusive.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn largest_buffer(&self) -> u64 {
        self.adapter.limits().max_buffer_size
    }
}

fn has_int64(adapter: &wgpu::Adapter) -> bool {
    adapter.features().contains(Features::SHADER_INT64)
}

/// An adapter in one of its variants, or the reason why this machine lacks the adapter.
pub struct Slot {
    /// The engine's name, such as `lavapipe-no-int64`.
    pub name: String,
    /// The adapter's name, such as `lavapipe`.
    pub adapter_name: String,
    pub adapter: Result<Arc<Adapter>, String>,
}

/// All slots: first those of the known adapters, then those of other adapters of this machine.
pub fn discover() -> Vec<Slot> {
    let found = block_on(gpu::named_adapters(&wgpu::Instance::default()));
    let mut slots = Vec::new();
    for name in KNOWN {
        match found.iter().find(|(_, adapter)| known_name(adapter) == Some(name)) {
            Some((_, adapter)) => slots.extend(opening(name, adapter)),
            None => slots.extend(missing(name, &format!("no {name} adapter on this machine"))),
        }
    }
    for (name, adapter) in found {
        if known_name(&adapter).is_none() && can_compute(&adapter) {
            slots.extend(variants(&format!("gpu:{name}"), &adapter));
        }
    }
    slots
}

fn known_name(adapter: &wgpu::Adapter) -> Option<&'static str> {
    let info = adapter.get_info();
    match info.backend {
        Backend::Gl => Some("gl"),
        Backend::Vulkan if info.name.contains("llvmpipe") => Some("lavapipe"),
        _ if info.name.contains("SwiftShader") => Some("swiftshader"),
        _ => None,
    }
}

/// Old drivers have no compute shaders, and are left out.
fn can_compute(adapter: &wgpu::Adapter) -> bool {
    let needed = wgpu::DownlevelFlags::COMPUTE_SHADERS;
    adapter.get_downlevel_capabilities().flags.contains(needed)
}

impl Variant {
    fn of(self, adapter: &str) -> String {
        match self {
            Self::Usual => adapter.to_owned(),
            Self::WithoutInt64 => format!("{adapter}-no-int64"),
            Self::AsOnAGpu => format!("{adapter}-as-on-a-gpu"),
        }
    }
}

fn slots(name: &str, has_int64: bool, adapter: Result<&wgpu::Adapter, &str>) -> Vec<Slot> {
    let mut variants = vec![Variant::Usual];
    if has_int64 {
        variants.push(Variant::WithoutInt64);
    }
    // One adapter that computes on the CPU is enough.
    if name == "lavapipe" {
        variants.push(Variant::AsOnAGpu);
    }
    let slot = |variant: Variant| Slot {
        name: variant.of(name),
        adapter_name: name.to_owned(),
        adapter: adapter.map(|adapter| Adapter::new(adapter, variant)).map_err(str::to_owned),
    };
    variants.into_iter().map(slot).collect()
}

fn variants(name: &str, adapter: &wgpu::Adapter) -> Vec<Slot> {
    slots(name, has_int64(adapter), Ok(adapter))
}

/// [`variants`], unless wgpu lists an OpenGL adapter that it cannot open. wgpu asks for a context of OpenGL 3.3, and
/// NVIDIA's driver gives no newer one, which has too little for wgpu's compute shaders.
fn opening(name: &str, adapter: &wgpu::Adapter) -> Vec<Slot> {
    let info = adapter.get_info();
    match info.backend {
        Backend::Gl => match block_on(Gpu::open(adapter)) {
            Ok(_) => variants(name, adapter),
            Err(error) => missing(name, &format!("the {} adapter does not open: {error}", info.name)),
        },
        _ => variants(name, adapter),
    }
}

fn missing(name: &str, reason: &str) -> Vec<Slot> {
    slots(name, name == "lavapipe", Err(reason))
}

/// The adapters that [`REQUIRE`] lists.
pub fn required() -> Vec<String> {
    let list = std::env::var(REQUIRE).unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
