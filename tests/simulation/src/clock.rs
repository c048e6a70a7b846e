//! Time in the simulation: tokio's paused clock enters, a time of day leaves. No IO.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};
use smr_core::ports::Clock;
use tokio::time::Instant;

/// The time of day when a story begins.
pub const EPOCH: Timestamp = Timestamp::constant(1_795_824_000, 0);

/// The time of day of the whole world: from [`EPOCH`] on as tokio's clock goes.
#[derive(Clone, Copy, Debug)]
pub struct WorldClock(Instant);

impl WorldClock {
    /// It is [`EPOCH`] now.
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// How long the story goes on.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// What time it is.
    pub fn now(self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.elapsed()).unwrap_or_default();
        EPOCH + elapsed
    }
}

impl Default for WorldClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The clock of one machine: its time of day may be wrong, and may be set.
#[derive(Clone, Debug)]
pub struct MachineClock {
    world: WorldClock,
    wrong_by: Arc<AtomicI64>,
}

impl MachineClock {
    /// One that is right.
    pub fn new(world: WorldClock) -> Self {
        Self {
            world,
            wrong_by: Arc::default(),
        }
    }

    /// Sets the time of day so many seconds ahead of the world's, or behind it.
    pub fn set(&self, seconds: i64) {
        self.wrong_by.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        self.world.now() + SignedDuration::from_secs(self.wrong_by.load(Ordering::Relaxed))
    }

    fn steady(&self) -> Timestamp {
        self.world.now()
    }
}

impl TimeSource for MachineClock {
    fn now(&self) -> SystemTime {
        SystemTime::from(Clock::now(self))
    }
}
