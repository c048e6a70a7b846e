//! The pass of an object that is on its way out: what is proven ours goes (or stays without our
//! tags), then the finalizer. It needs no valid spec.

use std::collections::BTreeSet;

use jiff::Timestamp;
use smr_api::{Mode, PolicyType, Principal};
use smr_core::account::Account;
use smr_core::deletion::{Deletion, plan_deletion};
use smr_core::failure::{Failure, Remedy};
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::ownership::Identity;
use smr_core::plan::{Plan, Recorded};
use smr_core::settle::restart_window;
use smr_core::step::{Kind, Step};
use smr_core::summary::{Activity, Event, Outcome, READY};
use smr_core::wanted::path_of_ours;
use tracing::{debug, info};

use super::{Broken, Ended, Pass, ROUNDS, SOON, between_rounds};
use crate::controller::queue::Priority;

const DELETING: Activity = Activity::Deleting;

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
        let names_at = |live_path: Option<&str>| {
            let (spec, status) = (object.spec.as_ref().ok(), object.written_status());
            Names::resolve(&identity.subject, spec, status, limits, live_path)
        };
        let mut names = names_at(None);
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
                Err(failure) => return self.failed(None, DELETING, &failure).await,
            };
            self.is_settling();
            let state = match &self.memory.history {
                Some(history) => history.settle(&read).state,
                None if self.may_not_show_yet(&read) => {
                    self.tell(&waiting(
                        "waiting until IAM shows what was created a moment ago",
                    ))
                    .await?;
                    return Ok(Ended::after(SOON, Priority::Edit));
                }
                None => read,
            };
            let recorded = Recorded::of(self.status());
            if recorded.is_empty()
                && let Some(path) = path_of_ours(&identity, &state)
            {
                names = names_at(Some(&path));
            }
            let users = match iam.users(&state).await {
                Ok(users) => users,
                Err(failure) => return self.failed(None, DELETING, &failure).await,
            };
            let policy = self.object.deletion_policy;
            let decision = plan_deletion(
                &identity,
                &names,
                &recorded,
                &state,
                &users,
                policy,
                Timestamp::now(),
            );
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
            match self.carry_out(&iam, &account, &names, &plan, state).await {
                Ok(left) => {
                    done.leaves(&left);
                    return self.release(&done).await;
                }
                Err(failure) if failure.class.remedy() == Remedy::LookAgain => {
                    last_failure = Some(failure);
                }
                Err(failure) => return self.failed(None, DELETING, &failure).await,
            }
        }
        match last_failure {
            Some(failure) => self.failed(None, DELETING, &failure).await,
            None => Ok(Ended::after(self.memory.back_off(), Priority::Edit)),
        }
    }

    /// Which may stand under another path or in another case than we know. After a refusal what is
    /// not ours does, and the last event names it; where status is lost, so may what is ours.
    fn somewhere_else(&self) -> BTreeSet<Kind> {
        let is_lost = Recorded::of(self.status()).is_empty();
        let was_refused = (self.status().iter().flat_map(|s| &s.conditions))
            .any(|c| c.type_ == READY && matches!(c.reason.as_str(), "NotOwned" | "Replaced"));
        let all = [Kind::Role, Kind::Policy, Kind::InstanceProfile];
        let looked_for = |_: &Kind| is_lost || was_refused;
        all.into_iter().filter(looked_for).collect()
    }

    async fn carry_out(
        &mut self,
        iam: &crate::iam::Iam,
        account: &Account,
        names: &Names,
        plan: &Plan,
        state: Observed,
    ) -> Result<Observed, Failure> {
        let mut history = self.memory.history.take().unwrap_or_default();
        if *history.believed() != state {
            history.saw(state);
        }
        let applied = iam.apply(account, names, plan, &mut history).await;
        let left = history.believed().clone();
        self.memory.history = Some(history);
        let Err(failed) = applied else {
            return Ok(left);
        };
        for failed in &failed {
            debug!(failure = %failed.failure, action = failed.step.action(), "a step failed");
        }
        failed
            .into_iter()
            .next()
            .map_or(Ok(left), |first| Err(first.failure))
    }

    /// After a restart, what an earlier process created a moment ago may not be seen yet: absent
    /// is not believed before the window has passed.
    fn may_not_show_yet(&self, read: &Observed) -> bool {
        let Some(status) = self.status() else {
            return false;
        };
        let may_have_written =
            (status.conditions.iter().find(|c| c.type_ == READY)).is_some_and(|c| {
                !matches!(
                    c.reason.as_str(),
                    "InvalidSpec" | "CredentialsUnavailable" | "WrongAccount"
                )
            });
        let spec = self.object.spec.as_ref().ok();
        let managed = spec.is_none_or(|s| {
            s.policy.as_ref().and_then(|p| p.type_).unwrap_or_default() == PolicyType::Managed
        });
        let ec2 = spec.is_none_or(|s| s.principal.unwrap_or_default() == Principal::EC2);
        let incomplete = read.role.is_none()
            || (managed && read.policy.is_none())
            || (ec2 && read.instance_profile.is_none());
        may_have_written
            && incomplete
            && restart_window(Some(status), Timestamp::now(), self.context.settling_time).is_some()
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
