//! Where in a buffer a region goes.

use std::ops::Range;

use super::region::Region;
use super::runs::StridedRuns;
use crate::dtype::DType;
use crate::error::Error;

/// The elements of a region, row-major from a byte offset of some buffer on.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement<'a> {
    /// Byte offset of the first element: any multiple of the element's size.
    pub offset: u64,
    /// Bytes from the beginning of one row to the beginning of the next: a multiple of the element's size, and at least a
    /// row's bytes. A row is the last dimension of [`Region::local_shape`]. `None`: rows follow each other.
    pub row_pitch: Option<u64>,
    /// Which elements of which tensor.
    pub region: Region<'a>,
    /// Their type.
    pub dtype: DType,
}

/// A placement that was checked against the size of its buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResolvedPlacement {
    pub(crate) runs: StridedRuns,
    /// Bytes of the buffer, from the first to the last that is written.
    pub(crate) bytes: Range<u64>,
}

impl<'a> Placement<'a> {
    /// A region at the beginning of a buffer. A shape is a region too.
    pub fn new(dtype: DType, region: impl Into<Region<'a>>) -> Self {
        Self { offset: 0, row_pitch: None, region: region.into(), dtype }
    }

    /// Checks everything that can be wrong between the placement and a buffer of `size` bytes.
    ///
    /// # Errors
    /// Those of the region; [`Error::RowPitch`], [`Error::MisalignedOffset`], [`Error::BufferTooSmall`].
    pub(crate) fn resolve(&self, size: u64) -> Result<ResolvedPlacement, Error> {
        let Self { offset, row_pitch, dtype, .. } = *self;
        let runs = self.region.runs_with(self.pitch_in_elements()?)?;
        if !offset.is_multiple_of(dtype.size()) {
            return Err(Error::MisalignedOffset { offset, alignment: dtype.size(), dtype });
        }
        let bytes = runs.span().and_then(|elements| elements.checked_mul(dtype.size()));
        let end = bytes.and_then(|bytes| offset.checked_add(bytes)).unwrap_or(u64::MAX);
        // A shader writes whole words. The other half of the last word stays as it was.
        let words_end = end.checked_next_multiple_of(4).unwrap_or(u64::MAX);
        if words_end > size {
            return Err(Error::BufferTooSmall { offset, end: words_end, row_pitch, size });
        }
        Ok(ResolvedPlacement { runs, bytes: offset..end })
    }

    fn pitch_in_elements(&self) -> Result<Option<u64>, Error> {
        let Some(pitch) = self.row_pitch else { return Ok(None) };
        // A mistake in the region comes first: it has nothing to do with rows.
        self.region.element_count()?;
        let (row, dtype) = (self.region.local_shape().last().copied().unwrap_or(1), self.dtype);
        let elements = pitch / dtype.size();
        if !pitch.is_multiple_of(dtype.size()) || elements < row {
            return Err(Error::RowPitch { pitch, row, dtype });
        }
        Ok(Some(elements))
    }
}
