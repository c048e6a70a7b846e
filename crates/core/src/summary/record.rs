//! Everything in status but conditions. In: what became of a pass; out: status changed. No IO.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use smr_api::{
    Drift, InstanceProfileStatus, LastDrift, Mode, PolicyStatus, Reason, RoleStatus,
    SessionManagerRoleStatus, Tags,
};

use super::{Activity, Done, Facts, Outcome, conditions, cut, messages};
use crate::account::Arn;
use crate::difference::Difference;
use crate::kind::Kind;
use crate::names;
use crate::observed::Observed;
use crate::ownership::KEYS;
use crate::plan::{spelled, without};
use crate::resolve::desired::{Desired, PolicyHome};

/// `status.drift` holds at most this many entries.
pub const DRIFT_MAX: usize = 20;

pub(super) fn record(
    status: &mut SessionManagerRoleStatus,
    before: &SessionManagerRoleStatus,
    outcome: &Outcome,
    now: Timestamp,
) {
    match outcome {
        Outcome::Started { activity, drift } => to_do(status, *activity, drift, now),
        Outcome::Converged {
            facts,
            done,
            unlisted,
        } => {
            objects(status, facts, true);
            status.drift.clear();
            status.unlisted_policies = unlisted.to_vec();
            status.counterparts = facts.counterparts.cloned();
            end_drift(status, before, facts, done.as_ref());
        }
        Outcome::Drifted {
            facts,
            drift,
            unlisted,
        } => {
            objects(status, facts, false);
            let seen = shown(drift);
            if seen != status.drift {
                found(status, drift, now);
            }
            status.drift = seen;
            status.unlisted_policies = unlisted.to_vec();
            status.counterparts = facts.counterparts.cloned();
        }
        Outcome::Waiting {
            facts,
            activity,
            drift,
            ..
        } => {
            if let Some(facts) = facts {
                objects(status, facts, false);
            }
            to_do(status, *activity, drift, now);
        }
        Outcome::Failed { facts, .. } => {
            if let Some(facts) = facts {
                objects(status, facts, false);
            }
        }
        Outcome::Refused { facts, refusals } => {
            if let Some(facts) = facts {
                let ours = &without(refusals, facts.observed.clone());
                let facts = Facts {
                    observed: ours,
                    ..*facts
                };
                objects(status, &facts, false);
            }
        }
        Outcome::Invalid { .. }
        | Outcome::WrongAccount { .. }
        | Outcome::DeletionBlocked { .. }
        | Outcome::Paused { .. } => {}
    }
}

/// What differed last is repaired.
fn end_drift(
    status: &mut SessionManagerRoleStatus,
    before: &SessionManagerRoleStatus,
    facts: &Facts,
    done: Option<&Done>,
) {
    let Some(last) = &mut status.last_drift else {
        return;
    };
    match done {
        Some(done) if done.activity == Activity::Repairing => {
            last.repaired = true;
            if !done.drift.is_empty() {
                let advice = messages::after_re_creation(facts, before, done.drift);
                last.message = messages::drift("", done.drift, advice.as_deref());
            }
        }
        // Observed until the spec let it be repaired.
        Some(done) if done.activity == Activity::Updating => last.repaired = true,
        // The pass that repaired it ended before it could write status.
        None if !before.drift.is_empty() && !conditions::was(before, false, Reason::Drifted) => {
            last.repaired = true;
        }
        Some(_) | None => {}
    }
}

/// What has to be put right, while it is.
fn to_do(
    status: &mut SessionManagerRoleStatus,
    activity: Activity,
    drift: &[Difference],
    now: Timestamp,
) {
    match activity {
        Activity::Repairing => {
            status.drift = shown(drift);
            found(status, drift, now);
        }
        // What had drifted from an earlier spec is moot.
        Activity::Creating | Activity::Updating => status.drift.clear(),
        Activity::Deleting => {}
    }
}

fn shown(drift: &[Difference]) -> Vec<Drift> {
    in_status(drift).take(DRIFT_MAX).collect()
}

/// Differences in the words that status has for them.
pub fn in_status(drift: &[Difference]) -> impl Iterator<Item = Drift> {
    drift.iter().map(|difference| {
        let drift = Drift::from(difference);
        Drift {
            message: cut(drift.message),
            ..drift
        }
    })
}

/// Drift is new unless the last one is in the same words and still to be repaired.
fn found(status: &mut SessionManagerRoleStatus, drift: &[Difference], now: Timestamp) {
    let message = messages::drift("", drift, None);
    let known = (status.last_drift.as_ref()).is_some_and(|l| !l.repaired && l.message == message);
    if !known {
        status.last_drift = Some(LastDrift {
            time: Time(now),
            message,
            repaired: false,
        });
    }
}

