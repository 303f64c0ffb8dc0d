//! The truncated normal distribution in f64.
//! The probability of an interval is computed from the upper tail or from the middle, as the interval lies,
//! and is scaled by the density's largest value in it. So nothing cancels, and nothing underflows.

use std::f64::consts::{PI, SQRT_2};

use seedbed::{Init, VarianceScaling};

/// The normal distribution `N(mean, std²)` on [a, b].
#[derive(Clone, Copy, Debug)]
pub struct Truncated {
    pub mean: f64,
    pub std: f64,
    pub a: f64,
    pub b: f64,
}

impl Truncated {
    pub const fn new(mean: f64, std: f64, a: f64, b: f64) -> Self {
        Self { mean, std, a, b }
    }

    /// The bounds in standard deviations from the mean.
    fn bounds(&self) -> [f64; 2] {
        [(self.a - self.mean) / self.std, (self.b - self.mean) / self.std]
    }

    /// The probability of at most `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        let [alpha, beta] = self.bounds();
        let z = ((x - self.mean) / self.std).clamp(alpha, beta);
        let mode = 0.0_f64.clamp(alpha, beta);
        mass(alpha, z, mode) / mass(alpha, beta, mode)
    }

    /// The quantile of a word's probability, `(w + 1/2) / 2^32`, found by bisection from the nearer end.
    pub fn quantile(&self, word: u32) -> f64 {
        let [alpha, beta] = self.bounds();
        let mode = 0.0_f64.clamp(alpha, beta);
        let p = (f64::from(word) + 0.5) / 4_294_967_296.0;
        let whole = mass(alpha, beta, mode);
        let is_low = |z: f64| match p < 0.5 {
            true => mass(alpha, z, mode) < p * whole,
            false => mass(z, beta, mode) > (1.0 - p) * whole,
        };
        // The quantiles of 2^-33 and of 1 - 2^-33 are less than 7 standard deviations from the mode.
        let (mut low, mut high) = (alpha.max(mode - 7.0), beta.min(mode + 7.0));
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            match is_low(middle) {
                true => low = middle,
                false => high = middle,
            }
        }
        self.mean + self.std * (low + high) / 2.0
    }

    /// The mean and the standard deviation, by the textbook's formulas.
    pub fn moments(&self) -> [f64; 2] {
        let [alpha, beta] = self.bounds();
        let mode = 0.0_f64.clamp(alpha, beta);
        let whole = mass(alpha, beta, mode);
        let density = |z: f64| match z.is_infinite() {
            true => 0.0,
            false => (-(z - mode) * (z + mode) / 2.0).exp() / (2.0 * PI).sqrt() / whole,
        };
        let times = |z: f64| if z.is_infinite() { 0.0 } else { z * density(z) };
        let mean = density(alpha) - density(beta);
        let variance = 1.0 + times(alpha) - times(beta) - mean * mean;
        [self.mean + self.std * mean, self.std * variance.sqrt()]
    }
}

/// The probability of [from, to] under the standard normal, times `exp(mode²/2)`. The mode is 0 or the
/// end of the interval that is next to 0.
fn mass(from: f64, to: f64, mode: f64) -> f64 {
    if to <= 0.0 {
        return mass(-to, -from, -mode);
    }
    if from < 0.0 {
        return (libm::erf(to / SQRT_2) - libm::erf(from / SQRT_2)) / 2.0;
    }
    // If the whole interval contains 0 and this part of it does not, the mode is 0.
    tail(from, mode) - tail(to, mode)
}

/// The probability of more than z >= 0, times `exp(mode²/2)`.
fn tail(z: f64, mode: f64) -> f64 {
    if z.is_infinite() {
        return 0.0;
    }
    if z < 25.0 && mode.abs() < 25.0 {
        return 0.5 * libm::erfc(z / SQRT_2) * (mode * mode / 2.0).exp();
    }
    // Laplace's continued fraction of Mills's ratio.
    let mills = (1..30).rev().fold(z, |rest, n| z + f64::from(n) / rest).recip();
    (-(z - mode) * (z + mode) / 2.0).exp() / (2.0 * PI).sqrt() * mills
}

/// The quantiles of four words were computed with mpmath and 60 digits, by bisection of differences of
/// `erfc`.
pub fn meets_known_values() {
    const WORDS: [u32; 4] = [0, 0x1234_5678, 0xC000_0000, 0xFFFF_FFFF];
    for (t, expected) in [
        (
            Truncated::new(0.0, 1.0, -2.0, 2.0),
            [
                -1.999_999_997_941_907_7,
                -1.336_912_079_336_835_4,
                0.639_111_911_212_916,
                1.999_999_997_941_907_7,
            ],
        ),
        (
            Truncated::new(0.0, 1.0, 4.0, 5.0),
            [4.000_000_000_027_301, 4.017_259_412_087_497, 4.310_812_229_844_862, 4.999_999_997_542_477],
        ),
        (
            Truncated::new(0.0, 1.0, 1.0, f64::INFINITY),
            [1.000_000_000_076_331_1, 1.047_766_489_979_886, 1.754_600_727_593_27, 6.615_859_917_769_287],
        ),
        (
            Truncated::new(0.0, 1.0, -f64::INFINITY, -3.0),
            [-7.288_125_290_607_302, -3.729_335_361_164_004, -3.086_563_482_789_03, -3.000_000_000_035_459],
        ),
        (
            Truncated::new(-30.0, 1.0, 0.0, f64::INFINITY),
            [
                3.876_213_342_234_629e-12,
                0.002_456_048_336_823_984,
                0.046_123_260_419_005_19,
                0.752_207_919_070_400_2,
            ],
        ),
        (
            Truncated::new(0.0, 1.0, -f64::INFINITY, f64::INFINITY),
            [-6.337_957_754_553_79, -1.467_565_731_492_232_4, 0.674_489_750_562_425, 6.337_957_754_553_789],
        ),
        (
            Truncated::new(10.0, 2.0, -1.0, 1.5),
            [
                -0.999_999_976_933_609_5,
                0.392_040_140_275_840_04,
                1.372_264_224_830_03,
                1.499_999_999_947_940_8,
            ],
        ),
        (
            Truncated::new(0.0, 1.0, 40.0, 41.0),
            [40.000_000_000_002_91, 40.001_842_960_910_225, 40.034_620_774_866_79, 40.567_469_410_881_34],
        ),
    ] {
        for (word, expected) in WORDS.into_iter().zip(expected) {
            let actual = t.quantile(word);
            let error = (actual - expected).abs() / expected.abs().max(t.std);
            assert!(error < 2e-14, "{t:?}, {word:#010x}: {actual}, not {expected}");
            let p = (f64::from(word) + 0.5) / 4_294_967_296.0;
            assert!((t.cdf(expected) - p).abs() < 1e-12, "{t:?}, {word:#010x}: {}", t.cdf(expected));
        }
    }
}

/// The standard normal distribution cut at ±2 has the standard deviation 0.8796…, and so JAX's
/// `glorot_normal` has the variance that its name promises.
pub fn jax_constant() {
    let [mean, std] = Truncated::new(0.0, 1.0, -2.0, 2.0).moments();
    assert!(mean.abs() < 1e-15 && (std - 0.879_625_661_034_239_8).abs() < 1e-15, "{mean}, {std}");
    let init = Init::VarianceScaling(VarianceScaling::jax_glorot_normal());
    let std = init.std([300, 500]).expect("a matrix");
    assert!((std / (1.0 / 400.0_f64).sqrt() - 1.0).abs() < 1e-12, "{std}");
}
