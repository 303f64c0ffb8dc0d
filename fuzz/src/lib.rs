//! The bodies of the fuzz targets. A body reads an input that a stranger could give, and asserts what the readers promise:
//! a value or an error of one line, never a panic, and no hours or gigabytes. Each body asserts more where more is promised.
//!
//! libFuzzer runs the bodies on inputs that it makes (`scripts/fuzz.sh`). The test `fuzz_corpus` of seedbed-model runs
//! the bodies on the files of `fuzz/corpus`, with any compiler.

pub mod expression;
pub mod header;
pub mod index;
pub mod init;
pub mod manifest;
mod models;
pub mod program;
pub mod rules;

use std::fmt::Display;

/// The body of a target.
pub type Body = fn(&[u8]);

/// The targets: a name, which is that of a folder of `fuzz/corpus`, and a body.
pub const TARGETS: [(&str, Body); 7] = [
    ("expression", expression::run),
    ("header", header::run),
    ("index", index::run),
    ("init", init::run),
    ("manifest", manifest::run),
    ("program", program::run),
    ("rules", rules::run),
];

/// The sections of an input: the texts between lines of three hyphens. No format that is read here has such a line.
fn sections(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    const LINE: &[u8] = b"\n---\n";
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let all = rest?;
        let at = all.windows(LINE.len()).position(|window| window == LINE);
        rest = at.map(|at| &all[at + LINE.len()..]);
        Some(&all[..at.unwrap_or(all.len())])
    })
}

/// One of the choices, which follows from the input. All of them would take several times as long.
fn choose<T: Copy>(input: &[u8], choices: &[T]) -> T {
    let sum: usize = input.iter().map(|&byte| usize::from(byte)).sum();
    choices[sum % choices.len()]
}

/// The value. `None`: an error, whose text is one line.
fn accepted<T, E: Display>(result: Result<T, E>) -> Option<T> {
    result.map_err(one_line).ok()
}

/// Asserts that a text is one line that a person can read.
fn one_line(text: impl Display) {
    let text = text.to_string();
    assert!(!text.contains(char::is_control), "an error that is not one line: {text:?}");
    assert!(!text.trim().is_empty(), "an error without a text");
    assert!(text.len() <= 20_000, "an error of {} bytes", text.len());
}
