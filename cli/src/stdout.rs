//! Standard output. `println!` panics when the reader has gone (`seedbed rules | head -1`). Here that is not
//! a failure, because nobody wants the rest.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

use crate::failure::Failure;

/// Prints a text.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output").map_err(Failure::run)
        }
        _ => Ok(()),
    }
}
