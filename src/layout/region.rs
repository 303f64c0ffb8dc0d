//! The elements of a logical tensor that a fill writes.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::Error;
use crate::layout::product;
use crate::layout::ranges::{self, OuterProduct};
use crate::layout::runs::StridedRuns;
use crate::layout::selection::Selection;
use crate::layout::shape::{Count, IntoShape, check_dimensions, not_negative};

/// The largest element count: byte offsets, block indexes and the ends of ranges then fit 64 bits.
const MAX_ELEMENTS: u64 = 1 << 60;

/// A logical tensor, and the part of it that goes into the destination.
///
/// An element's value depends on its row-major index in the whole tensor, and fans depend on the whole shape.
/// So a part holds exactly the values that the whole tensor has there.
///
/// ```
/// use seedbed::Region;
///
/// let whole = Region::from([50257, 768]);
/// // A contiguous part: rows 25128 and on.
/// let second_half_of_the_rows = Region::from([50257, 768]).elements(25128 * 768..50257 * 768);
/// // The shard of one of 2 x 4 devices: 25129 rows, and 192 columns of each.
/// let shard = Region::from([50257, 768]).shard([0, 576], [25129, 192]);
/// // Two ranges of rows: the destination holds 200 rows.
/// let two_ranges = Region::from([50257, 768]).ranges([vec![0..100, 25000..25100], vec![0..768]]);
/// ```
///
/// The feature `serde` serialises a `Region` as its shape and its part. Deserialising gives a region that
/// owns its shape, and refuses a part that reaches out of the tensor.
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seedbed::Region;
/// for (json, region) in [
///     (r#"{"shape":[4,3],"part":"whole"}"#, Region::from([4, 3])),
///     (r#"{"shape":[4,3],"part":{"elements":{"start":2,"end":7}}}"#, Region::from([4, 3]).elements(2..7)),
///     (
///         r#"{"shape":[4,3],"part":{"shard":{"start":[0,1],"shape":[4,2]}}}"#,
///         Region::from([4, 3]).shard([0, 1], [4, 2]),
///     ),
///     (
///         r#"{"shape":[4,3],"part":{"ranges":[[{"start":0,"end":1},{"start":2,"end":4}],[{"start":0,"end":3}]]}}"#,
///         Region::from([4, 3]).ranges([vec![0..1, 2..4], vec![0..3]]),
///     ),
/// ] {
///     assert_eq!(serde_json::to_string(&region)?, json);
///     assert_eq!(serde_json::from_str::<Region<'static>>(json)?, region);
/// }
/// # }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Unchecked"))]
pub struct Region<'a> {
    shape: Cow<'a, [u64]>,
    part: Part,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase", deny_unknown_fields))]
enum Part {
    #[default]
    Whole,
    Elements(Range<u64>),
    Shard {
        start: Vec<u64>,
        shape: Vec<u64>,
    },
    Ranges(Vec<Vec<Range<u64>>>),
}

impl<'a> Region<'a> {
    /// The whole tensor of this shape. A shape without dimensions is a scalar: one element.
    pub fn new(shape: impl IntoShape<'a>) -> Self {
        Self { shape: shape.into_shape(), part: Part::Whole }
    }

    /// Selects a range of elements, by row-major index in the whole tensor. The destination holds the range
    /// as a tensor of one dimension.
    #[must_use]
    pub fn elements<C: Count>(self, elements: Range<C>) -> Self {
        Self { part: Part::Elements(elements.start.to_u64()..elements.end.to_u64()), ..self }
    }

