//! Runs the program.

// Every test program uses another part of this.
#![allow(dead_code)]

use std::process::{Command, Output};

use serde_json::Value;

pub fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed-bench")).args(arguments).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a tool wrote about an engine.
pub fn measured(tool: &str, adapter: &str, elements: &str) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let json_path = json.to_str().unwrap();
    let output = run(&[tool, "--adapter", adapter, "--elements", elements, "--json", json_path]);
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    let mut report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["elements"].to_string(), elements);
    let engine = report["engines"][0].take();
    let printed = text(&output.stdout);
    if engine["name"] != adapter || !printed.starts_with(adapter) {
        return Err(format!("{} was measured: {printed}", engine["name"]));
    }
    Ok(engine)
}

/// Whether an engine of `growth --elements 100` has every kind of fill in every size.
pub fn growth_is_complete(engine: &Value) -> Result<(), String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let rows = list(&engine["rows"]);
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap_or_default()).collect();
    if names != ["clear", "constant", "xavier_normal"] {
        return Err(format!("{names:?}"));
    }
    for row in &rows {
        let points = list(&row["points"]);
        let sizes: Vec<_> = points.iter().map(|point| point["elements"].as_u64()).collect();
        let measured = points.iter().all(|point| point["wall"]["median"].as_f64() > Some(0.0));
        let launch = row["fit"]["launch_seconds"].as_f64();
        if sizes != [1, 4, 16, 64, 100].map(Some) || !measured || launch <= Some(0.0) {
            return Err(format!("{row}"));
        }
    }
    Ok(())
}
