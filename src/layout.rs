//! The part of a logical tensor that a fill writes, as runs of neighbouring elements. Pure arithmetic.

pub(crate) mod matrix;
pub(crate) mod placement;
pub(crate) mod ranges;
pub(crate) mod region;
pub(crate) mod runs;
pub(crate) mod selection;
pub(crate) mod shape;

/// The product of the dimensions: 1 if there are none, 0 if any dimension is 0, `None` past 64 bits.
pub(crate) fn product(dimensions: &[u64]) -> Option<u64> {
    if dimensions.contains(&0) {
        return Some(0);
    }
    dimensions.iter().try_fold(1_u64, |n, &d| n.checked_mul(d))
}

#[cfg(test)]
mod tests {
    use super::product;

    #[test]
    fn products_are_checked() {
        assert_eq!(product(&[1, u64::MAX, 2]), None);
        assert_eq!(product(&[u64::MAX, 0, u64::MAX]), Some(0));
        assert_eq!(product(&[]), Some(1));
    }
}
