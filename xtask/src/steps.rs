//! The steps of `test`, `bench` and `ci`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::adapters::{self, Variables};
use crate::tally::Tally;
use crate::workspace::{self, Workspace};

// Every step builds with the same profile and, where it can, for the whole workspace: cargo then builds wgpu
// once for clippy and the documentation, and once for tests and benchmarks.
const TEST: [&str; 3] = ["test", "--release", "--workspace"];
// `--bench *` leaves out the unit tests that a plain `cargo bench` would run.
const BENCH: [&str; 4] = ["bench", "--workspace", "--bench", "*"];

/// The feature combinations of the library that the other steps do not build: those build the default one. CI
/// runs clippy, the unit tests and the documentation's examples with each.
const FEATURES: &[&[&str]] = &[
    &["--no-default-features"],
    &["--no-default-features", "--features", "wgpu"],
    &["--no-default-features", "--features", "threads,vectors,serde"],
    &["--all-features"],
];

/// The workspaces whose dependencies nothing else should wait for.
const OTHER_WORKSPACES: [&str; 7] = [
    "benches/baselines/rand_distr",
    "benches/baselines/burn",
    "integrations/burn",
    WGPU_29,
    "python",
    "scripts/wasm-user",
    "web/wasm",
];

/// The workspaces of tools, none of which is part of what users get.
const TOOLS: [&str; 2] = ["fuzz", "scripts/threads-user"];

/// The recorder for wgpu's previous major. CI tests it in the development profile, where wgpu compiles fastest.
const WGPU_29: &str = "integrations/wgpu-29";

/// The proofs that are short enough for each change. docs/TESTING.md has the long ones.
const PROOFS: [(&str, &[&str]); 5] = [
    ("other compilers", &["scripts/proof.sh", "--quick"]),
    ("Metal's text as C++", &["scripts/proof-metal.sh", "--quick"]),
    ("other processors", &["scripts/proof-processors.sh", "--golden", "aarch64", "s390x"]),
    ("wgpu for Python", &["scripts/proof-wgpu-py.sh"]),
    ("fuzz targets", &["scripts/fuzz.sh", "--seconds", "4"]),
];

/// The script of the JavaScript package.
const WEB: &str = "scripts/web.sh";

/// The script that runs cargo-deny.
const CARGO_DENY: &str = "scripts/cargo-deny.sh";

/// The script of the Python package.
const PYTHON: &str = "scripts/python.sh";

/// `cargo xtask test`.
pub fn test(workspace: &Workspace, require: Option<&str>, arguments: &[String]) -> Result<()> {
    let variables = adapters::set_up(workspace, require)?;
    let mut tally = Tally::default();
    let mut result = run_tests(workspace, &variables, arguments, &mut tally);
    // Arguments choose among the tests: whoever gives some waits for those alone.
    if result.is_ok() && arguments.is_empty() {
        let mut report = Report::default();
        result = run_examples(workspace, &variables, &mut report)
            .and_then(|()| test_web(workspace, &variables, &mut report))
            .and_then(|()| test_python(workspace, &mut report));
    }
    print_tally(&tally);
    result
}

/// `cargo xtask bench`.
pub fn bench(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let variables = adapters::set_up(workspace, None)?;
    Ok(workspace.cargo(&BENCH).args(arguments).envs(variables).run()?)
}

