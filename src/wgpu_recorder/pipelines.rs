//! Kernels -> pipelines of one device, each compiled once.

use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::program::{BindingKind, Kernel, Planner};

/// The pipelines of one device.
#[derive(Debug)]
pub(super) struct Pipelines {
    cache: Option<wgpu::PipelineCache>,
    /// By the ids of the kernels.
    compiled: Box<[OnceLock<Compiled>]>,
}

/// A kernel that was compiled.
#[derive(Debug)]
pub(super) struct Compiled {
    kernel: Arc<Kernel>,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Pipelines {
    /// No pipelines yet. The driver's compilations go into `cache`.
    pub(super) fn new(cache: Option<wgpu::PipelineCache>) -> Self {
        Self { cache, compiled: std::iter::repeat_with(OnceLock::new).take(Planner::KERNELS).collect() }
    }

    /// The pipeline of a kernel, which is compiled if it is not yet.
    ///
    /// # Errors
    /// [`Error::Program`] where another kernel has the same id: the program is another device's or another version's.
    pub(super) fn get(&self, device: &wgpu::Device, kernel: &Arc<Kernel>) -> Result<&Compiled, Error> {
        let compiled = self
            .compiled
            .get(kernel.id as usize)
            .map(|slot| slot.get_or_init(|| self.compile(device, kernel)))
            .filter(|compiled| Arc::ptr_eq(&compiled.kernel, kernel) || compiled.kernel == *kernel);
        compiled.ok_or_else(|| Error::Program {
            reason: format!("its kernel {} is not this recorder's kernel {}", kernel.label, kernel.id),
        })
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
        // An element has from 4 to 16 bytes, as the kernel declares it. wgpu checks the size at the dispatch.
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
