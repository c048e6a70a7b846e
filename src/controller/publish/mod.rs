//! What became of a pass in; status, events and finalizer written, and the object as the API server
//! then has it, out. Does network IO. The only writer of all three.

mod cluster;
mod events;

use std::sync::Arc;

use smr_api::{Drift, DriftField, Key, SessionManagerRoleStatus};
use smr_core::kind::Kind;
use smr_core::ports::Clock;
use smr_core::summary::{Event, Object as Summarized, Outcome, PausedBy, Summary, summarize};
use tracing::info;

use super::cache::{Object, Store};
use crate::telemetry::metrics::Metrics;

pub use cluster::{Cluster, WriteError};
pub use events::LastEvent;

/// Publishes what became of passes.
pub struct Publisher {
    cluster: Cluster,
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Publisher {
    /// Writes to `cluster`; what it answers is the newest reading of `store`.
    pub fn new(
        cluster: Cluster,
        store: Store,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            cluster,
            store,
            clock,
            metrics,
        }
    }

    /// Writes status where it differs, and publishes events. `request`: the one that the pass answers.
    pub async fn publish(
        &self,
        object: &mut Object,
        request: Option<&str>,
        outcome: &Outcome<'_>,
        last_event: &mut Option<LastEvent>,
    ) -> Result<(), WriteError> {
        let before = object.written_status();
        let about = Summarized {
            generation: object.generation(),
            status: before,
            reconcile_request: request,
        };
        let Summary { status, events } = summarize(about, self.clock.now(), outcome);
        if before != Some(&status) {
            let known = before.map_or_else(Vec::new, |status| status.drift.clone());
            let written = self.cluster.write_status(object, &status).await?;
            self.adopt(object, written);
            for drift in status.drift.iter().filter(|drift| !known.contains(drift)) {
                self.found(drift);
            }
        }
        self.publish_events(object, &events, last_event).await;
        Ok(())
    }

    /// Publishes events that come with no status.
    pub async fn publish_events(
        &self,
        object: &Object,
        events: &[Event],
        last_event: &mut Option<LastEvent>,
    ) {
        for event in events {
            info!(reason = event.reason.as_str(), note = event.note, "event");
            let now = self.clock.now();
            (self.cluster)
                .publish_event(object, event, now, last_event)
                .await;
        }
    }

    /// Puts our finalizer on, before anything of the object's exists in IAM.
    pub async fn add_finalizer(&self, object: &mut Object) -> Result<(), WriteError> {
        if !object.has_finalizer() {
            let written = self.cluster.add_finalizer(object).await?;
            self.adopt(object, written);
        }
        Ok(())
    }

    /// Takes our finalizer off: the object may go.
    pub async fn remove_finalizer(&self, object: &Object) -> Result<(), WriteError> {
        match self.cluster.remove_finalizer(object).await? {
            // Where the watch brings no more (the CRD is gone too), nothing else would say that the
            // finalizer is.
            Some(left) => self.store.refresh(left),
            None => self.store.remove_this(object),
        }
        Ok(())
    }

    /// Where the object exists and `selector` does not match it any more, its status says who left it
    /// alone, as nothing else would.
    pub async fn left_selection(&self, key: &Key, selector: &str) -> Result<(), WriteError> {
        let Some(object) = self.cluster.read(key).await?.filter(Object::has_finalizer) else {
            return Ok(());
        };
        if self.cluster.is_selected(key, selector).await? {
            return Ok(());
        }
        let status = self.of_unselected(&object, selector);
        if object.written_status() != Some(&status) {
            info!(selector, "the object's labels do not match any more");
            (self.cluster)
                .write_status_if_unchanged(&object, &status)
                .await?;
        }
        Ok(())
    }

    fn of_unselected(&self, object: &Object, selector: &str) -> SessionManagerRoleStatus {
        let about = Summarized {
            generation: object.generation(),
            status: object.written_status(),
            reconcile_request: None,
        };
        let outcome = Outcome::Paused {
            by: PausedBy::Selector(selector),
            is_deleting: object.is_deleting(),
        };
        summarize(about, self.clock.now(), &outcome).status
    }

    /// Takes the API server's answer as the newest reading.
    fn adopt(&self, object: &mut Object, written: Object) {
        self.store.refresh(written.clone());
        object.refresh(written);
    }

    /// A difference that was not published before.
    fn found(&self, drift: &Drift) {
        let Drift {
            object,
            field,
            message,
        } = drift;
        info!(object, field, message, "drift");
        // Only our own words are labels.
        if let (Some(kind), Some(field)) = (Kind::parse(object), DriftField::parse(field)) {
            self.metrics.drift(kind, field);
        }
    }
}
