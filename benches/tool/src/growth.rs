//! `seedbed-bench growth`: the time of one fill, from one element to many.
//!
//! | step | module |
//! |---|---|
//! | an adapter | `growth/device.rs` |
//! | the host | `growth/host.rs` |
//! | where launching ends and elements begin to count | `growth/fit.rs` |
//! | what is printed, written and read again | `growth/report.rs` |
//! | GROWTH.md | `growth/text.rs` |
//! | growth.svg | `plot.py`, beside `src` |

mod device;
mod fit;
mod host;
mod report;
mod text;

use std::fs;
use std::iter;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use seedbed::DType;
use seedbed_cli::bench::cases::{Case, cases};
use seedbed_cli::bench::engines::Engines;
use seedbed_cli::bench::report::Report;
use seedbed_cli::bench::sample::{Effort, Seconds, repeat_warm};
use seedbed_cli::{Failure, integer};
use xshell::{Shell, cmd};

use self::report::{EngineReport, Point};
use crate::checkout::{self, RESULTS};
use crate::machine::Machine;

const PLOT: &str = "growth.svg";
const TEXT: &str = "GROWTH.md";

/// More elements would take days on the engines of today.
const MAX: u64 = 1 << 40;

/// The most elements of a buffer: 1 GiB, far out of every cache, and small enough for machines that do other
/// things too.
const WINDOW: u64 = 1 << 28;

/// A device that has no memory for a window of this size has a problem of another kind.
const MIN_WINDOW: u64 = 1 << 20;

/// Small fills are repeated often. Fills that take the whole budget are measured once.
const EFFORT: Effort = Effort { budget: Duration::from_secs(1), min: 3, max: 301 };

/// Measures how the time of a fill grows with its elements, and draws it
///
/// Measures fills of 1, 4, 16 and so on elements, each from the first recorded command to the end of the
/// wait, and fits launch + elements / rate to them: the knee is the number of elements that take as long as
/// the launch. What exceeds 1 GiB, the adapter's largest buffer or its memory is filled in windows of one
/// buffer. Without --json, the results are benches/results/GROWTH.md and growth.svg.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  seedbed-bench growth
  seedbed-bench growth --adapter nvidia --json growth.json    # on a machine without the checkout
  seedbed-bench growth --from growth.json                     # then, in the checkout")]
pub struct Options {
    #[command(flatten)]
    engines: Engines,
    /// Elements of the largest fill
    #[arg(long, value_name = "N", default_value_t = 1 << 30, value_parser = integer)]
    elements: u64,
    /// Measures nothing: draws what `--json FILE` wrote, on whatever machine, into FILE's folder
    #[arg(long, value_name = "FILE", conflicts_with_all = ["adapter", "json", "elements"])]
    from: Option<PathBuf>,
    /// A Python that has matplotlib [default: it is installed in the target folder]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let python = options.python.as_deref();
    if let Some(from) = &options.from {
        let folder = std::path::absolute(from).map_err(Failure::input)?;
        let folder = folder.parent().unwrap_or(Path::new("."));
        let report = read(from).map_err(Failure::Input)?;
        return draw(&report, folder, "`seedbed-bench growth`", python).map_err(Failure::Run);
    }
    let (elements, file) = (options.elements, options.engines.file()?);
    let device = |adapter: &_| device::measure(adapter, elements);
    let engines = options.engines.each(device, || host::measure(elements), EngineReport::table)?;
    let report = Report::new(elements, engines);
    match file {
        Some(file) => file.write(&report),
        None => draw_here(&report, python).map_err(Failure::Run),
    }
}

/// What `--json` wrote.
fn read(json: &Path) -> Result<Report<EngineReport>> {
    let name = json.display();
    let text = fs::read(json).with_context(|| format!("cannot read {name}"))?;
    let report: Report<EngineReport> = serde_json::from_slice(&text)
        .with_context(|| format!("{name} is not what `seedbed-bench growth --json` writes"))?;
    let points = || report.engines.iter().flat_map(|engine| &engine.rows).flat_map(|row| &row.points);
    ensure!(points().next().is_some(), "{name} has no measurements");
    for point in points() {
        let seconds = point.wall.median;
        // Neither zero nor infinity has a place on a logarithmic axis.
        let drawable = point.elements > 0 && seconds > 0.0 && seconds.is_finite();
        ensure!(drawable, "{name}: {} elements in {seconds} s cannot be drawn", point.elements);
    }
    Ok(report)
}

