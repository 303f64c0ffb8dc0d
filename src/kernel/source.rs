//! The text of a module, put together from files of `shaders/`.

use std::fmt::Write;

use super::constants::{Constant, wgsl};

/// A file of `shaders/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

/// The file with this path in `shaders/`, without `.wgsl`. In WebAssembly the text has no comments: a page loads the
/// texts of all kernels, and comments are half of them.
macro_rules! file {
    ($path:literal) => {
        $crate::kernel::source::File {
            path: concat!("shaders/", $path, ".wgsl"),
            text: {
                const TEXT: &str =
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path, ".wgsl"));
                #[cfg(target_arch = "wasm32")]
                const CODE: &str = {
                    use $crate::kernel::source::{code, code_len};
                    const BYTES: [u8; code_len(TEXT)] = code(TEXT);
                    match str::from_utf8(&BYTES) {
                        Ok(code) => code,
                        Err(_) => panic!("a file of shaders/ is not UTF-8 without its comments"),
                    }
                };
                #[cfg(not(target_arch = "wasm32"))]
                const CODE: &str = TEXT;
                CODE
            },
        }
    };
}
pub(super) use file;

/// The code of a file: its lines without comments, without indentation, and without those that are then empty. WGSL
/// has no texts in which `//` could stand, and `shaders/` has no comments of the other form.
#[cfg(any(test, target_arch = "wasm32"))]
pub(super) const fn code<const LEN: usize>(text: &str) -> [u8; LEN] {
    let (mut code, mut len, mut at) = ([0; LEN], 0, 0);
    while let Some(kept) = next_of_code(text.as_bytes(), &mut at, len > 0 && code[len - 1] != b'\n') {
        code[len] = kept;
        len += 1;
    }
    code
}

/// The number of bytes of [`code`].
#[cfg(any(test, target_arch = "wasm32"))]
pub(super) const fn code_len(text: &str) -> usize {
    let (mut len, mut at, mut within_line) = (0, 0, false);
    while let Some(kept) = next_of_code(text.as_bytes(), &mut at, within_line) {
        within_line = kept != b'\n';
        len += 1;
    }
    len
}

/// The next byte of the code, from `at` on. `within_line` says whether the line has code before.
#[cfg(any(test, target_arch = "wasm32"))]
const fn next_of_code(text: &[u8], at: &mut usize, within_line: bool) -> Option<u8> {
    while *at < text.len() {
        let byte = text[*at];
        if byte == b'/' && *at + 1 < text.len() && text[*at + 1] == b'/' {
            while *at < text.len() && text[*at] != b'\n' {
                *at += 1;
            }
            continue;
        }
        *at += 1;
        if within_line || !matches!(byte, b' ' | b'\n' | b'\r') {
            return Some(byte);
        }
    }
    None
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_has_no_comments() {
        const TEXT: &str = "// A file.\n\nfn f() {\n    // é\n    return a / b; // why\n\n}\n// The end.";
        const CODE: [u8; code_len(TEXT)] = code(TEXT);
        assert_eq!(str::from_utf8(&CODE), Ok("fn f() {\nreturn a / b; \n}\n"));
        assert_eq!(code_len("// nothing"), 0);
    }
}
