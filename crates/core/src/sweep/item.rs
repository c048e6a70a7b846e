//! One part of an object, as a bulk reading shows it → whether the object needs a look. In: the part,
//! what the object should be and what its status says; out: why to look. No IO.
//!
//! Parts are judged as they come in, so that a sweep keeps none of them: those not seen yet are
//! taken for as they should be.

use std::collections::BTreeSet;

use smr_api::{SessionManagerRoleStatus, Tags};

use super::{Coverage, ReadTags, as_if_tagged, needs_look, recorded_ids};
use crate::kind::Kind;
use crate::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use crate::resolve::Resolved;
use crate::resolve::desired::{Desired, PolicyHome};

/// One of an object's three parts. The tags of a policy and of a profile are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BulkItem {
    /// A role, with the documents of all its inline policies.
    Role(Box<ObservedRole>),
    /// A managed policy.
    Policy(Box<ObservedPolicy>),
    /// An instance profile.
    InstanceProfile(Box<ObservedInstanceProfile>),
}

impl BulkItem {
    /// Which of the three.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Role(_) => Kind::Role,
            Self::Policy(_) => Kind::Policy,
            Self::InstanceProfile(_) => Kind::InstanceProfile,
        }
    }

    /// Its name as IAM spells it.
    pub fn name(&self) -> &str {
        match self {
            Self::Role(role) => &role.name,
            Self::Policy(policy) => &policy.name,
            Self::InstanceProfile(profile) => &profile.name,
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        match self {
            Self::Role(role) => &role.arn,
            Self::Policy(policy) => &policy.arn,
            Self::InstanceProfile(profile) => &profile.arn,
        }
    }

    /// Puts it in its place.
    pub fn put_into(self, observed: &mut Observed) {
        match self {
            Self::Role(role) => observed.role = Some(*role),
            Self::Policy(policy) => observed.policy = Some(*policy),
            Self::InstanceProfile(profile) => observed.instance_profile = Some(*profile),
        }
    }
}

/// Which parts an object has while it is in sync.
pub fn parts(status: &SessionManagerRoleStatus) -> BTreeSet<Kind> {
    let ids = recorded_ids(status).into_iter();
    ids.filter_map(|(kind, id)| id.map(|_| kind)).collect()
}

/// Whether a difference is known and told already: then the object is judged as a whole, as status
/// tells of it as a whole.
pub fn is_told_of(status: &SessionManagerRoleStatus) -> bool {
    !status.drift.is_empty() || !status.unlisted_policies.is_empty()
}

/// Why an object needs a look, as far as one part tells.
pub fn part_needs_look(
    wanted: &Resolved,
    status: &SessionManagerRoleStatus,
    part: BulkItem,
) -> Option<&'static str> {
    let desired = &wanted.desired;
    // The one thing that takes two of them to see: a managed policy beside the inline one.
    if let (BulkItem::Role(role), PolicyHome::Inline) = (&part, &desired.policy.home)
        && role.attached.contains(&desired.policy_arn())
    {
        return Some("the managed policy of its name is attached too");
    }
    let mut reading = as_it_should_be(desired, status);
    part.put_into(&mut reading);
    let reading = as_if_tagged(desired, reading, ReadTags::default());
    needs_look(wanted, status, &reading, Coverage::Details)
}

/// Why an object needs a look, as far as these tags tell.
pub fn tags_need_look(
    wanted: &Resolved,
    status: &SessionManagerRoleStatus,
    read: ReadTags,
) -> Option<&'static str> {
    let of = [
        read.policy.as_ref().map(|_| Kind::Policy),
        read.instance_profile
            .as_ref()
            .map(|_| Kind::InstanceProfile),
    ];
    let reading = as_it_should_be(&wanted.desired, status);
    let reading = as_if_tagged(&wanted.desired, reading, read);
    let mut of = of.into_iter().flatten();
    of.find_map(|kind| needs_look(wanted, status, &reading, Coverage::TagsOf(kind)))
}

/// What IAM holds of an object that is in sync.
fn as_it_should_be(desired: &Desired, status: &SessionManagerRoleStatus) -> Observed {
    let [(_, role), (_, policy), (_, profile)] = recorded_ids(status);
    let names = &desired.names;
    let account = &desired.account;
    let managed = matches!(desired.policy.home, PolicyHome::Managed { .. });
    let document = Some(desired.policy.document.clone());
    let role = role.map(|(id, _)| ObservedRole {
        arn: names.role_arn(account),
        id,
        name: names.role.clone(),
        trust: desired.role.trust.clone(),
        description: desired.role.description.clone(),
        max_session_duration: desired.role.max_session_duration,
        boundary: desired.role.boundary.clone(),
        tags: desired.role.tags.clone(),
        last_used: None,
        created: None,
        attached: (desired.additional_policy_arns.iter().cloned())
            .chain(managed.then(|| desired.policy_arn()))
            .collect(),
        inline: (!managed)
            .then(|| (names.policy.clone(), document))
            .into_iter()
            .collect(),
    });
    let policy = policy
        .filter(|_| managed)
        .map(|(id, version)| ObservedPolicy {
            arn: desired.policy_arn(),
            id,
            name: names.policy.clone(),
            tags: Tags::new(),
            created: None,
            default_version: version.clone().unwrap_or_default(),
            document: desired.policy.document.clone(),
            versions: version.into_iter().collect(),
        });
    let instance_profile = profile.map(|(id, _)| ObservedInstanceProfile {
        arn: names.instance_profile_arn(account),
        id,
        name: names.instance_profile.clone(),
        tags: Tags::new(),
        created: None,
        roles: [names.role.clone()].into(),
    });
    Observed {
        role,
        policy,
        instance_profile,
    }
}
