//! Truncated normals are within their bounds, and close to the exact quantiles (contract, section 9).

use std::sync::OnceLock;

use proptest::prelude::*;
use seedbed::{DType, Init, Key, Region};

use crate::Check;
use crate::harness::assertions::{assert_same_bits, assert_same_halves};
use crate::harness::engines::Engine;
use crate::harness::random::try_cases;
use crate::harness::statistics::check_distribution;
use crate::reference;
use crate::reference::directed::DIRECTED;
use crate::reference::half;
use crate::reference::half::{ALL, HALVES};
use crate::reference::truncated::Truncated;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::truncated_within_bounds", within_bounds),
    Check::engine("exact::truncated_without_deviation", without_deviation),
    Check::engine("exact::truncated_halves", halves),
    Check::engine("bounded::truncated_normals", near_the_quantiles),
    Check::engine("bounded::directed_truncated_normals", directed),
    Check::host("bounded::random_truncated_normals", random),
    Check::engine("statistical::truncated_normals", distribution),
];

const KEY: Key = Key { seed: 0x7245_4C1E, offset: 1 << 33 };

/// Truncations: symmetric, narrow, in tails, open, far from the mean, and with PyTorch's usual bounds, which
/// cut nothing.
const INTERVALS: [Truncated; 12] = [
    Truncated::new(0.0, 1.0, -2.0, 2.0),
    Truncated::new(0.0, 1.0, 0.0, 0.1),
    Truncated::new(0.0, 1.0, 4.0, 5.0),
    Truncated::new(0.0, 1.0, -1e-3, 1e-3),
    Truncated::new(0.0, 1.0, 1.0, f64::INFINITY),
    Truncated::new(0.0, 1.0, f64::NEG_INFINITY, -3.0),
    Truncated::new(0.0, 0.02, -2.0, 2.0),
    Truncated::new(0.0, 1.0, f64::NEG_INFINITY, f64::INFINITY),
    Truncated::new(-1.0, 0.5, -1.2, 3.0),
    Truncated::new(10.0, 2.0, -1.0, 1.5),
    Truncated::new(-30.0, 1.0, 0.0, f64::INFINITY),
    Truncated::new(0.0, 1e-3, 0.05, 0.0501),
];

fn init(t: &Truncated) -> Init {
    Init::trunc_normal(t.mean, t.std, t.a, t.b)
}

/// No element of any type lies outside of the bounds, compared as real numbers.
fn within_bounds(engine: &Engine) {
    // No type holds these bounds exactly.
    let inexact = [Truncated::new(0.0, 1.0, -0.1, 0.3), Truncated::new(0.0, 3.0, 1.0 / 3.0, 0.7)];
    for t in INTERVALS.iter().chain(&inexact) {
        for dtype in ALL {
            if t.b - t.a < 0.01 && dtype != DType::F32 {
                // A 16-bit type has hardly a value between these bounds.
                continue;
            }
            let bytes = engine.fill_bytes(dtype, [100_003], &init(t), KEY);
            let check = |x: f64| assert!(t.a <= x && x <= t.b, "{dtype}: {x:e} is not in {t:?}");
            if dtype == DType::F32 {
                bytemuck::pod_collect_to_vec::<u8, f32>(&bytes).into_iter().for_each(|x| check(x.into()));
            } else {
                bytemuck::pod_collect_to_vec::<u8, u16>(&bytes)
                    .into_iter()
                    .for_each(|bits| check(half::value(dtype, bits)));
            }
        }
    }
}

/// With a standard deviation of 0 every element is the mean, or the bound that is nearest to it.
fn without_deviation(engine: &Engine) {
    for (mean, expected) in [(0.5, 0.5), (-7.0, -2.0), (3.0, 2.0)] {
        let filled = engine.fill([1003], &Init::trunc_normal(mean, 0.0, -2.0, 2.0), KEY);
        assert_same_bits(&filled, &[expected; 1003], mean);
    }
}

/// A 16-bit element is the f32 value rounded once, and put back between the bounds if rounding lifted it out.
fn halves(engine: &Engine) {
    let narrow = Truncated::new(0.0, 1.0, -0.51, 0.497);
    let tiny = Truncated::new(0.0, 1e-6, -2e-6, 2e-6);
    for t in INTERVALS.iter().filter(|t| t.b - t.a > 0.01).chain([&narrow, &tiny]) {
        for dtype in HALVES {
            let expected: Vec<u16> = engine
                .fill([50_001], &init(t), KEY)
                .into_iter()
                .map(|x| half::clamp(dtype, half::round(dtype, x), [t.a, t.b]))
                .collect();
            let actual = engine.fill_halves(dtype, [50_001], &init(t), KEY);
            assert_same_halves(&actual, &expected, (dtype, t));
        }
    }
}

