//! The repetitions of one measurement, and their median.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often something is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The time for all repetitions. No further one begins after it.
    pub budget: Duration,
    /// The fewest repetitions.
    pub min: usize,
    /// The most repetitions.
    pub max: usize,
}

const USUAL: Effort = Effort { budget: Duration::from_millis(1500), min: 7, max: 101 };

/// The seconds of one measurement, over its repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// The median.
    pub median: f64,
    /// A quarter of the repetitions took less.
    pub first_quartile: f64,
    /// A quarter of the repetitions took more.
    pub third_quartile: f64,
}

impl Seconds {
    /// Summarises the times of at least one repetition.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at =
            |part: f64| times.get((times.len().saturating_sub(1) as f64 * part).round() as usize).copied();
        let at = |part| at(part).unwrap_or(f64::NAN);
        let (first_quartile, third_quartile) = (at(0.25), at(0.75));
        Self { median: median(times).unwrap_or(f64::NAN), first_quartile, third_quartile }
    }

    /// Summarises the times of the wall, and those of the queue where it has a clock.
    pub fn of_both(times: &[(f64, Option<f64>)]) -> (Self, Option<Self>) {
        let queue: Option<Vec<_>> = times.iter().map(|(_, queue)| *queue).collect();
        (Self::of(times.iter().map(|(wall, _)| *wall).collect()), queue.map(Self::of))
    }

    /// The width of the middle half, as a part of the median.
    pub fn spread(&self) -> f64 {
        (self.third_quartile - self.first_quartile) / self.median
    }
}

/// The middle of the times, or the mean of the middle two: the one median of all measuring tools here.
/// Returns `None` for no times.
pub fn median(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    let upper = *times.get(times.len() / 2)?;
    let lower = *times.get(times.len().saturating_sub(1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// Calls `once` until there are enough results. A first call is not counted.
pub fn repeat<T>(mut once: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    once()?;
    repeat_warm(USUAL, once)
}

/// Calls `once` until there are enough results for this effort. The caller has called it before, to warm it
/// up.
pub fn repeat_warm<T>(effort: Effort, mut once: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    let start = Instant::now();
    let mut results = Vec::new();
    while results.len() < effort.min || (results.len() < effort.max && start.elapsed() < effort.budget) {
        results.push(once()?);
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles() {
        let seconds = Seconds::of(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(seconds, Seconds { median: 3.0, first_quartile: 2.0, third_quartile: 4.0 });
        assert_eq!(seconds.spread(), 2.0 / 3.0);
        assert_eq!(Seconds::of(vec![7.0]).median, 7.0);
    }

    #[test]
    fn a_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), Some(3.0));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn an_effort_has_a_minimum_and_a_maximum() {
        let effort = Effort { budget: Duration::ZERO, min: 3, max: 5 };
        assert_eq!(repeat_warm(effort, || Ok(())).unwrap().len(), 3);
        let effort = Effort { budget: Duration::from_secs(60), ..effort };
        assert_eq!(repeat_warm(effort, || Ok(())).unwrap().len(), 5);
    }

    #[test]
    fn a_failure_ends_the_repetitions() {
        let mut calls = 0;
        let result = repeat(|| {
            calls += 1;
            anyhow::ensure!(calls < 3, "third");
            Ok(calls)
        });
        assert_eq!((result.unwrap_err().to_string().as_str(), calls), ("third", 3));
    }
}
