//! What a call writes, and to which IAM names. In: a step; out: names and kinds of write. No IO.

use crate::account::Arn;
use crate::kind::Kind;
use crate::names::Names;
use crate::step::{PolicyStep, ProfileStep, RoleStep, Step, Target};

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
        match self {
            Self::Role(step) => of_role(step),
            Self::Policy(step) => of_policy(step),
            Self::InstanceProfile(step) => of_profile(step),
            Self::Tag { target, .. } => vec![(target.iam_name(), Write::Tagged)],
            Self::Untag { target, .. } => vec![(target.iam_name(), Write::Untagged)],
        }
    }

    /// The managed policy that has to exist for the call.
    pub fn needs_policy(&self) -> Option<&str> {
        match self {
            Self::Role(RoleStep::AttachPolicy { policy_arn, .. }) => Some(policy_arn),
            Self::Role(RoleStep::Create { boundary, .. }) => boundary.as_deref(),
            Self::Role(RoleStep::PutBoundary { boundary, .. }) => Some(boundary),
            Self::Role(_)
            | Self::Policy(_)
            | Self::InstanceProfile(_)
            | Self::Tag { .. }
            | Self::Untag { .. } => None,
        }
    }

    /// Whether others may use the name, or the object that has it, once the call is done.
    pub const fn frees_a_name(&self) -> bool {
        matches!(
            self,
            Self::Role(RoleStep::Delete { .. })
                | Self::Policy(PolicyStep::Delete { .. })
                | Self::InstanceProfile(ProfileStep::Delete { .. })
                | Self::Untag { .. }
        )
    }

    /// Whether the call takes something away: that it is absent already is as good.
    pub const fn takes_away(&self) -> bool {
        match self {
            Self::Role(step) => match step {
                RoleStep::DetachPolicy { .. }
                | RoleStep::DeletePolicy { .. }
                | RoleStep::Delete { .. } => true,
                RoleStep::Create { .. }
                | RoleStep::AttachPolicy { .. }
                | RoleStep::PutPolicy { .. }
                | RoleStep::UpdateTrust { .. }
                | RoleStep::Update { .. }
                | RoleStep::PutBoundary { .. } => false,
            },
            Self::Policy(step) => match step {
                PolicyStep::DeleteVersion { .. } | PolicyStep::Delete { .. } => true,
                PolicyStep::Create { .. } | PolicyStep::CreateVersion { .. } => false,
            },
            Self::InstanceProfile(step) => match step {
                ProfileStep::RemoveRole { .. } | ProfileStep::Delete { .. } => true,
                ProfileStep::Create { .. } | ProfileStep::AddRole { .. } => false,
            },
            Self::Tag { .. } => false,
            Self::Untag { .. } => true,
        }
    }
}

impl Target {
    fn iam_name(&self) -> IamName {
        match self {
            Self::Role(name) | Self::InstanceProfile(name) => IamName::new(self.kind(), name),
            Self::Policy(arn) => IamName::of_policy(arn),
        }
    }
}

fn of_role(step: &RoleStep) -> Vec<(IamName, Write)> {
    let on = |name: &str, write: Write| (IamName::new(Kind::Role, name), write);
    match step {
        RoleStep::Create { name, .. } => vec![on(name, Write::Created)],
        RoleStep::AttachPolicy { role, policy_arn } => vec![
            on(role, Write::Added),
            (IamName::of_policy(policy_arn), Write::Added),
        ],
        RoleStep::DetachPolicy { role, policy_arn } => vec![
            on(role, Write::Removed),
            (IamName::of_policy(policy_arn), Write::Removed),
        ],
        RoleStep::PutPolicy { role, .. } => vec![on(role, Write::Added)],
        RoleStep::DeletePolicy { role, .. } => vec![on(role, Write::Removed)],
        RoleStep::UpdateTrust { role, .. } | RoleStep::Update { role, .. } => {
            vec![on(role, Write::Changed)]
        }
        RoleStep::PutBoundary { role, .. } => vec![on(role, Write::Bounded)],
        RoleStep::Delete { role } => vec![on(role, Write::Deleted)],
    }
}

fn of_policy(step: &PolicyStep) -> Vec<(IamName, Write)> {
    let on = |arn: &str, write: Write| (IamName::of_policy(arn), write);
    match step {
        PolicyStep::Create { name, .. } => {
            vec![(IamName::new(Kind::Policy, name), Write::Created)]
        }
        PolicyStep::CreateVersion { policy_arn, .. } => vec![
            on(policy_arn, Write::Added),
            on(policy_arn, Write::NewDefault),
        ],
        PolicyStep::DeleteVersion { policy_arn, .. } => vec![on(policy_arn, Write::Removed)],
        PolicyStep::Delete { policy_arn } => vec![on(policy_arn, Write::Deleted)],
    }
}

fn of_profile(step: &ProfileStep) -> Vec<(IamName, Write)> {
    let on = |name: &str, write: Write| (IamName::new(Kind::InstanceProfile, name), write);
    let role = |name: &str, write: Write| (IamName::new(Kind::Role, name), write);
    match step {
        ProfileStep::Create { name, .. } => vec![on(name, Write::Created)],
        ProfileStep::AddRole { profile, role: it } => {
            vec![on(profile, Write::Added), role(it, Write::Added)]
        }
        ProfileStep::RemoveRole { profile, role: it } => {
            vec![on(profile, Write::Removed), role(it, Write::Removed)]
        }
        ProfileStep::Delete { profile } => vec![on(profile, Write::Deleted)],
    }
}
