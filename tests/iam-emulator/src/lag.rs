//! Eventual consistency: stores enter as they are written, the stores that readers and writers meet
//! leave. No IO; the clock enters as a value.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Store;

/// The current store and as much of its past as the lags need.
#[derive(Debug)]
pub struct History {
    lag: Duration,
    write_lag: Duration,
    /// When each store began, oldest first; never empty but while nothing lags.
    past: VecDeque<(Instant, Store)>,
    current: Store,
}

impl History {
    /// An empty store, with no lag.
    pub fn new() -> Self {
        Self {
            lag: Duration::ZERO,
            write_lag: Duration::ZERO,
            past: VecDeque::new(),
            current: Store::default(),
        }
    }

    /// How far behind reads are from now on. The past that is already forgotten stays so.
    pub fn set_lag(&mut self, lag: Duration, now: Instant) {
        self.lag = lag;
        self.keep(now);
    }

    /// How far behind the checks of writes are from now on.
    pub fn set_write_lag(&mut self, lag: Duration, now: Instant) {
        self.write_lag = lag;
        self.keep(now);
    }

    /// What writers act on.
    pub fn current(&self) -> &Store {
        &self.current
    }

    /// A write happened.
    pub fn write(&mut self, store: Store, now: Instant) {
        if !self.longest().is_zero() {
            self.forget(now);
            self.past.push_back((now, store.clone()));
        }
        self.current = store;
    }

    /// What readers see.
    pub fn seen(&self, now: Instant) -> &Store {
        self.before(self.lag, now)
    }

    /// What a write is checked against besides the current store; `None` where writes do not lag.
    pub fn checked(&self, now: Instant) -> Option<&Store> {
        (!self.write_lag.is_zero()).then(|| self.before(self.write_lag, now))
    }

    /// The store as it was so long ago, or the oldest that is known.
    fn before(&self, lag: Duration, now: Instant) -> &Store {
        if lag.is_zero() {
            return &self.current;
        }
        let then = self
            .past
            .iter()
            .rev()
            .find(|(began, _)| *began + lag <= now);
        then.or(self.past.front())
            .map_or(&self.current, |(_, store)| store)
    }

    fn longest(&self) -> Duration {
        self.lag.max(self.write_lag)
    }

    /// Begins to keep a past, or ends it.
    fn keep(&mut self, now: Instant) {
        if self.longest().is_zero() {
            self.past.clear();
        } else if self.past.is_empty() {
            self.past.push_back((now, self.current.clone()));
        }
    }

    /// Drops what is older than the oldest store that anybody meets.
    fn forget(&mut self, now: Instant) {
        let longest = self.longest();
        while (self.past.get(1)).is_some_and(|(began, _)| *began + longest <= now) {
            self.past.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Account;

    fn store(name: &str) -> Store {
        Store::default().insert(name.to_owned(), Account::default())
    }

    fn is(store: &Store, name: &str) -> bool {
        store.contains_key(name)
    }

    #[test]
    fn reads_and_writes_are_behind_each_by_its_own_lag() {
        let begun = Instant::now();
        let at = |second| begun + Duration::from_secs(second);
        let mut history = History::new();
        history.write(store("a"), at(0));
        assert!(history.checked(at(0)).is_none());
        history.set_lag(Duration::from_secs(2), at(1));
        history.set_write_lag(Duration::from_secs(5), at(1));
        history.write(store("b"), at(10));
        history.write(store("c"), at(12));
        assert!(is(history.current(), "c"));
        for (second, read, checked) in [
            (12, "b", "a"),
            (13, "b", "a"),
            (14, "c", "a"),
            (15, "c", "b"),
            (17, "c", "c"),
        ] {
            assert!(is(history.seen(at(second)), read), "read at {second}");
            let old = history.checked(at(second)).unwrap();
            assert!(is(old, checked), "checked at {second}");
        }
        // A write keeps what the longer of the two needs.
        history.write(store("d"), at(16));
        assert!(is(history.checked(at(16)).unwrap(), "b"));
        assert!(is(history.seen(at(16)), "c"));
    }
}
