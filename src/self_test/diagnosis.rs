//! The diagnosis draws a hint for each difference from the findings of all trials.

use super::compare::Finding;
use super::hint::{Direction, Hint};
use super::pattern::Pattern;
use super::trial::{Probe, Trial};

/// The findings of the trials that isolate one cause.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Diagnosis {
    /// Whether raw words differ.
    words_differ: bool,
    /// Whether trials of single operations ran.
    is_probed: bool,
    /// The direction in which the device rounds single operations, if the contract has another one.
    direction: Option<Direction>,
}

impl Diagnosis {
    /// Looks at all trials that ran.
    pub(super) fn of<'a>(trials: impl Iterator<Item = (&'a Trial, Option<&'a Finding>)>) -> Self {
        let mut diagnosis = Self::default();
        let mut single = Pattern::default();
        for (trial, finding) in trials {
            let is_single = trial.probe == Some(Probe::OneOperation);
            diagnosis.is_probed |= is_single;
            if let Some(Finding::Elements { pattern, .. }) = finding {
                let is_written = pattern.unwritten < pattern.count;
                diagnosis.words_differ |= trial.is_of_words() && is_written;
                if is_single {
                    single.join(pattern);
                }
            }
        }
        diagnosis.direction = single.direction();
        diagnosis
    }

    /// The hint for a difference.
    pub(super) fn hint(&self, trial: &Trial, finding: &Finding) -> Hint {
        let Finding::Elements { pattern, .. } = finding else { return Hint::OutOfRangeWrite };
        let all = |count: u64| count == pattern.count;
        if all(pattern.unwritten) {
            return Hint::NotWritten;
        }
        if trial.is_of_words() {
            return Hint::IntegerPath;
        }
        if all(pattern.flushed) {
            return Hint::FlushedSubnormals;
        }
        if self.words_differ && pattern.large > 0 {
            return Hint::IntegerPath;
        }
        if let Some(direction) = self.direction {
            return Hint::RoundingDirection(direction);
        }
        if pattern.large > 0 {
            return Hint::Other;
        }
        match pattern.direction() {
            // If trials of single operations ran, these operations are right, so the conversion to 16 bits
            // rounds wrongly. Without such trials the direction of the elements is all that is known.
            Some(direction) if pattern.is_of_halves() || !self.is_probed => {
                Hint::RoundingDirection(direction)
            }
            _ => Hint::FusedOrReordered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::init::Init;
    use crate::key::Key;
    use crate::self_test::trial::{Job, Recording};

    fn trial(dtype: DType, probe: Option<Probe>) -> Trial {
        let mut trial = Trial::new("test", Recording::Apart);
        let job = match dtype {
            DType::U32 => Job::words([4], Key::new(0)),
            _ => Job::new(dtype, [4], Init::normal(0.0, 1.0), Key::new(0)),
        };
        trial.add(job);
        trial.probe = probe;
        trial
    }

    fn finding(dtype: DType, pairs: &[(u32, u32)]) -> Finding {
        let mut pattern = Pattern::default();
        pairs.iter().for_each(|&(expected, found)| pattern.add(dtype, expected, found));
        let (expected, found) = pairs[0];
        Finding::Elements { job: 0, element: 0, offset: 32, expected, found, pattern }
    }

    #[test]
    fn hints_follow_from_all_trials() {
        let [words, normal, half] = [DType::U32, DType::F32, DType::F16].map(|dtype| trial(dtype, None));
        let probe = trial(DType::F32, Some(Probe::OneOperation));
        let wrong_words = finding(DType::U32, &[(7, 8)]);
        let (one, two) = (0x3F80_0000, 0x4000_0000);
        let below = finding(DType::F32, &[(one, one - 1), (two, two - 1)]);
        let both_ways = finding(DType::F32, &[(one, one - 1), (two, two + 9)]);
        let far = finding(DType::F32, &[(one, two)]);
        let halves_below = finding(DType::F16, &[(0x3C00, 0x3BFF)]);
        let right = Diagnosis::of([(&words, None), (&probe, None)].into_iter());
        let integers = Diagnosis::of([(&words, Some(&wrong_words)), (&probe, None)].into_iter());
        let truncates = Diagnosis::of([(&words, None), (&probe, Some(&below))].into_iter());
        let unknown = Diagnosis::of([(&words, None)].into_iter());
        let toward_zero = Hint::RoundingDirection(Direction::TowardZero);
        for (diagnosis, trial, finding, hint) in [
            (right, &normal, &both_ways, Hint::FusedOrReordered),
            (right, &normal, &below, Hint::FusedOrReordered),
            (right, &normal, &far, Hint::Other),
            (right, &half, &halves_below, toward_zero),
            (unknown, &normal, &below, toward_zero),
            (truncates, &probe, &below, toward_zero),
            (truncates, &normal, &both_ways, toward_zero),
            (truncates, &normal, &far, toward_zero),
            (integers, &words, &wrong_words, Hint::IntegerPath),
            (integers, &normal, &far, Hint::IntegerPath),
            (integers, &normal, &both_ways, Hint::FusedOrReordered),
            (right, &half, &finding(DType::F16, &[(1, 0), (0x8002, 0x8000)]), Hint::FlushedSubnormals),
            (right, &normal, &finding(DType::F32, &[(one, 0xA5A5_A5A5)]), Hint::NotWritten),
            (
                right,
                &normal,
                &Finding::Outside { offset: 0, expected: 0xA5, found: 0, bytes: 1 },
                Hint::OutOfRangeWrite,
            ),
        ] {
            assert_eq!(diagnosis.hint(trial, finding), hint, "{diagnosis:?} {finding:?}");
        }
    }
}
