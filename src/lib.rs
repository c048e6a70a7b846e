//! The program's library: arguments in, one command out.

pub mod cli;
pub mod clock;
pub mod controller;
pub mod kubernetes;
pub mod telemetry;
