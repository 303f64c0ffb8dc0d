//! Kernels -> pipelines of one device, each compiled once.

use std::sync::{Arc, OnceLock};

use super::reports::compiled;
use crate::error::Error;
use crate::program::{BindingKind, Kernel, Planner};

/// The pipelines of one device.
#[derive(Debug)]
pub(super) struct Pipelines {
    cache: Option<wgpu::PipelineCache>,
    /// The compiled kernels, by id.
    compiled: Box<[OnceLock<Compiled>]>,
}

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Compiled {
    kernel: Arc<Kernel>,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Pipelines {
    /// A table without pipelines. The driver's compilations will go into `cache`.
    pub(super) fn new(cache: Option<wgpu::PipelineCache>) -> Self {
        Self { cache, compiled: std::iter::repeat_with(OnceLock::new).take(Planner::KERNELS).collect() }
    }

    /// The pipeline of a kernel, compiled at the first call.
    ///
    /// # Errors
    /// [`Error::Program`] where another kernel has the same id: the program was planned for another device,
    /// or by another version of this library. [`Error::Device`] where the kernel does not compile.
    pub(super) fn get(&self, device: &wgpu::Device, kernel: &Arc<Kernel>) -> Result<&Compiled, Error> {
        let other = || Error::Program {
            reason: format!("its kernel {} is not this recorder's kernel {}", kernel.label, kernel.id),
        };
        let slot = self.compiled.get(kernel.id as usize).ok_or_else(other)?;
        let compiled = match slot.get() {
            Some(compiled) => compiled,
            // A failure leaves the slot empty, so the next call compiles again.
            None => {
                let compiled = compiled(device, &kernel.label, || self.compile(device, kernel))?;
                slot.get_or_init(|| compiled)
            }
        };
        let same = Arc::ptr_eq(&compiled.kernel, kernel) || compiled.kernel == *kernel;
        same.then_some(compiled).ok_or_else(other)
    }

    fn compile(&self, device: &wgpu::Device, kernel: &Arc<Kernel>) -> Compiled {
        let label = Some(&*kernel.label);
        let entries: Vec<_> =
            (0..).zip(&kernel.bindings).map(|(binding, &kind)| entry(binding, kind)).collect();
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
            cache: self.cache.as_ref(),
        });
        Compiled { kernel: Arc::clone(kernel), pipeline, layout }
    }
}

fn entry(binding: u32, kind: BindingKind) -> wgpu::BindGroupLayoutEntry {
    let (ty, size) = match kind {
        BindingKind::Uniform { size } => (wgpu::BufferBindingType::Uniform, wgpu::BufferSize::new(size)),
        // The smallest size is one element: 4 to 16 bytes, as the kernel declares. wgpu checks it at the
        // dispatch.
        BindingKind::ReadOnlyStorage => (wgpu::BufferBindingType::Storage { read_only: true }, None),
        BindingKind::Storage => (wgpu::BufferBindingType::Storage { read_only: false }, None),
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: size },
        count: None,
    }
}
