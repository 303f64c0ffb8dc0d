//! Streams of every initialiser have its distribution and its moments (`harness/statistics.rs` says what
//! passing means).

use seedbed::{FanMode, Init, Kaiming, Key, Nonlinearity, VarianceScaling};

use crate::Check;
use crate::harness::cases::{Case, every_initialiser};
use crate::harness::engines::Engine;
use crate::harness::statistics::{assert_likely, check_distribution, mean};
use crate::reference::sparse::permuted;
use crate::reference::truncated::Truncated;
use crate::reference::{scale, sparse};

pub const CHECKS: &[Check] = &[
    Check::engine("statistical::uniforms", uniforms),
    Check::engine("statistical::scaled_uniforms", scaled_uniforms),
    Check::engine("statistical::jax_glorot_normal", jax_glorot_normal),
    Check::engine("statistical::moments_of_every_initialiser", moments_of_every_initialiser),
    Check::host("statistical::promised_moments", promised_moments),
    Check::engine("statistical::sparse_rows", sparse_rows),
    Check::host("statistical::sparse_neighbours", sparse_neighbours),
    Check::host("statistical::sparse_subsets", sparse_subsets),
];

const KEY: Key = Key::new(20_100_621);

/// Asserts the first four moments of a uniform distribution, scaled to ±1, each in its standard error.
fn check_uniform(values: &[f32], low: f64, high: f64) {
    let n = values.len() as f64;
    let [centre, half] = [(low + high) / 2.0, (high - low) / 2.0];
    let moment = |power: i32| mean(values.iter().map(|&x| ((f64::from(x) - centre) / half).powi(power)));
    // E x^k is 1/(k + 1) for even k and 0 for odd k. The variance of x^k is E x^2k minus the square of E x^k.
    for power in 1..=4 {
        let expected = |k: i32| if k % 2 == 0 { 1.0 / f64::from(k + 1) } else { 0.0 };
        let variance = expected(2 * power) - expected(power).powi(2);
        let what = format!("moment {power} on [{low}, {high})");
        assert_likely(&what, (moment(power) - expected(power)) * (n / variance).sqrt());
    }
}

fn uniforms(engine: &Engine) {
    for (low, high) in [(0.0, 1.0), (-0.3, 0.7), (1000.0, 1001.0)] {
        let values = engine.fill([1 << 20], &Init::uniform(low, high), KEY);
        check_uniform(&values, low, high);
        check_distribution(values, |x| ((x - low) / (high - low)).clamp(0.0, 1.0));
    }
}

fn scaled_uniforms(engine: &Engine) {
    let kaiming = Kaiming { a: 0.1, mode: FanMode::FanOut, nonlinearity: Nonlinearity::LeakyRelu };
    let convolution = [64, 256, 7, 9];
    for (shape, init, std) in [
        (&[768_u64, 1024][..], Init::xavier_uniform(), (2.0_f64 / 1792.0).sqrt()),
        (&convolution, Init::KaimingUniform(kaiming), (2.0 / (1.01 * 64.0 * 63.0_f64)).sqrt()),
        (&[768, 1024], Init::VarianceScaling(VarianceScaling::jax_he_uniform()), (2.0 / 768.0_f64).sqrt()),
    ] {
        let bound = scale::bound(std);
        check_uniform(&engine.fill(shape, &init, KEY), -bound, bound);
    }
}

/// JAX's `glorot_normal` has the standard deviation that its name promises, although it is cut.
fn jax_glorot_normal(engine: &Engine) {
    let (shape, std) = ([800_u64, 1200], (1.0_f64 / 1000.0).sqrt());
    let init = Init::VarianceScaling(VarianceScaling::jax_glorot_normal());
    let weights = engine.fill(shape, &init, KEY);
    check_moments(&init, &weights, 0.0, std);
    let s = scale::untruncated(std);
    check_distribution(weights, |x| Truncated::new(0.0, s, -2.0 * s, 2.0 * s).cdf(x));
}

