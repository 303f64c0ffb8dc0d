//! Orthogonal matrices: the sequence of `shaders/orthogonal_*.wgsl`, in the same order.
//!
//! Stewart, "The efficient generation of random orthogonal matrices with an application to condition
//! estimators", SIAM J. Numer. Anal. 17 (1980): the Q of a Gaussian matrix is a product of Householder
//! reflections, and each may be made of fresh normals. No matrix has to be factorised. A diagonal
//! of signs makes the result uniform (Haar): Mezzadri, Notices AMS 54 (2007). Reflections are applied 32
//! at a time in the compact WY form of Schreiber and Van Loan, SIAM J. Sci. Stat. Comput. 10 (1989), with
//! the inverse of T, which is a triangle of `VᵀV`: Puglisi, SIAM J. Sci. Stat. Comput. 13 (1992).
//!
//! docs/CONTRACT.md gives the order of operations.

use crate::math::box_muller::box_muller;
use crate::math::philox::philox4x32_10;
use crate::{Error, Key};

/// Reflections that are applied together.
const PANEL: usize = 32;
/// Rows whose products are added one after the other; sums of chunks are then added in their order.
const CHUNK: usize = 128;
/// Sums of squares that run side by side in a chunk, and over chunks.
const LANES: usize = 8;
/// Columns that are worked on together. Equal to a panel, so that `V` is a tile of itself.
const TILE: usize = 32;

/// The row-major `rows` x `cols` matrix of orthonormal columns, or rows where those are fewer.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub(crate) fn orthogonal(key: Key, rows: u64, cols: u64) -> Result<Vec<f32>, Error> {
    has_memory(rows, cols)?;
    let (n, p) = (rows.max(cols) as usize, rows.min(cols) as usize);
    let q = tall(key, n, p);
    Ok(if rows >= cols { q } else { transposed(&q, n, p) })
}

/// Whether the host has memory for all that the computation takes at once: the matrix, its transpose or the
/// sums of its chunks, and a panel. An allocation that fails later would end the program.
pub(crate) fn has_memory(rows: u64, columns: u64) -> Result<(), Error> {
    let (n, p) = (u128::from(rows.max(columns)), u128::from(rows.min(columns)));
    let bytes = 4 * n * (2 * p + 2 * PANEL as u128);
    let reserved = usize::try_from(bytes).ok().map(|bytes| Vec::<u8>::new().try_reserve_exact(bytes));
    match reserved {
        Some(Ok(())) => Ok(()),
        _ => {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            Err(Error::OutOfMemory { rows, columns, bytes })
        }
    }
}

/// The row-major n x p matrix of orthonormal columns, p <= n.
fn tall(key: Key, n: usize, p: usize) -> Vec<f32> {
    let mut q = vec![0.0; n * p];
    if p == 0 {
        return q;
    }
    let mut panel = Panel::new(key, n, p);
    let mut projections = Vec::new();
    for start in (0..p).step_by(PANEL).rev() {
        panel.start = start;
        panel.normals();
        panel.reflect(&mut q);
        let gram = panel.project(&panel.v, panel.width, 0, &mut projections);
        let w = panel.project(&q, p, start, &mut projections);
        let y = panel.solve(&gram, w);
        panel.update(&mut q, &y);
    }
    q
}

/// The Householder vectors of the columns from `start` on.
struct Panel {
    key: Key,
    n: usize,
    p: usize,
    start: usize,
    /// Columns of `v`: those of a panel, or of the whole matrix rounded up to a multiple of four.
    width: usize,
    /// Row-major, n x width. Zero above the diagonal, and in columns that the matrix does not have.
    v: Vec<f32>,
    /// 2 / |v|²
    tau: [f32; PANEL],
}

impl Panel {
    fn new(key: Key, n: usize, p: usize) -> Self {
        let width = p.next_multiple_of(4).min(PANEL);
        Self { key, n, p, start: 0, width, v: vec![0.0; n * width], tau: [0.0; PANEL] }
    }

    fn first_chunk(&self) -> usize {
        self.start / CHUNK
    }

