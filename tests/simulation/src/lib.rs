//! The whole program in one process, in virtual time, under faults: a seed enters, a story and a verdict
//! leave. No IO, no wall clock, no randomness but the seed's.

// A test ends there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

pub mod asked;
pub mod bugs;
mod clock;
pub mod deeds;
mod edges;
pub mod link;
pub mod oracle;
mod people;
pub mod report;
pub mod script;
pub mod story;
pub mod suites;
mod witness;
mod world;
