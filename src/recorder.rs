//! The recorder for any GPU API plans fills and records the fills into the caller's encoder.
//!
//! [`seedbed::FillRecorder`](crate::FillRecorder) is this recorder for the major version of wgpu that this
//! library uses. The crate [`seedbed-wgpu-29`] is this recorder for wgpu's previous major.
//!
//! For another API, implement [`Api`], whose functions are the calls that a recorder makes. For another major
//! of wgpu, [`wgpu_api!`](crate::wgpu_api) implements [`Api`]. This module holds every rule once: plans,
//! checks, errors, and the objects that a recorder keeps. Give the types of this module the names that your
//! users know, as `seedbed-wgpu-29` does: `pub type FillRecorder = seedbed::recorder::FillRecorder<MyApi>`.
//!
//! For another language, or an API whose commands differ, replay a [`program`](crate::program).
//!
//! [`seedbed-wgpu-29`]: https://github.com/seedbed-gpu/seedbed/tree/main/integrations/wgpu-29

mod api;
mod fill;
mod pipelines;
mod replay;
mod reports;
mod tensor_view;
#[macro_use]
mod wgpu_api;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::api::{Api, ReportKind};
pub use self::fill::Fill;
use self::replay::Replay;
pub use self::reports::{created, lost};
pub use self::tensor_view::TensorView;
use crate::dtype::DType;
use crate::error::Error;
use crate::init::Init;
use crate::kernel::choices::Math;
use crate::key::Key;
use crate::layout::shape::IntoShape;
use crate::program::{
    CheckedFill, Content, Device, DeviceClass, FillSpec, Kernel, Names, Planner, Program, named,
};

/// Fills tensors of one device. A recorder is cheap to clone, and all clones share their pipelines.
///
/// A recorder records into your encoder and does nothing else: no submission, no polling, no queue.
/// [`seedbed::FillRecorder`](crate::FillRecorder) has an example.
#[derive(Clone, Debug)]
pub struct FillRecorder<A: Api> {
    shared: Arc<Shared<A>>,
}

/// The state that all clones of a recorder share.
#[derive(Debug)]
struct Shared<A: Api> {
    planner: Planner,
    replay: Replay<A>,
}

impl<A: Api> FillRecorder<A> {
    /// A recorder for this device, with [`Math::Portable`]. A new recorder has compiled nothing.
    ///
    /// Fills are faster on a device that was opened with `Features::SHADER_INT64`; the bits are the same.
    pub fn new(device: &A::Device) -> Self {
        Self::with_math(device, Math::default())
    }

    /// A recorder for this device with a choice of arithmetic.
    pub fn with_math(device: &A::Device, math: Math) -> Self {
        Self::for_device(device, A::describe(device), math, None)
    }

    /// A recorder like that of [`Self::with_math`], which also keeps the driver's compilations in a pipeline
    /// cache. Your program loads and saves the cache. Open the device with `Features::PIPELINE_CACHE`. Save
    /// one file for each adapter, named by `wgpu::util::pipeline_cache_key`: wgpu panics if the cache comes
    /// from another device.
    ///
    /// ```
    /// # #[cfg(feature = "wgpu")] {
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
    /// # }
    /// ```
    pub fn with_pipeline_cache(device: &A::Device, math: Math, cache: &A::PipelineCache) -> Self {
        Self::for_device(device, A::describe(device), math, Some(cache.clone()))
    }

    /// A recorder like that of [`Self::new`], with the kernels and the dispatches of a GPU on any adapter, so
    /// that machines without a GPU can test these kernels. The bits are the same, but a processor is slower.
    /// A later version may remove this function.
    #[doc(hidden)]
    pub fn with_gpu_tuning(device: &A::Device) -> Self {
        let gpu = Device { class: DeviceClass::Gpu, ..A::describe(device) };
        Self::for_device(device, gpu, Math::default(), None)
    }

    fn for_device(
        device: &A::Device,
        described: Device,
        math: Math,
        cache: Option<A::PipelineCache>,
    ) -> Self {
        let (planner, replay) = (Planner::new(described, math), Replay::new(device, cache));
        Self { shared: Arc::new(Shared { planner, replay }) }
    }

    /// The planner of this recorder, for the same device and arithmetic.
    pub fn planner(&self) -> &Planner {
        &self.shared.planner
    }

    /// The device of this recorder.
    #[cfg(feature = "wgpu")]
    pub(crate) fn device(&self) -> &A::Device {
        &self.shared.replay.device
    }

