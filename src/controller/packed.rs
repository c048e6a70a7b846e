//! An object as the store keeps it: one piece of memory. Object in, packed out, and back. No IO.
//! Its strings and maps are dozens of small pieces otherwise, and thousands of objects keep as many
//! pages from going back to the system, long after what lay beside them is gone.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use smr_api::{DeletionPolicy, Mode, SessionManagerRoleSpec, SessionManagerRoleStatus};

use super::object::Object;

/// An object in one piece, where that loses nothing.
#[derive(Clone, Debug)]
pub struct Packed(Form);

#[derive(Clone, Debug)]
enum Form {
    /// JSON that reads back as the very same object.
    Piece(Box<[u8]>),
    /// Something in it has no such JSON: a time of nanoseconds, say.
    Whole(Arc<Object>),
}

#[derive(Serialize)]
struct Written<'a> {
    metadata: &'a ObjectMeta,
    spec: &'a Result<SessionManagerRoleSpec, String>,
    deletion_policy: DeletionPolicy,
    mode: Mode,
    status: Option<&'a SessionManagerRoleStatus>,
}

#[derive(Deserialize)]
struct Read {
    metadata: ObjectMeta,
    spec: Result<SessionManagerRoleSpec, String>,
    deletion_policy: DeletionPolicy,
    mode: Mode,
    status: Option<SessionManagerRoleStatus>,
}

impl Packed {
    /// Packs.
    pub fn new(object: Object) -> Self {
        match piece(&object) {
            Some(piece) if read(&piece).as_ref() == Some(&object) => Self(Form::Piece(piece)),
            Some(_) | None => Self(Form::Whole(Arc::new(object))),
        }
    }

    /// Unpacks. What [`Self::new`] has read back reads back again, so there is always an object.
    pub fn object(&self) -> Option<Object> {
        match &self.0 {
            Form::Piece(piece) => read(piece),
            Form::Whole(object) => Some(Object::clone(object)),
        }
    }
}

fn piece(object: &Object) -> Option<Box<[u8]>> {
    let written = Written {
        metadata: &object.metadata,
        spec: &object.spec,
        deletion_policy: object.deletion_policy,
        mode: object.mode,
        status: object.status.as_ref(),
    };
    let bytes = serde_json::to_vec(&written).ok()?;
    Some(bytes.into_boxed_slice())
}

fn read(piece: &[u8]) -> Option<Object> {
    let read: Read = serde_json::from_slice(piece).ok()?;
    Some(Object {
        metadata: read.metadata,
        spec: read.spec,
        deletion_policy: read.deletion_policy,
        mode: read.mode,
        status: read.status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(yaml: &str) -> Object {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn is_piece(packed: &Packed) -> bool {
        matches!(packed.0, Form::Piece(_))
    }

    #[test]
    fn objects_come_back_as_they_were() {
        for yaml in [
            "{metadata: {name: a, namespace: b}, spec: {}}",
            "{metadata: {name: a, namespace: b}, spec: {mode: Dream, deletionPolicy: Shred}, status: 7}",
            "metadata:
  {name: a, namespace: b, uid: u, resourceVersion: '7', generation: 3, finalizers: [x/y],
   deletionTimestamp: '2026-01-02T03:04:05Z', annotations: {sessionmanager.dev/paused: 'true'}}
spec:
  mode: Observe
  deletionPolicy: Retain
  tags: {team: a}
  sessionLogs: {s3: {bucket: logs, keyPrefix: web}, cloudWatch: {}}
status:
  observedGeneration: 3
  conditions:
  - {type: Ready, status: 'True', reason: Converged, message: m, observedGeneration: 3,
     lastTransitionTime: '2026-01-02T03:04:05Z'}
  drift: [{object: Role, field: tags, message: m}]
  lastDrift: {time: '2026-01-02T03:04:05Z', message: m, repaired: true}",
        ] {
            let object = object(yaml);
            let packed = Packed::new(object.clone());
            assert!(is_piece(&packed), "{yaml}");
            assert_eq!(packed.object().unwrap(), object, "{yaml}");
        }
    }

    #[test]
    fn what_json_would_lose_is_kept_whole() {
        let object = object(
            "{metadata: {name: a, namespace: b}, spec: {}, status: {observedGeneration: 1, lastDrift: {time: '2026-01-02T03:04:05.000000006Z', message: m, repaired: true}}}",
        );
        let packed = Packed::new(object.clone());
        assert!(!is_piece(&packed));
        assert_eq!(packed.object().unwrap(), object);
    }
}