/// Draws the figures of this machine into the checkout.
fn draw_here(report: &Report<EngineReport>, python: Option<&Path>) -> Result<()> {
    let shell = checkout::shell()?;
    let Machine { date, threads, processor, commit, .. } = Machine::look(&shell);
    let command = format!("cargo run --release -p seedbed-bench -- growth --elements {}", report.elements);
    let origin = format!("`{command}`, {date}, on {threads} threads of {processor}, commit {commit}");
    // Measuring takes minutes, and drawing may fail.
    let (folder, json) = (checkout::cache()?, checkout::cache()?.join("growth.json"));
    shell.create_dir(folder)?;
    shell.write_file(&json, serde_json::to_string(report)?)?;
    draw(report, &shell.current_dir().join(RESULTS), &origin, python)
        .with_context(|| format!("the figures are in {}, and --from draws them", json.display()))
}

/// Writes the text, then the plot: without Python there is the text.
fn draw(report: &Report<EngineReport>, folder: &Path, origin: &str, python: Option<&Path>) -> Result<()> {
    let written = |name: &str| println!("{}: written", folder.join(name).display());
    let text = folder.join(TEXT);
    fs::write(&text, text::table(report, origin, PLOT))
        .with_context(|| format!("cannot write {}", text.display()))?;
    written(TEXT);
    plot(&checkout::shell()?, report, &folder.join(PLOT), python).context("cannot draw the plot")?;
    written(PLOT);
    Ok(())
}

fn plot(shell: &Shell, report: &Report<EngineReport>, svg: &Path, python: Option<&Path>) -> Result<()> {
    let python = checkout::python(shell, python, "plot", "benches/tool/requirements.txt")?;
    let report = serde_json::to_string(report)?;
    Ok(cmd!(shell, "{python} benches/tool/plot.py {svg}").stdin(report).quiet().run()?)
}

/// The cases that are measured: what writes constants, what computes most, and what bounds both.
fn grown() -> impl Iterator<Item = Case> {
    let names = ["clear", "constant", "xavier_normal"];
    cases().into_iter().filter(move |case| case.dtype == DType::F32 && names.contains(&case.name))
}

/// 1, 4, 16 and so on, and `max` itself.
fn sizes(max: u64) -> Result<Vec<u64>> {
    ensure!((1..=MAX).contains(&max), "{max} elements are none or too many; give another --elements");
    let smaller = iter::successors(Some(1), |size| Some(size * 4)).take_while(|&size| size < max);
    Ok(smaller.chain([max]).collect())
}

/// The elements of the buffer: `max` of them, or what a buffer of this size has room for, in whole blocks.
fn capacity(max: u64, buffer_bytes: u64) -> u64 {
    max.min(WINDOW).min(buffer_bytes / 4 / 4 * 4)
}

/// The windows of a fill, one after the other in the same buffer.
fn windows(elements: u64, capacity: u64) -> impl Iterator<Item = Range<u64>> {
    let starts = (0..elements.div_ceil(capacity.max(1))).map(move |window| window * capacity);
    starts.map(move |start| start..elements.min(start + capacity))
}

