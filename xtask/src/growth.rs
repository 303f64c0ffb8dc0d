//! `cargo xtask growth`: time against elements for every engine. `seedbed bench --growth` measures, and the program in
//! xtask/growth, which has a workspace of its own, draws.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::environment::Variables;
use crate::machine::Machine;
use crate::process;
use crate::workspace::{Workspace, built};

const MANIFEST: &str = "xtask/growth/Cargo.toml";

/// Measures, and writes into the folder `benches`.
pub fn run(workspace: &Workspace, variables: Variables, elements: u64) -> Result<()> {
    let program = build(workspace)?;
    let mut bench = workspace.command(workspace.seedbed()?);
    let json = workspace.cache()?.join("growth.json");
    bench.args(["bench", "--growth", "--elements", &elements.to_string(), "--json"]);
    process::run(bench.arg(&json).envs(variables))?;
    let Machine { date, threads, processor, commit, .. } = Machine::look(workspace);
    let origin = format!(
        "`cargo xtask growth --elements {elements}`, {date}, on {threads} threads of {processor}, commit {commit}"
    );
    draw(&program, &json, &workspace.path("benches"), &origin)
}

/// Writes beside the figures of another machine.
pub fn draw_elsewhere(workspace: &Workspace, json: &Path) -> Result<()> {
    let folder = json.parent().filter(|folder| *folder != Path::new(""));
    draw(&build(workspace)?, json, folder.unwrap_or(Path::new(".")), "`seedbed bench --growth`")
}

/// `cargo clippy` and `cargo test` of the program that draws.
pub fn test(workspace: &Workspace) -> Result<()> {
    process::run(cargo(workspace, "clippy")?.args(["--quiet", "--all-targets", "--", "-D", "warnings"]))?;
    process::run(cargo(workspace, "test")?.arg("--quiet"))
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    built(&mut cargo(workspace, "build")?, "xtask-growth")
}

fn cargo(workspace: &Workspace, command: &str) -> Result<Command> {
    let mut cargo = workspace.cargo(&[command, "--release", "--locked", "--manifest-path", MANIFEST]);
    cargo.arg("--target-dir").arg(workspace.cache()?.join("growth-target"));
    Ok(cargo)
}

fn draw(program: &Path, json: &Path, folder: &Path, origin: &str) -> Result<()> {
    process::run(Command::new(program).arg(json).arg(folder).arg(origin))
}
