//! Carries plans out. In: ordered steps and the state they were planned on; out: the state after
//! them, or the failures, each with what to do about it. Does network IO; the only place that writes
//! to IAM.

use futures::future::join_all;
use jiff::Timestamp;
use smr_core::account::Account;
use smr_core::effect::carry_out;
use smr_core::failure::{Failure, FailureClass};
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::plan::Plan;
use smr_core::recent::RecentWrites;
use smr_core::refusal::{Decision, Explanation, Failed};
use smr_core::step::{Reply, Step, Target};
use tracing::info;

use crate::LOG;
use crate::client::Iam;
use crate::convert::sdk_tags;
use crate::gate::Access;
use crate::recent::Recent;

impl Iam {
    /// Carries a plan out stage by stage, the steps of a stage side by side, and stops after the
    /// first stage in which a step failed. `state` becomes what IAM holds by then.
    ///
    /// # Errors
    /// The steps that failed, the one that decides what to do first.
    pub async fn apply(
        &self,
        account: &Account,
        names: &Names,
        plan: &Plan,
        state: &mut Observed,
        recent: &Recent,
    ) -> Result<(), Vec<Failed>> {
        for steps in &plan.stages {
            self.apply_stage(account, names, steps, state, recent)
                .await?;
        }
        Ok(())
    }

    /// Carries the steps of one stage out, side by side.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn apply_stage(
        &self,
        account: &Account,
        names: &Names,
        steps: &[Step],
        state: &mut Observed,
        recent: &Recent,
    ) -> Result<(), Vec<Failed>> {
        let answers = join_all(steps.iter().map(|step| self.step(account, names, step))).await;
        let mut answered = Stage {
            account,
            names,
            planned_on: state.clone(),
            state: &mut *state,
            recent: &mut recent.lock(),
            now: recent.now(),
        };
        let mut refused = Vec::new();
        for (step, answer) in steps.iter().zip(answers) {
            match answer {
                Ok(reply) => answered.took_effect(step, &reply),
                Err(failure) => refused.push((step, failure)),
            }
        }
        let failed = refused
            .into_iter()
            .filter_map(|(step, f)| answered.judge(step, f));
        let mut failed: Vec<Failed> = failed.collect();
        if failed.is_empty() {
            return Ok(());
        }
        failed.sort_by_key(|failed| failed.decision);
        Err(failed)
    }

    async fn step(&self, account: &Account, names: &Names, step: &Step) -> Result<Reply, Failure> {
        self.call(step, step.arn(account, names))
            .await
            .map_err(|failure| failure.of_step(step, &names.policy))
    }

    async fn call(&self, step: &Step, arn: String) -> Result<Reply, Failure> {
        let (client, action) = (&self.client, step.action());
        macro_rules! send {
            ($call:expr) => {
                self.send(action, Access::Write, arn, || $call.send()).await
            };
        }
        match step {
            Step::CreateRole {
                path,
                name,
                trust,
                description,
                max_session_duration,
                boundary,
                tags,
            } => {
                let answer = send!(
                    client
                        .create_role()
                        .path(path)
                        .role_name(name)
                        .assume_role_policy_document(trust)
                        .description(description)
                        .max_session_duration(*max_session_duration)
                        .set_permissions_boundary(boundary.clone())
                        .set_tags(Some(sdk_tags(tags)))
                )?;
                Ok(answer.role.map_or(Reply::Done, |role| Reply::Created {
                    arn: role.arn,
                    id: role.role_id,
                }))
            }
            Step::CreatePolicy {
                path,
                name,
                document,
                description,
                tags,
            } => {
                let answer = send!(
                    client
                        .create_policy()
                        .path(path)
                        .policy_name(name)
                        .policy_document(document)
                        .description(description)
                        .set_tags(Some(sdk_tags(tags)))
                )?;
                Ok(answer
                    .policy
                    .and_then(|p| {
                        Some(Reply::Created {
                            arn: p.arn?,
                            id: p.policy_id?,
                        })
                    })
                    .unwrap_or(Reply::Done))
            }
            Step::CreateInstanceProfile { path, name, tags } => {
                let answer = send!(
                    client
                        .create_instance_profile()
                        .path(path)
                        .instance_profile_name(name)
                        .set_tags(Some(sdk_tags(tags)))
                )?;
                Ok(answer
                    .instance_profile
                    .map_or(Reply::Done, |p| Reply::Created {
                        arn: p.arn,
                        id: p.instance_profile_id,
                    }))
            }
            Step::CreatePolicyVersion {
                policy_arn,
                document,
            } => {
                let answer = send!(
                    client
                        .create_policy_version()
                        .policy_arn(policy_arn)
                        .policy_document(document)
                        .set_as_default(true)
                )?;
                Ok(answer
                    .policy_version
                    .and_then(|v| v.version_id)
                    .map_or(Reply::Done, Reply::Version))
            }
            Step::AttachRolePolicy { role, policy_arn } => done(send!(
                client
                    .attach_role_policy()
                    .role_name(role)
                    .policy_arn(policy_arn)
            )),
            Step::DetachRolePolicy { role, policy_arn } => done(send!(
                client
                    .detach_role_policy()
                    .role_name(role)
                    .policy_arn(policy_arn)
            )),
            Step::PutRolePolicy {
                role,
                policy,
                document,
            } => done(send!(
                client
                    .put_role_policy()
                    .role_name(role)
                    .policy_name(policy)
                    .policy_document(document)
            )),
            Step::DeleteRolePolicy { role, policy } => done(send!(
                client
                    .delete_role_policy()
                    .role_name(role)
                    .policy_name(policy)
            )),
            Step::AddRoleToInstanceProfile { profile, role } => done(send!(
                client
                    .add_role_to_instance_profile()
                    .instance_profile_name(profile)
                    .role_name(role)
            )),
            Step::RemoveRoleFromInstanceProfile { profile, role } => done(send!(
                client
                    .remove_role_from_instance_profile()
                    .instance_profile_name(profile)
                    .role_name(role)
            )),
            Step::UpdateAssumeRolePolicy { role, trust } => done(send!(
                client
                    .update_assume_role_policy()
                    .role_name(role)
                    .policy_document(trust)
            )),
            Step::UpdateRole {
                role,
                description,
                max_session_duration,
            } => done(send!(
                client
                    .update_role()
                    .role_name(role)
                    .description(description)
                    .max_session_duration(*max_session_duration)
            )),
            Step::PutRolePermissionsBoundary { role, boundary } => done(send!(
                client
                    .put_role_permissions_boundary()
                    .role_name(role)
                    .permissions_boundary(boundary)
            )),
            Step::DeletePolicyVersion {
                policy_arn,
                version,
            } => done(send!(
                client
                    .delete_policy_version()
                    .policy_arn(policy_arn)
                    .version_id(version)
            )),
            Step::Tag {
                target: Target::Role(name),
                tags,
            } => done(send!(
                client
                    .tag_role()
                    .role_name(name)
                    .set_tags(Some(sdk_tags(tags)))
            )),
            Step::Tag {
                target: Target::Policy(arn),
                tags,
            } => done(send!(
                client
                    .tag_policy()
                    .policy_arn(arn)
                    .set_tags(Some(sdk_tags(tags)))
            )),
            Step::Tag {
                target: Target::InstanceProfile(name),
                tags,
            } => done(send!(
                client
                    .tag_instance_profile()
                    .instance_profile_name(name)
                    .set_tags(Some(sdk_tags(tags)))
            )),
            Step::Untag {
                target: Target::Role(name),
                keys,
            } => done(send!(
                client
                    .untag_role()
                    .role_name(name)
                    .set_tag_keys(Some(keys.clone()))
            )),
            Step::Untag {
                target: Target::Policy(arn),
                keys,
            } => done(send!(
                client
                    .untag_policy()
                    .policy_arn(arn)
                    .set_tag_keys(Some(keys.clone()))
            )),
            Step::Untag {
                target: Target::InstanceProfile(name),
                keys,
            } => done(send!(
                client
                    .untag_instance_profile()
                    .instance_profile_name(name)
                    .set_tag_keys(Some(keys.clone()))
            )),
            Step::DeleteRole { role } => done(send!(client.delete_role().role_name(role))),
            Step::DeletePolicy { policy_arn } => {
                done(send!(client.delete_policy().policy_arn(policy_arn)))
            }
            Step::DeleteInstanceProfile { profile } => done(send!(
                client
                    .delete_instance_profile()
                    .instance_profile_name(profile)
            )),
        }
    }
}