    /// Selects the shard that begins at index `start` of the whole tensor and has the local shape `shape`.
    /// Both have one number per dimension. Any dimensions may be cut. The destination holds the shard
    /// row-major.
    ///
    /// PyTorch's `compute_local_shape_and_global_offset` gives `shape` and `start`; so do the slices of a JAX
    /// sharding's `devices_indices_map`.
    ///
    /// A shard whose elements are not contiguous in the whole tensor is filled in runs. Philox makes blocks
    /// of four neighbouring elements, and a run computes each block that the run touches once. A run that
    /// begins and ends at multiples of four computes no other element; a run of one element computes four times
    /// as much as it writes. On a device, rows that lie more than 2^30 elements apart in the whole tensor are
    /// planned one by one.
    #[must_use]
    pub fn shard<'b>(self, start: impl IntoShape<'b>, shape: impl IntoShape<'b>) -> Self {
        let (start, shape) = (start.into_shape().into_owned(), shape.into_shape().into_owned());
        Self { part: Part::Shard { start, shape }, ..self }
    }

    /// Selects the elements at the outer product of index ranges: one list of ranges for each dimension. The
    /// destination holds the elements at every combination of listed indices, row-major, in the order of the
    /// lists, as numpy's `x[np.ix_(rows, columns)]` does. Ranges may stand in any order, and may have indices in
    /// common.
    ///
    /// ```
    /// use seedbed::{Init, Key, Region, host};
    ///
    /// let (init, key) = (Init::normal(0.0, 1.0), Key::new(42));
    /// let mut whole = [0.0_f32; 8 * 3];
    /// host::fill(&mut whole, [8, 3], &init, key)?;
    /// // Rows 0, 1, 6 and 7, and all columns.
    /// let mut part = [0.0_f32; 4 * 3];
    /// host::fill(&mut part, Region::from([8, 3]).ranges([vec![0..2, 6..8], vec![0..3]]), &init, key)?;
    /// assert_eq!((&part[..6], &part[6..]), (&whole[..6], &whole[18..]));
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// PyTorch's `_StridedShard` gives one process several ranges of rows. A view of a parameter may be several
    /// ranges too.
    ///
    /// Empty ranges are left out, and a range that begins where the last one ends continues that range. Lists of one
    /// range each are a [`shard`](Self::shard), whose documentation says what a run costs. Lists of several ranges
    /// are several rectangles, one for each combination of ranges. Ranges of one length at equal distances count
    /// as one range here; a range of 2^16 elements or more counts alone.
    ///
    /// On a device a rectangle is planned like a shard of its own: a program takes about 300 bytes more for each
    /// rectangle, 240 of them in a buffer on the device, and up to 64 rectangles share a dispatch. The host looks up
    /// each run by a binary search in each list, and takes memory for the lists alone.
    #[must_use]
    pub fn ranges<C: Count, L: IntoIterator<Item = Range<C>>>(
        self,
        ranges: impl IntoIterator<Item = L>,
    ) -> Self {
        let list = |list: L| list.into_iter().map(|range| range.start.to_u64()..range.end.to_u64()).collect();
        Self { part: Part::Ranges(ranges.into_iter().map(list).collect()), ..self }
    }

    /// The same region with its own copy of the shape.
    #[must_use]
    pub fn into_owned(self) -> Region<'static> {
        Region { shape: Cow::Owned(self.shape.into_owned()), part: self.part }
    }

    /// Whether the region is a range of elements, a shard or ranges of indices.
    pub(crate) fn is_part(&self) -> bool {
        !matches!(self.part, Part::Whole)
    }

    /// The shape of the whole tensor.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The shape of the part that is written.
    pub fn local_shape(&self) -> Cow<'_, [u64]> {
        match &self.part {
            Part::Whole => Cow::Borrowed(&self.shape),
            Part::Elements(range) => Cow::Owned(vec![range.end.saturating_sub(range.start)]),
            Part::Shard { shape, .. } => Cow::Borrowed(shape),
            Part::Ranges(lists) => Cow::Owned(ranges::local_shape(lists)),
        }
    }

    /// The number of elements that are written.
    ///
    /// # Errors
    /// [`Error::Negative`], [`Error::ShapeOverflow`], [`Error::ElementsOutOfRange`], [`Error::ShardRank`],
    /// [`Error::ShardOutOfRange`], [`Error::RangesRank`], [`Error::RangeOutOfRange`], [`Error::RangeReversed`].
    pub fn element_count(&self) -> Result<u64, Error> {
        match &self.part {
            // A selection of ranges takes memory; their number takes none.
            Part::Ranges(lists) => self.tensor_len().and_then(|_| self.check_ranges(lists)),
            _ => Ok(self.selection()?.elements()),
        }
    }

    /// The elements of the region, in a destination whose rows follow each other without a gap.
    pub(crate) fn selection(&self) -> Result<Selection, Error> {
        self.selection_with(None)
    }

    /// The number of elements of the whole tensor.
    fn tensor_len(&self) -> Result<u64, Error> {
        check_dimensions(&self.shape)?;
        checked_product(&self.shape)
    }

    /// The elements of the region, in a destination whose rows (of the last dimension) begin every `row_pitch`
    /// elements. `row_pitch` is at least the number of elements of a row.
    pub(crate) fn selection_with(&self, row_pitch: Option<u64>) -> Result<Selection, Error> {
        let len = self.tensor_len()?;
        let runs = match &self.part {
            Part::Whole if row_pitch.is_none() => StridedRuns::contiguous(0..len),
            Part::Whole => StridedRuns::of_shard(&self.shape, None, &self.shape, row_pitch),
            Part::Elements(range) if range.start <= range.end && range.end <= len => {
                StridedRuns::contiguous(range.clone())
            }
            Part::Elements(range) => {
                not_negative("the first element", range.start)?;
                not_negative("the end of the elements", range.end)?;
                let (start, end, shape) = (range.start, range.end, self.shape.to_vec());
                return Err(Error::ElementsOutOfRange { start, end, len, shape });
            }
            Part::Shard { start, shape } => {
                self.check_shard(start, shape)?;
                StridedRuns::of_shard(&self.shape, Some(start), shape, row_pitch)
            }
            Part::Ranges(lists) if self.check_ranges(lists)? == 0 => StridedRuns::contiguous(0..0),
            Part::Ranges(lists) => {
                let product = OuterProduct::new(&self.shape, lists, row_pitch);
                match product.as_rectangle() {
                    Some(runs) => runs,
                    None => return Ok(Selection::Product(product)),
                }
            }
        };
        Ok(Selection::Rectangle(runs))
    }

    /// Checks lists of ranges, and counts their elements.
    fn check_ranges(&self, lists: &[Vec<Range<u64>>]) -> Result<u64, Error> {
        ranges::check(&self.shape, lists)?;
        checked_product(&ranges::local_shape(lists))
    }

    fn check_shard(&self, start: &[u64], local: &[u64]) -> Result<(), Error> {
        let rank = self.shape.len();
        if start.len() != rank || local.len() != rank {
            return Err(Error::ShardRank { start: start.to_vec(), local: local.to_vec(), rank });
        }
        for (dimension, ((&start, &extent), &len)) in start.iter().zip(local).zip(&*self.shape).enumerate() {
            if start.checked_add(extent).is_none_or(|end| end > len) {
                not_negative("the shard's first index", start)?;
                not_negative("a dimension of the shard", extent)?;
                return Err(Error::ShardOutOfRange { dimension, start, extent, len });
            }
        }
        Ok(())
    }
}

