//! What this crate's tests put in place of a lease and a clock.

use std::time::Duration;

use jiff::Timestamp;
use smr_core::ports::{Clock, MayWrite};

/// Every write may be sent.
#[derive(Debug)]
pub(crate) struct Writes;

impl MayWrite for Writes {
    fn may_write(&self, _attempt: Duration) -> bool {
        true
    }
}

/// A time that stands still.
#[derive(Debug)]
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn steady(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}
