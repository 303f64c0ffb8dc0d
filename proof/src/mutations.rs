//! Mistakes of one line, each of which has to make a test fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The arguments of `seedbed-proof mutations`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only mistakes whose description or guard contains this text
    #[arg(default_value = "")]
    filter: String,
}

const LIST: &str = include_str!("../mutations.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutation: Vec<Mutation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    what: String,
    guard: String,
    file: PathBuf,
    from: String,
    to: String,
}

impl Mutation {
    /// The text of the file with the mistake.
    fn made(&self, text: &str) -> Result<String> {
        let found = text.matches(&self.from).count();
        ensure!(found == 1, "{}: {found} times {:?}", self.file.display(), self.from);
        Ok(text.replace(&self.from, &self.to))
    }
}

/// Makes each mistake in a copy of the last commit, runs its guard, and prints a row of a Markdown table.
///
/// # Errors
/// A mistake that no test finds, a guard that fails without a mistake, or a mistake that does not compile.
pub fn run(arguments: &Arguments) -> Result<()> {
    let List { mutation: mut mutations } = toml::from_str(LIST)?;
    mutations.retain(|one| one.what.contains(&arguments.filter) || one.guard.contains(&arguments.filter));
    ensure!(!mutations.is_empty(), "no mistake has {:?} in its description or its guard", arguments.filter);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let copy = Copy::new(&root)?;
    let mut passes = BTreeMap::new();
    let mut missed = 0;
    println!("| mistake | file | `cargo test --release -p seedbed …` | found by |\n|---|---|---|---|");
    for mutation in &mutations {
        let Mutation { what, guard, file, .. } = mutation;
        if !passes.contains_key(guard) {
            let Outcome::Passed(tests) = copy.test(guard)? else { bail!("{guard} fails without a mistake") };
            ensure!(tests > 0, "{guard} runs no test");
            passes.insert(guard, tests);
        }
        let path = copy.root.join(file);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        std::fs::write(&path, mutation.made(&text)?)?;
        let outcome = copy.test(guard);
        std::fs::write(&path, text)?;
        let found = match outcome? {
            Outcome::Failed(names) => names.join(", "),
            Outcome::Passed(_) => {
                missed += 1;
                "**nothing**".to_owned()
            }
        };
        println!("| {what} | `{}` | `{guard}` | {found} |", file.display());
    }
    ensure!(missed == 0, "{missed} of {} mistakes are found by no test", mutations.len());
    Ok(())
}

enum Outcome {
    Passed(usize),
    /// The first names of tests that failed.
    Failed(Vec<String>),
}

/// A work tree of the last commit, which goes away with this value.
struct Copy {
    of: PathBuf,
    root: PathBuf,
}

impl Copy {
    fn new(of: &Path) -> Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| of.join("target"), PathBuf::from);
        let copy = Self { of: of.to_owned(), root: target.join("proof/mutations") };
        // What a run that was killed left.
        copy.remove();
        std::fs::create_dir_all(target.join("proof"))?;
        let output = copy.git().args(["worktree", "add", "--detach", "--force"]).arg(&copy.root).output()?;
        ensure!(output.status.success(), "git worktree: {}", text(&output));
        Ok(copy)
    }

    fn git(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.of);
        command
    }

    fn remove(&self) {
        let _ = self.git().args(["worktree", "remove", "--force"]).arg(&self.root).output();
    }

    fn test(&self, guard: &str) -> Result<Outcome> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(["test", "--release", "--locked", "-p", "seedbed"]);
        command.args(["--features", "serde"]).args(guard.split(' '));
        let output =
            command.env("CARGO_TARGET_DIR", self.root.with_file_name("mutations-target")).output()?;
        let text = text(&output);
        if output.status.success() {
            return Ok(Outcome::Passed(passed(&text)));
        }
        ensure!(text.contains("test result: FAILED"), "cargo test {guard} did not run:\n{text}");
        Ok(Outcome::Failed(failed(&text)))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.remove();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The number of tests that passed.
fn passed(text: &str) -> usize {
    let results = text.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
    results.filter_map(|line| line.split(' ').next()?.parse::<usize>().ok()).sum()
}

/// The names of up to three tests that failed.
fn failed(text: &str) -> Vec<String> {
    let mut names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.trim_end().strip_suffix("... FAILED"))
        .map(|name| format!("`{}`", name.trim()))
        .collect();
    if let Some(more) = names.len().checked_sub(3).filter(|more| *more > 0) {
        names.truncate(3);
        names.push(format!("and {more} more"));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_can_be_made() {
        let List { mutation: mutations } = toml::from_str(LIST).expect("a list");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for mutation in mutations {
            let text = std::fs::read_to_string(root.join(&mutation.file)).expect("a file");
            assert_ne!(mutation.made(&text).expect("the text is there once"), text, "{}", mutation.what);
        }
    }

    #[test]
    fn results_are_read() {
        let text = "test a::b ... ok\ntest c    ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed;\n";
        assert_eq!(failed(text), ["`c`"]);
        assert_eq!(passed("test result: ok. 7 passed; 0 failed\ntest result: ok. 2 passed; 0 failed"), 9);
        let many = "test a ... FAILED\n".repeat(5);
        assert_eq!(failed(&many), ["`a`", "`a`", "`a`", "and 2 more"]);
    }
}
