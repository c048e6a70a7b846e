//! Every write to the Kubernetes API: status, finalizer, events. In: what to write; out: the object
//! as the API server then has it. Does network IO; each write is fenced and has a time-out.

use std::future::Future;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use smr_api::{FIELD_MANAGER, FINALIZER, SessionManagerRole, SessionManagerRoleStatus};
use smr_core::summary::Event;

use super::events::{Teller, Told};
use super::lease::{Fence, NotLeader};
use super::object::{Key, Object};

/// kube sets no time-out on an answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

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
    teller: Teller,
}

impl Cluster {
    /// Events name `instance` as the one who tells.
    pub fn new(client: Client, fence: Fence, instance: String) -> Self {
        Self {
            teller: Teller::new(client.clone(), instance),
            client,
            fence,
        }
    }

    /// Writes the status, if the object still is the one that was read.
    pub async fn write_status(
        &self,
        object: &Object,
        status: &SessionManagerRoleStatus,
    ) -> Result<Object, WriteError> {
        let Key { namespace, name } = object.key();
        let patch = json!({
            "apiVersion": SessionManagerRole::api_version(&()),
            "kind": SessionManagerRole::kind(&()),
            // Another uid makes the API server refuse: the status is of this object only.
            "metadata": { "name": name, "uid": object.uid() },
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

    /// Takes our finalizer off. The live object is read first: it must be the same object.
    pub async fn remove_finalizer(&self, object: &Object) -> Result<(), WriteError> {
        let Key { namespace, name } = object.key();
        let live = match self.send(self.api(&namespace).get(&name)).await {
            Err(WriteError::Gone) => return Ok(()),
            other => other?,
        };
        if live.uid() != object.uid() || !live.has_finalizer() {
            return Ok(());
        }
        let finalizers = live
            .finalizers()
            .iter()
            .filter(|f| *f != FINALIZER)
            .cloned()
            .collect();
        match self.write_finalizers(&live, finalizers).await {
            Ok(_) | Err(WriteError::Gone) => Ok(()),
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

    /// Tells an event; `told` is the object's last one.
    pub async fn tell(&self, object: &Object, event: &Event, told: &mut Option<Told>) {
        self.teller.tell(object, event, told).await;
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
