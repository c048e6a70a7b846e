//! An IAM in memory that holds plans to IAM's rules: every step must be legal on the state before
//! its stage, as the steps of a stage run side by side in any order.

use super::*;
use crate::effect::simulate;
use crate::ownership::{ADOPTABLE_BY, TAGS_MAX};
use crate::step::{PolicyStep, ProfileStep, Reply, RoleStep, Target};

/// IAM's default quota of managed policies on one role.
const ATTACHED_MAX: usize = 10;

pub(crate) struct Iam<'a> {
    desired: &'a Desired,
    pub(crate) state: Observed,
    created: u32,
}

impl<'a> Iam<'a> {
    pub(crate) fn new(desired: &'a Desired, state: Observed) -> Self {
        Self {
            desired,
            state,
            created: 0,
        }
    }

    /// Carries all stages out; an error is a rule that was broken.
    pub(crate) fn simulate(&mut self, plan: &Plan) -> Result<(), String> {
        for stage in &plan.stages {
            self.simulate_stage(stage)?;
        }
        Ok(())
    }

    /// Carries the steps of one stage out, or those of them that a crash has left.
    pub(crate) fn simulate_stage(&mut self, stage: &[Step]) -> Result<(), String> {
        if stage.is_empty() {
            return Err("a stage is empty".to_owned());
        }
        for (index, step) in stage.iter().enumerate() {
            if let Some(why) = self.refuses(step).or_else(|| self.not_proven(step)) {
                return Err(format!("{step:?}: {why}, on {:?}", self.state));
            }
            if stage[..index].contains(step) {
                return Err(format!("{step:?} is there twice"));
            }
        }
        let replies: Vec<Reply> = stage.iter().map(|step| self.reply(step)).collect();
        let mut other_way_round = self.state.clone();
        for (step, reply) in stage.iter().zip(&replies) {
            simulate(&mut self.state, step, reply);
        }
        for (step, reply) in stage.iter().zip(&replies).rev() {
            simulate(&mut other_way_round, step, reply);
        }
        if other_way_round != self.state {
            return Err(format!("the order of the steps matters in {stage:?}"));
        }
        Ok(())
    }

    fn reply(&mut self, step: &Step) -> Reply {
        let Desired { account, names, .. } = self.desired;
        self.created += 1;
        match step {
            Step::Role(RoleStep::Create { .. })
            | Step::Policy(PolicyStep::Create { .. })
            | Step::InstanceProfile(ProfileStep::Create { .. }) => Reply::Created {
                arn: step.arn(account, names),
                id: format!("{}-{}", step.kind().as_str(), self.created),
            },
            Step::Policy(PolicyStep::CreateVersion { .. }) => {
                let versions = self.state.policy.iter().flat_map(|p| &p.versions);
                let highest: u32 = versions
                    .map(|v| v[1..].parse::<u32>().unwrap())
                    .max()
                    .unwrap();
                Reply::Version(format!("v{}", highest + 1))
            }
            _ => Reply::Done,
        }
    }

