//! Events of an object: what happened in, a new event out, or one more of the series where the same
//! happens again. Does network IO. kube's own recorder counts an event up whatever its note says, so
//! that a second repair would be told in the words of the first.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::events::v1::{Event as Published, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use smr_api::FIELD_MANAGER;
use smr_core::summary::Event;
use tracing::debug;

use crate::controller::cache::Object;

/// kube sets no time-out on an answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// After so long the same is news again; client-go's recorder has the same.
const SERIES: SignedDuration = SignedDuration::from_mins(6);

/// The last event of an object, to be counted up where the same comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEvent {
    name: String,
    said: u64,
    count: i32,
    at: Timestamp,
}

impl LastEvent {
    /// Whether the same would be one more of its series.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < SERIES
    }
}

/// Publishes events.
#[derive(Clone)]
pub struct EventPublisher {
    client: Client,
    instance: String,
}

impl EventPublisher {
    /// Events name `instance` as the reporting one.
    pub fn new(client: Client, instance: String) -> Self {
        Self { client, instance }
    }

    /// Publishes an event. One that is refused (the namespace is on its way out) stands in nobody's
    /// way.
    pub async fn publish(
        &self,
        object: &Object,
        event: &Event,
        now: Timestamp,
        last_event: &mut Option<LastEvent>,
    ) {
        let said = said(event);
        let again = last_event
            .take()
            .filter(|last| last.said == said && last.is_recent(now));
        let next = match again {
            Some(last) => LastEvent {
                count: last.count.saturating_add(1),
                at: now,
                ..last
            },
            None => LastEvent {
                name: format!("{}.{:x}", object.key().name, now.as_nanosecond()),
                said,
                count: 1,
                at: now,
            },
        };
        let namespace = object.key().namespace;
        let api: Api<Published> = Api::namespaced(self.client.clone(), &namespace);
        let sent = async {
            if next.count == 1 {
                let published = self.published(object, event, &next);
                api.create(&PostParams::default(), &published).await
            } else {
                let series = EventSeries {
                    count: next.count,
                    last_observed_time: MicroTime(now),
                };
                let patch = Patch::Merge(json!({ "series": series }));
                api.patch(&next.name, &PatchParams::default(), &patch).await
            }
        };
        let reason = event.reason.as_str();
        match tokio::time::timeout(ATTEMPT_TIMEOUT, sent).await {
            Ok(Ok(_)) => *last_event = Some(next),
            Ok(Err(error)) => debug!(%error, reason, "an event was refused"),
            Err(_elapsed) => debug!(reason, "an event got no answer"),
        }
    }

    fn published(&self, object: &Object, event: &Event, told: &LastEvent) -> Published {
        Published {
            metadata: ObjectMeta {
                name: Some(told.name.clone()),
                namespace: Some(object.key().namespace),
                ..ObjectMeta::default()
            },
            regarding: Some(object.reference()),
            type_: Some(if event.warning { "Warning" } else { "Normal" }.to_owned()),
            reason: Some(event.reason.as_str().to_owned()),
            action: Some(event.reason.as_str().to_owned()),
            note: Some(event.note.clone()),
            event_time: Some(MicroTime(told.at)),
            reporting_controller: Some(FIELD_MANAGER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Published::default()
        }
    }
}

/// What is said, as a number: the text itself may be long, and every object has a last event.
fn said(event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    (event.warning, event.reason.as_str(), &event.note).hash(&mut hasher);
    hasher.finish()
}
