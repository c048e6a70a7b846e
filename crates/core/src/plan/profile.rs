//! The instance profile: existence, the one role in it, tags. In: wanted and found; out: findings.
//! No IO.

use std::collections::BTreeSet;

use super::{Findings, Owned, Phase, Recorded, tags};
use crate::difference::{Importance, Width};
use crate::kind::Kind;
use crate::observed::Observed;
use crate::resolve::desired::Desired;
use crate::step::{ProfileStep, Step, Target};
use smr_api::DriftField;

pub(super) fn compare(
    desired: &Desired,
    observed: &Observed,
    recorded: &Recorded,
    owned: Owned,
    findings: &mut Findings,
) {
    let Some(wanted) = &desired.instance_profile else {
        return;
    };
    let names = &desired.names;
    let profile = &names.instance_profile;
    let add = Step::InstanceProfile(ProfileStep::AddRole {
        profile: profile.clone(),
        role: names.role.clone(),
    });
    let Some(found) = &observed.instance_profile else {
        let arn = names.instance_profile_arn(&desired.account);
        findings.record(
            Kind::InstanceProfile,
            DriftField::Existence,
            Importance::Missing,
            format!("the instance profile {arn} was missing"),
        );
        findings.step(
            Phase::Prepare,
            Step::InstanceProfile(ProfileStep::Create {
                path: names.path.clone(),
                name: profile.clone(),
                tags: wanted.tags.clone(),
            }),
        );
        findings.step(Phase::Converge, add);
        return;
    };
    roles(desired, &found.roles, add, findings);
    let target = Target::InstanceProfile(profile.clone());
    tags::compare(
        Kind::InstanceProfile,
        &target,
        &wanted.tags,
        &found.tags,
        recorded.instance_profile.as_ref(),
        owned,
        findings,
    );
}

/// The role is in the profile, and nothing else is.
fn roles(desired: &Desired, found: &BTreeSet<String>, add: Step, findings: &mut Findings) {
    let names = &desired.names;
    let is_own = |role: &&String| role.eq_ignore_ascii_case(&names.role);
    for other in found.iter().filter(|role| !is_own(role)) {
        findings.record(
            Kind::InstanceProfile,
            DriftField::Role,
            // Instances get what that role may do.
            Importance::Excess(Width::UNKNOWN),
            format!(
                "the role in the instance profile was {other}, should be {}",
                names.role
            ),
        );
        let remove = ProfileStep::RemoveRole {
            profile: names.instance_profile.clone(),
            role: other.clone(),
        };
        findings.step(Phase::Prepare, Step::InstanceProfile(remove));
    }
    if found.iter().any(|role| is_own(&role)) {
        return;
    }
    if found.is_empty() {
        findings.record(
            Kind::InstanceProfile,
            DriftField::Role,
            Importance::Missing,
            format!(
                "the instance profile had no role, should have {}",
                names.role
            ),
        );
    }
    findings.step(Phase::Converge, add);
}
