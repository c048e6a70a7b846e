//! What this process wrote to IAM in the last minute, which IAM may not show yet: shared by all passes.
//! Writes in, writes out; no IO.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use smr_core::ports::Clock;
use smr_core::recent::RecentWrites;

/// The recent writes of this process, shared by all passes.
#[derive(Debug)]
pub struct Recent {
    writes: Mutex<RecentWrites>,
    clock: Arc<dyn Clock>,
}

impl Recent {
    /// Of a process that is the only one to write from now on.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            writes: Mutex::new(RecentWrites::new(clock.steady())),
            clock,
        }
    }

    /// The time by which writes are recent. It never goes back: a clock that is set back would make
    /// them recent for that long.
    pub fn now(&self) -> Timestamp {
        self.clock.steady()
    }

    /// The writes, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, RecentWrites> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
