//! An object as the store keeps it: one piece of memory. Object in, packed out, and back. No IO.
//! Its strings and maps are dozens of small pieces otherwise, and thousands of objects keep as many
//! pages from going back to the system, long after what lay beside them is gone.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use smr_api::{DeletionPolicy, Mode, SessionManagerRoleSpec, SessionManagerRoleStatus};

use super::object::Object;

/// An object in one piece, where that loses nothing.
#[derive(Debug)]
pub struct Packed(Form);

#[derive(Debug)]
enum Form {
    /// JSON that reads back as the very same object.
    Piece(Box<[u8]>),
    /// Something in it has no such JSON: a time of nanoseconds, say.
    Whole(Box<Object>),
}

/// An object field by field, other than the API server has it: what could not be understood too.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Object")]
struct Fields {
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
            Some(_) | None => Self(Form::Whole(Box::new(object))),
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
    let mut bytes = Vec::new();
    Fields::serialize(object, &mut serde_json::Serializer::new(&mut bytes)).ok()?;
    Some(bytes.into_boxed_slice())
}

fn read(piece: &[u8]) -> Option<Object> {
    Fields::deserialize(&mut serde_json::Deserializer::from_slice(piece)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::cache::object_from as object;

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
