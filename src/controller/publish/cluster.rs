//! The writes to the Kubernetes API: status, finalizer, events. In: what to write; out: the object
//! as the API server then has it. Does network IO; each write is fenced and has a time-out.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use smr_api::{FIELD_MANAGER, FINALIZER, SessionManagerRole, SessionManagerRoleStatus};
use smr_core::summary::Event;
use smr_lease::{Fence, NotLeader};

use super::events::{EventPublisher, LastEvent};
use crate::controller::cache::Object;
use smr_api::Key;

/// kube sets no time-out on an answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a status is sent where others change the object at the same time.
const STATUS_ATTEMPTS: u32 = 4;

/// A write that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object is gone, or another of the same name is in its place.
    #[error("the object is gone")]
    Gone,
    /// This replica may not write any more.
    #[error(transparent)]
    NotLeader(#[from] NotLeader),
    /// No answer in time.
    #[error("the API server did not answer within {} s", ATTEMPT_TIMEOUT.as_secs())]
    TimedOut,
    /// The API server refused.
    #[error("the API server refused: {0}")]
    Refused(Box<kube::Error>),
}

/// The cluster, as the controller writes to it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    fence: Fence,
    events: EventPublisher,
}

impl Cluster {
    /// Events name `instance` as the reporting one.
    pub fn new(client: Client, fence: Fence, instance: String) -> Self {
        Self {
            events: EventPublisher::new(client.clone(), instance),
            client,
            fence,
        }
    }

    /// Writes the status, if the object still is the one that was read, whoever has changed it since. The API
    /// server looks at no uid in a patch of status: a version guards it, and the uid is compared here.
    pub async fn write_status(
        &self,
        object: &Object,
        status: &SessionManagerRoleStatus,
    ) -> Result<Object, WriteError> {
        let mut live = object.clone();
        for _ in 1..STATUS_ATTEMPTS {
            match self.write_status_if_unchanged(&live, status).await {
                Err(WriteError::Refused(error)) if is_conflict(&error) => {}
                other => return other,
            }
            live = match self.read(&object.key()).await? {
                Some(live) if live.uid() == object.uid() => live,
                Some(_) | None => return Err(WriteError::Gone),
            };
        }
        self.write_status_if_unchanged(&live, status).await
    }

    /// Writes the status, if nobody has changed the object since it was read.
    pub async fn write_status_if_unchanged(
        &self,
        object: &Object,
        status: &SessionManagerRoleStatus,
    ) -> Result<Object, WriteError> {
        let Key { namespace, name } = object.key();
        let patch = json!({
            "apiVersion": SessionManagerRole::api_version(&()),
            "kind": SessionManagerRole::kind(&()),
            "metadata": {
                "name": name,
                "resourceVersion": object.metadata.resource_version,
            },
            "status": status,
        });
        let api = self.api(&namespace);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.send(api.patch_status(&name, &params, &Patch::Apply(patch)))
            .await
    }

    /// Puts our finalizer on, before anything of the object's exists in IAM.
    pub async fn add_finalizer(&self, object: &Object) -> Result<Object, WriteError> {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.write_finalizers(object, finalizers).await
    }

    /// The object as the API server has it now; `None` where it is gone.
    pub async fn read(&self, key: &Key) -> Result<Option<Object>, WriteError> {
        match self.send(self.api(&key.namespace).get(&key.name)).await {
            Err(WriteError::Gone) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Whether the API server has this object under a label selector.
    pub async fn is_selected(&self, key: &Key, selector: &str) -> Result<bool, WriteError> {
        let api = self.api(&key.namespace);
        let params = ListParams::default()
            .labels(selector)
            .fields(&format!("metadata.name={}", key.name));
        Ok(!self.send(api.list(&params)).await?.items.is_empty())
    }

    /// Removes our finalizer. The live object is read first: it must be the same object. What is left
    /// of it then; `None` where it is gone.
    pub async fn remove_finalizer(&self, object: &Object) -> Result<Option<Object>, WriteError> {
        let live = match self.read(&object.key()).await? {
            Some(live) if live.uid() == object.uid() => live,
            Some(_) | None => return Ok(None),
        };
        if !live.has_finalizer() {
            return Ok(Some(live));
        }
        let finalizers = live
            .finalizers()
            .iter()
            .filter(|f| *f != FINALIZER)
            .cloned()
            .collect();
        match self.write_finalizers(&live, finalizers).await {
            Ok(left) => Ok(Some(left)),
            Err(WriteError::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Guarded by the resource version that was read, as others may have finalizers too.
    async fn write_finalizers(
        &self,
        object: &Object,
        finalizers: Vec<String>,
    ) -> Result<Object, WriteError> {
        let Key { namespace, name } = object.key();
        let patch = json!({ "metadata": {
            "uid": object.uid(),
            "resourceVersion": object.metadata.resource_version,
            "finalizers": finalizers,
        }});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.api(&namespace);
        self.send(api.patch(&name, &params, &Patch::Merge(patch)))
            .await
    }

    /// Publishes an event; `last` is the object's last one. A replica that leads no more publishes
    /// nothing.
    pub async fn publish_event(
        &self,
        object: &Object,
        event: &Event,
        now: Timestamp,
        last: &mut Option<LastEvent>,
    ) {
        if self.fence.permit(ATTEMPT_TIMEOUT).is_ok() {
            self.events.publish(object, event, now, last).await;
        }
    }

    fn api(&self, namespace: &str) -> Api<Object> {
        Api::namespaced(self.client.clone(), namespace)
    }

    async fn send<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, WriteError> {
        self.fence.permit(ATTEMPT_TIMEOUT)?;
        match tokio::time::timeout(ATTEMPT_TIMEOUT, call).await {
            Err(_elapsed) => Err(WriteError::TimedOut),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(WriteError::Gone),
            Ok(Err(error)) => Err(WriteError::Refused(Box::new(error))),
        }
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

#[cfg(test)]
mod tests;
