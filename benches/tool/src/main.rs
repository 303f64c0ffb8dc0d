//! `seedbed-bench`: measuring tools for those who develop seedbed. Users have `seedbed bench`, whose parts
//! these tools share.
//!
//! | tool | module |
//! |---|---|
//! | `baselines`: seedbed beside PyTorch, JAX and others | `baselines.rs` |
//! | `growth`: the time of a fill against its elements | `growth.rs` |
//! | `shapes`: a constant beside other kernels that write one | `shapes.rs` |
//! | the checkout, its programs and its virtual environments | `checkout.rs` |
//! | what a measurement ran on | `machine.rs` |

mod baselines;
mod checkout;
mod growth;
mod machine;
mod shapes;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use seedbed_cli::exit_code;

/// Measuring tools for those who develop seedbed.
#[derive(Parser)]
#[command(name = "seedbed-bench")]
struct Args {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    Baselines(baselines::Options),
    Growth(growth::Options),
    Shapes(shapes::Options),
}

fn main() -> ExitCode {
    exit_code(match Args::parse().tool {
        Tool::Baselines(options) => baselines::run(options),
        Tool::Growth(options) => growth::run(&options),
        Tool::Shapes(options) => shapes::run(&options),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
