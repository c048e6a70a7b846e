//! What IAM holds after a step. In: the state before, the step, IAM's reply; out: the state after.
//! No IO. So ids from replies reach status without another read, and plans can be tested by
//! carrying them out in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use crate::step::{Reply, Step, Target};

/// Carries one step out on `state`.
pub fn carry_out(state: &mut Observed, step: &Step, reply: &Reply) {
    match (step, reply) {
        (
            Step::CreateRole {
                name,
                trust,
                description,
                max_session_duration,
                boundary,
                tags,
                ..
            },
            Reply::Created { arn, id },
        ) => {
            state.role = Some(ObservedRole {
                arn: arn.clone(),
                id: id.clone(),
                name: name.clone(),
                trust: trust.clone(),
                description: description.clone(),
                max_session_duration: *max_session_duration,
                boundary: boundary.clone(),
                tags: tags.clone(),
                last_used: None,
                created: None,
                attached: BTreeSet::new(),
                inline: BTreeMap::new(),
            });
        }
        (
            Step::CreatePolicy {
                name,
                document,
                tags,
                ..
            },
            Reply::Created { arn, id },
        ) => {
            state.policy = Some(ObservedPolicy {
                arn: arn.clone(),
                id: id.clone(),
                name: name.clone(),
                tags: tags.clone(),
                created: None,
                default_version: "v1".to_owned(),
                document: document.clone(),
                versions: ["v1".to_owned()].into(),
            });
        }
        (Step::CreateInstanceProfile { name, tags, .. }, Reply::Created { arn, id }) => {
            state.instance_profile = Some(ObservedInstanceProfile {
                arn: arn.clone(),
                id: id.clone(),
                name: name.clone(),
                tags: tags.clone(),
                created: None,
                roles: BTreeSet::new(),
            });
        }
        (Step::CreatePolicyVersion { document, .. }, Reply::Version(version)) => {
            if let Some(policy) = &mut state.policy {
                policy.versions.insert(version.clone());
                policy.default_version.clone_from(version);
                policy.document.clone_from(document);
            }
        }
        // A reply of another kind than its step's can't be made by the edge; nothing is known then.
        (
            Step::CreateRole { .. }
            | Step::CreatePolicy { .. }
            | Step::CreateInstanceProfile { .. }
            | Step::CreatePolicyVersion { .. },
            Reply::Created { .. } | Reply::Version(_) | Reply::Done,
        ) => {}
        (Step::DeletePolicyVersion { version, .. }, _) => {
            if let Some(policy) = &mut state.policy {
                policy.versions.remove(version);
            }
        }
        (Step::DeletePolicy { .. }, _) => state.policy = None,
        (Step::DeleteRole { .. }, _) => state.role = None,
        (Step::DeleteInstanceProfile { .. }, _) => state.instance_profile = None,
        (Step::AddRoleToInstanceProfile { role, .. }, _) => {
            if let Some(profile) = &mut state.instance_profile {
                profile.roles.insert(role.clone());
            }
        }
        (Step::RemoveRoleFromInstanceProfile { role, .. }, _) => {
            if let Some(profile) = &mut state.instance_profile {
                profile.roles.remove(role);
            }
        }
        (Step::Tag { target, tags }, _) => {
            if let Some(all) = tags_of(state, target) {
                for (key, value) in tags {
                    // IAM keeps the key of a role's tag as it was first spelled.
                    let spelled = existing_key(all, key, target).unwrap_or_else(|| key.clone());
                    all.insert(spelled, value.clone());
                }
            }
        }
        (Step::Untag { target, keys }, _) => {
            if let Some(all) = tags_of(state, target) {
                all.retain(|key, _| !keys.contains(key));
            }
        }
        (
            Step::AttachRolePolicy { .. }
            | Step::DetachRolePolicy { .. }
            | Step::PutRolePolicy { .. }
            | Step::DeleteRolePolicy { .. }
            | Step::UpdateAssumeRolePolicy { .. }
            | Step::UpdateRole { .. }
            | Step::PutRolePermissionsBoundary { .. },
            _,
        ) => {
            if let Some(role) = &mut state.role {
                change_role(role, step);
            }
        }
    }
}

fn change_role(role: &mut ObservedRole, step: &Step) {
    match step {
        Step::AttachRolePolicy { policy_arn, .. } => {
            role.attached.insert(policy_arn.clone());
        }
        Step::DetachRolePolicy { policy_arn, .. } => {
            role.attached.remove(policy_arn);
        }
        Step::PutRolePolicy {
            policy, document, ..
        } => {
            role.inline.insert(policy.clone(), Some(document.clone()));
        }
        Step::DeleteRolePolicy { policy, .. } => {
            role.inline.remove(policy);
        }
        Step::UpdateAssumeRolePolicy { trust, .. } => role.trust.clone_from(trust),
        Step::UpdateRole {
            description,
            max_session_duration,
            ..
        } => {
            role.description.clone_from(description);
            role.max_session_duration = *max_session_duration;
        }
        Step::PutRolePermissionsBoundary { boundary, .. } => role.boundary = Some(boundary.clone()),
        Step::CreateRole { .. }
        | Step::CreatePolicy { .. }
        | Step::CreateInstanceProfile { .. }
        | Step::AddRoleToInstanceProfile { .. }
        | Step::RemoveRoleFromInstanceProfile { .. }
        | Step::CreatePolicyVersion { .. }
        | Step::DeletePolicyVersion { .. }
        | Step::Tag { .. }
        | Step::Untag { .. }
        | Step::DeleteRole { .. }
        | Step::DeletePolicy { .. }
        | Step::DeleteInstanceProfile { .. } => {}
    }
}

fn tags_of<'a>(state: &'a mut Observed, target: &Target) -> Option<&'a mut smr_api::Tags> {
    match target {
        Target::Role(_) => state.role.as_mut().map(|r| &mut r.tags),
        Target::Policy(_) => state.policy.as_mut().map(|p| &mut p.tags),
        Target::InstanceProfile(_) => state.instance_profile.as_mut().map(|p| &mut p.tags),
    }
}

fn existing_key(all: &smr_api::Tags, key: &str, target: &Target) -> Option<String> {
    match target {
        Target::Role(_) => all.keys().find(|k| k.eq_ignore_ascii_case(key)).cloned(),
        Target::Policy(_) | Target::InstanceProfile(_) => None,
    }
}

#[cfg(test)]
mod tests;
