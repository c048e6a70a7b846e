//! The metrics: what happened enters, text in the Prometheus format 0.0.4 leaves. No IO.
//!
//! Names and labels are those that dashboards for controller-runtime know, and `smr_…` for our
//! own. Every label value is one of an enum's words, a method or code of HTTP, or an action of IAM that the
//! program calls: none is unbounded.

mod api_requests;
mod catalog;
mod fleet;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts,
    TextEncoder,
};
use smr_api::labels::{CallOutcome, Priority};
use smr_api::{ConditionStatus, DriftField, Reason};
use smr_core::kind::Kind;
use smr_core::ports::CallObserver;

pub use self::api_requests::{ApiRequests, Counting};
use self::catalog::Catalog;
pub use self::catalog::Listed;
use self::fleet::Fleet;
pub use self::work::ActiveWorker;
use self::work::Work;

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
pub type ObjectCounts = BTreeMap<Ready, Counted>;

/// Objects whose `Ready` condition is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many they are.
    pub objects: usize,
    /// Since when the first of them is so, in seconds since 1970.
    pub since: i64,
}

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
    catalog: Catalog,
    work: Work,
    calls: Calls,
    fleet: Fleet,
    leader: IntGauge,
    resync_interval: Gauge,
    drift: IntCounterVec,
    api_requests: ApiRequests,
}

/// Of the requests to IAM and STS.
#[derive(Debug)]
struct Calls {
    requests: IntCounterVec,
    duration: HistogramVec,
    budget_wait: Histogram,
}

impl Metrics {
    /// All metrics, at zero where they have no labels of their own.
    pub fn new() -> Result<Metrics, MetricsError> {
        let mut add = Catalog::default();
        #[cfg(target_os = "linux")]
        add.add_process()?;
        let build = add.add(prometheus::IntGaugeVec::new(
            Opts::new(
                "smr_build_info",
                "1, with the version of the program and the commit that it was built from (empty \
                 where whoever built it did not set SMR_COMMIT).",
            ),
            &["version", "commit"],
        ))?;
        let commit = option_env!("SMR_COMMIT").unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        build.with_label_values(&[version, commit]).set(1);
        Ok(Metrics {
            work: Work::new(&mut add)?,
            calls: Calls::new(&mut add)?,
            fleet: Fleet::new(&mut add)?,
            leader: add.add(IntGauge::with_opts(
                Opts::new(
                    "leader_election_master_status",
                    "Whether this replica leads: 1 if it does, 0 if it stands by.",
                )
                .const_label("name", LEASE),
            ))?,
            resync_interval: add.add(Gauge::with_opts(Opts::new(
                "smr_resync_interval_seconds",
                "--resync-interval: how often IAM is swept, in seconds.",
            )))?,
            drift: add.add(IntCounterVec::new(
                Opts::new(
                    "smr_drift_total",
                    "Differences found between an object that had converged and IAM.",
                ),
                &["object", "field"],
            ))?,
            api_requests: ApiRequests::new(&mut add)?,
            catalog: add,
        })
    }

    /// Every metric that there is, by name.
    pub fn list(&self) -> Vec<Listed> {
        let mut list = self.catalog.list.clone();
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list
    }

    /// Counts the requests of a client to the API server.
    pub fn api_requests(&self) -> &ApiRequests {
        &self.api_requests
    }

    /// What the flags say that alerts and dashboards compare with.
    pub fn settings(&self, resync_interval: Duration, concurrency: usize) {
        self.resync_interval.set(resync_interval.as_secs_f64());
        self.work.most_workers.set(integer(concurrency));
    }

    /// One reconcile has ended.
    pub fn reconcile(&self, result: ReconcileResult, took: Duration) {
        self.work.reconcile(result, took);
    }

    /// A drift was found: in which of the IAM objects, in which field.
    pub fn drift(&self, kind: Kind, field: DriftField) {
        self.drift
            .with_label_values(&[kind.as_str(), field.as_str()])
            .inc();
    }

