//! The pass of an object that is to exist: validate, observe, plan, apply, until IAM is as the
//! spec says, or something stands in the way.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use smr_api::{AdoptionPolicy, Mode};
use smr_core::account::Account;
use smr_core::failure::FailureClass;
use smr_core::names::Live;
use smr_core::observed::Observed;
use smr_core::ownership::names_us;
use smr_core::plan::{Planned, Recorded, Refusal, plan};
use smr_core::recent::{IamName, Settled, restart_window};
use smr_core::refusal::Decision;
use smr_core::step::Kind;
use smr_core::summary::{Activity, Done, Facts, Outcome, in_sync_since};
use smr_core::validate::Invalid;
use smr_core::wanted::{Wanted, other_account, wanted, without};
use tracing::{debug, info};

use super::{Broken, Ended, Pass, ROUNDS, SOON, between_rounds};
use crate::controller::queue::Priority;
use smr_iam::{Failed, Iam};

fn facts<'a>(wanted: &'a Wanted, believed: &'a Observed) -> Facts<'a> {
    Facts {
        desired: &wanted.desired,
        believed,
        counterparts: wanted.counterparts.as_ref(),
        mode: wanted.valid.mode,
    }
}

/// A look at IAM.
enum Look {
    /// What to plan on; `stale_parts`: some of it may not be what IAM will show soon.
    Seen(Box<Settled>),
    /// The pass ends here.
    Ended(Ended),
}

