//! What it ran on, as far as the system tells.

use std::fs;

use crate::process;
use crate::workspace::Workspace;

/// Ready to be printed.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub processor: String,
    pub threads: usize,
    pub kernel: String,
    pub date: String,
    pub rustc: String,
    /// With "-dirty" behind it if it is not quite that, reports aside.
    pub commit: String,
}

impl Machine {
    pub fn look(workspace: &Workspace) -> Self {
        let ask = |program: &str, arguments: &[&str]| {
            line(process::output(workspace.command(program).args(arguments)).ok())
        };
        Self {
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: ask("uname", &["-srm"]),
            date: ask("date", &["+%F"]),
            rustc: ask("rustc", &["--version"]),
            commit: commit(workspace),
        }
    }
}

fn commit(workspace: &Workspace) -> String {
    let git = |arguments: &[&str]| process::output(workspace.command("git").args(arguments));
    let name = line(git(&["describe", "--always", "--abbrev=12", "--exclude=*"]).ok());
    // What these tools have just written is no change to what they measure.
    let changes = git(&["diff", "HEAD", "--name-only", "--", ".", ":!benches/*.md", ":!benches/*.svg"]);
    if changes.is_ok_and(|names| names.is_empty()) { name } else { format!("{name}-dirty") }
}

fn line(output: Option<Vec<u8>>) -> String {
    let text = output.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}

/// By /proc/cpuinfo.
fn processor(cpuinfo: &str) -> String {
    let mut names = cpuinfo.lines().filter_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    names.next().unwrap_or("an unknown processor").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_unknown() {
        assert_eq!(processor("flags\t: fpu\nmodel name\t: A B C\nmodel name\t: D\n"), "A B C");
        assert_eq!(processor(""), "an unknown processor");
        assert_eq!(line(Some(b"v1\n".into())), "v1");
        assert_eq!(line(Some(b"\n".into())), "unknown");
        assert_eq!(line(None), "unknown");
    }
}
