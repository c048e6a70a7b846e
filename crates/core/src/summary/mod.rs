//! The summary: what became of one pass in; status and events out. No IO; time enters as a value.
//! The only place that makes a condition.
//!
//! `Ready=False` always comes with `Reconciling` or `Stalled`; the same cause gives the same text;
//! no timestamp changes unless something happened.

mod conditions;
mod messages;
mod record;

use jiff::Timestamp;
use smr_api::{
    ConditionType, Counterparts, Deed, EventReason, Mode, Reason, SessionManagerRoleStatus,
};

use crate::account::Account;
use crate::difference::Difference;
use crate::failure::{Failure, FailureClass};
use crate::kind::Kind;
use crate::observed::Observed;
use crate::ownership::NotOurs;
use crate::plan::Refusal;
use crate::refusal::Remedy;
use crate::resolve::desired::Desired;
use crate::resolve::validate::Invalid;

pub use conditions::in_sync_since;
use conditions::{Verdict, is_true, write};
use record::record;
pub use record::{DRIFT_MAX, in_status};

/// A text is cut after this many bytes: Kubernetes refuses events of more than 1024.
const MESSAGE_MAX: usize = 1000;

/// What kind of work a pass does or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// The objects come into being for the first time.
    Creating,
    /// The spec has changed.
    Updating,
    /// Someone else has changed IAM.
    Repairing,
    /// The object goes.
    Deleting,
}

impl Activity {
    /// As a condition's reason.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Creating => Reason::Creating,
            Self::Updating => Reason::Updating,
            Self::Repairing => Reason::Repairing,
            Self::Deleting => Reason::Deleting,
        }
    }

    /// What a pass at `generation` that finds differences is about, given what the last one told.
    pub fn of(status: Option<&SessionManagerRoleStatus>, generation: i64) -> Self {
        let Some(status) = status.filter(|s| s.role.is_some() && s.policy.is_some()) else {
            return Self::Creating;
        };
        let ready = status.condition(ConditionType::Ready);
        match ready.filter(|c| c.observed_generation == Some(generation)) {
            // A repair that was held up goes on.
            Some(_) if !status.drift.is_empty() => Self::Repairing,
            Some(ready) if is_true(ready) => Self::Repairing,
            Some(ready) => match Reason::parse(&ready.reason) {
                Some(Reason::Repairing | Reason::Drifted | Reason::NotOwned | Reason::Replaced) => {
                    Self::Repairing
                }
                Some(Reason::Creating) => Self::Creating,
                Some(_) | None => Self::Updating,
            },
            None => Self::Updating,
        }
    }
}

/// What became of a pass.
#[derive(Clone, Debug)]
pub enum Outcome<'a> {
    /// Writes are about to begin.
    Started {
        /// Of what kind.
        activity: Activity,
        /// What is to be put right.
        drift: &'a [Difference],
    },
    /// IAM is as the spec says.
    Converged {
        /// What the spec says.
        facts: Facts<'a>,
        /// What was done to get there; `None` where nothing was to do.
        done: Option<Done<'a>>,
        /// Policies on the role that nobody listed.
        unlisted: &'a [String],
    },
    /// Mode Observe: IAM differs, and stays so.
    Drifted {
        /// What the spec says, and what is there.
        facts: Facts<'a>,
        /// The differences.
        drift: &'a [Difference],
        /// Policies on the role that nobody listed.
        unlisted: &'a [String],
    },
    /// Work goes on later by itself.
    Waiting {
        /// What was reached so far.
        facts: Option<Facts<'a>>,
        /// Of what kind.
        activity: Activity,
        /// What of it is still to be put right.
        drift: &'a [Difference],
        /// For what.
        message: String,
    },
    /// One of the three is not ours.
    Refused {
        /// Those beside it that are ours.
        facts: Option<Facts<'a>>,
        /// Which, and why.
        refusals: &'a [Refusal],
    },
    /// The spec asks for what can't be or is not allowed.
    Invalid {
        /// Every problem.
        problems: &'a [Invalid],
    },
    /// The controller's credentials are of another account than the objects.
    WrongAccount {
        /// Whose credentials.
        caller: &'a Account,
    },
    /// A call failed.
    Failed {
        /// What was reached so far.
        facts: Option<Facts<'a>>,
        /// In the course of what.
        activity: Activity,
        /// How.
        failure: &'a Failure,
        /// What is done about it.
        decision: Remedy,
    },
    /// Deletion can't go on.
    DeletionBlocked {
        /// What stands in the way.
        because: &'a [String],
    },
    /// Nothing is done.
    Paused {
        /// Why.
        by: PausedBy<'a>,
        /// Whether a deletion waits for the end of it.
        is_deleting: bool,
    },
}

