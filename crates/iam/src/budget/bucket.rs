//! The sums of the budget: waiters, answers and moments enter, grants and a rate leave. Pure.

use std::time::Duration;

use smr_core::fair::{Lines, Next, Place, Priority};
use tokio::time::Instant;

/// How long a call lets more urgent ones go first.
const PATIENCE: Duration = Duration::from_secs(5);

/// What throttling leaves of the rate.
const CUT: f64 = 0.7;
/// Requests that were under way at a cut are throttled too: they don't cut again.
const BETWEEN_CUTS: Duration = Duration::from_secs(1);
/// What a second of use adds, as a part of the rate left by the last cut.
const RISE: f64 = 0.03;
/// What a second of use adds at least, as a part of the ceiling: back in about ten minutes.
const LEAST_RISE: f64 = 0.0015;
/// The slowest rate, in requests per second.
const FLOOR: f64 = 1.0;
/// The smallest burst, in requests.
const LEAST_BURST: f64 = 8.0;

/// A token bucket whose rate follows the account; `W` is whatever wakes a waiter.
#[derive(Debug)]
pub(super) struct Bucket<W> {
    ceiling: f64,
    rate: f64,
    /// What a second of use adds to the rate.
    rise: f64,
    tokens: f64,
    refilled: Instant,
    cut: Option<Instant>,
    rose: Instant,
    lines: Lines<Instant, W>,
}

impl<W> Bucket<W> {
    pub(super) fn new(ceiling: f64, now: Instant) -> Self {
        let mut bucket = Bucket {
            ceiling,
            rate: ceiling,
            rise: 0.0,
            tokens: 0.0,
            refilled: now,
            cut: None,
            rose: now,
            lines: Lines::new(PATIENCE),
        };
        bucket.tokens = bucket.burst();
        bucket
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    pub(super) fn waiting(&self) -> [usize; Priority::ALL.len()] {
        self.lines.waiting()
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// Lines up; the place that [`Bucket::leave`] takes.
    pub(super) fn join(
        &mut self,
        priority: Priority,
        namespace: &str,
        now: Instant,
        wake: W,
    ) -> Place<Instant> {
        self.lines.join(namespace, priority, now, wake)
    }

    /// Gives up a place; false if it was granted already.
    pub(super) fn leave(&mut self, namespace: &str, place: &Place<Instant>) -> bool {
        self.lines.leave(namespace, place).is_some()
    }

    /// A granted token was not used.
    pub(super) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.burst());
    }

    /// Spends a token on the next waiter, if there are both.
    pub(super) fn grant(&mut self, now: Instant) -> Option<W> {
        self.refill(now);
        if self.tokens < 1.0 {
            return None;
        }
        match self.lines.next(now, Priority::Resync) {
            Next::Ready { item: wake, .. } => {
                self.tokens -= 1.0;
                Some(wake)
            }
            Next::At(_) | Next::Empty => None,
        }
    }

    /// When the next token comes; `None` if nobody waits.
    pub(super) fn next_token(&mut self, now: Instant) -> Option<Instant> {
        if self.lines.is_empty() {
            return None;
        }
        self.refill(now);
        let missing = (1.0 - self.tokens).max(0.0);
        // A microsecond more, so that rounding leaves no sliver of a token missing.
        Some(now + Duration::from_secs_f64(missing / self.rate) + Duration::from_micros(1))
    }

    pub(super) fn throttled(&mut self, now: Instant) {
        self.refill(now);
        if self.cut.is_some_and(|cut| now < cut + BETWEEN_CUTS) {
            return;
        }
        self.rate = (self.rate * CUT).max(FLOOR).min(self.ceiling);
        self.rise = (self.rate * RISE).max(self.ceiling * LEAST_RISE);
        self.tokens = self.tokens.min(0.0);
        self.cut = Some(now);
        self.rose = now;
    }

    pub(super) fn succeeded(&mut self, now: Instant) {
        self.refill(now);
        // Idle time proves nothing: at most a second of it counts.
        let used = now
            .saturating_duration_since(self.rose)
            .min(Duration::from_secs(1));
        self.rate = (self.rate + self.rise * used.as_secs_f64()).min(self.ceiling);
        self.rose = now;
    }

    fn burst(&self) -> f64 {
        self.rate.max(LEAST_BURST)
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled);
        self.tokens = (self.tokens + self.rate * passed.as_secs_f64()).min(self.burst());
        self.refilled = self.refilled.max(now);
    }
}
