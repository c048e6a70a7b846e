//! The edge to IAM.
pub mod budget;
