//! `eye_` and `dirac_` compared with PyTorch's definitions (contract, section 10).

use seedbed::half::{bf16, f16};
use seedbed::{DType, Init, Key, Region};

use crate::Check;
use crate::harness::assertions::{assert_same_bits, assert_same_halves};
use crate::harness::engines::Engine;
use crate::reference::{half, identity};

pub const CHECKS: &[Check] = &[
    Check::engine("exact::eye", eye),
    Check::engine("exact::dirac", dirac),
    Check::engine("exact::far_identities", far_identities),
];

/// The key has no influence on these fills.
const KEY: Key = Key::new(1);

fn assert_fills(engine: &Engine, shape: &[u64], init: &Init, expected: &[f32]) {
    assert_same_bits(&engine.fill(shape, init, KEY), expected, (shape, init));
    for dtype in half::HALVES {
        let one = if dtype == DType::F16 { f16::ONE.to_bits() } else { bf16::ONE.to_bits() };
        let expected: Vec<u16> = expected.iter().map(|&x| if x == 1.0 { one } else { 0 }).collect();
        assert_same_halves(&engine.fill_halves(dtype, shape, init, KEY), &expected, (dtype, shape, init));
    }
}

fn eye(engine: &Engine) {
    for [rows, columns] in [
        [1, 1],
        [5, 5],
        [64, 64],
        [100, 3],
        [3, 100],
        [1, 37],
        [37, 1],
        [257, 255],
        [7, 4096],
        [4096, 7],
        [2, 2],
    ] {
        let expected = identity::eye(rows, columns);
        assert_fills(engine, &[rows as u64, columns as u64], &Init::Eye, &expected);
    }
}

fn dirac(engine: &Engine) {
    for (shape, groups) in [
        (&[4_u64, 4, 3][..], 1),
        (&[4, 4, 4], 1),
        (&[16, 3, 5], 1),
        (&[3, 16, 5], 1),
        (&[1, 1, 1], 1),
        (&[8, 8, 3, 3], 1),
        (&[8, 4, 3, 3], 2),
        (&[6, 4, 2, 5], 3),
        // Depthwise convolutions have a group per channel.
        (&[32, 1, 3, 3], 32),
        (&[32, 1, 3, 3], 16),
        // A group of these has more inputs than outputs, or fewer.
        (&[6, 5, 3, 4], 3),
        (&[12, 2, 3, 4], 2),
        (&[12, 2, 3, 4], 12),
        (&[5, 7, 3, 4, 5], 1),
        (&[10, 3, 2, 2, 2], 5),
        (&[9, 9, 1, 1, 1], 3),
    ] {
        let sizes: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        let expected = identity::dirac(&sizes, groups as usize);
        assert_fills(engine, shape, &Init::Dirac { groups }, &expected);
    }
    // `Init::dirac()` has one group.
    let expected = identity::dirac(&[4, 3, 5], 1);
    assert_fills(engine, &[4, 3, 5], &Init::dirac(), &expected);
}

/// Indices of elements take more than 32 bits. Each region has one element that is 1.
fn far_identities(engine: &Engine) {
    let check = |shape: &[u64], init: &Init, one: u64| {
        for before in [0, 1, 2, 3, 1000].into_iter().filter(|&before| before <= one) {
            let region = Region::from(shape).elements(one - before..one + 999);
            let mut expected = vec![0.0; before as usize + 999];
            expected[before as usize] = 1.0;
            assert_same_bits(&engine.fill(region, init, KEY), &expected, (shape, init, one, before));
        }
    };
    const SIDE: u64 = 1 << 30;
    for row in [5, 1 << 16, (1 << 29) + 12_345, SIDE - 1000, SIDE - 7654] {
        check(&[SIDE, SIDE], &Init::Eye, row * (SIDE + 1));
    }
    const ROWS: u64 = (1 << 31) - 1;
    const COLUMNS: u64 = 1_000_003;
    for row in [0, COLUMNS - 1] {
        check(&[ROWS, COLUMNS], &Init::Eye, row * (COLUMNS + 1));
    }
    // The rows below the square are zero.
    let region = Region::from([ROWS, COLUMNS]).elements(ROWS * COLUMNS - 5000..ROWS * COLUMNS);
    assert_same_bits(&engine.fill(region, &Init::Eye, KEY), &[0.0; 5000], "below the square");

    // A group has 2^10 rows, and 2^9 of them have an input. The centre of 3 x 5 x 7 is (1, 2, 3).
    let (shape, field) = ([1 << 24, 1 << 9, 3, 5, 7], 105);
    let init = Init::Dirac { groups: 1 << 14 };
    for (group, d) in [(1, 100), ((1 << 14) - 1, 500), (9999, 311), (1 << 13, 64)] {
        let row = group * 1024 + d;
        check(&shape, &init, (row * 512 + d) * field + (5 + 2) * 7 + 3);
    }
    let start = (16_383_u64 * 1024 + 512) * 512 * field;
    let region = Region::from(&shape).elements(start..start + 70_001);
    assert_same_bits(&engine.fill(region, &init, KEY), &[0.0; 70_001][..], "a row without an input");
}
