//! Sparse matrices, bit for bit (contract, section 11).

use std::ops::Range;

use seedbed::{Init, Key, Region};

use crate::Check;
use crate::harness::assertions::assert_same_bits;
use crate::harness::engines::Engine;
use crate::reference::sparse::{permuted, zeros};

pub const CHECKS: &[Check] = &[
    Check::engine("exact::sparse", sparse),
    Check::engine("exact::sparse_counts", sparse_counts),
    Check::engine("exact::far_sparse", far_sparse),
];

const KEY: Key = Key { seed: 0x2010_0006_1EAF, offset: u64::MAX - 5 };

/// The matrix that section 11 prescribes, with the engine's own normals. Other checks are about these
/// normals.
fn expected(engine: &Engine, shape: [u64; 2], elements: Range<u64>, sparsity: f64, std: f64) -> Vec<f32> {
    let [rows, columns] = shape;
    let region = Region::from(shape).elements(elements.clone());
    let normals = engine.fill(region, &Init::normal(0.0, std), KEY);
    elements
        .zip(normals)
        .map(|(element, normal)| {
            let (row, column) = (element / columns, element % columns);
            if permuted(KEY, rows, column, row) < zeros(sparsity, rows) { 0.0 } else { normal }
        })
        .collect()
}

/// Sparsities. With some of them the product `sparsity * rows` in f64 is just above an integer, and then one
/// more row is zero, as in PyTorch.
const SPARSITIES: [f64; 9] = [0.0, 0.07, 0.1, 0.29, 0.5, 0.55, 0.9, 1.0, 1e-300];

fn sparse(engine: &Engine) {
    for shape in [[1, 50], [50, 1], [2, 33], [3, 33], [20, 17], [100, 40], [257, 65], [1024, 9], [1, 1]] {
        for sparsity in SPARSITIES {
            let init = Init::Sparse { sparsity, std: 0.01 };
            let expected = expected(engine, shape, 0..shape[0] * shape[1], sparsity, 0.01);
            assert_same_bits(&engine.fill(shape, &init, KEY), &expected, (shape, sparsity));
        }
    }
    let init = Init::Sparse { sparsity: 0.3, std: 2.5 };
    let region = Region::from([63, 65]).elements(101..4001);
    assert_same_bits(
        &engine.fill(region.clone(), &init, KEY),
        &expected(engine, [63, 65], 101..4001, 0.3, 2.5),
        "a part",
    );
    // The default standard deviation is PyTorch's.
    assert_eq!(Init::sparse(0.3), Init::Sparse { sparsity: 0.3, std: 0.01 });
}

/// Each column has exactly `ceil(sparsity * rows)` zeros, and zeros are +0. (No normal of the stream is 0.)
fn sparse_counts(engine: &Engine) {
    assert_eq!([zeros(0.07, 100), zeros(0.29, 100), zeros(0.1, 10), zeros(0.55, 20)], [8, 29, 1, 11]);
    for [rows, columns] in [[1, 1000], [10, 999], [20, 100], [100, 1000], [101, 64], [1000, 130], [4096, 8]] {
        for sparsity in SPARSITIES {
            let matrix = engine.fill([rows, columns], &Init::sparse(sparsity), KEY);
            let mut counts = vec![0; columns as usize];
            for row in matrix.chunks_exact(columns as usize) {
                for (count, x) in counts.iter_mut().zip(row) {
                    *count += u64::from(x.to_bits() == 0);
                }
            }
            let expected = vec![zeros(sparsity, rows); columns as usize];
            assert_eq!(counts, expected, "[{rows}, {columns}], sparsity {sparsity}");
        }
    }
}

/// Numbers of rows and columns have up to 31 bits.
fn far_sparse(engine: &Engine) {
    const MAX: u64 = (1 << 31) - 1;
    for (shape, start) in [
        ([MAX, 3], MAX * 3 - 301),
        ([MAX, 1 << 29], (MAX << 29) - 300),
        ([5, MAX], 3 * MAX - 150),
        ([(1 << 20) + 7, 1 << 30], (1 << 50) - 77),
        ([46_340 * 46_340 + 1, 2], 1 << 31),
    ] {
        let region = Region::from(shape).elements(start..start + 300);
        for sparsity in [0.5, 1e-9] {
            let expected = expected(engine, shape, start..start + 300, sparsity, 1.0);
            let actual = engine.fill(region.clone(), &Init::Sparse { sparsity, std: 1.0 }, KEY);
            assert_same_bits(&actual, &expected, (shape, start, sparsity));
        }
    }
    // Two columns have different permutations, even if they are 2^30 apart.
    let key = Key::new(0);
    let rows = |column| (0..100).map(|row| permuted(key, 100, column, row)).collect::<Vec<_>>();
    assert_ne!(rows(0), rows(1 << 30));
}
