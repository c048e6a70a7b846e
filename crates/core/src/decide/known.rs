//! What a pass knows besides the spec: status as it was at the beginning, what the last pass left, and
//! what its own rounds have learned. In: readings, and what became of plans; out: where to look next.
//! No IO. Nothing else goes from one round to the next.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use smr_api::{AdoptionPolicy, Mode, SessionManagerRoleStatus};

use super::{End, Requeue};
use crate::difference::{Difference, Differences};
use crate::failure::FailureClass;
use crate::kind::Kind;
use crate::names::{Live, Names};
use crate::observed::Observed;
use crate::plan::{Plan, Planned, Recorded};
use crate::ports::Moment;
use crate::recent::{RecentWrites, Seen};
use crate::refusal::{Failed, Remedy};
use crate::resolve::Resolved;
use crate::summary::{Activity, Facts, Outcome, in_sync_since};

/// How often one pass looks at IAM before it leaves the rest to the next.
pub const ROUNDS: u32 = 5;
/// The pause before the second look; it doubles from look to look.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What one pass of an object leaves to its next. All of it may be lost in a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// A repair that waits for a second reading.
    pub suspected: Option<Box<Plan>>,
    /// Since when the policy of the wanted type is known to be in place, while its type changes.
    pub new_policy_since: Option<Timestamp>,
    /// What was done and is not published yet.
    pub unpublished: Option<Unpublished>,
}

/// Work that may take more than one pass, or whose publication may have been lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpublished {
    /// Of what kind.
    pub activity: Activity,
    /// What was repaired.
    pub drift: Differences,
}

impl Carried {
    /// Whether nothing is lost with it.
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a round gets what it plans on.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// It is known already: an empty account, a reading that still holds, what was just written.
    Known(Box<Seen>),
    /// IAM is read, after a pause.
    Read {
        /// The pause.
        after: Duration,
        /// Which of the three may stand under another path or in another case than we know.
        anywhere: BTreeSet<Kind>,
    },
}

/// What a pass knows.
#[derive(Debug)]
pub struct Known {
    /// The status as it was when the pass began.
    pub(super) status: Option<SessionManagerRoleStatus>,
    /// What it records of the IAM objects.
    pub recorded: Recorded,
    /// What the pass is about.
    pub activity: Activity,
    /// What the last pass left, and this one leaves.
    pub carried: Carried,
    generation: i64,
    /// Whether an earlier pass may have written: it has put our finalizer on.
    is_begun: bool,
    /// Names and path as IAM has them.
    live: Option<Live>,
    /// Names that IAM refused as taken, though no reading shows by what.
    taken: BTreeSet<Kind>,
    adopted: Vec<Kind>,
    has_written: bool,
    looks: u32,
    /// What to plan on without reading, and under which names it holds.
    expected: Option<(Names, Box<Seen>)>,
    /// Whether that is what a plan that was carried out as a whole has left.
    is_applied: bool,
    /// The step that failed last, and what IAM holds since.
    failed: Option<(Observed, Failed)>,
}

impl Known {
    /// At the beginning of a pass over an object with this status.
    pub fn at_start(
        status: Option<&SessionManagerRoleStatus>,
        generation: i64,
        is_begun: bool,
        carried: Carried,
    ) -> Self {
        Self {
            status: status.cloned(),
            recorded: Recorded::of(status),
            activity: Activity::of(status, generation),
            carried,
            generation,
            is_begun,
            live: None,
            taken: BTreeSet::new(),
            adopted: Vec::new(),
            has_written: false,
            looks: 0,
            expected: None,
            is_applied: false,
            failed: None,
        }
    }

    /// Names and path as IAM has them, where status does not say.
    pub fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// Whether a write was begun in this pass.
    pub fn has_written(&self) -> bool {
        self.has_written
    }

    /// What was taken over with consent in this pass.
    pub fn adopted(&self) -> &[Kind] {
        &self.adopted
    }

    pub(super) fn is_applied(&self) -> bool {
        self.is_applied
    }

    /// Where the next round gets what it plans on; `None` where the pass is over: see
    /// [`Self::give_up`].
    pub fn next_look(
        &mut self,
        goal: &Resolved,
        recent: &RecentWrites,
        now: Moment,
    ) -> Option<Look> {
        if let Some((names, seen)) = self.expected.take()
            && names == goal.desired.names
        {
            return Some(Look::Known(seen));
        }
        self.is_applied = false;
        if self.is_over() || self.looks >= ROUNDS {
            return None;
        }
        let look = self.looks;
        self.looks += 1;
        if look == 0 && self.presumes_empty(goal, recent, now) {
            return Some(Look::Known(Box::default()));
        }
        // What may be adopted decides the path of all three: it is looked for before anything is made.
        let adopts = goal.valid.adoption_policy == AdoptionPolicy::WithConsent;
        Some(Look::Read {
            after: pause_before(look),
            anywhere: if self.recorded.is_empty() && adopts {
                Kind::ALL.into()
            } else {
                self.taken.clone()
            },
        })
    }

