//! The edge to Kubernetes: watch, work queue, pass, publish. In: settings and
//! clients; out: nothing, until the end. Does network IO.

pub mod cache;
pub mod cluster_uid;
pub mod pass;
pub mod publish;
pub mod queue;
mod run;
pub mod state;
pub mod sweep;
pub mod watch;

pub use run::{Edges, RunError, Settings, run};
