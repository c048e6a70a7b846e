//! The edge to Kubernetes: watch, work queue, reconcile, status, events, lease.
pub mod lease;
pub mod queue;
