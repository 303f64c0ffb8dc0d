//! The self-test: programs for the page's device, and what the host says about the bytes.

use std::collections::VecDeque;

use seedbed::Error;
use seedbed::program::Program;
use seedbed::self_test::{Extent, Task};
use wasm_bindgen::prelude::*;

use crate::planner::Planner;
use crate::thrown;

/// A self-test in progress.
#[wasm_bindgen]
pub struct Trials {
    trials: seedbed::self_test::Trials,
    /// The programs of the trial that was planned last, without those that JavaScript has taken.
    programs: VecDeque<Program>,
}

#[wasm_bindgen]
impl Trials {
    /// The trials of the full test, or of the short one.
    #[wasm_bindgen(constructor)]
    pub fn new(is_full: bool) -> Self {
        let extent = if is_full { Extent::Full } else { Extent::Short };
        Self { trials: seedbed::self_test::Trials::new(extent), programs: VecDeque::new() }
    }

    /// The numbers of the trials that are needed and have no result.
    pub fn needed(&self) -> Vec<u32> {
        self.trials.needed().into_iter().map(|number| number as u32).collect()
    }

    /// The value of each byte of a trial's buffer before the first program.
    pub fn prefill() -> u8 {
        Task::PREFILL
    }

    /// Plans a trial, and gives the size of its buffer in bytes. Nothing where the device's limits rule the trial out.
    pub fn plan(&mut self, number: u32, planner: &Planner) -> Result<Option<f64>, JsError> {
        let task = self.trials.plan(number as usize, planner.library()).map_err(thrown)?;
        Ok(task.map(|task| {
            self.programs = task.programs.into();
            task.bytes as f64
        }))
    }

    /// The next program of the trial that was planned last, in the form of `Planner.plan`. Nothing after the last one.
    pub fn program(&mut self, planner: &mut Planner) -> Result<Option<String>, JsError> {
        self.programs.pop_front().map(|program| planner.hand_over(program)).transpose()
    }

    /// Compares the bytes of a trial's buffer, after all programs, with those of the host.
    pub fn compare(&mut self, number: u32, bytes: &[u8]) {
        self.trials.compare(number as usize, bytes);
    }

    /// Notes why the device could not run a trial.
    pub fn fail(&mut self, number: u32, reason: String) {
        self.trials.fail(number as usize, Error::Device { reason });
    }

    /// The report about the trials that have a result, in JSON.
    pub fn report(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.trials.report())?)
    }

    /// The report in a sentence.
    pub fn text(&self) -> String {
        self.trials.report().to_string()
    }
}
