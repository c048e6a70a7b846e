//! A kubelet for tests: the Pods of an API server in, running processes and the Pods' status out. It is
//! node and scheduler at once, runs one image, and takes its containers along when it is killed.
//!
//! A container's process runs as its Pod says: root directory from the image (read-only where asked), user
//! and groups, environment, projected tokens and other volumes, a network of its own that reaches nothing but
//! the API server's Service and the endpoints that its environment names on 127.0.0.1, probes, grace period,
//! restarts. Left out: resources, more than one container, init containers, exec.

mod container;
mod forward;
mod image;
mod node;
mod probe;
mod sandbox;
mod volumes;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the Pods of a test's API server.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs Pods until it is killed
    Run(node::Settings),
    /// Runs one container in namespaces of its own (used by 'run')
    Sandbox {
        /// A file with what to run
        plan: PathBuf,
    },
    /// Becomes the container's process (used by 'sandbox')
    Enter {
        /// The same file
        plan: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(settings) => node::run(&settings),
        Command::Sandbox { plan } => sandbox::run(&plan),
        Command::Enter { plan } => sandbox::enter(&plan).map(|never| match never {}),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("test-kubelet: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A file, process or socket could not be used.
    #[error("{what}: {reason}")]
    Io {
        what: String,
        reason: std::io::Error,
    },
    /// The API server refuses, or can't be reached.
    #[error("the API server: {0}")]
    Kube(Box<kube::Error>),
    /// The kubeconfig can't be used.
    #[error("the kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The Pod asks for what this kubelet does not do.
    #[error("{0}")]
    Unsupported(String),
    /// Something is not JSON as expected.
    #[error("{what}: {reason}")]
    Json {
        what: String,
        reason: serde_json::Error,
    },
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

/// For `map_err`.
fn io<E: Into<std::io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    let what = what.into();
    move |reason| Error::Io {
        what,
        reason: reason.into(),
    }
}

/// For `map_err`.
fn json(what: impl Into<String>) -> impl FnOnce(serde_json::Error) -> Error {
    let what = what.into();
    move |reason| Error::Json { what, reason }
}