/// Measures fills of one size. `once` returns the seconds on the wall and, if it is told to read the queue's
/// clock and there is one, those of the queue. The clock takes time on the wall (about 60 us on lavapipe,
/// where a small fill takes 90), so each has repetitions of its own.
fn point(
    elements: u64,
    capacity: u64,
    mut once: impl FnMut(bool) -> Result<(f64, Option<f64>)>,
) -> Result<Point> {
    let first = once(true)?;
    let (mut walls, mut queues) = (vec![first.0], Vec::from_iter(first.1));
    if first.0 < EFFORT.budget.as_secs_f64() {
        walls = repeat_warm(EFFORT, || Ok(once(false)?.0))?;
        if !queues.is_empty() {
            queues = repeat_warm(EFFORT, || Ok(once(true)?.1))?.into_iter().flatten().collect();
        }
    }
    Ok(Point {
        elements,
        windows: elements.div_ceil(capacity),
        repetitions: walls.len(),
        wall: Seconds::of(walls),
        queue: (!queues.is_empty()).then(|| Seconds::of(queues)),
    })
}

#[cfg(test)]
mod tests {
    use seedbed_cli::bench::cases::Work;

    use super::*;

    #[test]
    fn sizes_grow_to_the_maximum() {
        assert_eq!(sizes(1).unwrap(), [1]);
        assert_eq!(sizes(64).unwrap(), [1, 4, 16, 64]);
        assert_eq!(sizes(100).unwrap(), [1, 4, 16, 64, 100]);
        assert_eq!(sizes(1 << 30).unwrap().len(), 16);
        for bad in [0, MAX + 1, u64::MAX] {
            assert!(sizes(bad).unwrap_err().to_string().contains("--elements"));
        }
    }

    #[test]
    fn windows_have_every_element_once() {
        let windows = |elements, capacity| -> Vec<_> {
            windows(elements, capacity).map(|window| (window.start, window.end)).collect()
        };
        assert_eq!(windows(5, 8), [(0, 5)]);
        assert_eq!(windows(8, 8), [(0, 8)]);
        assert_eq!(windows(20, 8), [(0, 8), (8, 16), (16, 20)]);
    }

    #[test]
    fn a_buffer_holds_whole_blocks() {
        assert_eq!(capacity(5, 1 << 20), 5);
        assert_eq!(capacity(5000, 1003), 248);
        assert_eq!(capacity(MAX, u64::MAX), WINDOW);
    }

    #[test]
    fn wall_and_queue_have_repetitions_of_their_own() {
        let point =
            point(100, 40, |clocked| Ok((if clocked { 0.5 } else { 0.25 }, clocked.then_some(0.125))));
        let Point { elements, windows, repetitions, wall, queue } = point.unwrap();
        assert_eq!((elements, windows, repetitions), (100, 3, 301));
        assert_eq!((wall.median, queue.unwrap().median), (0.25, 0.125));
    }

    #[test]
    fn what_takes_long_is_measured_once() {
        let mut calls = 0;
        let mut once = |seconds| {
            calls += 1;
            Ok((seconds, None))
        };
        let point = point(1, 1, |_| once(20.0)).unwrap();
        assert_eq!((point.repetitions, point.wall.median, point.queue), (1, 20.0, None));
        assert_eq!(calls, 1);
    }

    #[test]
    fn all_that_grows_is_f32() {
        assert_eq!(grown().map(|case| case.name).collect::<Vec<_>>(), ["clear", "constant", "xavier_normal"]);
        assert!(grown().all(|case| matches!(case.work, Work::Clear | Work::Fill(_))));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("growth.json");
        let report = |elements: u64, seconds: &[f64]| {
            let engines = seconds.iter().map(|&time| report::tests::engine(&[(elements, time)]));
            serde_json::to_string(&Report::new(elements, engines.collect())).unwrap()
        };
        for (contents, message) in [
            ("{".to_owned(), "is not what"),
            (report(1, &[]), "no measurements"),
            (report(1, &[0.0]), "cannot be drawn"),
            (report(0, &[1.0]), "cannot be drawn"),
        ] {
            fs::write(&json, contents).unwrap();
            let error = format!("{:#}", read(&json).err().unwrap());
            assert!(error.contains(message), "{error}");
        }
        assert!(read(&folder.path().join("none")).is_err());
        fs::write(&json, report(4, &[1e-6])).unwrap();
        assert_eq!(read(&json).unwrap().engines[0].rows[0].points[0].wall.median, 1e-6);
    }
}
