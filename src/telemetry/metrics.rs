//! The metrics: what happened enters, text in the Prometheus format 0.0.4 leaves. No IO.
//!
//! Names and labels are those that dashboards for controller-runtime know, and `smr_…` for our
//! own. Every label value is `&'static str`: none is unbounded.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use smr_api::labels::CallOutcome;
use smr_api::{ConditionStatus, DriftField, Reason};
use smr_core::kind::Kind;
use smr_core::ports::CallObserver;

/// The `controller` label, as controller-runtime derives it from the kind.
const CONTROLLER: &str = "sessionmanagerrole";
/// The values of no labels.
const NONE: &[&str] = &[];
/// The `name` label of the lease.
const LEASE: &str = "session-manager-role";

/// Upper bounds in seconds for whole reconciles and waits in the queue.
const LONG: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// Upper bounds in seconds for one request, which ends after five.
const SHORT: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Why the metrics can't be set up or told.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A metric is malformed, or there twice.
    #[error("metrics: {0}")]
    Prometheus(#[from] prometheus::Error),
}

/// How a reconcile ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Nothing left to do.
    Success,
    /// It failed and is tried again.
    Error,
    /// Again at once.
    Requeue,
    /// Again at a set time.
    RequeueAfter,
}

impl ReconcileResult {
    const ALL: [ReconcileResult; 4] = [
        ReconcileResult::Success,
        ReconcileResult::Error,
        ReconcileResult::Requeue,
        ReconcileResult::RequeueAfter,
    ];

    fn label(self) -> &'static str {
        match self {
            ReconcileResult::Success => "success",
            ReconcileResult::Error => "error",
            ReconcileResult::Requeue => "requeue",
            ReconcileResult::RequeueAfter => "requeue_after",
        }
    }
}

/// How many objects there are, by the state (`True`, `False`, `Unknown`) and the reason of their
/// `Ready` condition.
pub type ObjectCounts = BTreeMap<Ready, usize>;

/// An object's `Ready` condition, as it is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ready {
    /// Nobody has said yet.
    #[default]
    Unknown,
    /// `None`: a word that is not ours (someone else's status write).
    Is(Option<ConditionStatus>, Option<Reason>),
}

impl Ready {
    /// The reason, where it is one of ours.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Unknown => None,
            Self::Is(_, reason) => reason,
        }
    }

    /// The values of the labels `ready` and `reason`, which are bounded.
    fn labels(self) -> [&'static str; 2] {
        const OTHER: &str = "Other";
        match self {
            Self::Unknown => [ConditionStatus::Unknown.as_str(); 2],
            Self::Is(status, reason) => [
                status.map_or(OTHER, ConditionStatus::as_str),
                reason.map_or(OTHER, Reason::as_str),
            ],
        }
    }
}

/// All metrics, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconcile_total: IntCounterVec,
    reconcile_errors: IntCounter,
    reconcile_time: Histogram,
    active_workers: IntGauge,
    queue_depth: IntGauge,
    queue_adds: IntCounter,
    queue_duration: Histogram,
    leader: IntGauge,
    iam_requests: IntCounterVec,
    iam_duration: HistogramVec,
    drift: IntCounterVec,
    objects: IntGaugeVec,
    /// Only the leader knows these and the objects: they have no label, and no series before.
    orphans: IntGaugeVec,
    sweep_timestamp: GaugeVec,
    sweep_degraded: IntGaugeVec,
    /// The objects' series that exist. Held while they change and while they are read, so that
    /// a scrape never sees half of a change.
    object_series: Mutex<ObjectCounts>,
}

