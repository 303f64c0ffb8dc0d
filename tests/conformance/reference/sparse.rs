//! The permutation that chooses the zeros of a column (contract, section 11).

use seedbed::Key;

use super::block;

/// MurmurHash3's 32-bit finaliser (`fmix32` of its author's MurmurHash3.cpp).
fn fmix32(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

/// The number `p_j(i)` of a row in its column's permutation.
pub fn permuted(key: Key, rows: u64, column: u64, row: u64) -> u64 {
    let [k0, k1, k2, k3] = block(key.named("sparse.columns"), column);
    let root = rows.isqrt();
    let width = if root * root == rows { root } else { root + 1 };
    let height = rows.div_ceil(width);
    let shift = |coordinate: u64, k: u32, range: u64| {
        let hash = fmix32(coordinate as u32 ^ k);
        (u64::from(hash) * range) >> 32
    };
    let mut at = row;
    loop {
        let (mut x, mut y) = (at % width, at / width);
        for (a, b) in [(k0, k1), (k2, k3), (!k1, !k0), (!k3, !k2)] {
            x = (x + shift(y, a, width)) % width;
            y = (y + shift(x, b, height)) % height;
        }
        at = y * width + x;
        if at < rows {
            return at;
        }
    }
}

/// The zeros of a column, `ceil(sparsity * rows)` as `sparse_` computes it.
pub fn zeros(sparsity: f64, rows: u64) -> u64 {
    (sparsity * rows as f64).ceil() as u64
}

pub fn is_a_permutation() {
    for rows in [1, 2, 3, 5, 16, 17, 100, 1023] {
        for column in [0, 1, 1 << 40] {
            let mut all: Vec<u64> = (0..rows).map(|row| permuted(Key::new(1), rows, column, row)).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..rows), "{rows} rows, column {column}");
        }
    }
    // fmix32 fixes 0, and the other value is that of the C++ original.
    assert_eq!(fmix32(0), 0);
    assert_eq!(fmix32(1), 0x514E_28B7);
}
