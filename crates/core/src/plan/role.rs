//! The role: existence, trust, description, session duration, boundary, tags, and policies besides
//! the own one, which has its own room. In: wanted and found; out: findings. No IO.

use smr_api::{DriftField, UnlistedPolicyAction};

use super::{Findings, INLINE, Owned, Phase, Recorded, tags};
use crate::canonical::differences;
use crate::difference::{Importance, Width};
use crate::kind::Kind;
use crate::observed::{Observed, ObservedRole};
use crate::resolve::desired::{Desired, PolicyHome};
use crate::step::{RoleStep, Step, Target};

/// IAM's quota of managed policies on one role, unless the account's was raised.
const ATTACHED_USUALLY: usize = 10;

pub(super) fn compare(
    desired: &Desired,
    observed: &Observed,
    recorded: &Recorded,
    owned: Owned,
    findings: &mut Findings,
) {
    let Some(found) = &observed.role else {
        create(desired, findings);
        return;
    };
    let wanted = &desired.role;
    let name = &desired.names.role;
    let trust = differences("the trust policy", &found.trust, &wanted.trust);
    if !trust.is_empty() {
        findings.record_all(Kind::Role, DriftField::TrustPolicy, trust);
        findings.step(
            Phase::Converge,
            Step::Role(RoleStep::UpdateTrust {
                role: name.clone(),
                trust: wanted.trust.clone(),
            }),
        );
    }
    settings(desired, found, findings);
    if let Some(boundary) = wanted
        .boundary
        .as_ref()
        .filter(|b| found.boundary.as_ref() != Some(b))
    {
        let message = match &found.boundary {
            Some(was) => {
                format!("the role's permissions boundary was {was}, should be {boundary}")
            }
            None => format!("the role had no permissions boundary, should have {boundary}"),
        };
        // Nothing that the role's policies allow is capped as it should be.
        let importance = Importance::Excess(Width::UNKNOWN);
        findings.record(
            Kind::Role,
            DriftField::PermissionsBoundary,
            importance,
            message,
        );
        findings.step(
            Phase::Prepare,
            Step::Role(RoleStep::PutBoundary {
                role: name.clone(),
                boundary: boundary.clone(),
            }),
        );
    }
    tags::compare(
        Kind::Role,
        &Target::Role(name.clone()),
        &wanted.tags,
        &found.tags,
        recorded.role.as_ref(),
        owned,
        findings,
    );
    attachments(desired, found, recorded, findings);
}

fn create(desired: &Desired, findings: &mut Findings) {
    let names = &desired.names;
    let wanted = &desired.role;
    findings.record(
        Kind::Role,
        DriftField::Existence,
        Importance::Missing,
        format!("the role {} was missing", names.role_arn(&desired.account)),
    );
    findings.step(
        Phase::Prepare,
        Step::Role(RoleStep::Create {
            path: names.path.clone(),
            name: names.role.clone(),
            trust: wanted.trust.clone(),
            description: wanted.description.clone(),
            max_session_duration: wanted.max_session_duration,
            boundary: wanted.boundary.clone(),
            tags: wanted.tags.clone(),
        }),
    );
    for arn in &desired.additional_policy_arns {
        findings.step(
            joins_in(desired, None),
            Step::Role(RoleStep::AttachPolicy {
                role: names.role.clone(),
                policy_arn: arn.clone(),
            }),
        );
    }
}

/// `UpdateRole` resets what is left out: both are always sent.
fn settings(desired: &Desired, found: &ObservedRole, findings: &mut Findings) {
    let wanted = &desired.role;
    let mut differs = false;
    if found.description != wanted.description {
        let (was, should) = (excerpt(&found.description), excerpt(&wanted.description));
        findings.record(
            Kind::Role,
            DriftField::Description,
            Importance::Other,
            format!("the role's description was {was}, should be {should}"),
        );
        differs = true;
    }
    if found.max_session_duration != wanted.max_session_duration {
        let (was, should) = (found.max_session_duration, wanted.max_session_duration);
        findings.record(
            Kind::Role,
            DriftField::MaxSessionDurationSeconds,
            Importance::Other,
            format!("the role's maximum session duration was {was} s, should be {should} s"),
        );
        differs = true;
    }
    if differs {
        findings.step(
            Phase::Converge,
            Step::Role(RoleStep::Update {
                role: desired.names.role.clone(),
                description: wanted.description.clone(),
                max_session_duration: wanted.max_session_duration,
            }),
        );
    }
}

