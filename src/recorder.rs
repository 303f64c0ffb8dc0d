//! Pipelines of one device, and the recording of checked fills.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use wgpu::util::DeviceExt;

use crate::dispatch::Limits;
use crate::init::kernel_args::KernelArgs;
use crate::jobs::{Job, Store};
use crate::math::truncated_normal::{Truncation, truncated_normal};
use crate::orthogonal::Orthogonal;
use crate::params::Params;
use crate::plan::{Plan, Planned, Request};
use crate::shaders::{Jobs, Kernel, Loops, MOST_ROWS, Source, Values};
use crate::slots::Slots;
use crate::target::Target;
use crate::{DType, Error, Init, Math};

#[derive(Debug)]
pub(crate) struct Recorder {
    device: wgpu::Device,
    /// Of a device that can run no fill, why.
    bindings: Result<Bindings, Error>,
    int64: bool,
    math: Math,
    cache: Option<wgpu::PipelineCache>,
    pipelines: [OnceLock<wgpu::ComputePipeline>; Kernel::COUNT],
    /// What makes orthogonal matrices, which the kernel of the same name then copies.
    orthogonal: Orthogonal,
    /// Tables of quantiles, by the bits of the bounds; the latest last.
    tables: Mutex<Vec<([u64; 3], wgpu::Buffer)>>,
}

/// What the kernels bind.
#[derive(Debug)]
struct Bindings {
    limits: Limits,
    one: Layouts,
    many: Layouts,
}

/// Of kernels with one way to bind their parameters.
#[derive(Debug)]
struct Layouts {
    /// The parameters and the destination.
    plain: Layout,
    /// And a matrix.
    with_matrix: Layout,
    /// And a table.
    with_table: Layout,
}

#[derive(Debug)]
struct Layout {
    group: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

impl Bindings {
    /// # Errors
    /// [`Error::DeviceLimit`]. wgpu would take even the layout of such a device for a mistake.
    fn new(device: &wgpu::Device, target: Target) -> Result<Self, Error> {
        let limits = Limits::of(&device.limits(), target)?;
        let entry = |binding, ty, min_binding_size| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size },
            count: None,
        };
        let read_only = wgpu::BufferBindingType::Storage { read_only: true };
        let uniform = wgpu::BufferBindingType::Uniform;
        // `shaders/table_uniform.wgsl` says why.
        let table = if limits.target().is_gpu() { read_only } else { uniform };
        let size = |jobs: Jobs| wgpu::BufferSize::new(u64::from(jobs.blocks()) * size_of::<Params>() as u64);
        // From 4 bytes to 16, as the kernel stores; wgpu then checks at the dispatch.
        let destination = entry(1, wgpu::BufferBindingType::Storage { read_only: false }, None);
        let layout = |entries: &[_]| {
            let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("seedbed::FillRecorder::layout"),
                entries,
            });
            let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("seedbed::FillRecorder::pipeline_layout"),
                bind_group_layouts: &[Some(&group)],
                ..Default::default()
            });
            Layout { group, pipeline }
        };
        let layouts = |params| Layouts {
            plain: layout(&[params, destination]),
            with_matrix: layout(&[params, destination, entry(2, read_only, None)]),
            with_table: layout(&[params, destination, entry(2, table, None)]),
        };
        let [one, many] = [Jobs::One, Jobs::Many].map(|jobs| layouts(entry(0, uniform, size(jobs))));
        Ok(Self { limits, one, many })
    }

    fn layout(&self, kernel: Kernel) -> &Layout {
        let layouts = match kernel.jobs {
            Jobs::One => &self.one,
            Jobs::Many => &self.many,
        };
        match kernel.values {
            Values::Copy => &layouts.with_matrix,
            Values::TruncNormal => &layouts.with_table,
            _ => &layouts.plain,
        }
    }
}

/// Parameters that share a buffer: more than a dispatch's, far less than a buffer may have.
const PARAMETER_BYTES: usize = 16 << 20;

/// Tables that are kept: more than there are scales in most models.
const MAX_TABLES: usize = 32;

