//! A `SessionManagerRole` as the controller watches it: metadata always, spec and status as far as
//! they can be understood. No IO. One object that an older or newer schema let in must neither
//! stop the watch nor its own deletion.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use smr_api::{
    ConditionStatus, ConditionType, DeletionPolicy, FINALIZER, Key, Mode, PAUSED_ANNOTATION, Pause,
    RECONCILE_ANNOTATION, Reason, SessionManagerRole, SessionManagerRoleSpec,
    SessionManagerRoleStatus,
};
use smr_core::names::ObjectRef;

use crate::controller::queue::Namespaced;

impl Namespaced for Key {
    fn namespace(&self) -> &str {
        &self.namespace
    }
}

/// An object as it was read from the API server.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(inherit = SessionManagerRole)]
pub struct Object {
    /// As the API server has it, as far as it is of interest: see [`of_interest`].
    pub metadata: ObjectMeta,
    /// The spec, or why it can't be understood.
    pub spec: Result<SessionManagerRoleSpec, String>,
    /// What deletion needs to know even where the spec can't be understood.
    pub deletion_policy: DeletionPolicy,
    /// Mode Observe leaves IAM alone, at deletion too.
    pub mode: Mode,
    /// The status; one that can't be understood counts as lost.
    pub status: Option<SessionManagerRoleStatus>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            metadata: ObjectMeta,
            #[serde(default)]
            spec: Value,
            #[serde(default)]
            status: Value,
        }
        let Raw {
            metadata,
            spec,
            status,
        } = Raw::deserialize(deserializer)?;
        if metadata.name.is_none() || metadata.namespace.is_none() {
            return Err(D::Error::custom("metadata has no name or namespace"));
        }
        let status: Option<SessionManagerRoleStatus> = serde_json::from_value(status).ok();
        let ready = status
            .as_ref()
            .and_then(|s| s.condition(ConditionType::Ready));
        Ok(Self {
            metadata: of_interest(metadata, ready.is_none()),
            deletion_policy: deletion_policy(&spec),
            mode: spec
                .get("mode")
                .cloned()
                .and_then(|m| serde_json::from_value(m).ok())
                .unwrap_or_default(),
            spec: serde_json::from_value(spec).map_err(|error| error.to_string()),
            status,
        })
    }
}

/// What the controller asks of metadata. The rest may be large (managedFields, and the whole object
/// once more in what kubectl notes of it), and every object is kept in memory. When it was created says how
/// long it has waited, as long as no condition says so.
fn of_interest(metadata: ObjectMeta, waits: bool) -> ObjectMeta {
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.retain(|key, _| key == PAUSED_ANNOTATION || key == RECONCILE_ANNOTATION);
    ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp.filter(|_| waits),
        deletion_timestamp: metadata.deletion_timestamp,
        finalizers: metadata.finalizers,
        annotations: Some(annotations).filter(|kept| !kept.is_empty()),
        ..ObjectMeta::default()
    }
}

/// Absent means the default; a value that is not known may mean anything, so nothing is deleted.
fn deletion_policy(spec: &Value) -> DeletionPolicy {
    match spec.get("deletionPolicy") {
        None | Some(Value::Null) => DeletionPolicy::default(),
        Some(value) => serde_json::from_value(value.clone()).unwrap_or(DeletionPolicy::Retain),
    }
}

/// What wakes an object: nothing else in it changes what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    uid: Option<String>,
    generation: Option<i64>,
    pause: Pause,
    reconcile_request: Option<String>,
    deleting: bool,
}

impl Object {
    /// Takes over what the API server answered to a write. The spec stays the one that the pass began
    /// with: status is of that generation.
    pub fn refresh(&mut self, newer: Self) {
        self.metadata = ObjectMeta {
            generation: self.metadata.generation,
            ..newer.metadata
        };
        self.status = newer.status;
    }

    /// Its key.
    pub fn key(&self) -> Key {
        let ObjectMeta {
            namespace, name, ..
        } = &self.metadata;
        Key {
            namespace: namespace.clone().unwrap_or_default(),
            name: name.clone().unwrap_or_default(),
        }
    }

    /// As the core knows it.
    pub fn subject(&self) -> ObjectRef {
        let Key { namespace, name } = self.key();
        ObjectRef {
            namespace,
            name,
            uid: self.uid().to_owned(),
        }
    }