/// Asserts mean and variance, each in its standard error. The standard error of the variance is computed from
/// the values' own fourth moment.
fn check_moments(init: &Init, values: &[f32], expected_mean: f64, expected_std: f64) {
    let n = values.len() as f64;
    let moment = |power: i32| {
        mean(values.iter().map(|&x| ((f64::from(x) - expected_mean) / expected_std).powi(power)))
    };
    assert_likely(&format!("mean of {init}"), moment(1) * n.sqrt());
    assert_likely(
        &format!("variance of {init}"),
        (moment(2) - 1.0) * (n / (moment(4) - moment(2).powi(2))).sqrt(),
    );
}

/// [`Init::mean`] and [`Init::std`] are the moments of the values that a fill writes. Patterns and constants
/// are not random, so their moments are compared without a standard error.
fn moments_of_every_initialiser(engine: &Engine) {
    for Case { init, shape, .. } in every_initialiser([509, 521]) {
        let values = engine.fill(&shape[..], &init, KEY);
        let [expected_mean, expected_std] =
            [init.mean(&shape), init.std(&shape)].map(|promised| promised.expect("a shape that is right"));
        if matches!(init, Init::Eye | Init::Dirac { .. } | Init::Constant { .. } | Init::Zeros | Init::Ones) {
            let actual_mean = mean(values.iter().map(|&x| f64::from(x)));
            let variance = mean(values.iter().map(|&x| (f64::from(x) - actual_mean).powi(2)));
            let near =
                |actual: f64, expected: f64| (actual - expected).abs() <= 1e-7 * expected.abs().max(1e-3);
            assert!(near(actual_mean, expected_mean), "{init}: mean {actual_mean}, not {expected_mean}");
            let std = variance.sqrt();
            assert!(near(std, expected_std), "{init}: std {std}, not {expected_std}");
        } else {
            check_moments(&init, &values, expected_mean, expected_std);
        }
    }
}

