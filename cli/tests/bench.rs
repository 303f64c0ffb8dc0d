//! `seedbed bench`, briefly and on the host; `adapters.rs` runs it on adapters.

mod common;

use common::{Folder, run, succeed, text};
use serde_json::Value;

#[test]
fn every_case_is_in_the_table_and_in_the_json() {
    let folder = Folder::new();
    let json = folder.path("bench.json");
    let printed = succeed(&[&"bench", &"--adapter", &"host", &"--elements", &"4096", &"--json", &json]);
    assert!(printed.contains("xavier_normal"), "{printed}");
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["elements"], 4096);
    let rows = report["engines"][0]["rows"].as_array().unwrap();
    for name in [
        "clear",
        "zeros",
        "words",
        "constant",
        "uniform",
        "normal",
        "xavier_normal",
        "trunc_normal",
        "memset",
    ] {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        assert!(row["elements_per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["of_clear"].as_f64().unwrap() > 0.0, "{row}");
    }
}

#[test]
fn mistakes_measure_nothing() {
    for (arguments, message) in [
        (&["--adapter", "no such adapter"][..], "no adapter matches"),
        (&["--adapter", "host", "--elements", "0"], "give another --elements"),
        (&["--adapter", "host", "--elements", "18446744073709551615"], "give another --elements"),
        (&["--adapter", "host", "--json", "/no/such/folder/b.json"], "can't create a file"),
    ] {
        let arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            std::iter::once(&"bench").chain(arguments).map(|a| a as _).collect();
        let output = run(&arguments);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
}
