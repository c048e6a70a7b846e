//! One round's decision: what should be, what was seen, the plan, and what is known in; end the pass,
//! learn a fact, or write out. No IO; time enters as a value. The only place that decides whether a
//! plan is carried out.

mod known;

use std::time::Duration;

use jiff::Timestamp;
use smr_api::Mode;

use crate::names::Live;
use crate::observed::Observed;
use crate::ownership::names_us;
use crate::plan::{Plan, Planned, Refusal};
use crate::ports::Moment;
use crate::recent::{RecentWrites, Seen, restart_window};
use crate::refusal::Remedy;
use crate::resolve::Resolved;
use crate::step::Step;
use crate::summary::{Activity, Done, Facts, Outcome};
use crate::writes::IamName;

pub(crate) use known::presumes_empty;
pub use known::{Carried, Known, Look, ROUNDS, Unpublished, pause_before};

/// Published while the policy of the former type waits for its end.
const OVERLAP: &str = "the policy is in place as spec.policy.type says; the one of the other type goes once IAM has spread that";

/// What a round decides. It borrows the plan for `'p`.
#[derive(Debug)]
pub enum Decision<'a, 'p> {
    /// The pass ends.
    End(End<'a>),
    /// IAM has objects that are ours, or may be adopted: they decide names and path of another round.
    Learn(Live),
    /// What was written is not all: IAM has to be read again in another round.
    ReadAgain,
    /// The plan is to be carried out.
    Write(&'p Planned),
}

/// How a pass ends.
#[derive(Debug)]
pub struct End<'a> {
    /// What there is to say; `None` where status stays as it is.
    pub outcome: Option<Outcome<'a>>,
    /// When the object's turn comes again.
    pub requeue: Requeue,
}

impl<'a> End<'a> {
    /// With something to say.
    pub fn with(outcome: Outcome<'a>, requeue: Requeue) -> Self {
        Self {
            outcome: Some(outcome),
            requeue,
        }
    }

    /// With nothing to say.
    pub fn silent(requeue: Requeue) -> Self {
        Self {
            outcome: None,
            requeue,
        }
    }
}

/// When the object's turn comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// When it changes, or a sweep finds something: IAM matches the spec.
    InSync,
    /// The same, and IAM is read once more soon: some of it may not be what IAM will show.
    StaleParts,
    /// When it changes, or a sweep finds something: mode Observe writes nothing.
    Observed,
    /// When it changes.
    OnChange,
    /// In a moment: what was seen may be a stale reading.
    Soon,
    /// The same: this repair waits for a second reading.
    Suspected(Box<Plan>),
    /// When the policy of the former type may go.
    Overlap(Duration),
    /// IAM may not have propagated a write yet.
    Propagation,
    /// When a person has acted.
    Stalled,
    /// Later and later.
    BackOff,
    /// As the failure asks for.
    AfterFailure(Remedy),
}

impl<'a> Facts<'a> {
    /// What is known of `goal` where IAM holds `state`.
    pub fn of(goal: &'a Resolved, state: &'a Observed) -> Self {
        Self {
            desired: &goal.desired,
            observed: state,
            counterparts: goal.counterparts.as_ref(),
            mode: goal.valid.mode,
        }
    }
}

/// Decides what to do about `goal`, of which `seen` gave this plan, or refusals.
pub fn decide<'a, 'p: 'a>(
    goal: &'a Resolved,
    seen: &'a Seen,
    planned: &'p Result<Planned, Vec<Refusal>>,
    known: &'a Known,
    recent: &RecentWrites,
    now: Moment,
) -> Decision<'a, 'p> {
    let is_done = matches!(planned, Ok(planned) if planned.plan.is_empty());
    if known.is_applied() && !is_done {
        return Decision::ReadAgain;
    }
    if let Some(live) = unknown_live(goal, seen, known) {
        return Decision::Learn(live);
    }
    if let Ok(planned) = planned
        && goal.valid.mode == Mode::Enforce
        && planned.plan.creates()
    {
        // Where status alone says under which path, IAM is asked; what it has decides.
        if goal.creation.path_is_hearsay && known.live().is_none() && !known.has_written() {
            return Decision::Learn(goal.live(&seen.state));
        }
        let problems = goal.creation.problems.as_slice();
        if !problems.is_empty() {
            let outcome = Outcome::Invalid { problems };
            return Decision::End(End::with(outcome, Requeue::Stalled));
        }
    }
    let round = Round {
        goal,
        seen,
        known,
        recent,
        now,
    };
    match planned {
        Err(refusals) => Decision::End(round.refused(refusals)),
        Ok(planned) if goal.valid.mode == Mode::Observe => Decision::End(round.observed(planned)),
        Ok(planned) if planned.plan.is_empty() => Decision::End(round.reached(planned)),
        Ok(planned) if planned.only_stamps() => Decision::Write(planned),
        Ok(planned) => match round.suspicion(&planned.plan) {
            Some(requeue) => Decision::End(End::silent(requeue)),
            None => Decision::Write(planned),
        },
    }
}

/// Where status is lost or never was, what IAM holds decides names and path.
fn unknown_live(goal: &Resolved, seen: &Seen, known: &Known) -> Option<Live> {
    if !known.recorded.is_empty() || known.live().is_some() || known.is_applied() {
        return None;
    }
    Some(goal.live(&seen.state)).filter(|live| live.path.is_some())
}

