//! The program `seedbed`: initialises the parameters of a model and writes them as safetensors.
//!
//! A run goes through the modules in this order:
//!
//! | step | module |
//! |---|---|
//! | the command line | `args.rs`, `values.rs` |
//! | model + rules -> a plan: every mistake of the input is found here | the crate `seedbed-model` |
//! | the plan of a command's arguments | `planned.rs` |
//! | the GPU or the host that makes the values | `select.rs`, `engine.rs` |
//! | tensors -> windows of bounded size | `window.rs` |
//! | the rank of this process, and so its part of the files | `ranks.rs` |
//! | tensors -> the files of a folder, and the rank that makes each | `layout.rs`, `dcp.rs` |
//! | the file list of a folder that several ranks write; the index | `partial.rs`, `index.rs` |
//! | files, each complete or not at all | `shards.rs`, `output.rs`, `temporary.rs`, `header.rs` |
//! | progress, the table at the end | `report.rs`, `stats.rs` |
//!
//! `plan.rs` prints what the parameters would get, `verify.rs` compares a file with its own record, `bench.rs`
//! measures, `selftest.rs` compares adapters with the host, `program.rs` prints kernels. Some items of `bench.rs` are
//! public for the measuring tools in `benches/tool`, which are in the same repository: the items are no interface for
//! others, and change without notice.
//!
//! Exit codes: 0; 1 where the run failed or a folder is not complete; 2 where the input is at fault; 130 where the run
//! was interrupted.

mod adapters;
mod args;
pub mod bench;
mod dcp;
mod engine;
mod failure;
mod header;
mod index;
mod interrupt;
mod layout;
mod output;
mod partial;
mod plan;
mod planned;
mod program;
mod ranks;
mod report;
mod run;
mod select;
mod selftest;
mod shards;
mod stats;
mod stdout;
mod temporary;
mod values;
mod verify;
mod window;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

pub use crate::failure::Failure;
pub use crate::report::table;
pub use crate::select::Named;
pub use crate::values::{AdapterChoice, integer};

#[cfg(target_endian = "big")]
compile_error!(
    "safetensors and .npy are written in this machine's byte order, which has to be little endian"
);

/// Runs the program by the command line of the process.
pub fn main() -> ExitCode {
    exit_code(command(Args::parse().command))
}

/// Prints why a run failed, if it did.
pub fn exit_code(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", failure.line());
            if let Some(hint) = failure.hint() {
                eprintln!("\n{hint}");
            }
            failure.exit_code()
        }
    }
}

fn command(command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(args) => run::init(&args),
        Command::Index(args) => index::run(&args),
        Command::Plan(args) => plan::print(&args),
        Command::Fill(args) => run::fill(&args),
        Command::Program(args) => program::print(&args),
        Command::Adapters { json } => adapters::print(json),
        Command::Bench(args) => bench::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        Command::Verify(args) => verify::print(&args),
        Command::Rules { preset } => match seedbed_model::Preset::find(&preset) {
            Ok(preset) => stdout::print(preset.text),
            Err(error) => Err(Failure::input(error)),
        },
    }
}
