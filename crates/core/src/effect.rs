//! What IAM holds after a step. In: the state before, the step, IAM's reply; out: the state after.
//! No IO. So ids from replies reach status without another read, and plans can be tested by
//! carrying them out in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use crate::step::{PolicyStep, ProfileStep, Reply, RoleStep, Step, Target};

/// Carries one step out on `state`. A reply of another kind than its step's can't be made by the edge:
/// nothing is known then.
pub fn simulate(state: &mut Observed, step: &Step, reply: &Reply) {
    match step {
        Step::Role(step) => on_role(&mut state.role, step, reply),
        Step::Policy(step) => on_policy(&mut state.policy, step, reply),
        Step::InstanceProfile(step) => on_profile(&mut state.instance_profile, step, reply),
        Step::Tag { target, tags } => {
            if let Some(all) = tags_of(state, target) {
                for (key, value) in tags {
                    // IAM keeps the key of a role's tag as it was first spelled.
                    let spelled = existing_key(all, key, target).unwrap_or_else(|| key.clone());
                    all.insert(spelled, value.clone());
                }
            }
        }
        Step::Untag { target, keys } => {
            if let Some(all) = tags_of(state, target) {
                all.retain(|key, _| !keys.contains(key));
            }
        }
    }
}

fn on_role(state: &mut Option<ObservedRole>, step: &RoleStep, reply: &Reply) {
    match step {
        RoleStep::Create {
            path: _,
            name,
            trust,
            description,
            max_session_duration,
            boundary,
            tags,
        } => {
            if let Reply::Created { arn, id } = reply {
                *state = Some(ObservedRole {
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
        }
        RoleStep::Delete { .. } => *state = None,
        RoleStep::AttachPolicy { .. }
        | RoleStep::DetachPolicy { .. }
        | RoleStep::PutPolicy { .. }
        | RoleStep::DeletePolicy { .. }
        | RoleStep::UpdateTrust { .. }
        | RoleStep::Update { .. }
        | RoleStep::PutBoundary { .. } => {
            if let Some(role) = state {
                change_role(role, step);
            }
        }
    }
}

fn change_role(role: &mut ObservedRole, step: &RoleStep) {
    match step {
        RoleStep::AttachPolicy { policy_arn, .. } => {
            role.attached.insert(policy_arn.clone());
        }
        RoleStep::DetachPolicy { policy_arn, .. } => {
            role.attached.remove(policy_arn);
        }
        RoleStep::PutPolicy {
            policy, document, ..
        } => {
            role.inline.insert(policy.clone(), Some(document.clone()));
        }
        RoleStep::DeletePolicy { policy, .. } => {
            role.inline.remove(policy);
        }
        RoleStep::UpdateTrust { trust, .. } => role.trust.clone_from(trust),
        RoleStep::Update {
            description,
            max_session_duration,
            ..
        } => {
            role.description.clone_from(description);
            role.max_session_duration = *max_session_duration;
        }
        RoleStep::PutBoundary { boundary, .. } => role.boundary = Some(boundary.clone()),
        RoleStep::Create { .. } | RoleStep::Delete { .. } => {}
    }
}

fn on_policy(state: &mut Option<ObservedPolicy>, step: &PolicyStep, reply: &Reply) {
    match step {
        PolicyStep::Create {
            path: _,
            name,
            document,
            description: _,
            tags,
        } => {
            if let Reply::Created { arn, id } = reply {
                *state = Some(ObservedPolicy {
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
        }
        PolicyStep::CreateVersion { document, .. } => {
            if let (Some(policy), Reply::Version(version)) = (state, reply) {
                policy.versions.insert(version.clone());
                policy.default_version.clone_from(version);
                policy.document.clone_from(document);
            }
        }
        PolicyStep::DeleteVersion { version, .. } => {
            if let Some(policy) = state {
                policy.versions.remove(version);
            }
        }
        PolicyStep::Delete { .. } => *state = None,
    }
}

fn on_profile(state: &mut Option<ObservedInstanceProfile>, step: &ProfileStep, reply: &Reply) {
    match step {
        ProfileStep::Create {
            path: _,
            name,
            tags,
        } => {
            if let Reply::Created { arn, id } = reply {
                *state = Some(ObservedInstanceProfile {
                    arn: arn.clone(),
                    id: id.clone(),
                    name: name.clone(),
                    tags: tags.clone(),
                    created: None,
                    roles: BTreeSet::new(),
                });
            }
        }
        ProfileStep::AddRole { role, .. } => {
            if let Some(profile) = state {
                profile.roles.insert(role.clone());
            }
        }
        ProfileStep::RemoveRole { role, .. } => {
            if let Some(profile) = state {
                profile.roles.remove(role);
            }
        }
        ProfileStep::Delete { .. } => *state = None,
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
