//! What can go wrong with the control plane. Values only.

use std::path::PathBuf;

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The binaries were not built.
    #[error("{} is not there: run this through make, or 'make control-plane' first and set SMR_CONTROL_PLANE_BIN or KUBEBUILDER_ASSETS", .0.display())]
    NotBuilt(PathBuf),
    /// A server ended or did not become ready in time.
    #[error("{what} did not become ready; the end of its log:\n{log}")]
    NotReady {
        /// Which.
        what: &'static str,
        /// The end of its log.
        log: String,
    },
    /// A file or process could not be used.
    #[error("{what}: {reason}")]
    Io {
        /// Which.
        what: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The client can't be made.
    #[error("the client: {0}")]
    Client(#[from] kube::Error),
    /// The kubeconfig can't be used.
    #[error("the kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The key of the service accounts can't be made.
    #[error("the service accounts' key: {0}")]
    Key(#[from] rcgen::Error),
    /// kubectl failed.
    #[error("kubectl: {0}")]
    Kubectl(String),
    /// The audit log can't be understood.
    #[error("the audit log: {0}")]
    Audit(#[from] serde_json::Error),
}
