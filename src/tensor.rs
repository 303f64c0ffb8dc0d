//! Destinations: a part of a buffer, as elements of a type.

use std::fmt;
use std::ops::Range;

use crate::{Error, Region};

/// Type of the elements of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 binary32: every initialiser.
    F32,
    /// Raw words of the stream: [`Initializer::fill_words`](crate::Initializer::fill_words) only.
    U32,
}

impl DType {
    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::F32 | Self::U32 => 4,
        }
    }

    /// The largest finite value.
    pub(crate) const fn max(self) -> f64 {
        match self {
            Self::F32 => f32::MAX as f64,
            Self::U32 => u32::MAX as f64,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::U32 => "u32",
        })
    }
}

/// Where a fill goes: elements of a logical tensor, one after the other from a byte offset of a
/// buffer on. Bytes outside of that range are never touched.
///
/// The buffer needs `BufferUsages::STORAGE`. With `COPY_DST` too, zeros become a `clear_buffer`.
///
/// ```no_run
/// # fn f(buffer: &wgpu::Buffer) {
/// use seedbed::{Region, Tensor};
///
/// // A weight in an arena, 4 KiB from its start.
/// let weight = Tensor::f32(buffer, [768, 3072]).at(4096);
/// // Its second half alone, as another device of a sharded model would hold it.
/// let shard = Tensor::f32(buffer, Region::from([768, 3072]).elements(1179648..2359296));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    pub(crate) buffer: &'a wgpu::Buffer,
    pub(crate) offset: u64,
    pub(crate) region: Region<'a>,
    pub(crate) dtype: DType,
}

/// A tensor that has been checked against its buffer.
pub(crate) struct Placed {
    /// Elements of the logical tensor.
    pub(crate) elements: Range<u64>,
    /// Bytes of the buffer.
    pub(crate) bytes: Range<u64>,
}

impl<'a> Tensor<'a> {
    /// A tensor of `dtype` at the beginning of `buffer`. A shape is a region too.
    pub fn new(buffer: &'a wgpu::Buffer, dtype: DType, region: impl Into<Region<'a>>) -> Self {
        Self { buffer, offset: 0, region: region.into(), dtype }
    }

    /// An f32 tensor at the beginning of `buffer`.
    pub fn f32(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::F32, region)
    }

    /// A tensor of raw words at the beginning of `buffer`.
    pub fn u32(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::U32, region)
    }

    /// The same, beginning at this byte of the buffer: any multiple of the element's size.
    #[must_use]
    pub fn at(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// Checks everything that can be wrong between the tensor and its buffer.
    pub(crate) fn place(&self) -> Result<Placed, Error> {
        let elements = self.region.resolve()?;
        let (offset, dtype) = (self.offset, self.dtype);
        if !offset.is_multiple_of(dtype.size()) {
            return Err(Error::MisalignedOffset { offset, alignment: dtype.size(), dtype });
        }
        let end = (elements.end - elements.start)
            .checked_mul(dtype.size())
            .and_then(|bytes| offset.checked_add(bytes))
            .ok_or_else(|| Error::ShapeOverflow { shape: self.region.shape().to_vec() })?;
        if end > self.buffer.size() {
            return Err(Error::BufferTooSmall { offset, end, size: self.buffer.size() });
        }
        let (needed, actual) = (wgpu::BufferUsages::STORAGE, self.buffer.usage());
        if !actual.contains(needed) {
            return Err(Error::MissingUsage { needed, actual });
        }
        Ok(Placed { elements, bytes: offset..end })
    }
}
