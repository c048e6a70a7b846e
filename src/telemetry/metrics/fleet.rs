//! The metrics of what only the leader knows: the objects, the sweep, the budget of calls. They have no
//! series before the leader says something, and none once it leads no more: a value that nobody keeps
//! would set off alerts. No IO.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{GaugeVec, IntGaugeVec, Opts};
use smr_api::labels::Priority;

use super::catalog::Catalog;
use super::{Counted, MetricsError, NONE, ObjectCounts, Ready, integer, seconds};

/// The gauges of the leader.
#[derive(Debug)]
pub(super) struct Fleet {
    objects: IntGaugeVec,
    oldest_not_ready: GaugeVec,
    orphans: IntGaugeVec,
    sweep_timestamp: GaugeVec,
    sweep_duration: GaugeVec,
    sweep_degraded: IntGaugeVec,
    budget_rate: GaugeVec,
    budget_waiting: IntGaugeVec,
    /// Held while the objects' series change and while they are read, so that a scrape never sees
    /// half of a change.
    whole: Mutex<()>,
}

impl Fleet {
    pub(super) fn new(add: &mut Catalog) -> Result<Self, MetricsError> {
        Ok(Self {
            objects: add.add_of_leader(IntGaugeVec::new(
                Opts::new(
                    "smr_objects",
                    "SessionManagerRoles by the state and reason of their Ready condition.",
                ),
                &["ready", "reason"],
            ))?,
            oldest_not_ready: add.add_of_leader(GaugeVec::new(
                Opts::new(
                    "smr_oldest_not_ready_seconds",
                    "For how long the SessionManagerRole is not Ready that is not for the longest, \
                     by the reason that its Ready condition has now.",
                ),
                &["reason"],
            ))?,
            orphans: add.add_of_leader(IntGaugeVec::new(
                Opts::new(
                    "smr_orphans",
                    "IAM objects that carry this cluster's tags and belong to no SessionManagerRole.",
                ),
                NONE,
            ))?,
            sweep_timestamp: add.add_of_leader(GaugeVec::new(
                Opts::new(
                    "smr_sweep_timestamp_seconds",
                    "When the last complete sweep of IAM ended, in seconds since 1970.",
                ),
                NONE,
            ))?,
            sweep_duration: add.add_of_leader(GaugeVec::new(
                Opts::new(
                    "smr_sweep_duration_seconds",
                    "How long the last complete sweep of IAM took, in seconds.",
                ),
                NONE,
            ))?,
            sweep_degraded: add.add_of_leader(IntGaugeVec::new(
                Opts::new(
                    "smr_sweep_degraded",
                    "1 where GetAccountAuthorizationDetails is denied: some drift is seen later.",
                ),
                NONE,
            ))?,
            budget_rate: add.add_of_leader(GaugeVec::new(
                Opts::new(
                    "smr_iam_budget_rate",
                    "Requests per second that the budget lets pass now: at most \
                     --iam-requests-per-second, less after IAM throttled.",
                ),
                NONE,
            ))?,
            budget_waiting: add.add_of_leader(IntGaugeVec::new(
                Opts::new(
                    "smr_iam_budget_waiting",
                    "Requests that wait for the budget, by priority.",
                ),
                &["priority"],
            ))?,
            whole: Mutex::default(),
        })
    }

    /// Nothing changes the objects' series while this is held.
    pub(super) fn whole(&self) -> MutexGuard<'_, ()> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The objects as they are at this time, in seconds since 1970.
    pub(super) fn set_objects(&self, counts: &ObjectCounts, now: i64) {
        let _whole = self.whole();
        self.objects.reset();
        self.oldest_not_ready.reset();
        let mut oldest: BTreeMap<&str, i64> = BTreeMap::new();
        for (ready, Counted { objects, since }) in counts {
            let labels = ready.labels();
            self.objects
                .with_label_values(&labels)
                .set(integer(*objects));
            if !ready.is_true() {
                let oldest = oldest.entry(labels[1]).or_insert(*since);
                *oldest = (*oldest).min(*since);
            }
        }
        for (reason, since) in oldest {
            let age = seconds(now.saturating_sub(since).max(0));
            self.oldest_not_ready.with_label_values(&[reason]).set(age);
        }
    }

    pub(super) fn set_orphans(&self, count: usize) {
        self.orphans.with_label_values(NONE).set(integer(count));
    }

    pub(super) fn set_degraded(&self, degraded: bool) {
        let degraded = i64::from(degraded);
        self.sweep_degraded.with_label_values(NONE).set(degraded);
    }

    pub(super) fn set_swept(&self, unix_seconds: i64, took: Duration) {
        let at = seconds(unix_seconds);
        self.sweep_timestamp.with_label_values(NONE).set(at);
        let took = took.as_secs_f64();
        self.sweep_duration.with_label_values(NONE).set(took);
    }

    pub(super) fn set_budget(&self, rate: f64, waiting: [usize; Priority::ALL.len()]) {
        self.budget_rate.with_label_values(NONE).set(rate);
        for (priority, count) in Priority::ALL.into_iter().zip(waiting) {
            let gauge = self.budget_waiting.with_label_values(&[priority.as_str()]);
            gauge.set(integer(count));
        }
    }

    /// This replica does not lead.
    pub(super) fn forget(&self) {
        self.set_objects(&ObjectCounts::new(), 0);
        for gauge in [
            &self.sweep_timestamp,
            &self.sweep_duration,
            &self.budget_rate,
        ] {
            gauge.reset();
        }
        for gauge in [&self.orphans, &self.sweep_degraded, &self.budget_waiting] {
            gauge.reset();
        }
    }
}

impl Ready {
    /// Whether it is True.
    fn is_true(self) -> bool {
        self.labels()[0] == smr_api::ConditionStatus::True.as_str()
    }
}
