//! The position of a region in a buffer.

use std::ops::Range;

use super::product;
use super::region::Region;
use super::selection::Selection;
use super::shape::{Count, not_negative};
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
    pub(crate) selection: Selection,
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
    /// The errors of [`Self::bytes`].
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
        let selection = self.region.selection_with(self.pitch_in_elements()?)?;
        if !offset.is_multiple_of(dtype.size()) {
            return Err(Error::MisalignedOffset { offset, alignment: dtype.size(), dtype });
        }
        let bytes = selection.span().and_then(|elements| elements.checked_mul(dtype.size()));
        let end = bytes.and_then(|bytes| offset.checked_add(bytes));
        let words_end = end.and_then(|end| end.checked_next_multiple_of(word));
        match (end, words_end) {
            (Some(end), Some(words_end)) if words_end <= size => {
                Ok(ResolvedPlacement { selection, bytes: offset..end })
            }
            _ => {
                let end = words_end.unwrap_or(u64::MAX);
                Err(Error::BufferTooSmall { offset, end, row_pitch, size })
            }
        }
    }

    /// The rows in this range, the first dimension's, as a tensor of their own: another view of the same memory,
    /// whose shape has the range's length for its first dimension. Fans and element indexes are those of the new
    /// tensor; for a shard of the old tensor use [`Region::shard`].
    ///
    /// ```
    /// use seedbed::DType;
    /// use seedbed::program::Placement;
    ///
    /// // Query, key and value of width 8, in one weight.
    /// let fused = Placement::new(DType::BF16, [24, 8]);
    /// let key = fused.rows(8..16)?;
    /// assert_eq!((key.region.shape(), key.offset), (&[8, 8][..], 2 * 8 * 8));
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShardOutOfRange`] for rows that the tensor does not have, [`Error::PartOfPart`] where the region
    /// is not a whole tensor.
    pub fn rows<C: Count>(&self, rows: Range<C>) -> Result<Placement<'static>, Error> {
        let (mut shape, stride) = self.whole("row")?;
        let rows = within(&shape, 0, rows)?;
        if let Some(first) = shape.first_mut() {
            *first = rows.end - rows.start;
        }
        Ok(self.part(shape, rows.start, stride, self.row_pitch))
    }

    /// The columns in this range, the last dimension's, as a tensor of their own with the row pitch of this one.
    ///
    /// # Errors
    /// The errors of [`Self::rows`].
    pub fn columns<C: Count>(&self, columns: Range<C>) -> Result<Placement<'static>, Error> {
        let (mut shape, _) = self.whole("column")?;
        let last = shape.len().saturating_sub(1);
        let columns = within(&shape, last, columns)?;
        let pitch = self.row_bytes(&shape)?;
        if let Some(last) = shape.last_mut() {
            *last = columns.end - columns.start;
        }
        let pitch = if shape.len() > 1 { Some(pitch) } else { self.row_pitch };
        Ok(self.part(shape, columns.start, self.dtype.size(), pitch))
    }

    /// The slice at this index of the first dimension, as a tensor of its own without that dimension: expert
    /// `index` of a stack of experts.
    ///
    /// # Errors
    /// The errors of [`Self::rows`].
    pub fn slice(&self, index: impl Count) -> Result<Placement<'static>, Error> {
        let (mut shape, stride) = self.whole("slice")?;
        let index = index.to_u64();
        within(&shape, 0, index..index.saturating_add(1))?;
        shape.remove(0);
        Ok(self.part(shape, index, stride, self.row_pitch))
    }

    /// The shape of a whole tensor, and the bytes from one element of its first dimension to the next.
    fn whole(&self, part: &'static str) -> Result<(Vec<u64>, u64), Error> {
        if self.region.is_part() {
            return Err(Error::PartOfPart { part });
        }
        self.region.element_count()?;
        let shape = self.region.shape().to_vec();
        let stride = match *shape {
            [] | [_] => self.dtype.size(),
            [_, ref inner @ .., _] => {
                let rows = product(inner).and_then(|rows| rows.checked_mul(self.row_bytes(&shape).ok()?));
                rows.ok_or_else(|| Error::ShapeOverflow { shape: shape.clone() })?
            }
        };
        Ok((shape, stride))
    }

    /// The bytes from one row of the last dimension to the next.
    fn row_bytes(&self, shape: &[u64]) -> Result<u64, Error> {
        let row = shape.last().copied().unwrap_or(1).checked_mul(self.dtype.size());
        self.row_pitch.or(row).ok_or_else(|| Error::ShapeOverflow { shape: shape.to_vec() })
    }

    /// A part of the same memory, so many strides behind the first element.
    fn part(&self, shape: Vec<u64>, steps: u64, stride: u64, row_pitch: Option<u64>) -> Placement<'static> {
        // The largest aligned offset. A part there reaches past the end of every buffer.
        const FAR: u64 = (1 << 63) - 8;
        let offset = self.offset.saturating_add(steps.saturating_mul(stride)).min(FAR);
        Placement { offset, row_pitch, region: Region::new(shape), dtype: self.dtype }
    }

    /// The range of bytes from the first to the last element, padding between rows included, in a buffer of
    /// `size` bytes. With `u64::MAX` for the size, the end of the range is what an arena needs before there is a
    /// buffer.
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

/// Checks a range of indexes of a dimension.
fn within<C: Count>(shape: &[u64], dimension: usize, range: Range<C>) -> Result<Range<u64>, Error> {
    let (start, end) = (range.start.to_u64(), range.end.to_u64());
    not_negative("the first index", start)?;
    not_negative("the end of the indexes", end)?;
    let len = shape.get(dimension).copied().unwrap_or(0);
    if start > end || end > len {
        let extent = end.saturating_sub(start);
        return Err(Error::ShardOutOfRange { dimension, start, extent, len });
    }
    Ok(start..end)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of one range")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The byte offsets of a placement's elements, in their order.
    fn offsets(placement: &Placement<'_>) -> Vec<u64> {
        let (shape, size) = (placement.region.shape(), placement.dtype.size());
        let row = shape.last().copied().unwrap_or(1);
        let pitch = placement.row_pitch.unwrap_or(row * size);
        let count = placement.region.element_count().unwrap();
        (0..count).map(|i| placement.offset + i / row * pitch + i % row * size).collect()
    }

    proptest! {
        /// A part has the addresses that the same part of the whole tensor has.
        #[test]
        fn parts_lie_where_the_whole_has_them(
            shape in prop::collection::vec(1_u64..6, 1..4),
            dtype in prop_oneof![Just(DType::F32), Just(DType::BF16)],
            (offset, padding) in (0_u64..5, prop::option::of(0_u64..3)),
            (a, b) in (0_u64..6, 0_u64..6),
        ) {
            let row = *shape.last().unwrap();
            let row_pitch = padding.map(|padding| (row + padding) * dtype.size());
            let offset = offset * dtype.size();
            let whole = Placement { offset, row_pitch, ..Placement::new(dtype, &shape) };
            let all = offsets(&whole);
            let (first, inner) = (shape[0], all.len() as u64 / shape[0]);
            let taken = |keep: &dyn Fn(u64) -> bool| -> Vec<u64> {
                (0..).zip(&all).filter(|(i, _)| keep(*i)).map(|(_, offset)| *offset).collect()
            };
            let (a, b) = (a.min(b), a.max(b));
            match whole.rows(a..b) {
                Ok(part) => prop_assert_eq!(offsets(&part), taken(&|i| (a..b).contains(&(i / inner)))),
                Err(_) => prop_assert!(b > first),
            }
            match whole.columns(a..b) {
                Ok(part) => prop_assert_eq!(offsets(&part), taken(&|i| (a..b).contains(&(i % row)))),
                Err(_) => prop_assert!(b > row),
            }
            match whole.slice(a) {
                Ok(part) => {
                    prop_assert_eq!(part.region.shape(), &shape[1..]);
                    prop_assert_eq!(offsets(&part), taken(&|i| i / inner == a));
                }
                Err(_) => prop_assert!(a >= first),
            }
        }
    }

    #[test]
    fn parts_that_do_not_exist_are_named() {
        let placement = Placement::new(DType::F32, [4, 6]);
        let message = |result: Result<Placement<'_>, Error>| result.unwrap_err().to_string();
        let out = "the shard has 3 elements from 2 on in dimension 0, of which the tensor has 4";
        assert_eq!(message(placement.rows(2..5)), out);
        assert!(message(placement.columns(0..7)).contains("in dimension 1"));
        assert!(message(placement.columns(-1..3)).starts_with("the first index is -1"));
        assert!(message(placement.slice(4_usize)).contains("from 4 on in dimension 0"));
        assert!(message(placement.slice(u64::MAX)).starts_with("the first index is -1"));
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
        let reversed = placement.rows(3..2);
        assert!(matches!(reversed, Err(Error::ShardOutOfRange { .. })));
        assert!(matches!(Placement::new(DType::F32, ()).slice(0), Err(Error::ShardOutOfRange { .. })));
        let whole = || Region::from([4, 6]);
        for region in [
            whole().elements(0..4),
            whole().shard([0, 0], [4, 3]),
            whole().ranges([vec![0..1, 2..3], vec![0..6]]),
        ] {
            let part = Placement::new(DType::F32, region);
            for (name, result) in
                [("row", part.rows(0..1)), ("column", part.columns(0..1)), ("slice", part.slice(0))]
            {
                assert_eq!(
                    message(result),
                    format!(
                        "a {name} was taken of a range of elements, a shard or ranges of indices; take it of a view of \
                         a whole tensor, whose shape is then that of the part"
                    )
                );
            }
        }
        let huge = Placement { row_pitch: Some(1 << 61), ..Placement::new(DType::F32, [1_u64 << 30, 1]) };
        let far = huge.rows(1 << 29..1 << 30).unwrap();
        let error = far.bytes(u64::MAX).unwrap_err();
        assert!(matches!(error, Error::BufferTooSmall { .. }), "{error}");
    }
}
