//! f16 and bf16 values are f32 values, rounded once (contract, section 7).

use seedbed::{DType, Init, Key};

use crate::Check;
use crate::harness::assertions::assert_same_halves;
use crate::harness::cases::{Case, Rounding, every_initialiser};
use crate::harness::engines::Engine;
use crate::reference::half;
use crate::reference::half::HALVES;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::halves_are_rounded_once", rounded_once),
    Check::engine("exact::half_constants", constants),
    Check::engine("exact::half_extremes", extremes),
];

const KEY: Key = Key { seed: 0xBF16, offset: 16 };

/// A 16-bit fill writes the values of the f32 fill, rounded to nearest even. The few values that rounding
/// lifts over a bound are put back.
fn rounded_once(engine: &Engine) {
    for Case { init, shape, rounding } in every_initialiser([331, 307]) {
        let singles = engine.fill(&shape[..], &init, KEY);
        for dtype in HALVES {
            let narrow = |x: f32| {
                let bits = half::round(dtype, x);
                match rounding {
                    Rounding::Plain => bits,
                    Rounding::Constant(value) => half::round_f64(dtype, value),
                    Rounding::Below(high) => {
                        let high = f64::from(high as f32);
                        match half::value(dtype, bits) >= high {
                            true => half::greatest_below(dtype, high),
                            false => bits,
                        }
                    }
                    Rounding::Within(bounds) => half::clamp(dtype, bits, bounds),
                }
            };
            let expected: Vec<u16> = singles.iter().copied().map(narrow).collect();
            let actual = engine.fill_halves(dtype, &shape[..], &init, KEY);
            assert_same_halves(&actual, &expected, (&init, dtype));
        }
    }
}

/// A constant is rounded from f64. A constant next to a tie becomes a tie if it is first rounded to f32, and
/// such constants are among these.
fn constants(engine: &Engine) {
    let tie16 = 1.0 + 2.0_f64.powi(-11);
    let tie_bf16 = 1.0 + 2.0_f64.powi(-8);
    for dtype in HALVES {
        for value in [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            1.0 / 3.0,
            tie16,
            tie16 + 1e-12,
            tie16 - 1e-12,
            -(tie16 + 1e-12),
            tie_bf16,
            tie_bf16 + 1e-12,
            tie_bf16 - 1e-12,
            3.0 * tie16,
            65_504.0,
            65_519.999,
            6e-8,
            -3e-8,
            2.9e-8,
            2.0_f64.powi(-25) * (1.0 + 1e-12),
            1e-20,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            // 65,519.999 rounds to the largest f16. The reference has no value above it to round to.
            let expected = match (dtype, value) {
                (DType::F16, 65_519.999) => 0x7BFF,
                _ => half::round_f64(dtype, value),
            };
            let actual = engine.fill_halves(dtype, [13, 79], &Init::constant(value), KEY);
            assert_same_halves(&actual, &[expected; 1027], (dtype, value));
        }
        let nan = engine.fill_halves(dtype, [1027], &Init::constant(f64::NAN), KEY);
        let quiet = if dtype == DType::F16 { 0x7E00 } else { 0x7FC0 };
        assert_same_halves(&nan, &[quiet; 1027], "the quiet NaN");
    }
}

/// Subnormals of f16 are kept, and values near its largest are right.
fn extremes(engine: &Engine) {
    for (mean, std) in [(0.0, 1e-6), (0.0, 1e-7), (0.0, 2e-8), (3e-5, 3e-5), (0.0, 9e3), (-6e4, 500.0)] {
        let init = Init::normal(mean, std);
        for dtype in HALVES {
            let expected: Vec<u16> =
                engine.fill([70_001], &init, KEY).into_iter().map(|x| half::round(dtype, x)).collect();
            let actual = engine.fill_halves(dtype, [70_001], &init, KEY);
            assert_same_halves(&actual, &expected, (dtype, mean, std));
        }
    }
    // If subnormals were flushed, all of these values would be 0.
    let subnormals = engine.fill_halves(DType::F16, [10_000], &Init::normal(0.0, 1e-6), KEY);
    let kept = subnormals.iter().filter(|&&bits| bits & 0x7FFF != 0).count();
    assert!(kept > 9500, "{kept} of 10,000 subnormals are not 0");
}
