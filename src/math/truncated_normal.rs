//! The table that `shaders/math/quantile.wgsl` reads, computed from the quantile function of a truncated
//! normal.
//!
//! The textbook inverse, Φ⁻¹ of a uniform between Φ(alpha) and Φ(beta), underflows in far tails and
//! quantises in narrow slices, because it takes differences of a distribution function. Here no such
//! difference is taken. The density is scaled to 1 at its highest point in the interval, and integrated
//! from the nearer end to each node of the table, step by step; the length of each step is solved for.
//! So every probability keeps its relative accuracy, however improbable the interval is.
//!
//! The computation uses only f64 `+ - * /` and `sqrt`, which IEEE 754 rounds correctly, so every host
//! computes the same bits. `f64::exp` differs between platforms, so this file has its own `exp`.

/// Segments per half of the table: 32 octaves of the probability, from 2^-33 to 1/2, each cut into eight.
const SEGMENTS: usize = 256;

/// The inner nodes of a segment's cubic, at ±(√2 - 1)/2 in the segment's coordinate: they minimise the
/// greatest error between the nodes. The outer nodes are the segment's ends, at ±1/2, so that neighbouring
/// segments join.
const JOINT: f64 = 0.207_106_781_186_547_52;

/// The density is cut off where it has fallen to exp(-CUT) of its highest value. Less than 2^-64 of the whole
/// lies beyond, and the table ends at 2^-33.
const CUT: f64 = 45.0;

/// A piecewise cubic for the shader. The segments of the second half count from the upper end of the
/// distribution.
#[derive(Clone, Debug)]
pub(crate) struct QuantileTable {
    /// `z = c[0] + t (c[1] + t (c[2] + t c[3]))` for t in [-1/2, 1/2).
    pub(crate) coefficients: Box<[[f32; 4]; 2 * SEGMENTS]>,
}

/// The bounds of a truncated standard normal, as distances from its mode: the point of the interval that is
/// nearest to 0. All distances are in standard deviations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Truncation {
    mode: f64,
    /// The distance from the lower bound to the mode; may be infinite.
    below: f64,
    /// The distance from the mode to the upper bound; may be infinite.
    above: f64,
}

impl Truncation {
    /// The truncation of a normal distribution of `mean` and `std` to the interval from `a` to `b`. Distances
    /// are taken between values, not between standardised bounds: far from the mean, two standardised bounds
    /// may round to the same number although the values differ.
    pub(crate) fn new(mean: f64, std: f64, a: f64, b: f64) -> Self {
        let mode = mean.clamp(a, b);
        Self { mode: (mode - mean) / std, below: (mode - a) / std, above: (b - mode) / std }
    }

    /// The same truncation, with infinity for each bound that cuts off nothing. Equal results mean equal
    /// tables, bit for bit, so the result serves as a key for tables.
    pub(crate) fn canonical(self) -> Self {
        let reach = reach(self.mode);
        // + 0.0 turns -0 into +0.
        let canonical = |distance| if distance >= reach { f64::INFINITY } else { distance + 0.0 };
        Self { mode: self.mode + 0.0, below: canonical(self.below), above: canonical(self.above) }
    }

    pub(crate) fn bits(self) -> [u64; 3] {
        [self.mode, self.below, self.above].map(f64::to_bits)
    }

    /// Whether the interval has no width.
    pub(crate) fn is_empty(self) -> bool {
        self.below + self.above == 0.0
    }

    pub(crate) fn mode(self) -> f64 {
        self.mode
    }
}

/// The table of `z - mode`, where z is the truncated standard normal.
///
/// A table of z itself would lose digits. For example, a mean of -30, a standard deviation of 1 and a lower
/// bound of 0 put the mode at 30, and an f32 z has only a few digits left for what exceeds 30.
pub(crate) fn truncated_normal(truncation: Truncation) -> QuantileTable {
    scaled(truncation, -truncation.mode, 1.0)
}

