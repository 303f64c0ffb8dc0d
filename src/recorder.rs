//! Pipelines of one device, and the recording of checked fills.

use std::sync::{Mutex, OnceLock, PoisonError};

use wgpu::util::DeviceExt;

use crate::dispatch::{self, Dispatch, Limits, Store};
use crate::distribution::Distribution;
use crate::orthogonal::Orthogonal;
use crate::params::Params;
use crate::quantile::{self, Truncation};
use crate::shaders::{Kernel, Source, Values};
use crate::slots::Slots;
use crate::tensor::Placed;
use crate::{DType, Error, Init, Key, Math, Tensor, gpu};

#[derive(Debug)]
pub(crate) struct Recorder {
    device: wgpu::Device,
    /// Of a device that can run no fill, why.
    bindings: Result<Bindings, Error>,
    int64: bool,
    math: Math,
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
    /// The parameter block and the destination.
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

/// A fill that has been checked and planned.
struct Fill<'a> {
    tensor: &'a Tensor<'a>,
    distribution: &'a Distribution,
    key: Key,
    source: Option<wgpu::Buffer>,
    dispatches: &'a [Dispatch],
}

impl Fill<'_> {
    /// The part of the source that a dispatch reads: elements of a matrix, or a whole table.
    fn source_range(&self, limits: Limits, dispatch: &Dispatch) -> std::ops::Range<u64> {
        match (self.distribution, &self.source) {
            (Distribution::Orthogonal { matrix, .. }, _) => {
                limits.source_range(dispatch, matrix.rows * matrix.columns)
            }
            (_, Some(source)) => 0..source.size(),
            (_, None) => 0..0,
        }
    }
}

impl Bindings {
    /// # Errors
    /// [`Error::DeviceLimit`]. wgpu would take even the layout of such a device for a mistake.
    fn new(device: &wgpu::Device) -> Result<Self, Error> {
        let limits = Limits::of(&device.limits())?;
        let entry = |binding, ty, min_binding_size| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size },
            count: None,
        };
        let read_only = wgpu::BufferBindingType::Storage { read_only: true };
        let table = if has_uniform_table(device) { wgpu::BufferBindingType::Uniform } else { read_only };
        let [params, destination] = [
            entry(0, wgpu::BufferBindingType::Uniform, wgpu::BufferSize::new(size_of::<Params>() as u64)),
            // From 4 bytes to 16, as the kernel stores; wgpu then checks at the dispatch.
            entry(1, wgpu::BufferBindingType::Storage { read_only: false }, None),
        ];
        let layout = |entries: &[_]| {
            let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("seedbed::Initializer::layout"),
                entries,
            });
            let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("seedbed::Initializer::pipeline_layout"),
                bind_group_layouts: &[Some(&group)],
                ..Default::default()
            });
            Layout { group, pipeline }
        };
        Ok(Self {
            limits,
            plain: layout(&[params, destination]),
            with_matrix: layout(&[params, destination, entry(2, read_only, None)]),
            with_table: layout(&[params, destination, entry(2, table, None)]),
        })
    }

    fn layout(&self, values: Values) -> &Layout {
        match values {
            Values::Copy => &self.with_matrix,
            Values::TruncNormal => &self.with_table,
            _ => &self.plain,
        }
    }
}

/// Where the kernels find a table of quantiles; `shaders/table_uniform.wgsl` says why.
fn has_uniform_table(device: &wgpu::Device) -> bool {
    gpu::is_software(&device.adapter_info())
}

/// Tables that are kept: more than there are scales in most models.
const MAX_TABLES: usize = 32;

