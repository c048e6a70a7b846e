//! Steps in words. In: a step; out: its symbol and a sentence. No IO.

use smr_core::account::Account;
use smr_core::names::Names;
use smr_core::step::{Kind, Step};

/// What a step does to IAM, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) enum Symbol {
    #[serde(rename = "+")]
    Adds,
    #[serde(rename = "~")]
    Changes,
    #[serde(rename = "-")]
    Removes,
}

impl Symbol {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Adds => "+",
            Self::Changes => "~",
            Self::Removes => "-",
        }
    }
}

/// A step's symbol and what it does.
pub(super) fn step(step: &Step, account: &Account, names: &Names) -> (Symbol, String) {
    let arn = step.arn(account, names);
    let kind = match step.kind() {
        Kind::Role => "role",
        Kind::Policy => "policy",
        Kind::InstanceProfile => "instance profile",
    };
    match step {
        Step::CreateRole { .. }
        | Step::CreatePolicy { .. }
        | Step::CreateInstanceProfile { .. } => (Symbol::Adds, format!("{kind} {arn}")),
        Step::AttachRolePolicy { role, policy_arn } => {
            (Symbol::Adds, format!("role {role}: attach {policy_arn}"))
        }
        Step::DetachRolePolicy { role, policy_arn } => {
            (Symbol::Removes, format!("role {role}: detach {policy_arn}"))
        }
        Step::PutRolePolicy { role, policy, .. } => (
            Symbol::Adds,
            format!("role {role}: write inline policy {policy}"),
        ),
        Step::DeleteRolePolicy { role, policy } => (
            Symbol::Removes,
            format!("role {role}: delete inline policy {policy}"),
        ),
        Step::AddRoleToInstanceProfile { profile, role } => (
            Symbol::Adds,
            format!("instance profile {profile}: put role {role} in"),
        ),
        Step::RemoveRoleFromInstanceProfile { profile, role } => (
            Symbol::Removes,
            format!("instance profile {profile}: take role {role} out"),
        ),
        Step::UpdateAssumeRolePolicy { role, .. } => {
            (Symbol::Changes, format!("role {role}: write trust policy"))
        }
        Step::UpdateRole { role, .. } => (
            Symbol::Changes,
            format!("role {role}: write description and maximum session duration"),
        ),
        Step::PutRolePermissionsBoundary { role, boundary } => (
            Symbol::Changes,
            format!("role {role}: set permissions boundary {boundary}"),
        ),
        Step::CreatePolicyVersion { policy_arn, .. } => (
            Symbol::Changes,
            format!("policy {policy_arn}: write new version"),
        ),
        Step::DeletePolicyVersion {
            policy_arn,
            version,
        } => (
            Symbol::Removes,
            format!("policy {policy_arn}: delete version {version}"),
        ),
        Step::Tag { tags, .. } => {
            let tags: Vec<String> = tags
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            (
                Symbol::Changes,
                format!("{kind} {arn}: set tags {}", tags.join(", ")),
            )
        }
        Step::Untag { keys, .. } => (
            Symbol::Removes,
            format!("{kind} {arn}: remove tags {}", keys.join(", ")),
        ),
        Step::DeleteRole { .. }
        | Step::DeletePolicy { .. }
        | Step::DeleteInstanceProfile { .. } => (Symbol::Removes, format!("{kind} {arn}")),
    }
}