fn done<T>(answer: Result<T, Failure>) -> Result<Reply, Failure> {
    answer.map(|_| Reply::Done)
}

/// The answers to the steps of one stage.
struct Stage<'a> {
    account: &'a Account,
    names: &'a Names,
    planned_on: Observed,
    state: &'a mut Observed,
    recent: &'a mut RecentWrites,
    now: Timestamp,
}

impl Stage<'_> {
    fn took_effect(&mut self, step: &Step, reply: &Reply) {
        let (action, resource) = (step.action(), step.arn(self.account, self.names));
        info!(target: LOG, action, resource, "wrote to IAM");
        let before = self.state.clone();
        carry_out(self.state, step, reply);
        let (account, after) = (&self.account.id, &*self.state);
        self.recent.wrote(self.now, account, step, &before, after);
    }

    /// What to do about a refusal; `None` where what was to be taken away is gone already.
    fn judge(&mut self, step: &Step, failure: Failure) -> Option<Failed> {
        let (now, account) = (self.now, &self.account.id);
        if failure.may_have_had_effect() {
            self.recent.may_have_written(now, account, step);
        }
        let planned_on = &self.planned_on;
        let explanation = (self.recent).explain(now, account, step, &failure, planned_on);
        let is_gone = step.takes_away() && failure.class == FailureClass::NotFound;
        if is_gone && explanation == Explanation::None {
            carry_out(self.state, step, &Reply::Done);
            return None;
        }
        Some(Failed {
            step: step.clone(),
            explanation,
            decision: Decision::of_write(failure.class, explanation),
            failure,
        })
    }
}
