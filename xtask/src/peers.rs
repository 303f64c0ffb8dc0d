//! `cargo xtask peers`: seedbed beside what people would use instead, in one go, into benches/RESULTS.md.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::environment::Variables;
use crate::process;
use crate::workspace::Workspace;

/// Each a file of benches/peers.
const PYTHON: [&str; 4] = ["pytorch", "numpy_philox", "jax_glorot", "onemkl"];

/// One figure.
struct Figure {
    who: String,
    case: String,
    dtype: String,
    seconds: f64,
}

/// Measures everything and writes the results. `python` is an interpreter that has the peers' packages; without one, a
/// virtual environment is made for them.
pub fn run(
    workspace: &Workspace,
    variables: Variables,
    python: Option<PathBuf>,
    elements: u64,
) -> Result<()> {
    let (count, mut left_out) = (elements.to_string(), Vec::new());
    process::run(&mut workspace.cargo(&["build", "--release", "--workspace"]))?;
    let python = match python.map_or_else(|| environment(workspace), Ok) {
        Ok(python) => Some(python),
        Err(error) => {
            left_out.push(format!("Python's peers: {error:#}"));
            None
        }
    };
    let rust = rust_peer(workspace);

    // From here on nothing is built.
    let json = workspace.cache()?.join("bench.json");
    let mut bench = workspace.cargo(&["run", "--release", "--quiet", "-p", "seedbed-cli", "--", "bench"]);
    process::run(bench.args(["--elements", &count, "--json"]).arg(&json).envs(variables))?;
    let report: Value = serde_json::from_slice(&fs::read(&json)?)?;
    let mut figures = engines(&report);
    let programs = python
        .iter()
        .flat_map(|python| {
            PYTHON.map(|peer| {
                let mut command = Command::new(python);
                command.arg(workspace.path(&format!("benches/peers/{peer}.py")));
                (peer, Ok(command))
            })
        })
        .chain([("rand_distr", rust.map(Command::new))]);
    for (peer, program) in programs {
        println!("{peer}");
        match program.and_then(|mut program| process::output(program.arg(&count))) {
            Ok(lines) => figures.extend(String::from_utf8_lossy(&lines).lines().filter_map(figure)),
            // The last line of a traceback says what is wrong.
            Err(error) => {
                left_out.push(format!(
                    "{peer}: {}",
                    format!("{error:#}").trim().lines().last().unwrap_or("failed")
                ));
            }
        }
    }
    let path = workspace.path("benches/RESULTS.md");
    let text = table(elements, &figures, &left_out)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: written", path.display());
    Ok(())
}

fn environment(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.cache()?.join("peers");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let mut pip = workspace.command(&python);
    process::run(pip.args(["-m", "pip", "install", "--quiet", "-r", "benches/peers/requirements.txt"]))?;
    Ok(python)
}

fn rust_peer(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.cache()?.join("peers-target");
    let manifest = "benches/peers/rand_distr/Cargo.toml";
    let mut cargo = workspace.cargo(&["build", "--release", "--locked", "--manifest-path", manifest]);
    process::run(cargo.arg("--target-dir").arg(&target))?;
    Ok(target.join("release/peer-rand_distr"))
}

/// What `seedbed bench --json` wrote.
fn engines(report: &Value) -> Vec<Figure> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let elements = report["elements"].as_f64().unwrap_or(f64::NAN);
    let mut figures = Vec::new();
    for engine in list(&report["engines"]) {
        figures.extend(list(&engine["rows"]).iter().map(|row| Figure {
            who: format!("**seedbed**, {}", text(&engine["name"])),
            case: text(&row["name"]),
            dtype: text(&row["dtype"]),
            seconds: elements / row["elements_per_second"].as_f64().unwrap_or(f64::NAN),
        }));
    }
    figures
}

/// A peer's line.
fn figure(line: &str) -> Option<Figure> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let who = format!("{} ({})", text("peer")?, text("version")?);
    Some(Figure { who, case: text("case")?, dtype: text("dtype")?, seconds: value["seconds"].as_f64()? })
}

fn table(elements: u64, figures: &[Figure], left_out: &[String]) -> Result<String> {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let date = process::output(Command::new("date").arg("+%F")).unwrap_or_default();
    let mut text = format!(
        "# Results\n\n`cargo xtask peers --elements {elements}`, {}, on {threads} threads of {}.\n\n\
         One run, one thing after the other; compare within it. Medians, in millions of elements a second, and as a \
         multiple of PyTorch's `xavier_normal_` on the CPU, in f32. What each peer is: `benches/peers`.\n\n\
         | who | what | type | Melem/s | of torch |\n|---|---|---|---:|---:|\n",
        String::from_utf8_lossy(&date).trim(),
        processor.unwrap_or("an unknown processor"),
    );
    let torch = figures
        .iter()
        .find(|f| f.who.starts_with("torch cpu") && f.case == "xavier_normal" && f.dtype == "f32")
        .map(|f| f.seconds);
    for Figure { who, case, dtype, seconds } in figures {
        let ratio = torch.map_or_else(|| "-".into(), |torch| format!("{:.2}", torch / seconds));
        writeln!(text, "| {who} | {case} | {dtype} | {:.0} | {ratio} |", elements as f64 / seconds / 1e6)?;
    }
    for why in left_out {
        writeln!(text, "\nLeft out: {why}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_rows_and_ratios() {
        let report = serde_json::json!({"elements": 100, "engines": [{"name": "host", "rows": [
            {"name": "xavier_normal", "dtype": "f32", "elements_per_second": 50.0}]}]});
        let mut figures = engines(&report);
        assert!(figure("not JSON").is_none());
        figures.extend(figure(
            r#"{"peer": "torch cpu", "version": "2", "case": "xavier_normal", "dtype": "f32", "seconds": 8.0}"#,
        ));
        let text = table(100, &figures, &["jax: no such module".into()]).unwrap();
        assert!(text.contains("| **seedbed**, host | xavier_normal | f32 | 0 | 4.00 |"), "{text}");
        assert!(text.contains("| torch cpu (2) | xavier_normal | f32 | 0 | 1.00 |"), "{text}");
        assert!(text.ends_with("Left out: jax: no such module\n"), "{text}");
    }
}
