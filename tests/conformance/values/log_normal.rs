//! Log-normal fills (contract, section 13).

use std::thread;

use seedbed::host::exp::exp;
use seedbed::{Init, Key, Region};

use crate::Check;
use crate::harness::assertions::{assert_same_bits, assert_same_halves};
use crate::harness::engines::Engine;
use crate::harness::statistics::{assert_likely, check_distribution, mean};
use crate::reference::exp::{GREATEST, LEAST, exp as exp_by_the_contract};
use crate::reference::half::{self, HALVES};
use crate::reference::{relative_ulps, ulps};

pub const CHECKS: &[Check] = &[
    Check::engine("exact::log_normals", log_normals),
    Check::engine("exact::log_normal_halves", log_normal_halves),
    Check::engine("exact::log_normals_stay_normal", log_normals_stay_normal),
    Check::host("bounded::every_exponent", every_exponent),
    Check::engine("bounded::log_normals", bounded_log_normals),
    Check::engine("statistical::log_normals", distribution_of_log_normals),
];

const KEY: Key = Key { seed: 0x0106_4072, offset: (1 << 32) - 3 };

/// Mean and standard deviation of the logarithm, for every element type.
const PARAMETERS: [(f64, f64); 6] =
    [(1.0, 1.4), (0.0, 1.0), (-0.5, 0.25), (-3.0, 2.0), (2.5, 1e-3), (-60.0, 9.0)];

/// Exponents of normals of the same key.
fn exponents(engine: &Engine, region: Region<'_>, mean: f64, std: f64) -> Vec<f32> {
    engine.fill(region, &Init::normal(mean, std), KEY)
}

/// An element is the exponential of the normal of the same key, bit for bit.
fn log_normals(engine: &Engine) {
    // The last two reach both ends of the domain.
    for (mean, std) in PARAMETERS.into_iter().chain([(21.0, 10.0), (-20.0, 16.0)]) {
        for (start, len) in [(0, 1 << 18), (3, 1001)] {
            let region = Region::from([1_u64 << 40]).elements(start..start + len);
            let expected: Vec<f32> =
                exponents(engine, region.clone(), mean, std).into_iter().map(exp_by_the_contract).collect();
            let actual = engine.fill(region, &Init::log_normal(mean, std), KEY);
            assert_same_bits(&actual, &expected, (mean, std, start));
        }
    }
}

/// The f32 element is rounded once.
fn log_normal_halves(engine: &Engine) {
    for (mean, std) in PARAMETERS {
        let init = Init::log_normal(mean, std);
        let singles = engine.fill([1 << 16], &init, KEY);
        for dtype in HALVES {
            let expected: Vec<u16> = singles.iter().map(|&x| half::round(dtype, x)).collect();
            let actual = engine.fill_halves(dtype, [1 << 16], &init, KEY);
            assert_same_halves(&actual, &expected, (mean, std, dtype));
        }
    }
}

/// Where an exponential would be subnormal or zero, it is the least that occurs.
fn log_normals_stay_normal(engine: &Engine) {
    let elements = engine.fill([1 << 16], &Init::log_normal(-88.0, 1.0), KEY);
    let least = f32::from_bits(0x0080_0026);
    assert!(elements.iter().all(|&x| x >= least));
    let count = elements.iter().filter(|&&x| x == least).count();
    // Φ(0.663) of them.
    assert!((40_000..60_000).contains(&count), "{count}");
    assert!(engine.fill([1000], &Init::log_normal(-1e30, 1e20), KEY).iter().all(|&x| x == least));
}

/// The exponential of every f32 in the domain is within the contract's bounds, and never falls as the exponent
/// grows. Between -2^-26 and 2^-26 it is 1, which the ends show.
fn every_exponent() {
    let tiny = 2_f32.powi(-26);
    let walk = |from: f32, to: f32| {
        assert_eq!((exp(from), exp(-from)), (1.0, 1.0));
        let (mut worst, mut relative, mut before) = (0.0, 0.0, 1.0);
        for bits in from.to_bits()..=to.to_bits() {
            let x = f32::from_bits(bits);
            let (actual, exact) = (exp(x), f64::from(x).exp());
            worst = f64::max(worst, ulps(actual, exact));
            // In units of 2^-24.
            relative = f64::max(relative, 2.0 * relative_ulps(actual, exact));
            assert!(if x > 0.0 { actual >= before } else { actual <= before }, "{x:e}");
            before = actual;
        }
        (worst, relative)
    };
    let results = thread::scope(|scope| {
        [(tiny, GREATEST), (-tiny, LEAST)]
            .map(|(from, to)| scope.spawn(move || walk(from, to)))
            .map(|walk| walk.join().expect("a walk that does not panic"))
    });
    for (worst, relative) in results {
        println!("exp: {worst:.4} ulp, relatively {relative:.4} units of 2^-24");
        assert!(worst <= 1.0 && relative <= 1.5, "{worst} ulp, {relative} units of 2^-24");
    }
}

/// An element is within one ulp of the exponential of its f32 exponent, or of the least exponent that counts.
fn bounded_log_normals(engine: &Engine) {
    for (mean, std) in PARAMETERS {
        let region = || Region::from([1_u64 << 18]);
        let elements = engine.fill(region(), &Init::log_normal(mean, std), KEY);
        for (x, element) in exponents(engine, region(), mean, std).into_iter().zip(elements) {
            let distance = ulps(element, f64::from(x.max(LEAST)).exp());
            assert!(distance <= 1.0, "exp({x:e}) = {element:e} is {distance} ulp away");
        }
    }
}

/// The logarithms of a fixed stream are normal, and so are its moments where they converge.
fn distribution_of_log_normals(engine: &Engine) {
    let (mu, sigma) = (0.25, 0.5);
    let init = Init::log_normal(mu, sigma);
    let elements = engine.fill([1 << 20], &init, KEY);
    let shape = [1 << 20];
    let expected = (init.mean(shape).expect("a right one"), init.std(shape).expect("a right one"));
    let n = elements.len() as f64;
    let standardised = mean(elements.iter().map(|&x| (f64::from(x) - expected.0) / expected.1));
    assert_likely("mean of log-normals", standardised * n.sqrt());
    check_distribution(elements, |x| {
        0.5 * libm::erfc(-((x.max(0.0).ln() - mu) / sigma) / std::f64::consts::SQRT_2)
    });
}
