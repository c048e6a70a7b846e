//! Fair lines: who waits for what enters, with a priority and a namespace; whose turn it is leaves. Used
//! by the work queue and by the budget of calls. Pure: time enters as a value of any type.
//!
//! Within a priority the namespaces have turns, so that the many of one tenant are not before the one of
//! another; within a namespace the first to come is the first served. Who is less urgent and has waited
//! for longer than the patience goes first, but at most every fourth time, so that neither starves the
//! other.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Add;
use std::time::Duration;

pub use smr_api::labels::Priority;

/// Turns by urgency for each turn of one that has run out of patience.
const TURNS_BETWEEN: u32 = 3;

/// Where one stands in line, to leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<T> {
    priority: Priority,
    at: T,
    arrival: u64,
}

/// What [`Lines::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T, I> {
    /// It is this one's turn.
    Ready {
        /// Who it is.
        item: I,
        /// Since when it could be served.
        at: T,
        /// How urgent it is.
        priority: Priority,
    },
    /// Nobody is ready before this moment.
    At(T),
    /// Nobody waits.
    Empty,
}

/// All who wait.
#[derive(Debug)]
pub struct Lines<T, I> {
    by_priority: [Line<T, I>; 3],
    patience: Duration,
    arrivals: u64,
    /// Turns by urgency since one went to impatience.
    by_urgency: u32,
}

/// Those of one priority: in each namespace by time, then by arrival. Who is not ready yet stands at the
/// end.
#[derive(Debug)]
struct Line<T, I> {
    by_namespace: BTreeMap<String, BTreeMap<(T, u64), I>>,
    /// The namespace that had no turn for the longest is the first.
    turns: VecDeque<String>,
}

impl<T: Copy + Ord, I> Line<T, I> {
    const fn new() -> Self {
        Self {
            by_namespace: BTreeMap::new(),
            turns: VecDeque::new(),
        }
    }

    fn insert(&mut self, namespace: &str, at: T, arrival: u64, item: I) {
        if let Some(line) = self.by_namespace.get_mut(namespace) {
            line.insert((at, arrival), item);
        } else {
            let line = BTreeMap::from([((at, arrival), item)]);
            self.by_namespace.insert(namespace.to_owned(), line);
            self.turns.push_back(namespace.to_owned());
        }
    }

    fn remove(&mut self, namespace: &str, at: T, arrival: u64) -> Option<I> {
        let line = self.by_namespace.get_mut(namespace)?;
        let item = line.remove(&(at, arrival));
        if line.is_empty() {
            self.by_namespace.remove(namespace);
            self.turns.retain(|of| of != namespace);
        }
        item
    }

    /// The first of the namespace that had no turn for the longest, of those where one is ready.
    fn pop(&mut self, now: T) -> Option<(T, I)> {
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
        first.map(|((at, _), item)| (at, item))
    }

    /// Since when the oldest is ready, or when it will be.
    fn oldest(&self) -> Option<T> {
        self.turns.iter().filter_map(|of| self.first(of)).min()
    }

    fn first(&self, namespace: &str) -> Option<T> {
        let ((at, _), _) = self.by_namespace.get(namespace)?.first_key_value()?;
        Some(*at)
    }
}

impl<T: Copy + Ord + Add<Duration, Output = T>, I> Lines<T, I> {
    /// Nobody waits. Who is ready lets the more urgent go first for as long as `patience`.
    pub const fn new(patience: Duration) -> Self {
        Self {
            by_priority: [const { Line::new() }; 3],
            patience,
            arrivals: 0,
            by_urgency: TURNS_BETWEEN,
        }
    }

    /// Lines up, to be served not before `at`.
    pub fn join(&mut self, namespace: &str, priority: Priority, at: T, item: I) -> Place<T> {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.by_priority[priority as usize].insert(namespace, at, arrival, item);
        Place {
            priority,
            at,
            arrival,
        }
    }

    /// Gives up a place; `None` if it was served already.
    pub fn leave(&mut self, namespace: &str, place: &Place<T>) -> Option<I> {
        self.by_priority[place.priority as usize].remove(namespace, place.at, place.arrival)
    }

