//! `seedbed-proof`: what is too long, or takes too many other tools, for the tests.
//!
//! | file | holds |
//! |---|---|
//! | `engines.rs` | every adapter against the host, 2^32 elements |
//! | `golden.rs` | the golden lists of `tests/programs`: planned for a device, and compared |
//! | `normals.rs` | distributions and correlations of 10^9 elements |
//! | `statistics.rs` | the distributions of the statistics of `normals.rs` |
//! | `words.rs` | streams of words for other programs' tests of randomness |

mod engines;
mod golden;
mod normals;
mod statistics;
mod words;

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
    /// Compare what adapters write with what the host writes, for a very long tensor
    Engines(engines::Arguments),
    /// Test the distribution of 10^9 elements, their tails, and their correlations
    Normals(normals::Arguments),
    /// Write an endless stream of words, each in four bytes, low byte first
    Words(words::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().proof {
        Proof::Engines(arguments) => engines::run(&arguments),
        Proof::Normals(arguments) => normals::run(&arguments),
        Proof::Words(arguments) => words::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
