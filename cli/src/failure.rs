//! How a run can end other than well, and the exit code of each.

use std::fmt;
use std::process::ExitCode;

/// Why nothing was written.
#[derive(Debug)]
pub enum Failure {
    /// What the user gave is at fault: a file, a rule, a path, an option.
    Input(anyhow::Error),
    /// It could have worked: a full disk, a lost device.
    Run(anyhow::Error),
    /// The user or the system asked to stop.
    Interrupted,
}

impl Failure {
    /// For `map_err`.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into())
    }

    /// For `map_err`. `Interrupted` is not an error like others.
    pub fn run(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        if error.is::<Interrupted>() { Self::Interrupted } else { Self::Run(error) }
    }

    /// One line for stderr.
    pub fn line(&self) -> String {
        match self {
            // Drivers' messages have line breaks.
            Self::Input(error) | Self::Run(error) => {
                let text = format!("error: {error:#}");
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            }
            Self::Interrupted => format!("{Interrupted}"),
        }
    }

    /// The exit code of the program.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Run(_) => 1,
            Self::Input(_) => 2,
            // What a shell reports of a program that SIGINT (2) ended: 128 + 2.
            Self::Interrupted => 130,
        })
    }
}

/// What breaks off a run between two windows.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted, nothing was written")
    }
}

impl std::error::Error for Interrupted {}
