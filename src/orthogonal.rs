//! Orthogonal matrices on one device: pipelines, buffers, and the recording of dispatches.
//!
//! [`host::orthogonal`](crate::host::orthogonal) is the same in Rust, and says where the algorithm comes from.

mod params;
mod plan;

use std::sync::OnceLock;

use self::plan::{Limits, Memory, Plan, Step};
use crate::shaders::orthogonal::{Kernel, Source};
use crate::slots::Slots;
use crate::{Error, Key};

/// Dispatches whose parameters share a uniform buffer: about a mebibyte of slots.
const SLOTS: usize = 4096;

/// Makes orthogonal matrices on one device.
#[derive(Debug)]
pub(crate) struct Orthogonal {
    device: wgpu::Device,
    /// Of a device that can't run the kernels, why.
    limits: Result<Limits, Error>,
    int64: bool,
    cache: Option<wgpu::PipelineCache>,
    pipelines: [OnceLock<wgpu::ComputePipeline>; Kernel::ALL.len()],
}

impl Orthogonal {
    /// For this device. Nothing is compiled yet.
    pub(crate) fn new(device: &wgpu::Device, cache: Option<wgpu::PipelineCache>) -> Self {
        Self {
            cache,
            limits: Limits::of(&device.limits()),
            int64: device.features().contains(wgpu::Features::SHADER_INT64),
            device: device.clone(),
            pipelines: Default::default(),
        }
    }

    /// Compiles the pipelines, so that the first matrix does not have to.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] where the device can't run them.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        self.limits.clone()?;
        for kernel in Kernel::ALL {
            self.pipeline(kernel);
        }
        Ok(())
    }

    /// Whether the device can make such a matrix.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(crate) fn check(&self, rows: u64, cols: u64) -> Result<(), Error> {
        Plan::new(self.limits.clone()?, rows, cols).map(drop)
    }

    /// Records the making of a row-major `rows` x `cols` matrix of f32 with orthonormal columns (or rows,
    /// where those are fewer), and returns the buffer that will hold it. A matrix without elements gets an empty
    /// buffer.
    ///
    /// Beside the result, the device needs memory for the Householder vectors of 32 columns and for a quarter
    /// of the matrix; and for one more copy of it unless `rows >= cols` and `cols` is a multiple of four.
    ///
    /// # Errors
    /// [`Error::OrthogonalTooLarge`] and [`Error::DeviceLimit`], before anything is recorded.
    pub(crate) fn record(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        key: Key,
        rows: u64,
        cols: u64,
    ) -> Result<wgpu::Buffer, Error> {
        let plan = Plan::new(self.limits.clone()?, rows, cols)?;
        let buffers = Buffers::new(&self.device, &plan);
        for steps in plan.steps(key).chunks(SLOTS) {
            self.dispatch(pass, &buffers, steps);
        }
        Ok(buffers.result)
    }
}

/// The buffers of one matrix.
struct Buffers {
    result: wgpu::Buffer,
    windows: Vec<Window>,
    sums: wgpu::Buffer,
    totals: wgpu::Buffer,
    state: wgpu::Buffer,
}

struct Window {
    panel: wgpu::Buffer,
    /// The matrix, and where in the buffer the window lies: offset and size in bytes.
    matrix: (wgpu::Buffer, u64, u64),
}

impl Buffers {
    /// WebGPU zeroes a fresh buffer, and the matrix begins as zeros.
    fn new(device: &wgpu::Device, plan: &Plan) -> Self {
        let buffer = |label, size, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: wgpu::BufferUsages::STORAGE | usage,
                mapped_at_creation: false,
            })
        };
        let scratch = |label, size| buffer(label, size, wgpu::BufferUsages::empty());
        let result = buffer("seedbed::Orthogonal::result", plan.result_bytes(), wgpu::BufferUsages::COPY_SRC);
        let mut offset = 0;
        let windows = plan
            .windows()
            .map(|rows| {
                let size = plan.matrix_bytes(&rows);
                let matrix = if plan.is_in_place() {
                    (result.clone(), offset, size)
                } else {
                    (scratch("seedbed::Orthogonal::matrix", size), 0, size)
                };
                offset += size;
                Window { panel: scratch("seedbed::Orthogonal::panel", plan.panel_bytes(&rows)), matrix }
            })
            .collect();
        Self {
            result,
            windows,
            sums: scratch("seedbed::Orthogonal::sums", plan.sums_bytes()),
            totals: scratch("seedbed::Orthogonal::totals", plan.totals_bytes()),
            state: scratch("seedbed::Orthogonal::state", plan.state_bytes()),
        }
    }

    fn binding(&self, memory: Memory) -> wgpu::BindingResource<'_> {
        let (buffer, offset, size) = match memory {
            Memory::Panel(w) => return self.windows[w].panel.as_entire_binding(),
            Memory::Matrix(w) => {
                let (buffer, offset, size) = &self.windows[w].matrix;
                (buffer, *offset, *size)
            }
            Memory::Sums => return self.sums.as_entire_binding(),
            Memory::Totals => return self.totals.as_entire_binding(),
            Memory::State => return self.state.as_entire_binding(),
            Memory::Result(offset, size) => (&self.result, offset, size),
        };
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset,
            size: wgpu::BufferSize::new(size),
        })
    }
}

impl Orthogonal {
    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, buffers: &Buffers, steps: &[Step]) {
        let label = "seedbed::Orthogonal::params";
        let params = Slots::new(&self.device, label, 1, steps.iter().map(|step| [step.params]));
        for (slot, step) in steps.iter().enumerate() {
            let pipeline = self.pipeline(step.kernel);
            let resources = std::iter::once(params.binding(slot, 1))
                .chain(step.bindings.iter().map(|&memory| buffers.binding(memory)));
            let entries: Vec<_> = (0..)
                .zip(resources)
                .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
                .collect();
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("seedbed::Orthogonal::group"),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [x, y] = step.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }

    fn pipeline(&self, kernel: Kernel) -> &wgpu::ComputePipeline {
        self.pipelines[kernel as usize].get_or_init(|| {
            let source = Source { kernel, int64: self.int64 };
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(kernel.label()),
                source: wgpu::ShaderSource::Wgsl(source.text()),
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.label()),
                // Kernels bind different buffers, and each binds what it declares.
                layout: None,
                module: &module,
                entry_point: Some("orthogonal"),
                compilation_options: Default::default(),
                cache: self.cache.as_ref(),
            })
        })
    }
}
