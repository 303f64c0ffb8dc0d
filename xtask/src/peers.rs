//! `cargo xtask peers`: seedbed beside what people would use instead, in one go, into benches/RESULTS.md.
//!
//! | step | module |
//! |---|---|
//! | everything is built | `peers/programs.rs` |
//! | what the programs print -> figures | `peers/figures.rs` |
//! | whole processes: wall time and memory | `peers/whole_job.rs` |
//! | figures -> the ratios that the project sets itself | `peers/goals.rs` |
//! | what it ran on | `peers/machine.rs` |
//! | the text | `peers/report.rs` |

mod figures;
mod goals;
mod machine;
mod programs;
mod report;
mod whole_job;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use self::figures::{Bench, Figure};
use self::machine::Machine;
use self::report::Report;
use crate::environment::Variables;
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
    /// Measure burn too, which takes half an hour to build for the first time
    #[arg(long)]
    burn: bool,
    /// Where burn is built [default: integrations/burn/target, which the tests there share]
    #[arg(long, value_name = "FOLDER", requires = "burn")]
    burn_target: Option<PathBuf>,
}

/// Measures everything and writes the results.
pub fn run(workspace: &Workspace, variables: Variables, options: Options) -> Result<()> {
    let mut left_out = Vec::new();
    let mut note = |peer: &str, error: anyhow::Error| {
        // The last line of a traceback says what is wrong.
        let text = format!("{error:#}");
        left_out.push(format!("{peer}: {}", text.trim().lines().last().unwrap_or("failed")));
    };
    let seedbed = programs::seedbed(workspace)?;
    let python = programs::python(workspace, options.python);
    let rand_distr = programs::rand_distr(workspace);
    let burn = programs::burn(workspace, options.burn, options.burn_target);

    // From here on nothing is built.
    let count = options.elements.to_string();
    let json = workspace.cache()?.join("bench.json");
    let mut bench = workspace.command(&seedbed);
    bench.args(["bench", "--elements", &count, "--json"]).arg(&json);
    process::run(bench.envs(variables))?;
    let mut bench = Bench::read(&fs::read(&json).with_context(|| json.display().to_string())?)?;

    let peers = PYTHON.map(|peer| {
        let script = workspace.path(&format!("benches/peers/{peer}.py"));
        (peer, python.as_ref().map(|python| command(python, &[script])))
    });
    let peers = peers.into_iter().chain([
        ("rand_distr", rand_distr.as_ref().map(|program| command(program, &[]))),
        ("burn", burn.as_ref().map(|program| command(program, &[]))),
    ]);
    for (peer, program) in peers {
        // Said once, below.
        let Ok(mut program) = program else { continue };
        println!("{peer}");
        match process::output(program.arg(&count)) {
            Ok(lines) => bench.figures.extend(Figure::read_lines(&lines)),
            Err(error) => note(peer, error),
        }
    }
    let jobs = python.as_ref().ok().map(|python| {
        println!("whole job");
        whole_job::run(workspace, &seedbed, python, bench.usual_adapter())
    });
    let jobs = match jobs.transpose() {
        Ok(jobs) => jobs.unwrap_or_default(),
        Err(error) => {
            note("whole job", error);
            Vec::new()
        }
    };
    for (peer, error) in
        [("Python's peers", python.err()), ("rand_distr", rand_distr.err()), ("burn", burn.err())]
    {
        error.into_iter().for_each(|error| note(peer, error));
    }

    let machine = Machine::look(workspace);
    let remarks = fs::read_to_string(workspace.path("benches/REMARKS.md")).ok();
    let report = Report { elements: options.elements, machine, bench, jobs, left_out, remarks };
    let path = workspace.path("benches/RESULTS.md");
    fs::write(&path, report.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: written", path.display());
    Ok(())
}

fn command(program: &PathBuf, arguments: &[PathBuf]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