    /// metadata.uid
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// metadata.generation
    pub fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }

    /// The status, where the controller has written one: the API server's default is none.
    pub fn written_status(&self) -> Option<&SessionManagerRoleStatus> {
        self.status
            .as_ref()
            .filter(|status| status.observed_generation >= 0 || !status.conditions.is_empty())
    }

    /// Whether someone asked for nothing to be done.
    pub fn pause(&self) -> Pause {
        Pause::of(self.annotation(PAUSED_ANNOTATION))
    }

    /// The value of the annotation that asks for a look now.
    pub fn reconcile_request(&self) -> Option<&str> {
        self.annotation(RECONCILE_ANNOTATION)
    }

    /// Whether it is on its way out.
    pub fn is_deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether our finalizer holds it.
    pub fn has_finalizer(&self) -> bool {
        self.metadata
            .finalizers
            .iter()
            .flatten()
            .any(|f| f == FINALIZER)
    }

    /// Whether nothing is left to do, as far as the object itself tells: its status is of this
    /// generation, converged (or told, in mode Observe), and every request is answered.
    pub fn is_in_sync(&self) -> bool {
        let Some(status) = self.written_status() else {
            return false;
        };
        let holds = |type_: ConditionType| {
            let found = status.condition(type_);
            found.is_some_and(|c| c.status == ConditionStatus::True.as_str())
        };
        let observes = self.mode == Mode::Observe;
        status.observed_generation == self.generation()
            && (holds(ConditionType::Ready)
                || (observes && status.reason() == Some(Reason::Drifted)))
            && !holds(ConditionType::Paused)
            && self.pause() == Pause::No
            && !self.is_deleting()
            && (observes || self.has_finalizer())
            && (self.reconcile_request())
                .is_none_or(|request| status.last_handled_reconcile_at.as_deref() == Some(request))
    }

    /// Whether a pass would do anything: not where someone paused it, nor where only others hold what
    /// is on its way out.
    pub fn is_to_be_worked_on(&self) -> bool {
        self.pause() == Pause::No && (!self.is_deleting() || self.has_finalizer())
    }

    /// What wakes it.
    pub fn trigger(&self) -> Trigger {
        Trigger {
            uid: self.metadata.uid.clone(),
            generation: self.metadata.generation,
            pause: self.pause(),
            reconcile_request: self.reconcile_request().map(str::to_owned),
            deleting: self.is_deleting(),
        }
    }

    /// For events.
    pub fn reference(&self) -> ObjectReference {
        self.object_ref(&())
    }

    /// Whether `self` was read later than `other`. Resource versions of one kind are numbers that
    /// grow (KEP-5504); where they are not, the other is taken for older.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let version = |object: &Self| {
            object
                .metadata
                .resource_version
                .as_deref()
                .and_then(|v| v.parse::<u64>().ok())
        };
        match (version(self), version(other)) {
            (Some(mine), Some(others)) => mine > others,
            (None, _) | (_, None) => true,
        }
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata
            .annotations
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }
}

#[cfg(test)]
pub(in crate::controller) mod tests {
    use super::*;

    pub fn object(yaml: &str) -> Object {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn what_can_not_be_understood_is_still_an_object() {
        let object = object(
            "{metadata: {name: a, namespace: b, managedFields: [{manager: x}]}, spec: {mode: Dream, deletionPolicy: Shred}, status: {observedGeneration: -1}}",
        );
        assert!(object.spec.unwrap_err().contains("`Shred`"));
        assert_eq!(object.deletion_policy, DeletionPolicy::Retain);
        assert_eq!(object.mode, Mode::Enforce);
        assert!(object.metadata.managed_fields.is_none());
    }

    #[test]
    fn the_api_servers_default_is_no_status_of_ours() {
        let fresh = object(
            "{metadata: {name: a, namespace: b}, spec: {}, status: {observedGeneration: -1}}",
        );
        assert!(fresh.written_status().is_none());
    }

    #[test]
    fn an_own_status_write_wakes_nobody() {
        let before = object(
            "{metadata: {name: a, namespace: b, uid: u, generation: 1, resourceVersion: '5'}, spec: {}}",
        );
        let after = object(
            "{metadata: {name: a, namespace: b, uid: u, generation: 1, resourceVersion: '6'}, spec: {}, status: {observedGeneration: 1}}",
        );
        assert_eq!(before.trigger(), after.trigger());
        assert!(after.is_newer_than(&before));
    }

    #[test]
    fn a_request_is_open_until_it_is_answered() {
        let settled = |annotations: &str| {
            let object = object(&format!(
                "metadata: {{name: a, namespace: b, generation: 1, finalizers: [{FINALIZER}], annotations: {annotations}}}
spec: {{}}
status:
  observedGeneration: 1
  lastHandledReconcileAt: monday
  conditions: [{{type: Ready, status: 'True', reason: Converged, message: m, lastTransitionTime: '2026-01-02T03:04:05Z'}}]"
            ));
            object.is_in_sync()
        };
        assert!(settled(&format!("{{{RECONCILE_ANNOTATION}: monday}}")));
        assert!(!settled(&format!("{{{RECONCILE_ANNOTATION}: tuesday}}")));
        // Someone has taken the annotation away: nothing is asked.
        assert!(settled("{}"));
    }
}
