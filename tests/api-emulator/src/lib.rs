//! An API server in the same process behind kube's client: HTTP requests enter, answers and watches
//! leave. No IO. It goes by tokio's clock, so that a test can let years pass in virtual time, and
//! nothing in it is left to chance.
//!
//! It serves SessionManagerRoles, Leases, Events and Namespaces as kube-apiserver does: versions,
//! generations, finalizers, preconditions, the three patches with field managers, the CRD's schema
//! and rules, pages, watches and bookmarks. On top come faults that a test orders, and a log of every
//! request. [`behaviours`] says what it does; the real kube-apiserver is held to the same list.

mod admission;
mod asked;
mod behaviours;
mod delete;
mod edge;
mod faults;
mod fields;
mod log;
mod managers;
mod namespaces;
mod object;
mod patch;
mod read;
mod reply;
mod resource;
mod schemas;
mod selector;
mod server;
mod state;
mod store;
mod typed;
mod watch;
mod write;

pub use behaviours::{Behaviour, Verdict, behaviours};
pub use edge::{Answer, Edge};
pub use faults::{Fault, FaultKind};
pub use log::{Outcome, Request};
pub use resource::{Resource, Subresource, Verb};
pub use server::{ApiServer, Config};
pub use store::{Change, Snapshot};

#[cfg(test)]
mod tests;
