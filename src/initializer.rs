//! What a program calls: fills, recorded into its own encoder.

use std::sync::Arc;

use crate::distribution::Distribution;
use crate::recorder::Recorder;
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
    recorder: Arc<Recorder>,
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
        Self { recorder: Arc::new(Recorder::new(device, math)) }
    }

    /// Records the initialisation of `tensor`: one compute pass (two for an orthogonal matrix), or a
    /// `clear_buffer` for zeros where the buffer's usage allows it. A tensor without elements records nothing.
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
        self.recorder.record(encoder, tensor, distribution, key)
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
        self.recorder.record(encoder, tensor, Distribution::Words, key)
    }

    /// Whether this device can fill a tensor of this shape, before there is one: what [`Self::fill`] would say
    /// of the initialiser, the shape and the device. All devices can make all but the largest
    /// orthogonal matrices.
    ///
    /// # Errors
    /// Those of [`Self::fill`] that are not about the tensor's buffer.
    pub fn check(&self, init: &Init, dtype: DType, shape: &[u64]) -> Result<(), Error> {
        let distribution = init.distribution(shape, dtype)?;
        self.recorder.check(&distribution)
    }

    /// Compiles the pipelines that fills of `init` with elements of `dtype` need, so that the first one does not
    /// have to.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] where the device can run no such fill, [`Error::DTypeMismatch`] of [`DType::U32`].
    pub fn prepare(&self, init: &Init, dtype: DType) -> Result<(), Error> {
        self.recorder.prepare(init, dtype)
    }
}
