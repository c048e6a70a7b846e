//! The writes that a plan is made of, one variant for each IAM call. Values only; no IO.

use serde::Serialize;
use smr_api::Tags;

use crate::account::Account;
use crate::kind::Kind;
use crate::names::Names;

/// One write to IAM. Serialized, it is the call's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// To the role, its attachments and its inline policies.
    Role(RoleStep),
    /// To the managed policy and its versions.
    Policy(PolicyStep),
    /// To the instance profile.
    InstanceProfile(ProfileStep),
    /// Sets tags on one of the three.
    Tag {
        /// On which.
        target: Target,
        /// Set over what is there.
        tags: Tags,
    },
    /// Takes tags from one of the three.
    Untag {
        /// From which.
        target: Target,
        /// The tags' keys.
        keys: Vec<String>,
    },
}

/// A call that is authorised on the role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[allow(missing_docs)] // The fields are the parameters of the IAM call.
pub enum RoleStep {
    /// `CreateRole`
    Create {
        path: String,
        name: String,
        trust: String,
        description: String,
        max_session_duration: i32,
        boundary: Option<String>,
        tags: Tags,
    },
    /// `AttachRolePolicy`
    AttachPolicy { role: String, policy_arn: String },
    /// `DetachRolePolicy`
    DetachPolicy { role: String, policy_arn: String },
    /// `PutRolePolicy`
    PutPolicy {
        role: String,
        policy: String,
        document: String,
    },
    /// `DeleteRolePolicy`
    DeletePolicy { role: String, policy: String },
    /// `UpdateAssumeRolePolicy`
    UpdateTrust { role: String, trust: String },
    /// `UpdateRole`
    Update {
        role: String,
        description: String,
        max_session_duration: i32,
    },
    /// `PutRolePermissionsBoundary`
    PutBoundary { role: String, boundary: String },
    /// `DeleteRole`
    Delete { role: String },
}

/// A call that is authorised on the managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[allow(missing_docs)] // The fields are the parameters of the IAM call.
pub enum PolicyStep {
    /// `CreatePolicy`
    Create {
        path: String,
        name: String,
        document: String,
        description: String,
        tags: Tags,
    },
    /// `CreatePolicyVersion`, as the default one
    CreateVersion {
        policy_arn: String,
        document: String,
    },
    /// `DeletePolicyVersion`
    DeleteVersion { policy_arn: String, version: String },
    /// `DeletePolicy`
    Delete { policy_arn: String },
}

/// A call that is authorised on the instance profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[allow(missing_docs)] // The fields are the parameters of the IAM call.
pub enum ProfileStep {
    /// `CreateInstanceProfile`
    Create {
        path: String,
        name: String,
        tags: Tags,
    },
    /// `AddRoleToInstanceProfile`
    AddRole { profile: String, role: String },
    /// `RemoveRoleFromInstanceProfile`
    RemoveRole { profile: String, role: String },
    /// `DeleteInstanceProfile`
    Delete { profile: String },
}

/// What tags are set on or taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Target {
    /// A role, by name.
    Role(String),
    /// A managed policy, by ARN.
    Policy(String),
    /// An instance profile, by name.
    InstanceProfile(String),
}

impl Target {
    /// Of which kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Role(_) => Kind::Role,
            Self::Policy(_) => Kind::Policy,
            Self::InstanceProfile(_) => Kind::InstanceProfile,
        }
    }
}

impl Step {
    /// The IAM action, as metrics, logs and policies name it.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Role(step) => step.action(),
            Self::Policy(step) => step.action(),
            Self::InstanceProfile(step) => step.action(),
            Self::Tag { target, .. } => match target.kind() {
                Kind::Role => "TagRole",
                Kind::Policy => "TagPolicy",
                Kind::InstanceProfile => "TagInstanceProfile",
            },
            Self::Untag { target, .. } => match target.kind() {
                Kind::Role => "UntagRole",
                Kind::Policy => "UntagPolicy",
                Kind::InstanceProfile => "UntagInstanceProfile",
            },
        }
    }

    /// Which of the three objects the call is authorised on.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Role(_) => Kind::Role,
            Self::Policy(_) => Kind::Policy,
            Self::InstanceProfile(_) => Kind::InstanceProfile,
            Self::Tag { target, .. } | Self::Untag { target, .. } => target.kind(),
        }
    }

    /// The ARN the call is authorised on.
    pub fn arn(&self, account: &Account, names: &Names) -> String {
        match self.kind() {
            Kind::Role => names.role_arn(account),
            Kind::Policy => names.policy_arn(account),
            Kind::InstanceProfile => names.instance_profile_arn(account),
        }
    }

    /// The document that the call sends, and what it is called.
    pub fn document(&self) -> Option<(&str, &'static str)> {
        match self {
            Self::Role(RoleStep::Create { trust, .. } | RoleStep::UpdateTrust { trust, .. }) => {
                Some((trust, "trust policy"))
            }
            Self::Role(RoleStep::PutPolicy { document, .. })
            | Self::Policy(
                PolicyStep::Create { document, .. } | PolicyStep::CreateVersion { document, .. },
            ) => Some((document, "policy")),
            Self::Role(_)
            | Self::Policy(_)
            | Self::InstanceProfile(_)
            | Self::Tag { .. }
            | Self::Untag { .. } => None,
        }
    }

    /// Whether the call makes an object that was not there.
    pub const fn creates(&self) -> bool {
        matches!(
            self,
            Self::Role(RoleStep::Create { .. })
                | Self::Policy(PolicyStep::Create { .. })
                | Self::InstanceProfile(ProfileStep::Create { .. })
        )
    }
}

impl RoleStep {
    const fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateRole",
            Self::AttachPolicy { .. } => "AttachRolePolicy",
            Self::DetachPolicy { .. } => "DetachRolePolicy",
            Self::PutPolicy { .. } => "PutRolePolicy",
            Self::DeletePolicy { .. } => "DeleteRolePolicy",
            Self::UpdateTrust { .. } => "UpdateAssumeRolePolicy",
            Self::Update { .. } => "UpdateRole",
            Self::PutBoundary { .. } => "PutRolePermissionsBoundary",
            Self::Delete { .. } => "DeleteRole",
        }
    }
}

impl PolicyStep {
    const fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreatePolicy",
            Self::CreateVersion { .. } => "CreatePolicyVersion",
            Self::DeleteVersion { .. } => "DeletePolicyVersion",
            Self::Delete { .. } => "DeletePolicy",
        }
    }
}

impl ProfileStep {
    const fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateInstanceProfile",
            Self::AddRole { .. } => "AddRoleToInstanceProfile",
            Self::RemoveRole { .. } => "RemoveRoleFromInstanceProfile",
            Self::Delete { .. } => "DeleteInstanceProfile",
        }
    }
}

/// What IAM answered to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a Create call.
    Created {
        /// The new object's ARN.
        arn: String,
        /// Its unique id.
        id: String,
    },
    /// To `CreatePolicyVersion`: the new version's id.
    Version(String),
    /// To everything else.
    Done,
}
