//! Where the checkout is, and cargo commands in it.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{Message, MetadataCommand, TargetKind};
use xshell::{Cmd, Shell};

/// The cargo workspace that this program belongs to.
pub struct Workspace {
    /// A shell in the workspace's root.
    pub shell: Shell,
    /// Cargo's target folder.
    pub target: PathBuf,
}

/// An example that has been built.
#[derive(Debug, PartialEq)]
pub struct Example {
    pub name: String,
    pub program: PathBuf,
}

impl Workspace {
    /// Asks cargo, because configuration and environment can move the target folder.
    pub fn locate() -> Result<Self> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
        let shell = Shell::new()?;
        shell.change_dir(metadata.workspace_root);
        Ok(Self { shell, target: metadata.target_directory.into() })
    }

    /// The cargo that started this program, so that `cargo +toolchain xtask …` stays on that toolchain.
    pub fn cargo(&self, arguments: &[&str]) -> Cmd<'_> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        self.shell.cmd(cargo).args(arguments).quiet()
    }

    /// Builds the examples of the workspace.
    pub fn examples(&self) -> Result<Vec<Example>> {
        // The whole workspace, as for the tests: cargo uses again what those built.
        let build = ["build", "--release", "--workspace", "--examples"];
        let messages = self.cargo(&build).arg("--message-format=json-render-diagnostics").read()?;
        let examples = examples(&messages)?;
        ensure!(!examples.is_empty(), "`cargo build --examples` named no example");
        Ok(examples)
    }
}

/// The examples among cargo's messages, by name.
fn examples(messages: &str) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for message in Message::parse_stream(messages.as_bytes()) {
        match message? {
            Message::CompilerArtifact(artifact) if artifact.target.kind == [TargetKind::Example] => {
                let program = artifact.executable.map(PathBuf::from);
                examples.extend(program.map(|program| Example { name: artifact.target.name, program }));
            }
            Message::TextLine(line) => bail!("`cargo build` printed {line:?}"),
            _ => {}
        }
    }
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(examples)
}

/// Runs `command`, and shows `each_line` every line of its standard output on the way.
pub fn run_watching(command: Cmd<'_>, mut each_line: impl FnMut(&str)) -> Result<()> {
    let shown = command.to_string();
    let failed = || format!("cannot run `{shown}`");
    let mut command = Command::from(command);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(failed)?;
    if let Some(pipe) = child.stdout.take() {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).with_context(failed)? > 0 {
            // A closed standard output (`| head`) must not stop the tests half-way.
            let _ = std::io::stdout().write_all(&line);
            each_line(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    let status = child.wait().with_context(failed)?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_found_among_the_messages() {
        let artifact = |kind: &str, name: &str, executable: &str| {
            format!(
                r#"{{"reason": "compiler-artifact", "package_id": "p", "manifest_path": "/Cargo.toml", "target": {{"kind":
                ["{kind}"], "crate_types": ["bin"], "name": "{name}", "src_path": "/a.rs", "edition": "2024"}}, "profile":
                {{"opt_level": "3", "debuginfo": 0, "debug_assertions": false, "overflow_checks": false, "test": false}},
                "features": [], "filenames": [], "executable": {executable}, "fresh": true}}"#
            )
            .replace('\n', " ")
        };
        let messages = [
            artifact("lib", "seedbed", "null"),
            artifact("example", "b", r#""/target/b""#),
            artifact("bin", "xtask", r#""/target/xtask""#),
            artifact("example", "a", r#""/target/a""#),
            r#"{"reason": "build-finished", "success": true}"#.into(),
        ];
        let example = |name: &str| Example { name: name.into(), program: format!("/target/{name}").into() };
        assert_eq!(examples(&messages.join("\n")).unwrap(), [example("a"), example("b")]);
        assert!(examples("warning: not JSON").is_err());
    }
}
