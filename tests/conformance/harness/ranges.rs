//! Ranges of indices, a list of them for each dimension of a tensor.

use std::ops::Range;

use proptest::prelude::*;
use seedbed::{DType, Init, Key};

use super::shards::{TYPES, random_key, shape};

/// Lists of ranges, one for each dimension.
pub type Lists = Vec<Vec<Range<u64>>>;

/// The elements at every combination of listed indices, taken from all elements of a tensor of this shape.
pub fn take(lists: &Lists, whole: &[u8], size: u64, shape: &[u64]) -> Vec<u8> {
    let mut elements = vec![0];
    for (list, len) in lists.iter().zip(shape) {
        let along = |element: u64| list.iter().cloned().flatten().map(move |index| element * len + index);
        elements = elements.into_iter().flat_map(along).collect();
    }
    elements
        .iter()
        .flat_map(|element| &whole[(element * size) as usize..][..size as usize])
        .copied()
        .collect()
}

/// Every `step`-th range of `len` indices, from `first` on, in a dimension of `size` indices.
pub fn every(step: u64, first: u64, len: u64, size: u64) -> Vec<Range<u64>> {
    (first..size).step_by(step as usize).map(|start| start..(start + len).min(size)).collect()
}

/// A list for a dimension of `size` indices: ranges in any order, which may be empty or have indices in common; or
/// equal ranges at equal distances; or all indices.
fn list(size: u64) -> impl Strategy<Value = Vec<Range<u64>>> {
    // Half of the bounds are at multiples of four.
    let bound = (0..=size, any::<bool>()).prop_map(|(at, aligned)| if aligned { at / 4 * 4 } else { at });
    let range = [bound.clone(), bound].prop_map(|[a, b]| a.min(b)..a.max(b));
    let equal = (1..=size.min(9), 0..9_u64, 0..size);
    prop_oneof![
        prop::collection::vec(range, 0..5),
        equal.prop_map(move |(len, gap, first)| every(len + gap, first, len, size)),
        Just(std::iter::once(0..size).collect()),
    ]
}

/// A tensor, the ranges of it, and their fill. The ranges list no more elements than `max`.
pub fn some_ranges(
    max: u64,
    initialisers: fn(&[u64]) -> Vec<Init>,
) -> impl Strategy<Value = (Vec<u64>, Lists, DType, Init, Key)> {
    let lists = shape().prop_flat_map(|shape| {
        let lists: Vec<_> = shape.iter().map(|&size| list(size)).collect();
        (Just(shape), lists)
    });
    let lists = lists.prop_filter("few elements", move |(_, lists)| {
        lists.iter().map(|list| list.iter().cloned().flatten().count() as u64).product::<u64>() <= max
    });
    (lists, prop::sample::select(TYPES.as_slice()), any::<prop::sample::Index>(), random_key()).prop_map(
        move |((shape, lists), dtype, init, key)| {
            let init = *init.get(&initialisers(&shape));
            (shape, lists, dtype, init, key)
        },
    )
}