/// The error that the contract allows, in units of the larger of the value and the standard deviation. The
/// error does not depend on how far the mean is from the bounds.
const BOUND: f64 = 1.0 / 1_048_576.0;

fn error(t: &Truncated, actual: f32, exact: f64) -> f64 {
    (f64::from(actual) - exact).abs() / exact.abs().max(t.std)
}

fn assert_near(t: &Truncated, actual: f32, exact: f64, word: u32) {
    let error = error(t, actual, exact);
    assert!(
        error <= BOUND,
        "{t:?}, word {word:#010x}: {actual:e} is {:.3} * 2^-20 from {exact:e}",
        error / BOUND
    );
}

const FIRST: u64 = (1 << 40) + 1;
const WORDS: u64 = 4096;

/// Element `e` is near the quantile of word `e` of the stream.
fn near_the_quantiles(engine: &Engine) {
    static EXACT: OnceLock<Vec<Vec<f64>>> = OnceLock::new();
    let exact = EXACT.get_or_init(|| {
        let quantiles =
            |t: &Truncated| (FIRST..FIRST + WORDS).map(|e| t.quantile(reference::word(KEY, e))).collect();
        INTERVALS.iter().map(quantiles).collect()
    });
    for (t, exact) in INTERVALS.iter().zip(exact) {
        let region = Region::from([1_u64 << 50]).elements(FIRST..FIRST + WORDS);
        let actual = engine.fill(region, &init(t), KEY);
        let worst = actual.iter().zip(exact).map(|(x, exact)| error(t, *x, *exact)).fold(0.0, f64::max);
        println!("{t:?}: {:.4} * 2^-20 at the most", worst / BOUND);
        for ((element, x), exact) in (FIRST..).zip(actual).zip(exact) {
            assert_near(t, x, *exact, reference::word(KEY, element));
        }
    }
}

/// Elements are near the quantiles of words at the ends of the range and around powers of two, which are rare
/// in a stream.
fn directed(engine: &Engine) {
    let key = Key::new(0);
    for (role, word, pair) in DIRECTED {
        let element = pair + role as u64;
        assert_eq!(reference::word(key, element), word, "a wrong entry of the table");
        let region = Region::from([1_u64 << 40]).elements(element..element + 1);
        for t in &INTERVALS {
            let actual = engine.fill(region.clone(), &init(t), key);
            assert_near(t, actual[0], t.quantile(word), word);
        }
    }
}

/// With means, standard deviations and bounds of any size, elements are within the bounds and near the
/// quantiles.
fn random() {
    let magnitude = (-6.0..6.0_f64).prop_map(|power| 10.0_f64.powf(power));
    let number = (magnitude.clone(), any::<bool>()).prop_map(|(x, sign)| if sign { -x } else { x });
    let cases = (number, magnitude, -40.0..40.0_f64, -4.0..1.5_f64, 0..8_u32);
    try_cases(400, cases, |(mean, std, alpha, width, open)| {
        let a = mean + std * alpha;
        let b = a + std * 10.0_f64.powf(width);
        let t = match open {
            0 => Truncated::new(mean, std, a, f64::INFINITY),
            1 => Truncated::new(mean, std, f64::NEG_INFINITY, b),
            _ => Truncated::new(mean, std, a, b),
        };
        // Bounds without an f32 between them are an error. With only a few f32 between them, rounding is
        // larger than the error that the contract allows.
        prop_assume!(t.b - t.a > 1e-5 * t.a.abs().min(t.b.abs()));
        for (element, x) in (0..).zip(Engine::Host.fill([65], &init(&t), KEY)) {
            prop_assert!(t.a <= x.into() && f64::from(x) <= t.b, "{x:e} is not in {t:?}");
            let exact = t.quantile(reference::word(KEY, element));
            let error = error(&t, x, exact) / BOUND;
            prop_assert!(error <= 1.0, "{t:?}, {element}: {x:e} is {error} * 2^-20 from {exact:e}");
        }
        Ok(())
    });
}

/// Streams have the exact distribution.
fn distribution(engine: &Engine) {
    for t in &INTERVALS[..7] {
        println!("{t:?}");
        check_distribution(engine.fill([1 << 20], &init(t), KEY), |x| t.cdf(x));
    }
}
