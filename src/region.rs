//! Which elements of which logical tensor a fill writes.

use std::borrow::Cow;
use std::ops::Range;

use crate::Error;
use crate::fan::product;

/// So that bytes, blocks and their ends all fit 64 bits.
const MAX_ELEMENTS: u64 = 1 << 60;

/// A logical tensor, and the contiguous part of it that goes into the destination.
///
/// Values depend on the element's row-major index in the whole tensor and fans on the whole shape,
/// so a part holds just what the whole would hold there.
///
/// ```
/// use seedbed::Region;
///
/// let whole = Region::from([50257, 768]);
/// let second_half_of_the_rows = Region::from([50257, 768]).elements(25128 * 768..50257 * 768);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region<'a> {
    shape: Cow<'a, [u64]>,
    elements: Option<Range<u64>>,
}

impl<'a> Region<'a> {
    /// The whole tensor of this shape. No dimensions make a scalar, of one element.
    pub fn new(shape: impl Into<Cow<'a, [u64]>>) -> Self {
        Self { shape: shape.into(), elements: None }
    }

    /// Only these elements (row-major indexes in the whole tensor).
    #[must_use]
    pub fn elements(self, elements: Range<u64>) -> Self {
        Self { elements: Some(elements), ..self }
    }

    /// The shape of the whole tensor.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The elements that are written.
    ///
    /// # Errors
    /// [`Error::ShapeOverflow`], [`Error::ElementsOutOfRange`].
    pub fn resolve(&self) -> Result<Range<u64>, Error> {
        let len = product(&self.shape)
            .filter(|&len| len <= MAX_ELEMENTS)
            .ok_or_else(|| Error::ShapeOverflow { shape: self.shape.to_vec() })?;
        match &self.elements {
            None => Ok(0..len),
            Some(range) if range.start <= range.end && range.end <= len => Ok(range.clone()),
            Some(range) => Err(Error::ElementsOutOfRange {
                start: range.start,
                end: range.end,
                len,
                shape: self.shape.to_vec(),
            }),
        }
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
        assert_eq!(Region::from(&[2, 3]).resolve(), Ok(0..6));
        assert_eq!(Region::from(&[]).resolve(), Ok(0..1));
        assert_eq!(Region::from(&[2, 3]).elements(1..6).resolve(), Ok(1..6));
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
        for bad in [0..7, 7..7, 3..2] {
            let error = Region::from(&[2, 3]).elements(bad).resolve().unwrap_err();
            assert!(matches!(error, Error::ElementsOutOfRange { len: 6, .. }), "{error}");
        }
        assert!(matches!(Region::from(&[1 << 32, 1 << 32]).resolve(), Err(Error::ShapeOverflow { .. })));
    }
}
