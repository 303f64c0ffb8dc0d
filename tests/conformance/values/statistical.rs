//! Streams of normals have the normal distribution, and are independent (`harness/statistics.rs` says what
//! passing means).

use seedbed::{Init, Key};

use crate::Check;
use crate::harness::engines::Engine;
use crate::harness::statistics::{assert_likely, check_distribution, mean};

pub const CHECKS: &[Check] = &[
    Check::engine("statistical::one_mebi_normals", one_mebi_normals),
    Check::host("statistical::sixteen_mebi_normals", sixteen_mebi_normals),
    Check::engine("statistical::xavier_moments", xavier_moments),
    Check::engine("statistical::neighbours_are_independent", neighbours_are_independent),
    Check::host("statistical::keys_are_independent", keys_are_independent),
];

const KEY: Key = Key::new(20_110_703);

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// Asserts the first four moments, each in its standard error for a normal distribution.
fn check_moments(values: &[f32], expected_mean: f64, expected_std: f64) {
    let n = values.len() as f64;
    let moment = |power: i32| {
        mean(values.iter().map(|&x| ((f64::from(x) - expected_mean) / expected_std).powi(power)))
    };
    assert_likely("mean", moment(1) * n.sqrt());
    assert_likely("variance", (moment(2) - 1.0) * (n / 2.0).sqrt());
    assert_likely("third moment", moment(3) * (n / 15.0).sqrt());
    assert_likely("fourth moment", (moment(4) - 3.0) * (n / 96.0).sqrt());
}

fn one_mebi_normals(engine: &Engine) {
    let normals = engine.fill([1 << 20], &Init::normal(0.0, 1.0), KEY);
    check_moments(&normals, 0.0, 1.0);
    check_distribution(normals, normal_cdf);
}

fn sixteen_mebi_normals() {
    let normals = Engine::Host.fill([16 << 20], &Init::normal(0.0, 1.0), KEY);
    check_moments(&normals, 0.0, 1.0);
    check_distribution(normals, normal_cdf);
}

/// Weights have the standard deviation `gain * sqrt(2 / (fan_in + fan_out))` (Glorot and Bengio, equation
/// 16).
fn xavier_moments(engine: &Engine) {
    for (shape, gain, fans) in
        [(&[768_u64, 2304][..], 1.0, 768 + 2304), (&[256, 64, 7, 7], 5.0 / 3.0, 49 * (256 + 64))]
    {
        let weights = engine.fill(shape, &Init::XavierNormal { gain }, KEY.named("weight"));
        check_moments(&weights, 0.0, gain * (2.0 / f64::from(fans)).sqrt());
    }
}

/// Asserts the correlation of two series of mean 0 and variance 1, in its standard error.
fn assert_uncorrelated(what: &str, pairs: impl ExactSizeIterator<Item = (f64, f64)>) {
    let n = pairs.len() as f64;
    assert_likely(what, mean(pairs.map(|(a, b)| a * b)) * n.sqrt());
}

/// A pair of normals shares a radius and an angle, and four words share a block. Neither values nor squares
/// of neighbours may be correlated.
fn neighbours_are_independent(engine: &Engine) {
    let normals: Vec<f64> =
        engine.fill([1 << 20], &Init::normal(0.0, 1.0), KEY).into_iter().map(f64::from).collect();
    // (x^2 - 1) / sqrt 2 has mean 0 and variance 1.
    let squares: Vec<f64> = normals.iter().map(|x| (x * x - 1.0) / std::f64::consts::SQRT_2).collect();
    for (what, series) in [("values", &normals), ("squares", &squares)] {
        for lag in [1, 2, 3, 4, 8, 256, 1024] {
            let pairs = series.iter().copied().zip(series[lag..].iter().copied());
            assert_uncorrelated(&format!("{what} at lag {lag}"), pairs);
        }
        // These are only the two normals of a pair.
        let pairs = series.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        assert_uncorrelated(&format!("{what} of a pair"), pairs);
    }
}

/// Streams of neighbouring seeds, of names, and of a key and its derived keys are not correlated.
fn keys_are_independent() {
    let keys = [
        KEY,
        Key::new(KEY.seed + 1),
        Key { offset: 1 << 32, ..KEY },
        KEY.fold_in(0),
        KEY.fold_in(1),
        KEY.named("h.0.weight"),
        KEY.named("h.1.weight"),
        KEY.named("h.0.bias"),
    ];
    let streams = keys.map(|key| Engine::Host.fill([1 << 20], &Init::normal(0.0, 1.0), key));
    for (i, a) in streams.iter().enumerate() {
        for (j, b) in streams.iter().enumerate().skip(i + 1) {
            let pairs = a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
            assert_uncorrelated(&format!("{:?} and {:?}", keys[i], keys[j]), pairs);
        }
    }
}
