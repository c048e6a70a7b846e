//! The pass of an object that is to exist: resolve, observe, plan, decide, apply, until IAM matches
//! the spec or something stands in the way. Does network IO; decides nothing that the core can.

use std::collections::BTreeSet;
use std::time::Duration;

use smr_core::account::Account;
use smr_core::decide::{Decision, End, Known, Look, Requeue, decide};
use smr_core::kind::Kind;
use smr_core::names::Live;
use smr_core::ownership::NotOurs;
use smr_core::plan::{Planned, Refusal, plan};
use smr_core::recent::Seen;
use smr_core::resolve::validate::Invalid;
use smr_core::resolve::{Resolved, other_account, resolve};
use smr_core::summary::Outcome;
use tracing::info;

use super::{Pass, PassError, PassResult};
use smr_iam::Iam;

impl Pass<'_> {
    /// One pass over an object that is to exist.
    pub(super) async fn converge(&mut self, account: &Account) -> Result<PassResult, PassError> {
        let carried = std::mem::take(&mut self.state.carried);
        let (object, status) = (&self.object, self.status());
        let is_begun = object.has_finalizer();
        let mut known = Known::at_start(status, object.generation(), is_begun, carried);
        let ended = self.rounds(account, &mut known).await;
        if let Ok(requeue) = &ended {
            known.carried.ends(requeue, self.context.clock.now());
        }
        // A pass that is broken off leaves what it has learned, too.
        self.state.carried = known.carried;
        self.requeue(&ended?)
    }

    /// Round by round; what each has learned enters the next through `known`.
    async fn rounds(&mut self, account: &Account, known: &mut Known) -> Result<Requeue, PassError> {
        let iam = self.iam(account);
        let mut goal = self.resolve(account, known)?;
        while let Some(look) = self.next_look(&goal, known) {
            let seen = match look {
                Look::Known(seen) => *seen,
                Look::Read { after, anywhere } => {
                    self.observe(&iam, &goal, after, &anywhere).await?
                }
            };
            let wall = self.context.clock.now();
            let since = known.new_policy_for(&seen, wall);
            let planned = plan(&goal.desired, &seen.state, &known.recorded, since);
            if let Err(refusals) = &planned {
                log_holders(refusals);
            }
            match self.decide(&goal, &seen, &planned, known) {
                Decision::End(end) => return self.end(end).await,
                Decision::Learn(live) => goal = self.learn(account, &goal, seen, live, known)?,
                Decision::ReadAgain => {}
                Decision::Write(plan) => self.write(&iam, &goal, &seen, plan, known).await?,
            }
        }
        self.end(known.give_up(&goal)).await
    }

    /// Validates the spec and applies every default.
    fn resolve(&self, account: &Account, known: &Known) -> Result<Resolved, PassError> {
        let limits = &self.context.limits;
        let spec = self.object.spec.as_ref().map_err(|error| {
            PassError::Invalid(vec![Invalid {
                field: "spec".to_owned(),
                problem: format!("can't be understood: {error}"),
            }])
        })?;
        let (subject, status, live) = (self.object.subject(), self.status(), known.live());
        resolve(spec, &subject, status, account, limits, live).map_err(PassError::Invalid)
    }

    fn next_look(&self, goal: &Resolved, known: &mut Known) -> Option<Look> {
        let now = self.context.clock.moment();
        known.next_look(goal, &self.context.recent.lock(), now)
    }

    /// Reads IAM after a pause, and judges what of the reading may be stale.
    async fn observe(
        &self,
        iam: &Iam,
        goal: &Resolved,
        after: Duration,
        anywhere: &BTreeSet<Kind>,
    ) -> Result<Seen, PassError> {
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        let (account, names) = (&goal.desired.account, &goal.desired.names);
        let read = (iam.observe(account, names, anywhere).await).map_err(PassError::Unread)?;
        if let Some(other) = other_account(account, &read) {
            return Err(PassError::WrongAccount(other));
        }
        let now = self.context.clock.steady();
        Ok((self.context.recent.lock()).settle(now, &account.id, names, read))
    }

    fn decide<'a, 'p: 'a>(
        &self,
        goal: &'a Resolved,
        seen: &'a Seen,
        planned: &'p Result<Planned, Vec<Refusal>>,
        known: &'a Known,
    ) -> Decision<'a, 'p> {
        let (recent, now) = (self.context.recent.lock(), self.context.clock.moment());
        decide(goal, seen, planned, known, &recent, now)
    }

    /// Another round: with the names that were found, where some were.
    fn learn(
        &self,
        account: &Account,
        goal: &Resolved,
        seen: Seen,
        live: Live,
        known: &mut Known,
    ) -> Result<Resolved, PassError> {
        known.learn(live, goal, seen);
        let again = self.resolve(account, known)?;
        if again.desired.names != goal.desired.names {
            info!(names = ?again.desired.names, "IAM has the objects under other names");
        }
        Ok(again)
    }

    /// Carries a plan out, as far as IAM lets it.
    async fn write(
        &mut self,
        iam: &Iam,
        goal: &Resolved,
        seen: &Seen,
        planned: &Planned,
        known: &mut Known,
    ) -> Result<(), PassError> {
        if planned.only_stamps() {
            self.add_finalizer().await?;
        } else if !known.has_written() {
            self.begin(known, planned).await?;
        }
        known.begins(planned);
        let (account, names) = (&goal.desired.account, &goal.desired.names);
        let mut state = seen.state.clone();
        let applied = (self.apply(iam, account, names, &planned.plan, &mut state)).await;
        let failed = applied.failed().to_vec();
        known.applied(goal, planned, seen, state, failed);
        applied.or_paused()
    }

    /// Before the first write of a pass: the finalizer, and a status that says what begins.
    async fn begin(&mut self, known: &Known, planned: &Planned) -> Result<(), PassError> {
        self.add_finalizer().await?;
        self.publish(&Outcome::Started {
            activity: known.activity,
            drift: &planned.drift,
        })
        .await
    }

    /// Publishes how a pass ends.
    async fn end(&mut self, end: End<'_>) -> Result<Requeue, PassError> {
        let End { outcome, requeue } = end;
        if matches!(requeue, Requeue::InSync | Requeue::StaleParts) {
            self.add_finalizer().await?;
        }
        if let Some(outcome) = outcome {
            self.conclude(&outcome).await?;
        }
        Ok(requeue)
    }
}

/// Who reads the object may not know the names of others. Who reads the log may.
fn log_holders(refusals: &[Refusal]) {
    for Refusal { arn, why, .. } in refusals {
        if let NotOurs::NotOwned { holder } = why
            && let Some(holder) = holder.for_the_log()
        {
            info!(arn, holder, "the name is taken");
        }
    }
}
