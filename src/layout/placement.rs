//! The position of a region in a buffer.

use std::ops::Range;

use super::region::Region;
use super::runs::StridedRuns;
use super::shape::not_negative;
use crate::dtype::DType;
use crate::error::Error;

/// A region and its position in some buffer: row-major, from a byte offset on.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement<'a> {
    /// Byte offset of the first element: any multiple of the element's size.
    pub offset: u64,
    /// Bytes from the beginning of one row to the beginning of the next: a multiple of the element's size,
    /// and at least a row's bytes. A row is the last dimension of [`Region::local_shape`]. `None`: rows
    /// follow each other without a gap.
    pub row_pitch: Option<u64>,
    /// The elements to write, and their tensor.
    pub region: Region<'a>,
    /// The element type.
    pub dtype: DType,
}

/// A placement that was checked against the size of its buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResolvedPlacement {
    pub(crate) runs: StridedRuns,
    /// Bytes of the buffer, from the first to the last byte that is written.
    pub(crate) bytes: Range<u64>,
}

impl<'a> Placement<'a> {
    /// Places a region at the beginning of a buffer. A shape is a region too.
    pub fn new(dtype: DType, region: impl Into<Region<'a>>) -> Self {
        Self { offset: 0, row_pitch: None, region: region.into(), dtype }
    }

    /// Checks the placement against a buffer of `size` bytes.
    ///
    /// # Errors
    /// The errors of the region; [`Error::RowPitch`], [`Error::MisalignedOffset`], [`Error::BufferTooSmall`].
    pub(crate) fn resolve(&self, size: u64) -> Result<ResolvedPlacement, Error> {
        // A shader accesses whole words, so the buffer must hold all of the last word. The half of a word that
        // no element covers keeps its value.
        self.resolve_in(size, 4)
    }

    /// The range of bytes from the first to the last element, in host memory of `size` bytes. Host memory may
    /// end within a word.
    ///
    /// # Errors
    /// The errors of [`Self::bytes`].
    pub(crate) fn bytes_in_memory(&self, size: u64) -> Result<Range<u64>, Error> {
        self.resolve_in(size, 1).map(|resolved| resolved.bytes)
    }

    /// Checks the placement against a buffer of `size` bytes that is accessed in words of `word` bytes.
    fn resolve_in(&self, size: u64, word: u64) -> Result<ResolvedPlacement, Error> {
        let Self { offset, row_pitch, dtype, .. } = *self;
        not_negative("the byte offset", offset)?;
        not_negative("the row pitch", row_pitch.unwrap_or(0))?;
        let runs = self.region.runs_with(self.pitch_in_elements()?)?;
        if !offset.is_multiple_of(dtype.size()) {
            return Err(Error::MisalignedOffset { offset, alignment: dtype.size(), dtype });
        }
        let bytes = runs.span().and_then(|elements| elements.checked_mul(dtype.size()));
        let end = bytes.and_then(|bytes| offset.checked_add(bytes)).unwrap_or(u64::MAX);
        let words_end = end.checked_next_multiple_of(word).unwrap_or(u64::MAX);
        if words_end > size {
            return Err(Error::BufferTooSmall { offset, end: words_end, row_pitch, size });
        }
        Ok(ResolvedPlacement { runs, bytes: offset..end })
    }

    /// The range of bytes from the first to the last element, padding between rows included, in a buffer of
    /// `size` bytes.
    ///
    /// # Errors
    /// The errors of the region; [`Error::RowPitch`], [`Error::MisalignedOffset`], [`Error::BufferTooSmall`],
    /// [`Error::Negative`].
    pub fn bytes(&self, size: u64) -> Result<Range<u64>, Error> {
        self.resolve(size).map(|resolved| resolved.bytes)
    }

    /// The same placement with its own copy of the shape.
    #[must_use]
    pub fn into_owned(self) -> Placement<'static> {
        let Self { offset, row_pitch, region, dtype } = self;
        Placement { offset, row_pitch, region: region.into_owned(), dtype }
    }

    fn pitch_in_elements(&self) -> Result<Option<u64>, Error> {
        let Some(pitch) = self.row_pitch else { return Ok(None) };
        // An error of the region is reported first, since that error has nothing to do with rows.
        self.region.element_count()?;
        let (row, dtype) = (self.region.local_shape().last().copied().unwrap_or(1), self.dtype);
        let elements = pitch / dtype.size();
        if !pitch.is_multiple_of(dtype.size()) || elements < row {
            return Err(Error::RowPitch { pitch, row, dtype });
        }
        Ok(Some(elements))
    }
}