/// The number of elements of a tensor of this shape.
fn checked_product(shape: &[u64]) -> Result<u64, Error> {
    let len = product(shape).filter(|&len| len <= MAX_ELEMENTS);
    len.ok_or_else(|| Error::ShapeOverflow { shape: shape.to_vec() })
}

/// A region as it is read, which may reach out of its tensor.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(rename = "Region", deny_unknown_fields)]
struct Unchecked {
    shape: Vec<u64>,
    #[serde(default)]
    part: Part,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for Region<'_> {
    type Error = Error;

    fn try_from(Unchecked { shape, part }: Unchecked) -> Result<Self, Error> {
        let region = Self { shape: shape.into(), part };
        region.element_count()?;
        Ok(region)
    }
}

impl<'a, S: IntoShape<'a>> From<S> for Region<'a> {
    fn from(shape: S) -> Self {
        Self::new(shape)
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of one range")]
mod tests {
    use super::*;

    #[test]
    fn resolves() {
        let selection = |region: Region<'_>| region.selection();
        let run = |elements| Ok(Selection::Rectangle(StridedRuns::contiguous(elements)));
        assert_eq!(selection(Region::from(&[2, 3])), run(0..6));
        assert_eq!(selection(Region::from(())), run(0..1));
        assert_eq!(selection(Region::from(&[2, 3]).elements(1..6)), run(1..6));
        assert_eq!(selection(Region::from(&[4, 3]).shard([1, 0], [2, 3])), run(3..9));
        assert_eq!(Region::from(&[4, 3]).shard([1, 1], [2, 2]).element_count(), Ok(4));
        assert_eq!(*Region::from(&[4, 3]).elements(2..7).local_shape(), [5]);
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
        for bad in [0..7, 7..7, 3..2] {
            let error = Region::from(&[2, 3]).elements(bad).selection().unwrap_err();
            assert!(matches!(error, Error::ElementsOutOfRange { len: 6, .. }), "{error}");
        }
        assert!(matches!(selection(Region::from(&[1_u64 << 32, 1 << 32])), Err(Error::ShapeOverflow { .. })));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn what_is_read_lies_in_its_tensor() {
        let shape = [1_u64 << 40, 3];
        for region in [
            Region::from(()),
            Region::from(&[0, 7]),
            Region::from(&shape),
            Region::from(&shape).elements(1_u64 << 41..1 << 41),
            Region::from(&shape).shard([1_u64 << 39, 1], [1_u64 << 38, 2]),
            Region::from(&shape).ranges([vec![1_u64 << 39..1 << 40, 0..2, 7..7], vec![2..3, 0..1]]),
            Region::from(&[0, 7]).ranges([vec![], vec![0..7]]),
            Region::from(()).ranges(Vec::<Vec<Range<u64>>>::new()),
        ] {
            let json = serde_json::to_string(&region).unwrap();
            assert_eq!(serde_json::from_str::<Region<'static>>(&json).unwrap(), region, "{json}");
        }
        let read = |json: &str| serde_json::from_str::<Region<'static>>(json);
        assert_eq!(read(r#"{"shape":[2,3]}"#).unwrap(), Region::from([2, 3]));
        for region in [
            Region::from([1_u64 << 32, 1 << 32]),
            Region::from([2, 3]).elements(0..7),
            Region::from([2, 3]).shard([0], [2, 3]),
            Region::from([2, 3]).shard([1, 0], [2, 3]),
            Region::from([2, 3]).ranges([vec![0..2]]),
            Region::from([2, 3]).ranges([vec![0..1], vec![0..1, 3..4]]),
        ] {
            let error = read(&serde_json::to_string(&region).unwrap()).unwrap_err().to_string();
            assert!(error.starts_with(&region.element_count().unwrap_err().to_string()), "{error}");
        }
        for bad in [
            r#"{"part":"whole"}"#,
            r#"{"shape":[-1]}"#,
            r#"{"shape":[1],"part":"half"}"#,
            r#"{"shape":[1],"x":0}"#,
            r#"{"shape":[3],"part":{"ranges":[[{"start":2,"end":1}]]}}"#,
            r#"{"shape":[3],"part":{"ranges":[[{"start":-1,"end":1}]]}}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_shards_are_named() {
        let error = |start: &[u64], local: &[u64]| {
            Region::from(&[4, 3]).shard(start, local).element_count().unwrap_err().to_string()
        };
        assert_eq!(
            error(&[0, 2], &[4, 2]),
            "the shard has 2 elements from 2 on in dimension 1, of which the tensor has 3"
        );
        assert!(error(&[i64::MAX as u64, 0], &[2, 1]).contains("in dimension 0"));
        assert_eq!(
            error(&[0], &[4, 3]),
            "the shard begins at [0] and has the shape [4, 3]; \
             both need one number for each of the tensor's 2 dimensions"
        );
    }

    #[test]
    fn ranges_of_one_rectangle_are_a_shard() {
        let whole = || Region::from([8, 4, 5]);
        for (ranges, start, local) in [
            ([vec![2..5], vec![0..4], vec![1..2]], [2, 0, 1], [3, 4, 1]),
            ([vec![0..2, 2..4, 4..4, 4..7], vec![0..0, 3..4], vec![0..5]], [0, 3, 0], [7, 1, 5]),
            ([vec![5..5, 2..5], vec![1..3, 3..4], vec![0..1, 1..4, 4..5]], [2, 1, 0], [3, 3, 5]),
        ] {
            let (region, shard) = (whole().ranges(ranges), whole().shard(start, local));
            for row_pitch in [None, Some(5), Some(7)] {
                assert_eq!(region.selection_with(row_pitch), shard.selection_with(row_pitch));
            }
            assert_eq!(region.local_shape(), shard.local_shape());
        }
        let empty = whole().ranges([vec![2..5, 0..1], vec![], vec![1..2, 0..1]]);
        assert_eq!(empty.selection(), Ok(Selection::Rectangle(StridedRuns::contiguous(0..0))));
        assert_eq!(*empty.local_shape(), [4, 0, 2]);
    }

    #[test]
    fn bad_ranges_are_named() {
        fn error<C: Count, const N: usize>(ranges: [Vec<Range<C>>; N]) -> String {
            Region::from(&[8, 3]).ranges(ranges).element_count().unwrap_err().to_string()
        }
        let one = |range: Range<i32>| error([vec![0..2, range], vec![0..3]]);
        assert_eq!(
            one(6..9),
            "the range 6..9 of dimension 0 reaches out of the tensor, which has the indices 0..8 there"
        );
        assert_eq!(
            one(-1..3),
            "the range -1..3 of dimension 0 reaches out of the tensor, which has the indices 0..8 there"
        );
        assert_eq!(
            error([vec![0..8], vec![9..9_u64]]),
            "the range 9..9 of dimension 1 reaches out of the tensor, which has the indices 0..3 there"
        );
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
        let reversed = one(6..2);
        assert_eq!(
            reversed,
            "the range 6..2 of dimension 0 ends before it begins; give the smaller index first"
        );
        assert_eq!(
            error([vec![0..2]]),
            "the ranges have 1 lists; give one list for each of the tensor's 2 dimensions"
        );
        let all = 0_u64..1 << 30;
        let often = Region::from([1_u64 << 30, 1 << 30]).ranges([vec![all.clone()], vec![all.clone(), all]]);
        assert_eq!(
            often.element_count().unwrap_err().to_string(),
            "the shape [1073741824, 2147483648] has more than 2^60 elements"
        );
        assert_eq!(often.selection().unwrap_err(), often.element_count().unwrap_err());
    }
}
