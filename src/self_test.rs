//! The self-test of a device compares what the device writes with what the host writes, bit for bit.
//!
//! Identical bits rest on f32 `+ - *` that round to nearest even, which WGSL leaves to the implementation,
//! and on a driver that compiles the kernels right. A self-test checks both on the device that a program has
//! opened. A program with a [`FillRecorder`](crate::FillRecorder) calls `FillRecorder::self_test`, and
//! `seedbed selftest` runs the self-test from the command line. [`Trials`] runs the self-test on any other
//! executor of [programs](crate::program):
//!
//! ```
//! use seedbed::program::{Device, Planner};
//! use seedbed::self_test::{Extent, SelfTest, Trials};
//! use seedbed::{Error, Math};
//! # use seedbed::self_test::Task;
//! # /// Makes a buffer of `task.bytes` bytes, each of them `Task::PREFILL`, and replays the programs on it.
//! # fn replay(task: &Task) -> Vec<u8> { vec![Task::PREFILL; task.bytes as usize] }
//!
//! fn self_test(planner: &Planner) -> Result<SelfTest, Error> {
//!     let mut trials = Trials::new(Extent::Short);
//!     while let Some(&number) = trials.needed().first() {
//!         if let Some(task) = trials.plan(number, planner)? {
//!             let bytes: Vec<u8> = replay(&task); // the executor's part
//!             trials.compare(number, &bytes);
//!         }
//!     }
//!     Ok(trials.report())
//! }
//! # // This executor writes nothing.
//! # let report = self_test(&Planner::new(Device::webgpu(), Math::Portable))?;
//! # assert!(report.to_string().contains("a kernel leaves elements of its range unwritten"), "{report}");
//! # Ok::<(), Error>(())
//! ```
//!
//! # What is compared
//!
//! Each check fills parts of a buffer that was full of a known byte, reads the whole buffer back, and
//! compares every byte with what the [`host`](crate::host) engine writes. So a check also finds a changed
//! byte outside of the fills.
//!
//! | checks of [`Extent::Full`] | what they cover |
//! |---|---|
//! | raw words | Philox, store paths, counters that pass 2^32 and 2^64 |
//! | words 0 and 2^32 - 1 | the smallest and the largest word, in each position of a block |
//! | f32 products, f32 sums, both | single operations, which show the direction of rounding |
//! | normals of every upper half of a word | each pattern of a word's upper 16 bits, for the radius and for the angle |
//! | one for each initialiser | [`Init::signatures`](crate::Init::signatures), in f32, f16 and bf16 |
//! | constants, subnormal f16 elements, tails | special values, and tables of quantiles |
//! | any place | offsets within a word, shards, row pitches, lists of fills, for each generator and element type |
//! | elements past block 2^32, three hundred small tensors | 64-bit indices, batches |
//! | orthogonal matrices | the kernels that compute them |
//!
//! [`Extent::Short`] compares normals alone, also from the smallest and the largest word and where counters
//! carry. If normals differ, the short test compares raw words too, for a better hint.

mod compare;
mod diagnosis;
mod hint;
mod list;
mod pattern;
mod report;
#[cfg(feature = "serde")]
mod serial;
mod trial;

use self::compare::{Finding, compare};
use self::diagnosis::Diagnosis;
pub use self::hint::{Direction, Hint};
pub use self::report::{Check, Difference, Extent, Outcome, SelfTest};
use self::trial::{SENTINEL, Trial};
use crate::error::Error;
use crate::program::{Planner, Program};

/// A self-test in progress: the trials that the executor has to replay, and their results.
///
/// The executor [plans](Self::plan) each trial that is [needed](Self::needed), replays the trial's programs,
/// and passes the bytes to [`Self::compare`], in any order. A result may make further trials necessary, so
/// the executor asks [`Self::needed`] again until no trial is needed.
#[derive(Debug)]
pub struct Trials {
    extent: Extent,
    trials: Vec<Trial>,
    /// The result of each trial that has one.
    results: Vec<Option<TrialResult>>,
}

/// The work of an executor for one trial.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Task {
    /// The size of the only destination of all programs, in bytes.
    pub bytes: u64,
    /// The programs, to replay one after the other on the destination.
    pub programs: Vec<Program>,
}

impl Task {
    /// The value of each byte of the destination before the first program. The executor reads the destination
    /// back after the last program.
    pub const PREFILL: u8 = SENTINEL;
}

/// The result of a trial.
type TrialResult = Result<Option<Finding>, Stop>;

/// The reason why a trial gave no bytes.
#[derive(Debug)]
enum Stop {
    /// The device's limits rule the fills out.
    Unsupported(Error),
    /// The device refused a kernel or a buffer, or was lost.
    Failed(Error),
}

impl Trials {
    /// The trials of this extent. None has a result.
    pub fn new(extent: Extent) -> Self {
        let trials = list::trials(extent);
        let results = trials.iter().map(|_| None).collect();
        Self { extent, trials, results }
    }

