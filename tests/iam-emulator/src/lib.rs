//! A strict, stateful stand-in for AWS IAM (and `sts:GetCallerIdentity`): requests of the Query
//! protocol enter, XML answers leave. Only `server` (and the program) do IO.
//!
//! It holds what IAM documents: names that are unique whatever their path and case, documents
//! that come back percent-encoded, version limits, `DeleteConflict`, short pages, eventual
//! consistency, throttling, and where a test wants it the policies of the caller. On top come faults
//! that a test orders, and a log of every call. Signatures are not verified: the access key id alone
//! says who calls.

mod actions;
mod admin;
mod authorisation;
mod config;
#[cfg(feature = "connector")]
pub mod connector;
mod controls;
mod document;
mod dump;
mod emulator;
mod enforce;
mod evaluate;
mod faults;
mod judge;
mod lag;
mod log;
mod managed;
mod rate;
mod record;
mod rules;
mod server;
mod snapshot;
mod store;
mod wire;

pub use config::{Config, Quotas};
pub use controls::Settings;
pub use dump::Dump;
pub use emulator::{Emulator, Incoming, Reply};
pub use enforce::{Enforced, PolicyDocument, Principal};
pub use evaluate::PolicyError;
pub use faults::{Fault, FaultKind};
pub use judge::judge;
pub use log::Call;
pub use rate::Rate;
pub use server::Server;
pub use snapshot::{PolicySnapshot, ProfileSnapshot, RoleSnapshot, Snapshot, VersionSnapshot};
