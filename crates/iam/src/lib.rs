//! The edge to IAM and STS: names and steps in, what IAM holds and replies out. Does network IO with
//! the AWS SDK; nothing above this crate knows the SDK. Whether a write may be sent, who counts calls
//! and what time it is, it asks through the core's ports.

mod budget;
mod client;
mod connection;
mod convert;
mod credentials;
mod errors;
mod gate;
mod identity;
mod read;
mod recent;
#[cfg(test)]
mod testing;
mod write;

pub use aws_config::SdkConfig;
pub use budget::Budget;
pub use client::{Aws, Iam};
pub use credentials::{explained, from_environment};
pub use errors::CallFailed;
pub use gate::{BULK_TIMEOUT, Gate};
pub use identity::IdentityError;
pub use read::{BulkFilter, Cost, ListedAccount, WholeAccount, with_own_document};
pub use recent::Recent;

/// Where the log says that lines come from: one filter is for the whole program, whatever its crates.
const LOG: &str = "session_manager_role::iam";