    /// Keeps the trials whose names `only` accepts.
    #[cfg_attr(not(feature = "wgpu"), expect(dead_code, reason = "a recorder's tests select trials"))]
    pub(crate) fn select(mut self, only: &dyn Fn(&str) -> bool) -> Self {
        self.trials.retain(|trial| only(&trial.name));
        self.results.truncate(self.trials.len());
        self
    }

    /// The numbers of the trials that are needed and have no result.
    ///
    /// Normals can only be right if their words are right, so the short test compares raw words only after
    /// normals differ.
    pub fn needed(&self) -> Vec<usize> {
        let is_right = |result: &Option<TrialResult>| matches!(result, Some(Ok(None)));
        let needed = match self.extent {
            Extent::Short if self.results.first().is_some_and(|first| first.is_none() || is_right(first)) => {
                1
            }
            _ => self.trials.len(),
        };
        (0..needed).filter(|&number| self.results[number].is_none()).collect()
    }

    /// The number of all trials, including trials that may never be needed.
    pub fn count(&self) -> usize {
        self.trials.len()
    }

    /// Plans a trial. The task is `None` if the device's limits rule the fills out, and the trial then has
    /// that result. The task is also `None` for a number that is too large.
    ///
    /// # Errors
    /// [`Error::NoCompute`] or [`Error::DeviceLimit`] where the device can run no fill.
    pub fn plan(&mut self, number: usize, planner: &Planner) -> Result<Option<Task>, Error> {
        planner.limits()?;
        let Some(trial) = self.trials.get(number) else { return Ok(None) };
        let stop = match (&trial.error, task(trial, planner)) {
            (Some(error), _) => Stop::Failed(error.clone()),
            (None, Err(error)) => Stop::Unsupported(error),
            (None, Ok(task)) => return Ok(Some(task)),
        };
        self.results[number] = Some(Err(stop));
        Ok(None)
    }

    /// Compares the bytes that the destination of a trial has after the trial's programs.
    pub fn compare(&mut self, number: usize, found: &[u8]) {
        if let Some(trial) = self.trials.get(number) {
            let finding = trial.expected().and_then(|expected| match found.len() == expected.len() {
                true => compare(trial, &expected, found),
                false => {
                    let reason =
                        format!("{} bytes were read back instead of {}", found.len(), expected.len());
                    Err(Error::Device { reason })
                }
            });
            self.results[number] = Some(finding.map_err(Stop::Failed));
        }
    }

    /// Notes that the device could not run a trial: a kernel did not compile, or the device was lost.
    pub fn fail(&mut self, number: usize, error: Error) {
        if let Some(result) = self.results.get_mut(number) {
            *result = Some(Err(Stop::Failed(error)));
        }
    }

    /// The report about all trials that have a result.
    pub fn report(&self) -> SelfTest {
        let ran = || {
            let both = self.trials.iter().zip(&self.results);
            both.filter_map(|(trial, result)| Some((trial, result.as_ref()?)))
        };
        let found = ran().filter_map(|(trial, result)| Some((trial, result.as_ref().ok()?.as_ref())));
        let diagnosis = Diagnosis::of(found);
        let check = |(trial, result): (&Trial, &TrialResult)| Check {
            name: trial.name.clone(),
            elements: trial.elements,
            outcome: match result {
                Ok(None) => Outcome::Passed,
                Ok(Some(finding)) => Outcome::Differs(difference(trial, finding, &diagnosis)),
                Err(Stop::Failed(error)) => Outcome::Failed(error.clone()),
                Err(Stop::Unsupported(error)) => Outcome::Unsupported(error.clone()),
            },
        };
        SelfTest { extent: self.extent, checks: ran().map(check).collect() }
    }
}

fn task(trial: &Trial, planner: &Planner) -> Result<Task, Error> {
    let (bytes, actual) = (trial.bytes(), planner.device().limits.max_buffer_size);
    if actual < bytes {
        return Err(Error::DeviceLimit { limit: "max_buffer_size", actual, needed: bytes });
    }
    let planned = trial.lists().iter().map(|fills| planner.plan(fills)).collect::<Result<_, _>>();
    let programs = planned.map_err(|error| match error {
        // The fill has no name, and its number says nothing.
        Error::Fill { error, .. } => *error,
        error => error,
    })?;
    Ok(Task { bytes, programs })
}

fn difference(trial: &Trial, finding: &Finding, diagnosis: &Diagnosis) -> Difference {
    let (dtype, hint) = (finding.dtype(trial), diagnosis.hint(trial, finding));
    match *finding {
        Finding::Outside { offset, expected, found, bytes } => Difference {
            fill: String::new(),
            element: None,
            offset,
            dtype,
            expected: expected.into(),
            found: found.into(),
            differing: bytes,
            hint,
        },
        Finding::Elements { job, element, offset, expected, found, ref pattern } => Difference {
            fill: trial.jobs[job].description(),
            element: Some(element),
            offset,
            dtype,
            expected,
            found,
            differing: pattern.count,
            hint,
        },
    }
}
