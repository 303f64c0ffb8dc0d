//! The elements of a logical tensor that a fill writes.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::Error;
use crate::layout::product;
use crate::layout::runs::StridedRuns;
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

    /// The same region with its own copy of the shape.
    #[must_use]
    pub fn into_owned(self) -> Region<'static> {
        Region { shape: Cow::Owned(self.shape.into_owned()), part: self.part }
    }

    /// Whether the region is a range of elements or a shard.
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
        }
    }

    /// The number of elements that are written.
    ///
    /// # Errors
    /// [`Error::Negative`], [`Error::ShapeOverflow`], [`Error::ElementsOutOfRange`], [`Error::ShardRank`],
    /// [`Error::ShardOutOfRange`].
    pub fn element_count(&self) -> Result<u64, Error> {
        Ok(self.runs()?.elements())
    }

    /// The runs of the region, in a destination whose rows follow each other without a gap.
    pub(crate) fn runs(&self) -> Result<StridedRuns, Error> {
        self.runs_with(None)
    }

    /// The runs of the region, in a destination whose rows (of the last dimension) begin every `row_pitch`
    /// elements. `row_pitch` is at least the number of elements of a row.
    pub(crate) fn runs_with(&self, row_pitch: Option<u64>) -> Result<StridedRuns, Error> {
        check_dimensions(&self.shape)?;
        let len = product(&self.shape)
            .filter(|&len| len <= MAX_ELEMENTS)
            .ok_or_else(|| Error::ShapeOverflow { shape: self.shape.to_vec() })?;
        match &self.part {
            Part::Whole if row_pitch.is_none() => Ok(StridedRuns::contiguous(0..len)),
            Part::Whole => Ok(StridedRuns::of_shard(&self.shape, None, &self.shape, row_pitch)),
            Part::Elements(range) if range.start <= range.end && range.end <= len => {
                Ok(StridedRuns::contiguous(range.clone()))
            }
            Part::Elements(range) => {
                not_negative("the first element", range.start)?;
                not_negative("the end of the elements", range.end)?;
                let (start, end, shape) = (range.start, range.end, self.shape.to_vec());
                Err(Error::ElementsOutOfRange { start, end, len, shape })
            }
            Part::Shard { start, shape } => {
                self.check_shard(start, shape)?;
                Ok(StridedRuns::of_shard(&self.shape, Some(start), shape, row_pitch))
            }
        }
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
mod tests {
    use super::*;

    #[test]
    fn resolves() {
        let runs = |region: Region<'_>| region.runs();
        assert_eq!(runs(Region::from(&[2, 3])), Ok(StridedRuns::contiguous(0..6)));
        assert_eq!(runs(Region::from(())), Ok(StridedRuns::contiguous(0..1)));
        assert_eq!(runs(Region::from(&[2, 3]).elements(1..6)), Ok(StridedRuns::contiguous(1..6)));
        assert_eq!(runs(Region::from(&[4, 3]).shard([1, 0], [2, 3])), Ok(StridedRuns::contiguous(3..9)));
        assert_eq!(Region::from(&[4, 3]).shard([1, 1], [2, 2]).element_count(), Ok(4));
        assert_eq!(*Region::from(&[4, 3]).elements(2..7).local_shape(), [5]);
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
        for bad in [0..7, 7..7, 3..2] {
            let error = Region::from(&[2, 3]).elements(bad).runs().unwrap_err();
            assert!(matches!(error, Error::ElementsOutOfRange { len: 6, .. }), "{error}");
        }
        assert!(matches!(runs(Region::from(&[1_u64 << 32, 1 << 32])), Err(Error::ShapeOverflow { .. })));
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
        ] {
            let error = read(&serde_json::to_string(&region).unwrap()).unwrap_err().to_string();
            assert!(error.starts_with(&region.element_count().unwrap_err().to_string()), "{error}");
        }
        for bad in [
            r#"{"part":"whole"}"#,
            r#"{"shape":[-1]}"#,
            r#"{"shape":[1],"part":"half"}"#,
            r#"{"shape":[1],"x":0}"#,
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
}
