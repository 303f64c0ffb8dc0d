#![doc = include_str!("../README.md")]

mod device;

use seedbed::Error;
use seedbed::program::{Binding, BindingKind, Buffer, Device, Kernel};
use seedbed::recorder::{self, Api, ReportKind, created, lost};
pub use {seedbed, wgpu};

/// A recorder of fills, as [`seedbed::FillRecorder`](recorder::FillRecorder), for a device of wgpu 29.
pub type FillRecorder = recorder::FillRecorder<Wgpu>;

/// A part of a buffer of wgpu 29 as elements of a type, as [`seedbed::TensorView`](recorder::TensorView).
pub type TensorView<'a> = recorder::TensorView<'a, Wgpu>;

/// A fill of [`FillRecorder::fill_all`], as [`seedbed::Fill`](recorder::Fill).
pub type Fill<'a> = recorder::Fill<'a, Wgpu>;

/// wgpu 29.
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
        let created =
            created::<Self, _>(device, || Ok(device.create_buffer(&descriptor(buffer, usages, true))))?;
        // wgpu 29 panics where a buffer that a lost device "created" is mapped.
        check_not_lost(device)?;
        created.get_mapped_range_mut(..).slice(..).copy_from_slice(bytemuck::cast_slice(words));
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

/// Finds out whether the device is lost. wgpu 29 tells nobody when a lost device creates a buffer, but
/// reports that the buffer is invalid when it is unmapped. A device that is lost stays lost, so earlier
/// buffers are valid if this one is.
///
/// # Errors
/// [`lost`]; [`Error::Device`] if memory is out.
fn check_not_lost(device: &wgpu::Device) -> Result<(), Error> {
    let probe = wgpu::BufferDescriptor {
        label: Some("seedbed::probe"),
        size: wgpu::COPY_BUFFER_ALIGNMENT,
        usage: wgpu::BufferUsages::MAP_WRITE,
        mapped_at_creation: true,
    };
    let unmapped = created::<Wgpu, _>(device, || {
        device.create_buffer(&probe).unmap();
        Ok(())
    });
    unmapped.map_err(|error| if matches!(error, Error::Refused { .. }) { lost() } else { error })
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