/// What keeps the controller from an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PausedBy<'a> {
    /// The annotation `sessionmanager.dev/paused`.
    Annotation,
    /// The object's labels do not match the controller's `--selector` any more.
    Selector(&'a str),
}

/// What is known when status is written.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the spec says.
    pub desired: &'a Desired,
    /// What IAM holds.
    pub observed: &'a Observed,
    /// What someone has to allow outside IAM.
    pub counterparts: Option<&'a Counterparts>,
    /// Whether IAM is written.
    pub mode: Mode,
}

/// Work that was done.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    /// Of what kind.
    pub activity: Activity,
    /// What was put right.
    pub drift: &'a [Difference],
    /// What was taken over with consent.
    pub adopted: &'a [Kind],
}

/// The object as the summary needs it.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// metadata.generation of the spec that the pass worked on.
    pub generation: i64,
    /// The status before.
    pub status: Option<&'a SessionManagerRoleStatus>,
    /// The value of the annotation that asks for a look now, where it was answered.
    pub reconcile_request: Option<&'a str>,
}

/// What is to be written and told.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The status; equal to the one before where nothing happened.
    pub status: SessionManagerRoleStatus,
    /// Events, in order.
    pub events: Vec<Event>,
}

/// A Kubernetes event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Warning rather than Normal.
    pub warning: bool,
    /// A condition's reason, or what was done.
    pub reason: EventReason,
    /// In words.
    pub note: String,
}

impl Event {
    /// An event of type Normal.
    pub fn normal(reason: impl Into<EventReason>, note: impl Into<String>) -> Self {
        Self {
            warning: false,
            reason: reason.into(),
            note: cut(note.into()),
        }
    }

    /// An event of type Warning.
    pub fn warning(reason: impl Into<EventReason>, note: impl Into<String>) -> Self {
        Self {
            warning: true,
            reason: reason.into(),
            note: cut(note.into()),
        }
    }
}

/// Status and events after a pass.
pub fn summarize(object: Object, now: Timestamp, outcome: &Outcome) -> Summary {
    let before = object.status.cloned().unwrap_or_default();
    let mut status = before.clone();
    let mut events = Vec::new();
    if let Outcome::Paused { by, is_deleting } = outcome {
        let message = messages::paused(*by, *is_deleting);
        conditions::pause(&mut status, &message, object.generation, now);
        return Summary { status, events };
    }
    status.observed_generation = object.generation;
    if let Some(request) = object.reconcile_request {
        status.last_handled_reconcile_at = Some(request.to_owned());
    }
    let verdict = judge(outcome);
    record(&mut status, &before, outcome, now);
    if let Outcome::Started { activity, .. } = outcome
        && status.drift == before.drift
        && conditions::held_up(&before, object.generation, activity.reason())
    {
        // A retry: what held it up stays told until it is known to be over.
        return Summary { status, events };
    }
    write(&mut status, &verdict, object.generation, now);
    add_events(&mut events, &before, &status, &verdict, outcome);
    Summary { status, events }
}

