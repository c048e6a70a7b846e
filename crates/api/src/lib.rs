//! The `SessionManagerRole` resource: what users write (`spec`) and read (`status`), and its CRD.
//! Types and schema only; no IO.

mod crd;
pub mod forms;
pub mod labels;
mod reasons;
mod rules;
mod schema;
mod spec;
mod status;

pub use crd::{CrdError, crd, crd_yaml};
pub use reasons::{ConditionStatus, ConditionType, Deed, DriftField, EventReason, Reason};
pub use spec::*;
pub use status::*;

/// The API group, also the prefix of our annotations, finalizer and IAM tags.
pub const GROUP: &str = "sessionmanager.dev";
/// The one field manager of the controller.
pub const FIELD_MANAGER: &str = "session-manager-role";
/// Held while IAM objects of ours may exist; removed once they are gone or proven not ours.
pub const FINALIZER: &str = "sessionmanager.dev/iam-cleanup";
/// Annotation: `"true"` stops everything, nothing in IAM is read or written.
pub const PAUSED_ANNOTATION: &str = "sessionmanager.dev/paused";
/// What the annotation [`PAUSED_ANNOTATION`] asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pause {
    /// It is absent or `false`.
    No,
    /// It is `true`.
    Yes,
    /// It is neither, so nobody knows what the author meant: nothing is written to IAM.
    Unclear(String),
}

impl Pause {
    /// Reads the annotation's value.
    pub fn of(value: Option<&str>) -> Self {
        match value {
            None | Some("false") => Self::No,
            Some("true") => Self::Yes,
            Some(other) => Self::Unclear(other.to_owned()),
        }
    }
}

/// Where an object is in the cluster; what client-go calls its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// metadata.namespace
    pub namespace: String,
    /// metadata.name
    pub name: String,
}

/// Annotation: any new value asks for a look now, answered in `status.lastHandledReconcileAt`.
pub const RECONCILE_ANNOTATION: &str = "sessionmanager.dev/reconcile-requested-at";
