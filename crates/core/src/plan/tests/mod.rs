//! Plans, and what comes of carrying them out in memory. Fixtures are specs in YAML through the
//! real validate step; what is recorded comes from the real summary.

mod adoption;
mod creation;
mod drift;
pub(crate) mod iam;
mod property;
mod same;
mod types;

use crate::step::{PolicyStep, ProfileStep, RoleStep};
use jiff::Timestamp;
use smr_api::SessionManagerRoleStatus;

use super::*;
use crate::limits::Limits;
use crate::ownership::{CLUSTER, KEYS, OWNER, UID};
use crate::resolve::desired::desired;
use crate::resolve::validate::tests::check;
use crate::summary::{Facts, Object, Outcome, summarize};
use iam::Iam;

/// What a spec in YAML asks for, with an operator that allows AWS's own policies.
pub(crate) fn wanted(spec: &str) -> Desired {
    let mut limits = Limits::new("test");
    limits.allowed_additional_policies = vec!["arn:aws:iam::aws:policy/*".into()];
    desired(&check(spec, &limits).unwrap())
}

/// Long enough for the policy of a former type to go.
const LONG_AGO: Option<Duration> = Some(Duration::from_mins(1));

fn planned(desired: &Desired, observed: &Observed, recorded: &Recorded) -> Planned {
    plan(desired, observed, recorded, LONG_AGO).unwrap()
}

/// The status once IAM is as the spec says.
fn converged_status(
    desired: &Desired,
    observed: &Observed,
    before: Option<&SessionManagerRoleStatus>,
) -> SessionManagerRoleStatus {
    let object = Object {
        generation: 1,
        status: before,
        reconcile_request: None,
    };
    let facts = Facts {
        desired,
        observed,
        counterparts: None,
        mode: smr_api::Mode::Enforce,
    };
    let outcome = Outcome::Converged {
        facts,
        done: None,
        unlisted: &[],
    };
    summarize(object, Timestamp::UNIX_EPOCH, &outcome).status
}

/// IAM as the spec says, reached by the plan itself, and what status then records.
pub(crate) fn converged(desired: &Desired) -> (Observed, Recorded) {
    let mut iam = Iam::new(desired, Observed::default());
    iam.simulate(&planned(desired, &iam.state, &Recorded::default()).plan)
        .unwrap();
    let status = converged_status(desired, &iam.state, None);
    let recorded = Recorded::of(Some(&status));
    assert_eq!(
        planned(desired, &iam.state, &recorded),
        Planned::default(),
        "a converged state has nothing to do"
    );
    (iam.state, recorded)
}

/// Changes a JSON text in place.
fn edit(text: &mut String, change: impl FnOnce(&mut serde_json::Value)) {
    let mut value = serde_json::from_str(text).unwrap();
    change(&mut value);
    *text = value.to_string();
}

/// The sentences, each with the object and field it speaks of.
fn sentences(planned: &Planned) -> Vec<String> {
    planned
        .drift
        .iter()
        .map(|d| format!("{} {}: {}", d.kind, d.field, d.message))
        .collect()
}

/// The steps of each stage, on one line each.
fn steps(desired: &Desired, plan: &Plan) -> Vec<Vec<String>> {
    plan.stages
        .iter()
        .map(|stage| stage.iter().map(|step| line(desired, step)).collect())
        .collect()
}

/// A step on one line. Documents that the spec asks for are named, others quoted.
fn line(desired: &Desired, step: &Step) -> String {
    let document = |text: &String| {
        if *text == desired.policy.document {
            "POLICY".to_owned()
        } else if *text == desired.role.trust {
            "TRUST".to_owned()
        } else {
            text.clone()
        }
    };
    let tags = |tags: &smr_api::Tags| {
        let own = desired.identity.tags();
        let ours = tags.iter().filter(|(k, v)| own.get(*k) == Some(v)).count();
        let mut all: Vec<String> = tags
            .iter()
            .filter(|(k, v)| own.get(*k) != Some(v))
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        match ours {
            0 => {}
            4 => all.push("OWNERSHIP".to_owned()),
            _ => all.extend(tags.keys().filter(|k| own.contains_key(*k)).cloned()),
        }
        all.join(", ")
    };
    let rest = match step {
        Step::Role(RoleStep::Create {
            path,
            name,
            trust,
            description,
            max_session_duration,
            boundary,
            tags: set,
        }) => format!(
            "{path}{name} {} {description:?} {max_session_duration} s, boundary {}, tags {}",
            document(trust),
            boundary.as_deref().unwrap_or("none"),
            tags(set)
        ),
        Step::Policy(PolicyStep::Create {
            path,
            name,
            document: text,
            description,
            tags: set,
        }) => format!(
            "{path}{name} {} {description:?}, tags {}",
            document(text),
            tags(set)
        ),
        Step::InstanceProfile(ProfileStep::Create {
            path,
            name,
            tags: set,
        }) => format!("{path}{name}, tags {}", tags(set)),
        Step::Role(
            RoleStep::AttachPolicy { role, policy_arn }
            | RoleStep::DetachPolicy { role, policy_arn },
        ) => format!("{role} {policy_arn}"),
        Step::Role(RoleStep::PutPolicy {
            role,
            policy,
            document: text,
        }) => format!("{role} {policy} {}", document(text)),
        Step::Role(RoleStep::DeletePolicy { role, policy }) => format!("{role} {policy}"),
        Step::InstanceProfile(
            ProfileStep::AddRole { profile, role } | ProfileStep::RemoveRole { profile, role },
        ) => {
            format!("{profile} {role}")
        }
        Step::Role(RoleStep::UpdateTrust { role, trust }) => format!("{role} {}", document(trust)),
        Step::Role(RoleStep::Update {
            role,
            description,
            max_session_duration,
        }) => format!("{role} {description:?} {max_session_duration} s"),
        Step::Role(RoleStep::PutBoundary { role, boundary }) => format!("{role} {boundary}"),
        Step::Policy(PolicyStep::CreateVersion {
            policy_arn,
            document: text,
        }) => format!("{policy_arn} {}", document(text)),
        Step::Policy(PolicyStep::DeleteVersion {
            policy_arn,
            version,
        }) => format!("{policy_arn} {version}"),
        Step::Tag { tags: set, .. } => tags(set),
        Step::Untag { keys, .. } => keys.join(", "),
        Step::Role(RoleStep::Delete { role }) => role.clone(),
        Step::Policy(PolicyStep::Delete { policy_arn }) => policy_arn.clone(),
        Step::InstanceProfile(ProfileStep::Delete { profile }) => profile.clone(),
    };
    format!("{} {rest}", step.action())
}
