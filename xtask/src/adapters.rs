//! The software adapters that the tests run on. `scripts/adapters.sh` finds, installs and fetches them.

use std::env;

use anyhow::{Context, Result};
use xshell::cmd;

use crate::workspace::Workspace;

/// The adapters that the tests know.
pub const ALL: &str = "lavapipe,gl,swiftshader";

/// The variable by which the test programs know which adapters must be there.
const REQUIRE: &str = "SEEDBED_REQUIRE_ADAPTERS";

/// The environment in which tests and benchmarks see the adapters.
pub type Variables = Vec<(String, String)>;

/// Provides the adapters in `required`, looks for the others, and prints what there is. Without `required`,
/// the script chooses by the environment and the machine.
pub fn set_up(workspace: &Workspace, required: Option<&str>) -> Result<Variables> {
    if !cfg!(target_os = "linux") {
        println!("nothing to set up: software adapters come with Linux; here the tests use the system's own");
        let list = required.map(String::from).or_else(|| env::var(REQUIRE).ok()).unwrap_or_default();
        return Ok(vec![(REQUIRE.into(), list)]);
    }
    let cache = workspace.target.join("xtask");
    let require = required.map(|list| ["--require", list]).into_iter().flatten();
    let script = cmd!(workspace.shell, "bash scripts/adapters.sh --cache {cache} {require...}");
    let lines = script.quiet().read().context("cannot set up the adapters")?;
    lines.lines().map(|line| variable(line).with_context(|| format!("adapters.sh printed {line}"))).collect()
}

/// A line `NAME='value'`, in which a shell's `'\''` stands for a quote.
fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    Some((name.into(), value.replace(r"'\''", "'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_what_a_shell_would_make_of_the_line() {
        let read = |line| variable(line).map(|(name, value)| format!("{name}: {value}"));
        assert_eq!(read("A='b c=d'").as_deref(), Some("A: b c=d"));
        assert_eq!(read(r"A='it'\''s'").as_deref(), Some("A: it's"));
        assert_eq!(read("A=''").as_deref(), Some("A: "));
        assert_eq!(read("a word"), None);
        assert_eq!(read("A=b"), None);
    }
}