/// Only hybrid activations name a role in this form; it follows the path that the role has.
fn activation_role(desired: &Desired, arn: &str) -> Option<String> {
    let arn = Arn::parse(arn).filter(|_| desired.instance_profile.is_none())?;
    Some(names::activation_role(arn.path, arn.name))
}

/// How what is managed goes on record: what is in IAM as the spec has it is managed from then on, and
/// before convergence what was on record may still be there. Mode Observe writes nothing, so it manages
/// nothing more.
#[derive(Clone, Copy)]
struct OnRecord {
    mode: Mode,
    converged: bool,
}

impl OnRecord {
    fn managed(self, in_place: BTreeSet<&String>, before: &[String]) -> Vec<String> {
        let (in_place, kept) = match self.mode {
            Mode::Enforce if self.converged => (in_place, &[][..]),
            Mode::Enforce => (in_place, before),
            Mode::Observe => (BTreeSet::new(), before),
        };
        let all: BTreeSet<&String> = in_place.into_iter().chain(kept).collect();
        all.into_iter().cloned().collect()
    }

    fn keys(
        self,
        kind: Kind,
        wanted: &Tags,
        found: &Tags,
        before: Option<&[String]>,
    ) -> Vec<String> {
        let in_place = (wanted.iter())
            .filter(|(key, value)| spelled(kind, found, key).is_some_and(|(_, is)| is == *value))
            .map(|(key, _)| key)
            .filter(|key| !KEYS.contains(&key.as_str()));
        self.managed(in_place.collect(), before.unwrap_or_default())
    }
}

/// Names, ids and what we manage of the three objects.
fn objects(status: &mut SessionManagerRoleStatus, facts: &Facts, converged: bool) {
    let Facts {
        desired,
        observed,
        mode,
        ..
    } = facts;
    let record = OnRecord {
        mode: *mode,
        converged,
    };
    let account = &desired.account;
    if observed.role.is_some() || observed.policy.is_some() || observed.instance_profile.is_some() {
        status.account_id = Some(account.id.clone());
        status.partition = Some(account.partition.to_string());
    }
    if let Some(role) = &observed.role {
        let before = status.role.as_ref();
        let attached = desired.additional_policy_arns.intersection(&role.attached);
        status.role = Some(RoleStatus {
            name: role.name.clone(),
            arn: role.arn.clone(),
            id: role.id.clone(),
            activation_role: activation_role(desired, &role.arn),
            managed_tag_keys: record.keys(
                Kind::Role,
                &desired.role.tags,
                &role.tags,
                before.map(|r| r.managed_tag_keys.as_slice()),
            ),
            attached_policy_arns: record.managed(
                attached.collect(),
                before.map_or(&[], |r| r.attached_policy_arns.as_slice()),
            ),
        });
    }
    status.policy = policy(status.policy.take(), desired, observed, record);
    if let (Some(wanted), Some(profile)) = (&desired.instance_profile, &observed.instance_profile) {
        let before = status.instance_profile.as_ref();
        status.instance_profile = Some(InstanceProfileStatus {
            name: profile.name.clone(),
            arn: profile.arn.clone(),
            id: profile.id.clone(),
            managed_tag_keys: record.keys(
                Kind::InstanceProfile,
                &wanted.tags,
                &profile.tags,
                before.map(|p| p.managed_tag_keys.as_slice()),
            ),
        });
    }
}

/// What status says of the policy, managed or inline.
fn policy(
    before: Option<PolicyStatus>,
    desired: &Desired,
    observed: &Observed,
    record: OnRecord,
) -> Option<PolicyStatus> {
    let name = &desired.names.policy;
    let is_inline = || (observed.role.as_ref()).is_some_and(|role| role.inline.contains_key(name));
    match (&desired.policy.home, &observed.policy) {
        (PolicyHome::Managed { tags, .. }, Some(policy)) => Some(PolicyStatus {
            name: policy.name.clone(),
            arn: Some(policy.arn.clone()),
            id: Some(policy.id.clone()),
            version_id: Some(policy.default_version.clone()),
            managed_tag_keys: record.keys(
                Kind::Policy,
                tags,
                &policy.tags,
                before.as_ref().map(|p| p.managed_tag_keys.as_slice()),
            ),
        }),
        // The managed policy is on its way out: what is recorded of it stays until it is gone.
        (PolicyHome::Inline, Some(_)) if before.as_ref().is_some_and(|p| p.arn.is_some()) => before,
        (PolicyHome::Inline, _) if is_inline() => Some(PolicyStatus {
            name: name.clone(),
            ..PolicyStatus::default()
        }),
        (PolicyHome::Managed { .. } | PolicyHome::Inline, _) => before,
    }
}
