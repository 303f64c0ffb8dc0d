//! A tile: blocks that are computed together. Each step of the arithmetic is a loop over all blocks of the
//! tile.

use crate::key::Key;
use crate::layout::matrix::{Matrix, MatrixIndex};
use crate::math::box_muller::{
    angle, half_sqrt, neg_ln, reduce_argument, rotate_eighth, to_quadrant, within_quadrant,
};
use crate::math::permutation::{Rectangle, cycle_walk, feistel};
use crate::math::philox::{BLOCK, philox4x32_10_blocks};
use crate::math::quantile::{cubic, segment};
use crate::math::truncated_normal::QuantileTable;

/// Blocks of a tile.
pub(super) const BLOCKS: usize = 64;
/// Elements of a tile.
pub(super) const ELEMENTS: usize = BLOCK as usize * BLOCKS;
/// Pairs of elements of a tile.
const PAIRS: usize = ELEMENTS / 2;

/// The memory in which a thread computes its tiles, one after the other.
///
/// A step is a loop from arrays to arrays, which a compiler vectorises. A step is short: the operations of an
/// iteration wait for each other, and a processor looks only a limited number of operations ahead for another
/// iteration to work on. The arrays stay in the first cache. The arrays are not cleared between tiles, since
/// that would cost as much as a step. The arrays begin with a cache line, because a store across two lines
/// takes as long as two stores.
///
/// With the feature `vectors` the functions that compute a tile are inlined into what `vectorised` compiles. Without
/// that feature each function is compiled once, for all element types: WebAssembly then is a third smaller.
#[repr(C, align(64))]
pub(super) struct Workspace {
    pub(super) blocks: [u64; BLOCKS],
    rounds: [[u64; BLOCKS]; 4],
    even: [u64; BLOCKS],
    odd: [u64; BLOCKS],
    words: [u64; PAIRS],
    t: [f32; PAIRS],
    e: [f32; PAIRS],
    cosine: [f32; PAIRS],
    sine: [f32; PAIRS],
    segments: [u32; ELEMENTS],
    cubics: [[f32; 4]; ELEMENTS],
    floats: [f32; ELEMENTS],
    indexes: [MatrixIndex; ELEMENTS],
    keys: [[u32; BLOCKS]; 4],
    at: [u32; BLOCKS],
}

