//! The distribution of the elements, their tails, and their correlations.
//!
//! | p-values | of |
//! |---|---|
//! | Kolmogorov–Smirnov, Anderson–Darling | all elements; and the p-values of 100 blocks, which must be uniform |
//! | chi-square | the numbers of elements in 2^16 cells of equal probability |
//! | moments | Hermite polynomials of degree 1 to 4, which are uncorrelated |
//! | tails | the numbers of elements beyond 3, 4, 5 and 6 standard deviations |
//! | lags | elements of one stream, and their squares: the two normals of a pair, and up to 8 elements apart |
//! | names | all pairs of named streams, at lag 0 and at lag 1 |
//! | bits | streams whose keys differ in one bit of the seed or of the offset, and their squares |
//!
//! Uniform and truncated normal elements take the tests of the first two rows.

use std::f64::consts::PI;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use rayon::prelude::*;
use seedbed::{Init, Key, host};

use crate::statistics::{
    anderson_darling, chi_square, correlation, kolmogorov_smirnov, largest, normal, normal_cdf, poisson,
};

/// The arguments of `seedbed-proof normals`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The elements of the stream that is tested
    #[arg(long, default_value_t = 1_000_000_000)]
    elements: usize,
    /// The number of streams whose correlations are tested, all with all
    #[arg(long, default_value_t = 4096)]
    names: usize,
    /// The seed of the key
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The distribution
    #[arg(long, value_enum, default_value = "normal")]
    distribution: Distribution,
    /// Makes the elements bad, to show that the tests notice
    #[arg(long, value_enum, hide = true)]
    control: Option<Control>,
}

/// A distribution of elements, all of f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Distribution {
    /// Mean 0 and standard deviation 1
    Normal,
    /// On [0, 1)
    Uniform,
    /// Mean 0 and standard deviation 1, on [-2, 2]
    TruncNormal,
}

/// What is wrong with bad elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Control {
    /// A standard deviation of 1.001
    Scale,
    /// Elements beyond 4 are 4
    Tail,
    /// The significands have 8 bits, as those of bf16
    Coarse,
    /// A hundredth of an element is added to the next
    Lag,
    /// Two names have one key
    Names,
    /// The highest bit of the seed does nothing
    Bits,
}

/// The elements of the samples for keys that differ in one bit.
const BITS_ELEMENTS: usize = 1 << 18;
/// The number of keys, each of which is compared with all keys that differ in one bit.
const BITS_KEYS: u64 = 16;
/// The elements of the sample of each name.
const NAME_ELEMENTS: usize = 4096;
/// The blocks of the tests of two levels.
const BLOCKS: usize = 100;
/// The cells of the chi-square test.
const CELLS: usize = 1 << 16;
/// The longest lag.
const LAGS: usize = 8;
/// p-values that are nearer to 0 or 1 are failures.
const FAILURE: f64 = 1e-6;
/// p-values that are nearer to 0 or 1 are marked.
const SUSPICIOUS: f64 = 1e-3;

/// Tests, and prints a line for each p-value.
///
/// # Errors
/// A p-value that is too near to 0 or 1.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { elements, names, seed, .. } = *arguments;
    ensure!(elements >= 100 * BLOCKS, "--elements takes {} or more", 100 * BLOCKS);
    ensure!(names >= 2, "--names takes 2 or more");
    println!("{} elements of seed {seed}: {:?}", elements, arguments.distribution);
    println!("test\tstatistic\tp-value\t");
    let mut failures = 0;
    for Finding { test, statistic, p } in findings(arguments)? {
        let distance = p.min(1.0 - p);
        let mark = match distance {
            d if d >= SUSPICIOUS => "",
            d if d >= FAILURE => "suspicious",
            // NaN too.
            _ => {
                failures += 1;
                "FAILURE"
            }
        };
        println!("{test}\t{statistic}\t{p:.3e}\t{mark}");
    }
    ensure!(failures == 0, "{failures} p-values are within {FAILURE} of 0 or 1");
    Ok(())
}

