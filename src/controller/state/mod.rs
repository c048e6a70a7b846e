//! What the controller remembers of an object between two passes, all of which may be lost in a
//! crash. Values only; no IO.

pub mod deletions;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use smr_core::decide::Carried;

use deletions::Deletions;

use super::cache::Trigger;
use super::publish::LastEvent;
use smr_api::Key;

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// How often a stalled object is tried again without anyone having changed it.
const STALLED_RETRY: Duration = Duration::from_mins(10);

/// What is remembered of one object.
#[derive(Debug, Default)]
pub struct ObjectState {
    /// metadata.uid that this is of.
    pub uid: String,
    /// What the core's decisions need of the passes before.
    pub carried: Carried,
    /// What its deletion has done so far.
    pub deletions: Deletions,
    /// The last event.
    pub last_event: Option<LastEvent>,
    /// Passes in a row that ended in a failure, since the object was woken.
    failures: u32,
    /// Passes in a row that ended in waiting for IAM to propagate a write.
    waits: u32,
    /// What woke the object last.
    woken_by: Option<Trigger>,
}

impl ObjectState {
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

    /// The pass succeeded.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.waits = 0;
    }

    /// Drops what time has made worthless.
    fn forget_old(&mut self, now: Timestamp) {
        self.last_event = self.last_event.take().filter(|last| last.is_recent(now));
    }

    /// Whether nothing is lost with it.
    fn is_blank(&self) -> bool {
        let Self {
            uid: _,
            carried,
            deletions,
            last_event,
            failures,
            waits,
            woken_by: _,
        } = self;
        carried.is_blank()
            && deletions.is_empty()
            && last_event.is_none()
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
pub struct Tracker(Mutex<BTreeMap<Key, Box<ObjectState>>>);

impl Tracker {
    /// Takes an object's state out for the length of a pass: no other pass of it runs meanwhile.
    pub fn take(&self, key: &Key, uid: &str) -> Box<ObjectState> {
        let known = self.lock().remove(key).unwrap_or_default();
        if known.uid == uid {
            return known;
        }
        Box::new(ObjectState {
            uid: uid.to_owned(),
            ..ObjectState::default()
        })
    }

    /// Puts it back.
    pub fn put(&self, key: Key, state: Box<ObjectState>) {
        if !state.is_blank() {
            self.lock().insert(key, state);
        }
    }

    /// Forgets events that are news again. An object that is worked on keeps its own.
    pub fn forget_old(&self, now: Timestamp) {
        self.lock().retain(|_, state| {
            state.forget_old(now);
            !state.is_blank()
        });
    }

    /// The object is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Box<ObjectState>>> {
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
        let mut state = ObjectState::default();
        let mut expected = FIRST_BACK_OFF;
        for _ in 0..20 {
            let delay = state.back_off();
            assert!(
                delay >= expected.mul_f64(0.79) && delay <= expected.mul_f64(1.21),
                "{delay:?} {expected:?}"
            );
            expected = (expected * 2).min(LONGEST_BACK_OFF);
        }
        state.succeeded();
        assert!(state.back_off() < Duration::from_millis(1300));
    }

    #[test]
    fn waits_for_propagation_stay_short() {
        let mut state = ObjectState::default();
        for _ in 0..20 {
            let delay = state.wait();
            assert!(delay <= LONGEST_WAIT.mul_f64(1.21), "{delay:?}");
        }
        state.succeeded();
        assert!(state.wait() < Duration::from_millis(1300));
    }

    #[test]
    fn of_what_has_converged_nothing_is_remembered() {
        let key = key();
        let tracker = Tracker::default();
        let mut state = tracker.take(&key, "uid");
        state.back_off();
        state.wait();
        state.succeeded();
        tracker.put(key.clone(), state);
        assert_eq!(tracker.lock().len(), 0);
        tracker.put(key.clone(), tracker.take(&key, "uid"));
        assert_eq!(tracker.lock().len(), 0, "nothing to remember");
    }

    #[test]
    fn failures_are_remembered_until_they_end_or_someone_acts() {
        let key = key();
        let tracker = Tracker::default();
        let mut state = tracker.take(&key, "uid");
        state.back_off();
        tracker.put(key.clone(), state);
        tracker.forget_old(Timestamp::MAX);
        let mut state = tracker.take(&key, "uid");
        assert!(state.back_off() > FIRST_BACK_OFF, "the second failure");
    }
}
