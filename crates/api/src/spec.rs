//! `spec` of a `SessionManagerRole`: every field a user can write. Types and schema; no IO.
//! Defaults are applied by the controller, never by the API server, so that Git and the live
//! object don't differ by us. Field comments are what `kubectl explain` prints.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;
use crate::schema;
use crate::status::SessionManagerRoleStatus;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// What the IAM role is to be. An empty spec is valid: it gives the minimal policy of AWS's page
/// "Create a custom IAM role for Session Manager", a role that EC2 instances assume, and an
/// instance profile.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sessionmanager.dev",
    version = "v1alpha1",
    kind = "SessionManagerRole",
    plural = "sessionmanagerroles",
    shortname = "smr",
    category = "aws",
    namespaced,
    status = "SessionManagerRoleStatus",
    derive = "PartialEq",
    doc = "A complete, least-privilege IAM role for AWS Systems Manager Session Manager: its policy, the role and the instance profile, created in AWS, kept as described here, and removed with this object.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "True when IAM is as described at this generation"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why, in one word"),
    printcolumn(name = "Role", type_ = "string", json_path = ".status.role.name", description = "The IAM role's name"),
    printcolumn(name = "Profile", type_ = "string", json_path = ".status.instanceProfile.name", description = "The instance profile's name"),
    printcolumn(name = "Policy", type_ = "string", json_path = ".status.policy.name", description = "The policy's name", priority = 1),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.accountId", description = "The AWS account", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", description = "Why, in words", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 128").message("metadata.name can have at most 128 characters, so that namespace and name fit an IAM tag: choose a shorter name"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::principal_immutable(),
    validation = rules::immutable("path", "an IAM path is fixed at creation; delete this object and create one with the other path"),
    validation = rules::immutable("role.name", "an IAM role can't be renamed; delete this object and create one with the other name"),
    validation = rules::immutable("policy.name", "an IAM policy can't be renamed; delete this object and create one with the other name"),
    validation = rules::immutable("instanceProfile.name", "an instance profile can't be renamed; delete this object and create one with the other name"),
    validation = rules::policy_description_immutable(),
    validation = rules::no_profile_with_hybrid(),
    validation = rules::hybrid_needs_principal(),
)]
pub struct SessionManagerRoleSpec {
    /// See [`Principal`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,

    /// Settings for servers outside EC2; only with principal HybridActivation.
    /// Default: servers activated in any region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid: Option<Hybrid>,

    /// The IAM path of policy, role and instance profile, such as /session-manager/.
    /// Only paths that the controller's operator allows. Default: the controller's
    /// --default-path, /session-manager/ unless set otherwise. Can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::path")]
    pub path: Option<String>,

    /// The IAM role. Default: all of its fields' defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,

    /// The policy that lets the SSM agent work. Default: a managed policy named as the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,

    /// The instance profile, which hands the role to EC2 instances; not with principal
    /// HybridActivation. Default: one named as the role, as the AWS console does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<InstanceProfile>,

    /// Tags on policy, role and instance profile; a tag of the same key on one of them wins there.
    /// Only these keys are managed: tags that others add stay. Keys can't start with
    /// sessionmanager.dev/ or aws:. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: Option<Tags>,

    /// Encryption of session data with a KMS key, beyond the TLS that is always there.
    /// Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_encryption: Option<SessionEncryption>,

    /// Where session logs go; the policy then lets the agent write them. Default: no logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_logs: Option<SessionLogs>,

    /// ARNs of managed policies to attach to the role besides, at most 24 (the account's quota
    /// decides how many a role can have). Only those that the controller's operator allows.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::additional_policy_arns")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub additional_policy_arns: Option<Vec<String>>,

    /// See [`UnlistedPolicyAction`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlisted_policy_action: Option<UnlistedPolicyAction>,

    /// See [`Mode`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// See [`DeletionPolicy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// See [`AdoptionPolicy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
}

/// Who assumes the role: EC2 (instances, through an instance profile) or HybridActivation
/// (servers outside EC2, registered with an activation; no instance profile).
/// Default: EC2. Can't be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Principal {
    /// EC2 instances, through the instance profile.
    #[default]
    EC2,
    /// Servers outside EC2, through a hybrid activation.
    HybridActivation,
}

/// Settings for servers outside EC2.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hybrid {
    /// AWS regions whose activations may use the role, such as eu-central-1; at most 20.
    /// Default: any region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::hybrid_regions")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub regions: Option<Vec<String>>,
}

/// The IAM role.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// The role's name, 1 to 64 characters. Default: NAMESPACE.NAME of this object, after the
    /// controller's --name-prefix; cut and made unique with a hash where that is too long.
    /// Can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_name")]
    pub name: Option<String>,

    /// The role's description, at most 1000 characters. Default: one that names this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_description")]
    pub description: Option<String>,

    /// How long a session of someone who assumes the role may last, in seconds, 3600 to 43200.
    /// Credentials that EC2 hands out don't depend on it. Default: 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3600, max = 43200))]
    pub max_session_duration_seconds: Option<i32>,

    /// The managed policy that caps what the role can do (permissions boundary). A boundary is
    /// never removed by the controller. Default: the controller's --permissions-boundary-arn;
    /// without that, a boundary found on the role stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::permissions_boundary_arn")]
    pub permissions_boundary_arn: Option<String>,

    /// Tags on the role, besides and before spec.tags. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_tags")]
    pub tags: Option<Tags>,
}