    /// The rows of a chunk that the panel has to do with.
    fn chunk_rows(&self, chunk: usize) -> std::ops::Range<usize> {
        (chunk * CHUNK).max(self.start)..((chunk + 1) * CHUNK).min(self.n)
    }

    /// Fills `v` with normals.
    fn normals(&mut self) {
        let Self { key, n, p, start, width, .. } = *self;
        let column_blocks = n.div_ceil(4) as u64;
        each_part(&mut self.v[start * width..], CHUNK * width, |part, v| {
            let first_row = start + part * CHUNK;
            for (four, v) in v.chunks_mut(4 * width).enumerate() {
                let row = first_row + 4 * four;
                for j in 0..width {
                    let k = start + j;
                    let x = if k < p && k < row + 4 {
                        normal_block(key, k as u64 * column_blocks + row as u64 / 4)
                    } else {
                        [0.0; 4]
                    };
                    for (i, (v, x)) in v.chunks_exact_mut(width).zip(x).enumerate() {
                        v[j] = if row + i < k { 0.0 } else { x };
                    }
                }
            }
        });
    }

    /// The sum of squares below the diagonal, for every column of a chunk.
    fn chunk_squares(&self, chunk: usize) -> [f32; PANEL] {
        let mut lanes = [[0.0_f32; PANEL]; LANES];
        for row in self.chunk_rows(chunk) {
            let lane = &mut lanes[row / 4 % LANES];
            for (j, &x) in self.v[row * self.width..][..self.width].iter().enumerate() {
                if row > self.start + j {
                    lane[j] += x * x;
                }
            }
        }
        tree(lanes)
    }

    /// The sum of squares below the diagonal. Compensated over chunks (Knuth's TwoSum), because it alone
    /// decides how near to orthogonal a reflection is.
    fn squares(&self) -> [f32; PANEL] {
        let chunks = self.n.div_ceil(CHUNK);
        let mut parts = vec![[0.0; PANEL]; chunks - self.first_chunk()];
        each_part(&mut parts, 1, |i, part| part[0] = self.chunk_squares(self.first_chunk() + i));

        let mut sums = [[0.0_f32; PANEL]; LANES];
        let mut errors = [[0.0_f32; PANEL]; LANES];
        for (chunk, part) in (self.first_chunk()..).zip(&parts) {
            let (sum, error) = (&mut sums[chunk % LANES], &mut errors[chunk % LANES]);
            for j in 0..PANEL {
                let total = sum[j] + part[j];
                let added = total - sum[j];
                let lost = (sum[j] - (total - added)) + (part[j] - added);
                sum[j] = total;
                error[j] += lost;
            }
        }
        for (sum, error) in sums.as_flattened_mut().iter_mut().zip(errors.as_flattened()) {
            *sum += error;
        }
        tree(sums)
    }

    /// Makes Householder vectors of the normals, and puts the signs on `q`'s diagonal.
    fn reflect(&mut self, q: &mut [f32]) {
        let below = self.squares();
        self.tau = [0.0; PANEL];
        for (j, below) in below.into_iter().enumerate().take(self.p - self.start) {
            let k = self.start + j;
            let diagonal = &mut self.v[k * self.width + j];
            let x = *diagonal;
            let sign = x.to_bits() & 0x8000_0000;
            // A single number has no reflection: its sign does it, exactly.
            if k + 1 == self.n {
                q[k * self.p + k] = f32::from_bits(sign | 0x3F80_0000);
                continue;
            }
            let square = below + x * x;
            let norm = square * reciprocal_root(square);
            let v = x + f32::from_bits(norm.to_bits() | sign);
            *diagonal = v;
            self.tau[j] = double_reciprocal(below + v * v);
            q[k * self.p + k] = f32::from_bits((sign ^ 0x8000_0000) | 0x3F80_0000);
        }
    }