    /// Records the initialisation of `tensor` as one compute pass. Zeros without gaps, in whole words, are a
    /// `clear_buffer` instead where the buffer's usage allows one. A tensor without elements records nothing.
    ///
    /// The values depend only on `key`, `init`, the shape and each element's index.
    ///
    /// # Errors
    /// [`Error`] for every mistake in the arguments; [`Error::Device`] if the device was lost, destroyed, or
    /// is out of memory; [`Error::Refused`] for a buffer that was destroyed or belongs to another device. An
    /// error comes before anything is recorded. wgpu reports other mistakes ([`guide`](crate::guide),
    /// "Mistakes").
    pub fn fill(
        &self,
        encoder: &mut A::Encoder,
        tensor: &TensorView<'_, A>,
        init: &Init,
        key: Key,
    ) -> Result<(), Error> {
        self.record_one(encoder, tensor, Content::Init(init), key)
    }

    /// Records many fills at once: hundreds of tensors, in one buffer or many, of any initialisers and types.
    /// The list has the effect of one [`Self::fill`] after the other. Each large fill of zeros becomes a
    /// `clear_buffer`; everything else is one compute pass. In each buffer, tensors of the same type and kind
    /// of distribution share dispatches, up to 64 small or middle-sized tensors at a time. All dispatches
    /// share one parameter buffer.
    ///
    /// The scratch memory of each orthogonal matrix lives until the submission has ended, so submit many
    /// large orthogonal matrices in groups.
    ///
    /// ```no_run
    /// # #[cfg(feature = "wgpu")]
    /// # fn f(recorder: seedbed::FillRecorder, encoder: &mut wgpu::CommandEncoder, arena: &wgpu::Buffer) -> Result<(), seedbed::Error> {
    /// use seedbed::{Fill, Init, Key, TensorView};
    ///
    /// let model = Key::new(42);
    /// let normal = Init::normal(0.0, 0.02);
    /// recorder.fill_all(
    ///     encoder,
    ///     &[
    ///         Fill::named("fc.weight", TensorView::f32(arena, [3072, 768]), normal, model),
    ///         Fill::named("fc.bias", TensorView::f32(arena, [3072]).at(4 * 3072 * 768), Init::zeros(), model),
    ///     ],
    /// )?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Fill`], which names the tensor; [`Error::DuplicateName`]; [`Error::NoCompute`] or
    /// [`Error::DeviceLimit`] on a device that can run no fill; [`Error::Device`] as for [`Self::fill`].
    /// Where wgpu refuses a buffer, the error of [`Error::Fill`] is [`Error::Refused`]. An error comes before
    /// anything is recorded.
    pub fn fill_all(&self, encoder: &mut A::Encoder, fills: &[Fill<'_, A>]) -> Result<(), Error> {
        let (program, buffers) = self.plan(fills)?;
        let result = self.shared.replay.record(encoder, &program, &buffers);
        result.map_err(|error| self.named_if_refused(error, fills))
    }

    /// Plans a list of fills once, for [`Self::replay`]. The result is the program, and the program's buffers
    /// in the program's order.
    ///
    /// ```no_run
    /// # #[cfg(feature = "wgpu")]
    /// # fn f(recorder: seedbed::FillRecorder, encoder: &mut wgpu::CommandEncoder, fills: &[seedbed::Fill<'_>]) -> Result<(), seedbed::Error> {
    /// let (program, buffers) = recorder.plan(fills)?;
    /// recorder.replay(encoder, &program, &buffers)?; // the effect of fill_all
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`Self::fill_all`], except [`Error::Device`] and [`Error::Refused`].
    pub fn plan<'a>(&self, fills: &'a [Fill<'_, A>]) -> Result<(Program, Vec<&'a A::Buffer>), Error> {
        self.planner().limits()?;
        let mut names = Names::of(fills.len());
        let mut numbers: HashMap<&A::Buffer, u32> = HashMap::new();
        let mut buffers = Vec::new();
        let mut checked = Vec::with_capacity(fills.len());
        // Neighbouring fills often share a buffer, and a comparison is quicker than a hash.
        let mut last: Option<(&A::Buffer, u32)> = None;
        for (number, fill) in fills.iter().enumerate() {
            let Fill { name, tensor, init, key } = fill;
            let (name, handle) = (name.as_deref(), &*tensor.buffer);
            names.check(name, *key, &tensor.placement.region)?;
            let buffer = match last {
                Some((last, number)) if last == handle => number,
                _ => *numbers.entry(handle).or_insert_with(|| {
                    buffers.push(handle);
                    buffers.len() as u32 - 1
                }),
            };
            last = Some((handle, buffer));
            let fill = self.check_fill(tensor, buffer, Content::Init(init), *key);
            checked.push(fill.map_err(|error| named(error, name, number))?);
        }
        Ok((self.planner().assemble(&checked)?, buffers))
    }

    /// Records the raw words of the stream: element `e` is word `e % 4` of block `e / 4`.
    /// The tensor's type is [`DType::U32`].
    ///
    /// # Errors
    /// [`Error`] for every mistake in the arguments, before anything is recorded.
    pub fn fill_words(
        &self,
        encoder: &mut A::Encoder,
        tensor: &TensorView<'_, A>,
        key: Key,
    ) -> Result<(), Error> {
        self.record_one(encoder, tensor, Content::Words, key)
    }