impl Workspace {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            blocks: [0; BLOCKS],
            rounds: [[0; BLOCKS]; 4],
            even: [0; BLOCKS],
            odd: [0; BLOCKS],
            words: [0; PAIRS],
            t: [0.0; PAIRS],
            e: [0.0; PAIRS],
            cosine: [0.0; PAIRS],
            sine: [0.0; PAIRS],
            segments: [0; ELEMENTS],
            cubics: [[0.0; 4]; ELEMENTS],
            floats: [0.0; ELEMENTS],
            indexes: [MatrixIndex { row: 0, column: 0 }; ELEMENTS],
            keys: [[0; BLOCKS]; 4],
            at: [0; BLOCKS],
        }
    }

    #[cfg(any(test, feature = "threads", feature = "vectors"))]
    /// Sets the tile's blocks to `first` and the blocks that follow it.
    #[inline(always)]
    pub(super) fn follow(&mut self, first: u64) -> &mut Self {
        for (i, block) in self.blocks.iter_mut().enumerate() {
            *block = first.wrapping_add(i as u64);
        }
        self
    }

    /// The words of the blocks.
    #[cfg_attr(feature = "vectors", inline(always))]
    #[cfg_attr(not(feature = "vectors"), inline(never))]
    pub(super) fn words(&mut self, key: Key) -> &[u32; ELEMENTS] {
        let Self { blocks, rounds, words, .. } = self;
        let (words, _) = words.as_chunks_mut::<2>();
        philox4x32_10_blocks(
            rounds,
            key.seed,
            #[inline(always)]
            |i| key.counter(blocks[i]),
            #[inline(always)]
            |i, [x, y, z, w]| words[i] = [two(x, y), two(z, w)],
        );
        bytemuck::cast_ref(&self.words)
    }

    /// Computes the same words into `even` and `odd`, by their indexes: Box-Muller pairs one of each.
    #[inline(always)]
    fn pairs(&mut self, key: Key) {
        let Self { blocks, rounds, even, odd, .. } = self;
        philox4x32_10_blocks(
            rounds,
            key.seed,
            #[inline(always)]
            |i| key.counter(blocks[i]),
            #[inline(always)]
            |i, [x, y, z, w]| {
                even[i] = two(x, z);
                odd[i] = two(y, w);
            },
        );
    }

    /// The standard normals of the blocks.
    #[cfg_attr(feature = "vectors", inline(always))]
    #[cfg_attr(not(feature = "vectors"), inline(never))]
    pub(super) fn normals(&mut self, key: Key) -> &[f32; ELEMENTS] {
        self.pairs(key);
        let Self { even, odd, t, e, cosine, sine, floats, .. } = self;
        let even: &[u32; PAIRS] = bytemuck::cast_ref(even);
        let odd: &[u32; PAIRS] = bytemuck::cast_ref(odd);

        for i in 0..PAIRS {
            (t[i], e[i]) = reduce_argument(even[i]);
        }
        for i in 0..PAIRS {
            e[i] = neg_ln((t[i], e[i]));
        }
        let radius = e;
        for radius in radius.iter_mut() {
            *radius = half_sqrt(*radius);
        }
        for i in 0..PAIRS {
            t[i] = angle(rotate_eighth(odd[i]));
        }
        for i in 0..PAIRS {
            [cosine[i], sine[i]] = within_quadrant(t[i]);
        }
        let (pairs, _) = floats.as_chunks_mut::<2>();
        for i in 0..PAIRS {
            let [x, y] = to_quadrant(rotate_eighth(odd[i]), [cosine[i], sine[i]]);
            pairs[i] = [radius[i] * x, radius[i] * y];
        }
        floats
    }

    /// The quantiles of the blocks' words.
    #[cfg_attr(feature = "vectors", inline(always))]
    #[cfg_attr(not(feature = "vectors"), inline(never))]
    pub(super) fn quantiles(&mut self, key: Key, table: &QuantileTable) -> &[f32; ELEMENTS] {
        self.words(key);
        let Self { words, floats, segments, cubics, .. } = self;
        let words: &[u32; ELEMENTS] = bytemuck::cast_ref(words);
        for i in 0..ELEMENTS {
            (segments[i], floats[i]) = segment(words[i]);
        }
        // Copies row after row: a vectorised gather of the four columns would read each row four times. The
        // remainder changes no segment, but saves a bounds check.
        for (cubic, segment) in cubics.iter_mut().zip(segments) {
            *cubic = table.coefficients[*segment as usize % table.coefficients.len()];
        }
        for (z, c) in floats.iter_mut().zip(cubics) {
            *z = cubic(*c, *z);
        }
        floats
    }

    /// Normals of standard deviation `std`, but 0 where a column's permutation puts a row among the first
    /// `zeros`.
    #[cfg_attr(feature = "vectors", inline(always))]
    #[cfg_attr(not(feature = "vectors"), inline(never))]
    pub(super) fn sparse(&mut self, key: Key, matrix: Matrix, zeros: u32, std: f32) -> &[f32; ELEMENTS] {
        self.indexes(matrix);
        self.normals(key);
        let (columns, rectangle) = (key.sparse_columns(), Rectangle::of(matrix.rows as u32));
        let Self { rounds, floats, indexes, keys, at, .. } = self;
        let (floats_of, _) = floats.as_chunks_mut::<BLOCKS>();
        for (indexes, floats) in indexes.as_chunks::<BLOCKS>().0.iter().zip(floats_of) {
            philox4x32_10_blocks(
                rounds,
                columns.seed,
                #[inline(always)]
                |i| columns.counter(indexes[i].column.into()),
                #[inline(always)]
                |i, words| {
                    for (keys, word) in keys.iter_mut().zip(words) {
                        keys[i] = word as u32;
                    }
                },
            );
            for i in 0..BLOCKS {
                at[i] = feistel(rectangle, indexes[i].row, word_of_each(keys, i));
            }
            // A few results are no valid row.
            for (i, at) in at.iter_mut().enumerate() {
                if *at >= rectangle.rows {
                    *at = cycle_walk(rectangle, *at, word_of_each(keys, i));
                }
            }
            for (z, at) in floats.iter_mut().zip(&*at) {
                *z = if *at < zeros { 0.0 } else { *z * std + 0.0 };
            }
        }
        floats
    }

    /// The rows and columns of the blocks' elements.
    #[cfg_attr(feature = "vectors", inline(always))]
    #[cfg_attr(not(feature = "vectors"), inline(never))]
    pub(super) fn indexes(&mut self, matrix: Matrix) -> &[MatrixIndex; ELEMENTS] {
        let Self { blocks, indexes, .. } = self;
        let mut next = matrix.index_of(blocks[0] * BLOCK);
        let (of_blocks, _) = indexes.as_chunks_mut::<{ BLOCK as usize }>();
        for (i, indexes) in of_blocks.iter_mut().enumerate() {
            if i > 0 && blocks[i] != blocks[i - 1].wrapping_add(1) {
                next = matrix.index_of(blocks[i] * BLOCK);
            }
            for index in indexes {
                *index = next;
                next = next.next(matrix.columns as u32);
            }
        }
        indexes
    }
}

