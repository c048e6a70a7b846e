//! The edge to Kubernetes: watch, work queue, reconcile, status, events. In: settings and
//! clients; out: nothing, until the end. Does network IO.

pub mod cluster;
pub mod deletions;
mod events;
pub mod memory;
pub mod object;
pub mod packed;
pub mod queue;
pub mod reconcile;
mod run;
pub mod store;
pub mod sweep;
pub mod watch;

pub use run::{RunError, Settings, run};
