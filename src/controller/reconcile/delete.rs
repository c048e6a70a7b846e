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
use smr_core::plan::{Plan, Recorded, RecordedObject};
use smr_core::refusal::Decision;
use smr_core::step::{Kind, Step};
use smr_core::summary::{Activity, Event, Outcome, READY};
use smr_core::wanted::live;
use tracing::info;

use super::{Broken, Ended, Pass, ROUNDS, between_rounds};
use crate::controller::queue::Priority;
use crate::iam::apply::Failed;

const DELETING: Activity = Activity::Deleting;
const LATE: &str = "IAM may not show yet what the controller created less than a minute ago. The controller reads it again every few seconds";

impl Pass<'_> {
    pub(super) async fn delete(&mut self) -> Result<Ended, Broken> {
        if self.object.mode == Mode::Observe {
            let left = Event::normal(
                "Retained",
                "mode Observe: whatever is in IAM stays as it is",
            );
            let told = &mut self.memory.told;
            self.context.cluster.tell(&self.object, &left, told).await;
            return self.gone().await;
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
        let iam = self
            .context
            .aws
            .on_behalf_of(&self.object.key().namespace, self.urgency);
        let taken = self.somewhere_else();
        let mut last_failure = None;
        let mut done = Told::default();
        for round in 0..ROUNDS {
            between_rounds(round).await;
            let read = match iam.observe(&account, &names, &taken).await {
                Ok(read) => read,
                Err(failure) => return self.read_failed(DELETING, &failure).await,
            };
            let now = Timestamp::now();
            let recent = &self.context.recent;
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
            let policy = self.object.deletion_policy;
            let decision = plan_deletion(&identity, &names, &recorded, &state, &users, policy, now);
            let plan = match decision {
                Deletion::Release => {
                    done.leaves(&state);
                    return self.release(&done).await;
                }
                Deletion::Blocked(because) => {
                    self.tell(&Outcome::DeletionBlocked { because: &because })
                        .await?;
                    return Ok(Ended::after(self.memory.stalled(), Priority::Repair));
                }
                Deletion::Delete(plan) | Deletion::Retain(plan) => plan,
            };
            done.carries_out(&plan, &account, &names);
            self.tell(&Outcome::Started {
                activity: DELETING,
                drift: &[],
            })
            .await?;
            let applied = self.apply(&iam, &account, &names, &plan, &mut state).await;
            match applied.map_err(|failed| failed.into_iter().next()) {
                Ok(()) | Err(None) => {
                    done.leaves(&state);
                    return self.release(&done).await;
                }
                Err(Some(first)) if first.decision == Decision::LookAgain => {
                    last_failure = Some(first);
                }
                Err(Some(Failed {
                    failure, decision, ..
                })) => return self.failed(None, DELETING, &failure, decision).await,
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

    /// Nothing of ours is left: told, then the object may go.
    async fn release(&mut self, done: &Told) -> Result<Ended, Broken> {
        for event in done.events() {
            info!(reason = event.reason, note = event.note, "event");
            let told = &mut self.memory.told;
            self.context.cluster.tell(&self.object, &event, told).await;
        }
        self.gone().await
    }

    async fn gone(&mut self) -> Result<Ended, Broken> {
        self.context.cluster.remove_finalizer(&self.object).await?;
        self.memory.succeeded();
        Ok(Ended::IDLE)
    }
}

/// What a deletion did, for its events.
#[derive(Default)]
struct Told {
    deleted: BTreeSet<String>,
    retained: BTreeSet<String>,
    not_ours: BTreeSet<String>,
}

impl Told {
    fn carries_out(&mut self, plan: &Plan, account: &Account, names: &Names) {
        for step in plan.steps() {
            let arn = step.arn(account, names);
            match step {
                Step::DeleteRole { .. }
                | Step::DeletePolicy { .. }
                | Step::DeleteInstanceProfile { .. } => {
                    self.deleted.insert(arn);
                }
                Step::Untag { .. } => {
                    self.retained.insert(arn);
                }
                Step::CreateRole { .. }
                | Step::CreatePolicy { .. }
                | Step::CreateInstanceProfile { .. }
                | Step::AttachRolePolicy { .. }
                | Step::DetachRolePolicy { .. }
                | Step::PutRolePolicy { .. }
                | Step::DeleteRolePolicy { .. }
                | Step::AddRoleToInstanceProfile { .. }
                | Step::RemoveRoleFromInstanceProfile { .. }
                | Step::UpdateAssumeRolePolicy { .. }
                | Step::UpdateRole { .. }
                | Step::PutRolePermissionsBoundary { .. }
                | Step::CreatePolicyVersion { .. }
                | Step::DeletePolicyVersion { .. }
                | Step::Tag { .. } => {}
            }
        }
    }

    /// What is still there in the end, and was not left there on purpose, is not ours.
    fn leaves(&mut self, left: &Observed) {
        let role = left.role.as_ref().map(|r| &r.arn);
        let policy = left.policy.as_ref().map(|p| &p.arn);
        let profile = left.instance_profile.as_ref().map(|p| &p.arn);
        let arns = [role, policy, profile].into_iter().flatten();
        self.not_ours
            .extend(arns.filter(|arn| !self.retained.contains(*arn)).cloned());
    }

    fn events(&self) -> Vec<Event> {
        let list = |arns: &BTreeSet<String>| arns.iter().cloned().collect::<Vec<_>>().join(", ");
        let mut events = Vec::new();
        if !self.deleted.is_empty() {
            events.push(Event::normal(
                "Deleted",
                format!("deleted {}", list(&self.deleted)),
            ));
        }
        if !self.retained.is_empty() {
            events.push(Event::normal(
                "Retained",
                format!("left in IAM without our tags: {}", list(&self.retained)),
            ));
        }
        if !self.not_ours.is_empty() {
            events.push(Event::normal(
                "Released",
                format!(
                    "left as it is, for it is not ours: {}",
                    list(&self.not_ours)
                ),
            ));
        } else if events.is_empty() {
            events.push(Event::normal(
                "Released",
                "nothing in IAM is ours: nothing to delete",
            ));
        }
        events
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
