//! The machine that a measurement ran on, as far as the system tells.

use std::fs;

use xshell::{Shell, cmd};

/// Texts that are ready to be printed.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub processor: String,
    pub threads: usize,
    pub kernel: String,
    pub date: String,
    pub rustc: String,
    /// The commit, with "-dirty" behind it if files other than results differ from it.
    pub commit: String,
}

impl Machine {
    pub fn look(shell: &Shell) -> Self {
        Self {
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: known(cmd!(shell, "uname -srm").quiet().read()),
            date: known(cmd!(shell, "date +%F").quiet().read()),
            rustc: known(cmd!(shell, "rustc --version").quiet().read()),
            commit: commit(shell),
        }
    }
}

fn commit(shell: &Shell) -> String {
    let name =
        known(cmd!(shell, "git describe --always --abbrev=12 --exclude=*").quiet().ignore_stderr().read());
    // What these tools have just written is no change of what they measure.
    let changes = cmd!(shell, "git diff HEAD --name-only -- . :!benches/results").quiet().ignore_stderr();
    if changes.read().is_ok_and(|names| names.is_empty()) { name } else { format!("{name}-dirty") }
}

fn known<E>(text: Result<String, E>) -> String {
    text.ok().filter(|text| !text.trim().is_empty()).unwrap_or_else(|| "unknown".into())
}

/// The first processor in the text of /proc/cpuinfo.
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
        assert_eq!(known(Ok::<_, ()>("v1".into())), "v1");
        assert_eq!(known(Ok::<_, ()>("\n".into())), "unknown");
        assert_eq!(known(Err(())), "unknown");
    }
}
