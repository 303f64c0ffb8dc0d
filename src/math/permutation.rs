//! A random permutation of a column's rows: `shaders/math/permutation.wgsl`, whose comments explain the method.

/// The rows, and the rectangle in which they are permuted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) rows: u32,
    /// The least number whose square is `rows` or more: 46,341 at the most.
    pub(crate) width: u32,
    /// As few rows of cells as hold all rows.
    pub(crate) height: u32,
}

impl Rectangle {
    /// The rectangle of 1 to 2^31 rows.
    pub(crate) fn of(rows: u32) -> Self {
        let root = rows.isqrt();
        let width = (root + u32::from(root * root < rows)).max(1);
        Self { rows, width, height: rows.div_ceil(width).max(1) }
    }
}

#[inline(always)]
fn mix(x: u32) -> u32 {
    let mut h = x;
    h = (h ^ (h >> 16)).wrapping_mul(0x85EB_CA6B);
    h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

#[inline(always)]
fn scale_down(h: u32, n: u32) -> u32 {
    ((h >> 16) * n + (((h & 0xFFFF) * n) >> 16)) >> 16
}

#[inline(always)]
fn add_below(a: u32, b: u32, n: u32) -> u32 {
    let sum = a + b;
    if sum >= n { sum - n } else { sum }
}

#[inline(always)]
fn two_rounds(rectangle: Rectangle, cell: [u32; 2], first: u32, second: u32) -> [u32; 2] {
    let Rectangle { width, height, .. } = rectangle;
    let x = add_below(cell[0], scale_down(mix(cell[1] ^ first), width), width);
    let y = add_below(cell[1], scale_down(mix(x ^ second), height), height);
    [x, y]
}

/// The new index of a row, by the permutation of the column with this key.
#[cfg(test)]
pub(crate) fn permute(rectangle: Rectangle, row: u32, key: [u32; 4]) -> u32 {
    cycle_walk(rectangle, feistel(rectangle, row, key), key)
}

// The steps of `permute`. `src/host/tile.rs` has a loop for each.

/// Permutes the cells of the rectangle.
#[inline(always)]
pub(crate) fn feistel(rectangle: Rectangle, at: u32, key: [u32; 4]) -> u32 {
    let width = rectangle.width;
    let mut cell = [at % width, at / width];
    cell = two_rounds(rectangle, cell, key[0], key[1]);
    cell = two_rounds(rectangle, cell, key[2], key[3]);
    cell = two_rounds(rectangle, cell, !key[1], !key[0]);
    cell = two_rounds(rectangle, cell, !key[3], !key[2]);
    cell[1] * width + cell[0]
}

/// Permutes a cell again until it is a row.
pub(crate) fn cycle_walk(rectangle: Rectangle, mut at: u32, key: [u32; 4]) -> u32 {
    for _pass in 0..rectangle.width {
        if at < rectangle.rows {
            break;
        }
        at = feistel(rectangle, at, key);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::literals::assert_same_literals;
    use crate::math::philox::philox4x32_10;

    #[test]
    fn rectangles_hold_the_rows_and_little_more() {
        for rows in (1..2000).chain([46_340 * 46_340, 46_340 * 46_340 + 1, (1 << 31) - 1, 1 << 31]) {
            let Rectangle { width, height, .. } = Rectangle::of(rows);
            let places = u64::from(width) * u64::from(height);
            assert!(width <= 46_341 && height <= width && places >= rows.into());
            assert!(places - u64::from(rows) < width.into(), "{rows}");
        }
    }

    #[test]
    fn scaling_down_is_the_high_word_of_the_product() {
        for h in [0, 1, 0xFFFF, 0x1_0000, 0x8000_0001, u32::MAX] {
            for n in [1, 2, 3, 46_341, 65_536] {
                assert_eq!(scale_down(h, n), ((u64::from(h) * u64::from(n)) >> 32) as u32);
            }
        }
    }

    #[test]
    fn every_row_has_its_own_place() {
        for rows in (1..70).chain([255, 256, 257, 1000, 4096]) {
            let rectangle = Rectangle::of(rows);
            for column in 0..20 {
                let key = philox4x32_10(column, 7);
                let mut seen = vec![false; rows as usize];
                for row in 0..rows {
                    let at = permute(rectangle, row, key) as usize;
                    assert!(!std::mem::replace(&mut seen[at], true), "{rows} rows, column {column}");
                }
            }
        }
    }

    /// Which of the subsets of the right size are the zeros: each equally often, and so every pair of rows
    /// too. Chi-square against its normal limit, at an alpha of 1e-4.
    #[test]
    fn subsets_are_equally_likely() {
        for (rows, zeros) in [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3), (8, 4)] {
            let rectangle = Rectangle::of(rows);
            let mut counts = std::collections::HashMap::<u32, f64>::new();
            let columns = 200_000;
            for column in 0..columns {
                let key = philox4x32_10(column, 11);
                let subset = (0..rows)
                    .fold(0, |set, row| set | u32::from(permute(rectangle, row, key) < zeros) << row);
                *counts.entry(subset).or_default() += 1.0;
            }
            let subsets = (0..zeros).fold(1, |n, i| n * (rows - i) / (i + 1));
            assert_eq!(counts.len(), subsets as usize);
            let expected = columns as f64 / f64::from(subsets);
            let chi_square: f64 = counts.values().map(|c| (c - expected).powi(2) / expected).sum();
            let freedom = f64::from(subsets - 1);
            // Wilson and Hilferty's cube root.
            let spread = 2.0 / (9.0 * freedom);
            let z = ((chi_square / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
            assert!(z < 3.72, "{zeros} of {rows}: chi-square {chi_square}, {freedom} degrees of freedom");
        }
    }

    #[test]
    fn constants_are_the_shaders() {
        let shaders = [include_str!("../../shaders/math/permutation.wgsl")];
        assert_same_literals(&shaders, include_str!("permutation.rs"), 3);
    }
}
