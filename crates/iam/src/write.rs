//! Carries plans out. In: ordered steps and the state they were planned on; out: the state after
//! them, or the failures, each with what to do about it. Does network IO; the only place that writes
//! to IAM.

use futures::future::join_all;
use jiff::Timestamp;
use smr_core::Tags;
use smr_core::account::Account;
use smr_core::effect::simulate;
use smr_core::failure::{Failure, FailureClass};
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::plan::Plan;
use smr_core::recent::RecentWrites;
use smr_core::refusal::{Explanation, Failed, Remedy};
use smr_core::step::{PolicyStep, ProfileStep, Reply, RoleStep, Step, Target};
use tracing::info;

use crate::LOG;
use crate::client::Iam;
use crate::convert::sdk_tags;
use crate::gate::Access;
use crate::recent::Recent;

/// Sends a write through the gate.
macro_rules! send {
    ($iam:ident, $action:ident, $arn:ident, $call:ident) => {
        $iam.send($action, Access::Write, $arn, || $call.clone().send())
            .await
    };
}

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
        let action = step.action();
        match step {
            Step::Role(step) => self.on_role(step, action, arn).await,
            Step::Policy(step) => self.on_policy(step, action, arn).await,
            Step::InstanceProfile(step) => self.on_profile(step, action, arn).await,
            Step::Tag { target, tags } => self.tag(target, tags, action, arn).await,
            Step::Untag { target, keys } => self.untag(target, keys, action, arn).await,
        }
    }

    async fn on_role(
        &self,
        step: &RoleStep,
        action: &'static str,
        arn: String,
    ) -> Result<Reply, Failure> {
        let iam = &self.client;
        match step {
            RoleStep::Create {
                path,
                name,
                trust,
                description,
                max_session_duration,
                boundary,
                tags,
            } => {
                let call = (iam.create_role())
                    .path(path)
                    .role_name(name)
                    .assume_role_policy_document(trust)
                    .description(description)
                    .max_session_duration(*max_session_duration)
                    .set_permissions_boundary(boundary.clone())
                    .set_tags(Some(sdk_tags(tags)));
                let answer = send!(self, action, arn, call)?;
                Ok(answer.role.map_or(Reply::Done, |role| Reply::Created {
                    arn: role.arn,
                    id: role.role_id,
                }))
            }
            RoleStep::AttachPolicy { role, policy_arn } => {
                let call = (iam.attach_role_policy())
                    .role_name(role)
                    .policy_arn(policy_arn);
                done(send!(self, action, arn, call))
            }
            RoleStep::DetachPolicy { role, policy_arn } => {
                let call = (iam.detach_role_policy())
                    .role_name(role)
                    .policy_arn(policy_arn);
                done(send!(self, action, arn, call))
            }
            RoleStep::PutPolicy {
                role,
                policy,
                document,
            } => {
                let call = (iam.put_role_policy())
                    .role_name(role)
                    .policy_name(policy)
                    .policy_document(document);
                done(send!(self, action, arn, call))
            }
            RoleStep::DeletePolicy { role, policy } => {
                let call = (iam.delete_role_policy())
                    .role_name(role)
                    .policy_name(policy);
                done(send!(self, action, arn, call))
            }
            RoleStep::UpdateTrust { role, trust } => {
                let call = (iam.update_assume_role_policy())
                    .role_name(role)
                    .policy_document(trust);
                done(send!(self, action, arn, call))
            }
            RoleStep::Update {
                role,
                description,
                max_session_duration,
            } => {
                let call = (iam.update_role())
                    .role_name(role)
                    .description(description)
                    .max_session_duration(*max_session_duration);
                done(send!(self, action, arn, call))
            }
            RoleStep::PutBoundary { role, boundary } => {
                let call = (iam.put_role_permissions_boundary())
                    .role_name(role)
                    .permissions_boundary(boundary);
                done(send!(self, action, arn, call))
            }
            RoleStep::Delete { role } => {
                let call = iam.delete_role().role_name(role);
                done(send!(self, action, arn, call))
            }
        }
    }

    async fn on_policy(
        &self,
        step: &PolicyStep,
        action: &'static str,
        arn: String,
    ) -> Result<Reply, Failure> {
        let iam = &self.client;
        match step {
            PolicyStep::Create {
                path,
                name,
                document,
                description,
                tags,
            } => {
                let call = (iam.create_policy())
                    .path(path)
                    .policy_name(name)
                    .policy_document(document)
                    .description(description)
                    .set_tags(Some(sdk_tags(tags)));
                let policy = send!(self, action, arn, call)?.policy;
                let created = policy.and_then(|p| p.arn.zip(p.policy_id));
                Ok(created.map_or(Reply::Done, |(arn, id)| Reply::Created { arn, id }))
            }
            PolicyStep::CreateVersion {
                policy_arn,
                document,
            } => {
                let call = (iam.create_policy_version())
                    .policy_arn(policy_arn)
                    .policy_document(document)
                    .set_as_default(true);
                let version = send!(self, action, arn, call)?.policy_version;
                let id = version.and_then(|v| v.version_id);
                Ok(id.map_or(Reply::Done, Reply::Version))
            }
            PolicyStep::DeleteVersion {
                policy_arn,
                version,
            } => {
                let call = (iam.delete_policy_version())
                    .policy_arn(policy_arn)
                    .version_id(version);
                done(send!(self, action, arn, call))
            }
            PolicyStep::Delete { policy_arn } => {
                let call = iam.delete_policy().policy_arn(policy_arn);
                done(send!(self, action, arn, call))
            }
        }
    }

    async fn on_profile(
        &self,
        step: &ProfileStep,
        action: &'static str,
        arn: String,
    ) -> Result<Reply, Failure> {
        let iam = &self.client;
        match step {
            ProfileStep::Create { path, name, tags } => {
                let call = (iam.create_instance_profile())
                    .path(path)
                    .instance_profile_name(name)
                    .set_tags(Some(sdk_tags(tags)));
                let profile = send!(self, action, arn, call)?.instance_profile;
                Ok(profile.map_or(Reply::Done, |p| Reply::Created {
                    arn: p.arn,
                    id: p.instance_profile_id,
                }))
            }
            ProfileStep::AddRole { profile, role } => {
                let call = (iam.add_role_to_instance_profile())
                    .instance_profile_name(profile)
                    .role_name(role);
                done(send!(self, action, arn, call))
            }
            ProfileStep::RemoveRole { profile, role } => {
                let call = (iam.remove_role_from_instance_profile())
                    .instance_profile_name(profile)
                    .role_name(role);
                done(send!(self, action, arn, call))
            }
            ProfileStep::Delete { profile } => {
                let call = iam.delete_instance_profile().instance_profile_name(profile);
                done(send!(self, action, arn, call))
            }
        }
    }

    async fn tag(
        &self,
        target: &Target,
        tags: &Tags,
        action: &'static str,
        arn: String,
    ) -> Result<Reply, Failure> {
        let (iam, tags) = (&self.client, Some(sdk_tags(tags)));
        match target {
            Target::Role(name) => {
                let call = iam.tag_role().role_name(name).set_tags(tags);
                done(send!(self, action, arn, call))
            }
            Target::Policy(policy) => {
                let call = iam.tag_policy().policy_arn(policy).set_tags(tags);
                done(send!(self, action, arn, call))
            }
            Target::InstanceProfile(name) => {
                let call = (iam.tag_instance_profile())
                    .instance_profile_name(name)
                    .set_tags(tags);
                done(send!(self, action, arn, call))
            }
        }
    }

    async fn untag(
        &self,
        target: &Target,
        keys: &[String],
        action: &'static str,
        arn: String,
    ) -> Result<Reply, Failure> {
        let (iam, keys) = (&self.client, Some(keys.to_vec()));
        match target {
            Target::Role(name) => {
                let call = iam.untag_role().role_name(name).set_tag_keys(keys);
                done(send!(self, action, arn, call))
            }
            Target::Policy(policy) => {
                let call = iam.untag_policy().policy_arn(policy).set_tag_keys(keys);
                done(send!(self, action, arn, call))
            }
            Target::InstanceProfile(name) => {
                let call = (iam.untag_instance_profile())
                    .instance_profile_name(name)
                    .set_tag_keys(keys);
                done(send!(self, action, arn, call))
            }
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
        simulate(self.state, step, reply);
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
            simulate(self.state, step, &Reply::Done);
            return None;
        }
        Some(Failed {
            step: step.clone(),
            explanation,
            decision: Remedy::of_write(failure.class, explanation),
            failure,
        })
    }
}
