//! The command line. In: arguments and environment; out: one command carried out. Each command has
//! its own module.

mod crd;
mod run;

use clap::{Parser, Subcommand};

/// Complete, least-privilege IAM roles for AWS Systems Manager Session Manager, kept by Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "smr", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller: watch SessionManagerRoles and keep IAM as they say
    Run(Box<run::Args>),
    /// Print the CustomResourceDefinition as YAML
    Crd,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A flag's value can't be used.
    #[error("{flag}: {problem}")]
    Flag {
        /// Such as `--allow-path`.
        flag: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The controller ended.
    #[error(transparent)]
    Run(#[from] crate::controller::RunError),
    /// Logs can't be set up.
    #[error(transparent)]
    Logs(#[from] crate::telemetry::logs::LogError),
    /// The CRD can't be made.
    #[error(transparent)]
    Crd(#[from] smr_api::CrdError),
    /// The runtime or a signal handler can't be set up, or output can't be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Cli {
    /// Carries the command out.
    pub fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Run(args) => run::run(*args),
            Command::Crd => crd::run(),
        }
    }
}
