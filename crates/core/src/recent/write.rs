//! What a call writes, and to which IAM names. In: a step; out: names and kinds of write. No IO.

use crate::account::Arn;
use crate::names::Names;
use crate::step::{Kind, Step, Target};

/// A name in IAM. IAM does not tell names of one kind apart by case or path (IAM API reference,
/// `CreateRole`), so neither does this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IamName {
    /// Of what kind the named object is.
    pub kind: Kind,
    folded: String,
}

impl IamName {
    /// A role, a customer managed policy or an instance profile of the own account.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            folded: name.to_ascii_lowercase(),
        }
    }

    /// A managed policy by its ARN. AWS's own policies are not of this account: their names are
    /// apart from the customer's.
    pub fn of_policy(arn: &str) -> Self {
        match Arn::parse(arn) {
            Some(parsed) if parsed.account != "aws" => Self::new(Kind::Policy, last_segment(arn)),
            Some(_) | None => Self::new(Kind::Policy, arn),
        }
    }

    /// The three names of one object.
    pub fn all_of(names: &Names) -> [Self; 3] {
        Kind::ALL.map(|kind| names.of(kind))
    }
}

impl Names {
    /// The name of this kind.
    pub fn of(&self, kind: Kind) -> IamName {
        let name = match kind {
            Kind::Role => &self.role,
            Kind::Policy => &self.policy,
            Kind::InstanceProfile => &self.instance_profile,
        };
        IamName::new(kind, name)
    }
}

fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// What a write did to an IAM object, as far as a later refusal may be explained by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Write {
    /// The object was created.
    Created,
    /// A Create call got no answer: the object may exist.
    MaybeCreated,
    /// Tags were set, which conditions of the controller's IAM policy test.
    Tagged,
    /// The permissions boundary was set, which such conditions test too.
    Bounded,
    /// Something was added: an attachment, an inline policy, a role in a profile, a version.
    Added,
    /// Another version became the default one.
    NewDefault,
    /// A setting was changed that nothing else depends on.
    Changed,
    /// Something was taken away: an attachment, an inline policy, a role in a profile, a version.
    Removed,
    /// Tags were removed.
    Untagged,
    /// The object was deleted.
    Deleted,
}

impl Write {
    /// Every kind, for tables.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::MaybeCreated,
        Self::Tagged,
        Self::Bounded,
        Self::Added,
        Self::NewDefault,
        Self::Changed,
        Self::Removed,
        Self::Untagged,
        Self::Deleted,
    ];

    /// The same where AWS gave no answer.
    pub(super) fn unanswered(self) -> Self {
        match self {
            Self::Created => Self::MaybeCreated,
            other => other,
        }
    }
}

