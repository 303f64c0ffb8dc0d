//! Replays programs by the page of `seedbed::program`, with SPIR-V from elsewhere in place of the kernels' WGSL.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::{Context, Result};
use pollster::block_on;
use seedbed::gpu::Gpu;
use seedbed::program::{BindingKind, Contents, Kernel, Program, Usage};
use seedbed::wgpu::{self, BufferUsages};

use crate::golden::{Buffer, sha256};

/// The bytes between the numbers of workgroups of two dispatches: the alignment of uniform bindings.
const STRIDE: u64 = 256;

/// Runs programs on a device.
pub struct Executor<'run> {
    gpu: Gpu,
    /// The SPIR-V of each kernel, by the kernel's WGSL.
    modules: &'run HashMap<&'run str, Vec<u32>>,
    pipelines: HashMap<&'run str, Pipeline>,
    /// The layout of group 1, in which naga's HLSL finds the numbers of workgroups.
    workgroups: wgpu::BindGroupLayout,
}

struct Pipeline {
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
}

impl<'run> Executor<'run> {
    pub fn new(gpu: Gpu, modules: &'run HashMap<&'run str, Vec<u32>>) -> Self {
        let workgroups = layout(&gpu.device, &[BindingKind::Uniform { size: 12 }]);
        Self { gpu, modules, pipelines: HashMap::new(), workgroups }
    }

    /// Replays a program, and returns the SHA-256 of each of the caller's buffers.
    ///
    /// # Errors
    /// A kernel that the driver rejects, or a lost device.
    pub fn run(&mut self, buffers: &[Buffer], program: &'run Program) -> Result<Vec<String>> {
        for kernel in &program.kernels {
            if !self.pipelines.contains_key(kernel.wgsl.as_str()) {
                let pipeline = self.pipeline(kernel)?;
                self.pipelines.insert(&kernel.wgsl, pipeline);
            }
        }
        let callers = buffers.iter().map(|buffer| {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
            self.buffer(usage, &vec![buffer.prefill; buffer.bytes as usize])
        });
        let own = program.buffers.iter().map(|buffer| {
            let usage = match buffer.usage {
                Usage::Uniform => BufferUsages::UNIFORM,
                Usage::Table => BufferUsages::UNIFORM | BufferUsages::STORAGE,
                _ => BufferUsages::STORAGE,
            };
            match &buffer.contents {
                Contents::Words(words) => self.buffer(usage, bytemuck::cast_slice(words)),
                _ => self.buffer(usage, &vec![0; buffer.size as usize]),
            }
        });
        let all = callers.chain(own).collect::<Result<Vec<_>>>()?;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for clear in &program.clears {
            encoder.clear_buffer(&all[clear.buffer as usize], clear.offset, Some(clear.size));
        }
        self.record(&mut encoder, program, &all)?;
        self.gpu.queue.submit([encoder.finish()]);
        let mut found = Vec::new();
        for (buffer, description) in all.iter().zip(buffers) {
            found.push(sha256(&block_on(self.gpu.download(buffer, 0..description.bytes))?));
        }
        Ok(found)
    }

    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        program: &Program,
        buffers: &[wgpu::Buffer],
    ) -> Result<()> {
        if program.dispatches.is_empty() {
            return Ok(());
        }
        let mut workgroups = vec![0_u32; program.dispatches.len() * STRIDE as usize / 4];
        for (block, dispatch) in workgroups.chunks_mut(STRIDE as usize / 4).zip(&program.dispatches) {
            block[..3].copy_from_slice(&[dispatch.workgroups[0], dispatch.workgroups[1], 1]);
        }
        let workgroups = self.buffer(BufferUsages::UNIFORM, bytemuck::cast_slice(&workgroups))?;
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for (number, dispatch) in (0..).zip(&program.dispatches) {
            let kernel = &program.kernels[dispatch.kernel as usize];
            let Pipeline { layout, pipeline } = &self.pipelines[kernel.wgsl.as_str()];
            let bindings: Vec<_> = dispatch
                .bindings
                .iter()
                .map(|binding| (&buffers[binding.buffer as usize], binding.offset, binding.size))
                .collect();
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &self.group(layout, &bindings), &[]);
            pass.set_bind_group(1, &self.group(&self.workgroups, &[(&workgroups, STRIDE * number, 12)]), &[]);
            pass.dispatch_workgroups(dispatch.workgroups[0], dispatch.workgroups[1], 1);
        }
        Ok(())
    }

    fn pipeline(&self, kernel: &Kernel) -> Result<Pipeline> {
        let device = &self.gpu.device;
        let words = self.modules.get(kernel.wgsl.as_str()).context("a kernel that was not translated")?;
        let module = module(device, words, &kernel.entry_point);
        let layout = layout(device, &kernel.bindings);
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&kernel.label),
            layout: Some(&device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&layout), Some(&self.workgroups)],
                immediate_size: 0,
            })),
            module: &module,
            entry_point: Some(&kernel.entry_point),
            compilation_options: Default::default(),
            cache: None,
        });
        self.gpu.check().with_context(|| kernel.label.clone())?;
        Ok(Pipeline { layout, pipeline })
    }

    fn buffer(&self, usage: BufferUsages, contents: &[u8]) -> Result<wgpu::Buffer> {
        let buffer = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: contents.len() as u64,
            usage,
            mapped_at_creation: true,
        });
        let mut mapped = buffer.get_mapped_range_mut(..)?;
        mapped.slice(..).copy_from_slice(contents);
        drop(mapped);
        buffer.unmap();
        Ok(buffer)
    }

    fn group(
        &self,
        layout: &wgpu::BindGroupLayout,
        bindings: &[(&wgpu::Buffer, u64, u64)],
    ) -> wgpu::BindGroup {
        let entries: Vec<_> = (0..)
            .zip(bindings)
            .map(|(binding, &(buffer, offset, size))| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size: wgpu::BufferSize::new(size),
                }),
            })
            .collect();
        let device = &self.gpu.device;
        device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }
}

fn layout(device: &wgpu::Device, bindings: &[BindingKind]) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = (0..)
        .zip(bindings)
        .map(|(binding, kind)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match kind {
                    BindingKind::Uniform { .. } => wgpu::BufferBindingType::Uniform,
                    BindingKind::ReadOnlyStorage => wgpu::BufferBindingType::Storage { read_only: true },
                    _ => wgpu::BufferBindingType::Storage { read_only: false },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
}

/// The one use of `unsafe` in this crate: a shader module that wgpu does not look into.
#[allow(unsafe_code)]
fn module(device: &wgpu::Device, words: &[u32], entry_point: &str) -> wgpu::ShaderModule {
    let entry_point = wgpu::PassthroughShaderEntryPoint {
        name: entry_point.into(),
        workgroup_size: (0, 0, 0), // Metal alone reads it
    };
    let descriptor = wgpu::ShaderModuleDescriptorPassthrough {
        label: None,
        entry_points: Cow::Borrowed(&[entry_point]),
        spirv: Some(words.into()),
        ..Default::default()
    };
    // SAFETY: wgpu asks that the driver can take the module. The module is a translation of a kernel that naga
    // validated, so every access is in bounds, and spirv-val accepted the module. A folder of `--load` holds what
    // `--save` wrote; the user answers for the folder as for the program itself.
    unsafe { device.create_shader_module_passthrough(descriptor) }
}
