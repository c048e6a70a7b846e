//! The suites: each plays many stories and counts what is wrong. A size enters, a tally leaves. No IO but
//! threads.

pub mod crash;
pub mod life;
pub mod long;
mod tally;

pub use self::tally::{Failure, Tally, each};