impl Recorder {
    pub(crate) fn new(
        device: &wgpu::Device,
        target: Target,
        math: Math,
        cache: Option<wgpu::PipelineCache>,
    ) -> Self {
        Self {
            bindings: Bindings::new(device, target),
            int64: device.features().contains(wgpu::Features::SHADER_INT64),
            device: device.clone(),
            math,
            cache: cache.clone(),
            pipelines: std::array::from_fn(|_| OnceLock::new()),
            orthogonal: Orthogonal::new(device, cache),
            tables: Mutex::default(),
        }
    }

    /// Compiles what fills of `init` need.
    pub(crate) fn prepare(&self, init: &Init, dtype: DType) -> Result<(), Error> {
        let bindings = self.bindings()?;
        if dtype == DType::U32 {
            return Err(Error::DTypeMismatch { operation: "an initialiser", dtype, expected: DType::F32 });
        }
        let values = Values::of(init);
        if values == Values::Copy {
            self.orthogonal.prepare()?;
        }
        for (store, jobs) in
            [(Store::Whole, Jobs::One), (Store::Ragged, Jobs::One), (Store::Ragged, Jobs::Many)]
        {
            // The two ends of a range share a dispatch; parts of a matrix do not.
            if values != Values::Copy || jobs == Jobs::One {
                self.pipeline(bindings, Kernel { values, store, dtype, loops: Loops::None, jobs });
            }
        }
        Ok(())
    }

    /// Whether the device can make what only some devices can.
    pub(crate) fn check(&self, args: &KernelArgs) -> Result<(), Error> {
        self.bindings()?;
        match args {
            KernelArgs::Orthogonal { matrix, .. } => self.orthogonal.check(matrix.rows, matrix.columns),
            _ => Ok(()),
        }
    }

