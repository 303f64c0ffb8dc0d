//! Pipelines of one device, and the recording of fills.

use std::sync::{Arc, OnceLock};

use wgpu::util::DeviceExt;

use crate::dispatch::{self, Dispatch, Limits, Store};
use crate::distribution::Distribution;
use crate::params::Params;
use crate::shaders::{Kernel, Source, Values};
use crate::tensor::Placed;
use crate::{DType, Error, Init, Key, Tensor};

/// Which arithmetic turns words into normals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Math {
    /// One fixed sequence of operations: the same bits on every device. The default.
    #[default]
    Portable,
    /// WGSL's `log`, `sqrt`, `sin` and `cos`: the same words, but normals that differ between
    /// devices, drivers and their versions (by up to about 1e-3), and from the host engine.
    /// For a device whose memory outruns its arithmetic and a program that needs no two runs on
    /// different devices to agree.
    Native,
}

/// Fills tensors of one device. Cheap to clone, and all clones share their pipelines.
///
/// It records into your encoder and does nothing else: no submission, no polling, no queue.
///
/// ```no_run
/// # fn f(device: &wgpu::Device, buffer: &wgpu::Buffer, encoder: &mut wgpu::CommandEncoder) -> Result<(), seedbed::Error> {
/// use seedbed::{Init, Initializer, Key, Tensor};
///
/// let initializer = Initializer::new(device);
/// let weight = Tensor::f32(buffer, [768, 3072]);
/// initializer.fill(encoder, &weight, &Init::xavier_normal(), Key::new(42).named("mlp.weight"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Initializer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    device: wgpu::Device,
    /// Of a device that can run no fill, why.
    bindings: Result<Bindings, Error>,
    int64: bool,
    math: Math,
    pipelines: [OnceLock<wgpu::ComputePipeline>; Kernel::COUNT],
}

/// What all kernels bind: the parameter block and the destination.
#[derive(Debug)]
struct Bindings {
    limits: Limits,
    group: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

impl Initializer {
    /// An initialiser for this device, of [`Math::Portable`]. Nothing is compiled yet.
    ///
    /// A device that was opened with `Features::SHADER_INT64` is faster; the bits are the same.
    pub fn new(device: &wgpu::Device) -> Self {
        Self::with_math(device, Math::default())
    }

    /// An initialiser for this device with a choice of arithmetic.
    pub fn with_math(device: &wgpu::Device, math: Math) -> Self {
        Self {
            shared: Arc::new(Shared {
                bindings: Bindings::new(device),
                int64: device.features().contains(wgpu::Features::SHADER_INT64),
                device: device.clone(),
                math,
                pipelines: Default::default(),
            }),
        }
    }

    /// Records the initialisation of `tensor`: one compute pass, or a `clear_buffer` for zeros where
    /// the buffer's usage allows it. A tensor without elements records nothing.
    ///
    /// The values depend on `key`, `init`, the shape and each element's index alone.
    ///
    /// # Errors
    /// Every mistake in the arguments, before anything is recorded: see [`Error`].
    pub fn fill(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: &Tensor<'_>,
        init: &Init,
        key: Key,
    ) -> Result<(), Error> {
        let distribution = init.distribution(tensor.region.shape(), tensor.dtype)?;
        self.record(encoder, tensor, distribution, key)
    }

    /// Records the raw words of the stream: element `e` is word `e % 4` of block `e / 4`.
    /// The tensor's type is [`DType::U32`].
    ///
    /// # Errors
    /// Every mistake in the arguments, before anything is recorded: see [`Error`].
    pub fn fill_words(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: &Tensor<'_>,
        key: Key,
    ) -> Result<(), Error> {
        let dtype = tensor.dtype;
        if dtype != DType::U32 {
            return Err(Error::DTypeMismatch { operation: "fill_words", dtype, expected: DType::U32 });
        }
        self.record(encoder, tensor, Distribution::Words, key)
    }

