//! The metrics of reconciles and of the work queue, under the names of controller-runtime and client-go.
//! What happened enters. No IO.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, Opts};
use tokio::time::Instant;

use super::catalog::Catalog;
use super::{CONTROLLER, LONG, MetricsError, ReconcileResult, histogram, integer};

/// Counts reconciles and what waits for them.
#[derive(Debug)]
pub(super) struct Work {
    reconcile_total: IntCounterVec,
    reconcile_errors: IntCounter,
    reconcile_time: Histogram,
    active_workers: IntGauge,
    pub(super) most_workers: IntGauge,
    pub(super) depth: IntGauge,
    pub(super) adds: IntCounter,
    retries: IntCounter,
    pub(super) waited: Histogram,
    worked: Histogram,
    unfinished: Gauge,
    longest: Gauge,
    /// When each worker that is at work began, by a number of its own: as many as there are workers.
    begun: Arc<Mutex<Begun>>,
}

#[derive(Debug, Default)]
struct Begun {
    next: u64,
    at: BTreeMap<u64, Instant>,
}

impl Work {
    pub(super) fn new(add: &mut Catalog) -> Result<Self, MetricsError> {
        let controller = |name, help| Opts::new(name, help).const_label("controller", CONTROLLER);
        let queue = |name, help| controller(name, help).const_label("name", CONTROLLER);
        let work = Self {
            reconcile_total: add.add(IntCounterVec::new(
                controller("controller_runtime_reconcile_total", "Reconciles by result."),
                &["result"],
            ))?,
            reconcile_errors: add.add(IntCounter::with_opts(controller(
                "controller_runtime_reconcile_errors_total",
                "Reconciles that failed.",
            )))?,
            reconcile_time: add.add(histogram(
                controller(
                    "controller_runtime_reconcile_time_seconds",
                    "Duration of one reconcile in seconds.",
                ),
                &LONG,
            ))?,
            active_workers: add.add(IntGauge::with_opts(controller(
                "controller_runtime_active_workers",
                "Workers that reconcile at this moment.",
            )))?,
            most_workers: add.add(IntGauge::with_opts(controller(
                "controller_runtime_max_concurrent_reconciles",
                "How many workers there are: --concurrency.",
            )))?,
            depth: add.add(IntGauge::with_opts(queue(
                "workqueue_depth",
                "Objects that are ready and wait for a worker.",
            )))?,
            adds: add.add(IntCounter::with_opts(queue(
                "workqueue_adds_total",
                "Additions to the work queue.",
            )))?,
            retries: add.add(IntCounter::with_opts(queue(
                "workqueue_retries_total",
                "Objects that were added to the work queue again, as their reconcile failed.",
            )))?,
            waited: add.add(histogram(
                queue(
                    "workqueue_queue_duration_seconds",
                    "How long an object that was ready waited for a worker, in seconds.",
                ),
                &LONG,
            ))?,
            worked: add.add(histogram(
                queue(
                    "workqueue_work_duration_seconds",
                    "How long a worker worked on one object, in seconds.",
                ),
                &LONG,
            ))?,
            unfinished: add.add(Gauge::with_opts(queue(
                "workqueue_unfinished_work_seconds",
                "How long the workers have worked on what is not finished yet, added up, in seconds.",
            )))?,
            longest: add.add(Gauge::with_opts(queue(
                "workqueue_longest_running_processor_seconds",
                "How long the worker has worked that has worked for the longest, in seconds.",
            )))?,
            begun: Arc::default(),
        };
        // Series whose labels are known, so that their first increment shows as one.
        for result in ReconcileResult::ALL {
            work.reconcile_total.with_label_values(&[result.label()]);
        }
        Ok(work)
    }

    /// One reconcile has ended.
    pub(super) fn reconcile(&self, result: ReconcileResult, took: Duration) {
        self.reconcile_total
            .with_label_values(&[result.label()])
            .inc();
        self.reconcile_time.observe(took.as_secs_f64());
        match result {
            ReconcileResult::Error => {
                self.reconcile_errors.inc();
                self.retries.inc();
            }
            ReconcileResult::Success | ReconcileResult::Requeue | ReconcileResult::RequeueAfter => {
            }
        }
    }

    pub(super) fn set_depth(&self, depth: usize) {
        self.depth.set(integer(depth));
    }

    pub(super) fn begin(&self) -> ActiveWorker {
        self.active_workers.inc();
        let now = Instant::now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let number = begun.next;
        begun.next += 1;
        begun.at.insert(number, now);
        ActiveWorker {
            active: self.active_workers.clone(),
            worked: self.worked.clone(),
            begun: Arc::clone(&self.begun),
            number,
        }
    }

    /// Brings up to date what grows while nothing happens.
    pub(super) fn measure(&self) {
        let now = Instant::now();
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let since = begun.at.values().map(|at| now.duration_since(*at));
        self.unfinished
            .set(since.clone().sum::<Duration>().as_secs_f64());
        self.longest
            .set(since.max().unwrap_or_default().as_secs_f64());
    }
}

/// A worker at work; see [`super::Metrics::active_worker`].
#[derive(Debug)]
#[must_use = "the worker counts as active until this is dropped"]
pub struct ActiveWorker {
    active: IntGauge,
    worked: Histogram,
    begun: Arc<Mutex<Begun>>,
    number: u64,
}

impl Drop for ActiveWorker {
    fn drop(&mut self) {
        self.active.dec();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = begun.at.remove(&self.number) {
            self.worked.observe(at.elapsed().as_secs_f64());
        }
    }
}
