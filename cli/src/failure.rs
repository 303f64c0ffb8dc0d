//! The failures of a run, and the exit code of each.

use std::fmt;
use std::process::ExitCode;

/// The reason why nothing was written.
#[derive(Debug)]
pub enum Failure {
    /// The user's input is at fault: a file, a rule, a path, an option.
    Input(anyhow::Error),
    /// The input is right, but the run failed: a full disk, a lost device.
    Run(anyhow::Error),
    /// The user or the system asked to stop, when this many files were complete.
    Interrupted(usize),
    /// `seedbed index` found files that are not complete.
    Incomplete {
        /// The line for stderr.
        text: String,
        /// The commands that make the files.
        hint: String,
    },
    /// `seedbed verify` found tensors that differ. The report has said which.
    Differs,
    /// `seedbed selftest` found an adapter that differs from the host. The report has said which.
    SelfTest,
}

impl Failure {
    /// A failure of the input, for `map_err`.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into())
    }

    /// A failure of the run, for `map_err`. `Interrupted` has a variant of its own.
    pub fn run(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        if error.is::<Interrupted>() { Self::Interrupted(0) } else { Self::Run(error) }
    }

    /// Lines to paste as a remedy, if there are any.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Input(error) | Self::Run(error) => {
                error.chain().find_map(|error| error.downcast_ref::<seedbed_model::Error>()?.hint())
            }
            Self::Incomplete { hint, .. } => Some(hint),
            _ => None,
        }
    }

    /// The line for stderr.
    pub fn line(&self) -> String {
        match self {
            // Messages of drivers have line breaks.
            Self::Input(error) | Self::Run(error) => {
                let text = format!("error: {error:#}");
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            }
            Self::Interrupted(0) => format!("{Interrupted}, nothing was written"),
            Self::Interrupted(complete) => {
                format!(
                    "{Interrupted}; the {complete} files that are complete stay, and the same command makes the others"
                )
            }
            Self::Incomplete { text, .. } => text.clone(),
            Self::Differs => "error: the file is not as it was initialised".into(),
            Self::SelfTest => "error: the self-test failed; --adapter host makes the right bits".into(),
        }
    }

    /// The exit code of the program.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Run(_) | Self::Incomplete { .. } | Self::Differs | Self::SelfTest => 1,
            Self::Input(_) => 2,
            // A shell reports 128 + 2 for a program that SIGINT (2) ended.
            Self::Interrupted(_) => 130,
        })
    }
}

/// The error that ends an interrupted run between two windows.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}
