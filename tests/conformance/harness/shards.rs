//! Shards, which are boxes of a tensor: those that a mesh of devices cuts, and those far from the tensor's
//! beginning.

use std::ops::Range;

use proptest::prelude::*;
use seedbed::{DType, Init, Key, Region};

use super::destinations::bytes_of;
use super::engines::Engine;

/// A box of a tensor: its first index and its shape.
#[derive(Clone, Debug)]
pub struct Shard {
    pub start: Vec<u64>,
    pub shape: Vec<u64>,
}

impl Shard {
    /// The shard's elements, taken one after the other from all elements of a tensor of this shape.
    pub fn take(&self, whole: &[u8], size: u64, shape: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0..self.shape.iter().product() {
            let element = element_at(shape, &self.start, &self.shape, number);
            bytes.extend(&whole[(element * size) as usize..][..size as usize]);
        }
        bytes
    }
}

/// The index, in a tensor of this shape, of an element that a shard counts in row-major order.
fn element_at(shape: &[u64], start: &[u64], local: &[u64], number: u64) -> u64 {
    let (mut rest, mut element, mut stride) = (number, 0, 1);
    for axis in (0..shape.len()).rev() {
        element += stride * (start[axis] + rest % local[axis]);
        rest /= local[axis];
        stride *= shape[axis];
    }
    element
}

/// The element types and raw words.
pub const TYPES: [DType; 4] = [DType::F32, DType::F16, DType::BF16, DType::U32];

/// A tensor that is cut for a mesh of devices. Each dimension is cut at its bounds, which go from 0 to its
/// size.
#[derive(Clone, Debug)]
pub struct Mesh {
    pub shape: Vec<u64>,
    pub bounds: Vec<Vec<u64>>,
}

impl Mesh {
    /// All shards, in row-major order of the mesh.
    pub fn shards(&self) -> Vec<Shard> {
        let mut shards = vec![Shard { start: vec![], shape: vec![] }];
        for bounds in &self.bounds {
            let ranges = || bounds.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
            shards = shards
                .iter()
                .flat_map(|shard| {
                    ranges().map(|(start, len)| Shard {
                        start: [&shard.start[..], &[start]].concat(),
                        shape: [&shard.shape[..], &[len]].concat(),
                    })
                })
                .collect();
        }
        shards
    }

    /// The same mesh without cuts in the dimensions between the first and the last. With a row pitch such
    /// shards are sub-views of the whole.
    pub fn of_rows_and_columns(&self) -> Self {
        let Self { shape, mut bounds } = self.clone();
        let last = bounds.len().saturating_sub(1);
        for axis in 1..last {
            bounds[axis] = vec![0, shape[axis]];
        }
        Self { shape, bounds }
    }
}

/// Shapes of up to six dimensions with sizes of 1, odd sizes, and multiples of 4 and 8; or shapes with long
/// rows.
pub fn shape() -> impl Strategy<Value = Vec<u64>> {
    const MAX_ELEMENTS: u64 = 9000;
    let small = (0..=6_usize).prop_flat_map(|rank| {
        let max = [1, 300, 90, 24, 10, 7, 5][rank];
        let dimension = prop_oneof![
            1 => Just(1),
            2 => (0..(max / 4).max(1)).prop_map(|n| 4 * n + 4),
            1 => (0..(max / 8).max(1)).prop_map(|n| 8 * n + 8),
            3 => 2..=max.max(2),
        ];
        prop::collection::vec(dimension.prop_map(move |n| n.min(max)), rank)
    });
    let row = prop_oneof![500..6000_u64, (125..1500_u64).prop_map(|n| 4 * n)];
    let long = (prop::collection::vec(1..6_u64, 0..=2), row)
        .prop_map(|(rows, row)| rows.into_iter().chain([row]).collect());
    prop_oneof![4 => small, 1 => long].prop_map(|mut shape: Vec<u64>| {
        let mut left = MAX_ELEMENTS;
        for dimension in shape.iter_mut().rev() {
            *dimension = left.min(*dimension);
            left /= *dimension;
        }
        shape
    })
}

