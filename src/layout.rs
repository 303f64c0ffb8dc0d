//! Where a fill writes: a part of a logical tensor, as runs of neighbouring elements. Pure arithmetic.

pub(crate) mod matrix;
pub(crate) mod placement;
pub(crate) mod region;
pub(crate) mod runs;

/// Product of the dimensions: 1 for none, `None` past 64 bits. A zero anywhere makes it 0.
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
