//! The text of a module, put together from files of `shaders/`.

use std::fmt::Write;

use super::constants::{Constant, wgsl};

/// A file of `shaders/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

/// The file with this path in `shaders/`, without `.wgsl`.
macro_rules! file {
    ($path:literal) => {
        $crate::kernel::source::File {
            path: concat!("shaders/", $path, ".wgsl"),
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path, ".wgsl")),
        }
    };
}
pub(super) use file;

/// A module's text: a prelude of constants, a struct and aliases, then the files. A mark before each part
/// names the part's origin.
pub(super) fn module(constants: &[&[Constant]], params: &str, aliases: &str, files: &[&[File]]) -> String {
    let mut text = String::from("// ---- prelude, written by src/kernel\n");
    for constants in constants {
        text += &wgsl(constants);
    }
    for part in [params, aliases].into_iter().filter(|part| !part.is_empty()) {
        text.push('\n');
        text += part;
    }
    for File { path, text: of_file } in files.iter().copied().flatten() {
        // Writing to a String does not fail.
        let _ = write!(text, "\n// ---- {path}\n{of_file}");
    }
    text
}
