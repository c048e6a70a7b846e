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

/// A key reached through its full ARN: IAM does not resolve aliases in a policy's resources.
pub(crate) fn kms_key_arn(field: &str) -> Rule {
    Rule::new(
        "self.matches('^arn:aws(-[a-z]+)*:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-)?[0-9A-Za-z-]+$')",
    )
    .message(
        format!(
            "{field} must be the key's ARN, such as arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab: \
             an alias or a key id does not work in an IAM policy ('aws kms describe-key' prints the ARN)"
        )
        .as_str(),
    )
}

/// The characters that IAM takes in names of roles, policies and instance profiles.
pub(crate) fn iam_name(field: &str) -> Rule {
    Rule::new("self.matches('^[A-Za-z0-9_+=,.@-]+$')").message(
        format!("{field} may have letters, digits and _+=,.@- only: leave it out to get a name made for you")
            .as_str(),
    )
}

/// The strictest of IAM's path forms (that of policies), as one path serves all three objects.
pub(crate) fn iam_path() -> Rule {
    Rule::new("self.matches('^/([A-Za-z0-9.,+@=_-]+/)*$')").message(
        "spec.path must begin and end with / and have letters, digits and .,+@=_- between, such as /session-manager/",
    )
}

/// Text as IAM takes it in descriptions.
pub(crate) fn iam_description(field: &str) -> Rule {
    Rule::new("self.matches('^[\\\\t\\\\n\\\\r\\\\x20-\\\\x7E\\\\xA1-\\\\xFF]*$')").message(
        format!("{field} may have Latin letters and the usual signs only (IAM takes no others)")
            .as_str(),
    )
}

/// Tag keys and values of IAM; our own and AWS's prefixes are refused.
pub(crate) fn tags(field: &str) -> [Rule; 3] {
    [
        Rule::new("self.all(k, size(k) > 0 && size(k) <= 128 && k.matches('^[\\\\p{L}\\\\p{Z}\\\\p{N}_.:/=+@-]+$'))").message(
            format!("a key in {field} must have 1 to 128 letters, digits, spaces or _.:/=+-@").as_str(),
        ),
        Rule::new("self.all(k, !k.lowerAscii().startsWith('sessionmanager.dev/') && !k.lowerAscii().startsWith('aws:'))").message(
            format!("a key in {field} can't start with sessionmanager.dev/ or aws: as these belong to the controller and to AWS: choose another key").as_str(),
        ),
        Rule::new("self.all(k, self[k].matches('^[\\\\p{L}\\\\p{Z}\\\\p{N}_.:/=+@-]*$'))").message(
            format!("a value in {field} may have letters, digits, spaces and _.:/=+-@ only").as_str(),
        ),
    ]
}

/// An S3 bucket's name. Source: S3 user guide, "Bucket naming rules".
pub(crate) fn bucket_name() -> Rule {
    Rule::new(
        "self.matches('^[a-z0-9][a-z0-9.-]*[a-z0-9]$') && !self.contains('..') && !self.matches('^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+$')",
    )
    .message(
        "spec.sessionLogs.s3.bucket must be a bucket's name (3 to 63 lower-case letters, digits, dots and hyphens), not an ARN or URL",
    )
}

/// A key prefix that stands in a policy's resource: wildcards and variables would widen it.
pub(crate) fn key_prefix() -> Rule {
    Rule::new("!self.contains('*') && !self.contains('?') && !self.contains('${')").message(
        "spec.sessionLogs.s3.keyPrefix can't have *, ? or ${, which would widen the policy: write the plain prefix",
    )
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

/// A managed policy's ARN, AWS's own or a customer's.
pub(crate) fn policy_arn(field: &str) -> Rule {
    Rule::new("self.matches('^arn:aws(-[a-z]+)*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$')").message(
        format!("{field} must be a managed policy's ARN, such as arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy")
            .as_str(),
    )
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

/// A log group's name. Source: CloudWatch Logs API, `CreateLogGroup`.
pub(crate) fn log_group_name() -> Rule {
    Rule::new("self.matches('^[.\\\\-_/#A-Za-z0-9]+$')").message(
        "spec.sessionLogs.cloudWatch.logGroupName must be a log group's name (letters, digits and _-/.#), not an ARN",
    )
}
