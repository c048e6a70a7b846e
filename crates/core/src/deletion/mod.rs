//! Deletion. In: names, ids and tags that prove ownership, what IAM holds and who else uses it;
//! out: ordered steps, or what stands in the way. No IO. It needs no valid spec.

mod late;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use smr_api::{AdoptionPolicy, DeletionPolicy, Tags};

use crate::names::Names;
use crate::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use crate::ownership::{CLUSTER_UID, Identity, KEYS, Ownership, RETAINED_FROM, TAGS_MAX, prove};
use crate::plan::{Plan, Recorded, RecordedObject};
use crate::step::{PolicyStep, ProfileStep, RoleStep, Step, Target};

pub use late::Leaving;

/// A role used more recently than this is in use, for `DeleteUnused`.
const UNUSED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Who else uses the role and the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Names of all instance profiles that the role is in.
    pub role_in_profiles: BTreeSet<String>,
    /// Who has the managed policy, attached or as a permissions boundary.
    pub policy_users: BTreeSet<PolicyUser>,
}

/// A user, group or role that has a managed policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyUser {
    /// By name.
    Role(String),
    /// By name.
    User(String),
    /// By name.
    Group(String),
}

/// What deletion comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Nothing in IAM is ours: nothing to delete.
    Release,
    /// These steps, then all of ours is gone.
    Delete(Plan),
    /// These steps, then all of it stays, without our tags.
    Retain(Plan),
    /// Nothing is written; each sentence names what stands in the way.
    Blocked(Vec<String>),
}

/// Those of the three objects that are proven ours.
struct Ours<'a> {
    role: Option<&'a ObservedRole>,
    policy: Option<&'a ObservedPolicy>,
    profile: Option<&'a ObservedInstanceProfile>,
}

/// What has to be done so that nothing of ours is left.
pub fn plan_deletion(
    identity: &Identity,
    names: &Names,
    recorded: &Recorded,
    observed: &Observed,
    users: &Usage,
    policy: DeletionPolicy,
    now: Timestamp,
) -> Deletion {
    let is_ours = |recorded: Option<&RecordedObject>, id: &str, tags: &Tags| {
        let standing = prove(
            identity,
            AdoptionPolicy::Never,
            recorded.map(|r| r.id.as_str()),
            id,
            tags,
        );
        matches!(standing, Ownership::Ours(_))
    };
    let ours = Ours {
        role: observed
            .role
            .as_ref()
            .filter(|r| is_ours(recorded.role.as_ref(), &r.id, &r.tags)),
        policy: observed
            .policy
            .as_ref()
            .filter(|p| is_ours(recorded.policy.as_ref(), &p.id, &p.tags)),
        profile: (observed.instance_profile.as_ref())
            .filter(|p| is_ours(recorded.instance_profile.as_ref(), &p.id, &p.tags)),
    };
    if ours.role.is_none() && ours.policy.is_none() && ours.profile.is_none() {
        return Deletion::Release;
    }
    match policy {
        DeletionPolicy::Retain => Deletion::Retain(retain(&ours, identity)),
        DeletionPolicy::Delete | DeletionPolicy::DeleteUnused => {
            let mut in_the_way = in_the_way(&ours, names, observed, users);
            if policy == DeletionPolicy::DeleteUnused
                && let Some(role) = ours.role.filter(|role| used_recently(role, now))
            {
                in_the_way.push(format!(
                    "the role {} was used within the last 24 hours: stop its use and wait, or set spec.deletionPolicy to Delete",
                    role.arn
                ));
            }
            if in_the_way.is_empty() {
                Deletion::Delete(delete(&ours))
            } else {
                Deletion::Blocked(in_the_way)
            }
        }
    }
}

fn used_recently(role: &ObservedRole, now: Timestamp) -> bool {
    role.last_used
        .is_some_and(|used| now.duration_since(used) < UNUSED_AFTER)
}