    /// The objects as they are at this time, in seconds since 1970; what is not in `counts` has no series
    /// any more.
    pub fn objects(&self, counts: &ObjectCounts, now: i64) {
        self.fleet.set_objects(counts, now);
    }

    /// How many objects are ready and wait for a worker.
    pub fn queue_depth(&self, depth: usize) {
        self.work.set_depth(depth);
    }

    /// An object was added to the queue.
    pub fn queue_added(&self) {
        self.work.adds.inc();
    }

    /// A worker took an object that had been ready for this long.
    pub fn queue_taken(&self, waited: Duration) {
        self.work.waited.observe(waited.as_secs_f64());
    }

    /// Counts one more active worker until the guard is dropped.
    pub fn active_worker(&self) -> ActiveWorker {
        self.work.begin()
    }

    /// Whether this replica leads. A standby has no series of what only the leader knows.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
        if !leads {
            self.fleet.forget();
        }
    }

    /// How many IAM objects are ours by tag and belong to no object.
    pub fn orphans(&self, count: usize) {
        self.fleet.set_orphans(count);
    }

    /// Whether sweeps go by lists because the account's details are denied.
    pub fn sweep_degraded(&self, degraded: bool) {
        self.fleet.set_degraded(degraded);
    }

    /// A complete sweep ended at this time, in seconds since 1970, and took so long.
    pub fn swept(&self, unix_seconds: i64, took: Duration) {
        self.fleet.set_swept(unix_seconds, took);
    }

    /// The present rate of the budget in requests per second, and how many wait, by priority.
    pub fn budget(&self, rate: f64, waiting: [usize; Priority::ALL.len()]) {
        self.fleet.set_budget(rate, waiting);
    }

    /// All metrics in the text format 0.0.4.
    pub fn encode(&self) -> Result<String, MetricsError> {
        self.work.measure();
        let families = {
            let _whole = self.fleet.whole();
            self.catalog.registry.gather()
        };
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }

    /// The content type of [`Metrics::encode`].
    pub fn content_type() -> String {
        format!("{}; charset=utf-8", TextEncoder::new().format_type())
    }
}

impl Calls {
    fn new(add: &mut Catalog) -> Result<Self, MetricsError> {
        Ok(Self {
            requests: add.add(IntCounterVec::new(
                Opts::new(
                    "smr_iam_requests_total",
                    "Requests sent to IAM and STS, every attempt counted, by action and outcome.",
                ),
                &["action", "outcome"],
            ))?,
            duration: add.add(HistogramVec::new(
                HistogramOpts::new(
                    "smr_iam_request_duration_seconds",
                    "Duration of one request to IAM or STS in seconds.",
                )
                .buckets(SHORT.to_vec()),
                &["action"],
            ))?,
            budget_wait: add.add(histogram(
                Opts::new(
                    "smr_iam_budget_wait_seconds",
                    "How long a request waited for the budget before it was sent, in seconds.",
                ),
                &LONG,
            ))?,
        })
    }
}

impl CallObserver for Metrics {
    fn call_ended(&self, action: &'static str, outcome: CallOutcome, took: Duration) {
        let labels = [action, outcome.as_str()];
        self.calls.requests.with_label_values(&labels).inc();
        let duration = self.calls.duration.with_label_values(&[action]);
        duration.observe(took.as_secs_f64());
    }

    fn budget_waited(&self, waited: Duration) {
        self.calls.budget_wait.observe(waited.as_secs_f64());
    }
}

fn histogram(opts: Opts, buckets: &[f64]) -> prometheus::Result<Histogram> {
    Histogram::with_opts(HistogramOpts::from(opts).buckets(buckets.to_vec()))
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact for the next 285 million years"
)]
fn seconds(whole: i64) -> f64 {
    whole as f64
}

#[cfg(test)]
pub(super) mod tests;
