//! The order of the work queue: keys, priorities and moments enter, the next key leaves. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Depth, Namespaced, Priority};

/// How long a ready key lets more urgent ones go first.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Turns by urgency for each turn of a key that has run out of patience.
const TURNS_BETWEEN: u32 = 3;
/// All priorities, most urgent first.
const PRIORITIES: [Priority; 3] = [Priority::Edit, Priority::Repair, Priority::Resync];

/// When a key may be worked on, and how urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Instant,
    pub(super) priority: Priority,
}

impl Entry {
    fn raised(self, other: Entry) -> Entry {
        Entry {
            at: self.at.min(other.at),
            priority: self.priority.min(other.priority),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    /// `turn` orders keys of the same time: first come, first served.
    Waiting { entry: Entry, turn: u64 },
    /// With what to do right after, if it was added meanwhile.
    Active { again: Option<Entry> },
}

/// What [`Order::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<K> {
    Ready {
        key: K,
        entry: Entry,
    },
    /// Nothing is ready before this moment.
    At(Instant),
    /// Nothing waits.
    Empty,
}

/// The keys of one priority: a line for each namespace, ordered by time, and served by turns, so
/// that the many of one tenant are not before the one of another. What is not ready yet stands at
/// the end of the same line.
#[derive(Debug)]
struct Lines<K> {
    by_namespace: BTreeMap<String, BTreeSet<(Instant, u64, K)>>,
    turns: VecDeque<String>,
}

impl<K: Ord + Clone + Namespaced> Lines<K> {
    const fn new() -> Self {
        Lines {
            by_namespace: BTreeMap::new(),
            turns: VecDeque::new(),
        }
    }

    fn insert(&mut self, at: Instant, turn: u64, key: K) {
        if let Some(line) = self.by_namespace.get_mut(key.namespace()) {
            line.insert((at, turn, key));
        } else {
            let namespace = key.namespace().to_owned();
            self.turns.push_back(namespace.clone());
            let line = BTreeSet::from([(at, turn, key)]);
            self.by_namespace.insert(namespace, line);
        }
    }

    fn remove(&mut self, at: Instant, turn: u64, key: &K) {
        if let Some(line) = self.by_namespace.get_mut(key.namespace()) {
            line.remove(&(at, turn, key.clone()));
            if line.is_empty() {
                self.by_namespace.remove(key.namespace());
                self.turns.retain(|of| of != key.namespace());
            }
        }
    }

    /// The first of the namespace that had no turn for the longest, of those where one is ready.
    fn pop(&mut self, now: Instant) -> Option<(Instant, K)> {
        let is_ready = |of: &String| self.first(of).is_some_and(|at| at <= now);
        let index = self.turns.iter().position(is_ready)?;
        let namespace = self.turns.remove(index)?;
        let line = self.by_namespace.get_mut(&namespace)?;
        let first = line.pop_first();
        if line.is_empty() {
            self.by_namespace.remove(&namespace);
        } else {
            self.turns.push_back(namespace);
        }
        first.map(|(at, _, key)| (at, key))
    }

    /// Since when the oldest is ready, or when it will be.
    fn oldest(&self) -> Option<Instant> {
        self.turns.iter().filter_map(|of| self.first(of)).min()
    }

    fn first(&self, namespace: &str) -> Option<Instant> {
        let first = self.by_namespace.get(namespace)?.first()?;
        Some(first.0)
    }

    fn len(&self) -> usize {
        self.by_namespace.values().map(BTreeSet::len).sum()
    }

    fn ready(&self, now: Instant) -> impl Iterator<Item = Instant> {
        let lines = self.by_namespace.values();
        lines.flat_map(move |line| {
            let ats = line.iter().map(|(at, ..)| *at);
            ats.take_while(move |at| *at <= now)
        })
    }
}

/// Every key once.
#[derive(Debug)]
pub(super) struct Order<K> {
    slots: BTreeMap<K, Slot>,
    lines: [Lines<K>; 3],
    turns: u64,
    /// Turns by urgency since one went to impatience.
    by_urgency: u32,
}

impl<K: Ord + Clone + Namespaced> Order<K> {
    pub(super) fn new() -> Self {
        Order {
            slots: BTreeMap::new(),
            lines: [const { Lines::new() }; 3],
            turns: 0,
            by_urgency: TURNS_BETWEEN,
        }
    }