    /// Serves whose turn it is, of those who are ready and not less urgent than `least`.
    pub fn next(&mut self, now: T, least: Priority) -> Next<T, I> {
        let firsts = || {
            let lines = Priority::ALL.into_iter().zip(&self.by_priority);
            lines
                .take_while(|(priority, _)| *priority <= least)
                .filter_map(|(priority, line)| Some((priority, line.oldest()?)))
        };
        let Some((_, earliest)) = firsts().min_by_key(|(_, at)| *at) else {
            return Next::Empty;
        };
        let Some((urgent, _)) = firsts().find(|(_, at)| *at <= now) else {
            return Next::At(earliest);
        };
        let impatient = firsts()
            .filter(|(priority, at)| *priority > urgent && *at + self.patience <= now)
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
        match self.by_priority[priority as usize].pop(now) {
            Some((at, item)) => Next::Ready { item, at, priority },
            None => Next::Empty,
        }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        (self.by_priority.iter()).all(|line| line.by_namespace.is_empty())
    }

    /// How many wait, ready or not, most urgent first.
    pub fn waiting(&self) -> [usize; Priority::ALL.len()] {
        let count = |line: &Line<T, I>| line.by_namespace.values().map(BTreeMap::len).sum();
        self.by_priority.each_ref().map(count)
    }

    /// How many are ready.
    pub fn ready(&self, now: T) -> usize {
        let lines = self.by_priority.iter();
        lines
            .flat_map(|line| line.by_namespace.values())
            .map(|line| line.keys().take_while(|(at, _)| *at <= now).count())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Time as seconds since it all began.
    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn served(
        lines: &mut Lines<Duration, &'static str>,
        second: u64,
        least: Priority,
    ) -> Vec<&'static str> {
        std::iter::from_fn(|| match lines.next(at(second), least) {
            Next::Ready { item, .. } => Some(item),
            Next::At(_) | Next::Empty => None,
        })
        .collect()
    }

    #[test]
    fn urgent_first_and_within_by_turns_of_the_namespaces() {
        let mut lines = Lines::new(PATIENCE);
        for (namespace, priority, item) in [
            ("", Priority::Resync, "resync"),
            ("a", Priority::Repair, "repair"),
            ("loop", Priority::Edit, "l1"),
            ("loop", Priority::Edit, "l2"),
            ("other", Priority::Edit, "o1"),
        ] {
            lines.join(namespace, priority, at(0), item);
        }
        lines.join("loop", Priority::Edit, at(9), "l3");
        assert_eq!(lines.ready(at(1)), 5);
        assert_eq!(lines.waiting(), [4, 1, 1]);
        assert_eq!(served(&mut lines, 1, Priority::Edit), ["l1", "o1", "l2"]);
        assert_eq!(
            served(&mut lines, 1, Priority::Resync),
            ["repair", "resync"]
        );
        assert_eq!(lines.next(at(1), Priority::Resync), Next::At(at(9)));
        assert_eq!(served(&mut lines, 9, Priority::Resync), ["l3"]);
        assert!(lines.is_empty());
    }

    #[test]
    fn every_fourth_turn_goes_to_one_out_of_patience() {
        let mut lines = Lines::new(PATIENCE);
        for item in ["r1", "r2"] {
            lines.join("", Priority::Resync, at(0), item);
        }
        for item in ["e1", "e2", "e3", "e4", "e5"] {
            lines.join("", Priority::Edit, at(30), item);
        }
        assert_eq!(
            served(&mut lines, 30, Priority::Resync),
            ["r1", "e1", "e2", "e3", "r2", "e4", "e5"]
        );
    }

    #[test]
    fn who_has_left_is_not_served_and_who_was_served_has_no_place() {
        let mut lines = Lines::new(PATIENCE);
        let first = lines.join("a", Priority::Edit, at(0), "first");
        let second = lines.join("a", Priority::Edit, at(0), "second");
        assert_eq!(lines.leave("a", &first), Some("first"));
        assert_eq!(served(&mut lines, 0, Priority::Edit), ["second"]);
        assert_eq!(lines.leave("a", &second), None);
        assert_eq!(lines.next(at(0), Priority::Edit), Next::Empty);
    }
}
