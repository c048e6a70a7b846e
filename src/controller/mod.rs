//! The edge to Kubernetes: watch, work queue, pass, publish, lease. In: settings and
//! clients; out: nothing, until the end. Does network IO.

pub mod deletions;
pub mod lease;
pub mod object;
pub mod packed;
pub mod pass;
pub mod publish;
pub mod queue;
mod run;
pub mod state;
pub mod store;
pub mod sweep;
pub mod watch;

pub use run::{RunError, Settings, run};
