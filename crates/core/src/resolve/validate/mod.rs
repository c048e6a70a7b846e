//! Validation: spec, the operator's limits and the account in; a value that can't be wrong, or
//! every reason why not, out. No IO. What the API server's schema and CEL rules refuse is checked
//! again (`written`): an object may be older than the rules.

mod creation;
mod form;
mod logs;
mod tags;
mod written;

use std::collections::BTreeSet;

use smr_api::{
    AdoptionPolicy, DeletionPolicy, Mode, PolicyType, Principal, SessionManagerRoleSpec, Tags,
    UnlistedPolicyAction,
};
use thiserror::Error;

use crate::account::Account;
use crate::limits::Limits;
use crate::names::{ACTIVATION_ROLE_MAX, Names, ObjectRef};
use crate::ownership::ClusterIdentity;

pub use creation::{Creation, creation};
pub use form::wrong;
pub use logs::{CloudWatchLogs, S3Encryption, S3Logs};
use logs::{cloud_watch_logs, s3_logs};
use tags::{allowed_keys, distinct_but_for_case, merged_tags};

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
    pub subject: ObjectRef,
    /// The cluster, for the ownership tags.
    pub cluster: ClusterIdentity,
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

/// Checks `spec` and applies every default. Returns all problems at once.
pub fn validate(
    spec: &SessionManagerRoleSpec,
    subject: &ObjectRef,
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
    written::check(spec, names, account, &mut problems);
    only_of_a_managed_one(&policy, &mut problems);
    allowed_keys("spec.tags", spec.tags.as_ref(), limits, &mut problems);
    let tags = |field, own, problems: &mut Problems| {
        allowed_keys(field, own, limits, problems);
        let of = (limits, subject.namespace.as_str());
        merged_tags(field, spec.tags.as_ref(), own, of, problems)
    };
    let role_tags = tags("spec.role.tags", role.tags.as_ref(), &mut problems);
    distinct_but_for_case(&role_tags, limits, &mut problems);
    let valid = ValidSpec {
        account: account.clone(),
        names: names.clone(),
        subject: subject.clone(),
        cluster: limits.cluster.clone(),
        role_description: role
            .description
            .clone()
            .unwrap_or_else(|| default_description("Session Manager role", subject, limits)),
        max_session_duration: role.max_session_duration_seconds.unwrap_or(3600),
        permissions_boundary_arn: boundary(
            role.permissions_boundary_arn.as_ref(),
            names,
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
        policy_tags: tags("spec.policy.tags", policy.tags.as_ref(), &mut problems),
        instance_profile_tags: match principal {
            TrustedPrincipal::Ec2 { .. } => {
                let own = profile.tags.as_ref();
                tags("spec.instanceProfile.tags", own, &mut problems)
            }
            TrustedPrincipal::HybridActivation { .. } => Tags::new(),
        },
        session_encryption: spec.session_encryption.as_ref().map(|e| SessionEncryption {
            kms_key_arn: e.kms_key_arn.clone(),
            sessions_only: e.sessions_only.unwrap_or(false),
        }),
        s3_logs: s3_logs(spec, &mut problems),
        cloud_watch_logs: cloud_watch_logs(spec),
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

/// What an inline policy does not have.
fn only_of_a_managed_one(policy: &smr_api::Policy, problems: &mut Problems) {
    let is_inline = policy.type_.unwrap_or_default() == PolicyType::Inline;
    for (field, set) in [
        ("description", policy.description.is_some()),
        ("tags", policy.tags.is_some()),
    ] {
        if is_inline && set {
            problems.add(
                format!("spec.policy.{field}"),
                "can't be used with type Inline: an inline policy has none, remove it",
            );
        }
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

fn default_description(what: &str, subject: &ObjectRef, limits: &Limits) -> String {
    format!(
        "{what} of SessionManagerRole {} in cluster {}",
        subject.owner(),
        limits.cluster.name
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
            let role = names.activation_role();
            let length = role.len();
            if length > ACTIVATION_ROLE_MAX {
                // Neither can be changed; a default name is cut as far as the path leaves room.
                let field = match spec.role.as_ref().and_then(|role| role.name.as_ref()) {
                    Some(_) => "spec.role.name",
                    None => "spec.path",
                };
                problems.add(
                    field,
                    format!(
                        "a hybrid activation names the role by path and name, {role}, which has {length} characters; AWS takes {ACTIVATION_ROLE_MAX}. Delete this object and create it with a shorter {field}"
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

fn boundary(
    asked: Option<&String>,
    names: &Names,
    account: &Account,
    limits: &Limits,
    problems: &mut Problems,
) -> Option<String> {
    const FLAG: &str = "--permissions-boundary-arn";
    let own = names.policy_arn(account);
    let of_operator = limits.permissions_boundary_arn.as_ref();
    for (field, arn, way_out) in [
        (
            "spec.role.permissionsBoundaryArn",
            asked,
            "name another policy, or leave the field out",
        ),
        (
            FLAG,
            of_operator,
            "ask the operator of the controller for another boundary",
        ),
    ] {
        if arn.is_some_and(|arn| arn.eq_ignore_ascii_case(&own)) {
            problems.add(
                field,
                format!("{own} is this object's own policy, which can't bound the role: {way_out}"),
            );
        }
    }
    if let Some(problem) = of_operator.and_then(|arn| account.refuses_policy(arn)) {
        problems.add(
            FLAG,
            format!("{problem}. Ask the operator of the controller"),
        );
    }
    if let (Some(asked), Some(operators)) = (asked, &limits.permissions_boundary_arn)
        && asked != operators
    {
        problems.add(
            "spec.role.permissionsBoundaryArn",
            format!("{asked} is not the boundary that the operator has set for every role ({operators}): leave the field out"),
        );
    }
    limits
        .permissions_boundary_arn
        .clone()
        .or_else(|| asked.cloned())
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
        // IAM does not distinguish names by case.
        if arn.eq_ignore_ascii_case(&own) {
            problems.add(
                &field,
                format!("{own} is this object's own policy, which is attached anyway: remove it"),
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