    /// `Vᵀ` times the columns of a matrix from `first` on, in tiles of `width` x `TILE`.
    fn project(&self, matrix: &[f32], stride: usize, first: usize, parts: &mut Vec<f32>) -> Vec<f32> {
        let tiles = (stride - first).div_ceil(TILE);
        let size = self.width * TILE;
        let first_chunk = self.first_chunk();
        let chunks = self.n.div_ceil(CHUNK) - first_chunk;
        parts.resize(chunks * tiles * size, 0.0);
        each_part(&mut parts[..chunks * tiles * size], size, |i, part| {
            let rows = self.chunk_rows(first_chunk + i / tiles);
            let column = first + i % tiles * TILE;
            let columns = TILE.min(stride - column);
            let mut packed = [[0.0; TILE]; CHUNK];
            for (packed, row) in packed.iter_mut().zip(rows.clone()) {
                packed[..columns].copy_from_slice(&matrix[row * stride + column..][..columns]);
            }
            let v = &self.v[rows.start * self.width..rows.end * self.width];
            project_tile(v, self.width, &packed[..rows.len()], part);
        });
        let parts = &parts[..chunks * tiles * size];
        let mut sums = vec![0.0; tiles * size];
        each_part(&mut sums, size, |tile, sum| {
            for part in parts.chunks_exact(size).skip(tile).step_by(tiles) {
                for (sum, part) in sum.iter_mut().zip(part) {
                    *sum += part;
                }
            }
        });
        sums
    }

    /// `T Vᵀ Q` of `w = Vᵀ Q`, by back substitution in the inverse of T.
    fn solve(&self, gram: &[f32], mut w: Vec<f32>) -> Vec<f32> {
        each_part(&mut w, self.width * TILE, |_, w| {
            for i in (0..self.width).rev() {
                let (head, y) = w.split_at_mut((i + 1) * TILE);
                let sum = &mut head[i * TILE..];
                for (j, y) in (i + 1..self.width).zip(y.chunks_exact(TILE)).rev() {
                    let g = gram[i * TILE + j];
                    for (sum, y) in sum.iter_mut().zip(y) {
                        *sum -= g * y;
                    }
                }
                for sum in sum {
                    *sum *= self.tau[i];
                }
            }
        });
        w
    }

    /// `Q -= V Y`
    fn update(&self, q: &mut [f32], y: &[f32]) {
        const ROWS: usize = 4;
        let Self { p, start, width, .. } = *self;
        each_part(&mut q[start * p..], CHUNK / 4 * p, |part, q| {
            for (tile, y) in y.chunks_exact(width * TILE).enumerate() {
                let column = start + tile * TILE;
                let columns = TILE.min(p - column);
                let (y, _) = y.as_chunks::<TILE>();
                for (four, q) in q.chunks_mut(ROWS * p).enumerate() {
                    let row = start + part * (CHUNK / 4) + ROWS * four;
                    let rows = q.len() / p;
                    let v: [&[f32]; ROWS] =
                        std::array::from_fn(|r| &self.v[(row + r.min(rows - 1)) * width..][..width]);
                    let sums = product_tile(v, y);
                    for (q, sum) in q.chunks_exact_mut(p).zip(&sums) {
                        for (q, sum) in q[column..][..columns].iter_mut().zip(sum) {
                            *q -= sum;
                        }
                    }
                }
            }
        });
    }
}

/// The four standard normals of a block.
fn normal_block(key: Key, block: u64) -> [f32; 4] {
    let w = philox4x32_10(key.counter(block), key.seed);
    let [z0, z1] = box_muller(w[0], w[1]);
    let [z2, z3] = box_muller(w[2], w[3]);
    [z0, z1, z2, z3]
}

/// The sum of the lanes: the first half plus the second, until one is left.
fn tree(mut lanes: [[f32; PANEL]; LANES]) -> [f32; PANEL] {
    let mut half = LANES / 2;
    while half > 0 {
        let (first, second) = lanes.split_at_mut(half);
        for (sum, x) in first.as_flattened_mut().iter_mut().zip(second.as_flattened()) {
            *sum += x;
        }
        half /= 2;
    }
    lanes[0]
}

/// `1 / sqrt(x)` for a positive normal x: Newton's iteration from a guess of the exponent.
fn reciprocal_root(x: f32) -> f32 {
    let half = 0.5 * x;
    let mut y = f32::from_bits(0x5F37_5A86_u32.wrapping_sub(x.to_bits() >> 1));
    y *= 1.5 - (half * y) * y;
    y *= 1.5 - (half * y) * y;
    y *= 1.5 - (half * y) * y;
    y
}

