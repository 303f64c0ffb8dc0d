//! `cargo xtask …`: set-up, tests, benchmarks and everything that CI runs.
//!
//! | file | holds |
//! |---|---|
//! | `adapters.rs` | the adapters that the tests run on, by `scripts/adapters.sh` |
//! | `workspace.rs` | where the checkout is, and cargo commands in it |
//! | `steps.rs` | the steps of `test`, `bench` and `ci` |
//! | `tally.rs` | the sum of the results that several test programs print |

mod adapters;
mod steps;
mod tally;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Set-up, tests and benchmarks of seedbed.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install or fetch the software adapters that the tests run on, and print what is there
    Setup,
    /// Set up, then run every test of the workspace, every example, and the tests of the JavaScript package
    Test {
        /// Adapters that must be there, separated by commas ('' = use what is there, install nothing)
        ///
        /// Set-up provides them and the tests fail where one is missing. Without this option the
        /// variable SEEDBED_REQUIRE_ADAPTERS counts; without that, lavapipe, gl and swiftshader on
        /// a Linux with apt, and whatever is installed elsewhere.
        #[arg(long, value_name = "LIST")]
        require: Option<String>,
        /// Arguments for `cargo test`, which leave out the examples; what follows a second `--` goes to the
        /// test programs
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Set up, then run the benchmarks
    Bench {
        /// Arguments for `cargo bench`; what follows a second `--` goes to criterion
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Build the JavaScript package and its demo page into target/web, and serve the page
    Web {
        /// The port of localhost on which the page is served
        #[arg(long, default_value_t = 8000)]
        port: u16,
        /// Only build the page
        #[arg(long)]
        no_serve: bool,
    },
    /// Run everything that CI runs
    Ci,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Setup => adapters::set_up(&workspace, Some(adapters::ALL)).map(drop),
        Task::Test { require, arguments } => steps::test(&workspace, require.as_deref(), &arguments),
        Task::Bench { arguments } => steps::bench(&workspace, &arguments),
        Task::Web { port, no_serve } => steps::web(&workspace, (!no_serve).then_some(port)),
        Task::Ci => steps::ci(&workspace),
    }
}
