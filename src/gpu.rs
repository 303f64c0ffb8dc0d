//! A device for programs that own none: pick an adapter, open it, read a buffer back.
//!
//! A program with a device of its own does not need this module. Only this module and
//! [`FillRecorder::self_test`](crate::FillRecorder::self_test) submit and poll.
//! The features of `wgpu` that your program enables decide which backends exist.
//!
//! ```no_run
//! use seedbed::{Init, FillRecorder, Key, TensorView, gpu::Gpu, wgpu};
//!
//! # async fn f() -> Result<(), seedbed::Error> {
//! let instance = wgpu::Instance::default();
//! let gpu = Gpu::open(&seedbed::gpu::pick(&instance, None).await?).await?;
//! let buffer = gpu.storage_buffer(4 * 128 * 256);
//! let mut encoder = gpu.device.create_command_encoder(&Default::default());
//! FillRecorder::new(&gpu.device).fill(
//!     &mut encoder,
//!     &TensorView::f32(&buffer, [128, 256]),
//!     &Init::xavier_normal(),
//!     Key::new(42),
//! )?;
//! gpu.queue.submit([encoder.finish()]);
//! let bytes = gpu.download(&buffer, 0..buffer.size()).await?;
//! # Ok(()) }
//! ```

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use crate::error::Error;
use crate::program::DeviceClass;

/// Lists all adapters: GPUs first, software last, each kind in wgpu's order.
pub async fn adapters(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    use wgpu::{Backend, DeviceType};
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu | DeviceType::VirtualGpu => 1,
            DeviceType::Other => 2,
            DeviceType::Cpu => 3,
        };
        // OpenGL reports `Other` for software too, and is the slower backend for the same GPU.
        (kind.max(if is_software(&info) { 3 } else { 0 }), info.backend == Backend::Gl)
    });
    adapters
}

/// Whether the adapter computes on the CPU.
pub fn is_software(info: &wgpu::AdapterInfo) -> bool {
    DeviceClass::of(&info.name, info.device_type == wgpu::DeviceType::Cpu) != DeviceClass::Gpu
}

/// An adapter's name, "backend/name", such as `vulkan/llvmpipe (LLVM 15.0.6, 256 bits)`. GPUs of one model
/// have the same name; the names of [`named_adapters`] differ.
pub fn name(info: &wgpu::AdapterInfo) -> String {
    format!("{}/{}", info.backend.to_str(), info.name)
}

/// Lists [`adapters`] with unique names. An adapter whose [`name`] others have too gets its PCI address or,
/// where that is unknown or shared, its number: `vulkan/NVIDIA H100 80GB HBM3 0000:3b:00.0`,
/// `metal/Apple M2 Ultra #2`.
pub async fn named_adapters(instance: &wgpu::Instance) -> Vec<(String, wgpu::Adapter)> {
    let adapters = adapters(instance).await;
    let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    let names = infos.iter().map(|info| (name(info), info.device_pci_bus_id.as_str())).collect::<Vec<_>>();
    distinct(&names).into_iter().zip(adapters).collect()
}

/// Makes adapter names unique, from each adapter's name and PCI address: appends the address, or `#n` where
/// the address is unknown (empty) or shared.
fn distinct(adapters: &[(String, &str)]) -> Vec<String> {
    let each = adapters.iter().enumerate().map(|(i, (name, bus))| {
        let alike: Vec<_> = (0..adapters.len()).filter(|&other| adapters[other].0 == *name).collect();
        let there = alike.iter().filter(|&&other| adapters[other].1 == *bus).count();
        match (alike.len(), there) {
            (1, _) => name.clone(),
            (_, 1) if !bus.is_empty() => format!("{name} {bus}"),
            _ => format!("{name} #{}", alike.iter().take_while(|&&other| other <= i).count()),
        }
    });
    each.collect()
}

/// Picks an adapter by name, ignoring case: the one with this name among [`named_adapters`], else the first
/// with this [`name`], else the first whose unique name contains the text. `None` picks the first adapter.
///
/// # Errors
/// [`Error::NoAdapter`], which lists the adapters that exist.
pub async fn pick(instance: &wgpu::Instance, name: Option<&str>) -> Result<wgpu::Adapter, Error> {
    pick_named(instance, name).await.map(|(_, adapter)| adapter)
}

