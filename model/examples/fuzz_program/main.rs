//! Runs of the program on changed files: models, rules and configurations in a temporary folder. The runs look for panics,
//! hangs, exit codes that mean nothing, errors that are no single line, and files that are left behind.
//!
//! ```text
//! cargo build --release -p seedbed-cli
//! cargo run --release -p seedbed-model --example fuzz_program -- --runs 3000 --program target/release/seedbed
//! ```
//!
//! The fuzz targets in `fuzz/` test the readers alone, thousands of times faster. No fuzz target can start a process, or look
//! at the files that a process leaves.

mod corpus;
mod mutate;
mod parameters;
mod program;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::corpus::Corpus;

/// The most findings of a place that are printed.
const PRINTED: u64 = 2;

/// What the command line says.
struct Options {
    runs: u64,
    seed: u64,
    jobs: usize,
    program: Option<PathBuf>,
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self { runs: 0, seed: 1, jobs: 2, program: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: no number"));
            match &*name {
                "--runs" => options.runs = number()?,
                "--seed" => options.seed = number()?,
                "--jobs" => options.jobs = number()?.max(1) as usize,
                "--program" => options.program = Some(value.into()),
                _ => return Err(format!("unknown: {name}")),
            }
        }
        Ok(options)
    }
}

/// What was found at a place.
#[derive(Default)]
struct Findings(BTreeMap<String, u64>);

impl Findings {
    fn add(&mut self, place: &str, text: &str) {
        let count = self.0.entry(place.to_owned()).or_default();
        *count += 1;
        if *count <= PRINTED {
            println!("FOUND {place}\n{text}\n");
        }
    }
}

fn main() {
    let options = match Options::read() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    let corpus = Corpus::new();
    let mut findings = Findings::default();
    if options.runs > 0 {
        program::fuzz(&options, &corpus, &mut findings);
    }
    let count: u64 = findings.0.values().sum();
    println!("findings: {count} at {} places", findings.0.len());
    for (place, count) in &findings.0 {
        println!("  {count:8}  {place}");
    }
    std::process::exit(i32::from(count > 0));
}
