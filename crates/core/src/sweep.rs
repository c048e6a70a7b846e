//! A bulk reading → which objects need a look. In: what a sweep read of the account, what an object
//! should be and what its status says; out: in sync, or why to look. No IO.
//!
//! A bulk reading leaves parts out. What it does not show is taken for as it should be: a sweep
//! only ever asks for a look, and the look reads everything, proves ownership and decides.

mod coverage;
mod in_sync;
mod item;
mod round_robin;

use std::collections::{BTreeMap, BTreeSet};

use smr_api::{Mode, SessionManagerRoleStatus, Tags};

use crate::kind::Kind;
use crate::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use crate::plan::{INLINE, POLICY_OVERLAP, Recorded, plan};
use crate::resolve::Resolved;
use crate::resolve::desired::{Desired, PolicyHome};

pub use coverage::Coverage;
pub use in_sync::InSyncCache;
pub use item::{BulkItem, is_told_of, part_needs_look, parts, tags_need_look};
pub use round_robin::RoundRobin;

/// Calls that a look at one object on its own takes: three for the role, three for the policy, one
/// for the instance profile.
pub const CALLS_PER_LOOK: usize = 7;
/// Reads of tags in one sweep, which no list gives.
pub const TAG_READS: usize = 4;
/// Where lists show only a part, every object is looked at on its own once in so many sweeps.
pub const SWEEPS_PER_LOOK: usize = 10;

/// A way to read the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// `GetAccountAuthorizationDetails`, `ListRoles` and `ListInstanceProfiles`: everything but the
    /// tags of policies and profiles.
    AccountDetails,
    /// `ListRoles`, `ListPolicies` and `ListInstanceProfiles` of our paths.
    Lists,
    /// Each object on its own: cheapest where there are few of ours among many others.
    OneByOne,
}

/// The cheapest way to see everything of `objects` objects. `details_calls`: what the account's
/// details cost in the last sweep, in calls.
pub fn cheapest(objects: usize, details_calls: usize) -> Strategy {
    let in_bulk = details_calls + TAG_READS.min(2 * objects);
    if objects * CALLS_PER_LOOK <= in_bulk {
        Strategy::OneByOne
    } else {
        Strategy::AccountDetails
    }
}

/// What lists of our paths say of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPolicy {
    /// Its ARN.
    pub arn: String,
    /// Its unique id.
    pub id: String,
    /// Its name as IAM spells it.
    pub name: String,
    /// Such as `v3`.
    pub default_version: String,
    /// On how many users, groups and roles it is.
    pub attachments: i32,
}

/// One object's part of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The role; boundary, tags and policies are not in it.
    pub role: Option<ObservedRole>,
    /// The policy.
    pub policy: Option<ListedPolicy>,
    /// The profile; tags are not in it.
    pub instance_profile: Option<ObservedInstanceProfile>,
}

/// Lists with what they leave out taken for as it should be, and as status tells that it is.
pub fn as_if_complete(
    listed: Listed,
    desired: &Desired,
    status: &SessionManagerRoleStatus,
) -> Observed {
    let own = desired.policy_arn();
    let Listed {
        role,
        policy,
        instance_profile,
    } = listed;
    let unlisted = || status.unlisted_policies.iter();
    let attached: BTreeSet<String> = (desired.additional_policy_arns.iter().cloned())
        .chain(unlisted().filter(|p| !p.starts_with(INLINE)).cloned())
        .chain(
            (policy.iter())
                .filter(|p| p.attachments > 0)
                .map(|_| own.clone()),
        )
        .collect();
    let mut inline: BTreeMap<String, Option<String>> = match desired.policy.home {
        PolicyHome::Inline => [(
            desired.names.policy.clone(),
            Some(desired.policy.document.clone()),
        )]
        .into(),
        PolicyHome::Managed { .. } => BTreeMap::new(),
    };
    let more = unlisted().filter_map(|policy| policy.strip_prefix(INLINE));
    inline.extend(more.map(|name| (name.to_owned(), None)));
    let recorded_version = status.policy.as_ref().and_then(|p| p.version_id.as_ref());
    Observed {
        role: role.map(|role| ObservedRole {
            boundary: desired.role.boundary.clone(),
            tags: desired.role.tags.clone(),
            attached,
            inline,
            ..role
        }),
        policy: policy.map(|policy| ObservedPolicy {
            // Another version than the recorded one is another document, as far as lists tell.
            document: if Some(&policy.default_version) == recorded_version {
                desired.policy.document.clone()
            } else {
                String::new()
            },
            versions: [policy.default_version.clone()].into(),
            tags: Tags::new(),
            created: None,
            arn: policy.arn,
            id: policy.id,
            name: policy.name,
            default_version: policy.default_version,
        }),
        instance_profile,
    }
}

