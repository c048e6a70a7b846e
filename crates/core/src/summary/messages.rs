//! The sentences that people read in conditions and events. Values in, text out. No IO.
//! No time, count of attempts or request id: the same cause gives the same text.

use smr_api::{Drift, SessionManagerRoleStatus};

use super::{Activity, Done, Event, Facts, MESSAGE_MAX, cut, cut_to};
use crate::account::Account;
use crate::desired::Desired;
use crate::plan::Refusal;
use crate::step::Kind;
use crate::validate::Invalid;

pub(super) fn started(activity: Activity, drift: &[Drift]) -> String {
    match activity {
        Activity::Creating => "creating the role and what belongs to it in IAM".to_owned(),
        Activity::Updating => "bringing IAM to the changed spec".to_owned(),
        Activity::Repairing => format!(
            "putting right what was changed in IAM: {}",
            self::drift(drift)
        ),
        Activity::Deleting => "deleting the IAM objects".to_owned(),
    }
}

pub(super) fn converged(desired: &Desired) -> String {
    let profile = if desired.instance_profile.is_some() {
        ", instance profile"
    } else {
        ""
    };
    format!("policy, role{profile} and what is attached are in IAM as spec says")
}

pub(super) fn drifted(drift: &[Drift]) -> String {
    format!(
        "IAM differs from spec, and mode Observe leaves it so: {}",
        self::drift(drift)
    )
}

/// The differences as one text.
pub(super) fn drift(drift: &[Drift]) -> String {
    const TOLD: usize = 5;
    let mut told: Vec<String> = drift.iter().take(TOLD).map(|d| d.message.clone()).collect();
    if drift.len() > TOLD {
        told.push(format!("and {} more", drift.len() - TOLD));
    }
    cut(told.join("; "))
}

pub(super) fn refused(refusals: &[Refusal]) -> String {
    let all: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let them = if all.len() == 1 { "it" } else { "them" };
    format!("{}. Nothing is written to {them}", all.join("; "))
}

pub(super) fn invalid(problems: &[Invalid]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

pub(super) fn wrong_account(caller: &Account) -> String {
    format!(
        "the controller's credentials are of account {} in partition {}, the IAM objects of this one are elsewhere (see status.accountId): give the controller credentials of that account",
        caller.id, caller.partition
    )
}

pub(super) fn adopted(kinds: &[Kind]) -> String {
    let all: Vec<&str> = kinds.iter().map(|kind| kind.in_words()).collect();
    format!("took over with consent: {}", all.join(", "))
}

pub(super) fn done(facts: &Facts, before: &SessionManagerRoleStatus, done: &Done) -> Event {
    let Desired { names, account, .. } = facts.desired;
    let role = names.role_arn(account);
    let (reason, note) = match done.activity {
        Activity::Creating => ("Created", format!("created {role} and what belongs to it")),
        Activity::Updating => (
            "Updated",
            format!("brought {role} and what belongs to it to the changed spec"),
        ),
        Activity::Repairing => ("Repaired", format!("put right: {}", drift(done.drift))),
        Activity::Deleting => ("Deleted", format!("deleted {role} and what belongs to it")),
    };
    match after_re_creation(facts, before, done.drift) {
        Some(advice) => Event::normal(reason, with_advice(note, &advice)),
        None => Event::normal(reason, note),
    }
}

/// What no controller can do after something that was there before was made anew.
pub(super) fn after_re_creation(
    facts: &Facts,
    before: &SessionManagerRoleStatus,
    drift: &[Drift],
) -> Option<String> {
    let missed = |kind: Kind| {
        drift
            .iter()
            .any(|d| d.object == kind.as_str() && d.field == "existence")
    };
    let role = before.role.is_some() && missed(Kind::Role);
    let profile = before.instance_profile.is_some() && missed(Kind::InstanceProfile);
    let mut advice = Vec::new();
    if facts.desired.instance_profile.is_some() && (role || profile) {
        advice.push("Associate the instance profile with running instances again");
    }
    if facts.counterparts.is_some() && role {
        advice.push("Apply status.counterparts again where they are used, as their principals now name a dead id");
    }
    (!advice.is_empty()).then(|| advice.join(". "))
}

/// The advice is never what is cut off.
pub(super) fn with_advice(text: String, advice: &str) -> String {
    let room = MESSAGE_MAX.saturating_sub(advice.len() + "…. ".len());
    format!("{}. {advice}", cut_to(room, text))
}

pub(super) fn unlisted(policies: &[String]) -> String {
    cut(format!(
        "the role has policies that spec does not list: {}. List them, remove them in AWS, or set spec.unlistedPolicyAction to Remove",
        policies.join(", ")
    ))
}