/// A p-value.
struct Finding {
    test: String,
    statistic: String,
    p: f64,
}

impl Finding {
    fn new(test: impl Into<String>, statistic: impl Into<String>, p: f64) -> Self {
        Self { test: test.into(), statistic: statistic.into(), p }
    }

    fn of_z(test: impl Into<String>, z: f64) -> Self {
        Self::new(test, format!("z = {z:.3}"), normal(z))
    }
}

/// A sum of each lag or moment.
type Sums<const N: usize> = [f64; N];

fn sum<const N: usize>(all: impl IntoIterator<Item = Sums<N>>) -> Sums<N> {
    all.into_iter().fold([0.0; N], |sum, part| std::array::from_fn(|i| sum[i] + part[i]))
}

fn findings(arguments: &Arguments) -> Result<Vec<Finding>> {
    let Arguments { elements, names, seed, distribution, control } = *arguments;
    let key = Key::new(seed);
    let mut findings = Vec::new();
    let mut values = vec![0.0_f32; elements];
    host::fill(&mut values, [elements as u64], &distribution.init(), key)?;
    if let Some(control) = control {
        control.spoil(&mut values);
    }
    if distribution == Distribution::Normal {
        moments(&values, &mut findings);
        tails(&values, &mut findings);
        lags(&values, &mut findings);
    }
    fits(&mut values, distribution, &mut findings);
    drop(values);
    if distribution == Distribution::Normal {
        named(key, names, control, &mut findings)?;
        bits(key, control, &mut findings)?;
    }
    Ok(findings)
}

impl Distribution {
    fn init(self) -> Init {
        match self {
            Self::Normal => Init::normal(0.0, 1.0),
            Self::Uniform => Init::uniform(0.0, 1.0),
            Self::TruncNormal => Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
        }
    }

    /// The probabilities of values below and above `x`.
    fn probabilities(self, x: f32) -> [f64; 2] {
        let x = f64::from(x);
        match self {
            Self::Normal => [normal_cdf(x), normal_cdf(-x)],
            // The value stands for an interval of this width, whose middle is taken.
            Self::Uniform => [x + 0.5_f64.powi(25), 1.0 - (x + 0.5_f64.powi(25))],
            Self::TruncNormal => {
                let outside = normal_cdf(-2.0);
                // The least and the greatest value stand for intervals too.
                let inside =
                    |x: f64| ((normal_cdf(x) - outside) / (1.0 - 2.0 * outside)).max(0.5_f64.powi(34));
                [inside(x), inside(-x)]
            }
        }
    }
}

impl Control {
    fn spoil(self, values: &mut [f32]) {
        match self {
            Self::Scale => values.iter_mut().for_each(|x| *x *= 1.001),
            Self::Tail => values.iter_mut().for_each(|x| *x = x.clamp(-4.0, 4.0)),
            Self::Coarse => {
                values.iter_mut().for_each(|x| *x = f32::from_bits((x.to_bits() + 0x8000) & !0xFFFF))
            }
            Self::Lag => (1..values.len()).rev().for_each(|i| values[i] += 0.01 * values[i - 1]),
            Self::Names | Self::Bits => {}
        }
    }
}

/// Sums of the Hermite polynomials of degree `k`, whose variance is `k!`.
fn moments(values: &[f32], findings: &mut Vec<Finding>) {
    let chunk = |values: &[f32]| {
        sum(values.iter().map(|&x| {
            let x = f64::from(x);
            let x2 = x * x;
            [x, x2 - 1.0, x * (x2 - 3.0), (x2 - 6.0) * x2 + 3.0]
        }))
    };
    let sums = sum(values.par_chunks(1 << 16).map(chunk).collect::<Vec<_>>());
    for ((k, sum), variance) in (1..).zip(sums).zip([1.0, 2.0, 6.0, 24.0]) {
        let z = sum / (values.len() as f64 * variance).sqrt();
        findings.push(Finding::of_z(format!("moment {k}"), z));
    }
}