/// `cargo xtask web`, which serves the page on this port of localhost, if any.
pub fn web(workspace: &Workspace, port: Option<u16>) -> Result<()> {
    let shell = &workspace.shell;
    shell.cmd("bash").args([WEB, "demo"]).quiet().run()?;
    let Some(port) = port else { return Ok(()) };
    println!("serving target/web on http://localhost:{port} until this program is stopped");
    let server =
        ["web/node_modules/sirv-cli/bin.js", "target/web", "--dev", "--quiet", "--host", "localhost"];
    Ok(shell.cmd("node").args(server).args(["--port", &port.to_string()]).quiet().run()?)
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
    let clippy =
        |arguments: &[&str]| cargo(&["clippy", "--release"]).args(arguments).args(["--", "-D", "warnings"]);
    report.step("format", || {
        cargo(&["fmt", "--all", "--check"]).run()?;
        OTHER_WORKSPACES.into_iter().chain(TOOLS).try_for_each(|folder| {
            let manifest = format!("{folder}/Cargo.toml");
            cargo(&["fmt", "--check", "--manifest-path", &manifest]).run()
        })
    })?;
    report.step("clippy", || clippy(&["--workspace", "--all-targets"]).run())?;
    report.step("documentation", || {
        cargo(&["doc", "--workspace", "--no-deps", "--release"]).env("RUSTDOCFLAGS", "-D warnings").run()
    })?;
    for features in FEATURES {
        report.step(&features.join(" "), || {
            clippy(&[&["--package", "seedbed", "--lib"], *features].concat()).run()?;
            for tests in ["--lib", "--doc"] {
                cargo(&["test", "--release", "--package", "seedbed", tests]).args(*features).run()?;
            }
            Ok::<_, xshell::Error>(())
        })?;
    }
    let wasm = "scripts/wasm.sh";
    match workspace.shell.path_exists(wasm) {
        true => report.step("wasm32 builds", || workspace.shell.cmd("bash").arg(wasm).quiet().run())?,
        false => report.skip("wasm32 builds", "there is no scripts/wasm.sh"),
    }
    check_dependencies(workspace, report)?;
    let variables = report.step("set-up", || adapters::set_up(workspace, None))?;
    report.step("wgpu 29", || {
        let manifest = format!("{WGPU_29}/Cargo.toml");
        let target = workspace.target.join("wgpu-29");
        let test = cargo(&["test", "--manifest-path", &manifest]).env("CARGO_TARGET_DIR", target);
        test.envs(variables.clone()).run()
    })?;
    report.step("benchmarks, once each", || {
        cargo(&BENCH).args(["--", "--test"]).envs(variables.clone()).run()
    })?;
    run_examples(workspace, &variables, report)?;
    prove(workspace, &variables, report)?;
    test_web(workspace, &variables, report)?;
    test_python(workspace, report)?;
    report.step("tests", || run_tests(workspace, &variables, &["--no-fail-fast".into()], tally))
}

fn run_tests(
    workspace: &Workspace,
    variables: &Variables,
    arguments: &[String],
    tally: &mut Tally,
) -> Result<()> {
    let command = workspace.cargo(&TEST).args(arguments).envs(variables.clone());
    workspace::run_watching(command, |line| tally.add(line))
}

/// The dependencies of every workspace. CI gets cargo-deny; elsewhere a machine without Python or network goes on.
fn check_dependencies(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let deny = |arguments: &[&str]| workspace.shell.cmd("bash").arg(CARGO_DENY).args(arguments).quiet();
    if std::env::var_os("CI").is_none() && deny(&["--version"]).ignore_stdout().run().is_err() {
        report.skip("licences", "cargo-deny is not installed");
        return Ok(());
    }
    let check = |checks: &[&str]| {
        ["."].into_iter().chain(OTHER_WORKSPACES).try_for_each(|folder| {
            println!("--- {folder}");
            let manifest = format!("{folder}/Cargo.toml");
            let check = deny(&["--manifest-path", &manifest, "check", "--hide-inclusion-graph"]);
            // An exception that one workspace needs is of no use in the others. Crates in two versions are worth
            // seeing in the library's workspace alone.
            let lints = ["license-exception-not-encountered", "duplicate"];
            let hide = if folder == "." { &lints[..1] } else { &lints };
            check.args(hide.iter().flat_map(|lint| ["--allow", lint])).args(checks).run()
        })
    };
    report.step("licences", || check(&["licenses", "bans", "sources"]))?;
    match deny(&["fetch", "db"]).run() {
        Ok(()) => report.step("advisories", || check(&["advisories"])),
        Err(_) => {
            let reason = "NOT checked: the database, github.com/RustSec/advisory-db, is out of reach";
            report.skip("advisories", reason);
            Ok(())
        }
    }
}

