//! Destinations: a part of a buffer, as elements of a type.

use std::ops::Range;

use crate::{DType, Error, Region};

/// Where a fill goes: elements of a logical tensor, one after the other from a byte offset of a
/// buffer on. Bytes outside of that range are never changed, not even the other half of a word that a
/// 16-bit element shares.
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

    /// A binary16 tensor at the beginning of `buffer`.
    pub fn f16(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::F16, region)
    }

    /// A bfloat16 tensor at the beginning of `buffer`.
    pub fn bf16(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::BF16, region)
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
        // A shader writes whole words, the last one's other half as it was.
        let (words_end, size) = (end.next_multiple_of(4), self.buffer.size());
        if words_end > size {
            return Err(Error::BufferTooSmall { offset, end: words_end, size });
        }
        let (needed, actual) = (wgpu::BufferUsages::STORAGE, self.buffer.usage());
        if !actual.contains(needed) {
            return Err(Error::MissingUsage { needed, actual });
        }
        Ok(Placed { elements, bytes: offset..end })
    }
}