    /// Whether the key waits or is being worked on.
    pub(super) fn has(&self, key: &K) -> bool {
        self.slots.contains_key(key)
    }

    /// Adds or raises; never lowers.
    pub(super) fn raise(&mut self, key: K, entry: Entry) {
        match self.slots.get_mut(&key) {
            Some(Slot::Active { again }) => {
                *again = Some(again.map_or(entry, |before| before.raised(entry)));
            }
            Some(Slot::Waiting { entry: before, .. }) => {
                let raised = before.raised(entry);
                if raised != *before {
                    self.put(key, raised);
                }
            }
            None => self.put(key, entry),
        }
    }

    /// Sets the entry of a key, unless it is being worked on: then it raises.
    pub(super) fn replace(&mut self, key: K, entry: Entry) {
        match self.slots.get(&key) {
            Some(Slot::Active { .. }) => self.raise(key, entry),
            Some(Slot::Waiting { .. }) | None => self.put(key, entry),
        }
    }

    pub(super) fn forget(&mut self, key: &K) {
        match self.slots.get_mut(key) {
            Some(Slot::Active { again }) => *again = None,
            Some(Slot::Waiting { .. }) => {
                self.unline(key);
                self.slots.remove(key);
            }
            None => {}
        }
    }

    /// Takes the next key that is ready and not less urgent than `least`.
    pub(super) fn take(&mut self, now: Instant, least: Priority) -> Next<K> {
        let firsts = || {
            let lines = PRIORITIES.into_iter().zip(&self.lines);
            lines
                .take_while(|(priority, _)| *priority <= least)
                .filter_map(|(priority, lines)| Some((priority, lines.oldest()?)))
        };
        let Some((_, earliest)) = firsts().min_by_key(|(_, at)| *at) else {
            return Next::Empty;
        };
        let Some((urgent, _)) = firsts().find(|(_, at)| *at <= now) else {
            return Next::At(earliest);
        };
        let impatient = firsts()
            .filter(|(priority, at)| *priority > urgent && *at + PATIENCE <= now)
            .min_by_key(|(_, at)| *at);
        let priority = match impatient {
            Some((priority, _)) if self.by_urgency >= TURNS_BETWEEN => {
                self.by_urgency = 0;
                priority
            }
            Some(_) => {
                self.by_urgency += 1;
                urgent
            }
            None => urgent,
        };
        match self.lines[priority as usize].pop(now) {
            Some((at, key)) => {
                self.slots.insert(key.clone(), Slot::Active { again: None });
                Next::Ready {
                    key,
                    entry: Entry { at, priority },
                }
            }
            None => Next::Empty,
        }
    }

    /// The work on a key has ended.
    pub(super) fn done(&mut self, key: &K) {
        if let Some(Slot::Active { again }) = self.slots.get(key).copied() {
            self.slots.remove(key);
            if let Some(entry) = again {
                self.put(key.clone(), entry);
            }
        }
    }

    pub(super) fn depth(&self, now: Instant) -> Depth {
        let waiting: usize = self.lines.iter().map(Lines::len).sum();
        let ready = || self.lines.iter().flat_map(|lines| lines.ready(now));
        let ready_count = ready().count();
        Depth {
            ready: ready_count,
            delayed: waiting - ready_count,
            active: self.slots.len() - waiting,
            oldest_wait: ready().map(|at| now - at).max().unwrap_or_default(),
        }
    }

    /// Puts a key that is not being worked on into its line.
    fn put(&mut self, key: K, entry: Entry) {
        self.unline(&key);
        self.turns += 1;
        let turn = self.turns;
        self.lines[entry.priority as usize].insert(entry.at, turn, key.clone());
        self.slots.insert(key, Slot::Waiting { entry, turn });
    }

    fn unline(&mut self, key: &K) {
        if let Some(Slot::Waiting { entry, turn }) = self.slots.get(key) {
            self.lines[entry.priority as usize].remove(entry.at, *turn, key);
        }
    }
}
