//! The pass of an object that is on its way out: what is proven ours goes (or stays without our
//! tags), then the finalizer. It needs no valid spec.

use std::collections::BTreeSet;

use jiff::Timestamp;
use smr_api::{Mode, PolicyType, Principal};
use smr_core::account::Account;
use smr_core::deletion::{Deletion, plan_deletion};
use smr_core::failure::Remedy;
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::ownership::Identity;
use smr_core::plan::{Plan, Recorded};
use smr_core::settle::restart_window;
use smr_core::summary::{Activity, Event, Outcome, READY};
use tracing::{debug, info};

use super::{Broken, Ended, Pass, ROUNDS, SOON, between_rounds};
use crate::controller::queue::Priority;

const DELETING: Activity = Activity::Deleting;

impl Pass<'_> {
    pub(super) async fn delete(&mut self) -> Result<Ended, Broken> {
        if self.object.mode == Mode::Observe {
            return self
                .release(Event::normal(
                    "Retained",
                    "mode Observe: whatever is in IAM stays as it is",
                ))
                .await;
        }
        let account = match self.account(DELETING).await? {
            Ok(account) => account,
            Err(ended) => return Ok(ended),
        };
        let subject = self.object.subject();
        let limits = &self.context.limits;
        let names = Names::resolve(
            &subject,
            self.object.spec.as_ref().ok(),
            self.status(),
            limits,
            None,
        );
        let identity = Identity {
            cluster: limits.cluster_name.clone(),
            subject,
        };
        let iam = self
            .context
            .aws
            .on_behalf_of(&self.object.key().namespace, self.urgency);
        let mut last_failure = None;
        for round in 0..ROUNDS {
            between_rounds(round).await;
            let read = match iam.observe(&account, &names, &BTreeSet::new()).await {
                Ok(read) => read,
                Err(failure) => return self.failed(None, DELETING, &failure).await,
            };
            self.is_settling();
            let state = match &self.memory.history {
                Some(history) => history.settle(read).state,
                None if self.may_not_show_yet(&read) => {
                    self.tell(&waiting(
                        "waiting until IAM shows what was created a moment ago",
                    ))
                    .await?;
                    return Ok(Ended::after(SOON, Priority::Edit));
                }
                None => read,
            };
            let users = match iam.users(&state).await {
                Ok(users) => users,
                Err(failure) => return self.failed(None, DELETING, &failure).await,
            };
            let recorded = Recorded::of(self.status());
            let policy = self.object.deletion_policy;
            let (plan, event) = match plan_deletion(
                &identity,
                &names,
                &recorded,
                &state,
                &users,
                policy,
                Timestamp::now(),
            ) {
                Deletion::Release => {
                    let event = if last_failure.is_some() {
                        deleted(&names, &account)
                    } else {
                        Event::normal("Released", "nothing in IAM is ours: nothing to delete")
                    };
                    return self.release(event).await;
                }
                Deletion::Blocked(because) => {
                    self.tell(&Outcome::DeletionBlocked { because: &because })
                        .await?;
                    return Ok(Ended::after(self.memory.stalled(), Priority::Repair));
                }
                Deletion::Delete(plan) => (plan, deleted(&names, &account)),
                Deletion::Retain(plan) => (
                    plan,
                    Event::normal(
                        "Retained",
                        format!(
                            "{} and what belongs to it stay, without our tags",
                            names.role_arn(&account)
                        ),
                    ),
                ),
            };
            self.tell(&Outcome::Started {
                activity: DELETING,
                drift: &[],
            })
            .await?;
            match self.carry_out(&iam, &account, &names, &plan, state).await {
                Ok(()) => return self.release(event).await,
                Err(failure) if failure.class.remedy() == Remedy::LookAgain => {
                    last_failure = Some(failure)
                }
                Err(failure) => return self.failed(None, DELETING, &failure).await,
            }
        }
        match last_failure {
            Some(failure) => self.failed(None, DELETING, &failure).await,
            None => Ok(Ended::after(self.memory.back_off(), Priority::Edit)),
        }
    }

    async fn carry_out(
        &mut self,
        iam: &crate::iam::Iam,
        account: &Account,
        names: &Names,
        plan: &Plan,
        state: Observed,
    ) -> Result<(), smr_core::failure::Failure> {
        let mut history = self.memory.history.take().unwrap_or_default();
        if *history.believed() != state {
            history.saw(state);
        }
        let applied = iam.apply(account, names, plan, &mut history).await;
        self.memory.history = Some(history);
        let Err(failed) = applied else { return Ok(()) };
        for failed in &failed {
            debug!(failure = %failed.failure, action = failed.step.action(), "a step failed");
        }
        failed
            .into_iter()
            .next()
            .map_or(Ok(()), |first| Err(first.failure))
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

    /// Nothing of ours is left: the object may go.
    async fn release(&mut self, event: Event) -> Result<Ended, Broken> {
        info!(reason = event.reason, note = event.note, "event");
        self.context.cluster.tell(&self.object, &event).await;
        self.context.cluster.remove_finalizer(&self.object).await?;
        self.memory.succeeded();
        Ok(Ended::IDLE)
    }
}

fn deleted(names: &Names, account: &Account) -> Event {
    Event::normal(
        "Deleted",
        format!("deleted {} and what belongs to it", names.role_arn(account)),
    )
}

fn waiting(message: &str) -> Outcome<'static> {
    Outcome::Waiting {
        facts: None,
        activity: DELETING,
        message: message.to_owned(),
    }
}
