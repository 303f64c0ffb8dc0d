//! Destinations: a part of a buffer, as elements of a type.

use std::ops::Range;

use crate::layout::runs::Runs;
use crate::{DType, Error, Region};

/// Where a fill goes: elements of a logical tensor, row-major from a byte offset of a buffer on. Other bytes
/// are never changed: not the padding between rows, not even the other half of a word that a 16-bit
/// element shares.
///
/// The buffer needs `BufferUsages::STORAGE`. With `COPY_DST` too, zeros become a `clear_buffer`.
///
/// ```no_run
/// # fn f(buffer: &wgpu::Buffer) {
/// use seedbed::{Region, TensorView};
///
/// // A weight in an arena, 4 KiB from its start.
/// let weight = TensorView::f32(buffer, [768, 3072]).at(4096);
/// // Its second half alone, as another device of a sharded model would hold it.
/// let half = TensorView::f32(buffer, Region::from([768, 3072]).elements(1179648..2359296));
/// // The second half of each row, as another split of the model would have it.
/// let shard = TensorView::f32(buffer, Region::from([768, 3072]).shard([0, 1536], [768, 1536]));
/// // Rows of 100 elements, each on a 256-byte boundary as in an image copy.
/// let padded = TensorView::f32(buffer, [64, 100]).row_pitch(512);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TensorView<'a> {
    pub(crate) buffer: &'a wgpu::Buffer,
    offset: u64,
    row_pitch: Option<u64>,
    pub(crate) region: Region<'a>,
    pub(crate) dtype: DType,
}

/// A tensor that has been checked against its buffer.
pub(crate) struct Placed {
    /// Elements of the logical tensor.
    pub(crate) runs: Runs,
    /// Bytes of the buffer, from the first to the last that is written.
    pub(crate) bytes: Range<u64>,
}

impl<'a> TensorView<'a> {
    /// A tensor of `dtype` at the beginning of `buffer`. A shape is a region too.
    pub fn new(buffer: &'a wgpu::Buffer, dtype: DType, region: impl Into<Region<'a>>) -> Self {
        Self { buffer, offset: 0, row_pitch: None, region: region.into(), dtype }
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

    /// The same, with rows that begin this many bytes after each other: a multiple of the element's size, and
    /// a row's bytes or more. A row is the last dimension of [`Region::local_shape`].
    #[must_use]
    pub fn row_pitch(self, bytes: u64) -> Self {
        Self { row_pitch: Some(bytes), ..self }
    }

    /// Checks everything that can be wrong between the tensor and its buffer.
    pub(crate) fn place(&self) -> Result<Placed, Error> {
        let (offset, dtype, size) = (self.offset, self.dtype, self.buffer.size());
        let runs = self.region.runs_with(self.pitch_in_elements()?)?;
        if !offset.is_multiple_of(dtype.size()) {
            return Err(Error::MisalignedOffset { offset, alignment: dtype.size(), dtype });
        }
        let bytes = runs.span().and_then(|elements| elements.checked_mul(dtype.size()));
        let end = bytes.and_then(|bytes| offset.checked_add(bytes)).unwrap_or(u64::MAX);
        // A shader writes whole words, the last one's other half as it was.
        let words_end = end.checked_next_multiple_of(4).unwrap_or(u64::MAX);
        if words_end > size {
            let row_pitch = self.row_pitch;
            return Err(Error::BufferTooSmall { offset, end: words_end, row_pitch, size });
        }
        let (needed, actual) = (wgpu::BufferUsages::STORAGE, self.buffer.usage());
        if !actual.contains(needed) {
            return Err(Error::MissingUsage { needed, actual });
        }
        Ok(Placed { runs, bytes: offset..end })
    }

    fn pitch_in_elements(&self) -> Result<Option<u64>, Error> {
        let Some(pitch) = self.row_pitch else { return Ok(None) };
        // What is wrong with the region has nothing to do with rows.
        self.region.element_count()?;
        let (row, dtype) = (self.region.local_shape().last().copied().unwrap_or(1), self.dtype);
        let elements = pitch / dtype.size();
        if !pitch.is_multiple_of(dtype.size()) || elements < row {
            return Err(Error::RowPitch { pitch, row, dtype });
        }
        Ok(Some(elements))
    }
}
