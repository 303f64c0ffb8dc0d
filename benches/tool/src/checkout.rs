//! The checkout that this program was built in, its other programs, and Python with packages.

use std::env::{self, consts::EXE_SUFFIX};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use xshell::{Cmd, Shell, cmd};

/// The folder of the reports, from the checkout's root.
pub const RESULTS: &str = "benches/results";

/// A shell in the root of the checkout.
pub fn shell() -> Result<Shell> {
    let shell = Shell::new()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().with_context(|| {
        format!("the checkout has gone from {}; build this program again where it is", root.display())
    })?;
    shell.change_dir(root);
    Ok(shell)
}

/// The folder for what this program makes besides results: beside the program, in cargo's target folder.
pub fn cache() -> Result<PathBuf> {
    let program = env::current_exe().context("the path of this program is unknown")?;
    Ok(program.with_file_name("baselines"))
}

/// Builds the program `seedbed`, which cargo puts beside this one.
pub fn seedbed(shell: &Shell) -> Result<PathBuf> {
    cmd!(shell, "cargo build --release --locked -p seedbed-cli").run()?;
    Ok(env::current_exe()?.with_file_name(format!("seedbed{EXE_SUFFIX}")))
}

/// The Python that was `given`, which has the packages, or else that of a virtual environment called `name`,
/// into which the packages of the file `requirements` are installed.
pub fn python(shell: &Shell, given: Option<&Path>, name: &str, requirements: &str) -> Result<PathBuf> {
    if let Some(python) = given {
        // A bare name is looked for in PATH. A path is meant from where this program was started.
        let is_path = python.components().count() > 1;
        return Ok(if is_path { std::path::absolute(python)? } else { python.into() });
    }
    let folder = cache()?.join(name);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        cmd!(shell, "python3 -m venv {folder}").run()?;
    }
    cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check -r {requirements}").run()?;
    Ok(python)
}

/// Runs a program, and returns what it printed, and whether it failed after that. The error is the last line
/// that the program wrote to standard error: of a traceback, this line says what is wrong.
pub fn printed(command: Cmd<'_>) -> (String, Result<()>) {
    let shown = command.to_string();
    let output = match command.quiet().ignore_status().output() {
        Ok(output) => output,
        Err(error) => return (String::new(), Err(error.into())),
    };
    let [printed, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let result = match errors.trim().lines().last() {
        _ if output.status.success() => Ok(()),
        Some(why) => Err(anyhow!("{why} ({})", output.status)),
        None => Err(anyhow!("`{shown}` failed ({})", output.status)),
    };
    (printed, result)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_what_was_printed_before_it() {
        let shell = Shell::new().unwrap();
        let run = |script: &str| printed(shell.cmd("sh").arg("-c").arg(script));
        let (text, result) = run("echo figure; echo Traceback >&2; echo why >&2; exit 3");
        assert_eq!(text, "figure\n");
        assert_eq!(result.unwrap_err().to_string(), "why (exit status: 3)");
        let (text, result) = run("echo figure; kill -9 $$");
        assert_eq!(text, "figure\n");
        let error = result.unwrap_err().to_string();
        assert!(error.contains("failed (signal: 9"), "{error}");
        assert!(run("echo noise >&2").1.is_ok());
        assert!(printed(shell.cmd("no-such-program")).1.is_err());
    }
}
