//! `seedbed init` beside a script of PyTorch's that does the same, as whole processes.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process;
use crate::workspace::Workspace;

pub const MODEL: &str = "models/gpt2.json";
const ROUNDS: u64 = 5;

/// Medians of one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub name: String,
    pub rounds: u64,
    /// Of the process.
    pub seconds: f64,
    /// Until its file is on the disk.
    pub seconds_on_disk: f64,
    /// Without the imports, where the process says so.
    pub seconds_inside: Option<f64>,
    pub peak_bytes: f64,
}

/// Runs all of them, one after the other and several times. `adapter` is what seedbed runs on besides the host.
pub fn run(workspace: &Workspace, seedbed: &Path, python: &Path, adapter: Option<&str>) -> Result<Vec<Job>> {
    let (seedbed, script) = (path(seedbed)?, "benches/peers/torch_init.py");
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

    let mut command = workspace.command(python);
    command.arg("benches/peers/whole_job.py").arg(workspace.cache()?).arg(ROUNDS.to_string());
    let lines = process::output(command.args(jobs.iter().map(Value::to_string)))?;
    String::from_utf8_lossy(&lines).lines().map(job).collect()
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{}: the path is not UTF-8", path.display()))
}

/// A line of whole_job.py.
fn job(line: &str) -> Result<Job> {
    let read = || {
        let value: Value = serde_json::from_str(line).ok()?;
        Some(Job {
            name: value["name"].as_str()?.to_owned(),
            rounds: value["rounds"].as_u64()?,
            seconds: value["seconds"].as_f64()?,
            seconds_on_disk: value["seconds_on_disk"].as_f64()?,
            seconds_inside: value["seconds_inside"].as_f64(),
            peak_bytes: value["peak_bytes"].as_f64()?,
        })
    };
    read().with_context(|| format!("whole_job.py printed {line:?}"))
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
