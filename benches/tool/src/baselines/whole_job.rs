//! `seedbed init` beside a script of PyTorch's that does the same, as whole processes.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::checkout;

pub const MODEL: &str = "models/gpt2.json";
const ROUNDS: u64 = 5;

/// The medians of one job: a line of whole_job.py.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Job {
    pub name: String,
    pub rounds: u64,
    /// The time of the process.
    pub seconds: f64,
    /// The time until the file is on the disk.
    pub seconds_on_disk: f64,
    /// The time without the imports, where the process says so.
    pub seconds_inside: Option<f64>,
    pub peak_bytes: f64,
}

/// Runs all jobs, one after the other and several times. `adapter` is what seedbed runs on besides the host.
pub fn run(shell: &Shell, seedbed: &Path, python: &Path, adapter: Option<&str>) -> Result<Vec<Job>> {
    let (seedbed, script) = (path(seedbed)?, "benches/baselines/torch_init.py");
    let mut jobs: Vec<_> = ["host"]
        .into_iter()
        .chain(adapter)
        .map(|adapter| {
            let command = [seedbed, "init", MODEL, "-o", "OUT", "--adapter", adapter];
            json!({"name": format!("**seedbed**, {adapter}"), "command": command})
        })
        .collect();
    jobs.push(
        json!({"name": "torch.nn.init, safetensors", "command": [path(python)?, script, MODEL, "OUT"]}),
    );

    let (cache, rounds) = (checkout::cache()?, ROUNDS.to_string());
    shell.create_dir(&cache)?;
    let command = cmd!(shell, "{python} benches/baselines/whole_job.py {cache} {rounds}");
    let (lines, result) = checkout::printed(command.args(jobs.iter().map(Value::to_string)));
    result?;
    lines.lines().map(job).collect()
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{}: the path is not UTF-8", path.display()))
}

fn job(line: &str) -> Result<Job> {
    serde_json::from_str(line).with_context(|| format!("whole_job.py printed {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_jobs() {
        let line = r#"{"name": "torch", "rounds": 5, "seconds": 3.0, "seconds_on_disk": 3.5, "seconds_inside": null, "peak_bytes": 7}"#;
        let expected = Job {
            name: "torch".into(),
            rounds: 5,
            seconds: 3.0,
            seconds_on_disk: 3.5,
            seconds_inside: None,
            peak_bytes: 7.0,
        };
        assert_eq!(job(line).unwrap(), expected);
        let line = line.replace("null", "1.25");
        assert_eq!(job(&line).unwrap(), Job { seconds_inside: Some(1.25), ..expected });
        assert!(job("Traceback").is_err());
    }
}
