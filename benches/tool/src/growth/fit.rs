//! The line that says where the cost of launching a fill ends and that of its elements begins. Pure
//! arithmetic.

use seedbed_cli::bench::sample::median;
use serde::{Deserialize, Serialize};

/// Fills of at most this number of elements, four blocks of the generator, cost what launching them costs.
const SMALL: u64 = 16;

/// The largest fills, which give the rate, have at least 1/16 of the most elements.
const LARGE_PART: u64 = 16;

/// The line `seconds = launch + elements / rate` by the measured times of one kind of fill.
///
/// The line goes through the medians of both ends. Least squares would see the largest fill alone, over nine
/// orders of magnitude. Least squares of logarithms would see the middle, where caches and threads bend the
/// line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The seconds of the smallest fills.
    pub launch_seconds: f64,
    /// The rate of the largest fills, without their launch; `None` where launching is half of their time, or
    /// more.
    pub elements_per_second: Option<f64>,
    /// The number of elements that take as long as the launch.
    pub knee_elements: Option<f64>,
    /// The factor by which the worst time misses the line, above or below.
    pub furthest: Option<f64>,
}

impl Fit {
    /// Fits the line to pairs of elements and seconds.
    pub fn of(times: &[(u64, f64)]) -> Self {
        let launch = median(times.iter().filter(|(n, _)| *n <= SMALL).map(|(_, t)| *t).collect());
        let launch_seconds = launch.unwrap_or(f64::NAN);
        let max = times.iter().map(|(n, _)| *n).max().unwrap_or(0);
        let rates = times
            .iter()
            .filter(|(n, t)| n.saturating_mul(LARGE_PART) >= max && *t > 2.0 * launch_seconds)
            .map(|(n, t)| *n as f64 / (t - launch_seconds))
            .collect();
        let elements_per_second = median(rates);
        let miss = |rate: f64| {
            let ratios = times.iter().map(|(n, t)| t / (launch_seconds + *n as f64 / rate));
            ratios.map(|ratio| ratio.max(1.0 / ratio)).fold(1.0, f64::max)
        };
        Self {
            launch_seconds,
            elements_per_second,
            knee_elements: elements_per_second.map(|rate| launch_seconds * rate),
            furthest: elements_per_second.map(miss),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(launch: f64, rate: f64, most: u32) -> Vec<(u64, f64)> {
        (0..=most).step_by(2).map(|power| (1 << power, launch + (1u64 << power) as f64 / rate)).collect()
    }

    fn near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value / expected - 1.0).abs() < 1e-3, "{value}, not {expected}");
    }

    #[test]
    fn a_line_is_found_again() {
        for (launch, rate) in [(1e-4, 1e9), (2e-5, 4e8), (3e-4, 5e10)] {
            let fit = Fit::of(&line(launch, rate, 30));
            near(Some(fit.launch_seconds), launch);
            near(fit.elements_per_second, rate);
            near(fit.knee_elements, launch * rate);
            near(fit.furthest, 1.0);
        }
    }

    #[test]
    fn single_outliers_do_not_move_it() {
        let mut times = line(1e-4, 1e9, 30);
        times[0].1 *= 50.0;
        times[7].1 *= 3.0;
        times.last_mut().unwrap().1 *= 2.0;
        let fit = Fit::of(&times);
        near(Some(fit.launch_seconds), 1e-4);
        near(fit.elements_per_second, 1e9);
        near(fit.furthest, 50.0);
    }

    #[test]
    fn a_cache_in_the_middle_is_not_the_rate() {
        let mut times = line(1e-4, 1e9, 30);
        for (n, t) in &mut times[9..12] {
            *t = 1e-4 + *n as f64 / 8e9;
        }
        near(Fit::of(&times).elements_per_second, 1e9);
    }

    #[test]
    fn without_large_fills_there_is_no_rate() {
        let fit = Fit::of(&line(1e-4, 1e9, 12));
        near(Some(fit.launch_seconds), 1e-4);
        assert_eq!((fit.elements_per_second, fit.knee_elements, fit.furthest), (None, None, None));
        assert_eq!(Fit::of(&[(1, 1e-6)]).launch_seconds, 1e-6);
    }
}
