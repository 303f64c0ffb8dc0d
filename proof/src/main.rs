//! `seedbed-proof`: what is too long, or takes too many other tools, for the tests.
//!
//! | file | holds |
//! |---|---|
//! | `compilers.rs`, `compilers/` | the golden lists through other compilers |
//! | `engines.rs` | every adapter against the host, 2^32 elements |
//! | `golden.rs` | the golden lists of `tests/programs`: planned for a device, and compared |
//! | `metal.rs` | naga's Metal output of every kernel, compiled as C++ with fast math, against the host |
//! | `mutations.rs` | mistakes of one line, each of which has to make a test fail |
//! | `normals.rs` | distributions and correlations of 10^9 elements |
//! | `statistics.rs` | the distributions of the statistics of `normals.rs` |
//! | `words.rs` | streams of words for other programs' tests of randomness |

mod compilers;
mod engines;
mod golden;
mod metal;
mod mutations;
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
    /// Take the golden lists through other compilers, and compare what an adapter writes with the golden files
    Compilers(compilers::Arguments),
    /// Compare what adapters write with what the host writes, for a very long tensor
    Engines(engines::Arguments),
    /// Make mistakes in a copy of the last commit: each has to make a test fail
    Mutations(mutations::Arguments),
    /// Compare what naga's Metal output writes, compiled as C++ with fast math, with what the host writes
    Metal(metal::Arguments),
    /// The same for each function of the generators, for all 2^32 words
    MetalWords(metal::words::Arguments),
    /// Test the distribution of 10^9 elements, their tails, and their correlations
    Normals(normals::Arguments),
    /// Write an endless stream of words, each in four bytes, low byte first
    Words(words::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().proof {
        Proof::Compilers(arguments) => compilers::run(&arguments),
        Proof::Engines(arguments) => engines::run(&arguments),
        Proof::Mutations(arguments) => mutations::run(&arguments),
        Proof::Metal(arguments) => metal::run(&arguments),
        Proof::MetalWords(arguments) => metal::words::run(&arguments),
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