/// The policy that lets the SSM agent work.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::inline_refuses()[0].clone(), validation = rules::inline_refuses()[1].clone())]
pub struct Policy {
    /// The policy's name, 1 to 128 characters. Default: the role's name. Can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_name")]
    pub name: Option<String>,

    /// See [`PolicyType`].
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<PolicyType>,

    /// The managed policy's description, at most 1000 characters; not with type Inline.
    /// Default: one that names this object. Can't be changed, as IAM can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_description")]
    pub description: Option<String>,

    /// Tags on the managed policy, besides and before spec.tags; not with type Inline.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_tags")]
    pub tags: Option<Tags>,
}

/// Managed (a customer managed policy, attached to the role) or Inline (inside the role).
/// Can be changed; the new policy is there before the other goes. Default: Managed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyType {
    /// A customer managed policy, attached to the role.
    #[default]
    Managed,
    /// A policy inside the role.
    Inline,
}

/// The instance profile.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceProfile {
    /// The instance profile's name, 1 to 128 characters. Default: the role's name, as the AWS
    /// console does. Can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instance_profile_name")]
    pub name: Option<String>,

    /// Tags on the instance profile, besides and before spec.tags. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::instance_profile_tags")]
    pub tags: Option<Tags>,
}

/// Encryption of session data with a KMS key.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionEncryption {
    /// ARN of the KMS key that the Session Manager preferences name; the role may then decrypt
    /// with it. An alias does not work in a policy. Required; there is no default.
    #[schemars(schema_with = "schema::session_key_arn")]
    pub kms_key_arn: String,

    /// Allow decryption of session data only, and of nothing else that the key encrypts.
    /// Default: false, as AWS's page has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_only: Option<bool>,
}

/// Where session logs go.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionLogs {
    /// Logs to an S3 bucket. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Logs>,

    /// Logs to CloudWatch Logs; {} is enough. Default: none.
    // Atomic: server-side apply of {} over what had fields leaves null otherwise, which is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub cloud_watch: Option<CloudWatchLogs>,
}

/// Logs to an S3 bucket.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::s3_encryption_key()[0].clone(), validation = rules::s3_encryption_key()[1].clone())]
pub struct S3Logs {
    /// The bucket's name. Required; there is no default.
    #[schemars(schema_with = "schema::bucket")]
    pub bucket: String,

    /// The prefix below which logs are written, such as logs/production; a / at its ends is
    /// ignored. Default: the whole bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::key_prefix")]
    pub key_prefix: Option<String>,

    /// The account that owns the bucket, 12 digits, where it is not the role's own; the role may
    /// then hand the logs to it (s3:PutObjectAcl), and status.counterparts says what its owner has
    /// to allow. Default: the role's own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bucket_owner_account_id")]
    pub bucket_owner_account_id: Option<String>,

    /// See [`S3Encryption`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<S3Encryption>,

    /// ARN of the bucket's KMS key; needed with encryption KMS, and only then. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bucket_key_arn")]
    pub kms_key_arn: Option<String>,
}

/// How the bucket encrypts: Unspecified (kms:GenerateDataKey on any key, as AWS's page has
/// it), S3Managed (no KMS rights) or KMS (with the key of kmsKeyArn only).
/// Default: Unspecified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum S3Encryption {
    /// Not said: `kms:GenerateDataKey` on any key, as AWS's page has it.
    #[default]
    Unspecified,
    /// With keys of S3: no KMS rights are needed.
    S3Managed,
    /// With the KMS key of `kmsKeyArn`.
    KMS,
}

/// Logs to CloudWatch Logs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudWatchLogs {
    /// The one log group, in the role's own account and any region, that may be written to.
    /// Default: any log group, as AWS's page has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::log_group_name")]
    pub log_group_name: Option<String>,
}

/// What to do with policies on the role that this object does not list: Report (shown in
/// status and as condition UnlistedAccess) or Remove. Default: Report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnlistedPolicyAction {
    /// Tell in status and by the condition `UnlistedAccess`.
    #[default]
    Report,
    /// Detach or delete them.
    Remove,
}

/// Enforce (IAM is changed to what is written here) or Observe (IAM is read and every
/// difference told, nothing is written). Default: Enforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// IAM is changed to what is written here.
    #[default]
    Enforce,
    /// IAM is read and every difference told; nothing is written.
    Observe,
}

/// What becomes of the IAM objects when this object is deleted: Delete, DeleteUnused (as
/// Delete, but waits while the role was used within 24 hours) or Retain (they stay, without
/// our tags). Default: Delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They are deleted.
    #[default]
    Delete,
    /// They are deleted once the role has not been used for 24 hours.
    DeleteUnused,
    /// They stay, without our tags.
    Retain,
}

/// Whether IAM objects of these names that already exist may be taken over: Never, or
/// WithConsent (those that carry the tag sessionmanager.dev/adoptable-by with the value
/// CLUSTER/NAMESPACE/NAME of this object). Default: Never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// They are not.
    #[default]
    Never,
    /// Those are that carry the consent tag.
    WithConsent,
}
