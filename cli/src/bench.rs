//! `seedbed bench`: how fast each engine is, beside what bounds it.
//!
//! | step | module |
//! |---|---|
//! | the host: all cores | `bench/host.rs` |
//! | an adapter: the time that its queue says, and wall time | `bench/device.rs` |
//! | repetitions, median and spread | `bench/sample.rs` |
//! | what is printed and written | `bench/report.rs` |
//! | `--growth`: from one element to many | `bench/growth.rs` |
//! | `--shapes`: ways to store a constant | `bench/shapes.rs` |

mod clock;
mod device;
mod growth;
mod host;
mod report;
mod sample;
mod shapes;

use anyhow::Context;
use seedbed::{DType, Init, Key, wgpu};
use serde::Serialize;

use crate::args::{AdapterChoice, BenchArgs};
use crate::failure::Failure;
use crate::output::Output;
use crate::select::{self, Named};
use crate::stdout;

use self::report::{EngineReport, Report};

/// The values do not matter; that they are the same each time does.
const KEY: Key = Key::new(42);

/// Of a fill, where nothing else was asked for.
const ELEMENTS: u64 = 1 << 26;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    /// The engine's own way to write zeros: what memory allows.
    Clear,
    /// A byte that is not zero, everywhere: what the host's memory allows. Zeros are twice as fast on some machines.
    Memset,
    Words,
    Fill(Init),
    /// The same kernel with the device's own functions.
    Native(Init),
}

/// One line of the report.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    work: Work,
    dtype: DType,
}

/// All of them, those that others are compared with first.
fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case { name: "clear", work: Work::Clear, dtype: DType::F32 },
        Case { name: "zeros", work: Work::Fill(Init::Zeros), dtype: DType::F32 },
        Case { name: "words", work: Work::Words, dtype: DType::U32 },
    ];
    let normal = Init::normal(0.0, 0.02);
    for dtype in [DType::F32, DType::BF16] {
        let case = |name, work| Case { name, work, dtype };
        cases.extend([
            case("constant", Work::Fill(Init::Constant { value: 0.01 })),
            case("uniform", Work::Fill(Init::uniform(-0.1, 0.1))),
            case("native", Work::Native(normal)),
            case("normal", Work::Fill(normal)),
            case("xavier_normal", Work::Fill(Init::xavier_normal())),
            case("trunc_normal", Work::Fill(Init::TruncNormal { mean: 0.0, std: 1.0, a: -2.0, b: 2.0 })),
        ]);
    }
    cases
}

/// A matrix of so many elements.
fn shape(elements: u64) -> [u64; 2] {
    let rows = 1 << (elements.trailing_zeros() / 2);
    [rows, elements / rows]
}

pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    // A path that can't be written is found before anything is measured.
    let output = args.json.as_deref().map(Output::create).transpose().map_err(Failure::input)?;
    if args.growth {
        let most = args.elements.unwrap_or(growth::ELEMENTS);
        let device = |adapter: &_| growth::on_device(adapter, most);
        let engines = engines(args, device, || growth::on_host(most), growth::EngineReport::table)?;
        return write(output, args, &Report::new(most, engines));
    }
    let elements = args.elements.unwrap_or(ELEMENTS);
    if args.shapes {
        shapes::check(elements).map_err(Failure::input)?;
        let device = |adapter: &_| shapes::measure(adapter, elements);
        let host = || Err(anyhow::anyhow!("the host has no workgroups, and --shapes is of them"));
        let engines = engines(args, device, host, shapes::EngineReport::table)?;
        return write(output, args, &Report::new(elements, engines));
    }
    let device = |adapter: &_| device::measure(adapter, elements, &cases());
    let engines = engines(args, device, || host::measure(elements, &cases()), EngineReport::table)?;
    write(output, args, &Report::new(elements, engines))
}

/// Measures each engine that was asked for, and prints its `table` when it is there.
fn engines<E>(
    args: &BenchArgs,
    device: impl Fn(&Named) -> anyhow::Result<E>,
    host: impl Fn() -> anyhow::Result<E>,
    table: fn(&E) -> String,
) -> Result<Vec<E>, Failure> {
    let mut engines = Vec::new();
    let mut add = |name: &str, measured: anyhow::Result<E>| {
        match measured {
            Ok(engine) => {
                stdout::print(&table(&engine))?;
                engines.push(engine);
            }
            // One that was asked for has to work.
            Err(error) if args.adapter.is_some() => return Err(Failure::run(error.context(name.to_owned()))),
            Err(error) => eprintln!("{name} is left out: {error:#}"),
        }
        Ok(())
    };
    let (adapters, with_host) = match &args.adapter {
        None => (select::all(), true),
        Some(AdapterChoice::Host) => (Vec::new(), true),
        Some(AdapterChoice::Named(name)) => (vec![select::named(name)?], false),
        // What `init` would take.
        Some(AdapterChoice::Auto) => {
            let first: Vec<_> =
                select::all().into_iter().find(|adapter| !adapter.is_software()).into_iter().collect();
            let host = first.is_empty();
            (first, host)
        }
    };
    for adapter in adapters {
        add(&adapter.name, device(&adapter))?;
    }
    if with_host {
        add("host", host())?;
    }
    if engines.is_empty() {
        return Err(Failure::run(anyhow::anyhow!("nothing was measured")));
    }
    Ok(engines)
}

/// Writes what `--json` asks for.
fn write(output: Option<Output>, args: &BenchArgs, report: &impl Serialize) -> Result<(), Failure> {
    let (Some(mut output), Some(path)) = (output, &args.json) else { return Ok(()) };
    let text = serde_json::to_string_pretty(report).map_err(Failure::run)?;
    output.write(format!("{text}\n").as_bytes()).map_err(Failure::run)?;
    output.finish().map_err(Failure::run)?;
    stdout::print(&format!("{}: written\n", path.display()))
}

/// As people know the driver.
fn driver(info: &wgpu::AdapterInfo) -> String {
    [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim().to_owned()
}

/// Memory for a benchmark, or a word about it.
fn bytes_of(elements: u64, most: u64, whose: &str) -> anyhow::Result<u64> {
    elements.checked_mul(4).filter(|&bytes| 0 < bytes && bytes <= most).with_context(|| {
        format!("{elements} elements of 4 bytes do not fit {whose} ({most} bytes); give another --elements")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_all_elements() {
        for elements in [1, 2, 3, 4, 1000, 1 << 20, 1 << 26, (1 << 26) + 1] {
            let [rows, columns] = shape(elements);
            assert_eq!(rows * columns, elements);
        }
        assert_eq!(shape(1 << 26), [1 << 13, 1 << 13]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(bytes_of(16, 64, "the host").unwrap(), 64);
        for elements in [0, 17, u64::MAX] {
            let error = bytes_of(elements, 64, "the host").unwrap_err().to_string();
            assert!(error.contains("--elements"), "{error}");
        }
    }
}