/// `2 / x`, corrected once by what it misses.
fn double_reciprocal(x: f32) -> f32 {
    let y = reciprocal_root(x);
    let reciprocal = y * y;
    let miss = 1.0 - x * reciprocal;
    2.0 * (reciprocal + reciprocal * miss)
}

/// Products of the columns of `v` with those of a tile, each added from the first row to the last.
fn project_tile(v: &[f32], width: usize, tile: &[[f32; TILE]], out: &mut [f32]) {
    const ROWS: usize = 4;
    const COLUMNS: usize = 8;
    for (i, out) in out.chunks_exact_mut(ROWS * TILE).enumerate() {
        for c in (0..TILE).step_by(COLUMNS) {
            let mut sums = [[0.0_f32; COLUMNS]; ROWS];
            for (v, q) in v.chunks_exact(width).zip(tile) {
                let v = &v.as_chunks::<ROWS>().0[i];
                let q = &q[c..c + COLUMNS];
                for r in 0..ROWS {
                    for c in 0..COLUMNS {
                        sums[r][c] += v[r] * q[c];
                    }
                }
            }
            for (out, sum) in out.chunks_exact_mut(TILE).zip(&sums) {
                out[c..c + COLUMNS].copy_from_slice(sum);
            }
        }
    }
}

/// Rows of `v` times `y`, each product added from the first reflection to the last.
fn product_tile(v: [&[f32]; 4], y: &[[f32; TILE]]) -> [[f32; TILE]; 4] {
    const COLUMNS: usize = 8;
    let mut out = [[0.0; TILE]; 4];
    for c in (0..TILE).step_by(COLUMNS) {
        let mut sums = [[0.0_f32; COLUMNS]; 4];
        let rows = v[0].iter().zip(v[1]).zip(v[2]).zip(v[3]);
        for ((((v0, v1), v2), v3), y) in rows.zip(y) {
            let y = &y[c..c + COLUMNS];
            let v = [v0, v1, v2, v3];
            for r in 0..4 {
                for c in 0..COLUMNS {
                    sums[r][c] += v[r] * y[c];
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            out[c..c + COLUMNS].copy_from_slice(sum);
        }
    }
    out
}

/// The transpose of a row-major n x p matrix.
fn transposed(q: &[f32], n: usize, p: usize) -> Vec<f32> {
    const SIDE: usize = 16;
    let mut out = vec![0.0; n * p];
    each_part(&mut out, SIDE * n, |part, out| {
        for row in (0..n).step_by(SIDE) {
            for (i, out) in out.chunks_exact_mut(n).enumerate() {
                for (r, out) in out.iter_mut().enumerate().skip(row).take(SIDE) {
                    *out = q[r * p + part * SIDE + i];
                }
            }
        }
    });
    out
}

/// Calls `write` with the parts of a slice and their numbers, on all cores.
#[cfg(feature = "threads")]
fn each_part<T: Send>(slice: &mut [T], part: usize, write: impl Fn(usize, &mut [T]) + Sync) {
    use rayon::prelude::*;
    slice.par_chunks_mut(part).enumerate().for_each(|(i, part)| write(i, part));
}

/// Calls `write` with the parts of a slice and their numbers.
#[cfg(not(feature = "threads"))]
fn each_part<T>(slice: &mut [T], part: usize, write: impl Fn(usize, &mut [T])) {
    for (i, part) in slice.chunks_mut(part).enumerate() {
        write(i, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest entry of `|QᵀQ - I|`, or of `|QQᵀ - I|` of a wide matrix.
    fn error(q: &[f32], rows: usize, cols: usize) -> f64 {
        let (n, p) = (rows.max(cols), rows.min(cols));
        let q = |row: usize, column: usize| {
            f64::from(if rows >= cols { q[row * cols + column] } else { q[column * cols + row] })
        };
        let mut worst = 0.0_f64;
        for i in 0..p {
            for j in i..p {
                let dot: f64 = (0..n).map(|row| q(row, i) * q(row, j)).sum();
                worst = worst.max((dot - f64::from(u8::from(i == j))).abs());
            }
        }
        worst
    }

    #[test]
    fn orthonormal() {
        for (rows, cols) in
            [(1, 1), (1, 7), (7, 1), (2, 2), (5, 3), (33, 31), (64, 64), (100, 257), (300, 300)]
        {
            let q = orthogonal(Key::new(3), rows, cols).unwrap();
            let error = error(&q, rows as usize, cols as usize);
            assert!(error < 1e-6, "{rows}x{cols}: {error}");
        }
        assert_eq!(orthogonal(Key::new(3), 0, 5).unwrap(), [0.0_f32; 0]);
        assert!(orthogonal(Key::new(3), 1, 1).unwrap()[0].abs() == 1.0);
    }

    /// Stewart's algorithm, column by column and in f64: `H_1 ... H_p D`.
    #[test]
    fn is_the_product_of_reflections() {
        for (n, p) in [(7, 1), (6, 6), (70, 45), (200, 130)] {
            let key = Key { seed: 5, offset: u64::MAX - 3 };
            let mut expected = vec![vec![0.0_f64; n]; p];
            for k in (0..p).rev() {
                let column_blocks = n.div_ceil(4) as u64;
                let normal = |i: usize| normal_block(key, k as u64 * column_blocks + i as u64 / 4)[i % 4];
                let mut v: Vec<f64> = (0..n).map(|i| if i < k { 0.0 } else { normal(i).into() }).collect();
                let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
                let sign = v[k].signum();
                expected[k][k] = -sign;
                v[k] += sign * norm;
                let square: f64 = v.iter().map(|x| x * x).sum();
                for column in &mut expected[k..] {
                    let dot: f64 = column.iter().zip(&v).map(|(q, v)| q * v).sum();
                    for (q, v) in column.iter_mut().zip(&v) {
                        *q -= 2.0 * dot / square * v;
                    }
                }
            }
            for (at, q) in orthogonal(key, n as u64, p as u64).unwrap().iter().enumerate() {
                let expected = expected[at % p][at / p];
                assert!((f64::from(*q) - expected).abs() < 2e-6, "{n}x{p} {at}: {q} != {expected}");
            }
        }
    }

    /// Of a uniform orthogonal matrix, the trace has mean 0 and variance 1, and the trace of its square mean 1
    /// and variance 2 (Diaconis and Shahshahani, 1994). Without the signs the trace's mean would be far
    /// from 0. Passing means no more than that; the key is fixed, and the bounds are four standard errors.
    #[test]
    fn traces_are_those_of_uniform_matrices() {
        const N: usize = 8;
        const COUNT: u32 = 4000;
        let (mut sums, mut squares) = ([0.0_f64; 2], [0.0_f64; 2]);
        for key in Key::new(11).split(COUNT.into()) {
            let q = orthogonal(key, N as u64, N as u64).unwrap();
            let trace: f64 = (0..N).map(|i| f64::from(q[i * N + i])).sum();
            let of_square: f64 =
                (0..N * N).map(|at| f64::from(q[at]) * f64::from(q[at % N * N + at / N])).sum();
            for (i, t) in [trace, of_square].into_iter().enumerate() {
                sums[i] += t;
                squares[i] += t * t;
            }
        }
        let count = f64::from(COUNT);
        let means = sums.map(|s| s / count);
        let variances = [0, 1].map(|i| squares[i] / count - means[i] * means[i]);
        for (actual, expected, error) in [
            (means[0], 0.0, 1.0),
            (means[1], 1.0, std::f64::consts::SQRT_2),
            (variances[0], 1.0, std::f64::consts::SQRT_2),
            (variances[1], 2.0, 8.0_f64.sqrt()),
        ] {
            assert!((actual - expected).abs() < 4.0 * error / count.sqrt(), "{means:?} {variances:?}");
        }
    }

    #[test]
    fn too_much_is_an_error() {
        let error = orthogonal(Key::new(0), 1 << 30, 1 << 30).unwrap_err();
        assert!(
            error.to_string().starts_with("no memory for a matrix of 1073741824 x 1073741824"),
            "{error}"
        );
    }
}
