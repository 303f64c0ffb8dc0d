//! The zeros of `sparse_`: `shaders/fill_sparse.wgsl`. `Tile::sparse` puts them to their places.

use crate::Key;

/// The stream whose block `j` is the key of column `j`'s permutation.
pub(crate) fn columns_key(key: Key) -> Key {
    key.named("sparse.columns")
}
