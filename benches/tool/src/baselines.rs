//! `seedbed-bench baselines`: seedbed beside what people would use instead, in one go.
//!
//! | step | module |
//! |---|---|
//! | what was measured -> figures | `baselines/figures.rs` |
//! | whole processes: wall time and memory | `baselines/whole_job.rs` |
//! | figures -> the ratios that the project sets itself | `baselines/goals.rs` |
//! | RESULTS.md | `baselines/report.rs` |
//!
//! The baselines themselves are programs of their own, in `benches/baselines`.

mod figures;
mod goals;
mod report;
mod whole_job;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use seedbed_cli::bench::{self, engines::Engines};
use seedbed_cli::{AdapterChoice, Failure};
use xshell::{Cmd, Shell, cmd};

use self::figures::{Figure, Round, usual_adapter};
use self::report::Report;
use crate::checkout::{self, RESULTS};
use crate::machine::Machine;
use crate::shapes;

/// The baselines in Python, each a file of benches/baselines.
const PYTHON: [&str; 4] = ["pytorch", "numpy_philox", "jax_glorot", "onemkl"];

/// Measures seedbed beside PyTorch, JAX, NumPy, oneMKL, rand_distr and burn, and writes
/// benches/results/RESULTS.md
#[derive(clap::Args)]
pub struct Options {
    /// A Python that has the packages of benches/baselines/requirements.txt [default: they are installed in
    /// the target folder]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Elements of a fill
    #[arg(long, value_name = "N", default_value_t = bench::ELEMENTS)]
    elements: u64,
    /// How often everything is measured, in turns: the machine is not equally busy at all times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Measures burn too, which takes half an hour to build for the first time
    #[arg(long)]
    burn: bool,
    /// The folder that burn is built in [default: integrations/burn/target, which the tests there share]
    #[arg(long, value_name = "FOLDER", requires = "burn")]
    burn_target: Option<PathBuf>,
}

/// Measures everything and writes the results.
pub fn run(options: Options) -> Result<(), Failure> {
    let shell = checkout::shell().map_err(Failure::Run)?;
    let report = measure(&shell, options)?;
    let path = shell.current_dir().join(RESULTS).join("RESULTS.md");
    shell.write_file(&path, report.to_string()).map_err(Failure::run)?;
    println!("{}: written", path.display());
    Ok(())
}

fn measure(shell: &Shell, options: Options) -> Result<Report, Failure> {
    let mut left_out = LeftOut::default();
    let seedbed = checkout::seedbed(shell).map_err(Failure::Run)?;
    let requirements = "benches/baselines/requirements.txt";
    let python = checkout::python(shell, options.python.as_deref(), "python", requirements);
    let python = left_out.unless("Python's baselines", python);
    let rand_distr = left_out.unless("rand_distr", rand_distr(shell));
    let burn = left_out.unless("burn", burn(shell, options.burn, options.burn_target));

    // From here on nothing is built.
    let elements = options.elements.to_string();
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let mut round = Round::of(options.elements, bench::measure(&Engines::default(), options.elements)?);
        if let Some(adapter) = usual_adapter(&round.engines) {
            let adapter = Some(AdapterChoice::Named(adapter.to_owned()));
            let shapes = shapes::measure(&Engines { adapter, json: None }, options.elements);
            let shapes = shapes.map_err(|failure| anyhow::anyhow!("{}", failure.line()));
            for shapes in left_out.unless("store shapes", shapes).into_iter().flatten() {
                round.figures.extend(figures::of_shapes(options.elements, &shapes));
            }
        }
        let scripts = python.iter().flat_map(|python| {
            PYTHON.map(|name| (name, cmd!(shell, "{python} benches/baselines/{name}.py")))
        });
        let programs = [("rand_distr", &rand_distr), ("burn", &burn)];
        let programs = programs.into_iter().filter_map(|(name, target)| {
            Some((name, baseline(shell, "run", name, target.as_ref()?).args(["--quiet", "--"])))
        });
        for (name, command) in scripts.chain(programs) {
            println!("{name}");
            // What it printed before it failed is measured.
            let (lines, result) = checkout::printed(command.arg(&elements));
            left_out.unless(name, result);
            round.figures.extend(Figure::read_lines(&lines));
        }
        rounds.push(round);
    }
    println!("whole job");
    let adapter = rounds.first().and_then(|round| usual_adapter(&round.engines));
    let jobs = python.map(|python| whole_job::run(shell, &seedbed, &python, adapter));
    let jobs = jobs.and_then(|jobs| left_out.unless("whole job", jobs)).unwrap_or_default();
    Ok(Report {
        elements: options.elements,
        machine: Machine::look(shell),
        rounds,
        jobs,
        left_out: left_out.0,
        remarks: fs::read_to_string(shell.current_dir().join(RESULTS).join("REMARKS.md")).ok(),
    })
}

/// Builds rand_distr's program. Returns the target folder.
fn rand_distr(shell: &Shell) -> Result<PathBuf> {
    let target = checkout::cache()?.join("target");
    baseline(shell, "build", "rand_distr", &target).run()?;
    Ok(target)
}

/// Builds burn's program, if it is wanted. Returns the target folder.
fn burn(shell: &Shell, wanted: bool, target: Option<PathBuf>) -> Result<PathBuf> {
    if !wanted {
        bail!("give --burn (a cold build takes half an hour)");
    }
    let target = match target {
        Some(target) => std::path::absolute(target).context("--burn-target")?,
        None => shell.current_dir().join("integrations/burn/target"),
    };
    baseline(shell, "build", "burn", &target).run()?;
    Ok(target)
}

/// A cargo command for a baseline in Rust, which is a workspace of its own.
fn baseline<'a>(shell: &'a Shell, command: &str, name: &str, target: &Path) -> Cmd<'a> {
    let manifest = format!("benches/baselines/{name}/Cargo.toml");
    cmd!(shell, "cargo {command} --release --locked --manifest-path {manifest} --target-dir {target}")
}

/// The names of what is not in the results, with the reason, once each.
#[derive(Default)]
struct LeftOut(Vec<String>);

impl LeftOut {
    /// Notes a failure of `name`.
    fn unless<T>(&mut self, name: &str, result: Result<T>) -> Option<T> {
        let note = |error: anyhow::Error| {
            // The last line of a traceback says what is wrong.
            let text = format!("{error:#}");
            let why = format!("{name}: {}", text.trim().lines().last().unwrap_or("failed"));
            if !self.0.contains(&why) {
                self.0.push(why);
            }
        };
        result.map_err(note).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_noted_once_by_its_last_line() {
        let mut left_out = LeftOut::default();
        assert_eq!(left_out.unless("fine", Ok(7)), Some(7));
        for _ in 0..2 {
            let failure: Result<()> = Err(anyhow::anyhow!("Traceback:\n  line 1\nno module\n"));
            assert_eq!(left_out.unless("jax", failure), None);
        }
        assert_eq!(left_out.0, ["jax: no module"]);
    }
}
