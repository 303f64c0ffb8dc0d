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

/// The bytes of the temporary file that a process writes in a folder, whether the file has a name or not.
#[cfg(unix)]
pub fn written(process: u32, folder: &Path) -> u64 {
    let named = std::fs::read_dir(folder).unwrap().flatten();
    let named = named.filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"));
    let named = named.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    // Linux lists the open files of a process. A file without a name is called FOLDER/#NUMBER (deleted).
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let beginning = folder.canonicalize().unwrap().join("#").to_string_lossy().into_owned();
    let is_unnamed = |path: &Path| {
        std::fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with(&beginning))
    };
    let unnamed = open.map(|entry| entry.path()).filter(|path| is_unnamed(path));
    let unnamed = unnamed.filter_map(|path| Some(std::fs::metadata(path).ok()?.len()));
    named.chain(unnamed).max().unwrap_or(0)
}

/// Runs a script as root of a mount namespace, so that it can mount file systems. The arguments are `$1`, `$2`, …
///
/// # Panics
/// Where the machine forbids such a namespace and a variable `CI` is set. Otherwise the caller's check is left out.
#[cfg(target_os = "linux")]
pub fn with_own_mounts(script: &str, arguments: &[&dyn AsRef<OsStr>]) -> Option<Output> {
    let ways: [&[&str]; 3] = [
        &["unshare", "--mount"],
        &["unshare", "--map-root-user", "--mount"],
        &["sudo", "--non-interactive", "unshare", "--mount"],
    ];
    let command = |way: &[&str]| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]);
        command
    };
    let works = |way: &&&[&str]| {
        let trial = command(way).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
        trial.is_ok_and(|output| output.status.success())
    };
    let Some(way) = ways.iter().find(works) else {
        assert!(std::env::var_os("CI").is_none(), "no way to mount a file system: {ways:?}");
        eprintln!("LEFT OUT: this machine lets nobody mount a file system ({ways:?})");
        return None;
    };
    let mut command = command(way);
    command.args(["sh", "-euc", script, "sh"]).args(arguments);
    Some(command.output().unwrap())
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
