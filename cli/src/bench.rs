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

use crate::failure::Failure;
use crate::values::integer;

use self::cases::cases;
use self::engines::Engines;
use self::report::{EngineReport, Report};

/// The elements of a fill, unless another number was asked for.
pub const ELEMENTS: u64 = 1 << 26;

/// Measures how fast every adapter and the host are
///
/// The median of many repetitions after a warm-up, by the queue's timestamps where the adapter has them.
/// `clear` is the adapter's own way to write zeros (clear_buffer; on the host a parallel memset), `memset`
/// the host's of another byte, `native` the kernel of `normal` with the device's own log, sqrt, sin and cos.
/// Compare within one run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seedbed bench
  seedbed bench --adapter nvidia --elements 268435456 --json bench.json")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) engines: Engines,
    /// Elements of a fill
    #[arg(long, value_name = "N", default_value_t = ELEMENTS, value_parser = integer)]
    pub(crate) elements: u64,
}

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
