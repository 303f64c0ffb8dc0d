//! Uniform fills, bit for bit (contract, section 4).

use seedbed::{Init, Key, Region};

use crate::Check;
use crate::harness::assertions::{assert_same_bits, assert_same_halves};
use crate::harness::engines::Engine;
use crate::reference;
use crate::reference::half;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::uniforms", uniforms),
    Check::engine("exact::far_uniforms", far_uniforms),
    Check::engine("exact::uniform_halves_below_high", uniform_halves_below_high),
    Check::engine("exact::uniform_halves_below_the_least", uniform_halves_below_the_least),
];

const KEY: Key = Key { seed: 0x0DDB_A115, offset: 3 << 62 };

/// Ranges from `low` to `high`. No range has results below 2^-126, because those are outside of the contract.
const RANGES: [(f64, f64); 20] = [
    (0.0, 1.0),
    (-0.5, 1.5),
    (-1.0, 0.0),
    (0.1, 0.3),
    (-3.7, -3.6),
    (1e6, 1e6 + 10.0),
    // Nearly as wide as a range can be.
    (-1.7e38, 1.7e38),
    (0.0, f32::MAX as f64),
    (f32::MIN as f64, 0.0),
    (-1e-30, 1e-30),
    (0.0, 1e-25),
    // So narrow that most results are rounded to one of a few f32, and many to `high`.
    (1.0, 1.0 + 1.0 / 8_388_608.0),
    (1.0, 1.0 + 2.0 / 8_388_608.0),
    (-2.0, -2.0 + 3.0 / 8_388_608.0),
    (16_777_214.0, 16_777_220.0),
    (-1.0 - 1.0 / 8_388_608.0, -1.0),
    // Without an f32 between `low` and `high`.
    (0.0, 0.0),
    (2.5, 2.5),
    (-1e30, -1e30),
    // Equal in f32.
    (1.0, 1.0 + 1e-12),
];

/// Elements have the bits of the formula, and are never `high`, unless `high` equals `low`.
fn uniforms(engine: &Engine) {
    for (low, high) in RANGES {
        for (start, len) in [(0, 20_003), (5, 1)] {
            let region = Region::from([1_u64 << 50]).elements(start..start + len);
            let expected: Vec<f32> = (start..start + len)
                .map(|e| reference::uniform(reference::word(KEY, e), low, high))
                .collect();
            let actual = engine.fill(region, &Init::uniform(low, high), KEY);
            assert_same_bits(&actual, &expected, (low, high, start));
            let [low, high] = [low as f32, high as f32];
            assert!(actual.iter().all(|&x| low <= x && (x < high || low == high)), "[{low:e}, {high:e})");
        }
    }
}

/// Indices of elements take more than 32 bits, and counters pass 2^64.
fn far_uniforms(engine: &Engine) {
    for start in [(1 << 34) - 1001, (1 << 45) + 3, (1 << 60) - 2002] {
        let region = Region::from([1_u64 << 60]).elements(start..start + 2002);
        let expected: Vec<f32> =
            (start..start + 2002).map(|e| reference::uniform(reference::word(KEY, e), -0.25, 2.0)).collect();
        assert_same_bits(&engine.fill(region, &Init::uniform(-0.25, 2.0), KEY), &expected, start);
    }
}

/// A 16-bit element is rounded once. If rounding lifts it to `high`, it becomes the largest value of the type
/// below `high`.
fn uniform_halves_below_high(engine: &Engine) {
    for (low, high) in [
        (0.0, 1.0),
        (-1.0, 1.0),
        (0.9, 1.0),
        (0.999, 1.0),
        (-1.0, -0.998),
        (-0.3, 0.3),
        (100.0, 101.0),
        (0.0, 65_504.0),
        (-1e-6, 1e-6),
        (2.5, 2.5),
    ] {
        check_halves(engine, low, high);
    }
}

/// `high` is less than the smallest f16 above 0, so every f16 element is 0. It is not -0, because no term of
/// the formula is negative.
fn uniform_halves_below_the_least(engine: &Engine) {
    check_halves(engine, 0.0, 5e-8);
}

fn check_halves(engine: &Engine, low: f64, high: f64) {
    let f32_high = f64::from(high as f32);
    for dtype in half::HALVES {
        let expected: Vec<u16> = (0..30_001)
            .map(|e| {
                let bits = half::round(dtype, reference::uniform(reference::word(KEY, e), low, high));
                match low < high && half::value(dtype, bits) >= f32_high {
                    true => half::greatest_below(dtype, f32_high),
                    false => bits,
                }
            })
            .collect();
        let actual = engine.fill_halves(dtype, [30_001], &Init::uniform(low, high), KEY);
        assert_same_halves(&actual, &expected, (dtype, low, high));
    }
}
