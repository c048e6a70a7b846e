//! Questions that a sweep need not ask twice. In: what a judgement rests on; out: whether it was in
//! sync the last time. No IO. Nearly everything is as it was a sweep ago, and to see that takes less
//! than to say what it should be.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// What was found in sync, in the last sweep and so far in this one. Fingerprints of 64 bits under a
/// key of this process: nobody can make two of them alike.
#[derive(Debug)]
pub struct InSyncCache {
    key: u64,
    last: HashSet<u64>,
    now: HashSet<u64>,
}

impl InSyncCache {
    /// None yet, under a random key: it goes before all that a fingerprint is of.
    pub fn new(key: u64) -> Self {
        Self {
            key,
            last: HashSet::new(),
            now: HashSet::new(),
        }
    }

    /// All of them; none are left here, under the same key.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let key = self.key;
        std::mem::replace(self, Self::new(key))
    }

    /// Whether `judge` finds it in sync: asked only where it was not so of the very same `question`
    /// in this sweep or the last. The question has to hold everything that the judgement rests on.
    pub fn in_sync(&mut self, question: &impl Hash, judge: impl FnOnce() -> bool) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.key);
        question.hash(&mut hasher);
        let print = hasher.finish();
        let in_sync = self.now.contains(&print) || self.last.contains(&print) || judge();
        if in_sync {
            self.now.insert(print);
        }
        in_sync
    }

    /// The sweep is at its end: what did not come up in it is forgotten.
    pub fn end_sweep(&mut self) {
        self.last = std::mem::take(&mut self.now);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_what_was_in_sync_and_came_up_in_the_last_sweep_is_not_judged_again() {
        let mut answers = InSyncCache::new(7);
        let judged = Cell::new(0);
        let ask = |answers: &mut InSyncCache, question: &str, is: bool| {
            let found = answers.in_sync(&question, || {
                judged.set(judged.get() + 1);
                is
            });
            (found, judged.take())
        };
        assert_eq!(ask(&mut answers, "a", true), (true, 1));
        assert_eq!(ask(&mut answers, "b", false), (false, 1));
        answers.end_sweep();
        assert_eq!(ask(&mut answers, "a", false), (true, 0));
        assert_eq!(ask(&mut answers, "b", true), (true, 1));
        answers.end_sweep();
        answers.end_sweep();
        assert_eq!(ask(&mut answers, "a", true), (true, 1));
    }
}
