//! The recorder of this library's wgpu: wgpu's calls. The rules are in `recorder`.

mod device;
mod self_test;

use crate::error::Error;
use crate::program::{Binding, BindingKind, Buffer, Device, Kernel};
use crate::recorder::{self, Api, ReportKind, lost};

/// Fills tensors of one device. A recorder is cheap to clone, and all clones share their pipelines.
///
/// A recorder records into your encoder and does nothing else: no submission, no polling, no queue.
///
/// ```no_run
/// # #[cfg(feature = "wgpu")]
/// # fn f(device: &wgpu::Device, buffer: &wgpu::Buffer, encoder: &mut wgpu::CommandEncoder) -> Result<(), seedbed::Error> {
/// use seedbed::{Init, FillRecorder, Key, TensorView};
///
/// let recorder = FillRecorder::new(device);
/// let weight = TensorView::f32(buffer, [768, 3072]);
/// recorder.fill(encoder, &weight, &Init::xavier_normal(), Key::new(42).named("mlp.weight"))?;
/// # Ok(())
/// # }
/// ```
pub type FillRecorder = recorder::FillRecorder<Wgpu>;

/// A view of a buffer as a destination: elements of a logical tensor, row-major from a byte offset on. A fill
/// changes no other byte: neither the padding between rows, nor the other half of a word that a 16-bit
/// element shares.
///
/// The buffer needs `BufferUsages::STORAGE`. With `COPY_DST` too, large zeros become a `clear_buffer`.
///
/// ```no_run
/// # fn f(buffer: &wgpu::Buffer) {
/// use seedbed::{Region, TensorView};
///
/// // A weight in an arena, 4 KiB from its start.
/// let weight = TensorView::f32(buffer, [768, 3072]).at(4096);
/// // Its second half alone, as another device of a sharded model would hold it.
/// let half = TensorView::f32(buffer, Region::from([768, 3072]).elements(1179648..2359296));
/// // The second half of each row, as another split of the model would have it.
/// let shard = TensorView::f32(buffer, Region::from([768, 3072]).shard([0, 1536], [768, 1536]));
/// // Rows of 100 elements, each on a 256-byte boundary as in an image copy.
/// let padded = TensorView::f32(buffer, [64, 100]).row_pitch(512);
/// # }
/// ```
pub type TensorView<'a> = recorder::TensorView<'a, Wgpu>;

/// A fill of [`FillRecorder::fill_all`]: the arguments of [`FillRecorder::fill`].
///
/// A list of fills describes a model, and one list is enough: a test, or a machine without a GPU, makes the
/// same bytes from that list with [`host::fill_buffer`](crate::host::fill_buffer).
///
/// ```no_run
/// use seedbed::{Error, Fill, Init, Key, TensorView, host, wgpu};
///
/// struct Layer {
///     fills: Vec<Fill<'static>>,
/// }
///
/// fn layer(arena: &wgpu::Buffer, model: Key) -> Layer {
///     let weight = TensorView::f32(arena, [3072, 768]).into_owned();
///     Layer { fills: vec![Fill::named("mlp.weight", weight, Init::xavier_normal(), model)] }
/// }
///
/// /// The bytes that the arena has after the fills.
/// fn on_the_host(layer: &Layer, arena: &mut [u8]) -> Result<(), Error> {
///     for fill in &layer.fills {
///         host::fill_buffer(arena, fill.tensor().placement(), fill.init(), fill.key())?;
///     }
///     Ok(())
/// }
/// ```
pub type Fill<'a> = recorder::Fill<'a, Wgpu>;

/// wgpu, the major version that [`seedbed::wgpu`](crate::wgpu) is.
#[derive(Clone, Copy, Debug)]
pub struct Wgpu;

impl Api for Wgpu {
    type Device = wgpu::Device;
    type Buffer = wgpu::Buffer;
    type BufferUsages = wgpu::BufferUsages;
    type Encoder = wgpu::CommandEncoder;
    type Pass<'a> = wgpu::ComputePass<'a>;
    type PipelineCache = wgpu::PipelineCache;
    type Pipeline = (wgpu::ComputePipeline, wgpu::BindGroupLayout);
    type Entry<'a> = wgpu::BindGroupEntry<'a>;
    type BindGroup = wgpu::BindGroup;
    type Scope = wgpu::ErrorScopeGuard;

