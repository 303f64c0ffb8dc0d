//! Running a command, with an error that names it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};

/// Runs `command` to its end; its output goes where ours goes.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = display(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// Runs `command` to its end; shows its output only if it fails.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs `command` and returns what it wrote to its standard output.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let (output, result) = output_so_far(command);
    result.map(|()| output)
}

/// Runs `command` and returns what it wrote to its standard output, and whether it failed after that.
pub fn output_so_far(command: &mut Command) -> (Vec<u8>, Result<()>) {
    let shown = display(command);
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => return (Vec::new(), Err(error).context(format!("cannot start `{shown}`"))),
    };
    let result = if output.status.success() {
        Ok(())
    } else {
        let failed = format!("`{shown}` failed ({})", output.status);
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        // The last line says why. On its standard output a program says other things.
        Err(match (stdout.trim(), stderr.trim()) {
            ("", "") => anyhow!("{failed}"),
            (stdout, "") => anyhow!("{stdout}\n{failed}"),
            (stdout, stderr) => anyhow!("{failed}:\n{stdout}\n{stderr}\n"),
        })
    };
    (output.stdout, result)
}

/// Whether `command` starts and reports success, however quietly.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// Runs `command` like [`run`], and shows `each_line` every line of its standard output on the way.
pub fn run_watching(command: &mut Command, mut each_line: impl FnMut(&str)) -> Result<()> {
    let shown = display(command);
    let failed = || format!("cannot run `{shown}`");
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

/// The command as a person would type it.
fn display(command: &Command) -> String {
    let name = std::path::Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_what_was_written_before_it() {
        let mut command = Command::new("sh");
        let (output, result) = output_so_far(command.args(["-c", "echo figure; echo why >&2; exit 3"]));
        assert_eq!(output, b"figure\n");
        let error = result.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.trim().ends_with("why"), "{error}");
        assert!(super::output(&mut command).is_err());
        let (output, result) = output_so_far(Command::new("sh").args(["-c", "echo figure; kill -9 $$"]));
        assert_eq!(output, b"figure\n");
        let error = result.unwrap_err().to_string();
        assert!(error.lines().last().is_some_and(|line| line.contains("failed (signal: 9")), "{error}");
        assert!(output_so_far(&mut Command::new("no-such-program")).1.is_err());
    }
}
