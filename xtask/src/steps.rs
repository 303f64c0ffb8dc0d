//! The cargo commands behind `test`, `bench` and `ci`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::adapters::{self, Required};
use crate::environment::{self, Variables};
use crate::examples;
use crate::growth;
use crate::peers;
use crate::process;
use crate::tally::Tally;
use crate::workspace::Workspace;

// Every step builds with the same profile and, where it can, for the whole workspace: cargo then
// builds wgpu once for clippy and the documentation and once for tests and benchmarks.
const TEST: [&str; 3] = ["test", "--release", "--workspace"];
// `--bench *` leaves out the unit tests that a plain `cargo bench` would run.
const BENCH: [&str; 4] = ["bench", "--workspace", "--bench", "*"];

/// Of what has dependencies that nothing else should wait for.
const OTHER_WORKSPACES: [&str; 4] =
    ["xtask/growth", "benches/peers/rand_distr", "benches/peers/burn", "integrations/burn"];

/// `cargo xtask test`.
pub fn test(workspace: &Workspace, require: Option<String>, arguments: &[String]) -> Result<()> {
    let variables = prepare(workspace, require)?;
    let mut tally = Tally::default();
    let mut result = run_tests(workspace, &variables, arguments, &mut tally);
    // Arguments choose among the tests: whoever gives some waits for those alone.
    if result.is_ok() && arguments.is_empty() {
        result = run_examples(workspace, &variables, &mut Report::default());
    }
    print_tally(&tally);
    result
}

/// `cargo xtask bench`.
pub fn bench(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let variables = prepare(workspace, None)?;
    process::run(workspace.cargo(&BENCH).args(arguments).envs(variables))
}

/// `cargo xtask peers`.
pub fn peers(workspace: &Workspace, options: peers::Options) -> Result<()> {
    peers::run(workspace, prepare(workspace, None)?, options)
}

/// `cargo xtask growth`.
pub fn growth(workspace: &Workspace, elements: u64) -> Result<()> {
    growth::run(workspace, prepare(workspace, None)?, elements)
}

/// `cargo xtask ci`. The tests come last, so that their totals end the output.
pub fn ci(workspace: &Workspace) -> Result<()> {
    let mut report = Report::default();
    let mut tally = Tally::default();
    let result = ci_steps(workspace, &mut report, &mut tally);
    report.print();
    print_tally(&tally);
    result
}

fn ci_steps(workspace: &Workspace, report: &mut Report, tally: &mut Tally) -> Result<()> {
    let cargo = |arguments: &[&str]| workspace.cargo(arguments);
    report.step("format", || {
        process::run(&mut cargo(&["fmt", "--all", "--check"]))?;
        OTHER_WORKSPACES.into_iter().try_for_each(|folder| {
            let manifest = format!("{folder}/Cargo.toml");
            process::run(&mut cargo(&["fmt", "--check", "--manifest-path", &manifest]))
        })
    })?;
    report.step("clippy", || {
        process::run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--release",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    report.step("documentation", || {
        let mut command = cargo(&["doc", "--workspace", "--no-deps", "--release"]);
        process::run(command.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    report.step("no default features", || {
        process::run(&mut cargo(&["check", "--package", "seedbed", "--no-default-features", "--release"]))
    })?;
    match process::succeeds(&mut cargo(&["deny", "--version"])) {
        true => report.step("licences", || process::run(&mut cargo(&["deny", "check"])))?,
        false => report.skip("licences", "cargo-deny is not installed"),
    }
    let variables = report.step("set-up", || prepare(workspace, None))?;
    report.step("benchmarks, once each", || {
        process::run(cargo(&BENCH).args(["--", "--test"]).envs(variables.clone()))
    })?;
    run_examples(workspace, &variables, report)?;
    report.step("the plot of `growth`", || growth::test(workspace))?;
    report.step("tests", || run_tests(workspace, &variables, &["--no-fail-fast".into()], tally))
}

fn prepare(workspace: &Workspace, require: Option<String>) -> Result<Variables> {
    let required = Required::choose(require, workspace)?;
    let adapters = adapters::set_up(workspace, &required)?;
    environment::variables(workspace, &adapters, &required)
}

fn run_tests(
    workspace: &Workspace,
    variables: &Variables,
    arguments: &[String],
    tally: &mut Tally,
) -> Result<()> {
    let mut command: Command = workspace.cargo(&TEST);
    command.args(arguments).envs(variables.clone());
    process::run_watching(&mut command, |line| tally.add(line))
}

/// Each example is a step of its own: the one that fails is named.
fn run_examples(workspace: &Workspace, variables: &Variables, report: &mut Report) -> Result<()> {
    for example in report.step("examples, built", || examples::build(workspace))? {
        report.step(&format!("example {}", example.name), || {
            process::run(example.command(workspace).envs(variables.clone()))
        })?;
    }
    Ok(())
}

fn print_tally(tally: &Tally) {
    if !tally.is_empty() {
        println!("\n{tally}");
    }
}

/// How each step went and how long it took.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
}

impl Report {
    fn step<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = step();
        let outcome = if result.is_ok() { "ok" } else { "FAILED" };
        self.note(name, &format!("{outcome:<8}{}", seconds(start.elapsed())));
        result.with_context(|| format!("step `{name}` failed"))
    }

    fn skip(&mut self, name: &str, reason: &str) {
        println!("\n=== {name}");
        self.note(name, &format!("skipped: {reason}"));
    }

    fn note(&mut self, name: &str, outcome: &str) {
        let line = format!("{name:<24}{outcome}");
        println!("=== {line}");
        self.lines.push(line);
    }

    fn print(&self) {
        println!("\n=== summary");
        for line in &self.lines {
            println!("{line}");
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:>7.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_noted() {
        let mut report = Report::default();
        assert_eq!(report.step("first", || Ok(7)).unwrap(), 7);
        report.skip("second", "not installed");
        let error = report.step("third", || -> Result<()> { anyhow::bail!("exit status: 101") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `third` failed: exit status: 101");
        let [first, second, third] = &report.lines[..] else { panic!("{:?}", report.lines) };
        assert!(first.starts_with("first ") && first.contains(" ok "), "{first}");
        assert!(second.ends_with("skipped: not installed"), "{second}");
        assert!(third.starts_with("third ") && third.contains("FAILED"), "{third}");
    }
}
