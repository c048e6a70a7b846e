//! The work queue: keys with a priority and a not-before time enter, one piece of work per key at
//! a time leaves. No IO; the ordering is pure and takes `now` as a value, the shell only waits.

mod order;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smr_core::fair::Next;
pub use smr_core::fair::Priority;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::order::{Entry, Order};

/// Whose a key is: within a priority, namespaces are served by turns.
pub trait Namespaced {
    /// The namespace.
    fn namespace(&self) -> &str;
}

/// A deduplicating queue with priorities and not-before times; clones share it.
///
/// A less urgent key that has been ready for half a minute goes before fresh edits, but
/// takes at most every fourth turn, so that neither starves the other. Within a priority the
/// namespaces have turns, and within a namespace the first to come is the first served.
#[derive(Debug)]
pub struct Queue<K: Ord + Clone + Namespaced>(Arc<Shared<K>>);

#[derive(Debug)]
struct Shared<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<K> {
    order: Order<K>,
    closed: bool,
}

impl<K: Ord + Clone + Namespaced> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Queue(Arc::clone(&self.0))
    }
}

impl<K: Ord + Clone + Namespaced> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            order: Order::new(),
            closed: false,
        };
        Queue(Arc::new(Shared {
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }
}

impl<K: Ord + Clone + Namespaced> Queue<K> {
    /// An empty queue.
    pub fn new() -> Self {
        Queue::default()
    }

    /// Has the key worked on as soon as its priority allows. A waiting key is only ever raised:
    /// the more urgent priority and the earlier time win. A key that is being worked on is
    /// worked on again right after.
    pub fn add(&self, key: K, priority: Priority) {
        self.add_after(key, Duration::ZERO, priority);
    }

    /// As [`Queue::add`], but not before `delay` has passed.
    fn add_after(&self, key: K, delay: Duration, priority: Priority) {
        let entry = Entry {
            at: Instant::now() + delay,
            priority,
        };
        self.lock().order.raise(key, entry);
        self.0.changed.notify_waiters();
    }

    /// As [`Queue::add`], where the key neither waits nor is worked on: it shortens no back-off.
    /// Whether it did.
    pub fn add_new(&self, key: &K, priority: Priority) -> bool {
        let mut state = self.lock();
        if state.order.has(key) {
            return false;
        }
        let at = Instant::now();
        state.order.raise(key.clone(), Entry { at, priority });
        drop(state);
        self.0.changed.notify_waiters();
        true
    }

    /// Sets when and how urgently the key is worked on next, whatever it waited for before. While
    /// the key is being worked on this only raises, so that a change seen meanwhile is not lost.
    pub fn schedule(&self, key: K, at: Instant, priority: Priority) {
        self.lock().order.replace(key, Entry { at, priority });
        self.0.changed.notify_waiters();
    }

    /// The next ready key that is not less urgent than `least`, the most urgent first; waits for one.
    /// `None` after [`Queue::shutdown`], even if keys are left. Dropping the future loses nothing.
    pub async fn next_up_to(&self, least: Priority) -> Option<Work<K>> {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change falls between.
            changed.as_mut().enable();
            let now = Instant::now();
            let next = {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                state.order.take(now, least)
            };
            match next {
                Next::Ready { item, at, priority } => {
                    return Some(Work {
                        queue: self.clone(),
                        key: item,
                        priority,
                        waited: now.saturating_duration_since(at),
                    });
                }
                Next::At(at) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
                Next::Empty => changed.await,
            }
        }
    }

    /// How many keys could be worked on now.
    pub fn ready(&self) -> usize {
        self.lock().order.ready(Instant::now())
    }

    /// Makes every [`Queue::next_up_to`] return `None`, now and later.
    pub fn shutdown(&self) {
        self.lock().closed = true;
        self.0.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key being worked on, by nobody else until this is dropped, also in a panic.
#[derive(Debug)]
#[must_use = "dropping this says that the work is done"]
pub struct Work<K: Ord + Clone + Namespaced> {
    queue: Queue<K>,
    key: K,
    priority: Priority,
    waited: Duration,
}

impl<K: Ord + Clone + Namespaced> Work<K> {
    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The priority it was taken with.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// How long it was ready before it was taken.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// The work is done, with no next run planned: it comes again if it was added meanwhile.
    pub fn done(self) {}

    /// The work is done; again after `delay`, or earlier if it was added meanwhile.
    pub fn again_after(self, delay: Duration, priority: Priority) {
        self.queue
            .schedule(self.key.clone(), Instant::now() + delay, priority);
    }
}

impl<K: Ord + Clone + Namespaced> Drop for Work<K> {
    fn drop(&mut self) {
        self.queue.lock().order.done(&self.key);
        self.queue.0.changed.notify_waiters();
    }
}