/// The numbers of elements beyond thresholds, and the largest element.
fn tails(values: &[f32], findings: &mut Vec<Finding>) {
    const THRESHOLDS: [f32; 4] = [3.0, 4.0, 5.0, 6.0];
    let count = |test: &(dyn Fn(f32) -> bool + Sync)| {
        values
            .par_chunks(1 << 16)
            .map(|values| values.iter().filter(|&&x| test(x)).count() as u64)
            .sum::<u64>()
    };
    for t in THRESHOLDS {
        let threshold = f64::from(t);
        let tail = normal_cdf(-threshold);
        let both = 2.0 * tail_of_the_contract(threshold) * values.len() as f64;
        for (name, number, tail) in [
            (format!("elements below -{t}"), count(&|x| x < -t), tail),
            (format!("elements above {t}"), count(&|x| x > t), tail),
        ] {
            let expected = tail * values.len() as f64;
            let statistic = format!("{number}; expected {expected:.2}, by the contract {:.2}", both / 2.0);
            findings.push(Finding::new(name, statistic, poisson(number, expected)));
        }
    }
    // The largest of many: its distribution follows from that of one.
    let max = values.par_iter().map(|x| x.abs()).reduce(|| 0.0, f32::max);
    let beyond = 2.0 * normal_cdf(-f64::from(max));
    let p = largest(beyond, values.len() as f64);
    findings.push(Finding::new("largest element", format!("{max:.4}; no element can exceed 6.7638"), p));
}

/// The probability of a normal above this threshold, if the radius takes its 2^32 values and the angle takes any.
fn tail_of_the_contract(threshold: f64) -> f64 {
    let scale = 0.5_f64.powi(32);
    // The radii beyond the threshold belong to the lowest words.
    let words = ((-threshold * threshold / 2.0).exp() / scale + 0.5) as u64;
    let beyond = |word: u64| {
        let radius = (-2.0 * ((word as f64 + 0.5) * scale).ln()).sqrt();
        (threshold / radius).min(1.0).acos()
    };
    (0..words).into_par_iter().map(beyond).sum::<f64>() * scale / PI
}

/// The correlations of elements that are a few elements apart, and of their squares.
fn lags(values: &[f32], findings: &mut Vec<Finding>) {
    // Sums at even positions, then at odd ones. A pair of normals begins at an even position.
    let chunk = |start: usize| {
        let end = (start + (1 << 16)).min(values.len() - LAGS);
        let mut sums = [0.0; 4 * LAGS];
        for i in start..end {
            let x = f64::from(values[i]);
            let at = i % 2 * 2 * LAGS;
            for lag in 0..LAGS {
                let y = f64::from(values[i + 1 + lag]);
                sums[at + lag] += x * y;
                sums[at + LAGS + lag] += (x * x - 1.0) * (y * y - 1.0);
            }
        }
        sums
    };
    let starts: Vec<_> = (0..values.len() - LAGS).step_by(1 << 16).collect();
    let sums = sum(starts.into_par_iter().map(chunk).collect::<Vec<_>>());
    let count = (values.len() - LAGS) as f64;
    for (power, deviation) in [("", 1.0), ("squares, ", 2.0)] {
        let at = if power.is_empty() { 0 } else { LAGS };
        let (even, odd) = (&sums[at..][..LAGS], &sums[at + 2 * LAGS..][..LAGS]);
        let half = (count / 2.0).sqrt() * deviation;
        findings.push(Finding::of_z(format!("{power}cosine and sine of a pair"), even[0] / half));
        findings.push(Finding::of_z(format!("{power}sine and the next cosine"), odd[0] / half));
        let zs: Vec<_> = (1..LAGS).map(|lag| (even[lag] + odd[lag]) / (count.sqrt() * deviation)).collect();
        several(&format!("{power}lags 2 to {LAGS}"), &zs, findings);
    }
}

