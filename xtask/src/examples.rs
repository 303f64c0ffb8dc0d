//! The examples of the workspace, which are run as tests: each checks what it shows.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

// For the whole workspace, as the tests: what those built is used again.
const BUILD: [&str; 4] = ["build", "--release", "--workspace", "--examples"];

/// An example that has been built.
#[derive(Debug, PartialEq)]
pub struct Example {
    pub name: String,
    executable: PathBuf,
}

impl Example {
    /// A command that runs it in the workspace's root, on the adapter that it likes best.
    pub fn command(&self, workspace: &Workspace) -> Command {
        workspace.command(&self.executable)
    }
}

/// Builds all examples.
pub fn build(workspace: &Workspace) -> Result<Vec<Example>> {
    process::run(&mut workspace.cargo(&BUILD))?;
    // Nothing is left to build, and cargo says where everything is.
    let messages = process::output(workspace.cargo(&BUILD).args(["--quiet", "--message-format=json"]))?;
    let examples = examples(&String::from_utf8_lossy(&messages))?;
    ensure!(!examples.is_empty(), "`cargo build --examples` named no example");
    Ok(examples)
}

/// The examples among cargo's messages, one a line, by name.
fn examples(messages: &str) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for line in messages.lines() {
        let message: Value =
            serde_json::from_str(line).context("`cargo build` printed something that is not JSON")?;
        let is_example = message["target"]["kind"] == serde_json::json!(["example"]);
        if let (true, Some(name), Some(executable)) =
            (is_example, message["target"]["name"].as_str(), message["executable"].as_str())
        {
            examples.push(Example { name: name.into(), executable: executable.into() });
        }
    }
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_found_among_the_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"seedbed"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["example"],"name":"b"},"executable":"/target/release/examples/b"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"xtask"},"executable":"/target/release/xtask"}
{"reason":"compiler-artifact","target":{"kind":["example"],"name":"a"},"executable":"/target/release/examples/a"}
{"reason":"build-finished","success":true}
"#;
        let example = |name: &str| Example {
            name: name.into(),
            executable: format!("/target/release/examples/{name}").into(),
        };
        assert_eq!(examples(messages).unwrap(), [example("a"), example("b")]);
        assert!(examples("warning: not JSON").is_err());
    }
}
