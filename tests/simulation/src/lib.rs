//! The whole program in one process, in virtual time, under faults: a seed enters, a story and a verdict
//! leave. No IO, no wall clock, no randomness but the seed's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

pub mod asked;
mod clock;
pub mod deeds;
mod edges;
pub mod link;
pub mod oracle;
mod people;
pub mod script;
pub mod story;
pub mod suites;
mod witness;
mod world;