/// Picks an adapter as [`pick`] does, and returns its unique name too.
///
/// # Errors
/// The errors of [`pick`].
pub async fn pick_named(
    instance: &wgpu::Instance,
    name: Option<&str>,
) -> Result<(String, wgpu::Adapter), Error> {
    let mut adapters = named_adapters(instance).await;
    let names: Vec<_> =
        adapters.iter().map(|(own, adapter)| [own.clone(), self::name(&adapter.get_info())]).collect();
    match find(&names, name) {
        Some(index) => Ok(adapters.swap_remove(index)),
        None => Err(Error::NoAdapter {
            wanted: name.map(str::to_owned),
            available: names.into_iter().map(|[own, _]| own).collect(),
        }),
    }
}

/// Finds the wanted adapter, by each adapter's unique name and by the name that others may share.
fn find(names: &[[String; 2]], wanted: Option<&str>) -> Option<usize> {
    let wanted = wanted.unwrap_or_default().to_lowercase();
    let names: Vec<_> = names.iter().map(|both| both.each_ref().map(|name| name.to_lowercase())).collect();
    let own = names.iter().position(|[own, _]| *own == wanted);
    let shared = || names.iter().position(|[_, shared]| *shared == wanted);
    own.or_else(shared).or_else(|| names.iter().position(|[own, _]| own.contains(&wanted)))
}

/// An open device. wgpu would panic on some errors (out of memory, a lost device); `Gpu` keeps the first of
/// them, and [`Gpu::download`], [`Readback::read`] and [`Gpu::check`] return it.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// The device, which creates buffers and pipelines.
    pub device: wgpu::Device,
    /// The queue, which takes command buffers.
    pub queue: wgpu::Queue,
    failure: Arc<OnceLock<String>>,
}

impl Gpu {
    /// Opens the adapter with all its limits, and with the features that fills use and the adapter has.
    ///
    /// # Errors
    /// [`Error::RequestDevice`].
    pub async fn open(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        let features = adapter.features() & wgpu::Features::SHADER_INT64;
        Self::open_with(adapter, features, adapter.limits()).await
    }

    /// Opens the adapter with exactly these features and limits.
    ///
    /// # Errors
    /// [`Error::RequestDevice`], also for features or limits that the adapter does not have.
    pub async fn open_with(
        adapter: &wgpu::Adapter,
        required_features: wgpu::Features,
        required_limits: wgpu::Limits,
    ) -> Result<Self, Error> {
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("seedbed::Gpu::device"),
                required_features,
                required_limits,
                ..Default::default()
            })
            .await
            .map_err(|e| Error::RequestDevice {
                adapter: name(&adapter.get_info()),
                reason: e.to_string(),
            })?;
        let failure = Arc::new(OnceLock::new());
        let first = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let _ = first.set(error.to_string());
        }));
        let first = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                let _ = first.set(format!("the device was lost: {message}"));
            }
        });
        Ok(Self { device, queue, failure })
    }

    /// A device that the caller opened. Its errors go to the caller's handlers.
    pub(crate) fn of(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Self { device: device.clone(), queue: queue.clone(), failure: Arc::default() }
    }

    /// Creates a buffer that can be filled and read back.
    pub fn storage_buffer(&self, size: u64) -> wgpu::Buffer {
        use wgpu::BufferUsages as Usage;
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("seedbed::Gpu::storage_buffer"),
            size,
            usage: Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// Returns the first error that the device reported, if any.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn check(&self) -> Result<(), Error> {
        match self.failure.get() {
            None => Ok(()),
            Some(reason) => Err(Error::Device { reason: reason.clone() }),
        }
    }

    /// Reads a part of a buffer back, after everything that has been submitted. Start and end are multiples
    /// of 4. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Device`], if the device ran out of memory or was lost, or if the buffer is too small or has
    /// no `COPY_SRC`.
    pub async fn download(&self, buffer: &wgpu::Buffer, range: Range<u64>) -> Result<Vec<u8>, Error> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let mut readback = Readback::new(self, range.end - range.start);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        readback.record(&mut encoder, buffer, range);
        self.queue.submit([encoder.finish()]);
        readback.map();
        readback.read(<[u8]>::to_vec).await
    }
}

