//! The pure core: spec and IAM's state in, plans, conditions and documents out. No IO, no clock:
//! time enters as a value. It knows neither a Kubernetes client nor the AWS SDK.
//!
//! Within a round data goes one way: [`resolve`] → ([`observed`]) → [`plan`] → [`decide`] → [`effect`]
//! → [`summary`]; what a round learned enters the next through [`decide::Known`]. Deletion has its own
//! entry, [`deletion`], and needs no valid spec.

pub mod account;
pub mod canonical;
pub mod cluster;
pub mod decide;
pub mod deletion;
pub mod difference;
pub mod effect;
pub mod failure;
pub mod fair;
pub mod kind;
pub mod limits;
pub mod names;
pub mod observed;
pub mod ownership;
pub mod plan;
pub mod ports;
pub mod preview;
pub mod recent;
pub mod refusal;
pub mod resolve;
pub mod step;
pub mod summary;
pub mod sweep;
#[cfg(test)]
mod testing;
pub mod writes;

pub use smr_api::Tags;