/// The table of `mean + std z`.
fn scaled(truncation: Truncation, mean: f64, std: f64) -> QuantileTable {
    let density = Density::new(truncation);
    let (origin, unit) = (mean + std * density.mode, std * density.unit);
    let mut coefficients = Box::new([[0.0; 4]; 2 * SEGMENTS]);
    let (lower, upper) = coefficients.split_at_mut(SEGMENTS);
    let total = density.total();
    density.half(total, origin, unit, lower);
    density.mirrored().half(total, origin, -unit, upper);
    QuantileTable { coefficients }
}

/// The mean, counted from the mode, and the standard deviation of the truncated standard normal.
pub(crate) fn moments(truncation: Truncation) -> (f64, f64) {
    let density = Density::new(truncation);
    let total = density.total();
    // Rounding would leave a rest where the two halves are the same.
    let is_symmetric = truncation.mode == 0.0 && truncation.below == truncation.above;
    let mean = if is_symmetric { 0.0 } else { density.integrate(|x| x) / total };
    // Central moments need no difference of large numbers.
    let variance = density.integrate(|x| (x - mean) * (x - mean)) / total;
    (density.unit * mean, density.unit * variance.sqrt())
}

/// The distance from the mode at which the density has fallen to exp(-[`CUT`]) of its value at the mode.
fn reach(mode: f64) -> f64 {
    let m = mode.abs();
    if m < 1e8 {
        2.0 * CUT / (m + (m * m + 2.0 * CUT).sqrt())
    } else {
        // The same distance, by a formula that needs no square, which could overflow.
        CUT / m
    }
}

/// A truncated normal density, in a coordinate in which the interval has length 1 and the mode lies at 0. The
/// density is scaled to 1 at the mode: `exp(-x (slope + curvature x / 2))`.
#[derive(Clone, Copy, Debug)]
struct Density {
    mode: f64,
    /// The unit of the coordinate, in standard deviations.
    unit: f64,
    slope: f64,
    curvature: f64,
    low: f64,
    high: f64,
}

impl Density {
    fn new(Truncation { mode, below, above }: Truncation) -> Self {
        let reach = reach(mode);
        let (below, above) = (min(below, reach), min(above, reach));
        let unit = below + above;
        Self {
            mode,
            unit,
            slope: mode * unit,
            curvature: unit * unit,
            low: -(below / unit),
            high: above / unit,
        }
    }

    /// The density of `-x`.
    fn mirrored(self) -> Self {
        Self { slope: -self.slope, low: -self.high, high: -self.low, ..self }
    }

    fn at(&self, x: f64) -> f64 {
        exp(-(x * (self.slope + 0.5 * self.curvature * x)))
    }

    /// The derivative of the density's logarithm.
    fn growth(&self, x: f64) -> f64 {
        -(self.slope + self.curvature * x)
    }

    /// A width, from `x` on, over which [`Self::panel`] is accurate to the last bits.
    fn width(&self, x: f64) -> f64 {
        let rate = self.growth(x).abs();
        let rate = if rate > self.unit { rate } else { self.unit };
        0.25 / if rate > 1.0 { rate } else { 1.0 }
    }

    /// The integral of `f` times the density from `x` to `x + width`: Gauss-Legendre, five points.
    fn panel(&self, x: f64, width: f64, f: impl Fn(f64) -> f64) -> f64 {
        const OUTER: f64 = 0.906_179_845_938_664;
        const INNER: f64 = 0.538_469_310_105_683_1;
        const OUTER_WEIGHT: f64 = 0.236_926_885_056_189_08;
        const INNER_WEIGHT: f64 = 0.478_628_670_499_366_47;
        const MIDDLE_WEIGHT: f64 = 0.568_888_888_888_888_9;
        let half = 0.5 * width;
        let middle = x + half;
        let value = |x: f64| f(x) * self.at(x);
        let pair = |node: f64| value(middle - half * node) + value(middle + half * node);
        half * (OUTER_WEIGHT * pair(OUTER) + INNER_WEIGHT * pair(INNER) + MIDDLE_WEIGHT * value(middle))
    }