fn in_the_way(ours: &Ours, names: &Names, observed: &Observed, users: &Usage) -> Vec<String> {
    let mut sentences = Vec::new();
    // What was deleted a moment ago may still be listed as a user.
    let gone = |name: &str, own: &str, is_there: bool| !is_there && name.eq_ignore_ascii_case(own);
    let role_is_gone = |name: &str| gone(name, &names.role, observed.role.is_some());
    let profile_is_gone = |name: &str| {
        gone(
            name,
            &names.instance_profile,
            observed.instance_profile.is_some(),
        )
    };
    if let Some(role) = ours.role {
        let own = ours.profile.map(|p| p.name.as_str());
        for profile in users
            .role_in_profiles
            .iter()
            .filter(|name| Some(name.as_str()) != own && !profile_is_gone(name))
        {
            sentences.push(format!("the role {} is in the instance profile {profile}, which is not ours: take it out there", role.arn));
        }
    }
    if let Some(policy) = ours.policy {
        for user in &users.policy_users {
            let who = match user {
                PolicyUser::Role(name)
                    if role_is_gone(name) || ours.role.is_some_and(|role| role.name == *name) =>
                {
                    continue;
                }
                PolicyUser::Role(name) => format!("role {name}"),
                PolicyUser::User(name) => format!("user {name}"),
                PolicyUser::Group(name) => format!("group {name}"),
            };
            sentences.push(format!(
                "the policy {} is used by the {who}, which is not ours: detach it there",
                policy.arn
            ));
        }
    }
    sentences
}

fn delete(ours: &Ours) -> Plan {
    let mut first = Vec::new();
    let mut then = Vec::new();
    if let Some(profile) = ours.profile {
        for role in &profile.roles {
            first.push(Step::InstanceProfile(ProfileStep::RemoveRole {
                profile: profile.name.clone(),
                role: role.clone(),
            }));
        }
        then.push(Step::InstanceProfile(ProfileStep::Delete {
            profile: profile.name.clone(),
        }));
    }
    if let Some(role) = ours.role {
        for policy_arn in &role.attached {
            first.push(Step::Role(RoleStep::DetachPolicy {
                role: role.name.clone(),
                policy_arn: policy_arn.clone(),
            }));
        }
        for policy in role.inline.keys() {
            first.push(Step::Role(RoleStep::DeletePolicy {
                role: role.name.clone(),
                policy: policy.clone(),
            }));
        }
        then.push(Step::Role(RoleStep::Delete {
            role: role.name.clone(),
        }));
    }
    if let Some(policy) = ours.policy {
        for version in policy
            .versions
            .iter()
            .filter(|v| **v != policy.default_version)
        {
            first.push(Step::Policy(PolicyStep::DeleteVersion {
                policy_arn: policy.arn.clone(),
                version: version.clone(),
            }));
        }
        then.push(Step::Policy(PolicyStep::Delete {
            policy_arn: policy.arn.clone(),
        }));
    }
    Plan {
        stages: [first, then]
            .into_iter()
            .filter(|stage| !stage.is_empty())
            .collect(),
    }
}

/// What it was of is put on before our tags go; the role last, as it is the one that people look for.
fn retain(ours: &Ours, identity: &Identity) -> Plan {
    let role = ours.role.map(|r| (Target::Role(r.name.clone()), &r.tags));
    let policy = ours
        .policy
        .map(|p| (Target::Policy(p.arn.clone()), &p.tags));
    let profile = (ours.profile).map(|p| (Target::InstanceProfile(p.name.clone()), &p.tags));
    let others: Vec<_> = policy.into_iter().chain(profile).collect();
    let untag = |target: &Target, keys: &[&str]| Step::Untag {
        target: target.clone(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    let (mut room, mut named) = (Vec::new(), Vec::new());
    for (target, tags) in others.iter().chain(&role) {
        if tags.get(RETAINED_FROM) == Some(&identity.full_name()) {
            continue;
        }
        // What others have added may leave no room. Without this one it is ours still.
        if tags.len() >= TAGS_MAX {
            room.push(untag(target, &[CLUSTER_UID]));
        }
        named.push(Step::Tag {
            target: target.clone(),
            tags: [(RETAINED_FROM.to_owned(), identity.full_name())].into(),
        });
    }
    let release = |(target, _): &(Target, _)| untag(target, &KEYS);
    let (others, role) = (others.iter().map(release), role.iter().map(release));
    let stages = [room, named, others.collect(), role.collect()];
    Plan {
        stages: stages
            .into_iter()
            .filter(|stage| !stage.is_empty())
            .collect(),
    }
}

#[cfg(test)]
mod tests;
