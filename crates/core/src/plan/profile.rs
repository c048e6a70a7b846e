//! The instance profile: existence, the one role in it, tags. In: wanted and found; out: findings.
//! No IO.

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
    for other in found
        .roles
        .iter()
        .filter(|role| !role.eq_ignore_ascii_case(&names.role))
    {
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
        findings.step(
            Phase::Prepare,
            Step::InstanceProfile(ProfileStep::RemoveRole {
                profile: profile.clone(),
                role: other.clone(),
            }),
        );
    }
    if !found
        .roles
        .iter()
        .any(|role| role.eq_ignore_ascii_case(&names.role))
    {
        if found.roles.is_empty() {
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
