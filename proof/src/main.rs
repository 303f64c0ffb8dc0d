//! `seedbed-proof`: what is too long, or takes too many other tools, for the tests.
//!
//! | file | holds |
//! |---|---|
//! | `compilers.rs`, `compilers/` | the golden lists through other compilers |
//! | `engines.rs` | every adapter against the host, 2^32 elements |
//! | `golden.rs` | the golden lists of `tests/programs`: planned for a device, and compared |

mod compilers;
mod engines;
mod golden;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Proofs that equal seeds give equal bits.
#[derive(Parser)]
#[command(name = "seedbed-proof")]
struct Arguments {
    #[command(subcommand)]
    proof: Proof,
}

#[derive(Subcommand)]
enum Proof {
    /// Take the golden lists through other compilers, and compare what an adapter writes with the golden files
    Compilers(compilers::Arguments),
    /// Compare what adapters write with what the host writes, for a very long tensor
    Engines(engines::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().proof {
        Proof::Compilers(arguments) => compilers::run(&arguments),
        Proof::Engines(arguments) => engines::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
