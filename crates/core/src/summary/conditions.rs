//! Conditions: a verdict in, the list in status changed. No IO.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use smr_api::{ConditionStatus, ConditionType, Reason, SessionManagerRoleStatus};

use super::{cut, messages};

/// `Ready`, with `Reconciling` or `Stalled` beside it wherever it is False.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    state: State,
    reason: Reason,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Reconciling,
    Stalled,
}

impl Verdict {
    pub(super) fn ready(message: String) -> Self {
        Self {
            state: State::Ready,
            reason: Reason::Converged,
            message: cut(message),
        }
    }

    pub(super) fn reconciling(reason: Reason, message: String) -> Self {
        Self {
            state: State::Reconciling,
            reason,
            message: cut(message),
        }
    }

    pub(super) fn stalled(reason: Reason, message: String) -> Self {
        Self {
            state: State::Stalled,
            reason,
            message: cut(message),
        }
    }

    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    pub(super) fn message(&self) -> String {
        self.message.clone()
    }

    pub(super) fn differs_from(&self, before: &SessionManagerRoleStatus) -> bool {
        let ready = before.condition(ConditionType::Ready);
        ready.is_none_or(|c| c.reason != self.reason.as_str() || c.message != self.message)
    }
}

/// Whether Ready was so, for this reason.
pub(super) fn was(status: &SessionManagerRoleStatus, ready: bool, reason: Reason) -> bool {
    let found = status.condition(ConditionType::Ready);
    found.is_some_and(|c| is_true(c) == ready && c.reason == reason.as_str())
}

pub(super) fn is_true(condition: &Condition) -> bool {
    condition.status == ConditionStatus::True.as_str()
}

/// Since when IAM has been as the spec of this generation says, as far as status tells.
pub fn in_sync_since(
    status: Option<&SessionManagerRoleStatus>,
    generation: i64,
) -> Option<Timestamp> {
    let ready = status?.condition(ConditionType::Ready)?;
    let in_sync = is_true(ready) && ready.observed_generation == Some(generation);
    in_sync.then_some(ready.last_transition_time.0)
}

/// Whether the same work at this generation was begun before and held up by a failed call.
pub(super) fn held_up(
    status: &SessionManagerRoleStatus,
    generation: i64,
    activity: Reason,
) -> bool {
    const FAILED: [Reason; 9] = [
        Reason::Throttled,
        Reason::AwsUnavailable,
        Reason::AccessDenied,
        Reason::CredentialsUnavailable,
        Reason::QuotaExceeded,
        Reason::PolicyTooLarge,
        Reason::InvalidSpec,
        Reason::DeletionBlocked,
        Reason::NotOwned,
    ];
    let not_ready = status.condition(ConditionType::Ready).filter(|c| {
        c.status == ConditionStatus::False.as_str() && c.observed_generation == Some(generation)
    });
    let reason = not_ready.and_then(|c| Reason::parse(&c.reason));
    status.condition(ConditionType::Paused).is_none()
        && reason.is_some_and(|reason| reason == activity || FAILED.contains(&reason))
}

pub(super) fn write(
    status: &mut SessionManagerRoleStatus,
    verdict: &Verdict,
    generation: i64,
    now: Timestamp,
) {
    let Verdict {
        state,
        reason,
        message,
    } = verdict;
    let is = |when: State| *state == when;
    let unlisted = messages::unlisted(&status.unlisted_policies);
    let is_unlisted = !status.unlisted_policies.is_empty();
    let (ready, message) = (is(State::Ready), message.as_str());
    let about = |said| Said {
        reason: *reason,
        message: said,
        generation,
        now,
    };
    put(status, ConditionType::Ready, ready, about(message));
    let unlisted = Said {
        reason: Reason::UnlistedAccess,
        ..about(&unlisted)
    };
    for (type_, holds, said) in [
        (
            ConditionType::Reconciling,
            is(State::Reconciling),
            about(message),
        ),
        (ConditionType::Stalled, is(State::Stalled), about(message)),
        (ConditionType::Paused, false, about(message)),
        (ConditionType::UnlistedAccess, is_unlisted, unlisted),
    ] {
        if holds {
            put(status, type_, true, said);
        } else {
            status.conditions.retain(|c| c.type_ != type_.as_str());
        }
    }
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}

/// A pause says so and leaves everything else as it was: a change waiting behind it stays visible
/// as not yet observed.
pub(super) fn pause(
    status: &mut SessionManagerRoleStatus,
    message: &str,
    generation: i64,
    now: Timestamp,
) {
    if status.observed_generation == 0 {
        // A status that was never written: kstatus shall not take it for the first generation's.
        status.observed_generation = -1;
    }
    let said = Said {
        reason: Reason::Paused,
        message,
        generation,
        now,
    };
    put(status, ConditionType::Paused, true, said);
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}

/// What a condition says, at which generation and when.
#[derive(Clone, Copy)]
struct Said<'a> {
    reason: Reason,
    message: &'a str,
    generation: i64,
    now: Timestamp,
}

fn put(status: &mut SessionManagerRoleStatus, type_: ConditionType, holds: bool, said: Said<'_>) {
    let value = if holds {
        ConditionStatus::True
    } else {
        ConditionStatus::False
    };
    let since = status
        .condition(type_)
        .filter(|c| c.status == value.as_str())
        .map(|c| c.last_transition_time.clone());
    let condition = Condition {
        type_: type_.as_str().to_owned(),
        status: value.as_str().to_owned(),
        reason: said.reason.as_str().to_owned(),
        message: said.message.to_owned(),
        observed_generation: Some(said.generation),
        last_transition_time: since.unwrap_or(Time(whole_seconds(said.now))),
    };
    status.conditions.retain(|c| c.type_ != type_.as_str());
    status.conditions.push(condition);
}

/// The API server keeps no fractions of a second.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
