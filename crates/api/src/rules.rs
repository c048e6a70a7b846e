//! The CEL rules of the CRD that span fields: what the API server checks beyond types and bounds.
//! Constants and small builders; no IO.
//!
//! Immutability sits on `spec` and compares presence as well as value: a rule on the field alone
//! is not evaluated when the field appears or goes, so set, unset, set would get around it.

use kube::core::Rule;

/// `spec.<path>` can't change once the object exists, not even by leaving it out for a while.
pub(crate) fn immutable(path: &str, way_out: &str) -> Rule {
    let (now, before) = (presence("self", path), presence("oldSelf", path));
    Rule::new(format!(
        "({now}) == ({before}) && (!({now}) || self.{path} == oldSelf.{path})"
    ))
    .message(format!("spec.{path} can't be changed: {way_out}").as_str())
    .field_path(format!(".{path}"))
}

/// `has()` of every step on the way to `path`: CEL's `has` fails on a missing parent.
fn presence(root: &str, path: &str) -> String {
    let mut here = root.to_owned();
    let mut terms = Vec::new();
    for step in path.split('.') {
        here = format!("{here}.{step}");
        terms.push(format!("has({here})"));
    }
    terms.join(" && ")
}

/// The principal decides trust and profile; compared with its default applied.
pub(crate) fn principal_immutable() -> Rule {
    Rule::new(
        "(has(self.principal) ? self.principal : 'EC2') == \
         (has(oldSelf.principal) ? oldSelf.principal : 'EC2')",
    )
    .message("spec.principal can't be changed: delete this object and create one with the other principal")
    .field_path(".principal")
}

/// IAM can't change a managed policy's description. Fixed while the policy stays managed.
pub(crate) fn policy_description_immutable() -> Rule {
    let inline = |of: &str| {
        format!("has({of}.policy) && has({of}.policy.type) && {of}.policy.type == 'Inline'")
    };
    let (now, before) = (
        presence("self", "policy.description"),
        presence("oldSelf", "policy.description"),
    );
    Rule::new(format!(
        "({}) || ({}) || (({now}) == ({before}) && (!({now}) || self.policy.description == oldSelf.policy.description))",
        inline("self"),
        inline("oldSelf"),
    ))
    .message("spec.policy.description can't be changed: IAM keeps the description a policy was created with")
    .field_path(".policy.description")
}

/// On-premises servers have no instance profile.
pub(crate) fn no_profile_with_hybrid() -> Rule {
    Rule::new("!(has(self.principal) && self.principal == 'HybridActivation' && has(self.instanceProfile))")
        .message("spec.instanceProfile can't be used with principal HybridActivation: on-premises servers have no instance profile, remove it")
        .field_path(".instanceProfile")
}

/// Regions narrow the hybrid trust policy only.
pub(crate) fn hybrid_needs_principal() -> Rule {
    Rule::new("!has(self.hybrid) || (has(self.principal) && self.principal == 'HybridActivation')")
        .message("spec.hybrid needs principal HybridActivation: set spec.principal, or remove spec.hybrid")
        .field_path(".hybrid")
}

/// KMS encryption of the bucket names its key, and only then.
pub(crate) fn s3_encryption_key() -> [Rule; 2] {
    [
        Rule::new("!(has(self.encryption) && self.encryption == 'KMS') || has(self.kmsKeyArn)")
            .message("spec.sessionLogs.s3.kmsKeyArn is needed with encryption KMS: write the ARN of the bucket's key")
            .field_path(".kmsKeyArn"),
        Rule::new("!has(self.kmsKeyArn) || (has(self.encryption) && self.encryption == 'KMS')")
            .message("spec.sessionLogs.s3.kmsKeyArn needs encryption KMS: set spec.sessionLogs.s3.encryption to KMS, or remove the key")
            .field_path(".kmsKeyArn"),
    ]
}

/// What an inline policy can't have.
pub(crate) fn inline_refuses() -> [Rule; 2] {
    let rule = |field: &str| {
        Rule::new(format!("!(has(self.type) && self.type == 'Inline' && has(self.{field}))"))
            .message(
                format!("spec.policy.{field} can't be used with type Inline: an inline policy has none, remove it").as_str(),
            )
            .field_path(format!(".{field}"))
    };
    [rule("description"), rule("tags")]
}