/// [`Init::mean`] and [`Init::std`] meet closed formulas, to more digits than a sample has.
fn promised_moments() {
    let near = |init: &Init, shape: &[u64], mean: f64, std: f64| {
        let [m, s] = [init.mean(shape), init.std(shape)].map(|x| x.expect("a shape that is right"));
        assert!((m - mean).abs() <= 1e-9 * std.max(mean.abs()), "{init}: mean {m}, not {mean}");
        assert!((s - std).abs() <= 1e-9 * std, "{init}: std {s}, not {std}");
    };
    near(&Init::constant(-2.5), &[3, 4], -2.5, 0.0);
    near(&Init::Ones, &[], 1.0, 0.0);
    near(&Init::uniform(-1.0, 5.0), &[7], 2.0, 3.0_f64.sqrt());
    near(&Init::uniform(2.0, 2.0), &[7], 2.0, 0.0);
    near(&Init::normal(0.5, 0.1), &[7], 0.5, 0.1);
    near(&Init::xavier_uniform(), &[6, 10], 0.0, scale::xavier(&[6, 10], 1.0));
    near(&Init::xavier_normal(), &[6, 10, 3], 0.0, scale::xavier(&[6, 10, 3], 1.0));
    near(&Init::kaiming_uniform(), &[6, 10], 0.0, (2.0 / 10.0_f64).sqrt());
    near(&Init::kaiming_normal(), &[6, 10], 0.0, (2.0 / 10.0_f64).sqrt());
    // Patterns have a known number of ones among their elements.
    let pattern = |ones: f64, of: f64| (ones / of, (ones / of * (1.0 - ones / of)).sqrt());
    for (init, shape, ones) in [
        (Init::Eye, &[5_u64, 9][..], 5.0),
        (Init::Eye, &[9, 5], 5.0),
        (Init::dirac(), &[6, 4, 3], 4.0),
        (Init::Dirac { groups: 2 }, &[6, 4, 3, 3], 6.0),
        (Init::Dirac { groups: 3 }, &[6, 1, 3, 3, 2], 3.0),
    ] {
        let (mean, std) = pattern(ones, shape.iter().product::<u64>() as f64);
        near(&init, shape, mean, std);
    }
    // Zeros take their part of the variance away.
    let part = 1.0 - sparse::zeros(0.29, 100) as f64 / 100.0;
    near(&Init::Sparse { sparsity: 0.29, std: 2.0 }, &[100, 7], 0.0, 2.0 * part.sqrt());
    near(&Init::sparse(1.0), &[100, 7], 0.0, 0.0);
    for t in [
        Truncated::new(0.0, 1.0, -2.0, 2.0),
        Truncated::new(0.0, 1.0, 1.0, f64::INFINITY),
        Truncated::new(0.5, 2.0, f64::NEG_INFINITY, -3.0),
        Truncated::new(0.0, 0.02, -2.0, 2.0),
        Truncated::new(-1.0, 0.5, -1.2, 3.0),
        Truncated::new(0.0, 1.0, 4.0, 5.0),
    ] {
        let [mean, std] = t.moments();
        near(&Init::trunc_normal(t.mean, t.std, t.a, t.b), &[10], mean, std);
    }
    for mode in [FanMode::FanIn, FanMode::FanOut, FanMode::FanAvg, FanMode::FanGeoAvg] {
        for named in [
            VarianceScaling::jax_he_normal(),
            VarianceScaling::jax_he_uniform(),
            VarianceScaling::jax_glorot_normal(),
        ] {
            let init = Init::VarianceScaling(VarianceScaling { mode, ..named });
            let fan = scale::of_mode([30.0, 70.0], mode);
            near(&init, &[30, 70], 0.0, (named.scale / fan).sqrt());
        }
    }
}

