//! Where the checkout and its target folder are.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The cargo workspace that this program belongs to.
pub struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    root: PathBuf,
    /// Cargo's target folder, with one of our own inside.
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo, because the target folder can be moved by configuration or environment.
    pub fn locate() -> Result<Self> {
        let mut command = Command::new(cargo_program());
        command.args(["metadata", "--no-deps", "--format-version=1"]);
        command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
        let metadata: Value = serde_json::from_slice(&process::output(&mut command)?)
            .context("`cargo metadata` printed something that is not JSON")?;
        let folder = |key: &str| {
            let text = metadata[key].as_str();
            text.map(PathBuf::from).with_context(|| format!("`cargo metadata` printed no `{key}`"))
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// A file of the checkout, by its path from the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A cargo command that runs in the workspace's root.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(cargo_program());
        command.args(arguments);
        command
    }

    /// A command that runs in the workspace's root.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Cargo's target folder.
    pub fn target(&self) -> PathBuf {
        self.target.clone()
    }

    /// The folder for what this program fetches or makes, created if need be.
    pub fn cache(&self) -> Result<PathBuf> {
        let cache = self.target.join("xtask");
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        Ok(cache)
    }
}

/// The cargo that started us, so that `cargo +toolchain xtask …` stays on that toolchain.
fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