/// Tags that a sweep has read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadTags {
    /// Of the policy.
    pub policy: Option<Tags>,
    /// Of the instance profile.
    pub instance_profile: Option<Tags>,
}

/// A reading with those tags of policy and profile that were read; the others are taken for as they
/// should be.
pub fn as_if_tagged(desired: &Desired, mut reading: Observed, read: ReadTags) -> Observed {
    if let Some(policy) = &mut reading.policy {
        policy.tags = read.policy.unwrap_or_else(|| match &desired.policy.home {
            PolicyHome::Managed { tags, .. } => tags.clone(),
            PolicyHome::Inline => desired.identity.tags(),
        });
    }
    if let Some(profile) = &mut reading.instance_profile {
        profile.tags = read.instance_profile.unwrap_or_else(|| {
            (desired.instance_profile.as_ref()).map_or_else(Tags::new, |p| p.tags.clone())
        });
    }
    reading
}

/// Why an object needs a look; `None` where it is in sync with its status, as far as the reading shows.
pub fn needs_look(
    wanted: &Resolved,
    status: &SessionManagerRoleStatus,
    reading: &Observed,
    shows: Coverage,
) -> Option<&'static str> {
    let desired = &wanted.desired;
    let told = coverage::told(wanted, status);
    let (read, recorded) = (ids(reading, desired), recorded_ids(status));
    let differ = (read.iter().zip(&recorded)).any(|((kind, read), (_, recorded))| {
        read != recorded && !coverage::is_another(told, *kind)
    });
    if differ {
        return Some("another unique id, or one of the three is missing");
    }
    let recorded = Recorded::of(Some(status));
    let Ok(planned) = plan(desired, reading, &recorded, Some(POLICY_OVERLAP)) else {
        return Some("ownership is in doubt");
    };
    if shows.differs(&planned.drift, told) {
        return Some("IAM differs from spec, or no longer as status tells");
    }
    // Objects from before the cluster-uid tag get it a few per sweep, when the sweep reads the tags of their policy or
    // profile. An object that has neither gets it at once.
    let is_read_in_turns =
        !matches!(shows, Coverage::TagsOf(_)) && parts(status) != [Kind::Role].into();
    if planned.only_stamps() && wanted.valid.mode == Mode::Enforce && !is_read_in_turns {
        return Some("the cluster's UID is missing in the tags");
    }
    // With tags alone the policies are taken for as they should be.
    let shows_policies = !matches!(shows, Coverage::TagsOf(_));
    if shows_policies && planned.unlisted != status.unlisted_policies {
        return Some("policies that spec does not list have changed");
    }
    None
}

/// What identifies each of the three: its unique id, and the policy's version.
type Ids = [(Kind, Option<(String, Option<String>)>); 3];

fn ids(reading: &Observed, desired: &Desired) -> Ids {
    let managed = matches!(desired.policy.home, PolicyHome::Managed { .. });
    let policy = reading.policy.as_ref().filter(|_| managed);
    let profile =
        (reading.instance_profile.as_ref()).filter(|_| desired.instance_profile.is_some());
    [
        (
            Kind::Role,
            reading.role.as_ref().map(|r| (r.id.clone(), None)),
        ),
        (
            Kind::Policy,
            policy.map(|p| (p.id.clone(), Some(p.default_version.clone()))),
        ),
        (Kind::InstanceProfile, profile.map(|p| (p.id.clone(), None))),
    ]
}

/// The same as status records them.
fn recorded_ids(status: &SessionManagerRoleStatus) -> Ids {
    let policy = status.policy.as_ref();
    let profile = status.instance_profile.as_ref();
    [
        (
            Kind::Role,
            status.role.as_ref().map(|r| (r.id.clone(), None)),
        ),
        (
            Kind::Policy,
            policy.and_then(|p| Some((p.id.clone()?, p.version_id.clone()))),
        ),
        (Kind::InstanceProfile, profile.map(|p| (p.id.clone(), None))),
    ]
}

#[cfg(test)]
mod tests;
