//! What has to hold before an IAM object is created, also where it is created again: names and path. In: spec, the
//! names that were resolved, limits, what is live in IAM; out: what stands against a Create call. No IO.
//!
//! What exists is not judged by it: an operator who changes a flag breaks nothing that is there.

use smr_api::SessionManagerRoleSpec;

use super::{Invalid, Problems};
use crate::limits::Limits;
use crate::names::{Live, Names, ObjectRef, other_namespace};

/// What stands against a Create call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// What people have to change first.
    pub problems: Vec<Invalid>,
    /// The path is the word of status alone, which others can write: IAM has to say where the objects are.
    pub path_is_hearsay: bool,
}

/// Judges names and path for a creation.
pub fn creation(
    spec: &SessionManagerRoleSpec,
    subject: &ObjectRef,
    names: &Names,
    limits: &Limits,
    live: Option<&Live>,
) -> Creation {
    let mut problems = Problems::default();
    let asked = [
        (
            "spec.role.name",
            spec.role.as_ref().and_then(|r| r.name.as_deref()),
        ),
        (
            "spec.policy.name",
            spec.policy.as_ref().and_then(|p| p.name.as_deref()),
        ),
        (
            "spec.instanceProfile.name",
            spec.instance_profile
                .as_ref()
                .and_then(|p| p.name.as_deref()),
        ),
    ];
    for (field, name) in asked {
        if let Some(name) = name
            && let Some(other) = other_namespace(name, subject, limits)
        {
            problems.add(field, other);
        }
    }
    if let Some(path) = spec.path.as_ref().filter(|path| !limits.allows_path(path)) {
        problems.add(
            "spec.path",
            format!(
                "{path} is not among the paths that this controller may use ({}). Ask the operator for --allow-path {path}, or delete this object and create it without spec.path",
                limits.paths().join(", ")
            ),
        );
    }
    let is_proven = live.is_some_and(|live| live.path.as_deref() == Some(&names.path));
    Creation {
        path_is_hearsay: spec.path.is_none() && !limits.allows_path(&names.path) && !is_proven,
        problems: problems.0,
    }
}
