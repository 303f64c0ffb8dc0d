//! Random cases. Every run has the same cases, so that a failure can be looked into.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// Runs a check that panics on this number of cases. The message names the smallest case that fails.
pub fn cases<S: Strategy>(count: u32, strategy: S, check: impl Fn(S::Value)) {
    try_cases(count, strategy, |case| {
        check(case);
        Ok(())
    });
}

/// Runs a check that can reject a case (`prop_assume!`) or fail it (`prop_assert!`).
pub fn try_cases<S: Strategy>(count: u32, strategy: S, check: impl Fn(S::Value) -> TestCaseResult) {
    let config = Config { cases: count, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    if let Err(error) = runner.run(&strategy, check) {
        panic!("{error}");
    }
}

/// A generator of the numbers of a random sequence (SplitMix64). A sequence is named by its seed alone, so that a failure
/// can be run again without the sequences before it.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    /// A number below the end, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.word() % end
    }

    /// Whether one of `many` cases happens.
    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    /// A range within `0..len`, which may be empty.
    pub fn range(&mut self, len: u64) -> std::ops::Range<u64> {
        let [a, b] = [(); 2].map(|()| self.below(len + 1));
        a.min(b)..a.max(b)
    }

    /// Puts the values in a random order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
