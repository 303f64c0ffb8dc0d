//! `seedbed selftest`: what each adapter writes, against what the host writes.

use std::time::{Duration, Instant};

use seedbed::CONTRACT_VERSION;
use seedbed::program::Device;
use seedbed::self_test::{Check, Extent, Outcome, SelfTest};
use serde::Serialize;

use crate::adapters::Row;
use crate::engine::GpuEngine;
use crate::failure::Failure;
use crate::report::table;
use crate::select::{self, Named};
use crate::stdout;
use crate::values::AdapterChoice;

/// Compares what adapters write with what the host writes, bit for bit
///
/// Every initialiser, element type and kind of kernel, the ends of the words' range, counters that carry. Where
/// something differs, the report has the first element, its bits, and a hint at the cause; the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seedbed selftest
  seedbed selftest --adapter nvidia --json > report.json")]
pub struct SelftestArgs {
    /// auto (every adapter that `seedbed adapters` lists, one after the other), or the name of one, or a part of it
    #[arg(long, value_name = "auto|NAME", default_value = "auto")]
    pub adapter: AdapterChoice,
    /// Prints a JSON object
    #[arg(long)]
    pub json: bool,
}

/// The report about all adapters.
#[derive(Serialize)]
struct Report {
    seedbed: &'static str,
    contract: u32,
    /// Whether every adapter that was tested passed.
    passed: bool,
    adapters: Vec<AdapterReport>,
}

/// The report about an adapter.
#[derive(Serialize)]
struct AdapterReport {
    #[serde(flatten)]
    adapter: Row,
    /// What kernels and dispatches are chosen by.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Device>,
    /// The reason why nothing was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    passed: bool,
    seconds: f64,
    checks: Vec<Check>,
}

impl AdapterReport {
    fn untested(adapter: &Named, error: String) -> Self {
        Self {
            adapter: Row::of(adapter),
            device: None,
            error: Some(error),
            passed: false,
            seconds: 0.0,
            checks: Vec::new(),
        }
    }

    fn new(adapter: &Named, device: Device, elapsed: Duration, result: SelfTest) -> Self {
        Self {
            adapter: Row::of(adapter),
            device: Some(device),
            error: None,
            passed: result.passed(),
            seconds: elapsed.as_secs_f64(),
            checks: result.checks,
        }
    }
}

/// Tests the adapters, and prints a table for each, or one JSON object.
pub fn run(args: &SelftestArgs) -> Result<(), Failure> {
    let (adapters, is_choice) = match &args.adapter {
        AdapterChoice::Auto => (select::all(), false),
        AdapterChoice::Named(name) => (vec![select::named(name)?], true),
        AdapterChoice::Host => {
            let text = "--adapter host: the self-test compares adapters with the host; give auto or a name";
            return Err(Failure::input(anyhow::anyhow!(text)));
        }
    };
    let mut report = Report {
        seedbed: env!("CARGO_PKG_VERSION"),
        contract: CONTRACT_VERSION,
        passed: true,
        adapters: vec![],
    };
    for adapter in &adapters {
        let started = Instant::now();
        let tested = adapter.open().and_then(|engine| Ok((device(&engine), engine.self_test(Extent::Full)?)));
        let adapter_report = match tested {
            Ok((device, result)) => {
                report.passed &= result.passed();
                let elapsed = started.elapsed();
                if !args.json {
                    stdout::print(&text(&adapter.name, elapsed, &result))?;
                }
                AdapterReport::new(adapter, device, elapsed, result)
            }
            Err(error) if is_choice => return Err(Failure::run(error)),
            // Old drivers have no compute shaders.
            Err(error) => {
                eprintln!("note: {} was not tested: {error}", adapter.name);
                AdapterReport::untested(adapter, error.to_string())
            }
        };
        report.adapters.push(adapter_report);
    }
    let is_any = report.adapters.iter().any(|adapter| adapter.error.is_none());
    report.passed &= is_any;
    if args.json {
        let json = serde_json::to_string_pretty(&report).map_err(Failure::run)?;
        stdout::print(&format!("{json}\n"))?;
    }
    match (is_any, report.passed) {
        (false, _) => Err(Failure::run(anyhow::anyhow!("there is no adapter that can be tested"))),
        (true, false) => Err(Failure::SelfTest),
        (true, true) => Ok(()),
    }
}

fn device(engine: &GpuEngine) -> Device {
    *engine.recorder().planner().device()
}

/// The table of an adapter, then its differences, then one line with the result.
fn text(name: &str, elapsed: Duration, result: &SelfTest) -> String {
    let mut table = table(["check", "elements", "outcome"]);
    for check in &result.checks {
        table.add_row([check.name.clone(), check.elements.to_string(), check.outcome.word().into()]);
    }
    let is_noted = |check: &&Check| check.outcome != Outcome::Passed;
    let notes = result.checks.iter().filter(is_noted);
    let notes: String = notes.map(|check| format!("{}: {}\n", check.name, check.outcome)).collect();
    let gap = if notes.is_empty() { "" } else { "\n" };
    let seconds = elapsed.as_secs_f64();
    let verdict = match result.failures().count() {
        0 => result.to_string(),
        failed => format!("{failed} of {} checks failed", result.checks.len()),
    };
    format!("{}\n\n{notes}{gap}{name}: {verdict} in {seconds:.1} s\n\n", table.trim_fmt())
}
