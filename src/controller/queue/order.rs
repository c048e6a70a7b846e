//! The order of the work queue: keys, priorities and moments enter, the next key leaves. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use smr_core::fair::{Lines, Next, Place, Priority};
use tokio::time::Instant;

use super::Namespaced;

/// How long a ready key lets more urgent ones go first.
const PATIENCE: Duration = Duration::from_secs(30);

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
    Waiting {
        entry: Entry,
        place: Place<Instant>,
    },
    /// With what to do right after, if it was added meanwhile.
    Active {
        again: Option<Entry>,
    },
}

/// Every key once.
#[derive(Debug)]
pub(super) struct Order<K> {
    slots: BTreeMap<K, Slot>,
    lines: Lines<Instant, K>,
}

impl<K: Ord + Clone + Namespaced> Order<K> {
    pub(super) const fn new() -> Self {
        Order {
            slots: BTreeMap::new(),
            lines: Lines::new(PATIENCE),
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

    /// Takes the next key that is ready and not less urgent than `least`.
    pub(super) fn take(&mut self, now: Instant, least: Priority) -> Next<Instant, K> {
        let next = self.lines.next(now, least);
        if let Next::Ready { item: key, .. } = &next {
            self.slots.insert(key.clone(), Slot::Active { again: None });
        }
        next
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

    /// How many keys could be worked on now.
    pub(super) fn ready(&self, now: Instant) -> usize {
        self.lines.ready(now)
    }

    /// Puts a key that is not being worked on into its line.
    fn put(&mut self, key: K, entry: Entry) {
        if let Some(Slot::Waiting { place, .. }) = self.slots.get(&key) {
            self.lines.leave(key.namespace(), place);
        }
        let Entry { at, priority } = entry;
        let place = (self.lines).join(key.namespace(), priority, at, key.clone());
        self.slots.insert(key, Slot::Waiting { entry, place });
    }
}