/// The findings of several standard normal statistics: the largest, and the sum of squares.
fn several(test: &str, zs: &[f64], findings: &mut Vec<Finding>) {
    let max = zs.iter().fold(0.0, |max: f64, z| max.max(z.abs()));
    let count = zs.len() as f64;
    let p = largest(2.0 * normal(max), count);
    findings.push(Finding::new(format!("{test}, largest"), format!("|z| = {max:.3} of {count}"), p));
    let squares = zs.iter().map(|z| z * z).sum::<f64>();
    let p = chi_square(squares, count);
    findings.push(Finding::new(format!("{test}, squares"), format!("sum {squares:.2} of {count}"), p));
}

/// How far a sample is from a distribution.
struct Fit {
    distance: f64,
    anderson_darling: f64,
    cells: Vec<u32>,
}

/// A number that orders as the value does.
fn ordered(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn value(ordered: u32) -> f32 {
    f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
}

impl Fit {
    /// Of sorted values, in the form that orders as they do.
    fn new(sorted: &[u32], distribution: Distribution, cells: usize) -> Self {
        const CHUNK: usize = 1 << 16;
        let n = sorted.len() as f64;
        let chunk = |(number, chunk): (usize, &[u32])| {
            let (mut distance, mut sum) = (0.0_f64, 0.0);
            let mut counts: Vec<(usize, u32)> = Vec::new();
            for (i, &x) in chunk.iter().enumerate() {
                let [below, above] = distribution.probabilities(value(x));
                // The number of values before this one.
                let before = (number * CHUNK + i) as f64;
                distance = distance.max(below - before / n).max((before + 1.0) / n - below);
                sum += (2.0 * before + 1.0) * below.ln() + (2.0 * (n - before) - 1.0) * above.ln();
                if cells > 0 {
                    let cell = ((below * cells as f64) as usize).min(cells - 1);
                    match counts.last_mut() {
                        Some((last, count)) if *last == cell => *count += 1,
                        _ => counts.push((cell, 1)),
                    }
                }
            }
            (distance, sum, counts)
        };
        let chunks: Vec<_> = sorted.par_chunks(CHUNK).enumerate().map(chunk).collect();
        let distance = chunks.iter().fold(0.0_f64, |max, (distance, ..)| max.max(*distance));
        let sum: f64 = chunks.iter().map(|(_, sum, _)| sum).sum();
        let mut counts = vec![0; cells];
        for (cell, count) in chunks.into_iter().flat_map(|(.., counts)| counts) {
            counts[cell] += count;
        }
        Self { distance, anderson_darling: -n - sum / n, cells: counts }
    }
}

/// The distribution of all elements, and of blocks of them.
fn fits(values: &mut [f32], distribution: Distribution, findings: &mut Vec<Finding>) {
    let n = values.len() as f64;
    values.par_chunks_mut(1 << 16).for_each(|values| {
        values.iter_mut().for_each(|x| *x = f32::from_bits(ordered(*x)));
    });
    // Only the bits are used from here on.
    let sorted: &mut [u32] = bytemuck::cast_slice_mut(values);
    let len = sorted.len() / BLOCKS;
    let block = |block: &mut [u32]| {
        block.sort_unstable();
        let fit = Fit::new(block, distribution, 0);
        let n = block.len() as f64;
        [kolmogorov_smirnov(fit.distance, n), anderson_darling(fit.anderson_darling, n)]
    };
    let ps: Vec<_> = sorted.par_chunks_exact_mut(len).map(block).collect();
    sorted.par_sort_unstable();
    let fit = Fit::new(sorted, distribution, CELLS);
    let p = kolmogorov_smirnov(fit.distance, n);
    findings.push(Finding::new("Kolmogorov-Smirnov", format!("{:.5} / sqrt(n)", fit.distance * n.sqrt()), p));
    let p = anderson_darling(fit.anderson_darling, n);
    findings.push(Finding::new("Anderson-Darling", format!("{:.5}", fit.anderson_darling), p));
    let expected = n / CELLS as f64;
    let chi = fit.cells.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum::<f64>();
    let p = chi_square(chi, (CELLS - 1) as f64);
    findings.push(Finding::new(format!("chi-square, {CELLS} cells"), format!("{chi:.1}"), p));
    for (i, name) in ["Kolmogorov-Smirnov", "Anderson-Darling"].into_iter().enumerate() {
        let mut ps: Vec<_> = ps.iter().map(|both| both[i].clamp(1e-12, 1.0 - 1e-12) as f32).collect();
        let least = ps.iter().fold(1.0_f32, |least, p| least.min(*p));
        ps.iter_mut().for_each(|p| *p = f32::from_bits(ordered(*p)));
        let ps: &mut [u32] = bytemuck::cast_slice_mut(&mut ps);
        ps.sort_unstable();
        let fit = Fit::new(ps, Distribution::Uniform, 0);
        let p = anderson_darling(fit.anderson_darling, ps.len() as f64);
        let statistic = format!("Anderson-Darling {:.4}; least p {least:.2e}", fit.anderson_darling);
        findings.push(Finding::new(format!("{name} of {BLOCKS} blocks"), statistic, p));
    }
}

/// The sum of products, in vectors.
fn product(x: &[f32], y: &[f32]) -> f32 {
    const WIDTH: usize = 16;
    let mut sums = [0.0_f32; WIDTH];
    let (xs, ys) = (x.chunks_exact(WIDTH), y.chunks_exact(WIDTH));
    let rest = xs.remainder().iter().zip(ys.remainder()).map(|(x, y)| x * y).sum::<f32>();
    for (x, y) in xs.zip(ys) {
        for i in 0..WIDTH {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The correlations of all pairs of named streams.
fn named(key: Key, names: usize, control: Option<Control>, findings: &mut Vec<Finding>) -> Result<()> {
    let mut values = vec![0.0_f32; names * NAME_ELEMENTS];
    for (i, row) in values.chunks_exact_mut(NAME_ELEMENTS).enumerate() {
        let i = if control == Some(Control::Names) && i == 1 { 0 } else { i };
        let key = key.named(&format!("layer.{i}.weight"));
        host::fill(row, [NAME_ELEMENTS as u64], &Init::normal(0.0, 1.0), key)?;
    }
    for lag in [0, 1] {
        let n = NAME_ELEMENTS - lag;
        let rows: Vec<_> = values.chunks_exact(NAME_ELEMENTS).collect();
        let root = |row: &[f32]| product(row, row).sqrt();
        let firsts: Vec<_> = rows.iter().map(|row| root(&row[..n])).collect();
        let seconds: Vec<_> = rows.iter().map(|row| root(&row[lag..])).collect();
        // A few rows stay in the cache while all others pass.
        let tile = |tile: usize| {
            let (mut max, mut squares) = (0.0_f32, 0.0_f64);
            for j in 0..names {
                for i in tile..(tile + 8).min(names) {
                    // At lag 0 each pair counts once.
                    if lag == 0 && i <= j {
                        continue;
                    }
                    let r = product(&rows[i][..n], &rows[j][lag..]) / (firsts[i] * seconds[j]);
                    max = max.max(r.abs());
                    squares += f64::from(r * r);
                }
            }
            (max, squares)
        };
        let tiles: Vec<_> = (0..names.div_ceil(8)).into_par_iter().map(|i| tile(i * 8)).collect();
        let max = f64::from(tiles.iter().fold(0.0_f32, |max, tile| max.max(tile.0)));
        let squares: f64 = tiles.iter().map(|tile| tile.1).sum();
        let (n, names) = (n as f64, names as f64);
        let pairs = if lag == 0 { names * (names - 1.0) / 2.0 } else { names * names };
        let test = format!("named streams, lag {lag}");
        let p = largest(correlation(max, n), pairs);
        findings.push(Finding::new(format!("{test}, largest"), format!("|r| = {max:.5} of {pairs}"), p));
        // The square of a coefficient has a beta distribution, and the squares of different pairs are uncorrelated
        // (Schott 2005).
        let z = (squares - pairs / n) / (pairs * 2.0 * (n - 1.0) / (n * n * (n + 2.0))).sqrt();
        findings.push(Finding::of_z(format!("{test}, squares"), z));
    }
    Ok(())
}

/// The correlations of streams whose keys differ in one bit.
fn bits(key: Key, control: Option<Control>, findings: &mut Vec<Finding>) -> Result<()> {
    let fill = |mut key: Key| {
        if control == Some(Control::Bits) {
            key.seed &= u64::MAX >> 1;
        }
        let mut values = vec![0.0_f32; BITS_ELEMENTS];
        host::fill(&mut values, [BITS_ELEMENTS as u64], &Init::normal(0.0, 1.0), key).map(|()| values)
    };
    // Other bits of the offset move the stream by less than a sample.
    let lowest = (BITS_ELEMENTS / 4).trailing_zeros();
    let changes = (0..64).map(|bit| (1 << bit, 0)).chain((lowest..64).map(|bit| (0, 1_u64 << bit)));
    let changes: Vec<(u64, u64)> = changes.collect();
    let mut linear = Vec::new();
    let mut squares = Vec::new();
    // Seeds with many zeros, and seeds without a pattern.
    let keys =
        (0..BITS_KEYS).map(|i| if i % 2 == 0 { Key::new(key.seed.wrapping_add(i)) } else { key.fold_in(i) });
    for key in keys {
        let first = fill(key)?;
        let compared = changes.par_iter().map(|(seed, offset)| -> Result<_, seedbed::Error> {
            let second = fill(Key { seed: key.seed ^ seed, offset: key.offset ^ offset })?;
            let [xy, squares] = sum(first.iter().zip(&second).map(|(x, y)| {
                let (x, y) = (f64::from(*x), f64::from(*y));
                [x * y, (x * x - 1.0) * (y * y - 1.0) / 2.0]
            }));
            Ok([xy, squares].map(|sum| sum / (BITS_ELEMENTS as f64).sqrt()))
        });
        for [xy, square] in compared.collect::<Result<Vec<_>, _>>()? {
            linear.push(xy);
            squares.push(square);
        }
    }
    several("keys that differ in one bit", &linear, findings);
    several("squares, keys that differ in one bit", &squares, findings);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ps(distribution: Distribution, control: Option<Control>) -> Vec<(String, f64)> {
        let arguments = Arguments { elements: 10_000_000, names: 256, seed: 0, distribution, control };
        findings(&arguments).unwrap().into_iter().map(|finding| (finding.test, finding.p)).collect()
    }

    #[test]
    fn ten_million_elements_have_their_distribution() {
        for &distribution in Distribution::value_variants() {
            for (test, p) in ps(distribution, None) {
                assert!(p > SUSPICIOUS && p < 1.0 - SUSPICIOUS, "{distribution:?}, {test}: {p}");
            }
        }
    }

    #[test]
    fn each_control_is_noticed() {
        for (control, by) in [
            (Control::Scale, "moment 2"),
            (Control::Tail, "above 4"),
            (Control::Coarse, "Kolmogorov"),
            (Control::Lag, "sine of a pair"),
            (Control::Names, "named streams, lag 0, largest"),
            (Control::Bits, "one bit, largest"),
        ] {
            let ps = ps(Distribution::Normal, Some(control));
            assert!(
                ps.iter().any(|(test, p)| test.contains(by) && p.min(1.0 - p) < FAILURE),
                "{control:?}: {ps:?}"
            );
        }
    }
}
