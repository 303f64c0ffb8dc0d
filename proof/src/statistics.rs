//! The distributions of test statistics. A p-value is the probability that a true hypothesis gives this statistic or a
//! larger one, so p-values near 0 and near 1 are both suspicious.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use statrs::function::beta::beta_reg;
use statrs::function::gamma::{gamma_lr, gamma_ur, ln_gamma};

/// The distribution function of the standard normal distribution.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// The p-value of a standard normal statistic.
pub fn normal(z: f64) -> f64 {
    normal_cdf(-z)
}

/// The p-value of a chi-square statistic.
pub fn chi_square(statistic: f64, degrees: f64) -> f64 {
    if statistic <= 0.0 { 1.0 } else { gamma_ur(degrees / 2.0, statistic / 2.0) }
}

/// The p-value of a count that has a Poisson distribution: half of the count's own probability is left out, so that the
/// p-value of a true hypothesis has mean one half.
pub fn poisson(count: u64, mean: f64) -> f64 {
    let count = count as f64;
    gamma_lr(count + 1.0, mean) + 0.5 * (count * mean.ln() - mean - ln_gamma(count + 1.0)).exp()
}

/// The p-value of the largest of many independent statistics, from that statistic's own p-value (Šidák).
pub fn largest(p: f64, of: f64) -> f64 {
    -(of * (-p).ln_1p()).exp_m1()
}

/// The probability that the coefficient of correlation of two samples of independent normals of mean 0 is as far from 0.
/// The means are known, and not subtracted.
pub fn correlation(coefficient: f64, samples: f64) -> f64 {
    beta_reg((samples - 1.0) / 2.0, 0.5, (1.0 - coefficient * coefficient).clamp(0.0, 1.0))
}

/// The p-value of Kolmogorov and Smirnov's distance for `n` samples: the limit distribution, at the argument that
/// corrects it for small `n` (Vrbik 2018).
pub fn kolmogorov_smirnov(distance: f64, n: f64) -> f64 {
    let root = n.sqrt();
    let x = root * distance + 1.0 / (6.0 * root) + (root * distance - 1.0) / (4.0 * n);
    if x <= 0.0 {
        return 1.0;
    }
    // Two series of one function; each converges fast where it is used.
    if x < 1.0 {
        let term = |k: i32| (-f64::from(2 * k - 1).powi(2) * PI * PI / (8.0 * x * x)).exp();
        return 1.0 - (2.0 * PI).sqrt() / x * (1..=4).map(term).sum::<f64>();
    }
    let term = |k: i32| if k % 2 == 1 { 2.0 } else { -2.0 } * (-2.0 * f64::from(k * k) * x * x).exp();
    (1..=5).map(term).sum()
}

/// The p-value of Anderson and Darling's statistic for `n` samples (Marsaglia, Marsaglia 2004).
pub fn anderson_darling(statistic: f64, n: f64) -> f64 {
    let z = statistic;
    if z <= 0.0 {
        return 1.0;
    }
    let p = if z < 2.0 {
        let q = [2.00012, 0.247105, -0.0649821, 0.0347962, -0.011672, 0.00168691];
        1.0 - (-1.2337141 / z).exp() / z.sqrt() * polynomial(&q, z)
    } else {
        let q = [1.0776, -2.30695, 0.43424, -0.082433, 0.008056, -0.0003146];
        -(-polynomial(&q, z).exp()).exp_m1()
    };
    p - anderson_darling_correction(1.0 - p, n)
}

/// The difference between the distribution function for `n` samples and the limit `x`.
fn anderson_darling_correction(x: f64, n: f64) -> f64 {
    if x > 0.8 {
        return polynomial(&[-130.2137, 745.2337, -1705.091, 1950.646, -1116.360, 255.7844], x) / n;
    }
    let c = 0.01265 + 0.1757 / n;
    if x < c {
        let t = x / c;
        return t.sqrt() * (1.0 - t) * (49.0 * t - 102.0) * (0.0037 / (n * n) + 0.00078 / n + 0.00006) / n;
    }
    let t = (x - c) / (0.8 - c);
    let q = [-0.00022633, 6.54034, -14.6538, 14.458, -8.259, 1.91864];
    polynomial(&q, t) * (0.04213 + 0.01365 / n) / n
}

/// A polynomial with these coefficients, the constant first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found:e} is not {expected:e}");
    }

    /// Values of scipy 1.17.1: `norm.sf`, `chi2.sf`, `poisson.sf + pmf/2`, `kstwo.sf`, `2*t.sf`.
    #[test]
    fn equal_other_programs() {
        close(normal(-3.5), 0.9997673709209645, 1e-13);
        close(normal(0.0), 0.5, 1e-13);
        close(normal(1.5), 0.06680720126885807, 1e-13);
        close(normal(6.0), 9.865876450376946e-10, 1e-13);
        close(chi_square(3.0, 5.0), 0.6999858358786276, 1e-7);
        close(chi_square(65000.0, 65535.0), 0.9305569419139977, 1e-7);
        close(chi_square(66500.0, 65535.0), 0.003973081602588411, 1e-7);
        close(poisson(0, 2.0), 0.9323323583816936, 1e-7);
        close(poisson(573, 560.0), 0.28974231880997686, 1e-7);
        close(poisson(2, 1.97), 0.45050860872005105, 1e-7);
        close(poisson(2701296, 2699796.0), 0.18064170816914257, 1e-7);
        close(kolmogorov_smirnov(0.05, 100.0), 0.9532159710635725, 0.002);
        close(kolmogorov_smirnov(0.1, 100.0), 0.2526927570063874, 0.002);
        close(kolmogorov_smirnov(0.16, 100.0), 0.010543506724453174, 0.01);
        close(kolmogorov_smirnov(0.0003, 10000000.0), 0.32903987173741867, 0.0001);
        close(correlation(0.01, 4096.0), 0.522238392547102, 1e-9);
        close(correlation(0.085, 4096.0), 5.069173757662857e-08, 1e-9);
    }

    /// The limit distribution, from a numeric inversion of its characteristic function (Anderson, Darling 1952).
    #[test]
    fn anderson_darling_is_the_distribution_of_its_authors() {
        for (statistic, p) in
            [(0.3, 0.938161), (1.248, 0.249951), (2.492, 0.0500225), (3.857, 0.0102414), (6.0, 0.00096732)]
        {
            let found = anderson_darling(statistic, 1e9);
            assert!((found - p).abs() < 1e-5, "{statistic}: {found} is not {p}");
        }
        assert!(anderson_darling(0.15, 1e7) > 0.99 && anderson_darling(12.0, 1e7) < 1e-5);
    }
}
