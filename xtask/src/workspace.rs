//! Where the checkout and its target folder are.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow};
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

    /// The program `seedbed`, built.
    pub fn seedbed(&self) -> Result<PathBuf> {
        built(&mut self.cargo(&["build", "--release", "-p", "seedbed-cli"]), "seedbed")
    }

    /// The folder for what this program fetches or makes, created if need be.
    pub fn cache(&self) -> Result<PathBuf> {
        let cache = self.target.join("xtask");
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        Ok(cache)
    }
}

/// Runs a `cargo build`, and returns where the program `name` is: that depends on `build.target` too.
pub fn built(cargo_build: &mut Command, name: &str) -> Result<PathBuf> {
    // What cargo says of its progress goes where it always goes.
    cargo_build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let (messages, result) = process::output_so_far(cargo_build);
    // Its error would be all that cargo says of what it made.
    result.map_err(|_| anyhow!("`cargo build` of {name} failed"))?;
    executable(&messages, name).with_context(|| format!("`cargo build` made no program {name}"))
}

/// The program among what cargo says that it made.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    let messages = serde_json::Deserializer::from_slice(messages).into_iter::<Value>().map_while(Result::ok);
    let mut programs = messages.filter(|message| message["target"]["name"] == name);
    programs.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The cargo that started us, so that `cargo +toolchain xtask …` stays on that toolchain.
fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_where_cargo_says() {
        let messages = br#"{"reason": "compiler-artifact", "target": {"name": "seedbed"}, "executable": null}
{"reason": "compiler-artifact", "target": {"name": "xtask"}, "executable": "/t/release/xtask"}
{"reason": "compiler-artifact", "target": {"name": "seedbed"}, "executable": "/t/triple/release/seedbed"}
{"reason": "build-finished", "success": true}
"#;
        assert_eq!(executable(messages, "seedbed"), Some("/t/triple/release/seedbed".into()));
        assert_eq!(executable(messages, "other"), None);
        assert_eq!(executable(b"", "seedbed"), None);
    }
}
