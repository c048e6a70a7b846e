//! The pure core: spec and IAM's state in, plans, conditions and documents out. No IO, no clock:
//! time enters as a value. It knows neither a Kubernetes client nor the AWS SDK.
//!
//! Data goes one way: [`validate`] → [`desired`] → ([`observed`]) → [`plan`] → [`effect`] →
//! [`summary`]. Deletion has its own entry, [`deletion`], and needs no valid spec.

pub mod account;
pub mod canonical;
pub mod decide;
pub mod deletion;
pub mod desired;
pub mod difference;
pub mod document;
pub mod effect;
pub mod failure;
pub mod fair;
pub mod foresight;
pub mod limits;
pub mod names;
pub mod observed;
pub mod ownership;
pub mod plan;
pub mod ports;
pub mod recent;
pub mod refusal;
pub mod step;
pub mod summary;
pub mod sweep;
pub mod validate;
pub mod wanted;

pub use smr_api::Tags;