impl Recorder {
    pub(crate) fn new(device: &wgpu::Device, math: Math) -> Self {
        Self {
            bindings: Bindings::new(device),
            int64: device.features().contains(wgpu::Features::SHADER_INT64),
            device: device.clone(),
            math,
            pipelines: std::array::from_fn(|_| OnceLock::new()),
            orthogonal: Orthogonal::new(device),
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
        for store in [Store::Whole, Store::Ragged] {
            self.pipeline(bindings, Kernel { values, store, dtype });
        }
        Ok(())
    }

    /// Whether the device can make what only some devices can.
    pub(crate) fn check(&self, distribution: &Distribution) -> Result<(), Error> {
        self.bindings()?;
        match distribution {
            Distribution::Orthogonal { matrix, .. } => self.orthogonal.check(matrix.rows, matrix.columns),
            _ => Ok(()),
        }
    }

    /// Records a fill, if everything about it is right.
    pub(crate) fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: &Tensor<'_>,
        distribution: Distribution,
        key: Key,
    ) -> Result<(), Error> {
        let bindings = self.bindings()?;
        let Placed { elements, bytes } = tensor.place()?;
        if elements.is_empty() {
            return Ok(());
        }
        // Several times faster than a kernel, and wgpu then need not zero a fresh buffer first.
        if distribution == (Distribution::Constant { bits: 0 })
            && tensor.buffer.usage().contains(wgpu::BufferUsages::COPY_DST)
            && bytes.start.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)
            && bytes.end.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)
        {
            encoder.clear_buffer(tensor.buffer, bytes.start, Some(bytes.end - bytes.start));
            return Ok(());
        }
        let source = self.source(encoder, &distribution, key)?;
        // A copy reads f32, of which a binding may hold fewer than of what it writes.
        let most = matches!(distribution, Distribution::Orthogonal { .. })
            .then(|| bindings.limits.elements_of_source());
        let dispatches = dispatch::plan(bindings.limits, tensor.dtype, elements, bytes.start, most);
        let fill = Fill { tensor, distribution: &distribution, key, source, dispatches: &dispatches };
        self.dispatch(bindings, encoder, fill);
        Ok(())
    }

    fn bindings(&self) -> Result<&Bindings, Error> {
        self.bindings.as_ref().map_err(Clone::clone)
    }

    /// What the kernel reads beside its parameters.
    fn source(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        distribution: &Distribution,
        key: Key,
    ) -> Result<Option<wgpu::Buffer>, Error> {
        match *distribution {
            Distribution::TruncNormal { truncation, .. } => Ok(Some(self.table(truncation))),
            Distribution::Orthogonal { matrix, .. } => {
                self.orthogonal.record(encoder, key, matrix.rows, matrix.columns).map(Some)
            }
            _ => Ok(None),
        }
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
                    label: Some("seedbed::Initializer::quantiles"),
                    contents: bytemuck::cast_slice(
                        quantile::truncated_normal(truncation).coefficients.as_slice(),
                    ),
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

    fn dispatch(&self, bindings: &Bindings, encoder: &mut wgpu::CommandEncoder, fill: Fill<'_>) {
        let Fill { tensor, distribution, key, ref source, dispatches } = fill;
        let values = Values::from(distribution);
        let params = Slots::new(
            &self.device,
            "seedbed::Initializer::params",
            dispatches.iter().map(|dispatch| {
                let source_start = fill.source_range(bindings.limits, dispatch).start / 4;
                Params::new(distribution, key, dispatch, source_start)
            }),
        );

        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("seedbed::Initializer::fill"),
            timestamp_writes: None,
        });
        for (i, dispatch) in dispatches.iter().enumerate() {
            let mut entries = vec![
                wgpu::BindGroupEntry { binding: 0, resource: params.binding(i) },
                binding(1, tensor.buffer, dispatch.binding.clone()),
            ];
            if let Some(source) = source {
                entries.push(binding(2, source, fill.source_range(bindings.limits, dispatch)));
            }
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("seedbed::Initializer::group"),
                layout: &bindings.layout(values).group,
                entries: &entries,
            });
            let kernel = Kernel { values, store: dispatch.store, dtype: tensor.dtype };
            pass.set_pipeline(self.pipeline(bindings, kernel));
            pass.set_bind_group(0, &group, &[]);
            let [x, y] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }

    fn pipeline(&self, bindings: &Bindings, kernel: Kernel) -> &wgpu::ComputePipeline {
        self.pipelines[kernel.index()].get_or_init(|| {
            let source = Source {
                kernel,
                int64: self.int64,
                math: self.math,
                uniform_table: has_uniform_table(&self.device),
            };
            let label = kernel.label();
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(&label),
                source: wgpu::ShaderSource::Wgsl(source.text()),
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: Some(&bindings.layout(kernel.values).pipeline),
                module: &module,
                entry_point: Some("fill"),
                compilation_options: Default::default(),
                cache: None,
            })
        })
    }
}

fn binding(binding: u32, buffer: &wgpu::Buffer, range: std::ops::Range<u64>) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset: range.start,
            size: wgpu::BufferSize::new(range.end - range.start),
        }),
    }
}