impl Pass<'_> {
    pub(super) async fn converge(&mut self) -> Result<Ended, Broken> {
        let activity = Activity::of(self.status(), self.object.generation());
        let account = match self.account(activity).await? {
            Ok(account) => account,
            Err(ended) => return Ok(ended),
        };
        let mut is_found = false;
        let mut wanted = match self.wanted(&account, None) {
            Ok(wanted) => wanted,
            Err(problems) => return self.invalid(&problems).await,
        };
        let iam = self.iam(&account);
        let is_first = Recorded::of(self.status()).is_empty();
        let adopts = wanted.valid.adoption_policy == AdoptionPolicy::WithConsent;
        // What may be adopted decides the path of all three: it is looked for before anything is made.
        let mut taken = if is_first && adopts {
            Kind::ALL.into()
        } else {
            BTreeSet::new()
        };
        // Nothing recorded, nothing remembered and never begun (a status may be lost): the creation
        // is planned on an empty account, and IAM's own refusals say where that is wrong.
        let mut presume_empty = is_first
            && !adopts
            && !self.wrote_recently(&account, &wanted)
            && !self.object.has_finalizer()
            && wanted.valid.mode == Mode::Enforce;
        let mut adopted: Vec<Kind> = Vec::new();
        let mut wrote = false;
        let mut last_failure = None;
        for round in 0..ROUNDS {
            between_rounds(round).await;
            let settled = if std::mem::take(&mut presume_empty) {
                Settled {
                    state: Observed::default(),
                    stale_parts: false,
                }
            } else {
                match self.look(&iam, &account, &wanted, &taken, activity).await? {
                    Look::Seen(settled) => *settled,
                    Look::Ended(ended) => return Ok(ended),
                }
            };
            let recorded = Recorded::of(self.status());
            let found = wanted.live(&settled.state);
            if recorded.is_empty() && found.path.is_some() && !is_found {
                is_found = true;
                let again = match self.wanted(&account, Some(&found)) {
                    Ok(again) => again,
                    Err(problems) => return self.invalid(&problems).await,
                };
                if again.desired.names != wanted.desired.names {
                    info!(names = ?again.desired.names, "IAM has the objects under other names");
                    wanted = again;
                    continue;
                }
            }
            let since = self.new_policy_since();
            let planned = match plan(&wanted.desired, &settled.state, &recorded, since) {
                Ok(planned) => planned,
                Err(_) if settled.stale_parts => return Ok(Ended::after(SOON, Priority::Repair)),
                Err(refusals) if self.may_be_an_earlier_one(&wanted, &settled.state, &refusals) => {
                    return Ok(Ended::after(SOON, Priority::Repair));
                }
                Err(refusals) => {
                    let ours = without(&refusals, settled.state);
                    let facts = Some(facts(&wanted, &ours));
                    self.tell(&Outcome::Refused {
                        facts,
                        refusals: &refusals,
                    })
                    .await?;
                    let delay = if self.was_freed_recently(&account, &refusals) {
                        SOON
                    } else {
                        self.memory.stalled()
                    };
                    return Ok(Ended::after(delay, Priority::Repair));
                }
            };
            if wanted.valid.mode == Mode::Observe {
                return self.observed(&wanted, &settled, &planned).await;
            }
            if planned.plan.is_empty() {
                let repaired = self.memory.repaired.clone();
                let done = (wrote || !repaired.is_empty()).then_some(Done {
                    activity,
                    drift: &repaired,
                    adopted: &adopted,
                });
                return self
                    .reached(&wanted, &settled, &planned, activity, done)
                    .await;
            }
            if activity == Activity::Repairing
                && !wrote
                && self.is_suspicion(&account, &wanted, &planned)
            {
                return Ok(Ended::after(SOON, Priority::Repair));
            }
            if !wrote {
                self.begin(activity, &planned).await?;
            }
            for kind in &planned.adopts {
                if !adopted.contains(kind) {
                    adopted.push(*kind);
                }
            }
            wrote = true;
            if planned.wait.is_some() {
                // What is written may be the policy of the new type: its time begins again.
                self.memory.new_policy_since = None;
            }
            let mut believed = settled.state.clone();
            let names = &wanted.desired.names;
            let applied = (self.apply(&iam, &account, names, &planned.plan, &mut believed)).await;
            if believed != settled.state {
                self.memory.put_right(&planned.drift);
            }
            let failed = applied.into_failed()?;
            if failed.is_empty() {
                let since = self.new_policy_since();
                match plan(
                    &wanted.desired,
                    &believed,
                    &Recorded::of(self.status()),
                    since,
                ) {
                    Ok(left) if left.plan.is_empty() => {
                        let settled = Settled {
                            state: believed,
                            stale_parts: false,
                        };
                        let repaired = self.memory.repaired.clone();
                        let done = Some(Done {
                            activity,
                            drift: &repaired,
                            adopted: &adopted,
                        });
                        return self.reached(&wanted, &settled, &left, activity, done).await;
                    }
                    Ok(_) | Err(_) => continue,
                }
            }
            let is_taken = |failed: &&Failed| {
                failed.failure.class == FailureClass::AlreadyExists
                    && failed.decision == Decision::LookAgain
            };
            taken.extend(failed.iter().filter(is_taken).map(|f| f.step.kind()));
            let Some(first) = failed.into_iter().next() else {
                continue;
            };
            if first.decision != Decision::LookAgain {
                let facts = Some(facts(&wanted, &believed));
                return (self.failed(facts, activity, &first.failure, first.decision)).await;
            }
            last_failure = Some((believed, first));
        }
        match last_failure {
            Some((believed, last)) => {
                let facts = Some(facts(&wanted, &believed));
                self.failed(facts, activity, &last.failure, last.after_looking())
                    .await
            }
            None => Ok(Ended::after(self.memory.back_off(), Priority::Repair)),
        }
    }

    /// Validates the spec and applies every default.
    fn wanted(&self, account: &Account, live: Option<&Live>) -> Result<Wanted, Vec<Invalid>> {
        let limits = &self.context.limits;
        let spec = self.object.spec.as_ref().map_err(|error| {
            vec![Invalid {
                field: "spec".to_owned(),
                problem: format!("can't be understood: {error}"),
            }]
        })?;
        let subject = self.object.subject();
        wanted(spec, &subject, self.status(), account, limits, live)
    }

    async fn invalid(&mut self, problems: &[Invalid]) -> Result<Ended, Broken> {
        self.tell(&Outcome::Invalid { problems }).await?;
        Ok(Ended::after(self.memory.stalled(), Priority::Repair))
    }

    /// Reads IAM and judges what of it may be stale.
    async fn look(
        &mut self,
        iam: &Iam,
        account: &Account,
        wanted: &Wanted,
        taken: &BTreeSet<Kind>,
        activity: Activity,
    ) -> Result<Look, Broken> {
        let read = match iam.observe(account, &wanted.desired.names, taken).await {
            Ok(read) => read,
            Err(failure) => return self.read_failed(activity, &failure).await.map(Look::Ended),
        };
        if let Some(other) = other_account(account, &read) {
            self.tell(&Outcome::WrongAccount { caller: &other }).await?;
            return Ok(Look::Ended(Ended::after(
                self.memory.stalled(),
                Priority::Repair,
            )));
        }
        let (now, names) = (self.context.recent.now(), &wanted.desired.names);
        let settled = (self.context.recent.lock()).settle(now, &account.id, names, read);
        Ok(Look::Seen(Box::new(settled)))
    }

    /// Whether one of the three names was written to recently, for this object or for another.
    fn wrote_recently(&self, account: &Account, wanted: &Wanted) -> bool {
        let (recent, names) = (&self.context.recent, &wanted.desired.names);
        recent.lock().knows(recent.now(), &account.id, names)
    }

    /// An earlier process may have made the object anew a moment ago: what carries our name, but an
    /// earlier uid and id, may be a late reading.
    fn may_be_an_earlier_one(
        &self,
        wanted: &Wanted,
        state: &Observed,
        refusals: &[Refusal],
    ) -> bool {
        let identity = &wanted.desired.identity;
        let is_ours = |refusal: &Refusal| {
            let tags = state.tags(refusal.kind);
            tags.is_some_and(|tags| names_us(identity, tags))
        };
        let recent = &self.context.recent;
        recent.lock().is_young(recent.now()) && refusals.iter().all(is_ours)
    }

    /// Whether the controller itself has just given up what holds the name: IAM will show it soon.
    fn was_freed_recently(&self, account: &Account, refusals: &[Refusal]) -> bool {
        let now = self.context.recent.now();
        let recent = self.context.recent.lock();
        let name = |refusal: &Refusal| {
            let name = refusal.arn.rsplit('/').next().unwrap_or_default();
            IamName::new(refusal.kind, name)
        };
        (refusals.iter()).any(|refusal| recent.was_freed(now, &account.id, &name(refusal)))
    }

    /// A difference in what had converged is read twice where it may be a stale reading.
    fn is_suspicion(&mut self, account: &Account, wanted: &Wanted, planned: &Planned) -> bool {
        let now = Timestamp::now();
        let remembered = self.wrote_recently(account, wanted);
        let recorded = Recorded::of(self.status());
        let mut steps = planned.plan.steps();
        let is_absent = steps.any(|step| step.creates() && recorded.has(step.kind()));
        // After a restart nobody knows what was written: only the end of the window tells.
        let recent = &self.context.recent;
        let is_young = recent.lock().is_young(recent.now());
        let restarted = !remembered && restart_window(self.status(), now).is_some();
        if is_young && (is_absent || restarted) {
            return true;
        }
        let is_new = self.memory.suspected.as_deref() != Some(&planned.plan);
        if remembered && is_new {
            self.memory.suspected = Some(Box::new(planned.plan.clone()));
            return true;
        }
        false
    }

    /// Before the first write of a pass: the finalizer, and a status that says what begins.
    async fn begin(&mut self, activity: Activity, planned: &Planned) -> Result<(), Broken> {
        if !self.object.has_finalizer() {
            let written = self.context.cluster.add_finalizer(&self.object).await?;
            self.adopt_reading(written);
        }
        self.tell(&Outcome::Started {
            activity,
            drift: &planned.drift,
        })
        .await?;
        Ok(())
    }

    /// Nothing is left to write now.
    async fn reached(
        &mut self,
        wanted: &Wanted,
        settled: &Settled,
        planned: &Planned,
        activity: Activity,
        done: Option<Done<'_>>,
    ) -> Result<Ended, Broken> {
        let facts = facts(wanted, &settled.state);
        if let Some(wait) = planned.wait {
            self.memory
                .new_policy_since
                .get_or_insert_with(Timestamp::now);
            let message = "the policy is in place as spec.policy.type says; the one of the other type goes once IAM has spread that".to_owned();
            self.tell(&Outcome::Waiting {
                facts: Some(facts),
                activity,
                drift: &planned.drift,
                message,
            })
            .await?;
            return Ok(Ended::after(wait, Priority::Edit));
        }
        self.memory.new_policy_since = None;
        if !self.object.has_finalizer() {
            let written = self.context.cluster.add_finalizer(&self.object).await?;
            self.adopt_reading(written);
        }
        debug!(?activity, stale_parts = settled.stale_parts, "converged");
        self.tell(&Outcome::Converged {
            facts,
            done,
            unlisted: &planned.unlisted,
        })
        .await?;
        let ended = self.content();
        Ok(if settled.stale_parts {
            Ended {
                next: Ended::after(SOON * 2, Priority::Resync).next,
                ..ended
            }
        } else {
            ended
        })
    }

    /// Mode Observe: told, never written.
    async fn observed(
        &mut self,
        wanted: &Wanted,
        settled: &Settled,
        planned: &Planned,
    ) -> Result<Ended, Broken> {
        let facts = facts(wanted, &settled.state);
        if planned.drift.is_empty() {
            self.tell(&Outcome::Converged {
                facts,
                done: None,
                unlisted: &planned.unlisted,
            })
            .await?;
        } else {
            self.tell(&Outcome::Drifted {
                facts,
                drift: &planned.drift,
                unlisted: &planned.unlisted,
            })
            .await?;
        }
        Ok(self.content())
    }

    /// For how long the policy of the wanted type is known to be in place.
    fn new_policy_since(&self) -> Option<Duration> {
        let in_sync = || in_sync_since(self.status(), self.object.generation());
        let since = self.memory.new_policy_since.or_else(in_sync)?;
        Duration::try_from(Timestamp::now().duration_since(since)).ok()
    }
}
