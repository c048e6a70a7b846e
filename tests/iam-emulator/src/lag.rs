//! Eventual consistency: stores enter as they are written, the store that readers see leaves.
//! No IO; the clock enters as a value.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Store;

/// The current store and as much of its past as the lag needs.
#[derive(Debug)]
pub struct History {
    lag: Duration,
    /// When each store began, oldest first; never empty but for the current one.
    past: VecDeque<(Instant, Store)>,
    current: Store,
}

impl History {
    /// An empty store, with no lag.
    pub fn new() -> Self {
        Self {
            lag: Duration::ZERO,
            past: VecDeque::new(),
            current: Store::default(),
        }
    }

    /// How far behind reads are from now on. The past that is already forgotten stays so.
    pub fn set_lag(&mut self, lag: Duration, now: Instant) {
        self.lag = lag;
        if lag.is_zero() {
            self.past.clear();
        } else if self.past.is_empty() {
            self.past.push_back((now, self.current.clone()));
        }
    }

    /// What writers act on.
    pub fn current(&self) -> &Store {
        &self.current
    }

    /// A write happened.
    pub fn write(&mut self, store: Store, now: Instant) {
        if !self.lag.is_zero() {
            self.forget(now);
            self.past.push_back((now, store.clone()));
        }
        self.current = store;
    }

    /// What readers see.
    pub fn seen(&mut self, now: Instant) -> &Store {
        self.forget(now);
        self.past.front().map_or(&self.current, |(_, store)| store)
    }

    /// Drops what is older than the store that readers see.
    fn forget(&mut self, now: Instant) {
        while self
            .past
            .get(1)
            .is_some_and(|(began, _)| *began + self.lag <= now)
        {
            self.past.pop_front();
        }
    }
}
