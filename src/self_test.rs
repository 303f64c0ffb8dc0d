//! The self-test of a device: the device writes what the host writes, bit for bit, or the report says what differs.
//!
//! Identical bits rest on f32 `+ - *` that round to nearest even, which WGSL leaves to the implementation, and on a
//! driver that compiles the kernels right. [`self_test`] checks both on the device that a program has opened:
//!
//! ```no_run
//! use seedbed::self_test::{Extent, self_test};
//! use seedbed::{Error, FillRecorder, wgpu};
//!
//! /// Whether fills on this device can be trusted.
//! async fn is_right(recorder: &FillRecorder, queue: &wgpu::Queue) -> Result<bool, Error> {
//!     let report = self_test(recorder, queue, Extent::Short).await?;
//!     if !report.passed() {
//!         eprintln!("computing on the host, because of the GPU: {report}");
//!     }
//!     Ok(report.passed())
//! }
//! ```
//!
//! Unlike a recorder, the self-test submits: command buffers of its own, on buffers of its own. `seedbed selftest` is
//! the same from the command line.
//!
//! # What is compared
//!
//! Each check fills parts of a buffer that was full of a known byte, reads the whole buffer back, and compares every
//! byte with what the [`host`](crate::host) engine writes. So a byte that changed beside a fill is found too.
//!
//! | checks of [`Extent::Full`] | what they cover |
//! |---|---|
//! | raw words | Philox, store paths, counters that pass 2^32 and 2^64 |
//! | words 0 and 2^32 - 1 | the ends of the words' range, in each position of a block |
//! | f32 products, f32 sums, both | single operations, which tell the direction of rounding |
//! | normals of every upper half of a word | each pattern of 16 upper bits, for the radius and for the angle |
//! | one for each initialiser | [`Init::signatures`](crate::Init::signatures), in f32, f16 and bf16 |
//! | constants, subnormal f16 elements, tails | special values, and tables of quantiles |
//! | any place | offsets within a word, shards, row pitches, lists of fills, for each generator and element type |
//! | elements past block 2^32, three hundred small tensors | 64-bit indices, batches |
//! | orthogonal matrices | the kernels that compute them |
//!
//! [`Extent::Short`] has normals alone, also at the ends of the words' range and where counters carry. Where normals
//! differ, raw words follow, for the hint.

mod compare;
mod device;
mod diagnosis;
mod hint;
mod pattern;
mod report;
mod trial;
mod trials;

use self::compare::Finding;
use self::device::{Alter, Stop, Tester};
use self::diagnosis::Diagnosis;
pub use self::hint::{Direction, Hint};
pub use self::report::{Check, Difference, Extent, Outcome, SelfTest};
use self::trial::Trial;
use self::trials::trials;
use crate::error::Error;
use crate::wgpu_recorder::FillRecorder;

/// Compares the recorder's device with the host engine. `queue` is the device's queue.
///
/// The fills take the recorder's own pipelines, so that later fills need not compile them again. A recorder of
/// [`Math::Native`](crate::Math::Native) has other bits by design, and does not pass.
///
/// Outside of browsers the call waits for the device, and so does the thread.
///
/// # Errors
/// [`Error::NoCompute`] or [`Error::DeviceLimit`] where the device can run no fill. Every other failure is the
/// [`Outcome`] of a check.
pub async fn self_test(
    recorder: &FillRecorder,
    queue: &wgpu::Queue,
    extent: Extent,
) -> Result<SelfTest, Error> {
    run(Tester::new(recorder, queue, None), extent, trials(extent)?).await
}

/// Does what [`self_test`] does, for the checks whose names `only` selects, after `alter` has changed the WGSL of each
/// kernel: tests alter kernels to see whether the differences are found. The recorder must be a new one. Versions do
/// not promise to keep this function.
///
/// # Errors
/// The errors of [`self_test`].
#[doc(hidden)]
pub async fn self_test_of_altered_kernels(
    recorder: &FillRecorder,
    queue: &wgpu::Queue,
    extent: Extent,
    only: &(dyn Fn(&str) -> bool + Sync),
    alter: &(dyn Fn(&mut String) + Sync),
) -> Result<SelfTest, Error> {
    let alter: Alter<'_> = alter;
    let trials = trials(extent)?.into_iter().filter(|trial| only(&trial.name)).collect();
    run(Tester::new(recorder, queue, Some(alter)), extent, trials).await
}

/// The result of a trial.
type TrialResult = Result<Option<Finding>, Stop>;

async fn run(tester: Tester<'_>, extent: Extent, trials: Vec<Trial>) -> Result<SelfTest, Error> {
    tester.can_fill()?;
    // Right normals come from right words. Where normals differ, the words tell why.
    let first = if extent == Extent::Short { trials.len().min(1) } else { trials.len() };
    let report = compared(&tester, extent, &trials[..first]).await?;
    if report.passed() || first == trials.len() {
        return Ok(report);
    }
    compared(&tester, extent, &trials).await
}

/// The report about these trials.
async fn compared(tester: &Tester<'_>, extent: Extent, trials: &[Trial]) -> Result<SelfTest, Error> {
    // Everything is submitted first: the device and its compiler work while the host computes what to expect.
    let submitted: Vec<_> = trials.iter().map(|trial| tester.submit(trial)).collect();
    let mut results: Vec<TrialResult> = Vec::with_capacity(trials.len());
    for (trial, submitted) in trials.iter().zip(submitted) {
        results.push(match submitted {
            Ok(mut readback) => tester.finding(trial, &mut readback).await.map_err(Stop::Failed),
            Err(stop) => Err(stop),
        });
    }
    let ran = trials.iter().zip(&results).filter_map(|(trial, result)| Some((trial, result.as_ref().ok()?)));
    let diagnosis = Diagnosis::of(ran.map(|(trial, finding)| (trial, finding.as_ref())));
    let check = |(trial, result): (&Trial, TrialResult)| -> Result<Check, Error> {
        let outcome = match result {
            Ok(None) => Outcome::Passed,
            Ok(Some(finding)) => Outcome::Differs(difference(trial, &finding, &diagnosis)),
            Err(Stop::Failed(error)) => Outcome::Failed(error),
            Err(Stop::Unsupported(error)) => Outcome::Unsupported(error),
        };
        Ok(Check { name: trial.name.clone(), elements: trial.elements()?, outcome })
    };
    let checks = trials.iter().zip(results).map(check).collect::<Result<_, _>>()?;
    Ok(SelfTest { extent, checks })
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

// An executor of many threads can run the self-test.
#[cfg(all(test, not(target_family = "wasm")))]
const _: fn(&FillRecorder, &wgpu::Queue) = |recorder, queue| {
    fn is_send(_: impl Send) {}
    is_send(self_test(recorder, queue, Extent::Full));
};
