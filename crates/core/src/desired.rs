//! What IAM should hold. In: the validated spec; out: the three objects in full. No IO.

use std::collections::BTreeSet;

use smr_api::{AdoptionPolicy, PolicyType, Tags, UnlistedPolicyAction};

use crate::account::Account;
use crate::document::{role_policy, trust_policy};
use crate::names::Names;
use crate::ownership::Identity;
use crate::validate::{TrustedPrincipal, ValidSpec};

/// The three objects as they should be. Tags include those of ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Where.
    pub account: Account,
    /// Under which names.
    pub names: Names,
    /// Whose.
    pub identity: Identity,
    /// Whether existing objects may be taken over.
    pub adoption: AdoptionPolicy,
    /// The role.
    pub role: DesiredRole,
    /// The policy.
    pub policy: DesiredPolicy,
    /// `None` with a hybrid principal: then none is looked at.
    pub instance_profile: Option<DesiredInstanceProfile>,
    /// ARNs of further managed policies on the role.
    pub additional_policy_arns: BTreeSet<String>,
    /// What becomes of policies that nobody listed.
    pub unlisted: UnlistedPolicyAction,
}

/// The role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRole {
    /// The trust policy's JSON text.
    pub trust: String,
    /// Its description.
    pub description: String,
    /// In seconds.
    pub max_session_duration: i32,
    /// `None`: whatever is found stays.
    pub boundary: Option<String>,
    /// All tags that we set.
    pub tags: Tags,
}

/// The policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPolicy {
    /// The JSON text.
    pub document: String,
    /// Where it lives.
    pub home: PolicyHome,
}

/// Where the policy lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyHome {
    /// A customer managed policy, attached to the role.
    Managed {
        /// Given at creation; IAM can't change it later.
        description: String,
        /// All tags that we set.
        tags: Tags,
    },
    /// Inside the role.
    Inline,
}

/// The instance profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredInstanceProfile {
    /// All tags that we set.
    pub tags: Tags,
}

/// The three objects that `spec` asks for.
pub fn desired(spec: &ValidSpec) -> Desired {
    let identity = Identity {
        cluster: spec.cluster.clone(),
        subject: spec.subject.clone(),
    };
    let owned = |tags: &Tags| -> Tags { tags.clone().into_iter().chain(identity.tags()).collect() };
    Desired {
        role: DesiredRole {
            trust: trust_policy(spec).to_json(),
            description: spec.role_description.clone(),
            max_session_duration: spec.max_session_duration,
            boundary: spec.permissions_boundary_arn.clone(),
            tags: owned(&spec.role_tags),
        },
        policy: DesiredPolicy {
            document: role_policy(spec).to_json(),
            home: match spec.policy_type {
                PolicyType::Managed => PolicyHome::Managed {
                    description: spec.policy_description.clone(),
                    tags: owned(&spec.policy_tags),
                },
                PolicyType::Inline => PolicyHome::Inline,
            },
        },
        instance_profile: match spec.principal {
            TrustedPrincipal::Ec2 { .. } => Some(DesiredInstanceProfile {
                tags: owned(&spec.instance_profile_tags),
            }),
            TrustedPrincipal::HybridActivation { .. } => None,
        },
        additional_policy_arns: spec.additional_policy_arns.clone(),
        unlisted: spec.unlisted_policy_action,
        account: spec.account.clone(),
        names: spec.names.clone(),
        adoption: spec.adoption_policy,
        identity,
    }
}

impl Desired {
    /// The own managed policy's ARN, whether it is wanted or not.
    pub fn policy_arn(&self) -> String {
        self.names.policy_arn(&self.account)
    }
}