    /// Records a program that [`Self::planner`] or a planner for an equal device planned. `buffers` are the
    /// program's destinations. A program that was planned once can be recorded many times.
    ///
    /// # Errors
    /// [`Error::Program`] where the program was planned for another device or does not fit the buffers;
    /// [`Error::MissingUsage`]; [`Error::Device`] and [`Error::Refused`] as for [`Self::fill`]. An error
    /// comes before anything is recorded.
    pub fn replay(
        &self,
        encoder: &mut A::Encoder,
        program: &Program,
        buffers: &[&A::Buffer],
    ) -> Result<(), Error> {
        if program.device != *self.planner().device() {
            return Err(Error::Program { reason: "it was planned for another device".into() });
        }
        program.validate(&buffers.iter().map(|buffer| A::size(buffer)).collect::<Vec<_>>())?;
        for buffer in buffers {
            tensor_view::check_usage::<A>(buffer, A::STORAGE)?;
        }
        for clear in &program.clears {
            tensor_view::check_usage::<A>(buffers[clear.buffer as usize], A::COPY_DST)?;
        }
        self.shared.replay.record(encoder, program, buffers)
    }

    /// Checks whether this device can fill a tensor of this shape, before a buffer exists. Every device can
    /// fill every tensor, except the largest orthogonal matrices.
    ///
    /// # Errors
    /// The errors of [`Self::fill`], except those about the tensor's buffer.
    pub fn check<'a>(&self, init: &Init, dtype: DType, shape: impl IntoShape<'a>) -> Result<(), Error> {
        self.planner().check(init, dtype, shape)
    }

    /// Compiles the pipelines that a [`Self::fill`] of `init` with elements of `dtype` needs, so that the
    /// first fill does not wait for wgpu's compiler. `prepare` compiles the pipelines for whole tensors and
    /// ranges of elements; [`Self::prepare_all`] compiles the pipelines for shards and padded rows too.
    ///
    /// Many drivers compile a pipeline again in the first submission that runs the pipeline
    /// ([`guide`](crate::guide), "Before the first frame").
    ///
    /// # Errors
    /// [`Error::NoCompute`] or [`Error::DeviceLimit`] where the device can run no such fill,
    /// [`Error::DTypeMismatch`] for [`DType::U32`].
    pub fn prepare(&self, init: &Init, dtype: DType) -> Result<(), Error> {
        self.compile(&self.planner().kernels_of(init, dtype)?)
    }

    /// Compiles exactly the pipelines that [`Self::fill_all`] of this list needs.
    ///
    /// # Errors
    /// The errors of [`Self::fill_all`].
    pub fn prepare_all(&self, fills: &[Fill<'_, A>]) -> Result<(), Error> {
        let (program, _) = self.plan(fills)?;
        self.compile(&program.kernels)
    }

    fn compile(&self, kernels: &[Arc<Kernel>]) -> Result<(), Error> {
        let Replay { device, pipelines, .. } = &self.shared.replay;
        created::<A, _>(device, || {
            kernels.iter().try_for_each(|kernel| pipelines.get(device, kernel).map(drop))
        })
    }

    fn record_one(
        &self,
        encoder: &mut A::Encoder,
        tensor: &TensorView<'_, A>,
        content: Content<'_>,
        key: Key,
    ) -> Result<(), Error> {
        let checked = self.check_fill(tensor, 0, content, key)?;
        let program = self.planner().assemble(&[checked])?;
        self.shared.replay.record(encoder, &program, &[&tensor.buffer])
    }

    /// Finds the fill that wgpu refuses, and names it in the error.
    fn named_if_refused(&self, error: Error, fills: &[Fill<'_, A>]) -> Error {
        let is_refusal = |error: &Error| matches!(error, Error::Refused { .. });
        if !is_refusal(&error) {
            return error;
        }
        let refused = |(number, fill): (usize, &Fill<'_, A>)| {
            let (program, buffers) = self.plan(std::slice::from_ref(fill)).ok()?;
            let error = self.shared.replay.check(&program, &buffers).err().filter(is_refusal)?;
            Some(named(error, fill.name(), number))
        };
        fills.iter().enumerate().find_map(refused).unwrap_or(error)
    }

    fn check_fill(
        &self,
        tensor: &TensorView<'_, A>,
        buffer: u32,
        content: Content<'_>,
        key: Key,
    ) -> Result<CheckedFill, Error> {
        let (destination, placement) = (tensor.destination(buffer), &tensor.placement);
        let spec = FillSpec { name: None, destination, placement, content, key };
        let checked = self.planner().check_fill(&spec)?;
        tensor_view::check_usage::<A>(&tensor.buffer, A::STORAGE)?;
        Ok(checked)
    }
}
