//! Eventual consistency: stores enter as they are written, the stores that readers and writers see
//! leave. No IO; the clock enters as a value.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Store;

/// The current store and as much of its past as the longer of the two lags needs.
#[derive(Debug)]
pub struct History {
    /// How far behind reads are.
    lag: Duration,
    /// How far behind the store is that writes have to be possible in as well.
    write_lag: Duration,
    /// When each store began, oldest first; empty while there is no lag, else the current one is
    /// the last.
    past: VecDeque<(Instant, Store)>,
    current: Store,
    /// How often the store was written.
    version: u64,
}

impl History {
    /// An empty store, with no lag.
    pub fn new() -> Self {
        Self {
            lag: Duration::ZERO,
            write_lag: Duration::ZERO,
            past: VecDeque::new(),
            current: Store::default(),
            version: 0,
        }
    }

    /// How far behind reads are from now on. The past that is already forgotten stays so.
    pub fn set_lag(&mut self, lag: Duration, now: Instant) {
        self.lag = lag;
        self.remember(now);
    }

    /// How far behind writes are from now on. The past that is already forgotten stays so.
    pub fn set_write_lag(&mut self, lag: Duration, now: Instant) {
        self.write_lag = lag;
        self.remember(now);
    }

    /// The store as it is, which writes change.
    pub fn current(&self) -> &Store {
        &self.current
    }

    /// How often the store was written.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A write happened.
    pub fn write(&mut self, store: Store, now: Instant) {
        self.current = store;
        self.version += 1;
        if !self.longer().is_zero() {
            self.past.push_back((now, self.current.clone()));
            self.forget(now);
        }
    }

    /// What readers see.
    pub fn seen(&self, now: Instant) -> &Store {
        self.at(self.lag, now)
    }

    /// The older store that a write has to be possible in as well; none without a write lag.
    pub fn seen_by_writes(&self, now: Instant) -> Option<&Store> {
        (!self.write_lag.is_zero()).then(|| self.at(self.write_lag, now))
    }

    /// The store as it was so long ago; the oldest that is known where that is not.
    fn at(&self, lag: Duration, now: Instant) -> &Store {
        if lag.is_zero() {
            return &self.current;
        }
        let old = self
            .past
            .iter()
            .rev()
            .find(|(began, _)| is_past(*began, lag, now));
        old.or(self.past.front())
            .map_or(&self.current, |(_, store)| store)
    }

    fn longer(&self) -> Duration {
        self.lag.max(self.write_lag)
    }

    /// Begins or ends the past when a lag changes.
    fn remember(&mut self, now: Instant) {
        if self.longer().is_zero() {
            self.past.clear();
        } else if self.past.is_empty() {
            self.past.push_back((now, self.current.clone()));
        } else {
            self.forget(now);
        }
    }

    /// Drops what is older than the store that the longer lag shows.
    fn forget(&mut self, now: Instant) {
        let longer = self.longer();
        while self
            .past
            .get(1)
            .is_some_and(|(began, _)| is_past(*began, longer, now))
        {
            self.past.pop_front();
        }
    }
}

