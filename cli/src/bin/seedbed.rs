//! The program `seedbed`. The library of this package has its parts.

use std::process::ExitCode;

fn main() -> ExitCode {
    seedbed_cli::main()
}
