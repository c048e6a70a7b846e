//! The command line. In: arguments and environment; out: one command carried out. Each command has
//! its own module.

mod account;
mod clashes;
mod completions;
mod controller_policy;
mod crd;
mod limits;
mod load;
mod manifests;
mod plan;
mod render;
mod run;
mod selector;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::controller::Settings;

const EXAMPLES: &str = "\
Examples:
  smr plan -f roles/ --cluster-name production       what the controller would do, live
  smr plan --from old/ -f new/ --cluster-name production   what a change of manifests does
  smr render -f web.yaml --account-id 111122223333   the IAM documents
  smr crd | kubectl apply --server-side -f -         install the CRD
  smr run --cluster-name production                  run the controller

Installed as kubectl-smr on the PATH, it is a kubectl plugin: kubectl smr plan -f roles/ ...";

/// Complete, least-privilege IAM roles for AWS Systems Manager Session Manager, kept by Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "smr", version, about, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller: watch SessionManagerRoles and keep IAM as they say
    Run(Box<run::Args>),
    /// Show what the controller would do, before it does
    Plan(Box<plan::Args>),
    /// Print the IAM documents that manifests come to
    Render(Box<render::Args>),
    /// Print the IAM policies that the controller itself needs
    ControllerPolicy(Box<controller_policy::Args>),
    /// Print the CustomResourceDefinition as YAML, or a JSON schema for editors
    Crd(crd::Args),
    /// Print a completion script for a shell
    Completions(completions::CompletionArgs),
    /// Print the man page
    Man(completions::ManArgs),
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
    /// The CRD's schema can't be used.
    #[error(transparent)]
    Schema(#[from] smr_manifest::schema::SchemaError),
    /// Manifests can't be read or are not valid.
    #[error(transparent)]
    Load(#[from] load::LoadError),
    /// No plan can be made.
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    /// The account can't be told.
    #[error(transparent)]
    Account(#[from] account::AccountError),
    /// The runtime or a signal handler can't be set up, or output can't be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn flag(flag: &'static str, problem: impl Into<String>) -> CliError {
    CliError::Flag {
        flag,
        problem: problem.into(),
    }
}

/// An environment variable that is empty counts as unset: a template may leave it so.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command.mut_subcommands(|command| {
        command.mut_args(|arg| {
            if arg.get_env().is_some_and(is_empty) {
                arg.env(Resettable::Reset)
            } else {
                arg
            }
        })
    })
}

impl Cli {
    /// Reads the arguments. Called as `kubectl-smr` (a kubectl plugin), it calls itself
    /// `kubectl smr`.
    pub fn read() -> Self {
        let mut command = Self::command();
        let called = std::env::args_os().next().map(PathBuf::from);
        let stem = called.as_deref().and_then(Path::file_stem);
        if stem.is_some_and(|stem| stem == "kubectl-smr") {
            command = command.name("kubectl-smr").bin_name("kubectl smr");
        }
        let matches = without_empty_variables(command).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// What `smr run` with these flags goes by; `None` where they are another command's.
    pub fn settings(self) -> Result<Option<Settings>, CliError> {
        match self.command {
            Command::Run(args) => run::settings(*args).map(Some),
            _ => Ok(None),
        }
    }

    /// The document that `smr controller-policy` with these flags prints; `None` where they are another
    /// command's.
    pub fn controller_policy(&self) -> Result<Option<String>, CliError> {
        match &self.command {
            Command::ControllerPolicy(args) => controller_policy::text(args).map(Some),
            _ => Ok(None),
        }
    }

    /// Carries the command out.
    pub fn run(self) -> Result<ExitCode, CliError> {
        let done = |()| ExitCode::SUCCESS;
        match self.command {
            Command::Run(args) => run::run(*args).map(done),
            Command::Plan(args) => plan::run(*args),
            Command::Render(args) => render::run(*args).map(done),
            Command::ControllerPolicy(args) => controller_policy::run(&args).map(done),
            Command::Crd(args) => crd::run(&args).map(done),
            Command::Completions(args) => completions::completions(&args).map(done),
            Command::Man(args) => completions::man(&args).map(done),
        }
    }
}