fn attachments(
    desired: &Desired,
    found: &ObservedRole,
    recorded: &Recorded,
    findings: &mut Findings,
) {
    let role = &desired.names.role;
    let leaving = leaves_in(desired, found);
    let joining = joins_in(desired, Some(found));
    for arn in desired.additional_policy_arns.difference(&found.attached) {
        findings.record(
            Kind::Role,
            DriftField::AttachedPolicies,
            Importance::Missing,
            format!("the policy {arn} was not attached to the role, should be"),
        );
        findings.step(
            joining,
            Step::Role(RoleStep::AttachPolicy {
                role: role.clone(),
                policy_arn: arn.clone(),
            }),
        );
    }
    let own = desired.policy_arn();
    for arn in found
        .attached
        .difference(&desired.additional_policy_arns)
        .filter(|arn| **arn != own)
    {
        let detach = Step::Role(RoleStep::DetachPolicy {
            role: role.clone(),
            policy_arn: arn.clone(),
        });
        let was_listed = recorded.additional_policy_arns.contains(arn);
        match (was_listed, desired.unlisted) {
            (true, _) | (false, UnlistedPolicyAction::Remove) => {
                findings.record(
                    Kind::Role,
                    DriftField::AttachedPolicies,
                    Importance::Excess(Width::UNKNOWN),
                    format!("the policy {arn} was attached to the role, should not be"),
                );
                findings.step(leaving, detach);
            }
            (false, UnlistedPolicyAction::Report) => findings.unlisted.push(arn.clone()),
        }
    }
    for name in found
        .inline
        .keys()
        .filter(|name| **name != desired.names.policy)
    {
        match desired.unlisted {
            UnlistedPolicyAction::Remove => {
                findings.record(
                    Kind::Role,
                    DriftField::InlinePolicies,
                    Importance::Excess(Width::UNKNOWN),
                    format!("the inline policy {name} was in the role, should not be"),
                );
                findings.step(
                    Phase::Withdraw,
                    Step::Role(RoleStep::DeletePolicy {
                        role: role.clone(),
                        policy: name.clone(),
                    }),
                );
            }
            UnlistedPolicyAction::Report => findings.unlisted.push(format!("{INLINE}{name}")),
        }
    }
}

/// When further policies are attached: after the own one.
fn joins_in(desired: &Desired, found: Option<&ObservedRole>) -> Phase {
    let own = desired.policy_arn();
    let attaches_own = matches!(desired.policy.home, PolicyHome::Managed { .. })
        && found.is_none_or(|role| !role.attached.contains(&own));
    if attaches_own {
        Phase::Extend
    } else {
        Phase::Converge
    }
}

/// When policies are detached: after the new ones are there, unless the role has no room for both.
fn leaves_in(desired: &Desired, found: &ObservedRole) -> Phase {
    let own = match desired.policy.home {
        PolicyHome::Managed { .. } => Some(desired.policy_arn()),
        PolicyHome::Inline => None,
    };
    let new = (desired.additional_policy_arns.iter().chain(&own))
        .filter(|arn| !found.attached.contains(*arn))
        .count();
    if new > 0 && found.attached.len() + new > ATTACHED_USUALLY {
        Phase::Prepare
    } else {
        Phase::Withdraw
    }
}

/// A description as a sentence quotes it.
fn excerpt(text: &str) -> String {
    const MAX: usize = 120;
    match text.chars().count() {
        0 => "empty".to_owned(),
        n if n > MAX => format!("\"{}…\"", text.chars().take(MAX).collect::<String>()),
        _ => format!("\"{text}\""),
    }
}