impl Step {
    /// What the call writes, and to which names. A name that the call only refers to (a permissions
    /// boundary) is not among them.
    pub fn writes(&self) -> Vec<(IamName, Write)> {
        let role = |name: &str| IamName::new(Kind::Role, name);
        let profile = |name: &str| IamName::new(Kind::InstanceProfile, name);
        let target = |target: &Target| match target {
            Target::Role(name) => role(name),
            Target::Policy(arn) => IamName::of_policy(arn),
            Target::InstanceProfile(name) => profile(name),
        };
        match self {
            Self::CreateRole { name, .. } => vec![(role(name), Write::Created)],
            Self::CreatePolicy { name, .. } => {
                vec![(IamName::new(Kind::Policy, name), Write::Created)]
            }
            Self::CreateInstanceProfile { name, .. } => vec![(profile(name), Write::Created)],
            Self::AttachRolePolicy {
                role: name,
                policy_arn,
            } => vec![
                (role(name), Write::Added),
                (IamName::of_policy(policy_arn), Write::Added),
            ],
            Self::DetachRolePolicy {
                role: name,
                policy_arn,
            } => vec![
                (role(name), Write::Removed),
                (IamName::of_policy(policy_arn), Write::Removed),
            ],
            Self::PutRolePolicy { role: name, .. } => vec![(role(name), Write::Added)],
            Self::DeleteRolePolicy { role: name, .. } => vec![(role(name), Write::Removed)],
            Self::AddRoleToInstanceProfile {
                profile: to,
                role: name,
            } => vec![(profile(to), Write::Added), (role(name), Write::Added)],
            Self::RemoveRoleFromInstanceProfile {
                profile: from,
                role: name,
            } => vec![
                (profile(from), Write::Removed),
                (role(name), Write::Removed),
            ],
            Self::UpdateAssumeRolePolicy { role: name, .. }
            | Self::UpdateRole { role: name, .. } => {
                vec![(role(name), Write::Changed)]
            }
            Self::PutRolePermissionsBoundary { role: name, .. } => {
                vec![(role(name), Write::Bounded)]
            }
            Self::CreatePolicyVersion { policy_arn, .. } => {
                let policy = IamName::of_policy(policy_arn);
                vec![(policy.clone(), Write::Added), (policy, Write::NewDefault)]
            }
            Self::DeletePolicyVersion { policy_arn, .. } => {
                vec![(IamName::of_policy(policy_arn), Write::Removed)]
            }
            Self::Tag { target: on, .. } => vec![(target(on), Write::Tagged)],
            Self::Untag { target: on, .. } => vec![(target(on), Write::Untagged)],
            Self::DeleteRole { role: name } => vec![(role(name), Write::Deleted)],
            Self::DeletePolicy { policy_arn } => {
                vec![(IamName::of_policy(policy_arn), Write::Deleted)]
            }
            Self::DeleteInstanceProfile { profile: name } => {
                vec![(profile(name), Write::Deleted)]
            }
        }
    }

    /// The managed policy that has to exist for the call.
    pub fn needs_policy(&self) -> Option<&str> {
        match self {
            Self::AttachRolePolicy { policy_arn, .. } => Some(policy_arn),
            Self::CreateRole { boundary, .. } => boundary.as_deref(),
            Self::PutRolePermissionsBoundary { boundary, .. } => Some(boundary),
            Self::CreatePolicy { .. }
            | Self::CreateInstanceProfile { .. }
            | Self::DetachRolePolicy { .. }
            | Self::PutRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::AddRoleToInstanceProfile { .. }
            | Self::RemoveRoleFromInstanceProfile { .. }
            | Self::UpdateAssumeRolePolicy { .. }
            | Self::UpdateRole { .. }
            | Self::CreatePolicyVersion { .. }
            | Self::DeletePolicyVersion { .. }
            | Self::Tag { .. }
            | Self::Untag { .. }
            | Self::DeleteRole { .. }
            | Self::DeletePolicy { .. }
            | Self::DeleteInstanceProfile { .. } => None,
        }
    }

    /// Whether others may use the name, or the object that has it, once the call is done.
    pub const fn frees_a_name(&self) -> bool {
        matches!(
            self,
            Self::DeleteRole { .. }
                | Self::DeletePolicy { .. }
                | Self::DeleteInstanceProfile { .. }
                | Self::Untag { .. }
        )
    }

    /// Whether the call takes something away: that it is absent already is as good.
    pub const fn takes_away(&self) -> bool {
        match self {
            Self::DetachRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::RemoveRoleFromInstanceProfile { .. }
            | Self::DeletePolicyVersion { .. }
            | Self::Untag { .. }
            | Self::DeleteRole { .. }
            | Self::DeletePolicy { .. }
            | Self::DeleteInstanceProfile { .. } => true,
            Self::CreateRole { .. }
            | Self::CreatePolicy { .. }
            | Self::CreateInstanceProfile { .. }
            | Self::AttachRolePolicy { .. }
            | Self::PutRolePolicy { .. }
            | Self::AddRoleToInstanceProfile { .. }
            | Self::UpdateAssumeRolePolicy { .. }
            | Self::UpdateRole { .. }
            | Self::PutRolePermissionsBoundary { .. }
            | Self::CreatePolicyVersion { .. }
            | Self::Tag { .. } => false,
        }
    }
}
