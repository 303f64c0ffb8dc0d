//! What a program calls: fills, recorded into its own encoder.

use std::sync::Arc;

use crate::init::kernel_args::KernelArgs;
use crate::plan::Request;
use crate::recorder::Recorder;
use crate::target::Target;
use crate::{DType, Error, Fill, Init, Key, TensorView};

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
/// use seedbed::{Init, FillRecorder, Key, TensorView};
///
/// let recorder = FillRecorder::new(device);
/// let weight = TensorView::f32(buffer, [768, 3072]);
/// recorder.fill(encoder, &weight, &Init::xavier_normal(), Key::new(42).named("mlp.weight"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FillRecorder {
    recorder: Arc<Recorder>,
}

impl FillRecorder {
    /// An initialiser for this device, of [`Math::Portable`]. Nothing is compiled yet.
    ///
    /// A device that was opened with `Features::SHADER_INT64` is faster; the bits are the same.
    pub fn new(device: &wgpu::Device) -> Self {
        Self::with_math(device, Math::default())
    }

    /// An initialiser for this device with a choice of arithmetic.
    pub fn with_math(device: &wgpu::Device, math: Math) -> Self {
        Self::for_target(device, Target::of(&device.adapter_info()), math, None)
    }

    /// As [`Self::with_math`], with the driver's compilations kept in a pipeline cache that your program loads and
    /// saves: for a device that was opened with `Features::PIPELINE_CACHE`.
    ///
    /// ```
    /// # use seedbed::{wgpu, DType, Init, FillRecorder, Math, gpu};
    /// # async fn f() -> Result<(), seedbed::Error> {
    /// # let Ok(adapter) = gpu::pick(&wgpu::Instance::default(), None).await else { return Ok(()) };
    /// # if !adapter.features().contains(wgpu::Features::PIPELINE_CACHE) { return Ok(()) }
    /// # let gpu = gpu::Gpu::open_with(&adapter, wgpu::Features::PIPELINE_CACHE, adapter.limits()).await?;
    /// # let device = &gpu.device;
    /// # let saved: Option<Vec<u8>> = None;
    /// // SAFETY: `saved` is what `get_data` gave an earlier run of this program, or nothing.
    /// let cache = unsafe {
    ///     device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
    ///         label: Some("kernels"),
    ///         data: saved.as_deref(),
    ///         fallback: true,
    ///     })
    /// };
    /// let recorder = FillRecorder::with_pipeline_cache(device, Math::Portable, &cache);
    /// recorder.prepare(&Init::xavier_normal(), DType::F32)?;
    /// let to_save = cache.get_data();
    /// # assert!(!to_save.unwrap().is_empty());
    /// # Ok(())
    /// # }
    /// # pollster::block_on(f()).unwrap();
    /// ```
    pub fn with_pipeline_cache(device: &wgpu::Device, math: Math, cache: &wgpu::PipelineCache) -> Self {
        Self::for_target(device, Target::of(&device.adapter_info()), math, Some(cache.clone()))
    }

    /// As [`Self::new`], with the kernels and the dispatches that a GPU gets, whatever the adapter is: so that machines
    /// without a GPU can test them. The bits are the same, and a processor is slower. No part of the interface that versions
    /// promise.
    #[doc(hidden)]
    pub fn as_on_a_gpu(device: &wgpu::Device) -> Self {
        Self::for_target(device, Target::Gpu, Math::default(), None)
    }

    fn for_target(
        device: &wgpu::Device,
        target: Target,
        math: Math,
        cache: Option<wgpu::PipelineCache>,
    ) -> Self {
        Self { recorder: Arc::new(Recorder::new(device, target, math, cache)) }
    }

    /// Records the initialisation of `tensor`: one compute pass; or a `clear_buffer` for zeros without gaps and in
    /// whole words, where the buffer's usage allows it. A tensor without elements records nothing.
    ///
    /// The values depend on `key`, `init`, the shape and each element's index alone.
    ///
    /// # Errors
    /// Every mistake in the arguments, before anything is recorded: see [`Error`].
    pub fn fill(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: &TensorView<'_>,
        init: &Init,
        key: Key,
    ) -> Result<(), Error> {
        let request = self.request(tensor, init, key)?;
        self.recorder.record(encoder, &[request])
    }

