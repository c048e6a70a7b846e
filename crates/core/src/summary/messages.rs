//! The sentences that people read in conditions and events. Values in, text out. No IO.
//! No time, count of attempts or request id: the same cause gives the same text.

use smr_api::{Deed, DriftField, SessionManagerRoleStatus};

use super::{Activity, Done, Event, Facts, MESSAGE_MAX, PausedBy, cut, cut_to};
use crate::account::Account;
use crate::difference::{Difference, Importance};
use crate::kind::Kind;
use crate::ownership::UID;
use crate::plan::Refusal;
use crate::resolve::desired::Desired;
use crate::resolve::validate::Invalid;

pub(super) fn started(activity: Activity, drift: &[Difference]) -> String {
    match activity {
        Activity::Creating => "creating the role and what belongs to it in IAM".to_owned(),
        Activity::Updating => "bringing IAM to the changed spec".to_owned(),
        Activity::Repairing => self::drift("putting right what was changed in IAM: ", drift, None),
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

pub(super) fn drifted(drift: &[Difference]) -> String {
    self::drift(
        "IAM differs from spec, and mode Observe leaves it so: ",
        drift,
        None,
    )
}

/// The differences after a text, and advice behind them.
pub(super) fn drift(text: &str, drift: &[Difference], advice: Option<&str>) -> String {
    with_advice(advice, |room| {
        format!("{text}{}", listed(room.saturating_sub(text.len()), drift))
    })
}

/// At most `room` bytes: the first differences, then how many more of each kind there are.
fn listed(room: usize, drift: &[Difference]) -> String {
    const NAMED: usize = 5;
    for named in (1..=NAMED.min(drift.len())).rev() {
        let (first, rest) = drift.split_at(named);
        let first: Vec<&str> = first.iter().map(|d| d.message.as_str()).collect();
        let (first, more) = (first.join("; "), and_more(rest));
        if first.len() + more.len() <= room {
            return first + &more;
        }
        if named == 1 {
            let room = room.saturating_sub(more.len() + "…".len());
            return cut_to(room, first) + &more;
        }
    }
    String::new()
}

fn and_more(rest: &[Difference]) -> String {
    if rest.is_empty() {
        return String::new();
    }
    let (mut excess, mut missing, mut other) = (0, 0, 0);
    for difference in rest {
        match difference.importance {
            Importance::Excess(_) => excess += 1,
            Importance::Missing => missing += 1,
            Importance::Other => other += 1,
        }
    }
    let kinds: Vec<String> = [
        (excess, "granted beyond the spec"),
        (missing, "missing"),
        (other, "other"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, kind)| format!("{count} {kind}"))
    .collect();
    format!("; and {} more: {}", rest.len(), kinds.join(", "))
}

pub(super) fn refused(refusals: &[Refusal]) -> String {
    let all: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let them = if all.len() == 1 { "it" } else { "them" };
    format!("{}. Nothing is written to {them}", all.join("; "))
}

pub(super) fn paused(by: PausedBy, is_deleting: bool) -> String {
    match (by, is_deleting) {
        (PausedBy::Annotation, false) => "nothing in IAM is read or written while the annotation sessionmanager.dev/paused is \"true\"".to_owned(),
        (PausedBy::Annotation, true) => "the deletion of this object waits, and nothing in IAM is read or written, while the annotation sessionmanager.dev/paused is \"true\": remove the annotation to let the deletion go on".to_owned(),
        (PausedBy::Selector(selector), false) => format!("this object's labels do not match the controller's --selector {selector} any more, so the controller does nothing for it: its IAM objects stay as they are, changes of its spec have no effect, and its deletion will wait. Restore the label, or let a controller whose selector matches take over"),
        (PausedBy::Selector(selector), true) => format!("the deletion of this object waits: its labels do not match the controller's --selector {selector} any more, so the controller does nothing for it. Restore the label to let the deletion go on"),
    }
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
    let advice = after_re_creation(facts, before, done.drift);
    let with_advice = |text: String| with_advice(advice.as_deref(), |room| cut_to(room, text));
    match done.activity {
        Activity::Creating if was_restored(done) => {
            let text = format!(
                "{role} and what belongs to it existed and are owned by this object, which was restored or created again. Updated: "
            );
            Event::normal(Deed::Updated, drift(&text, done.drift, advice.as_deref()))
        }
        Activity::Creating => Event::normal(
            Deed::Created,
            with_advice(format!("created {role} and what belongs to it")),
        ),
        Activity::Updating => Event::normal(
            Deed::Updated,
            with_advice(format!(
                "brought {role} and what belongs to it to the changed spec"
            )),
        ),
        Activity::Repairing => Event::normal(
            Deed::Repaired,
            drift("put right: ", done.drift, advice.as_deref()),
        ),
        Activity::Deleting => Event::normal(
            Deed::Deleted,
            with_advice(format!("deleted {role} and what belongs to it")),
        ),
    }
}

/// All three were there and named this object under an earlier uid.
fn was_restored(done: &Done) -> bool {
    let differs = |field: DriftField| done.drift.iter().filter(move |d| d.field == field);
    differs(DriftField::Tags).any(|d| d.message.contains(UID))
        && differs(DriftField::Existence).next().is_none()
}

/// What no controller can do after something that was there before was made anew.
pub(super) fn after_re_creation(
    facts: &Facts,
    before: &SessionManagerRoleStatus,
    drift: &[Difference],
) -> Option<String> {
    let missed = |kind: Kind| {
        drift
            .iter()
            .any(|d| d.kind == kind && d.field == DriftField::Existence)
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

/// A text that is given its room, and advice after it, which is never what is cut off.
fn with_advice(advice: Option<&str>, text: impl FnOnce(usize) -> String) -> String {
    let Some(advice) = advice else {
        return text(MESSAGE_MAX);
    };
    let room = MESSAGE_MAX.saturating_sub(advice.len() + "…. ".len());
    format!("{}. {advice}", text(room))
}

pub(super) fn unlisted(policies: &[String]) -> String {
    cut(format!(
        "the role has policies that spec does not list: {}. List them, remove them in AWS, or set spec.unlistedPolicyAction to Remove",
        policies.join(", ")
    ))
}