/// A staging buffer that is used repeatedly: [`record`](Self::record) a copy, submit, [`map`](Self::map), do
/// something else meanwhile, then [`read`](Self::read).
#[derive(Debug)]
pub struct Readback {
    gpu: Gpu,
    staging: wgpu::Buffer,
    len: u64,
    mapped: Option<OneshotReceiver<Result<(), wgpu::BufferAsyncError>>>,
}

impl Readback {
    /// Creates a staging buffer of `capacity` bytes.
    pub fn new(gpu: &Gpu, capacity: u64) -> Self {
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("seedbed::Readback::staging"),
            size: capacity,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { gpu: gpu.clone(), staging, len: 0, mapped: None }
    }

    /// Records the copy of a part of a buffer. The part's start and end are multiples of 4.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder, source: &wgpu::Buffer, range: Range<u64>) {
        self.len = range.end - range.start;
        encoder.copy_buffer_to_buffer(source, range.start, &self.staging, 0, self.len);
    }

    /// Begins to map the copied bytes. Call `map` after the submission.
    pub fn map(&mut self) {
        let (sender, receiver) = oneshot_channel();
        self.staging.map_async(wgpu::MapMode::Read, 0..self.len, move |result| {
            // Sending fails if the readback was dropped: nobody waits then.
            let _ = sender.send(result);
        });
        self.mapped = Some(receiver);
    }

    /// Waits for the mapping, and calls `look` with the bytes.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub async fn read<R>(&mut self, look: impl FnOnce(&[u8]) -> R) -> Result<R, Error> {
        let device_error = |reason: String| Error::Device { reason };
        let receiver = self.mapped.take().ok_or_else(|| {
            device_error("Readback::read was called without Readback::map before it".into())
        })?;
        // In a browser the event loop polls, and this call returns at once.
        self.gpu.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| device_error(e.to_string()))?;
        let mapped = receiver.receive().await;
        self.gpu.check()?;
        match mapped {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(device_error(error.to_string())),
            None => return Err(device_error("the mapping was dropped".into())),
        }
        let view = self.staging.get_mapped_range(0..self.len).map_err(|e| device_error(e.to_string()))?;
        let result = look(&view);
        drop(view);
        self.staging.unmap();
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_that_are_alike_are_told_apart() {
        let (bus, h100, apple) = ("0000:3b:00.0", "vulkan/H100", "metal/M2");
        let adapters = [(h100, bus), (h100, "0000:86:00.0"), ("gl/H100", bus), (apple, ""), (apple, "")];
        let names = distinct(&adapters.map(|(name, bus)| (name.to_owned(), bus)));
        assert_eq!(
            names,
            ["vulkan/H100 0000:3b:00.0", "vulkan/H100 0000:86:00.0", "gl/H100", "metal/M2 #1", "metal/M2 #2"]
        );
        // Two drivers of one GPU report the same name and address.
        let one_gpu = [(h100, bus), (h100, bus)];
        let one_gpu = distinct(&one_gpu.map(|(name, bus)| (name.to_owned(), bus)));
        assert_eq!(one_gpu, ["vulkan/H100 #1", "vulkan/H100 #2"]);
    }

    #[test]
    fn a_whole_name_comes_before_a_part_of_one() {
        let names = [
            ["vulkan/A Ti", "vulkan/A Ti"],
            ["vulkan/A #11", "vulkan/A"],
            ["vulkan/A #1", "vulkan/A"],
            ["gl/A", "gl/A"],
        ];
        let names = names.map(|both| both.map(str::to_owned));
        for (wanted, expected) in [
            (None, Some(0)),
            (Some("VULKAN/a #1"), Some(2)),
            (Some("vulkan/A"), Some(1)),
            (Some("#1"), Some(1)),
            (Some("A"), Some(0)),
            (Some("gl"), Some(3)),
            (Some("B"), None),
        ] {
            assert_eq!(find(&names, wanted), expected, "{wanted:?}");
        }
        assert_eq!(find(&[], None), None);
    }
}