    fn integrate(&self, f: impl Fn(f64) -> f64) -> f64 {
        let (mut x, mut sum) = (self.low, 0.0);
        let mut width = self.width(x);
        while width < self.high - x {
            sum += self.panel(x, width, &f);
            x += width;
            width = self.width(x);
        }
        sum + self.panel(x, self.high - x, f)
    }

    fn total(&self) -> f64 {
        self.integrate(|_| 1.0)
    }

    /// The cubics of the half that counts from `low`, for the value `origin + unit x`.
    fn half(&self, total: f64, origin: f64, unit: f64, segments: &mut [[f32; 4]]) {
        let mut walk = Walk { density: *self, total, x: self.low, mass: 0.0 };
        let mut start = 1.0 / (1_u64 << 33) as f64; // the probability of w = 0
        let mut first = walk.to(start);
        for octave in segments.chunks_exact_mut(8) {
            let width = 0.125 * start;
            for (i, segment) in octave.iter_mut().enumerate() {
                let middle = start + width * (i as f64 + 0.5);
                let nodes = [
                    first,
                    walk.to(middle - width * JOINT),
                    walk.to(middle + width * JOINT),
                    walk.to(middle + width * 0.5),
                ];
                first = nodes[3];
                let [c0, c1, c2, c3] = cubic(nodes);
                *segment = [origin + unit * c0, unit * c1, unit * c2, unit * c3].map(portable);
            }
            start *= 2.0;
        }
    }
}

/// A walk through the interval, from its lower end through increasing probabilities.
struct Walk {
    density: Density,
    total: f64,
    /// The current point.
    x: f64,
    /// Integral of the density up to `x`.
    mass: f64,
}

impl Walk {
    /// Walks on to the point whose probability is `p`, and returns the point.
    fn to(&mut self, p: f64) -> f64 {
        let density = self.density;
        let target = p * self.total;
        loop {
            let missing = target - self.mass;
            let width = density.width(self.x);
            let step = missing / density.at(self.x);
            let start = if step > 0.5 * width {
                let whole = density.panel(self.x, width, |_| 1.0);
                if whole < missing {
                    self.x += width;
                    self.mass += whole;
                    continue;
                }
                width * (missing / whole)
            } else {
                // The first terms of the inverse series.
                step - 0.5 * density.growth(self.x) * step * step
            };
            self.x += self.solve(missing, width, start);
            self.mass = target;
            return self.x;
        }
    }

    /// The step from `x` whose integral is `missing`, by Halley's iteration. After a correction of 2^-15
    /// panels or less, the remaining error is below an f64's last bits.
    fn solve(&self, missing: f64, width: f64, start: f64) -> f64 {
        let mut step = start;
        for _ in 0..8 {
            let newton =
                (missing - self.density.panel(self.x, step, |_| 1.0)) / self.density.at(self.x + step);
            step += newton - 0.5 * self.density.growth(self.x + step) * newton * newton;
            if newton.abs() <= width / 32_768.0 {
                break;
            }
        }
        step
    }
}

/// The cubic through four values at -1/2, -[`JOINT`], [`JOINT`] and 1/2.
fn cubic(values: [f64; 4]) -> [f64; 4] {
    const SQUARE: f64 = JOINT * JOINT;
    let even_outer = 0.5 * (values[3] + values[0]);
    let even_inner = 0.5 * (values[2] + values[1]);
    let odd_outer = values[3] - values[0];
    let odd_inner = (values[2] - values[1]) / (2.0 * JOINT);
    let second = (even_outer - even_inner) / (0.25 - SQUARE);
    let third = (odd_outer - odd_inner) / (0.25 - SQUARE);
    [even_inner - second * SQUARE, odd_inner - third * SQUARE, second, third]
}

