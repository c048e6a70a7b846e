//! The pass of an object that is on its way out: what is proven ours goes (or stays without our
//! tags), then the finalizer. It needs no valid spec.

use std::collections::BTreeSet;

use jiff::Timestamp;
use smr_api::{AdoptionPolicy, Mode, PolicyType, Principal, Tags};
use smr_core::account::Account;
use smr_core::deletion::{Deletion, plan_deletion};
use smr_core::names::{Live, Names};
use smr_core::observed::Observed;
use smr_core::ownership::{Identity, UID, names_us};
use smr_core::plan::{Recorded, RecordedObject};
use smr_core::refusal::Decision;
use smr_core::step::Kind;
use smr_core::summary::{Activity, Event, Outcome, READY};
use smr_core::wanted::live;
use tracing::info;

use super::{Broken, Ended, Pass, ROUNDS, between_rounds};
use crate::controller::deletions::Deletions;
use crate::controller::queue::Priority;
use smr_iam::Failed;

const DELETING: Activity = Activity::Deleting;
const LATE: &str = "IAM may not show yet what the controller created less than a minute ago. The controller reads it again every few seconds";

impl Pass<'_> {
    pub(super) async fn delete(&mut self) -> Result<Ended, Broken> {
        if self.object.mode == Mode::Observe {
            let left = Event::normal(
                "Retained",
                "mode Observe: whatever is in IAM stays as it is",
            );
            self.memory.deletions.leaves_as_it_is(left);
            return self.release().await;
        }
        let account = match self.account(DELETING).await? {
            Ok(account) => account,
            Err(ended) => return Ok(ended),
        };
        let limits = &self.context.limits;
        let identity = Identity {
            cluster: limits.cluster_name.clone(),
            subject: self.object.subject(),
        };
        let object = self.object.clone();
        let names_of = |live: Option<&Live>| {
            let (spec, status) = (object.spec.as_ref().ok(), object.written_status());
            Names::resolve(&identity.subject, spec, status, limits, live)
        };
        let mut names = names_of(None);
        let iam = self.iam(&account);
        let taken = self.somewhere_else();
        let mut last_failure = None;
        for round in 0..ROUNDS {
            between_rounds(round).await;
            let read = match iam.observe(&account, &names, &taken).await {
                Ok(read) => read,
                Err(failure) => return self.read_failed(DELETING, &failure).await,
            };
            let recent = &self.context.recent;
            let now = recent.now();
            let mut state = (recent.lock()).settle(now, &account.id, &names, read).state;
            if self.may_be_late(now, &identity, &account, &names, &state) {
                self.tell(&waiting(LATE)).await?;
                return Ok(Ended::after(self.memory.wait(), Priority::Edit));
            }
            let recorded = Recorded::of(self.status());
            if recorded.is_empty() {
                names = names_of(Some(&live(&identity, AdoptionPolicy::Never, &state)));
            }
            let users = match iam.users(&state).await {
                Ok(users) => users,
                Err(failure) => return self.read_failed(DELETING, &failure).await,
            };
            let (policy, now) = (self.object.deletion_policy, Timestamp::now());
            let decision = plan_deletion(&identity, &names, &recorded, &state, &users, policy, now);
            let plan = match decision {
                Deletion::Release => {
                    self.memory.deletions.leaves(&state);
                    return self.release().await;
                }
                Deletion::Blocked(because) => {
                    self.tell(&Outcome::DeletionBlocked { because: &because })
                        .await?;
                    return Ok(Ended::after(self.memory.stalled(), Priority::Repair));
                }
                Deletion::Delete(plan) | Deletion::Retain(plan) => plan,
            };
            self.tell(&Outcome::Started {
                activity: DELETING,
                drift: &[],
            })
            .await?;
            let before = state.clone();
            let applied = (self.apply(&iam, &account, &names, &plan, &mut state)).await;
            let (of, states) = ((&account, &names), (&before, &state));
            (self.memory.deletions).carried_out(&plan, of, states, applied.failed());
            match applied.into_failed()?.into_iter().next() {
                None => {
                    self.memory.deletions.leaves(&state);
                    return self.release().await;
                }
                Some(first) if first.decision == Decision::LookAgain => {
                    last_failure = Some(first);
                }
                Some(Failed {
                    failure, decision, ..
                }) => return self.failed(None, DELETING, &failure, decision).await,
            }
        }
        match last_failure {
            Some(last) => {
                self.failed(None, DELETING, &last.failure, last.after_looking())
                    .await
            }
            None => Ok(Ended::after(self.memory.back_off(), Priority::Edit)),
        }
    }

    /// Which may stand under another path or in another case than we know. After a refusal what is
    /// not ours does, and the last event names it; where status is lost, so may what is ours.
    fn somewhere_else(&self) -> BTreeSet<Kind> {
        let is_lost = Recorded::of(self.status()).is_empty();
        let was_refused = (self.status().iter().flat_map(|s| &s.conditions))
            .any(|c| c.type_ == READY && matches!(c.reason.as_str(), "NotOwned" | "Replaced"));
        if is_lost || was_refused {
            Kind::ALL.into()
        } else {
            BTreeSet::new()
        }
    }

    /// What IAM does not show, or shows of an earlier incarnation, may be late: an earlier process may
    /// have created it a moment ago, or a Create call of this one got no answer.
    fn may_be_late(
        &self,
        now: Timestamp,
        identity: &Identity,
        account: &Account,
        names: &Names,
        read: &Observed,
    ) -> bool {
        let recent = self.context.recent.lock();
        let recorded = Recorded::of(self.status());
        let is_earlier = |recorded: Option<&RecordedObject>, id: &str, tags: &Tags| {
            recorded.is_some_and(|r| r.id != id)
                && names_us(identity, tags)
                && tags.get(UID) != Some(&identity.subject.uid)
        };
        let spec = self.object.spec.as_ref().ok();
        let managed = spec.is_none_or(|s| {
            s.policy.as_ref().and_then(|p| p.type_).unwrap_or_default() == PolicyType::Managed
        });
        let ec2 = spec.is_none_or(|s| s.principal.unwrap_or_default() == Principal::EC2);
        let is_young = recent.is_young(now);
        let by_an_earlier_process = is_young && self.may_have_written();
        let is_late = |kind: Kind, expected: bool, earlier: Option<bool>| {
            let unanswered = || recent.may_exist(now, &account.id, names, kind);
            // What this process has deleted is not what an earlier one created.
            let deleted = || recent.was_freed(now, &account.id, &names.of(kind));
            earlier.map_or_else(
                || (expected && by_an_earlier_process && !deleted()) || unanswered(),
                |earlier| earlier && is_young,
            )
        };
        let role = (read.role.as_ref()).map(|r| is_earlier(recorded.role.as_ref(), &r.id, &r.tags));
        let policy =
            (read.policy.as_ref()).map(|p| is_earlier(recorded.policy.as_ref(), &p.id, &p.tags));
        let profile = (read.instance_profile.as_ref())
            .map(|p| is_earlier(recorded.instance_profile.as_ref(), &p.id, &p.tags));
        is_late(Kind::Role, true, role)
            || is_late(Kind::Policy, managed, policy)
            || is_late(Kind::InstanceProfile, ec2, profile)
    }

    /// Whether an earlier process may have written to IAM for this object, as far as status tells.
    fn may_have_written(&self) -> bool {
        const NOTHING_WRITTEN: [&str; 3] =
            ["InvalidSpec", "CredentialsUnavailable", "WrongAccount"];
        let Some(status) = self.status() else {
            return false;
        };
        let ready = status.conditions.iter().find(|c| c.type_ == READY);
        let never_wrote = ready.is_none_or(|c| NOTHING_WRITTEN.contains(&c.reason.as_str()));
        !(Recorded::of(Some(status)).is_empty() && never_wrote)
    }

    /// Nothing of ours is left: published, then the object may go.
    async fn release(&mut self) -> Result<Ended, Broken> {
        for event in self.memory.deletions.events() {
            info!(reason = event.reason, note = event.note, "event");
            let told = &mut self.memory.told;
            self.context.cluster.tell(&self.object, &event, told).await;
        }
        self.gone().await
    }

    async fn gone(&mut self) -> Result<Ended, Broken> {
        let context = self.context;
        match context.cluster.remove_finalizer(&self.object).await? {
            // Where the watch brings no more (the CRD is gone too), nothing else would say that the
            // finalizer is.
            Some(left) => context.store.refresh(left),
            None => context.store.remove_this(&self.object),
        }
        self.memory.deletions = Deletions::default();
        self.memory.succeeded();
        Ok(Ended::IDLE)
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
