//! Statistics of streams, and how far a statistic may be from its expected value.
//!
//! Seeds are fixed, so a check passes always or never. If words were truly random, each statistic would be
//! refused with probability [`ALPHA`], and no seed was picked because it passes. A check that passes shows
//! that there is no gross mistake, such as a wrong variance, a repeated word, or two correlated streams. The
//! quality of Philox itself is the subject of its authors' tests (SC'11, section 4).

/// The probability that one statistic of a right stream is refused.
const ALPHA: f64 = 1e-4;

/// The two-sided quantile of the normal distribution for [`ALPHA`].
const Z: f64 = 3.890_591_886_413_1;

/// The quantile for sqrt(n) times the largest distance of the distribution functions. It is
/// `sqrt(-ln(alpha / 2) / 2)`, Kolmogorov's limit, whose next term is below 1e-15.
fn kolmogorov_quantile() -> f64 {
    (-(ALPHA / 2.0).ln() / 2.0).sqrt()
}

pub fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// Asserts that a statistic, given in its standard errors, is as near to 0 as [`ALPHA`] allows.
pub fn assert_likely(what: &str, z: f64) {
    assert!(z.abs() < Z, "{what}: {z:.2} standard errors from what it should be");
}

/// Asserts, by Kolmogorov's and Smirnov's test, that values have this distribution function.
pub fn check_distribution(mut values: Vec<f32>, cdf: impl Fn(f64) -> f64) {
    values.sort_unstable_by(f32::total_cmp);
    let n = values.len() as f64;
    let distance = values
        .iter()
        .enumerate()
        .map(|(i, &x)| {
            let p = cdf(x.into());
            (p - i as f64 / n).max((i + 1) as f64 / n - p)
        })
        .fold(0.0, f64::max);
    let statistic = distance * n.sqrt();
    assert!(statistic < kolmogorov_quantile(), "Kolmogorov-Smirnov: {statistic}");
}