    /// Nothing recorded, nothing remembered and never begun (a status may be lost): the creation is
    /// planned on an empty account, and IAM's own refusals say where that is wrong.
    fn presumes_empty(&self, goal: &Resolved, recent: &RecentWrites, now: Moment) -> bool {
        let (account, names) = (&goal.desired.account.id, &goal.desired.names);
        presumes_empty(goal, &self.recorded)
            && !self.is_begun
            && !recent.knows(now.steady, account, names)
    }

    /// A round has learned where IAM has the objects.
    pub fn learn(&mut self, live: Live, goal: &Resolved, seen: Seen) {
        self.live = Some(live);
        // The reading holds as long as the names do.
        self.expect(goal, seen);
    }

    fn expect(&mut self, goal: &Resolved, seen: Seen) {
        self.expected = Some((goal.desired.names.clone(), Box::new(seen)));
    }

    /// A plan is about to be carried out.
    pub fn begins(&mut self, planned: &Planned) {
        self.has_written |= !planned.only_stamps();
        for kind in &planned.adopts {
            if !self.adopted.contains(kind) {
                self.adopted.push(*kind);
            }
        }
        if planned.wait.is_some() {
            // What is written may be the policy of the new type: its time begins again.
            self.carried.new_policy_since = None;
        }
    }

    /// A plan was carried out on `before`, which is `after` since; these steps failed, the one that
    /// decides what to do first.
    pub fn applied(
        &mut self,
        goal: &Resolved,
        planned: &Planned,
        before: &Seen,
        after: Observed,
        failed: Vec<Failed>,
    ) {
        if after != before.state && !planned.only_stamps() {
            self.has_done(&planned.drift);
        }
        let is_taken = |failed: &&Failed| {
            failed.failure.class == FailureClass::AlreadyExists
                && failed.decision == Remedy::LookAgain
        };
        let taken = failed.iter().filter(is_taken).map(|f| f.step.kind());
        self.taken.extend(taken);
        match failed.into_iter().next() {
            None => {
                let seen = Seen {
                    state: after,
                    // What was not read is not known better now.
                    stale_parts: before.stale_parts,
                };
                self.expect(goal, seen);
                self.is_applied = true;
            }
            Some(first) => self.failed = Some((after, first)),
        }
    }

    /// Whether a step failed in a way that no other look explains.
    fn is_over(&self) -> bool {
        let failed = self.failed.as_ref();
        failed.is_some_and(|(_, last)| last.decision != Remedy::LookAgain)
    }

    fn has_done(&mut self, drift: &Differences) {
        let earlier = self.carried.unpublished.take();
        let is_same =
            |u: &Unpublished| u.activity == self.activity || self.activity != Activity::Repairing;
        let mut all = earlier
            .filter(is_same)
            .map_or_else(Differences::default, |u| u.drift);
        all.add(drift);
        self.carried.unpublished = Some(Unpublished {
            activity: self.activity,
            drift: all,
        });
    }

    /// What there is to publish once IAM matches the spec: its kind, and what was repaired.
    pub(super) fn done(&self) -> Option<(Activity, &[Difference])> {
        match &self.carried.unpublished {
            // The answer to the status write was lost: what status says now was done before.
            Some(earlier) if self.activity == Activity::Repairing => {
                Some((earlier.activity, &earlier.drift))
            }
            Some(earlier) => Some((self.activity, &earlier.drift)),
            None => self.has_written.then_some((self.activity, &[])),
        }
    }

    /// Whether status says already that IAM matches this generation.
    pub(super) fn is_published(&self) -> bool {
        in_sync_since(self.status.as_ref(), self.generation).is_some()
    }

    /// How a pass ends whose rounds have not brought it to an end: with what failed last, or with
    /// nothing to say.
    pub fn give_up<'a>(&'a self, goal: &'a Resolved) -> End<'a> {
        let Some((state, last)) = &self.failed else {
            return End::silent(Requeue::BackOff);
        };
        let decision = if self.is_over() {
            last.decision
        } else {
            last.after_looking()
        };
        End {
            outcome: Some(Outcome::Failed {
                facts: Some(Facts::of(goal, state)),
                activity: self.activity,
                failure: &last.failure,
                decision,
            }),
            requeue: Requeue::AfterFailure(decision),
        }
    }

    /// For how long the policy of the wanted type is known to be in place. A reading of which a part is
    /// stale does not say whether it is there still.
    pub fn new_policy_for(&self, seen: &Seen, now: Timestamp) -> Option<Duration> {
        if seen.stale_parts {
            return None;
        }
        // Once the pass writes, IAM is not in sync any more.
        let in_sync = || {
            let status = self.status.as_ref().filter(|_| !self.has_written);
            in_sync_since(status, self.generation)
        };
        let since = self.carried.new_policy_since.or_else(in_sync)?;
        Duration::try_from(now.duration_since(since)).ok()
    }
}

/// Whether a creation is planned without a reading, as far as spec and status say: not where
/// something may be adopted.
pub(crate) fn presumes_empty(goal: &Resolved, recorded: &Recorded) -> bool {
    recorded.is_empty()
        && goal.valid.mode == Mode::Enforce
        && goal.valid.adoption_policy == AdoptionPolicy::Never
}

/// The pause before a look; the first has none.
pub fn pause_before(look: u32) -> Duration {
    match look {
        0 => Duration::ZERO,
        later => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(later - 1)),
    }
}