    /// IAM's own rules (API reference, and "IAM and AWS STS quotas").
    fn refuses(&self, step: &Step) -> Option<&'static str> {
        let role = self.state.role.as_ref();
        let policy = self.state.policy.as_ref();
        let profile = self.state.instance_profile.as_ref();
        let is_role = |name: &String| role.filter(|r| r.name.eq_ignore_ascii_case(name));
        let is_profile = |name: &String| profile.filter(|p| p.name == *name);
        let is_policy = |arn: &String| policy.filter(|p| p.arn == *arn);
        let unless = |holds: bool, why| (!holds).then_some(why);
        match step {
            Step::Role(RoleStep::Create { tags, .. }) => {
                unless(role.is_none(), "EntityAlreadyExists").or(too_many(tags.len()))
            }
            Step::Policy(PolicyStep::Create { tags, .. }) => {
                unless(policy.is_none(), "EntityAlreadyExists").or(too_many(tags.len()))
            }
            Step::InstanceProfile(ProfileStep::Create { tags, .. }) => {
                unless(profile.is_none(), "EntityAlreadyExists").or(too_many(tags.len()))
            }
            Step::Role(RoleStep::AttachPolicy { role, policy_arn }) => {
                let Some(role) = is_role(role) else {
                    return Some("NoSuchEntity: role");
                };
                let own = *policy_arn == self.desired.policy_arn();
                unless(!own || policy.is_some(), "NoSuchEntity: policy").or(unless(
                    role.attached.contains(policy_arn) || role.attached.len() < ATTACHED_MAX,
                    "LimitExceeded: PoliciesPerRole",
                ))
            }
            Step::Role(RoleStep::DetachPolicy { role, policy_arn }) => unless(
                is_role(role).is_some_and(|r| r.attached.contains(policy_arn)),
                "NoSuchEntity: not attached",
            ),
            Step::Role(
                RoleStep::PutPolicy { role, .. }
                | RoleStep::UpdateTrust { role, .. }
                | RoleStep::Update { role, .. }
                | RoleStep::PutBoundary { role, .. },
            ) => unless(is_role(role).is_some(), "NoSuchEntity: role"),
            Step::Role(RoleStep::DeletePolicy { role, policy }) => unless(
                is_role(role).is_some_and(|r| r.inline.contains_key(policy)),
                "NoSuchEntity: inline policy",
            ),
            Step::InstanceProfile(ProfileStep::AddRole { profile, role }) => {
                unless(is_role(role).is_some(), "NoSuchEntity: role").or(unless(
                    is_profile(profile).is_some_and(|p| p.roles.is_empty()),
                    "LimitExceeded: a role is in it, or NoSuchEntity",
                ))
            }
            Step::InstanceProfile(ProfileStep::RemoveRole { profile, role }) => unless(
                is_profile(profile).is_some_and(|p| p.roles.contains(role)),
                "NoSuchEntity: role in profile",
            ),
            Step::Policy(PolicyStep::CreateVersion { policy_arn, .. }) => unless(
                is_policy(policy_arn).is_some_and(|p| p.versions.len() < 5),
                "LimitExceeded: VersionsPerPolicy, or NoSuchEntity",
            ),
            Step::Policy(PolicyStep::DeleteVersion {
                policy_arn,
                version,
            }) => unless(
                is_policy(policy_arn)
                    .is_some_and(|p| p.versions.contains(version) && p.default_version != *version),
                "DeleteConflict: the default version, or NoSuchEntity",
            ),
            Step::Tag { target, tags } => match self.tags(target) {
                None => Some("NoSuchEntity"),
                Some(found) => {
                    let mut after = self.state.clone();
                    simulate(&mut after, step, &Reply::Done);
                    let count = tags_of(&after, target).map_or(0, smr_api::Tags::len);
                    too_many(count).or(unless(
                        tags.iter().any(|(k, v)| found.get(k) != Some(v)),
                        "nothing to tag",
                    ))
                }
            },
            Step::Untag { target, keys } => unless(
                self.tags(target)
                    .is_some_and(|found| keys.iter().all(|k| found.contains_key(k))),
                "the tag is not there",
            ),
            Step::Role(RoleStep::Delete { role }) => unless(
                is_role(role).is_some_and(|r| r.attached.is_empty() && r.inline.is_empty())
                    && !profile.is_some_and(|p| p.roles.contains(role)),
                "DeleteConflict",
            ),
            Step::Policy(PolicyStep::Delete { policy_arn }) => unless(
                is_policy(policy_arn).is_some_and(|p| p.versions.len() == 1)
                    && !role.is_some_and(|r| r.attached.contains(policy_arn)),
                "DeleteConflict",
            ),
            Step::InstanceProfile(ProfileStep::Delete { profile }) => unless(
                is_profile(profile).is_some_and(|p| p.roles.is_empty()),
                "DeleteConflict",
            ),
        }
    }

    /// The first promise: nothing is written to an object without proof, and the stamp of an
    /// adoption comes before every other write to it.
    fn not_proven(&self, step: &Step) -> Option<&'static str> {
        if step.creates() {
            return None;
        }
        let Desired { names, .. } = self.desired;
        let target = match step.kind() {
            Kind::Role => Target::Role(names.role.clone()),
            Kind::Policy => Target::Policy(self.desired.policy_arn()),
            Kind::InstanceProfile => Target::InstanceProfile(names.instance_profile.clone()),
        };
        let found = self.tags(&target)?;
        let own = self.desired.identity.tags();
        let has = |key: &str| found.get(key) == own.get(key);
        let proven = has(CLUSTER) && has(OWNER);
        let stamp = match step {
            Step::Tag { tags, .. } => KEYS
                .iter()
                .all(|key| has(key) || tags.get(*key) == own.get(*key)),
            _ => false,
        };
        let consented = found.contains_key(ADOPTABLE_BY) && stamp;
        let whole = (proven && has(UID)) || stamp;
        match (proven || consented, whole) {
            (false, _) => Some("a write without proof"),
            (true, false) => Some("a write before the new uid is stamped"),
            (true, true) => None,
        }
    }

    fn tags(&self, target: &Target) -> Option<&smr_api::Tags> {
        tags_of(&self.state, target)
    }
}

fn too_many(tags: usize) -> Option<&'static str> {
    (tags > TAGS_MAX).then_some("LimitExceeded: tags")
}

fn tags_of<'a>(state: &'a Observed, target: &Target) -> Option<&'a smr_api::Tags> {
    match target {
        Target::Role(_) => state.role.as_ref().map(|r| &r.tags),
        Target::Policy(_) => state.policy.as_ref().map(|p| &p.tags),
        Target::InstanceProfile(_) => state.instance_profile.as_ref().map(|p| &p.tags),
    }
}