    /// Compiles what these fills need.
    pub(crate) fn prepare_all(&self, requests: &[Request<'_>]) -> Result<(), Error> {
        let bindings = self.bindings()?;
        for planned in Plan::new(bindings.limits, requests).dispatches {
            if planned.kernel.values == Values::Copy {
                self.orthogonal.prepare()?;
            }
            self.pipeline(bindings, planned.kernel);
        }
        Ok(())
    }

    /// Records fills of which [`check`](Self::check) had nothing to say.
    pub(crate) fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        requests: &[Request<'_>],
    ) -> Result<(), Error> {
        let bindings = self.bindings()?;
        let Plan { clears, dispatches } = Plan::new(bindings.limits, requests);
        for (buffer, bytes) in clears {
            encoder.clear_buffer(buffer, bytes.start, Some(bytes.end - bytes.start));
        }
        if dispatches.is_empty() {
            return Ok(());
        }
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("seedbed::FillRecorder::fill"),
            timestamp_writes: None,
        });
        // Made before the first dispatch that copies from it, which the others follow.
        let mut matrix = None;
        let alignment = self.device.limits().min_uniform_buffer_offset_alignment as usize;
        let mut rest = &dispatches[..];
        while !rest.is_empty() {
            // At least one.
            let mut bytes = 0;
            let fit = rest.iter().take_while(|planned| {
                bytes +=
                    (planned.kernel.jobs.blocks() as usize * size_of::<Params>()).next_multiple_of(alignment);
                bytes <= PARAMETER_BYTES
            });
            let (some, others) = rest.split_at(fit.count());
            self.dispatch(bindings, &mut pass, requests, some, &mut matrix)?;
            rest = others;
        }
        Ok(())
    }

    fn bindings(&self) -> Result<&Bindings, Error> {
        self.bindings.as_ref().map_err(Clone::clone)
    }

    fn table(&self, truncation: Truncation) -> wgpu::Buffer {
        let truncation = truncation.canonical();
        let bounds = truncation.bits();
        // What a thread that panicked left is whole.
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match tables.iter().position(|(of, _)| *of == bounds) {
            Some(place) => tables.remove(place),
            None => {
                let table = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: Some("seedbed::FillRecorder::quantiles"),
                    contents: bytemuck::cast_slice(truncated_normal(truncation).coefficients.as_slice()),
                    usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM,
                });
                (bounds, table)
            }
        };
        let table = entry.1.clone();
        tables.push(entry);
        if tables.len() > MAX_TABLES {
            tables.remove(0);
        }
        table
    }

    /// Records dispatches whose parameters share a buffer. `matrix` is the orthogonal one that was made last, and of
    /// which request.
    fn dispatch(
        &self,
        bindings: &Bindings,
        pass: &mut wgpu::ComputePass<'_>,
        requests: &[Request<'_>],
        dispatches: &[Planned<'_>],
        matrix: &mut Option<(usize, wgpu::Buffer)>,
    ) -> Result<(), Error> {
        let label = "seedbed::FillRecorder::params";
        let params = Slots::new(
            &self.device,
            label,
            MOST_ROWS,
            dispatches.iter().map(|planned| params(bindings, requests, planned)),
        );
        for (slot, planned) in dispatches.iter().enumerate() {
            let Planned { kernel, buffer, ref dispatch } = *planned;
            // What a dispatch reads, all its jobs do.
            let (number, ref job) = dispatch.jobs[0];
            let Request { args, key, .. } = &requests[number];
            let source = match *args {
                KernelArgs::TruncNormal { truncation, .. } => {
                    let table = self.table(truncation);
                    let bytes = 0..table.size();
                    Some((table, bytes))
                }
                KernelArgs::Orthogonal { matrix: size, .. } => {
                    let made = match matrix.take().filter(|(of, _)| *of == number) {
                        Some((_, made)) => made,
                        None => self.orthogonal.record(pass, *key, size.rows, size.columns)?,
                    };
                    *matrix = Some((number, made.clone()));
                    Some((made, bindings.limits.source_range(job)))
                }
                _ => None,
            };
            let mut entries = vec![
                wgpu::BindGroupEntry { binding: 0, resource: params.binding(slot, kernel.jobs.blocks()) },
                binding(1, buffer, dispatch.binding.clone()),
            ];
            entries.extend(source.as_ref().map(|(source, bytes)| binding(2, source, bytes.clone())));
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("seedbed::FillRecorder::group"),
                layout: &bindings.layout(kernel).group,
                entries: &entries,
            });
            pass.set_pipeline(self.pipeline(bindings, kernel));
            pass.set_bind_group(0, &group, &[]);
            let [x, y] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
        Ok(())
    }

    fn pipeline(&self, bindings: &Bindings, kernel: Kernel) -> &wgpu::ComputePipeline {
        self.pipelines[kernel.index()].get_or_init(|| {
            let source =
                Source { kernel, int64: self.int64, math: self.math, target: bindings.limits.target() };
            let label = kernel.label();
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(&label),
                source: wgpu::ShaderSource::Wgsl(source.text()),
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: Some(&bindings.layout(kernel).pipeline),
                module: &module,
                entry_point: Some("fill"),
                compilation_options: Default::default(),
                cache: self.cache.as_ref(),
            })
        })
    }
}

/// The parameter blocks of a dispatch: one, or one for each row of its grid.
fn params(bindings: &Bindings, requests: &[Request<'_>], planned: &Planned<'_>) -> Vec<Params> {
    let Planned { dispatch, kernel, .. } = planned;
    let params_of = |(number, job): &(usize, Job)| {
        let Request { args, key, .. } = &requests[*number];
        let binding_start = dispatch.binding.start / kernel.dtype.size();
        let source_start = match args {
            KernelArgs::Orthogonal { .. } => bindings.limits.source_range(job).start / 4,
            _ => 0,
        };
        Params::new(args, *key, job, binding_start, source_start)
    };
    let jobs: Vec<_> = dispatch.jobs.iter().map(params_of).collect();
    match kernel.jobs {
        Jobs::One => jobs,
        Jobs::Many => dispatch.rows(bindings.limits).map(|(job, first)| jobs[job].in_row(first)).collect(),
    }
}

fn binding(binding: u32, buffer: &wgpu::Buffer, range: Range<u64>) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset: range.start,
            size: wgpu::BufferSize::new(range.end - range.start),
        }),
    }
}
