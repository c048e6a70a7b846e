//! What the controller remembers of an object between two passes, all of which may be lost in a
//! crash. Values only; no IO.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use smr_core::difference::{Difference, Differences};
use smr_core::plan::Plan;

use super::deletions::Deletions;
use super::events::Told;
use super::object::Trigger;
use smr_api::Key;

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// How often a stalled object is tried again without anyone having changed it.
const STALLED_RETRY: Duration = Duration::from_mins(10);

/// What is remembered of one object.
#[derive(Debug, Default)]
pub struct Memory {
    /// metadata.uid that this speaks of.
    pub uid: String,
    /// A repair that waits for a second reading.
    pub suspected: Option<Box<Plan>>,
    /// Since when the policy of the wanted type is known to be in place, while its type changes.
    pub new_policy_since: Option<Timestamp>,
    /// What was put right and is not told yet: a repair may take more than one pass.
    pub repaired: Differences,
    /// What its deletion has done so far.
    pub deletions: Deletions,
    /// The last event.
    pub told: Option<Told>,
    /// Passes in a row that ended in a failure, since the object was woken.
    failures: u32,
    /// Passes in a row that ended in waiting for IAM to propagate a write.
    waits: u32,
    /// What woke the object last.
    woken_by: Option<Trigger>,
}

impl Memory {
    /// The pass failed: how long to wait.
    pub fn back_off(&mut self) -> Duration {
        let delay = FIRST_BACK_OFF
            .saturating_mul(2_u32.saturating_pow(self.failures.min(16)))
            .min(LONGEST_BACK_OFF);
        self.failures = self.failures.saturating_add(1);
        spread(delay)
    }

    /// IAM may not have propagated a write yet: how long to wait. Never longer than
    /// [`LONGEST_WAIT`], so that the wait costs little once IAM has.
    pub fn wait(&mut self) -> Duration {
        let delay = FIRST_BACK_OFF.saturating_mul(self.waits.saturating_add(1));
        self.waits = self.waits.saturating_add(1);
        spread(delay.min(LONGEST_WAIT))
    }

    /// A person has to act: how long to wait for that.
    pub fn stalled(&mut self) -> Duration {
        self.succeeded();
        spread(STALLED_RETRY)
    }

    /// A pass begins: what woke the object decides whether earlier failures still count.
    pub fn begins(&mut self, trigger: Trigger) {
        if self.woken_by.as_ref() != Some(&trigger) {
            self.failures = 0;
            self.woken_by = Some(trigger);
        }
    }

    /// Something of this was put right.
    pub fn put_right(&mut self, drift: &[Difference]) {
        self.repaired.add(drift);
    }

    /// The pass succeeded.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.waits = 0;
    }

    /// The object is as it should be.
    pub fn converged(&mut self) {
        self.succeeded();
        self.suspected = None;
        self.repaired = Differences::default();
    }

    /// Drops what time has made worthless.
    fn settle(&mut self, now: Timestamp) {
        self.told = self.told.take().filter(|told| told.is_recent(now));
    }

    /// Whether nothing is lost with it.
    fn is_blank(&self) -> bool {
        let Self {
            uid: _,
            suspected,
            new_policy_since,
            repaired,
            deletions,
            told,
            failures,
            waits,
            woken_by: _,
        } = self;
        suspected.is_none()
            && new_policy_since.is_none()
            && repaired.is_empty()
            && deletions.is_empty()
            && told.is_none()
            && *failures == 0
            && *waits == 0
    }
}

/// ± 20 %, so that what failed together does not come back together.
pub fn spread(delay: Duration) -> Duration {
    delay.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// What is remembered of all objects. Of most there is nothing to remember.
#[derive(Debug, Default)]
pub struct Memories(Mutex<BTreeMap<Key, Box<Memory>>>);

impl Memories {
    /// Takes an object's memory out for the length of a pass: no other pass of it runs meanwhile.
    pub fn take(&self, key: &Key, uid: &str) -> Box<Memory> {
        let known = self.lock().remove(key).unwrap_or_default();
        if known.uid == uid {
            return known;
        }
        Box::new(Memory {
            uid: uid.to_owned(),
            ..Memory::default()
        })
    }

    /// Puts it back.
    pub fn put(&self, key: Key, memory: Box<Memory>) {
        if !memory.is_blank() {
            self.lock().insert(key, memory);
        }
    }

    /// Forgets events that are news again. An object that is worked on keeps its own.
    pub fn settle(&self, now: Timestamp) {
        self.lock().retain(|_, memory| {
            memory.settle(now);
            !memory.is_blank()
        });
    }

    /// The object is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Box<Memory>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            namespace: "team".to_owned(),
            name: "web".to_owned(),
        }
    }

    #[test]
    fn back_off_doubles_from_a_second_to_five_minutes() {
        let mut memory = Memory::default();
        let mut expected = FIRST_BACK_OFF;
        for _ in 0..20 {
            let delay = memory.back_off();
            assert!(
                delay >= expected.mul_f64(0.79) && delay <= expected.mul_f64(1.21),
                "{delay:?} {expected:?}"
            );
            expected = (expected * 2).min(LONGEST_BACK_OFF);
        }
        memory.succeeded();
        assert!(memory.back_off() < Duration::from_millis(1300));
    }

    #[test]
    fn waits_for_propagation_stay_short() {
        let mut memory = Memory::default();
        for _ in 0..20 {
            let delay = memory.wait();
            assert!(delay <= LONGEST_WAIT.mul_f64(1.21), "{delay:?}");
        }
        memory.succeeded();
        assert!(memory.wait() < Duration::from_millis(1300));
    }

    #[test]
    fn of_what_has_converged_nothing_is_remembered() {
        let key = key();
        let memories = Memories::default();
        let mut memory = memories.take(&key, "uid");
        memory.back_off();
        memory.wait();
        memory.converged();
        memories.put(key.clone(), memory);
        assert_eq!(memories.lock().len(), 0);
        memories.put(key.clone(), memories.take(&key, "uid"));
        assert_eq!(memories.lock().len(), 0, "nothing to remember");
    }

    #[test]
    fn failures_are_remembered_until_they_end_or_someone_acts() {
        let key = key();
        let memories = Memories::default();
        let mut memory = memories.take(&key, "uid");
        memory.back_off();
        memories.put(key.clone(), memory);
        memories.settle(Timestamp::MAX);
        let mut memory = memories.take(&key, "uid");
        assert!(memory.back_off() > FIRST_BACK_OFF, "the second failure");
    }
}
