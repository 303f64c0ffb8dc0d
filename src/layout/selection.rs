//! The elements of a region, in the order of their destination.

use std::borrow::Cow;

use super::ranges::OuterProduct;
use super::runs::StridedRuns;

/// The elements of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// One rectangle: the whole tensor, a range of elements, a shard, or ranges that repeat each other.
    Rectangle(StridedRuns),
    /// Several rectangles.
    Product(OuterProduct),
}

impl Selection {
    pub(crate) fn is_empty(&self) -> bool {
        // A product has no empty list of ranges.
        matches!(self, Self::Rectangle(runs) if runs.is_empty())
    }

    /// The number of elements.
    pub(crate) fn elements(&self) -> u64 {
        match self {
            Self::Rectangle(runs) => runs.elements(),
            Self::Product(product) => product.elements(),
        }
    }

    /// The number of elements of the destination from the first to the last that is written; `None` past 64 bits.
    pub(crate) fn span(&self) -> Option<u64> {
        match self {
            Self::Rectangle(runs) => runs.span(),
            Self::Product(product) => product.span(),
        }
    }

    /// The first element, if all elements are one run.
    pub(crate) fn as_run(&self) -> Option<u64> {
        match self {
            Self::Rectangle(runs) if runs.dims.is_empty() => Some(runs.first),
            _ => None,
        }
    }

    /// The length of all runs, or 1 where lengths differ.
    pub(crate) fn run_len(&self) -> u64 {
        match self {
            Self::Rectangle(runs) => runs.len,
            Self::Product(_) => 1,
        }
    }

    /// The element at this position of the elements, and the number of neighbours from the element on.
    pub(crate) fn neighbours_at(&self, position: u64) -> (u64, u64) {
        match self {
            Self::Rectangle(runs) => runs.neighbours_at(position),
            Self::Product(product) => product.neighbours_at(position),
        }
    }

    /// The number of rectangles.
    pub(crate) fn rectangles(&self) -> u64 {
        match self {
            Self::Rectangle(runs) => (!runs.is_empty()).into(),
            Self::Product(product) => product.rectangles(),
        }
    }

    /// A rectangle: the index of its first element in the destination, and its runs.
    pub(crate) fn rectangle(&self, number: u64) -> (u64, Cow<'_, StridedRuns>) {
        match self {
            Self::Rectangle(runs) => (0, Cow::Borrowed(runs)),
            Self::Product(product) => {
                let (first, runs) = product.rectangle(number);
                (first, Cow::Owned(runs))
            }
        }
    }
}