/// Word `i` of each of the four arrays.
#[inline(always)]
fn word_of_each([x, y, z, w]: &[[u32; BLOCKS]; 4], i: usize) -> [u32; 4] {
    [x[i], y[i], z[i], w[i]]
}

/// Packs two words, the low halves of u64, so that the first one comes first in memory.
#[inline(always)]
fn two(first: u64, second: u64) -> u64 {
    let two = (first & u64::from(u32::MAX)) | second << 32;
    if cfg!(target_endian = "big") { two.rotate_left(32) } else { two }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::box_muller::box_muller;
    use crate::math::permutation::permute;
    use crate::math::philox::philox4x32_10;
    use crate::math::quantile::quantile;
    use crate::math::rounding::{round_to_bf16, round_to_f16};
    use crate::math::truncated_normal::{Truncation, truncated_normal};

    /// The bits of everything that a tile computes, and of its normals rounded to f16 and to bf16.
    type Bits = [[u32; ELEMENTS]; 6];

    /// The rows do not fill their rectangle, so some permutations walk more than one pass.
    const MATRIX: Matrix = Matrix { rows: 1009, columns: 7 };

    #[inline(always)]
    fn computed(tile: &mut Workspace, key: Key, table: &QuantileTable) -> Bits {
        let words = *tile.words(key);
        let normals = tile.normals(key).map(f32::to_bits);
        let quantiles = tile.quantiles(key, table).map(f32::to_bits);
        let sparse = tile.sparse(key, MATRIX, 500, 2.0).map(f32::to_bits);
        let (mut f16, mut bf16) = ([0; ELEMENTS], [0; ELEMENTS]);
        for i in 0..ELEMENTS {
            (f16[i], bf16[i]) = (round_to_f16(normals[i]).into(), round_to_bf16(normals[i]).into());
        }
        [words, normals, quantiles, sparse, f16, bf16]
    }

    #[test]
    fn indexes_are_those_of_each_block() {
        let mut tile = Workspace::new();
        tile.follow(40).blocks[50..].reverse();
        let blocks = tile.blocks;
        for (i, index) in tile.indexes(MATRIX).iter().enumerate() {
            let (block, within) = (blocks[i / BLOCK as usize], i as u64 % BLOCK);
            assert_eq!(*index, MATRIX.index_of(block * BLOCK + within), "{i}");
        }
    }

    #[test]
    fn vectors_of_any_width_give_the_bits_of_one_element_after_the_other() {
        let key = Key { seed: 0xFEDC_BA98_7654_3210, offset: 7 };
        let table = truncated_normal(Truncation::new(0.0, 1.0, -1.0, 2.5));
        let mut tile = Workspace::new();
        // One workspace for both: the second blocks carry into the counter's second word, and some do not
        // follow each other.
        for first in [0, (1 << 32) - 30] {
            tile.follow(first).blocks[50..].reverse();
            let words = tile.blocks.map(|block| philox4x32_10(key.counter(block), key.seed));
            let words: [u32; ELEMENTS] = bytemuck::cast(words);
            let pairs: [[u32; 2]; PAIRS] = bytemuck::cast(words);
            let normals: [u32; ELEMENTS] = bytemuck::cast(pairs.map(|[w0, w1]| box_muller(w0, w1)));
            let quantiles = words.map(|w| quantile(w, &table).to_bits());
            let (columns, rectangle) = (key.sparse_columns(), Rectangle::of(MATRIX.rows as u32));
            let mut sparse = normals;
            for (i, x) in sparse.iter_mut().enumerate() {
                let index = MATRIX.index_of(tile.blocks[i / 4] * BLOCK + i as u64 % 4);
                let of_column = philox4x32_10(columns.counter(index.column.into()), columns.seed);
                let is_zero = permute(rectangle, index.row, of_column) < 500;
                *x = if is_zero { 0 } else { (f32::from_bits(*x) * 2.0 + 0.0).to_bits() };
            }
            let half = |x: u32| half::f16::from_f32_const(f32::from_bits(x)).to_bits().into();
            let brain = |x: u32| half::bf16::from_f32_const(f32::from_bits(x)).to_bits().into();
            let expected = [words, normals, quantiles, sparse, normals.map(half), normals.map(brain)];

            assert_eq!(computed(&mut tile, key, &table), expected);
            #[cfg(feature = "vectors")]
            for simd_level in crate::host::simd::simd_levels() {
                let computed = crate::host::simd::at(
                    simd_level,
                    #[inline(always)]
                    || computed(&mut tile, key, &table),
                );
                assert_eq!(computed, expected, "{simd_level:?}");
            }
        }
    }
}