/// Each example is a step of its own, so that the one that fails is named.
fn run_examples(workspace: &Workspace, variables: &Variables, report: &mut Report) -> Result<()> {
    for example in report.step("examples, built", || workspace.examples())? {
        let command = workspace.shell.cmd(example.program).envs(variables.clone()).quiet();
        report.step(&format!("example {}", example.name), || command.run())?;
    }
    Ok(())
}

/// Builds the program of this name, and returns its path. With the examples, so that features are theirs and the
/// tests': cargo uses again what those built.
fn built(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    workspace.cargo(&["build", "--release", "--workspace", "--examples", "--bin", name]).run()?;
    Ok(workspace.target.join("release").join(name))
}

/// The proofs that fetch other compilers, and run on Linux alone.
fn prove(workspace: &Workspace, variables: &Variables, report: &mut Report) -> Result<()> {
    let program = report.step("proofs, built", || built(workspace, "seedbed-proof"))?;
    for (name, command) in PROOFS {
        if !cfg!(target_os = "linux") || !workspace.shell.path_exists(command[0]) {
            report.skip(name, "the script needs a Linux");
            continue;
        }
        let command = workspace.shell.cmd("bash").args(command).env("SEEDBED_PROOF", &program);
        let command = command.envs(variables.clone()).quiet();
        report.step(name, || command.run())?;
    }
    Ok(())
}

/// The JavaScript package, in node and in Chromium. The script says so where node or Chromium is missing, and fails there
/// in CI.
fn test_web(workspace: &Workspace, variables: &Variables, report: &mut Report) -> Result<()> {
    if !cfg!(unix) || !workspace.shell.path_exists(WEB) {
        report.skip("web package", "the script needs a Unix");
        return Ok(());
    }
    let command = workspace.shell.cmd("bash").args([WEB, "test"]).envs(variables.clone()).quiet();
    report.step("web package", || command.run())
}

/// The Python package, with PyTorch and JAX. The script says so where Python is missing, and fails there in CI.
fn test_python(workspace: &Workspace, report: &mut Report) -> Result<()> {
    if !cfg!(unix) || !workspace.shell.path_exists(PYTHON) {
        report.skip("python package", "the script needs a Unix");
        return Ok(());
    }
    report.step("python package", || {
        let program = built(workspace, "seedbed")?;
        let command = workspace.shell.cmd("bash").args([PYTHON, "test"]).env("SEEDBED_BIN", program);
        Ok::<_, anyhow::Error>(command.quiet().run()?)
    })
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
    fn step<T, E: Into<anyhow::Error>>(
        &mut self,
        name: &str,
        step: impl FnOnce() -> Result<T, E>,
    ) -> Result<T> {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = step().map_err(Into::into);
        let outcome = if result.is_ok() { "ok" } else { "FAILED" };
        self.note(name, &format!("{outcome:<8}{}", seconds(start.elapsed())));
        result.with_context(|| format!("step `{name}` failed"))
    }

    fn skip(&mut self, name: &str, reason: &str) {
        println!("\n=== {name}");
        self.note(name, &format!("skipped: {reason}"));
    }

    fn note(&mut self, name: &str, outcome: &str) {
        let line = format!("{name:<56}{outcome}");
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
        assert_eq!(report.step("first", || Ok::<_, anyhow::Error>(7)).unwrap(), 7);
        report.skip("second", "not installed");
        let error = report.step("third", || -> Result<()> { anyhow::bail!("exit status: 101") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `third` failed: exit status: 101");
        let [first, second, third] = &report.lines[..] else { panic!("{:?}", report.lines) };
        assert!(first.starts_with("first ") && first.contains(" ok "), "{first}");
        assert!(second.ends_with("skipped: not installed"), "{second}");
        assert!(third.starts_with("third ") && third.contains("FAILED"), "{third}");
    }
}
