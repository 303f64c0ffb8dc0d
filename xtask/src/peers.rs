//! `cargo xtask peers`: seedbed beside what people would use instead, in one go, into benches/RESULTS.md.
//!
//! | step | module |
//! |---|---|
//! | everything is built | `peers/programs.rs` |
//! | what the programs print -> figures | `peers/figures.rs` |
//! | whole processes: wall time and memory | `peers/whole_job.rs` |
//! | figures -> the ratios that the project sets itself | `peers/goals.rs` |
//! | the text | `peers/report.rs` |

mod figures;
mod goals;
mod programs;
mod report;
mod whole_job;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use self::figures::{Bench, Figure};
use self::report::Report;
use crate::environment::Variables;
use crate::machine::Machine;
use crate::process;
use crate::workspace::Workspace;

/// Each a file of benches/peers.
const PYTHON: [&str; 4] = ["pytorch", "numpy_philox", "jax_glorot", "onemkl"];

#[derive(clap::Args)]
pub struct Options {
    /// A Python that has the packages of benches/peers/requirements.txt [default: they are installed under target]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Elements of a fill
    #[arg(long, value_name = "N", default_value_t = 1 << 26)]
    elements: u64,
    /// How often all fills are measured, one engine and peer after the other: what else the machine does is not the same
    /// at all times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Measure burn too, which takes half an hour to build for the first time
    #[arg(long)]
    burn: bool,
    /// Where burn is built [default: integrations/burn/target, which the tests there share]
    #[arg(long, value_name = "FOLDER", requires = "burn")]
    burn_target: Option<PathBuf>,
}

/// Measures everything and writes the results.
pub fn run(workspace: &Workspace, variables: Variables, options: Options) -> Result<()> {
    let mut left_out = LeftOut::default();
    let seedbed = workspace.seedbed()?;
    let python = left_out.unless("Python's peers", programs::python(workspace, options.python));
    let rand_distr = left_out.unless("rand_distr", programs::rand_distr(workspace));
    let burn = left_out.unless("burn", programs::burn(workspace, options.burn, options.burn_target));

    // From here on nothing is built.
    let elements = options.elements.to_string();
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let json = workspace.cache()?.join("bench.json");
        let mut command = workspace.command(&seedbed);
        command.args(["bench", "--elements", &elements, "--json"]).arg(&json);
        process::run(command.envs(variables.clone()))?;
        let mut bench = Bench::read(&fs::read(&json).with_context(|| json.display().to_string())?)?;
        if let Some(adapter) = bench.usual_adapter() {
            let mut command = workspace.command(&seedbed);
            command.args(["bench", "--shapes", "--adapter", adapter, "--elements", &elements, "--json"]);
            let shapes = process::run(command.arg(&json).envs(variables.clone()))
                .and_then(|()| figures::read_shapes(&fs::read(&json)?));
            bench.figures.extend(left_out.unless("store shapes", shapes).into_iter().flatten());
        }

        let scripts = python.iter().flat_map(|python| {
            PYTHON.map(|peer| {
                let mut command = Command::new(python);
                command.arg(workspace.path(&format!("benches/peers/{peer}.py")));
                (peer, command)
            })
        });
        let programs = [("rand_distr", &rand_distr), ("burn", &burn)];
        let programs =
            programs.into_iter().filter_map(|(peer, path)| Some((peer, Command::new(path.as_ref()?))));
        for (peer, mut command) in scripts.chain(programs) {
            println!("{peer}");
            // What it printed before it failed is measured.
            let (lines, result) = process::output_so_far(command.arg(&elements));
            left_out.unless(peer, result);
            bench.figures.extend(Figure::read_lines(&lines));
        }
        rounds.push(bench);
    }
    println!("whole job");
    let adapter = rounds.first().and_then(Bench::usual_adapter);
    let jobs = python.map(|python| whole_job::run(workspace, &seedbed, &python, adapter));
    let jobs = jobs.and_then(|jobs| left_out.unless("whole job", jobs)).unwrap_or_default();

    let report = Report {
        elements: options.elements,
        machine: Machine::look(workspace),
        rounds,
        jobs,
        left_out: left_out.0,
        remarks: fs::read_to_string(workspace.path("benches/REMARKS.md")).ok(),
    };
    let path = workspace.path("benches/RESULTS.md");
    fs::write(&path, report.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: written", path.display());
    Ok(())
}

/// What is not in the results, and why, once each.
#[derive(Default)]
struct LeftOut(Vec<String>);

impl LeftOut {
    /// Notes a failure of `who`.
    fn unless<T>(&mut self, who: &str, result: Result<T>) -> Option<T> {
        let note = |error: anyhow::Error| {
            // The last line of a traceback says what is wrong.
            let text = format!("{error:#}");
            let why = format!("{who}: {}", text.trim().lines().last().unwrap_or("failed"));
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