    /// Records many fills at once, with the effect of [`Self::fill`] for one after the other: hundreds of tensors,
    /// in one buffer or many, of any initialisers and types. Large zeros become a `clear_buffer` each, everything else
    /// one compute pass: in each buffer, tensors of the same type and kind of distribution share dispatches, up to
    /// 64 small or middling ones at a time; and all dispatches share one parameter buffer.
    ///
    /// Orthogonal matrices and the scratch memory of each live until the submission has ended: submit many
    /// large ones in groups.
    ///
    /// ```no_run
    /// # fn f(recorder: seedbed::FillRecorder, encoder: &mut wgpu::CommandEncoder, arena: &wgpu::Buffer) -> Result<(), seedbed::Error> {
    /// use seedbed::{Fill, Init, Key, TensorView};
    ///
    /// let model = Key::new(42);
    /// let normal = Init::normal(0.0, 0.02);
    /// recorder.fill_all(
    ///     encoder,
    ///     &[
    ///         Fill::named("fc.weight", TensorView::f32(arena, [3072, 768]), normal, model),
    ///         Fill::named("fc.bias", TensorView::f32(arena, [3072]).at(4 * 3072 * 768), Init::Zeros, model),
    ///     ],
    /// )?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Fill`], which names the tensor, or [`Error::DeviceLimit`] on a device that can run no fill;
    /// before anything is recorded.
    pub fn fill_all(&self, encoder: &mut wgpu::CommandEncoder, fills: &[Fill<'_>]) -> Result<(), Error> {
        self.recorder.record(encoder, &self.requests(fills)?)
    }

    /// Records the raw words of the stream: element `e` is word `e % 4` of block `e / 4`.
    /// The tensor's type is [`DType::U32`].
    ///
    /// # Errors
    /// Every mistake in the arguments, before anything is recorded: see [`Error`].
    pub fn fill_words(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: &TensorView<'_>,
        key: Key,
    ) -> Result<(), Error> {
        let dtype = tensor.dtype;
        if dtype != DType::U32 {
            return Err(Error::DTypeMismatch { operation: "fill_words", dtype, expected: DType::U32 });
        }
        let request = Request { tensor, placed: tensor.place()?, args: KernelArgs::Words, key };
        self.recorder.record(encoder, &[request])
    }

    /// Whether this device can fill a tensor of this shape, before there is one: what [`Self::fill`] would say
    /// of the initialiser, the shape and the device. All devices can make all but the largest
    /// orthogonal matrices.
    ///
    /// # Errors
    /// Those of [`Self::fill`] that are not about the tensor's buffer.
    pub fn check(&self, init: &Init, dtype: DType, shape: &[u64]) -> Result<(), Error> {
        let args = init.kernel_args(shape, dtype)?;
        self.recorder.check(&args)
    }

    /// Compiles the pipelines that a [`Self::fill`] of `init` with elements of `dtype` needs, so that the first one
    /// does not have to: of whole tensors and ranges of elements. Those of shards and padded rows are
    /// [`Self::prepare_all`]'s.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] where the device can run no such fill, [`Error::DTypeMismatch`] of [`DType::U32`].
    pub fn prepare(&self, init: &Init, dtype: DType) -> Result<(), Error> {
        self.recorder.prepare(init, dtype)
    }

    /// Compiles the pipelines that [`Self::fill_all`] of this list needs, and no others.
    ///
    /// # Errors
    /// As [`Self::fill_all`].
    pub fn prepare_all(&self, fills: &[Fill<'_>]) -> Result<(), Error> {
        self.recorder.prepare_all(&self.requests(fills)?)
    }

    fn requests<'a>(&self, fills: &'a [Fill<'a>]) -> Result<Vec<Request<'a>>, Error> {
        let request = |(number, fill): (usize, &'a Fill<'a>)| {
            self.request(&fill.tensor, &fill.init, fill.key).map_err(|error| {
                let fill = match &fill.name {
                    Some(name) => name.to_string(),
                    None => format!("fill {number}"),
                };
                Error::Fill { fill, error: error.into() }
            })
        };
        fills.iter().enumerate().map(request).collect()
    }

    /// Everything that can be wrong with a fill is found here.
    fn request<'a>(&self, tensor: &'a TensorView<'a>, init: &Init, key: Key) -> Result<Request<'a>, Error> {
        let args = init.kernel_args(tensor.region.shape(), tensor.dtype)?;
        let placed = tensor.place()?;
        if !placed.runs.is_empty() {
            self.recorder.check(&args)?;
        }
        Ok(Request { tensor, placed, args, key })
    }
}