    const UNIFORM: wgpu::BufferUsages = wgpu::BufferUsages::UNIFORM;
    const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE;
    const COPY_DST: wgpu::BufferUsages = wgpu::BufferUsages::COPY_DST;

    fn describe(device: &wgpu::Device) -> Device {
        device::describe(device)
    }

    fn size(buffer: &wgpu::Buffer) -> u64 {
        buffer.size()
    }

    fn usages(buffer: &wgpu::Buffer) -> wgpu::BufferUsages {
        buffer.usage()
    }

    fn create(device: &wgpu::Device, buffer: &Buffer, usages: wgpu::BufferUsages) -> wgpu::Buffer {
        device.create_buffer(&descriptor(buffer, usages, false))
    }

    fn upload(
        device: &wgpu::Device,
        buffer: &Buffer,
        usages: wgpu::BufferUsages,
        words: &[u32],
    ) -> Result<wgpu::Buffer, Error> {
        let created = device.create_buffer(&descriptor(buffer, usages, true));
        // Memory that is out is reported before this, to the error scope.
        created
            .get_mapped_range_mut(..)
            .map_err(|_| lost())?
            .slice(..)
            .copy_from_slice(bytemuck::cast_slice(words));
        created.unmap();
        Ok(created)
    }

    fn compile(
        device: &wgpu::Device,
        kernel: &Kernel,
        cache: Option<&wgpu::PipelineCache>,
    ) -> Self::Pipeline {
        let label = Some(&*kernel.label);
        let entries: Vec<_> =
            (0..).zip(&kernel.bindings).map(|(binding, &kind)| layout_entry(binding, kind)).collect();
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(kernel.wgsl.as_str().into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(&kernel.entry_point),
            compilation_options: Default::default(),
            cache,
        });
        (pipeline, layout)
    }

    fn entry<'a>(number: u32, buffer: &'a wgpu::Buffer, binding: &Binding) -> wgpu::BindGroupEntry<'a> {
        wgpu::BindGroupEntry {
            binding: number,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: binding.offset,
                size: wgpu::BufferSize::new(binding.size),
            }),
        }
    }

    fn bind(
        device: &wgpu::Device,
        (_, layout): &Self::Pipeline,
        entries: &[wgpu::BindGroupEntry<'_>],
    ) -> wgpu::BindGroup {
        // wgpu would copy a label for each dispatch.
        device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries })
    }

    fn clear(encoder: &mut wgpu::CommandEncoder, buffer: &wgpu::Buffer, offset: u64, size: u64) {
        encoder.clear_buffer(buffer, offset, Some(size));
    }

    fn begin_pass(encoder: &mut wgpu::CommandEncoder) -> wgpu::ComputePass<'_> {
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("seedbed::fill"),
            timestamp_writes: None,
        })
    }

    fn dispatch(
        pass: &mut wgpu::ComputePass<'_>,
        (pipeline, _): &Self::Pipeline,
        group: &wgpu::BindGroup,
        [x, y]: [u32; 2],
    ) {
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }

    fn open_scope(device: &wgpu::Device, kind: ReportKind) -> wgpu::ErrorScopeGuard {
        device.push_error_scope(match kind {
            ReportKind::OutOfMemory => wgpu::ErrorFilter::OutOfMemory,
            ReportKind::Validation => wgpu::ErrorFilter::Validation,
            ReportKind::Internal => wgpu::ErrorFilter::Internal,
        })
    }

    async fn close_scope(scope: wgpu::ErrorScopeGuard) -> Option<String> {
        scope.pop().await.map(|error| error.to_string())
    }
}

fn descriptor(
    buffer: &Buffer,
    usage: wgpu::BufferUsages,
    mapped_at_creation: bool,
) -> wgpu::BufferDescriptor<'_> {
    wgpu::BufferDescriptor { label: Some(&buffer.label), size: buffer.size, usage, mapped_at_creation }
}

fn layout_entry(binding: u32, kind: BindingKind) -> wgpu::BindGroupLayoutEntry {
    let (ty, size) = match kind {
        BindingKind::Uniform { size } => (wgpu::BufferBindingType::Uniform, wgpu::BufferSize::new(size)),
        // The smallest size is one element: 4 to 16 bytes, as the kernel declares. wgpu checks it at the
        // dispatch.
        kind => {
            let read_only = kind == BindingKind::ReadOnlyStorage;
            (wgpu::BufferBindingType::Storage { read_only }, None)
        }
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: size },
        count: None,
    }
}