/// Whether a store that began then is visible through a lag.
fn is_past(began: Instant, lag: Duration, now: Instant) -> bool {
    now.saturating_duration_since(began) >= lag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Account;

    const SECOND: Duration = Duration::from_secs(1);

    /// A store whose accounts say how many writes there were.
    fn store(writes: u32) -> Store {
        (0..writes)
            .map(|number| (number.to_string(), Account::default()))
            .collect()
    }

    /// Write 1 at second 10, write 2 at second 20, and so on.
    fn written(history: &mut History, start: Instant, writes: std::ops::RangeInclusive<u32>) {
        for number in writes {
            history.write(store(number), start + 10 * number * SECOND);
        }
    }

    fn read(history: &History, now: Instant) -> usize {
        history.seen(now).size()
    }

    fn acted_on(history: &History, now: Instant) -> Option<usize> {
        history.seen_by_writes(now).map(Store::size)
    }

    #[test]
    fn without_a_lag_nothing_is_kept_and_writes_see_no_older_store() {
        let (mut history, start) = (History::new(), Instant::now());
        written(&mut history, start, 1..=3);
        assert!(history.past.is_empty());
        assert_eq!(read(&history, start + 30 * SECOND), 3);
        assert_eq!(acted_on(&history, start + 30 * SECOND), None);
    }

    #[test]
    fn each_lag_shows_its_own_past_whichever_is_longer() {
        let start = Instant::now();
        let at = |second: u32| start + second * SECOND;
        for (lag, write_lag) in [(5, 15), (15, 5)] {
            let mut history = History::new();
            history.set_lag(lag * SECOND, start);
            history.set_write_lag(write_lag * SECOND, start);
            written(&mut history, start, 1..=3);
            let seen = |second| (read(&history, at(second)), acted_on(&history, at(second)));
            let (short, long) = ([2, 3, 3], [1, 2, 3]);
            let (reads, writes) = if lag < write_lag {
                (short, long)
            } else {
                (long, short)
            };
            for (place, second) in [34, 35, 45].into_iter().enumerate() {
                assert_eq!(
                    seen(second),
                    (reads[place], Some(writes[place])),
                    "{second}"
                );
            }
        }
    }

    #[test]
    fn a_store_becomes_visible_exactly_when_the_lag_is_over() {
        let (mut history, start) = (History::new(), Instant::now());
        history.set_write_lag(5 * SECOND, start);
        written(&mut history, start, 1..=1);
        let over = start + 15 * SECOND;
        assert_eq!(acted_on(&history, over - Duration::from_nanos(1)), Some(0));
        assert_eq!(acted_on(&history, over), Some(1));
        assert_eq!(read(&history, start + 10 * SECOND), 1, "reads have no lag");
    }

    #[test]
    fn the_past_is_kept_as_long_as_the_longer_lag_and_no_longer() {
        let (mut history, start) = (History::new(), Instant::now());
        history.set_lag(5 * SECOND, start);
        history.set_write_lag(25 * SECOND, start);
        written(&mut history, start, 1..=100);
        // At 1000 s the longer lag shows what began at 970 s; three came after it.
        assert_eq!(history.past.len(), 4);
        history.set_write_lag(Duration::ZERO, start + 1000 * SECOND);
        assert_eq!(history.past.len(), 2, "the shorter lag needs less");
        assert_eq!(read(&history, start + 1004 * SECOND), 99);
        history.set_lag(Duration::ZERO, start + 1000 * SECOND);
        assert!(history.past.is_empty());
        assert_eq!(read(&history, start + 1000 * SECOND), 100);
    }

    #[test]
    fn ending_one_lag_leaves_the_other_its_past() {
        let (mut history, start) = (History::new(), Instant::now());
        history.set_lag(15 * SECOND, start);
        history.set_write_lag(15 * SECOND, start);
        written(&mut history, start, 1..=2);
        history.set_lag(Duration::ZERO, start + 20 * SECOND);
        assert_eq!(read(&history, start + 20 * SECOND), 2);
        assert_eq!(acted_on(&history, start + 20 * SECOND), Some(0));
        assert_eq!(acted_on(&history, start + 25 * SECOND), Some(1));
    }

    #[test]
    fn a_lag_that_begins_shows_the_store_of_its_beginning() {
        let (mut history, start) = (History::new(), Instant::now());
        written(&mut history, start, 1..=2);
        history.set_write_lag(Duration::MAX, start + 20 * SECOND);
        assert_eq!(acted_on(&history, start + 20 * SECOND), Some(2));
        written(&mut history, start, 3..=4);
        assert_eq!(acted_on(&history, start + 40 * SECOND), Some(2));
    }
}