fn min(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// The nearest f32 that every device reads alike: finite, and 0 instead of a subnormal number.
fn portable(x: f64) -> f32 {
    let x = (x as f32).clamp(f32::MIN, f32::MAX);
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

/// `e^x` for x in [-708, 708], with a relative error up to 3e-16 and the same bits everywhere.
fn exp(x: f64) -> f64 {
    // fdlibm's ln 2 in two parts (e_exp.c): a product of the first with an integer of 20 bits is exact.
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Adding 1.5 * 2^52 rounds to an integer, and leaves the integer in the low bits of the sum.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let k = rounded - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // Taylor's series. |r| <= ln 2 / 2, so the first term left out is below 2^-57.
    const INVERSE_FACTORIALS: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    let mut q = INVERSE_FACTORIALS[0];
    for &factor in &INVERSE_FACTORIALS[1..] {
        q = q * r + factor;
    }
    let power = f64::from_bits((rounded.to_bits() << 52).wrapping_add(0x3FF0_0000_0000_0000));
    (1.0 + (r + r * r * q)) * power
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::math::philox::philox4x32_10;
    use crate::math::quantile::quantile;

    fn between(alpha: f64, beta: f64) -> Truncation {
        Truncation::new(0.0, 1.0, alpha, beta)
    }

    /// The table of z itself.
    fn standard(alpha: f64, beta: f64) -> QuantileTable {
        scaled(between(alpha, beta), 0.0, 1.0)
    }

    const INF: f64 = f64::INFINITY;

    fn bits(table: &QuantileTable) -> Vec<u32> {
        table.coefficients.iter().flatten().map(|c| c.to_bits()).collect()
    }

    /// The columns of each known answer whose line begins with `tag`.
    fn known(tag: &str) -> impl Iterator<Item = Vec<&'static str>> {
        include_str!("../../tests/vectors/truncated_normal.txt").lines().filter_map(move |line| {
            let mut columns = line.split_whitespace();
            (columns.next() == Some(tag)).then(|| columns.collect())
        })
    }

    fn number(text: &str) -> f64 {
        text.parse().unwrap()
    }

    fn word(text: &str) -> u32 {
        u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
    }

    /// The contract's bound of an error (docs/CONTRACT.md, section 9).
    fn bound(exact: f64, slope: f64) -> f64 {
        exact.abs().max(slope) / (1 << 21) as f64
    }

    #[test]
    fn known_quantiles() {
        let mut cases = 0;
        for columns in known("z") {
            let [alpha, beta, w, exact, slope] = columns[..] else { panic!("{columns:?}") };
            let z = quantile(word(w), &standard(number(alpha), number(beta)));
            let error = (f64::from(z) - number(exact)).abs();
            assert!(error <= bound(number(exact), number(slope)), "{columns:?}: {z}");
            cases += 1;
        }
        assert_eq!(cases, 21 * 23);
    }

    /// A value near 0 keeps its digits, because the table is scaled in f64: an f32 z of 30 would have none
    /// left for it.
    #[test]
    fn known_quantiles_scaled() {
        for columns in known("z").filter(|c| c[0] == "30.0") {
            let [alpha, beta, w, exact, slope] = columns[..] else { panic!("{columns:?}") };
            let table = scaled(between(number(alpha), number(beta)), -30.0, 1.0);
            let excess = f64::from(quantile(word(w), &table));
            let (exact, slope) = (number(exact) - 30.0, number(slope));
            // The reference has 17 digits of 30.
            let tolerance = bound(exact, slope) + 4e-15;
            assert!((excess - exact).abs() <= tolerance, "{columns:?}: {excess}, not {exact}");
        }
    }

    #[test]
    fn known_moments() {
        for columns in known("moments") {
            let [alpha, beta, mean, std] = columns[..] else { panic!("{columns:?}") };
            let truncation = between(number(alpha), number(beta));
            let actual = moments(truncation);
            let (mean, std) = (number(mean), number(std));
            assert!(
                (truncation.mode + actual.0 - mean).abs() <= 4e-15 * mean.abs().max(std),
                "{columns:?}: {actual:?}"
            );
            assert!((actual.1 - std).abs() <= 4e-15 * std, "{columns:?}: {actual:?}");
        }
    }

    /// A digest changes when any bit of its table changes.
    #[test]
    fn golden_tables() {
        for (alpha, beta, digest) in [
            (-2.0, 2.0, "72f4d5452b692dd8"),
            (-1e-3, 1e-3, "9d6e3dcde65ef9a9"),
            (4.0, 5.0, "57609563abb398b2"),
            (-INF, -30.0, "e4e6644c2c582ddf"),
            (-INF, INF, "4d7fa46c9bace2c5"),
        ] {
            let mut hash = Sha256::new();
            for word in bits(&standard(alpha, beta)) {
                hash.update(word.to_le_bytes());
            }
            let actual: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(actual, digest, "[{alpha}, {beta}]");
        }
    }

    #[test]
    fn values_do_not_leave_the_interval_by_more_than_a_rounding() {
        for (alpha, beta) in
            [(-2.0, 2.0), (0.0, 0.1), (-1e-3, 1e-3), (4.0, 4.0 + 1e-6), (-9.4, 0.3), (37.9, 38.0)]
        {
            let table = standard(alpha, beta);
            for v in (0..1 << 12).chain((1 << 12..1 << 31).step_by((1 << 15) + 1)) {
                for w in [v, !v] {
                    let z = f64::from(quantile(w, &table));
                    let excess = (alpha - z).max(z - beta);
                    assert!(excess <= z.abs() / (1 << 24) as f64, "[{alpha}, {beta}], {w:#x}: {z}");
                }
            }
        }
    }

    /// A greater word makes a value that is at most one unit in the last place less, also across the borders
    /// of segments.
    #[test]
    fn monotone_up_to_rounding() {
        for (alpha, beta) in [(-2.0, 2.0), (0.0, 0.1), (4.0, 5.0), (-INF, INF), (-5.0, 0.5), (100.0, INF)] {
            let table = standard(alpha, beta);
            let borders = (0..31).flat_map(|octave| (8..16).map(move |i| (i << octave) >> 3));
            let near = borders.flat_map(|border: u32| {
                (0..400).map(move |i| border.saturating_add(i * i) - 200.min(border))
            });
            let mut words: Vec<u32> = near.flat_map(|v| [v, !v]).collect();
            words.sort_unstable();
            for pair in words.windows(2) {
                let [a, b] = [pair[0], pair[1]].map(|w| quantile(w, &table));
                assert!(a.next_down() <= b, "[{alpha}, {beta}]: {pair:x?} -> {a:e}, {b:e}");
            }
        }
    }

    #[test]
    fn canonical_bounds_make_the_same_tables() {
        for (alpha, beta, [mode, below, above]) in [
            (-2.0, 2.0, [0.0, 2.0, 2.0]),
            (-50.0, 100.0, [0.0, INF, INF]),
            (-9.0, 9.5, [0.0, 9.0, INF]),
            (-0.0, 0.5, [0.0, 0.0, 0.5]),
            (-0.5, -0.0, [0.0, 0.5, 0.0]),
            (4.0, 14.0, [4.0, 0.0, INF]),
            (-1e5, -1e4, [-1e4, INF, 0.0]),
            (1e5, 1e5 + 1.0, [1e5, 0.0, INF]),
            (1e300, 2e300, [1e300, 0.0, INF]),
            (f64::MIN, f64::MAX, [0.0, INF, INF]),
        ] {
            let canonical = between(alpha, beta).canonical();
            assert_eq!(canonical.bits(), [mode, below, above].map(f64::to_bits), "[{alpha}, {beta}]");
            assert_eq!(canonical.canonical(), canonical);
            let tables = [between(alpha, beta), canonical].map(|t| bits(&truncated_normal(t)));
            assert_eq!(tables[0], tables[1], "[{alpha}, {beta}]");
        }
    }

    /// The standardised bounds round to one f64 here, but the slice keeps its width: values are uniform
    /// between a and b.
    #[test]
    fn a_slice_far_from_the_mean() {
        for (mean, std, b) in [(-1e16, 1e16, 1.0), (-1e9, 1e9, 1e-8), (-1e15, 1e15, 0.3)] {
            let truncation = Truncation::new(mean, std, 0.0, b);
            let table = truncated_normal(truncation);
            for w in (0..u32::MAX).step_by(12_345_678) {
                let x = f64::from(quantile(w, &table)) * std;
                let exact = b * (f64::from(w) + 0.5) / 4_294_967_296.0;
                assert!((x - exact).abs() <= 1e-6 * b, "{mean} {std}: {x:e}, not {exact:e}");
            }
            let (mean, deviation) = moments(truncation);
            assert!((mean * std / b - 0.5).abs() < 1e-9, "{mean}");
            assert!((deviation * std / b * 12_f64.sqrt() - 1.0).abs() < 1e-9, "{deviation}");
        }
    }

    /// Mirrored bounds make mirrored values, bit for bit.
    #[test]
    fn symmetric() {
        for (alpha, beta) in [(-2.0, 2.0), (0.0, 0.1), (-5.0, 0.5), (30.0, INF)] {
            let (table, mirror) = (standard(alpha, beta), standard(-beta, -alpha));
            for w in (0..u32::MAX).step_by(1_234_567) {
                assert_eq!(quantile(w, &table), -quantile(!w, &mirror), "[{alpha}, {beta}], {w:#x}");
            }
        }
    }

    #[test]
    fn extreme_bounds_make_portable_tables() {
        for (alpha, beta) in [
            (0.0, 5e-324),
            (-5e-324, 5e-324),
            (1e300, INF),
            (f64::MIN, f64::MIN.next_up()),
            (-1e-300, 1e300),
            (1.0, 1.0_f64.next_up()),
            (1e8, 1e8 + 1.0),
            (9e7, INF),
        ] {
            let table = standard(alpha, beta);
            assert!(
                table.coefficients.iter().flatten().all(|c| c.is_normal() || *c == 0.0),
                "[{alpha}, {beta}]"
            );
            let (mean, std) = moments(between(alpha, beta));
            let mean = mean + between(alpha, beta).mode();
            assert!((alpha..=beta).contains(&mean) && std >= 0.0, "[{alpha}, {beta}]: {mean}, {std}");
        }
    }

    #[test]
    fn exponentials() {
        assert_eq!(exp(0.0), 1.0);
        for i in -70_000..=70_000 {
            let x = f64::from(i) * 0.010_007;
            let exact = libm::exp(x);
            assert!((exp(x) - exact).abs() <= 3e-16 * exact, "{x}: {} {exact}", exp(x));
        }
    }

    /// A Kolmogorov-Smirnov test compares 2^20 values with the distribution function, written with erfc.
    /// alpha is 1e-4 and the stream is fixed, so a pass says only that no such deviation was found.
    #[test]
    fn distributed_as_it_should_be() {
        const N: usize = 1 << 20;
        // sqrt(-ln(alpha / 2) / 2) / sqrt(n)
        let critical = (-(1e-4_f64 / 2.0).ln() / 2.0).sqrt() / (N as f64).sqrt();
        for (alpha, beta) in [(-2.0, 2.0), (0.0, 0.1), (4.0, 5.0), (-1e-3, 1e-3), (1.0, INF), (-INF, INF)] {
            let table = standard(alpha, beta);
            let mut values: Vec<f64> = (0..N as u64 / 4)
                .flat_map(|block| philox4x32_10(block, 20_26))
                .map(|w| f64::from(quantile(w, &table)))
                .collect();
            values.sort_unstable_by(f64::total_cmp);
            let tail = |x: f64| libm::erfc(x / std::f64::consts::SQRT_2);
            let whole = tail(alpha) - tail(beta);
            let distance = values
                .iter()
                .enumerate()
                .map(|(i, &z)| {
                    let p = (tail(alpha) - tail(z)) / whole;
                    (p - i as f64 / N as f64).max((i + 1) as f64 / N as f64 - p)
                })
                .fold(0.0, f64::max);
            assert!(distance < critical, "[{alpha}, {beta}]: {distance} >= {critical}");
        }
    }
}
