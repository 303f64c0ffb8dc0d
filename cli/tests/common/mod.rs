//! Helpers that run the program.

// Every test program uses another part of this module.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use seedbed::{Init, Key, host};

/// A folder that is removed with the value.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// The names of all files in the folder, hidden ones included.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The command that starts the program.
pub fn seedbed() -> Command {
    Command::new(env!("CARGO_BIN_EXE_seedbed"))
}

pub fn run(arguments: &[&dyn AsRef<OsStr>]) -> Output {
    seedbed().args(arguments).output().unwrap()
}

/// Runs the program, expects success, and returns its standard output.
pub fn succeed(arguments: &[&dyn AsRef<OsStr>]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{:?}: {output:?}", output.status);
    text(&output.stdout)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A manifest of these parameters, all F32.
pub fn manifest(parameters: &[(&str, &[u64])]) -> String {
    let entries: Vec<_> = parameters
        .iter()
        .map(|(name, shape)| format!("{name:?}: {{\"shape\": {shape:?}, \"dtype\": \"F32\"}}"))
        .collect();
    format!("{{\"name\": \"test\", \"parameters\": {{\n{}\n}}}}", entries.join(",\n"))
}

/// The bytes that the library makes on the host.
pub fn expected(shape: &[u64], init: &Init, key: Key) -> Vec<u8> {
    let mut values = vec![0.0_f32; shape.iter().product::<u64>() as usize];
    host::fill(&mut values, shape, init, key).unwrap();
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A manifest that comes with the repository.
pub fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name)
}
