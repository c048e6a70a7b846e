//! Validation: spec, the operator's limits and the account in; a value that can't be wrong, or
//! every reason why not, out. No IO. What the API server's schema and CEL rules already refuse is
//! checked again where later steps rely on it: an object may be older than the rules.

use std::collections::BTreeSet;

use smr_api::{
    AdoptionPolicy, DeletionPolicy, Mode, PolicyType, Principal, SessionManagerRoleSpec, Tags,
    UnlistedPolicyAction,
};
use thiserror::Error;

use crate::account::{Account, Arn};
use crate::limits::Limits;
use crate::names::{Names, Subject};
use crate::ownership;

/// IAM's limit of tags on one object.
const TAGS_MAX: usize = 50;
/// IAM's limit for path plus name of a role that a hybrid activation names.
const HYBRID_PATH_AND_NAME_MAX: usize = 64;

/// One thing wrong with a spec: the field, the problem, the way out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field's path, such as `spec.path`.
    pub field: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// A spec that was checked against the limits, with every default applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidSpec {
    /// Where it will be.
    pub account: Account,
    /// What it will be called.
    pub names: Names,
    /// Whose it is.
    pub subject: Subject,
    /// The name of the cluster, for the ownership tags.
    pub cluster: String,
    /// Who assumes the role.
    pub principal: TrustedPrincipal,
    /// The role's description.
    pub role_description: String,
    /// In seconds.
    pub max_session_duration: i32,
    /// `None`: not managed.
    pub permissions_boundary_arn: Option<String>,
    /// All of the role's tags but those of ownership.
    pub role_tags: Tags,
    /// Managed or inline.
    pub policy_type: PolicyType,
    /// The managed policy's description.
    pub policy_description: String,
    /// All of the policy's tags but those of ownership.
    pub policy_tags: Tags,
    /// All of the instance profile's tags but those of ownership.
    pub instance_profile_tags: Tags,
    /// KMS encryption of session data.
    pub session_encryption: Option<SessionEncryption>,
    /// Session logs to S3.
    pub s3_logs: Option<S3Logs>,
    /// Session logs to CloudWatch Logs.
    pub cloud_watch_logs: Option<CloudWatchLogs>,
    /// Further managed policies.
    pub additional_policy_arns: BTreeSet<String>,
    /// What becomes of policies that nobody listed.
    pub unlisted_policy_action: UnlistedPolicyAction,
    /// Whether IAM is written.
    pub mode: Mode,
    /// What becomes of the IAM objects in the end.
    pub deletion_policy: DeletionPolicy,
    /// Whether existing objects may be taken over.
    pub adoption_policy: AdoptionPolicy,
}

/// Who assumes the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedPrincipal {
    /// EC2 instances, by this service principal, through an instance profile.
    Ec2 {
        /// Such as `ec2.amazonaws.com`.
        service: String,
    },
    /// Servers outside EC2; an empty list stands for any region.
    HybridActivation {
        /// Such as `eu-central-1`.
        regions: Vec<String>,
    },
}

/// KMS encryption of session data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEncryption {
    /// The session key.
    pub kms_key_arn: String,
    /// Session data only.
    pub sessions_only: bool,
}

/// Session logs to S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Logs {
    /// The bucket's name.
    pub bucket: String,
    /// Without slashes at its ends; may be empty.
    pub key_prefix: String,
    /// As spec has it.
    pub bucket_owner_account_id: Option<String>,
    /// How the bucket encrypts.
    pub encryption: S3Encryption,
}

impl S3Logs {
    /// The bucket's owner, where that is another account than the role's.
    pub fn other_owner(&self, account: &Account) -> Option<&str> {
        self.bucket_owner_account_id
            .as_deref()
            .filter(|owner| *owner != account.id)
    }

    /// The ARN of every object that a log may become.
    pub fn objects_arn(&self, account: &Account) -> String {
        let Self {
            bucket, key_prefix, ..
        } = self;
        let slash = if key_prefix.is_empty() { "" } else { "/" };
        format!(
            "arn:{}:s3:::{bucket}/{key_prefix}{slash}*",
            account.partition
        )
    }
}

