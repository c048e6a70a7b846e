//! The account-wide budget of IAM calls: who wants to call enters, permits leave at a rate that
//! follows what the account allows. No IO; the sums are pure and take `now` as a value, the shell
//! only waits.

mod bucket;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smr_core::fair::{self, Priority};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use self::bucket::Bucket;

/// One token bucket for all calls to IAM; clones share it.
///
/// Calls go by priority, and within one by turns of the namespaces. A less urgent call that has
/// waited for five seconds goes first, but at most every fourth time. The rate falls by
/// 30 % when IAM throttles, at most once a second, and rises by about 3 % a second of use, up to
/// the ceiling.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bucket: Mutex<Bucket<oneshot::Sender<()>>>,
    /// Held by the one waiter that watches the clock for all.
    clock: tokio::sync::Mutex<()>,
}

/// Leave to send one request. It is spent, whatever becomes of the request.
#[derive(Debug)]
#[must_use = "a permit is one token of the account's budget"]
pub(crate) struct Permit;

impl Budget {
    /// A budget that starts at its ceiling, in requests per second (at least 1), with a burst of
    /// one second's worth, or of 8.
    pub fn new(requests_per_second: u32) -> Budget {
        let bucket = Bucket::new(f64::from(requests_per_second.max(1)), Instant::now());
        Budget(Arc::new(Shared {
            bucket: Mutex::new(bucket),
            clock: tokio::sync::Mutex::new(()),
        }))
    }

    /// Waits for leave to send one request. Every attempt needs its own. Dropping the future
    /// gives up the place, and a token that was on its way.
    pub(crate) async fn acquire(&self, priority: Priority, namespace: &str) -> Permit {
        let start = Instant::now();
        let (sender, mut granted) = oneshot::channel();
        let place = {
            let mut bucket = self.lock();
            let place = bucket.join(priority, namespace, start, sender);
            grant(&mut bucket, start);
            place
        };
        let mut waiter = Waiter {
            budget: self,
            namespace,
            place,
            taken: false,
        };
        tokio::select! {
            biased;
            // The sender lives as long as the waiter.
            _ = &mut granted => {}
            () = self.watch_clock() => {}
        }
        waiter.taken = true;
        Permit
    }

    /// IAM throttled a request: slower from now on.
    pub(crate) fn throttled(&self) {
        self.lock().throttled(Instant::now());
    }

    /// IAM answered a request, with whatever but throttling: a little faster from now on.
    pub(crate) fn succeeded(&self) {
        self.lock().succeeded(Instant::now());
    }

    /// The present rate in requests per second.
    pub fn rate(&self) -> f64 {
        self.lock().rate()
    }

    /// How many calls wait, most urgent first.
    pub fn waiting(&self) -> [usize; Priority::ALL.len()] {
        self.lock().waiting()
    }

    /// Grants at the right moments, for as long as anyone waits.
    async fn watch_clock(&self) {
        let _clock = self.0.clock.lock().await;
        loop {
            let next = grant(&mut self.lock(), Instant::now());
            match next {
                Some(at) => sleep_until(at).await,
                // Nobody waits: so this waiter itself was granted.
                None => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket<oneshot::Sender<()>>> {
        self.0.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out what there is; when the next token comes, if anyone still waits.
fn grant(bucket: &mut Bucket<oneshot::Sender<()>>, now: Instant) -> Option<Instant> {
    while let Some(sender) = bucket.grant(now) {
        // The receiver can't be gone: whoever drops it leaves the line first, under this lock.
        let _ = sender.send(());
    }
    bucket.next_token(now)
}

/// A place in the line, given up when dropped.
struct Waiter<'a> {
    budget: &'a Budget,
    namespace: &'a str,
    place: fair::Place<Instant>,
    taken: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if !self.taken {
            let mut bucket = self.budget.lock();
            if !bucket.leave(self.namespace, &self.place) {
                bucket.give_back();
                grant(&mut bucket, Instant::now());
            }
        }
    }
}