/// What the outcome means for `Ready`.
fn judge(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Started { activity, drift } => {
            Verdict::reconciling(activity.reason(), messages::started(*activity, drift))
        }
        Outcome::Converged { facts, .. } => Verdict::ready(messages::converged(facts.desired)),
        Outcome::Drifted { drift, .. } => {
            Verdict::stalled(Reason::Drifted, messages::drifted(drift))
        }
        Outcome::Waiting {
            activity, message, ..
        } => Verdict::reconciling(activity.reason(), message.clone()),
        Outcome::Refused { refusals, .. } => {
            let replaced = refusals
                .iter()
                .any(|r| matches!(r.why, NotOurs::Replaced { .. }));
            Verdict::stalled(
                if replaced {
                    Reason::Replaced
                } else {
                    Reason::NotOwned
                },
                messages::refused(refusals),
            )
        }
        Outcome::Invalid { problems } => {
            Verdict::stalled(Reason::InvalidSpec, messages::invalid(problems))
        }
        Outcome::WrongAccount { caller } => {
            Verdict::stalled(Reason::WrongAccount, messages::wrong_account(caller))
        }
        Outcome::Failed {
            failure,
            activity,
            decision,
            ..
        } => failed(failure, *activity, *decision),
        Outcome::DeletionBlocked { because } => {
            Verdict::stalled(Reason::DeletionBlocked, because.join("; "))
        }
        Outcome::Paused { .. } => Verdict::reconciling(Reason::Updating, String::new()), // returned before
    }
}

fn failed(failure: &Failure, activity: Activity, decision: Remedy) -> Verdict {
    if decision == Remedy::Wait {
        return Verdict::reconciling(activity.reason(), failure.while_it_may_pass());
    }
    let message = failure.to_string();
    match failure.class {
        FailureClass::Throttled => Verdict::reconciling(Reason::Throttled, message),
        FailureClass::Unavailable => Verdict::reconciling(Reason::AwsUnavailable, message),
        FailureClass::ConcurrentChange | FailureClass::NotFound | FailureClass::NotLeader => {
            Verdict::reconciling(activity.reason(), message)
        }
        FailureClass::AlreadyExists => Verdict::stalled(Reason::NotOwned, message),
        FailureClass::AccessDenied => Verdict::stalled(Reason::AccessDenied, message),
        FailureClass::Credentials | FailureClass::Partition => {
            Verdict::stalled(Reason::CredentialsUnavailable, message)
        }
        FailureClass::Quota | FailureClass::NoRoom => {
            Verdict::stalled(Reason::QuotaExceeded, message)
        }
        FailureClass::TooLarge => Verdict::stalled(Reason::PolicyTooLarge, message),
        FailureClass::Refused | FailureClass::Missing => {
            Verdict::stalled(Reason::InvalidSpec, message)
        }
        FailureClass::InUse => Verdict::stalled(Reason::DeletionBlocked, message),
    }
}

/// An event where something was done, or where a person's attention is newly needed.
fn add_events(
    events: &mut Vec<Event>,
    before: &SessionManagerRoleStatus,
    after: &SessionManagerRoleStatus,
    verdict: &Verdict,
    outcome: &Outcome,
) {
    match outcome {
        Outcome::Converged {
            facts,
            done: Some(done),
            ..
        } => {
            if !done.adopted.is_empty() {
                events.push(Event::normal(
                    Deed::Adopted,
                    messages::adopted(done.adopted),
                ));
            }
            events.push(messages::done(facts, before, done));
        }
        Outcome::Converged { done: None, .. } => {
            if !conditions::was(before, true, verdict.reason()) {
                events.push(Event::normal(Reason::Converged, verdict.message()));
            }
        }
        Outcome::Refused { .. }
        | Outcome::Invalid { .. }
        | Outcome::WrongAccount { .. }
        | Outcome::Drifted { .. }
        | Outcome::DeletionBlocked { .. } => {
            if verdict.differs_from(before) {
                events.push(Event::warning(verdict.reason(), verdict.message()));
            }
        }
        Outcome::Failed { decision, .. } => {
            // A delay of IAM's is nothing that anybody has to know of: status shows it.
            if *decision != Remedy::Wait && verdict.differs_from(before) {
                events.push(Event::warning(verdict.reason(), verdict.message()));
            }
        }
        Outcome::Started { .. } | Outcome::Waiting { .. } | Outcome::Paused { .. } => {}
    }
    let new: Vec<&String> = after
        .unlisted_policies
        .iter()
        .filter(|p| !before.unlisted_policies.contains(p))
        .collect();
    if !new.is_empty() {
        events.push(Event::warning(
            Reason::UnlistedAccess,
            messages::unlisted(&after.unlisted_policies),
        ));
    }
}

/// Bounded, and without a break in the middle of a character.
fn cut(text: String) -> String {
    cut_to(MESSAGE_MAX, text)
}

fn cut_to(max: usize, mut text: String) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
