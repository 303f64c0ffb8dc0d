//! Building the peers.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::workspace::{Workspace, built};

/// `given`, which has the peers' packages, or else a virtual environment that is made for them.
pub fn python(workspace: &Workspace, given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(python) = given {
        // A bare name is looked for in PATH, and a path is meant from here, wherever it is called.
        return Ok(if python.components().count() > 1 { std::path::absolute(python)? } else { python });
    }
    let folder = workspace.cache()?.join("peers");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let mut pip = workspace.command(&python);
    process::run(pip.args(["-m", "pip", "install", "--quiet", "-r", "benches/peers/requirements.txt"]))?;
    Ok(python)
}

pub fn rand_distr(workspace: &Workspace) -> Result<PathBuf> {
    peer(workspace, "rand_distr", &workspace.cache()?.join("peers-target"))
}

/// If it is wanted.
pub fn burn(workspace: &Workspace, wanted: bool, target: Option<PathBuf>) -> Result<PathBuf> {
    if !wanted {
        bail!("give --burn (a cold build takes half an hour)");
    }
    let target = match target {
        Some(target) => std::path::absolute(target)?,
        None => workspace.path("integrations/burn/target"),
    };
    peer(workspace, "burn", &target)
}

/// A peer in Rust: a workspace of its own.
fn peer(workspace: &Workspace, name: &str, target: &Path) -> Result<PathBuf> {
    let manifest = format!("benches/peers/{name}/Cargo.toml");
    let mut cargo = workspace.cargo(&["build", "--release", "--locked", "--manifest-path", &manifest]);
    built(cargo.arg("--target-dir").arg(target), &format!("peer-{name}"))
}