/// Pearson's statistic in standard errors, by Wilson's and Hilferty's cube root.
fn chi_square_z(statistic: f64, degrees: f64) -> f64 {
    let spread = 2.0 / (9.0 * degrees);
    ((statistic / degrees).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// Rows are zero in equally many columns. The count of a row has the variance `columns q (1 - q)`. Counts
/// have a small negative correlation, because the sum of each column is fixed; the last factor corrects for
/// this correlation.
fn sparse_rows(engine: &Engine) {
    for ([rows, columns], sparsity) in
        [([64_u64, 16_384_u64], 0.5), ([1000, 2000], 0.1), ([1024, 1024], 0.5), ([17, 60_000], 0.3)]
    {
        let matrix = engine.fill([rows, columns], &Init::sparse(sparsity), KEY);
        let q = sparse::zeros(sparsity, rows) as f64 / rows as f64;
        let expected = columns as f64 * q;
        let statistic: f64 = matrix
            .chunks_exact(columns as usize)
            .map(|row| {
                let zeros = row.iter().filter(|x| x.to_bits() == 0).count();
                (zeros as f64 - expected).powi(2)
            })
            .sum::<f64>()
            / (expected * (1.0 - q))
            * (1.0 - 1.0 / rows as f64);
        assert_likely(
            &format!("zeros of the {rows} rows, sparsity {sparsity}"),
            chi_square_z(statistic, rows as f64 - 1.0),
        );
    }
}

/// For each column of a matrix, whether each row is zero.
fn zero_rows(rows: usize, columns: usize, sparsity: f64) -> Vec<Vec<bool>> {
    let matrix = Engine::Host.fill([rows as u64, columns as u64], &Init::sparse(sparsity), KEY);
    (0..columns).map(|j| (0..rows).map(|i| matrix[i * columns + j].to_bits() == 0).collect()).collect()
}

/// Two columns share as many zeros as two random choices (hypergeometric). Two rows of a column are both zero
/// as often as in a random choice, whether the rows are neighbours in the column or in the grid that the
/// permutation works on.
fn sparse_neighbours() {
    for (rows, columns, sparsity) in
        [(64, 16_384, 0.5), (100, 10_000, 0.3), (1000, 2000, 0.1), (1024, 2000, 0.5), (17, 60_000, 0.5)]
    {
        let zeros = zero_rows(rows, columns, sparsity);
        let (n, k) = (rows as f64, sparse::zeros(sparsity, rows as u64) as f64);
        for lag in [1, 2, 3, 4, 16, 1000] {
            let pairs = (columns - lag) as f64;
            let both: usize = zeros
                .iter()
                .zip(&zeros[lag..])
                .map(|(a, b)| a.iter().zip(b).filter(|(a, b)| **a && **b).count())
                .sum();
            let variance = k * (k / n) * (1.0 - k / n) * (n - k) / (n - 1.0);
            assert_likely(
                &format!("[{rows}, {columns}], sparsity {sparsity}: columns at lag {lag}"),
                (both as f64 - pairs * k * k / n) / (pairs * variance).sqrt(),
            );
        }
        let width = (1..).find(|width| width * width >= rows).expect("a root");
        for lag in [1, 2, 3, width - 1, width, width + 1, 2 * width] {
            let both: usize = zeros
                .iter()
                .map(|zero| (0..rows).filter(|i| zero[*i] && zero[(i + lag) % rows]).count())
                .sum();
            // p2, p3 and p4 are the probabilities that two, three and four given rows are zero. Among the
            // ordered pairs of pairs (i, i + lag), n pairs are equal, 2n share a row, and the others have
            // four different rows.
            let p2 = k * (k - 1.0) / (n * (n - 1.0));
            let p3 = p2 * (k - 2.0) / (n - 2.0);
            let p4 = p3 * (k - 3.0) / (n - 3.0);
            let variance = n * p2 + 2.0 * n * p3 + n * (n - 3.0) * p4 - (n * p2).powi(2);
            assert_likely(
                &format!("[{rows}, {columns}], sparsity {sparsity}: rows at lag {lag}"),
                (both as f64 - columns as f64 * n * p2) / (columns as f64 * variance).sqrt(),
            );
        }
    }
}

/// All choices of rows are equally frequent, and a permutation takes each row to all numbers equally often.
fn sparse_subsets() {
    for (rows, sparsity, choices) in [(5, 0.4, 10.0), (6, 0.5, 20.0), (8, 0.5, 70.0), (9, 0.33, 84.0)] {
        let columns = 200_000;
        let mut counts = std::collections::BTreeMap::<u32, u32>::new();
        for column in zero_rows(rows, columns, sparsity) {
            let subset = column.iter().enumerate().map(|(i, zero)| u32::from(*zero) << i).sum();
            *counts.entry(subset).or_default() += 1;
        }
        assert_eq!(counts.len() as f64, choices);
        let expected = columns as f64 / choices;
        let statistic = counts.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
        assert_likely(&format!("choices of {rows} rows"), chi_square_z(statistic, choices - 1.0));
    }
    for rows in [7_u64, 16, 25] {
        let columns = 20_000;
        let mut counts = vec![0_u32; (rows * rows) as usize];
        for column in 0..columns {
            for row in 0..rows {
                counts[(row * rows + permuted(KEY, rows, column, row)) as usize] += 1;
            }
        }
        let expected = columns as f64 / rows as f64;
        let pearson: f64 = counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
        // Rows and columns of the table have fixed sums. In the degrees of freedom that are left, a random
        // permutation matrix has the variance 1/(rows - 1), not 1/rows.
        let statistic = pearson * (1.0 - 1.0 / rows as f64);
        let degrees = (rows as f64 - 1.0).powi(2);
        assert_likely(&format!("places of {rows} rows"), chi_square_z(statistic, degrees));
    }
}
