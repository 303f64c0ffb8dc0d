//! Repetitions of one measurement.

use std::time::{Duration, Instant};

use serde::Serialize;

/// How often something is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Time for all repetitions, beyond which no further one begins.
    pub budget: Duration,
    pub least: usize,
    pub most: usize,
}

const USUAL: Effort = Effort { budget: Duration::from_millis(1500), least: 7, most: 101 };

/// Seconds: the median, and the quarters of the repetitions that were quickest and slowest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Seconds {
    pub median: f64,
    pub first_quartile: f64,
    pub third_quartile: f64,
}

impl Seconds {
    /// Of at least one repetition.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times.get(((times.len() - 1) as f64 * part).round() as usize).copied();
        let at = |part| at(part).unwrap_or(f64::NAN);
        Self { median: at(0.5), first_quartile: at(0.25), third_quartile: at(0.75) }
    }

    /// Of the wall's times and of the queue's, where it has a clock.
    pub fn of_both(times: &[(f64, Option<f64>)]) -> (Self, Option<Self>) {
        let queue: Option<Vec<_>> = times.iter().map(|(_, queue)| *queue).collect();
        (Self::of(times.iter().map(|(wall, _)| *wall).collect()), queue.map(Self::of))
    }

    /// The width of the middle half, as a part of the median.
    pub fn spread(&self) -> f64 {
        (self.third_quartile - self.first_quartile) / self.median
    }
}

/// Calls `once` until there are enough results, after one call that is not counted.
pub fn repeat<T>(mut once: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    once()?;
    repeat_warm(USUAL, once)
}

/// Calls `once`, which has been called before, until there are enough results for this effort.
pub fn repeat_warm<T>(effort: Effort, mut once: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    let start = Instant::now();
    let mut results = Vec::new();
    while results.len() < effort.least || (results.len() < effort.most && start.elapsed() < effort.budget) {
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
    fn an_effort_has_a_least_and_a_most() {
        let effort = Effort { budget: Duration::ZERO, least: 3, most: 5 };
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
