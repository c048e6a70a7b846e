//! Conditions: a verdict in, the list in status changed. No IO.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use smr_api::SessionManagerRoleStatus;

use super::{cut, messages};

/// Converged at this generation, or why not.
pub const READY: &str = "Ready";
/// Present only when True: work goes on without anyone.
pub const RECONCILING: &str = "Reconciling";
/// Present only when True: a person has to act.
pub const STALLED: &str = "Stalled";
/// Present only when True: the annotation says so.
const PAUSED: &str = "Paused";
/// Present only when True: the role can do more than the object says.
const UNLISTED_ACCESS: &str = "UnlistedAccess";

/// `Ready`, with `Reconciling` or `Stalled` beside it wherever it is False.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    state: State,
    reason: &'static str,
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
            reason: "Converged",
            message: cut(message),
        }
    }

    pub(super) fn reconciling(reason: &'static str, message: String) -> Self {
        Self {
            state: State::Reconciling,
            reason,
            message: cut(message),
        }
    }

    pub(super) fn stalled(reason: &'static str, message: String) -> Self {
        Self {
            state: State::Stalled,
            reason,
            message: cut(message),
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        self.reason
    }

    pub(super) fn message(&self) -> String {
        self.message.clone()
    }

    pub(super) fn differs_from(&self, before: &SessionManagerRoleStatus) -> bool {
        let ready = find(before, READY);
        ready.is_none_or(|c| c.reason != self.reason || c.message != self.message)
    }
}

pub(super) fn was(status: &SessionManagerRoleStatus, ready: bool, reason: &str) -> bool {
    find(status, READY).is_some_and(|c| (c.status == "True") == ready && c.reason == reason)
}

/// Since when IAM has been as the spec of this generation says, as far as status tells.
pub fn in_sync_since(
    status: Option<&SessionManagerRoleStatus>,
    generation: i64,
) -> Option<Timestamp> {
    let ready = find(status?, READY)?;
    let in_sync = ready.status == "True" && ready.observed_generation == Some(generation);
    in_sync.then_some(ready.last_transition_time.0)
}

/// Whether the same work at this generation was begun before and held up by a failed call.
pub(super) fn held_up(
    status: &SessionManagerRoleStatus,
    generation: i64,
    activity: &'static str,
) -> bool {
    const FAILED: [&str; 9] = [
        "Throttled",
        "AwsUnavailable",
        "AccessDenied",
        "CredentialsUnavailable",
        "QuotaExceeded",
        "PolicyTooLarge",
        "InvalidSpec",
        "DeletionBlocked",
        "NotOwned",
    ];
    let not_ready = find(status, READY)
        .filter(|c| c.status == "False" && c.observed_generation == Some(generation));
    find(status, PAUSED).is_none()
        && not_ready.is_some_and(|c| c.reason == activity || FAILED.contains(&c.reason.as_str()))
}

fn find<'a>(status: &'a SessionManagerRoleStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.type_ == type_)
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
    let mut set = |type_: &str, value: Option<(bool, &str, &str)>| match value {
        Some((value, reason, message)) => {
            put(status, type_, value, reason, message, generation, now);
        }
        None => status.conditions.retain(|c| c.type_ != type_),
    };
    let about = |when: State| (*state == when).then_some((true, *reason, message.as_str()));
    set(READY, Some((*state == State::Ready, reason, message)));
    set(RECONCILING, about(State::Reconciling));
    set(STALLED, about(State::Stalled));
    set(PAUSED, None);
    let unlisted = messages::unlisted(&status.unlisted_policies);
    if status.unlisted_policies.is_empty() {
        status.conditions.retain(|c| c.type_ != UNLISTED_ACCESS);
    } else {
        put(
            status,
            UNLISTED_ACCESS,
            true,
            "UnlistedAccess",
            &unlisted,
            generation,
            now,
        );
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
    put(status, PAUSED, true, "Paused", message, generation, now);
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}

fn put(
    status: &mut SessionManagerRoleStatus,
    type_: &str,
    value: bool,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) {
    let value = if value { "True" } else { "False" };
    let since = find(status, type_)
        .filter(|c| c.status == value)
        .map(|c| c.last_transition_time.clone());
    let condition = Condition {
        type_: type_.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: since.unwrap_or(Time(whole_seconds(now))),
    };
    status.conditions.retain(|c| c.type_ != type_);
    status.conditions.push(condition);
}

/// The API server keeps no fractions of a second.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
