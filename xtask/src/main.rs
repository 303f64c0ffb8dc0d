//! `cargo xtask …`: set-up, tests, benchmarks and everything CI runs.
//!
//! | file | holds |
//! |---|---|
//! | `workspace.rs` | where the checkout and its target folder are |
//! | `adapters.rs` | the adapters the tests run on, which of them are required, how each is provided |
//! | `drivers.rs` | finding installed driver files |
//! | `apt.rs` | installing and downloading Debian packages |
//! | `swiftshader.rs` | finding or fetching SwiftShader |
//! | `environment.rs` | the variables that show those drivers to a test or a benchmark |
//! | `examples.rs` | building and finding the examples, which are run as tests |
//! | `steps.rs` | the cargo commands behind `test`, `bench` and `ci` |
//! | `machine.rs` | what a measurement ran on |
//! | `peers.rs` | what others offer, measured beside it |
//! | `growth.rs` | time against elements, drawn |
//! | `tally.rs` | adding up the results that several test programs print |
//! | `process.rs` | running a command, with an error that names it |

mod adapters;
mod apt;
mod drivers;
mod environment;
mod examples;
mod growth;
mod machine;
mod peers;
mod process;
mod steps;
mod swiftshader;
mod tally;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::adapters::Required;
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
    /// Set up, then run every test of the workspace, and every example
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
    /// Measure seedbed beside PyTorch, JAX, NumPy, oneMKL, rand_distr and burn, and write benches/RESULTS.md
    Peers(peers::Options),
    /// Measure how the time of a fill grows with its elements, and write benches/growth.svg and benches/GROWTH.md
    Growth {
        /// Elements of the largest fill
        #[arg(long, value_name = "N", default_value_t = 1 << 30)]
        elements: u64,
        /// Measure nothing: draw what `seedbed bench --growth --json FILE` wrote, on whatever machine, into FILE's folder
        #[arg(long, value_name = "FILE", conflicts_with = "elements")]
        from: Option<std::path::PathBuf>,
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
        Task::Setup => adapters::set_up(&workspace, &Required::every_adapter()).map(drop),
        Task::Test { require, arguments } => steps::test(&workspace, require, &arguments),
        Task::Bench { arguments } => steps::bench(&workspace, &arguments),
        Task::Peers(options) => steps::peers(&workspace, options),
        Task::Growth { elements, from: None } => steps::growth(&workspace, elements),
        Task::Growth { from: Some(json), .. } => growth::draw_elsewhere(&workspace, &json),
        Task::Ci => steps::ci(&workspace),
    }
}
