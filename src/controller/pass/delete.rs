//! The pass of an object that is on its way out: what is proven ours goes (or stays without our
//! tags), then the finalizer. It needs no valid spec. Does network IO; decides nothing that the core
//! can.

use std::collections::BTreeSet;

use smr_api::{AdoptionPolicy, Deed};
use smr_core::account::Account;
use smr_core::decide::{ROUNDS, Requeue, pause_before};
use smr_core::deletion::{Deletion, Leaving, plan_deletion};
use smr_core::kind::Kind;
use smr_core::names::{Live, Names};
use smr_core::observed::Observed;
use smr_core::ownership::Identity;
use smr_core::plan::{Plan, Recorded};
use smr_core::refusal::{Failed, Remedy};
use smr_core::resolve::live;
use smr_core::summary::{Activity, Event, Outcome};

use super::{Pass, PassError, PassResult};
use crate::controller::state::deletions::Deletions;
use smr_iam::Iam;

const DELETING: Activity = Activity::Deleting;
const LATE: &str = "IAM may not show yet what the controller created less than a minute ago. The controller reads it again every few seconds";

/// What all rounds of a deletion work with.
struct Work<'a> {
    iam: &'a Iam,
    leaving: Leaving<'a>,
    recorded: Recorded,
    anywhere: BTreeSet<Kind>,
    /// The path is the word of status alone.
    is_hearsay: bool,
}

/// What a round of a deletion came to.
enum Round {
    /// The pass ends.
    End(Requeue),
    /// A step failed, and another reading may explain it.
    Again(Box<Failed>),
}

impl Pass<'_> {
    /// Mode Observe leaves IAM alone, at deletion too.
    pub(super) async fn leave_as_it_is(&mut self) -> Result<PassResult, PassError> {
        let left = Event::normal(
            Deed::Retained,
            "mode Observe: whatever is in IAM stays as it is",
        );
        self.state.deletions.leaves_as_it_is(left);
        self.release().await?;
        self.requeue(&Requeue::OnChange)
    }

    /// One pass over an object that is on its way out. Its status is read once.
    pub(super) async fn delete(&mut self, account: &Account) -> Result<PassResult, PassError> {
        let object = self.object.clone();
        let identity = Identity {
            cluster: self.context.limits.cluster.clone(),
            subject: object.subject(),
        };
        let leaving = Leaving {
            identity: &identity,
            account,
            spec: object.spec.as_ref().ok(),
            status: object.written_status(),
        };
        let mut names = self.names(&leaving, None);
        // Where no flag allows a path, status may have it from anybody: IAM says where the objects are.
        let is_hearsay = !self.context.limits.allows_path(&names.path);
        let work = Work {
            iam: &self.iam(account),
            leaving,
            recorded: Recorded::of(leaving.status),
            anywhere: if is_hearsay {
                Kind::ALL.into()
            } else {
                leaving.anywhere()
            },
            is_hearsay,
        };
        let mut last = None;
        for round in 0..ROUNDS {
            tokio::time::sleep(pause_before(round)).await;
            match self.delete_once(&work, &mut names).await? {
                Round::End(requeue) => return self.requeue(&requeue),
                Round::Again(failed) => last = Some(failed),
            }
        }
        let requeue = match last {
            Some(last) => self.failed(&last, last.after_looking()).await?,
            None => Requeue::BackOff,
        };
        self.requeue(&requeue)
    }

    fn names(&self, leaving: &Leaving<'_>, live: Option<&Live>) -> Names {
        let (subject, limits) = (&leaving.identity.subject, &self.context.limits);
        Names::resolve(subject, leaving.spec, leaving.status, limits, live)
    }

    async fn delete_once(
        &mut self,
        work: &Work<'_>,
        names: &mut Names,
    ) -> Result<Round, PassError> {
        let Work {
            iam,
            leaving,
            recorded,
            ..
        } = work;
        let Some(state) = self.look(work, names).await? else {
            self.publish(&waiting(LATE)).await?;
            return Ok(Round::End(Requeue::Propagation));
        };
        if recorded.is_empty() || work.is_hearsay {
            let live = live(leaving.identity, AdoptionPolicy::Never, &state);
            *names = self.names(leaving, Some(&live));
        }
        let users = iam.users(&state).await.map_err(PassError::Unread)?;
        let (policy, now) = (self.object.deletion_policy, self.context.clock.now());
        match plan_deletion(
            leaving.identity,
            names,
            recorded,
            &state,
            &users,
            policy,
            now,
        ) {
            Deletion::Release => {
                self.state.deletions.leaves(&state);
                self.release().await?;
                Ok(Round::End(Requeue::OnChange))
            }
            Deletion::Blocked(because) => {
                self.publish(&Outcome::DeletionBlocked { because: &because })
                    .await?;
                Ok(Round::End(Requeue::Stalled))
            }
            Deletion::Delete(plan) | Deletion::Retain(plan) => {
                self.take_away(iam, leaving.account, names, &plan, state)
                    .await
            }
        }
    }

    /// What IAM holds; `None` where it may not show yet what was created a moment ago.
    async fn look(&self, work: &Work<'_>, names: &Names) -> Result<Option<Observed>, PassError> {
        let Leaving { account, .. } = work.leaving;
        let read = work.iam.observe(account, names, &work.anywhere).await;
        let read = read.map_err(PassError::Unread)?;
        let (now, recent) = (self.context.clock.steady(), self.context.recent.lock());
        let state = recent.settle(now, &account.id, names, read).state;
        let is_late = work.leaving.may_be_late(names, &state, &recent, now);
        Ok((!is_late).then_some(state))
    }

    /// Carries the plan of a deletion out.
    async fn take_away(
        &mut self,
        iam: &Iam,
        account: &Account,
        names: &Names,
        plan: &Plan,
        mut state: Observed,
    ) -> Result<Round, PassError> {
        self.publish(&Outcome::Started {
            activity: DELETING,
            drift: &[],
        })
        .await?;
        let before = state.clone();
        let applied = self.apply(iam, account, names, plan, &mut state).await;
        let (of, states) = ((account, names), (&before, &state));
        (self.state.deletions).carried_out(plan, of, states, applied.failed());
        applied.or_paused()?;
        match applied.failed().first() {
            None => {
                self.state.deletions.leaves(&state);
                self.release().await?;
                Ok(Round::End(Requeue::OnChange))
            }
            Some(first) if first.decision == Remedy::LookAgain => {
                Ok(Round::Again(Box::new(first.clone())))
            }
            Some(first) => Ok(Round::End(self.failed(first, first.decision).await?)),
        }
    }

    async fn failed(&mut self, failed: &Failed, decision: Remedy) -> Result<Requeue, PassError> {
        self.conclude(&Outcome::Failed {
            facts: None,
            activity: DELETING,
            failure: &failed.failure,
            decision,
        })
        .await?;
        Ok(Requeue::AfterFailure(decision))
    }

    /// Nothing of ours is left: published, then the object may go.
    async fn release(&mut self) -> Result<(), PassError> {
        let events = self.state.deletions.events();
        let publisher = &self.context.publisher;
        let last_event = &mut self.state.last_event;
        (publisher.publish_events(&self.object, &events, last_event)).await;
        publisher.remove_finalizer(&self.object).await?;
        self.state.deletions = Deletions::default();
        self.state.succeeded();
        Ok(())
    }
}

fn waiting(message: &str) -> Outcome<'static> {
    Outcome::Waiting {
        facts: None,
        activity: DELETING,
        drift: &[],
        message: message.to_owned(),
    }
}
