//! Which elements of which logical tensor a fill writes.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::Error;
use crate::layout::product;
use crate::layout::runs::StridedRuns;

/// The most elements of a tensor: bytes, blocks and their ends all fit 64 bits.
const MAX_ELEMENTS: u64 = 1 << 60;

/// A logical tensor, and the part of it that goes into the destination.
///
/// Values depend on the element's row-major index in the whole tensor and fans on the whole shape,
/// so a part holds just what the whole would hold there.
///
/// ```
/// use seedbed::Region;
///
/// let whole = Region::from([50257, 768]);
/// // A contiguous part: rows 25128 and on.
/// let second_half_of_the_rows = Region::from([50257, 768]).elements(25128 * 768..50257 * 768);
/// // What one of 2 x 4 devices holds of it: 25129 rows, and of each 192 columns.
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
    /// The whole tensor of this shape. No dimensions make a scalar, of one element.
    pub fn new(shape: impl Into<Cow<'a, [u64]>>) -> Self {
        Self { shape: shape.into(), part: Part::Whole }
    }

    /// Only these elements (row-major indexes in the whole tensor): a tensor of one dimension in the destination.
    #[must_use]
    pub fn elements(self, elements: Range<u64>) -> Self {
        Self { part: Part::Elements(elements), ..self }
    }

    /// Only the shard that begins at index `start` of the whole tensor and has this local `shape`, both with one
    /// number per dimension. Any dimensions may be cut. The destination holds it row-major.
    ///
    /// These are PyTorch's `compute_local_shape_and_global_offset`, and the slices of a JAX sharding's
    /// `devices_indices_map`.
    ///
    /// A shard whose elements are not contiguous in the whole tensor is filled in runs. Philox makes blocks of
    /// four neighbours, so a run computes each block that it touches once: nothing more than
    /// its elements where it begins and ends at multiples of four, up to four times as much for runs of one element.
    /// On a device, rows that lie more than 2^30 elements apart in the whole tensor are planned one by one.
    #[must_use]
    pub fn shard(self, start: impl AsRef<[u64]>, shape: impl AsRef<[u64]>) -> Self {
        let (start, shape) = (start.as_ref().to_vec(), shape.as_ref().to_vec());
        Self { part: Part::Shard { start, shape }, ..self }
    }

    /// The shape of the whole tensor.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The shape of what is written.
    pub fn local_shape(&self) -> Cow<'_, [u64]> {
        match &self.part {
            Part::Whole => Cow::Borrowed(&self.shape),
            Part::Elements(range) => Cow::Owned(vec![range.end.saturating_sub(range.start)]),
            Part::Shard { shape, .. } => Cow::Borrowed(shape),
        }
    }

    /// How many elements are written.
    ///
    /// # Errors
    /// [`Error::ShapeOverflow`], [`Error::ElementsOutOfRange`], [`Error::ShardRank`], [`Error::ShardOutOfRange`].
    pub fn element_count(&self) -> Result<u64, Error> {
        Ok(self.runs()?.elements())
    }

    /// The runs of the region in a destination that holds them one after the other.
    pub(crate) fn runs(&self) -> Result<StridedRuns, Error> {
        self.runs_with(None)
    }

    /// The runs of the region in a destination whose rows (of the last dimension) begin every `row_pitch` elements,
    /// a row's elements or more.
    pub(crate) fn runs_with(&self, row_pitch: Option<u64>) -> Result<StridedRuns, Error> {
        let len = product(&self.shape)
            .filter(|&len| len <= MAX_ELEMENTS)
            .ok_or_else(|| Error::ShapeOverflow { shape: self.shape.to_vec() })?;
        match &self.part {
            Part::Whole if row_pitch.is_none() => Ok(StridedRuns::contiguous(0..len)),
            Part::Whole => Ok(StridedRuns::of_shard(&self.shape, None, &self.shape, row_pitch)),
            Part::Elements(range) if range.start <= range.end && range.end <= len => {
                Ok(StridedRuns::contiguous(range.clone()))
            }
            Part::Elements(range) => Err(Error::ElementsOutOfRange {
                start: range.start,
                end: range.end,
                len,
                shape: self.shape.to_vec(),
            }),
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

impl<'a> From<&'a [u64]> for Region<'a> {
    fn from(shape: &'a [u64]) -> Self {
        Self::new(shape)
    }
}

impl<'a> From<&'a Vec<u64>> for Region<'a> {
    fn from(shape: &'a Vec<u64>) -> Self {
        Self::new(shape.as_slice())
    }
}

impl<'a, const N: usize> From<&'a [u64; N]> for Region<'a> {
    fn from(shape: &'a [u64; N]) -> Self {
        Self::new(shape.as_slice())
    }
}

impl<const N: usize> From<[u64; N]> for Region<'_> {
    fn from(shape: [u64; N]) -> Self {
        Self::new(shape.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves() {
        let runs = |region: Region<'_>| region.runs();
        assert_eq!(runs(Region::from(&[2, 3])), Ok(StridedRuns::contiguous(0..6)));
        assert_eq!(runs(Region::from(&[])), Ok(StridedRuns::contiguous(0..1)));
        assert_eq!(runs(Region::from(&[2, 3]).elements(1..6)), Ok(StridedRuns::contiguous(1..6)));
        assert_eq!(runs(Region::from(&[4, 3]).shard([1, 0], [2, 3])), Ok(StridedRuns::contiguous(3..9)));
        assert_eq!(Region::from(&[4, 3]).shard([1, 1], [2, 2]).element_count(), Ok(4));
        assert_eq!(*Region::from(&[4, 3]).elements(2..7).local_shape(), [5]);
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
        for bad in [0..7, 7..7, 3..2] {
            let error = Region::from(&[2, 3]).elements(bad).runs().unwrap_err();
            assert!(matches!(error, Error::ElementsOutOfRange { len: 6, .. }), "{error}");
        }
        assert!(matches!(runs(Region::from(&[1 << 32, 1 << 32])), Err(Error::ShapeOverflow { .. })));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn what_is_read_lies_in_its_tensor() {
        let shape = [1 << 40, 3];
        for region in [
            Region::from(&[]),
            Region::from(&[0, 7]),
            Region::from(&shape),
            Region::from(&shape).elements(1 << 41..1 << 41),
            Region::from(&shape).shard([1 << 39, 1], [1 << 38, 2]),
        ] {
            let json = serde_json::to_string(&region).unwrap();
            assert_eq!(serde_json::from_str::<Region<'static>>(&json).unwrap(), region, "{json}");
        }
        let read = |json: &str| serde_json::from_str::<Region<'static>>(json);
        assert_eq!(read(r#"{"shape":[2,3]}"#).unwrap(), Region::from([2, 3]));
        for region in [
            Region::from([1 << 32, 1 << 32]),
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
        assert!(error(&[u64::MAX, 0], &[2, 1]).contains("in dimension 0"));
        assert_eq!(
            error(&[0], &[4, 3]),
            "the shard begins at [0] and has the shape [4, 3]; \
             both need one number for each of the tensor's 2 dimensions"
        );
    }
}