    /// Compiles what `init` needs, so that the first fill does not have to.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] where the device can run no fill at all.
    pub fn prepare(&self, init: &Init) -> Result<(), Error> {
        let bindings = self.shared.bindings()?;
        let values = match init {
            Init::Constant { .. } | Init::Zeros | Init::Ones => Values::Constant,
            Init::Normal { .. } | Init::XavierNormal { .. } => Values::Normal,
        };
        for store in [Store::Vec4, Store::Words] {
            self.shared.pipeline(bindings, Kernel { values, store });
        }
        Ok(())
    }

    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: &Tensor<'_>,
        distribution: Distribution,
        key: Key,
    ) -> Result<(), Error> {
        let bindings = self.shared.bindings()?;
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
        let dispatches = dispatch::plan(bindings.limits, elements, bytes.start);
        self.shared.record(bindings, encoder, tensor.buffer, distribution, key, &dispatches);
        Ok(())
    }
}

impl Bindings {
    /// # Errors
    /// [`Error::DeviceLimit`]. wgpu would take even the layout of such a device for a mistake.
    fn new(device: &wgpu::Device) -> Result<Self, Error> {
        let limits = Limits::of(&device.limits())?;
        let buffer = |binding, ty, min_binding_size| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size },
            count: None,
        };
        let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("seedbed::Initializer::layout"),
            entries: &[
                buffer(
                    0,
                    wgpu::BufferBindingType::Uniform,
                    wgpu::BufferSize::new(size_of::<Params>() as u64),
                ),
                // 4 or 16, as the kernel stores; wgpu then checks at the dispatch.
                buffer(1, wgpu::BufferBindingType::Storage { read_only: false }, None),
            ],
        });
        let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("seedbed::Initializer::pipeline_layout"),
            bind_group_layouts: &[Some(&group)],
            ..Default::default()
        });
        Ok(Self { limits, group, pipeline })
    }
}

impl Shared {
    fn bindings(&self) -> Result<&Bindings, Error> {
        self.bindings.as_ref().map_err(Clone::clone)
    }

    fn record(
        &self,
        bindings: &Bindings,
        encoder: &mut wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        distribution: Distribution,
        key: Key,
        dispatches: &[Dispatch],
    ) {
        // A uniform buffer per fill, made with its contents: a shared one that the queue writes would
        // give every fill of an encoder the parameters of the last.
        let stride = size_of::<Params>()
            .next_multiple_of(self.device.limits().min_uniform_buffer_offset_alignment as usize);
        let mut contents = vec![0; stride * dispatches.len()];
        for (slot, dispatch) in contents.chunks_exact_mut(stride).zip(dispatches) {
            slot[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&Params::new(
                distribution,
                key,
                dispatch,
            )));
        }
        let params = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("seedbed::Initializer::params"),
            contents: &contents,
            usage: wgpu::BufferUsages::UNIFORM,
        });

        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("seedbed::Initializer::fill"),
            timestamp_writes: None,
        });
        for (i, dispatch) in dispatches.iter().enumerate() {
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("seedbed::Initializer::group"),
                layout: &bindings.group,
                entries: &[
                    binding(0, &params, (i * stride) as u64, size_of::<Params>() as u64),
                    binding(1, buffer, dispatch.binding.start, dispatch.binding.end - dispatch.binding.start),
                ],
            });
            pass.set_pipeline(
                self.pipeline(bindings, Kernel { values: distribution.into(), store: dispatch.store }),
            );
            pass.set_bind_group(0, &group, &[]);
            let [x, y] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }

    fn pipeline(&self, bindings: &Bindings, kernel: Kernel) -> &wgpu::ComputePipeline {
        self.pipelines[kernel.index()].get_or_init(|| {
            let source = Source { kernel, int64: self.int64, math: self.math };
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(kernel.label()),
                source: wgpu::ShaderSource::Wgsl(source.text()),
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.label()),
                layout: Some(&bindings.pipeline),
                module: &module,
                entry_point: Some("fill"),
                compilation_options: Default::default(),
                cache: None,
            })
        })
    }
}

fn binding(binding: u32, buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset,
            size: wgpu::BufferSize::new(size),
        }),
    }
}