struct Round<'a, 'r> {
    goal: &'a Resolved,
    seen: &'a Seen,
    known: &'a Known,
    recent: &'r RecentWrites,
    now: Moment,
}

impl<'a> Round<'a, '_> {
    fn facts(&self) -> Facts<'a> {
        Facts::of(self.goal, &self.seen.state)
    }

    fn account(&self) -> &'a str {
        &self.goal.desired.account.id
    }

    /// One of the three is not ours.
    fn refused(&self, refusals: &'a [Refusal]) -> End<'a> {
        if self.seen.stale_parts || self.may_be_an_earlier_one(refusals) {
            return End::silent(Requeue::Soon);
        }
        let requeue = if self.was_freed_recently(refusals) {
            Requeue::Soon
        } else {
            Requeue::Stalled
        };
        let facts = Some(self.facts());
        End::with(Outcome::Refused { facts, refusals }, requeue)
    }

    /// An earlier process may have made the object anew a moment ago: what carries our name, but an
    /// earlier uid and id, may be a late reading.
    fn may_be_an_earlier_one(&self, refusals: &[Refusal]) -> bool {
        let identity = &self.goal.desired.identity;
        let is_ours = |refusal: &Refusal| {
            let tags = self.seen.state.tags(refusal.kind);
            tags.is_some_and(|tags| names_us(identity, tags))
        };
        self.recent.is_young(self.now.steady) && refusals.iter().all(is_ours)
    }

    /// Whether the controller itself has just given up what holds the name: IAM will show it soon.
    fn was_freed_recently(&self, refusals: &[Refusal]) -> bool {
        let was_freed = |refusal: &Refusal| {
            let name = refusal.arn.rsplit('/').next().unwrap_or_default();
            let name = IamName::new(refusal.kind, name);
            (self.recent).was_freed(self.now.steady, self.account(), &name)
        };
        refusals.iter().any(was_freed)
    }

    /// Mode Observe: published, never written.
    fn observed(&self, planned: &'a Planned) -> End<'a> {
        let (facts, unlisted) = (self.facts(), planned.unlisted.as_slice());
        let outcome = if planned.drift.is_empty() {
            Outcome::Converged {
                facts,
                done: None,
                unlisted,
            }
        } else {
            Outcome::Drifted {
                facts,
                drift: &planned.drift,
                unlisted,
            }
        };
        End::with(outcome, Requeue::Observed)
    }

    /// Nothing is left to write now.
    fn reached(&self, planned: &'a Planned) -> End<'a> {
        let (facts, activity) = (self.facts(), self.known.activity);
        if let Some(wait) = planned.wait {
            let waiting = Outcome::Waiting {
                facts: Some(facts),
                activity,
                drift: &planned.drift,
                message: OVERLAP.to_owned(),
            };
            return End::with(waiting, Requeue::Overlap(wait));
        }
        // What is taken for stale may as well be what somebody else has just done: only a reading of all parts
        // proves that IAM matches the spec.
        if self.seen.stale_parts && !self.known.is_published() {
            return End::silent(Requeue::Soon);
        }
        let done = self.known.done().map(|(activity, drift)| Done {
            activity,
            drift,
            adopted: self.known.adopted(),
        });
        let converged = Outcome::Converged {
            facts,
            done,
            unlisted: &planned.unlisted,
        };
        let requeue = if self.seen.stale_parts {
            Requeue::StaleParts
        } else {
            Requeue::InSync
        };
        End::with(converged, requeue)
    }

    /// A difference in what had converged is read twice where it may be a stale reading.
    fn suspicion(&self, plan: &Plan) -> Option<Requeue> {
        if self.known.activity != Activity::Repairing || self.known.has_written() {
            return None;
        }
        let (names, now) = (&self.goal.desired.names, self.now);
        let has_written = self.recent.knows(now.steady, self.account(), names);
        let is_recorded = |step: &Step| self.known.recorded.has(step.kind());
        let is_absent = plan.steps().any(|step| step.creates() && is_recorded(step));
        // After a restart nobody knows what was written: only the end of the window shows.
        let window = restart_window(self.known.status.as_ref(), now.wall);
        let is_restarted = !has_written && window.is_some();
        if self.recent.is_young(now.steady) && (is_absent || is_restarted) {
            return Some(Requeue::Soon);
        }
        let is_new = self.known.carried.suspected.as_deref() != Some(plan);
        (has_written && is_new).then(|| Requeue::Suspected(Box::new(plan.clone())))
    }
}

impl Carried {
    /// The pass ends: what of this the next one needs.
    pub fn ends(&mut self, requeue: &Requeue, now: Timestamp) {
        match requeue {
            Requeue::InSync | Requeue::StaleParts => *self = Self::default(),
            Requeue::Observed => {
                self.suspected = None;
                self.unpublished = None;
            }
            Requeue::Suspected(plan) => self.suspected = Some(plan.clone()),
            Requeue::Overlap(_) => {
                self.new_policy_since.get_or_insert(now);
            }
            Requeue::OnChange
            | Requeue::Soon
            | Requeue::Propagation
            | Requeue::Stalled
            | Requeue::BackOff
            | Requeue::AfterFailure(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
