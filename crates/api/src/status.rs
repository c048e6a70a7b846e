//! `status` of a `SessionManagerRole`: what the controller tells. Types and schema; no IO.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{ConditionType, Reason};

/// What the controller last saw and did. No time in it changes unless something happened.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionManagerRoleStatus {
    /// The generation of spec that this status speaks of; -1 before the controller has seen the
    /// object. Default: -1.
    pub observed_generation: i64,

    /// Ready, and, only while True: Reconciling, Stalled, Paused, UnlistedAccess.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The AWS account that holds the IAM objects. Default: none until first written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,

    /// The AWS partition of that account, such as aws or aws-cn. Default: none until first written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,

    /// The IAM role. Default: none until it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleStatus>,

    /// The policy. Default: none until it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyStatus>,

    /// The instance profile. Default: none until it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<InstanceProfileStatus>,

    /// How IAM differs from spec now, at most 20 entries; empty when it does not.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub drift: Vec<Drift>,

    /// The last difference that someone else made in IAM. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_drift: Option<LastDrift>,

    /// Policies on the role that spec does not list: ARNs of attached ones, and inline/NAME.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub unlisted_policies: Vec<String>,

    /// What someone has to allow outside IAM, for the logs and keys in spec to work.
    /// Default: none where nothing is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparts: Option<Counterparts>,

    /// The value of the annotation sessionmanager.dev/reconcile-requested-at that was last
    /// answered. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

impl SessionManagerRoleStatus {
    /// The condition of this type.
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.type_ == type_.as_str())
    }

    /// The reason of Ready; `None` where there is none that this program knows.
    pub fn reason(&self) -> Option<Reason> {
        Reason::parse(&self.condition(ConditionType::Ready)?.reason)
    }
}

/// The IAM role as it is in AWS.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleStatus {
    /// The role's name. No default.
    pub name: String,
    /// The role's ARN. No default.
    pub arn: String,
    /// The role's unique id (AROA...): another one means that someone recreated the role.
    /// No default.
    pub id: String,
    /// What aws ssm create-activation --iam-role takes: the role's path without its first slash, and
    /// its name. Default: none but with principal HybridActivation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_role: Option<String>,
    /// Keys of the tags that the controller set. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub managed_tag_keys: Vec<String>,
    /// ARNs of the further policies that the controller attached, so that one that leaves
    /// spec.additionalPolicyArns is detached and others' are not. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub attached_policy_arns: Vec<String>,
}

/// The policy as it is in AWS.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The policy's name. No default.
    pub name: String,
    /// The managed policy's ARN. Default: none for an inline policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The managed policy's unique id (ANPA...). Default: none for an inline policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The managed policy's default version, such as v3. Default: none for an inline policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Keys of the tags that the controller set. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub managed_tag_keys: Vec<String>,
}

/// The instance profile as it is in AWS.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceProfileStatus {
    /// The instance profile's name. No default.
    pub name: String,
    /// The instance profile's ARN. No default.
    pub arn: String,
    /// The instance profile's unique id (AIPA...). No default.
    pub id: String,
    /// Keys of the tags that the controller set. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub managed_tag_keys: Vec<String>,
}

/// One difference between IAM and spec.
#[derive(
    KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The IAM object: Role, Policy or InstanceProfile. No default.
    pub object: String,
    /// What of it differs, such as trustPolicy or tags. No default.
    pub field: String,
    /// What was found and what should be, in words. No default.
    pub message: String,
}

/// The last difference that someone else made in IAM.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastDrift {
    /// When it was found. No default.
    pub time: Time,
    /// What was found and what should have been, in words. No default.
    pub message: String,
    /// Whether the controller has put it right. No default.
    pub repaired: bool,
}

/// JSON texts of policy statements that lie outside IAM, for the people who own the bucket and keys.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counterparts {
    /// Statements for the policy of a log bucket in another account. Default: none where not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_policy: Option<String>,
    /// Statements for the policy of the bucket's KMS key; for a key of the own account they are
    /// needed only if its key policy does not leave the decision to IAM.
    /// Default: none where not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_key_policy: Option<String>,
    /// Statements for the policy of the session encryption's KMS key; for a key of the own account
    /// they are needed only if its key policy does not leave the decision to IAM.
    /// Default: none where not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key_policy: Option<String>,
}
