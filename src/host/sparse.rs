//! The zeros of `sparse_`: `shaders/fill_sparse.wgsl`.

use super::permute::{Rectangle, permute};
use super::philox::philox4x32_10;
use crate::Key;
use crate::matrix::Place;

/// The stream whose block `j` is the key of column `j`'s permutation.
pub(crate) fn columns_key(key: Key) -> Key {
    key.named("sparse.columns")
}

/// Whether an element is one of the zeros of its column. `columns` is the [`columns_key`].
pub(crate) fn is_zero(columns: Key, rectangle: Rectangle, zeros: u32, place: Place) -> bool {
    let key = philox4x32_10(columns.counter(place.column.into()), columns.seed);
    permute(rectangle, place.row, key) < zeros
}
