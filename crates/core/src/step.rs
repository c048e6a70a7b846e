//! The writes that a plan is made of, one variant for each IAM call. Values only; no IO.

use std::fmt;

use serde::Serialize;
use smr_api::Tags;

use crate::account::Account;
use crate::names::Names;

/// One write to IAM. Serialized, it is the call's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[allow(missing_docs)] // The fields are the parameters of the IAM call of the variant's name.
pub enum Step {
    CreateRole {
        path: String,
        name: String,
        trust: String,
        description: String,
        max_session_duration: i32,
        boundary: Option<String>,
        tags: Tags,
    },
    CreatePolicy {
        path: String,
        name: String,
        document: String,
        description: String,
        tags: Tags,
    },
    CreateInstanceProfile {
        path: String,
        name: String,
        tags: Tags,
    },
    AttachRolePolicy {
        role: String,
        policy_arn: String,
    },
    DetachRolePolicy {
        role: String,
        policy_arn: String,
    },
    PutRolePolicy {
        role: String,
        policy: String,
        document: String,
    },
    DeleteRolePolicy {
        role: String,
        policy: String,
    },
    AddRoleToInstanceProfile {
        profile: String,
        role: String,
    },
    RemoveRoleFromInstanceProfile {
        profile: String,
        role: String,
    },
    UpdateAssumeRolePolicy {
        role: String,
        trust: String,
    },
    UpdateRole {
        role: String,
        description: String,
        max_session_duration: i32,
    },
    PutRolePermissionsBoundary {
        role: String,
        boundary: String,
    },
    CreatePolicyVersion {
        policy_arn: String,
        document: String,
    },
    DeletePolicyVersion {
        policy_arn: String,
        version: String,
    },
    Tag {
        target: Target,
        tags: Tags,
    },
    Untag {
        target: Target,
        keys: Vec<String>,
    },
    DeleteRole {
        role: String,
    },
    DeletePolicy {
        policy_arn: String,
    },
    DeleteInstanceProfile {
        profile: String,
    },
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

/// Which of the three a step writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The role.
    Role,
    /// The managed policy.
    Policy,
    /// The instance profile.
    InstanceProfile,
}

impl Kind {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Role, Self::Policy, Self::InstanceProfile];

    /// As it stands in `status.drift[].object` and as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::Policy => "Policy",
            Self::InstanceProfile => "InstanceProfile",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// As it stands in a sentence.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Policy => "policy",
            Self::InstanceProfile => "instance profile",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Step {
    /// The IAM action, as metrics, logs and policies name it.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::CreateRole { .. } => "CreateRole",
            Self::CreatePolicy { .. } => "CreatePolicy",
            Self::CreateInstanceProfile { .. } => "CreateInstanceProfile",
            Self::AttachRolePolicy { .. } => "AttachRolePolicy",
            Self::DetachRolePolicy { .. } => "DetachRolePolicy",
            Self::PutRolePolicy { .. } => "PutRolePolicy",
            Self::DeleteRolePolicy { .. } => "DeleteRolePolicy",
            Self::AddRoleToInstanceProfile { .. } => "AddRoleToInstanceProfile",
            Self::RemoveRoleFromInstanceProfile { .. } => "RemoveRoleFromInstanceProfile",
            Self::UpdateAssumeRolePolicy { .. } => "UpdateAssumeRolePolicy",
            Self::UpdateRole { .. } => "UpdateRole",
            Self::PutRolePermissionsBoundary { .. } => "PutRolePermissionsBoundary",
            Self::CreatePolicyVersion { .. } => "CreatePolicyVersion",
            Self::DeletePolicyVersion { .. } => "DeletePolicyVersion",
            Self::Tag {
                target: Target::Role(_),
                ..
            } => "TagRole",
            Self::Tag {
                target: Target::Policy(_),
                ..
            } => "TagPolicy",
            Self::Tag {
                target: Target::InstanceProfile(_),
                ..
            } => "TagInstanceProfile",
            Self::Untag {
                target: Target::Role(_),
                ..
            } => "UntagRole",
            Self::Untag {
                target: Target::Policy(_),
                ..
            } => "UntagPolicy",
            Self::Untag {
                target: Target::InstanceProfile(_),
                ..
            } => "UntagInstanceProfile",
            Self::DeleteRole { .. } => "DeleteRole",
            Self::DeletePolicy { .. } => "DeletePolicy",
            Self::DeleteInstanceProfile { .. } => "DeleteInstanceProfile",
        }
    }

    /// Which of the three objects the call is authorised on.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::CreateRole { .. }
            | Self::AttachRolePolicy { .. }
            | Self::DetachRolePolicy { .. }
            | Self::PutRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::UpdateAssumeRolePolicy { .. }
            | Self::UpdateRole { .. }
            | Self::PutRolePermissionsBoundary { .. }
            | Self::Tag {
                target: Target::Role(_),
                ..
            }
            | Self::Untag {
                target: Target::Role(_),
                ..
            }
            | Self::DeleteRole { .. } => Kind::Role,
            Self::CreatePolicy { .. }
            | Self::CreatePolicyVersion { .. }
            | Self::DeletePolicyVersion { .. }
            | Self::Tag {
                target: Target::Policy(_),
                ..
            }
            | Self::Untag {
                target: Target::Policy(_),
                ..
            }
            | Self::DeletePolicy { .. } => Kind::Policy,
            Self::CreateInstanceProfile { .. }
            | Self::AddRoleToInstanceProfile { .. }
            | Self::RemoveRoleFromInstanceProfile { .. }
            | Self::Tag {
                target: Target::InstanceProfile(_),
                ..
            }
            | Self::Untag {
                target: Target::InstanceProfile(_),
                ..
            }
            | Self::DeleteInstanceProfile { .. } => Kind::InstanceProfile,
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
            Self::CreateRole { trust, .. } | Self::UpdateAssumeRolePolicy { trust, .. } => {
                Some((trust, "trust policy"))
            }
            Self::CreatePolicy { document, .. }
            | Self::CreatePolicyVersion { document, .. }
            | Self::PutRolePolicy { document, .. } => Some((document, "policy")),
            Self::CreateInstanceProfile { .. }
            | Self::AttachRolePolicy { .. }
            | Self::DetachRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::AddRoleToInstanceProfile { .. }
            | Self::RemoveRoleFromInstanceProfile { .. }
            | Self::UpdateRole { .. }
            | Self::PutRolePermissionsBoundary { .. }
            | Self::DeletePolicyVersion { .. }
            | Self::Tag { .. }
            | Self::Untag { .. }
            | Self::DeleteRole { .. }
            | Self::DeletePolicy { .. }
            | Self::DeleteInstanceProfile { .. } => None,
        }
    }

    /// Whether the call makes an object that was not there.
    pub const fn creates(&self) -> bool {
        matches!(
            self,
            Self::CreateRole { .. }
                | Self::CreatePolicy { .. }
                | Self::CreateInstanceProfile { .. }
        )
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
