//! Carries plans out. In: ordered steps and what we believe IAM to hold; out: that belief brought
//! up to date, or the failures. Does network IO; the only place that writes to IAM.

use aws_sdk_iam::types::Tag;
use futures::future::join_all;
use jiff::Timestamp;
use smr_core::Tags;
use smr_core::account::Account;
use smr_core::effect::carry_out;
use smr_core::failure::{Failure, FailureClass, Remedy};
use smr_core::names::Names;
use smr_core::plan::Plan;
use smr_core::settle::History;
use smr_core::step::{Reply, Step, Target};
use tracing::info;

use super::client::{Access, Iam};

/// A step that did not succeed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which.
    pub step: Step,
    /// How.
    pub failure: Failure,
}

impl Iam {
    /// Carries a plan out stage by stage, the steps of a stage side by side, and stops after the
    /// first stage in which a step failed. `history` learns of every stage.
    pub async fn apply(
        &self,
        account: &Account,
        names: &Names,
        plan: &Plan,
        history: &mut History,
    ) -> Result<(), Vec<Failed>> {
        for stage in &plan.stages {
            let replies = join_all(stage.iter().map(|step| self.step(account, names, step))).await;
            let mut state = history.believed().clone();
            let mut failed = Vec::new();
            for (step, reply) in stage.iter().zip(replies) {
                match reply {
                    Ok(reply) => {
                        info!(
                            action = step.action(),
                            resource = step.arn(account, names),
                            "wrote to IAM"
                        );
                        carry_out(&mut state, step, &reply);
                    }
                    Err(failure) => failed.push(Failed {
                        step: step.clone(),
                        failure,
                    }),
                }
            }
            // A failed step may have had its effect: the moment counts as one of writing.
            history.wrote(Timestamp::now(), state);
            if !failed.is_empty() {
                failed.sort_by_key(|failed| gravity(&failed.failure));
                return Err(failed);
            }
        }
        Ok(())
    }

    /// Carries one step out. What a step takes away and is gone already is no failure.
    async fn step(&self, account: &Account, names: &Names, step: &Step) -> Result<Reply, Failure> {
        let takes_away = matches!(
            step,
            Step::DetachRolePolicy { .. }
                | Step::DeleteRolePolicy { .. }
                | Step::RemoveRoleFromInstanceProfile { .. }
                | Step::DeletePolicyVersion { .. }
                | Step::Untag { .. }
                | Step::DeleteRole { .. }
                | Step::DeletePolicy { .. }
                | Step::DeleteInstanceProfile { .. }
        );
        match self.call(step, step.arn(account, names)).await {
            Err(failure) if takes_away && failure.class == FailureClass::NotFound => {
                Ok(Reply::Done)
            }
            other => other.map_err(|failure| failure.of_step(step)),
        }
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

/// The SDK's builder fails only where key or value is missing.
fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok())
        .collect()
}

/// What decides when several steps failed: stopping, then what a person must act on, then what
/// another look may explain.
fn gravity(failure: &Failure) -> u8 {
    match failure.class.remedy() {
        Remedy::Stop => 0,
        Remedy::Stall => 1,
        Remedy::BackOff => 2,
        Remedy::Resend => 3,
        Remedy::LookAgain => 4,
    }
}
