//! The sums of the budget: waiters, answers and moments enter, grants and a rate leave. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::Priority;

/// How long a call lets more urgent ones go first.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Grants by urgency for each grant to impatience.
const GRANTS_BETWEEN: u32 = 3;
/// All priorities, most urgent first.
const PRIORITIES: [Priority; 3] = [Priority::Edit, Priority::Repair, Priority::Sweep];

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

#[derive(Debug)]
struct Waiter<W> {
    id: u64,
    since: Instant,
    wake: W,
}

/// The waiters of one priority: a line for each namespace, served by turns.
#[derive(Debug)]
struct Lines<W> {
    by_namespace: BTreeMap<String, VecDeque<Waiter<W>>>,
    turns: VecDeque<String>,
}

impl<W> Lines<W> {
    const fn new() -> Self {
        Lines {
            by_namespace: BTreeMap::new(),
            turns: VecDeque::new(),
        }
    }

    fn push(&mut self, namespace: &str, waiter: Waiter<W>) {
        if let Some(line) = self.by_namespace.get_mut(namespace) {
            line.push_back(waiter);
        } else {
            self.by_namespace
                .insert(namespace.to_owned(), VecDeque::from([waiter]));
            self.turns.push_back(namespace.to_owned());
        }
    }

    fn pop(&mut self) -> Option<Waiter<W>> {
        let namespace = self.turns.pop_front()?;
        let line = self.by_namespace.get_mut(&namespace)?;
        let waiter = line.pop_front();
        if line.is_empty() {
            self.by_namespace.remove(&namespace);
        } else {
            self.turns.push_back(namespace);
        }
        waiter
    }

    fn remove(&mut self, id: u64) -> bool {
        let found = self.by_namespace.iter_mut().find_map(|(namespace, line)| {
            let index = line.iter().position(|waiter| waiter.id == id)?;
            line.remove(index);
            Some((namespace.clone(), line.is_empty()))
        });
        if let Some((namespace, true)) = &found {
            self.by_namespace.remove(namespace);
            self.turns.retain(|turn| turn != namespace);
        }
        found.is_some()
    }

    fn oldest(&self) -> Option<Instant> {
        self.by_namespace
            .values()
            .filter_map(|line| line.front())
            .map(|first| first.since)
            .min()
    }
}

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
    lines: [Lines<W>; 3],
    next_id: u64,
    /// Grants by urgency since one went to impatience.
    by_urgency: u32,
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
            lines: [const { Lines::new() }; 3],
            next_id: 0,
            by_urgency: GRANTS_BETWEEN,
        };
        bucket.tokens = bucket.burst();
        bucket
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    pub(super) fn waiting(&self) -> usize {
        let lines = self
            .lines
            .iter()
            .flat_map(|lines| lines.by_namespace.values());
        lines.map(VecDeque::len).sum()
    }

    /// Lines up; the number that [`Bucket::leave`] takes.
    pub(super) fn join(
        &mut self,
        priority: Priority,
        namespace: &str,
        now: Instant,
        wake: W,
    ) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.lines[priority as usize].push(
            namespace,
            Waiter {
                id,
                since: now,
                wake,
            },
        );
        id
    }

    /// Gives up a place; false if it was granted already.
    pub(super) fn leave(&mut self, priority: Priority, id: u64) -> bool {
        self.lines[priority as usize].remove(id)
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
        let priority = self.next_priority(now)?;
        let waiter = self.lines[priority as usize].pop()?;
        self.tokens -= 1.0;
        Some(waiter.wake)
    }

    /// When the next token comes; `None` if nobody waits.
    pub(super) fn next_token(&mut self, now: Instant) -> Option<Instant> {
        if self.waiting() == 0 {
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

    /// The most urgent that waits, or in its turn the one out of patience for the longest.
    fn next_priority(&mut self, now: Instant) -> Option<Priority> {
        let oldest = |priority: Priority| self.lines[priority as usize].oldest();
        let urgent = PRIORITIES
            .into_iter()
            .find(|priority| oldest(*priority).is_some())?;
        let impatient = PRIORITIES
            .into_iter()
            .filter(|priority| *priority > urgent)
            .filter_map(|priority| Some((priority, oldest(priority)?)))
            .filter(|(_, since)| *since + PATIENCE <= now)
            .min_by_key(|(_, since)| *since);
        match impatient {
            Some((priority, _)) if self.by_urgency >= GRANTS_BETWEEN => {
                self.by_urgency = 0;
                Some(priority)
            }
            Some(_) => {
                self.by_urgency += 1;
                Some(urgent)
            }
            None => Some(urgent),
        }
    }
}
