//! Steps in words. In: a step; out: its symbol and a sentence. No IO.

use smr_core::account::Account;
use smr_core::names::Names;
use smr_core::step::{PolicyStep, ProfileStep, RoleStep, Step};

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
    let kind = step.kind().in_words();
    let (symbol, what) = match step {
        Step::Role(step) => of_role(step),
        Step::Policy(step) => of_policy(step),
        Step::InstanceProfile(step) => of_profile(step),
        Step::Tag { tags, .. } => {
            let tags: Vec<String> = (tags.iter()).map(|(k, v)| format!("{k}={v}")).collect();
            let text = format!("{kind} {arn}: set tags {}", tags.join(", "));
            (Symbol::Changes, Some(text))
        }
        Step::Untag { keys, .. } => {
            let text = format!("{kind} {arn}: remove tags {}", keys.join(", "));
            (Symbol::Removes, Some(text))
        }
    };
    (symbol, what.unwrap_or_else(|| format!("{kind} {arn}")))
}

/// What is done to a part of the object; `None` where it is the whole.
type What = (Symbol, Option<String>);

fn of_role(step: &RoleStep) -> What {
    let (symbol, text) = match step {
        RoleStep::Create { .. } => return (Symbol::Adds, None),
        RoleStep::Delete { .. } => return (Symbol::Removes, None),
        RoleStep::AttachPolicy { role, policy_arn } => {
            (Symbol::Adds, format!("role {role}: attach {policy_arn}"))
        }
        RoleStep::DetachPolicy { role, policy_arn } => {
            (Symbol::Removes, format!("role {role}: detach {policy_arn}"))
        }
        RoleStep::PutPolicy { role, policy, .. } => (
            Symbol::Adds,
            format!("role {role}: write inline policy {policy}"),
        ),
        RoleStep::DeletePolicy { role, policy } => (
            Symbol::Removes,
            format!("role {role}: delete inline policy {policy}"),
        ),
        RoleStep::UpdateTrust { role, .. } => {
            (Symbol::Changes, format!("role {role}: write trust policy"))
        }
        RoleStep::Update { role, .. } => (
            Symbol::Changes,
            format!("role {role}: write description and maximum session duration"),
        ),
        RoleStep::PutBoundary { role, boundary } => (
            Symbol::Changes,
            format!("role {role}: set permissions boundary {boundary}"),
        ),
    };
    (symbol, Some(text))
}

fn of_policy(step: &PolicyStep) -> What {
    match step {
        PolicyStep::Create { .. } => (Symbol::Adds, None),
        PolicyStep::CreateVersion { policy_arn, .. } => {
            let text = format!("policy {policy_arn}: write new version");
            (Symbol::Changes, Some(text))
        }
        PolicyStep::DeleteVersion {
            policy_arn,
            version,
        } => {
            let text = format!("policy {policy_arn}: delete version {version}");
            (Symbol::Removes, Some(text))
        }
        PolicyStep::Delete { .. } => (Symbol::Removes, None),
    }
}

fn of_profile(step: &ProfileStep) -> What {
    match step {
        ProfileStep::Create { .. } => (Symbol::Adds, None),
        ProfileStep::AddRole { profile, role } => {
            let text = format!("instance profile {profile}: put role {role} in");
            (Symbol::Adds, Some(text))
        }
        ProfileStep::RemoveRole { profile, role } => {
            let text = format!("instance profile {profile}: take role {role} out");
            (Symbol::Removes, Some(text))
        }
        ProfileStep::Delete { .. } => (Symbol::Removes, None),
    }
}