/// How the log bucket encrypts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3Encryption {
    /// Not said.
    Unspecified,
    /// With keys of S3.
    S3Managed,
    /// With this key.
    Kms {
        /// The key's ARN.
        key_arn: String,
    },
}

/// Session logs to CloudWatch Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudWatchLogs {
    /// `None`: any group.
    pub log_group_name: Option<String>,
}

/// Checks `spec` and applies every default. Returns all problems at once.
pub fn validate(
    spec: &SessionManagerRoleSpec,
    subject: &Subject,
    names: &Names,
    account: &Account,
    limits: &Limits,
) -> Result<ValidSpec, Vec<Invalid>> {
    let mut problems = Problems::default();
    let role = spec.role.clone().unwrap_or_default();
    let policy = spec.policy.clone().unwrap_or_default();
    let profile = spec.instance_profile.clone().unwrap_or_default();
    let principal = principal(spec, names, account, limits, &mut problems);
    let policy_type = policy.type_.unwrap_or_default();
    path(spec, limits, &mut problems);
    if policy_type == PolicyType::Inline {
        for (field, set) in [
            ("description", policy.description.is_some()),
            ("tags", policy.tags.is_some()),
        ] {
            if set {
                problems.add(
                    format!("spec.policy.{field}"),
                    "can't be used with type Inline: an inline policy has none, remove it",
                );
            }
        }
    }
    let shared = spec.tags.as_ref();
    let role_tags = merged_tags(
        "spec.role.tags",
        shared,
        role.tags.as_ref(),
        limits,
        &mut problems,
    );
    distinct_but_for_case(&role_tags, &mut problems);
    let valid = ValidSpec {
        account: account.clone(),
        names: names.clone(),
        subject: subject.clone(),
        cluster: limits.cluster_name.clone(),
        role_description: role
            .description
            .clone()
            .unwrap_or_else(|| default_description("Session Manager role", subject, limits)),
        max_session_duration: role.max_session_duration_seconds.unwrap_or(3600),
        permissions_boundary_arn: boundary(
            role.permissions_boundary_arn.as_ref(),
            account,
            limits,
            &mut problems,
        ),
        role_tags,
        policy_type,
        policy_description: policy
            .description
            .clone()
            .unwrap_or_else(|| default_description("Session Manager permissions", subject, limits)),
        policy_tags: merged_tags(
            "spec.policy.tags",
            shared,
            policy.tags.as_ref(),
            limits,
            &mut problems,
        ),
        instance_profile_tags: match principal {
            TrustedPrincipal::Ec2 { .. } => merged_tags(
                "spec.instanceProfile.tags",
                shared,
                profile.tags.as_ref(),
                limits,
                &mut problems,
            ),
            TrustedPrincipal::HybridActivation { .. } => Tags::new(),
        },
        session_encryption: spec.session_encryption.as_ref().map(|e| {
            key_arn(
                "spec.sessionEncryption.kmsKeyArn",
                &e.kms_key_arn,
                account,
                &mut problems,
            );
            SessionEncryption {
                kms_key_arn: e.kms_key_arn.clone(),
                sessions_only: e.sessions_only.unwrap_or(false),
            }
        }),
        s3_logs: s3_logs(spec, account, &mut problems),
        cloud_watch_logs: (spec
            .session_logs
            .as_ref()
            .and_then(|l| l.cloud_watch.as_ref()))
        .map(|logs| CloudWatchLogs {
            log_group_name: logs.log_group_name.clone(),
        }),
        additional_policy_arns: additional_policies(spec, names, account, limits, &mut problems),
        unlisted_policy_action: spec.unlisted_policy_action.unwrap_or_default(),
        mode: spec.mode.unwrap_or_default(),
        deletion_policy: spec.deletion_policy.unwrap_or_default(),
        adoption_policy: spec.adoption_policy.unwrap_or_default(),
        principal,
    };
    if problems.0.is_empty() {
        Ok(valid)
    } else {
        Err(problems.0)
    }
}

#[derive(Default)]
struct Problems(Vec<Invalid>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Invalid {
            field: field.into(),
            problem: problem.into(),
        });
    }
}

fn default_description(what: &str, subject: &Subject, limits: &Limits) -> String {
    format!(
        "{what} of SessionManagerRole {} in cluster {}",
        subject.owner(),
        limits.cluster_name
    )
}

