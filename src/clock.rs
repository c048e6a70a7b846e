//! The program's clock: the system's time of day, and one that never goes back. Reads the clock, no
//! other IO. The only place that does; a simulation has its own.

use jiff::{SignedDuration, Timestamp};
use smr_core::ports::Clock;
use tokio::time::Instant;

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Timestamp,
    since: Instant,
}

impl SystemClock {
    /// A clock whose steady time begins now.
    pub fn new() -> Self {
        Self {
            started: Timestamp::now(),
            since: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn steady(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.since.elapsed());
        (elapsed.ok())
            .and_then(|elapsed| self.started.checked_add(elapsed).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_steady_time_goes_on_whatever_the_time_of_day_does() {
        let clock = SystemClock::new();
        let before = clock.steady();
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(clock.steady().as_second() - before.as_second(), 61);
    }
}