/// Meshes with cuts anywhere. Half of the cuts are at multiples of four, and a cut may occur twice.
fn mesh() -> impl Strategy<Value = Mesh> {
    const MAX_SHARDS: usize = 40;
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..=4);
    (shape(), prop::collection::vec(cuts, 6)).prop_map(|(shape, cuts)| {
        let mut left = MAX_SHARDS;
        let bounds = shape.iter().zip(cuts).map(|(&len, mut cuts)| {
            cuts.truncate(left - 1);
            left /= cuts.len() + 1;
            let cut = |(index, aligned): &(prop::sample::Index, bool)| {
                let at = index.index(len as usize + 1) as u64;
                if *aligned { at / 4 * 4 } else { at }
            };
            let mut bounds: Vec<u64> = cuts.iter().map(cut).chain([0, len]).collect();
            bounds.sort_unstable();
            bounds
        });
        let bounds = bounds.collect();
        Mesh { shape, bounds }
    })
}

pub fn random_key() -> impl Strategy<Value = Key> {
    // Within the tensor, counters wrap or pass 32 bits.
    let offset = prop_oneof![any::<u64>(), u64::MAX - 2000..=u64::MAX, (1_u64 << 32) - 2000..1 << 32];
    (any::<u64>(), offset).prop_map(|(seed, offset)| Key { seed, offset })
}

/// A mesh, and the fill of its shards.
pub fn cut_up(initialisers: fn(&[u64]) -> Vec<Init>) -> impl Strategy<Value = (Mesh, DType, Init, Key)> {
    (mesh(), prop::sample::select(TYPES.as_slice()), any::<prop::sample::Index>(), random_key()).prop_map(
        move |(mesh, dtype, init, key)| {
            let init = *init.get(&initialisers(&mesh.shape));
            (mesh, dtype, init, key)
        },
    )
}

/// Shards with elements far beyond 2^32 and 2^50, and with rows that are as far from one another: the shape
/// of the tensor, the start and the shape of the shard.
pub const FAR: [(&[u64], &[u64], &[u64]); 12] = [
    (&[1 << 20, 1 << 30], &[(1 << 20) - 3, (1 << 30) - 5], &[3, 5]),
    (&[1 << 20, 1 << 30], &[1 << 19, (1 << 29) + 3], &[2, 301]),
    (&[1 << 20, (1 << 30) - 1], &[3, 1 << 29], &[300, 2]),
    (&[1 << 30, 1 << 30], &[(1 << 30) - 2, (1 << 30) - 9], &[2, 9]),
    (&[70_000, 70_000, 4], &[69_990, 69_995, 1], &[3, 5, 2]),
    (&[70_000, 70_000, 4], &[0, 69_999, 0], &[9, 1, 4]),
    (&[70_000, 4, 70_000], &[61_356, 1, 69_998], &[4, 3, 2]),
    (&[1 << 10; 6], &[1023, 0, 511, 1000, 1022, 1], &[1, 2, 2, 3, 2, 5]),
    (&[3, 1 << 40], &[1, (1 << 40) - 7], &[2, 7]),
    (&[(1 << 40) + 1, 3], &[(1 << 40) - 999, 1], &[1000, 2]),
    (&[5, 3, (1 << 33) + 2], &[2, 1, 1 << 32], &[3, 2, 4]),
    (&[1 << 59, 2], &[(1 << 59) - 100, 1], &[100, 1]),
];

/// The rows of a shard, each a range of elements of the tensor.
pub fn rows_of(shape: &[u64], start: &[u64], local: &[u64]) -> Vec<Range<u64>> {
    let (row, rows) = (local[local.len() - 1], local[..local.len() - 1].iter().product());
    let first = |number| element_at(shape, start, local, number * row);
    (0..rows).map(|number| first(number)..first(number) + row).collect()
}

pub fn rows_on_the_host(shape: &[u64], rows: &[Range<u64>], dtype: DType, init: &Init, key: Key) -> Vec<u8> {
    let row = |row: &Range<u64>| {
        bytes_of(&Engine::Host, dtype, Region::from(shape).elements(row.clone()), init, key)
    };
    rows.iter().flat_map(row).collect()
}