impl Metrics {
    /// All metrics, at zero where they have no labels of their own.
    pub fn new() -> Result<Metrics, MetricsError> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let controller = |name, help| Opts::new(name, help).const_label("controller", CONTROLLER);
        let queue = |name, help| controller(name, help).const_label("name", CONTROLLER);
        let seconds =
            |opts: Opts, buckets: &[f64]| HistogramOpts::from(opts).buckets(buckets.to_vec());
        let add = Adding(&registry);
        let metrics = Metrics {
            reconcile_total: add.it(IntCounterVec::new(
                controller(
                    "controller_runtime_reconcile_total",
                    "Reconciles by result.",
                ),
                &["result"],
            ))?,
            reconcile_errors: add.it(IntCounter::with_opts(controller(
                "controller_runtime_reconcile_errors_total",
                "Reconciles that failed.",
            )))?,
            reconcile_time: add.it(Histogram::with_opts(seconds(
                controller(
                    "controller_runtime_reconcile_time_seconds",
                    "Duration of one reconcile in seconds.",
                ),
                &LONG,
            )))?,
            active_workers: add.it(IntGauge::with_opts(controller(
                "controller_runtime_active_workers",
                "Workers that reconcile at this moment.",
            )))?,
            queue_depth: add.it(IntGauge::with_opts(queue(
                "workqueue_depth",
                "Objects that are ready and wait for a worker.",
            )))?,
            queue_adds: add.it(IntCounter::with_opts(queue(
                "workqueue_adds_total",
                "Additions to the work queue.",
            )))?,
            queue_duration: add.it(Histogram::with_opts(seconds(
                queue(
                    "workqueue_queue_duration_seconds",
                    "How long an object that was ready waited for a worker, in seconds.",
                ),
                &LONG,
            )))?,
            leader: add.it(IntGauge::with_opts(
                Opts::new(
                    "leader_election_master_status",
                    "Whether this replica leads: 1 if it does, 0 if it stands by.",
                )
                .const_label("name", LEASE),
            ))?,
            iam_requests: add.it(IntCounterVec::new(
                Opts::new(
                    "smr_iam_requests_total",
                    "Requests sent to IAM and STS, every attempt counted, by action and outcome.",
                ),
                &["action", "outcome"],
            ))?,
            iam_duration: add.it(HistogramVec::new(
                seconds(
                    Opts::new(
                        "smr_iam_request_duration_seconds",
                        "Duration of one request to IAM or STS in seconds.",
                    ),
                    &SHORT,
                ),
                &["action"],
            ))?,
            drift: add.it(IntCounterVec::new(
                Opts::new(
                    "smr_drift_total",
                    "Differences found between an object that had converged and IAM.",
                ),
                &["object", "field"],
            ))?,
            objects: add.it(IntGaugeVec::new(
                Opts::new(
                    "smr_objects",
                    "SessionManagerRoles by the state and reason of their Ready condition.",
                ),
                &["ready", "reason"],
            ))?,
            orphans: add.it(IntGaugeVec::new(
Opts::new(
                "smr_orphans",
                "IAM objects that carry this cluster's tags and belong to no SessionManagerRole."),
&[],
))?,
            sweep_timestamp: add.it(GaugeVec::new(
Opts::new(
                "smr_sweep_timestamp_seconds",
                "When the last complete sweep of IAM ended, in seconds since 1970."),
&[],
))?,
            sweep_degraded: add.it(IntGaugeVec::new(
Opts::new(
                "smr_sweep_degraded",
                "1 where GetAccountAuthorizationDetails is denied: some drift is seen later."),
&[],
))?,
            object_series: Mutex::default(),
            registry: registry.clone(),
        };
        metrics.start_at_zero();
        Ok(metrics)
    }

    /// Series whose labels are known, so that their first increment shows as one.
    fn start_at_zero(&self) {
        for result in ReconcileResult::ALL {
            self.reconcile_total.with_label_values(&[result.label()]);
        }
    }

    /// One reconcile has ended.
    pub fn reconcile(&self, result: ReconcileResult, took: Duration) {
        self.reconcile_total
            .with_label_values(&[result.label()])
            .inc();
        self.reconcile_time.observe(took.as_secs_f64());
        match result {
            ReconcileResult::Error => self.reconcile_errors.inc(),
            ReconcileResult::Success | ReconcileResult::Requeue | ReconcileResult::RequeueAfter => {
            }
        }
    }

    /// A drift was found: in which of the IAM objects, in which field.
    pub fn drift(&self, kind: Kind, field: DriftField) {
        self.drift
            .with_label_values(&[kind.as_str(), field.as_str()])
            .inc();
    }

    /// The objects as they are now; what is not in `counts` has no series any more.
    pub fn objects(&self, counts: ObjectCounts) {
        let mut series = self
            .object_series
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for gone in series.keys().filter(|key| !counts.contains_key(key)) {
            // An error says only that it is gone already.
            let _ = self.objects.remove_label_values(&gone.labels());
        }
        for (ready, count) in &counts {
            self.objects
                .with_label_values(&ready.labels())
                .set(integer(*count));
        }
        *series = counts;
    }

    /// How many objects are ready and wait for a worker.
    pub fn queue_depth(&self, depth: usize) {
        self.queue_depth.set(integer(depth));
    }

    /// An object was added to the queue.
    pub fn queue_added(&self) {
        self.queue_adds.inc();
    }

    /// A worker took an object that had been ready for this long.
    pub fn queue_taken(&self, waited: Duration) {
        self.queue_duration.observe(waited.as_secs_f64());
    }

    /// Counts one more active worker until the guard is dropped.
    pub fn active_worker(&self) -> ActiveWorker {
        self.active_workers.inc();
        ActiveWorker(self.active_workers.clone())
    }

    /// Whether this replica leads. A standby has no series of what only the leader knows: a value
    /// that nobody keeps would set off alerts.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
        if !leads {
            self.objects(ObjectCounts::new());
            self.orphans.reset();
            self.sweep_timestamp.reset();
            self.sweep_degraded.reset();
        }
    }

    /// How many IAM objects are ours by tag and belong to no object.
    pub fn orphans(&self, count: usize) {
        self.orphans.with_label_values(NONE).set(integer(count));
    }

    /// Whether sweeps go by lists because the account's details are denied.
    pub fn sweep_degraded(&self, degraded: bool) {
        self.sweep_degraded
            .with_label_values(NONE)
            .set(i64::from(degraded));
    }

    /// A complete sweep ended at this time, in seconds since 1970.
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact for the next 285 million years"
    )]
    pub fn swept(&self, unix_seconds: i64) {
        self.sweep_timestamp
            .with_label_values(NONE)
            .set(unix_seconds as f64);
    }

    /// All metrics in the text format 0.0.4.
    pub fn encode(&self) -> Result<String, MetricsError> {
        let families = {
            let _whole = self
                .object_series
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            self.registry.gather()
        };
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }

    /// The content type of [`Metrics::encode`].
    pub fn content_type() -> String {
        format!("{}; charset=utf-8", TextEncoder::new().format_type())
    }
}

impl CallObserver for Metrics {
    fn call_ended(&self, action: &'static str, outcome: CallOutcome, took: Duration) {
        self.iam_requests
            .with_label_values(&[action, outcome.as_str()])
            .inc();
        self.iam_duration
            .with_label_values(&[action])
            .observe(took.as_secs_f64());
    }
}

/// A worker at work; see [`Metrics::active_worker`].
#[derive(Debug)]
#[must_use = "the worker counts as active until this is dropped"]
pub struct ActiveWorker(IntGauge);

impl Drop for ActiveWorker {
    fn drop(&mut self) {
        self.0.dec();
    }
}

struct Adding<'a>(&'a Registry);

impl Adding<'_> {
    fn it<C>(&self, collector: prometheus::Result<C>) -> prometheus::Result<C>
    where
        C: Collector + Clone + 'static,
    {
        let collector = collector?;
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests;
