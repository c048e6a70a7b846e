//! The edge to IAM and STS: names and steps in, what IAM holds and replies out. Does network IO
//! with the AWS SDK; nothing above this module knows the SDK.

pub mod apply;
pub mod budget;
pub mod bulk;
pub mod client;
mod credentials;
pub mod errors;
pub mod gate;
mod identity;
pub mod listed;
mod listings;
pub mod observe;
mod pages;
mod users;

pub use client::{Aws, Iam};
pub use gate::Gate;
pub use identity::IdentityError;