fn principal(
    spec: &SessionManagerRoleSpec,
    names: &Names,
    account: &Account,
    limits: &Limits,
    problems: &mut Problems,
) -> TrustedPrincipal {
    match spec.principal.unwrap_or_default() {
        Principal::EC2 => {
            if spec.hybrid.is_some() {
                problems.add(
                    "spec.hybrid",
                    "needs principal HybridActivation: set spec.principal, or remove spec.hybrid",
                );
            }
            TrustedPrincipal::Ec2 {
                service: limits.ec2_principal(account).to_owned(),
            }
        }
        Principal::HybridActivation => {
            if spec.instance_profile.is_some() {
                problems.add("spec.instanceProfile", "can't be used with principal HybridActivation: on-premises servers have no instance profile, remove it");
            }
            let length = names.path.len() - 1 + names.role.len();
            if length > HYBRID_PATH_AND_NAME_MAX {
                problems.add(
                    "spec.role.name",
                    format!(
                        "path {} and name {} have {length} characters together, a hybrid activation takes {HYBRID_PATH_AND_NAME_MAX} (without the first /): set a shorter spec.role.name",
                        names.path, names.role
                    ),
                );
            }
            let regions = spec
                .hybrid
                .as_ref()
                .and_then(|h| h.regions.clone())
                .unwrap_or_default();
            TrustedPrincipal::HybridActivation { regions }
        }
    }
}

fn path(spec: &SessionManagerRoleSpec, limits: &Limits, problems: &mut Problems) {
    if let Some(path) = spec.path.as_ref().filter(|path| !limits.allows_path(path)) {
        problems.add(
            "spec.path",
            format!(
                "{path} is not among the paths that this controller may use ({}): leave spec.path out, or ask the operator for --allow-path {path}",
                std::iter::once(&limits.default_path).chain(&limits.allowed_paths).cloned().collect::<Vec<_>>().join(", ")
            ),
        );
    }
}

fn boundary(
    asked: Option<&String>,
    account: &Account,
    limits: &Limits,
    problems: &mut Problems,
) -> Option<String> {
    match (asked, &limits.permissions_boundary_arn) {
        (Some(asked), Some(operators)) if asked != operators => problems.add(
            "spec.role.permissionsBoundaryArn",
            format!("{asked} is not the boundary that the operator has set for every role ({operators}): leave the field out"),
        ),
        (Some(asked), _) => arn_in_partition("spec.role.permissionsBoundaryArn", asked, account, problems),
        (None, _) => {}
    }
    limits
        .permissions_boundary_arn
        .clone()
        .or_else(|| asked.cloned())
}

/// The operator's tags win over the object's own, which win over the shared ones.
fn merged_tags(
    field: &str,
    shared: Option<&Tags>,
    own: Option<&Tags>,
    limits: &Limits,
    problems: &mut Problems,
) -> Tags {
    let mut merged = shared.cloned().unwrap_or_default();
    merged.extend(own.cloned().unwrap_or_default());
    for key in merged.keys() {
        let lower = key.to_ascii_lowercase();
        if lower.starts_with(ownership::PREFIX) || lower.starts_with("aws:") {
            problems.add(
                field,
                format!(
                    "the key {key} can't start with {} or aws:: choose another key",
                    ownership::PREFIX
                ),
            );
        }
    }
    for (key, value) in &limits.tags {
        if merged.get(key).is_some_and(|mine| mine != value) {
            problems.add(
                field,
                format!("the tag {key} is set by the operator to {value}: remove it here"),
            );
        }
    }
    merged.extend(limits.tags.clone());
    // Three of ownership, and one place for consent to adoption.
    let room = TAGS_MAX - ownership::KEYS.len() - 1;
    if merged.len() > room {
        problems.add(field, format!("{} tags with spec.tags and the operator's, IAM leaves room for {room}: remove some", merged.len()));
    }
    merged
}

/// IAM tells keys of role tags apart without case.
fn distinct_but_for_case(tags: &Tags, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for key in tags.keys() {
        if !seen.insert(key.to_lowercase()) {
            problems.add("spec.role.tags", format!("the key {key} differs from another only by case, which IAM can't tell apart on a role: keep one of them"));
        }
    }
}

