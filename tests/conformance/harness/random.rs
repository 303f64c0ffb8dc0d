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
