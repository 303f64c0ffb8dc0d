//! `seedbed bench`: the speed of each engine, beside what bounds it.
//!
//! | step | module |
//! |---|---|
//! | what is measured | `bench/cases.rs` |
//! | the engines, one after the other | `bench/engines.rs` |
//! | the host: all cores | `bench/host.rs` |
//! | an adapter: the time that its queue says, and wall time | `bench/device.rs`, `bench/clock.rs` |
//! | repetitions, median and spread | `bench/sample.rs` |
//! | what is printed and written | `bench/report.rs` |

pub mod cases;
pub mod clock;
mod device;
pub mod engines;
pub mod host;
pub mod report;
pub mod sample;

use crate::args::BenchArgs;
use crate::failure::Failure;

use self::cases::cases;
use self::engines::Engines;
use self::report::{EngineReport, Report};

/// The elements of a fill, unless another number was asked for.
pub const ELEMENTS: u64 = 1 << 26;

pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let file = args.engines.file()?;
    let report = Report::new(args.elements, measure(&args.engines, args.elements)?);
    file.map_or(Ok(()), |file| file.write(&report))
}

/// Measures all cases on each engine that was asked for, and prints a table for each.
pub fn measure(engines: &Engines, elements: u64) -> Result<Vec<EngineReport>, Failure> {
    let device = |adapter: &_| device::measure(adapter, elements, &cases());
    engines.each(device, || host::measure(elements, &cases()), EngineReport::table)
}