fn key_arn(field: &str, arn: &str, account: &Account, problems: &mut Problems) {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "kms", _region, _account, resource] = parts.as_slice() else {
        problems.add(
            field,
            format!(
                "{arn} is not the ARN of a KMS key, such as arn:{}:kms:REGION:{}:key/ID",
                account.partition, account.id
            ),
        );
        return;
    };
    if !resource.starts_with("key/") {
        problems.add(field, format!("{arn} is not the ARN of a key itself: an alias does not work in an IAM policy, 'aws kms describe-key' prints the key's ARN"));
    }
    wrong_partition(field, partition, account, problems);
}

fn arn_in_partition(field: &str, arn: &str, account: &Account, problems: &mut Problems) {
    match Arn::parse(arn) {
        Some(parsed) => wrong_partition(field, parsed.partition, account, problems),
        None => problems.add(field, format!("{arn} is not an ARN")),
    }
}

fn wrong_partition(field: &str, partition: &str, account: &Account, problems: &mut Problems) {
    if partition != account.partition.as_str() {
        problems.add(
            field,
            format!(
                "the ARN lies in partition {partition}, the role in {}: use an ARN of {}",
                account.partition, account.partition
            ),
        );
    }
}

fn s3_logs(
    spec: &SessionManagerRoleSpec,
    account: &Account,
    problems: &mut Problems,
) -> Option<S3Logs> {
    const KEY: &str = "spec.sessionLogs.s3.kmsKeyArn";
    let logs = spec.session_logs.as_ref()?.s3.as_ref()?;
    let key_prefix = logs
        .key_prefix
        .as_deref()
        .unwrap_or_default()
        .trim_matches('/')
        .to_owned();
    if key_prefix.contains(['*', '?']) || key_prefix.contains("${") {
        problems.add(
            "spec.sessionLogs.s3.keyPrefix",
            "can't have *, ? or ${, which would widen the policy: write the plain prefix",
        );
    }
    let encryption = match (logs.encryption.unwrap_or_default(), &logs.kms_key_arn) {
        (smr_api::S3Encryption::KMS, Some(arn)) => {
            key_arn(KEY, arn, account, problems);
            S3Encryption::Kms {
                key_arn: arn.clone(),
            }
        }
        (smr_api::S3Encryption::KMS, None) => {
            problems.add(
                KEY,
                "is needed with encryption KMS: write the ARN of the bucket's key",
            );
            S3Encryption::Unspecified
        }
        (smr_api::S3Encryption::Unspecified | smr_api::S3Encryption::S3Managed, Some(_)) => {
            problems.add(KEY, "needs encryption KMS: set spec.sessionLogs.s3.encryption to KMS, or remove the key");
            S3Encryption::Unspecified
        }
        (smr_api::S3Encryption::Unspecified, None) => S3Encryption::Unspecified,
        (smr_api::S3Encryption::S3Managed, None) => S3Encryption::S3Managed,
    };
    Some(S3Logs {
        bucket: logs.bucket.clone(),
        key_prefix,
        bucket_owner_account_id: logs.bucket_owner_account_id.clone(),
        encryption,
    })
}

fn additional_policies(
    spec: &SessionManagerRoleSpec,
    names: &Names,
    account: &Account,
    limits: &Limits,
    problems: &mut Problems,
) -> BTreeSet<String> {
    let own = names.policy_arn(account);
    let mut arns = BTreeSet::new();
    for (index, arn) in spec.additional_policy_arns.iter().flatten().enumerate() {
        let field = format!("spec.additionalPolicyArns[{index}]");
        arn_in_partition(&field, arn, account, problems);
        if *arn == own {
            problems.add(
                &field,
                format!("{arn} is this object's own policy, which is attached anyway: remove it"),
            );
        } else if !limits.allows_additional_policy(arn) {
            problems.add(&field, format!("{arn} is not allowed by this controller: remove it, or ask the operator for --allow-additional-policy {arn}"));
        }
        arns.insert(arn.clone());
    }
    arns
}

#[cfg(test)]
pub(crate) mod tests;
