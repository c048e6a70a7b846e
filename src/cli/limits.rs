//! The operator's limits as flags, shared by all commands that need them: flags in, checked
//! [`Limits`] out. No IO.

use clap::Args;
use smr_core::Tags;
use smr_core::account::Arn;
use smr_core::limits::Limits;
use smr_core::ownership;

use super::{CliError, flag};

/// Stands in tags and descriptions where nobody said which cluster it is. No cluster can have this
/// name, and IAM refuses it in a tag.
pub(super) const UNKNOWN_CLUSTER: &str = "<cluster-name>";

/// What the operator allows and sets. `smr plan` and `smr render` take the same flags and
/// environment variables as `smr run`, so that they say what that controller does.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The operator's limits (as for smr run)")]
pub(super) struct LimitsArgs {
    /// Goes before names of IAM objects that spec does not give
    #[arg(long, env = "SMR_NAME_PREFIX", default_value = "")]
    name_prefix: String,
    /// IAM path where spec gives none
    #[arg(long, env = "SMR_DEFAULT_PATH", default_value = "/session-manager/")]
    default_path: String,
    /// A further IAM path that spec may ask for (repeatable)
    #[arg(long, env = "SMR_ALLOW_PATH", value_delimiter = ',')]
    allow_path: Vec<String>,
    /// Permissions boundary of every role
    #[arg(long, env = "SMR_PERMISSIONS_BOUNDARY_ARN")]
    permissions_boundary_arn: Option<String>,
    /// A managed policy that spec.additionalPolicyArns may list, * stands for any characters
    /// (repeatable; default: none)
    #[arg(
        long,
        env = "SMR_ALLOW_ADDITIONAL_POLICY",
        value_delimiter = ',',
        value_name = "ARN"
    )]
    allow_additional_policy: Vec<String>,
    /// A tag on everything in IAM, which spec can't override (repeatable)
    #[arg(
        long = "tag",
        env = "SMR_TAG",
        value_delimiter = ',',
        value_name = "KEY=VALUE"
    )]
    tags: Vec<String>,
    /// EC2's service principal in trust policies; default: that of the account's partition
    #[arg(long, env = "SMR_EC2_PRINCIPAL")]
    ec2_principal: Option<String>,
}

impl LimitsArgs {
    /// The limits of the controller of `cluster_name`; where nobody said which that is, of any.
    pub(super) fn limits(self, cluster_name: Option<String>) -> Result<Limits, CliError> {
        let Self {
            name_prefix,
            default_path,
            allow_path,
            permissions_boundary_arn,
            allow_additional_policy,
            tags,
            ec2_principal,
        } = self;
        Ok(Limits {
            cluster_name: cluster_name.map_or_else(|| Ok(UNKNOWN_CLUSTER.to_owned()), cluster)?,
            name_prefix: prefix(name_prefix)?,
            default_path: path("--default-path", default_path)?,
            allowed_paths: allow_path
                .into_iter()
                .map(|p| path("--allow-path", p))
                .collect::<Result<_, _>>()?,
            permissions_boundary_arn: permissions_boundary_arn
                .map(|arn| policy_arn("--permissions-boundary-arn", arn))
                .transpose()?,
            allowed_additional_policies: allow_additional_policy,
            tags: all_tags(&tags)?,
            ec2_principal,
        })
    }
}

/// It stands in a tag's value and in consent tags before a slash.
pub(super) fn cluster(name: String) -> Result<String, CliError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
        return Err(flag(
            "--cluster-name",
            format!("'{name}' must be 1 to 63 letters, digits and ._-"),
        ));
    }
    Ok(name)
}

fn is_iam_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn prefix(prefix: String) -> Result<String, CliError> {
    if prefix.len() > 32 || !prefix.chars().all(is_iam_name) {
        return Err(flag(
            "--name-prefix",
            format!("'{prefix}' must be at most 32 letters, digits and _+=,.@-"),
        ));
    }
    Ok(prefix)
}

/// The strictest of IAM's path forms, that of policies.
pub(super) fn path(name: &'static str, path: String) -> Result<String, CliError> {
    let fits = path == "/"
        || path
            .strip_prefix('/')
            .and_then(|p| p.strip_suffix('/'))
            .is_some_and(|inner| {
                let is_part = |part: &str| !part.is_empty() && part.chars().all(is_iam_name);
                inner.split('/').all(is_part)
            });
    if !fits || path.len() > 512 {
        return Err(flag(
            name,
            format!(
                "'{path}' must begin and end with / and have letters, digits and .,+@=_- between, such as /session-manager/"
            ),
        ));
    }
    Ok(path)
}

/// The ARN of a managed policy.
pub(super) fn policy_arn(name: &'static str, arn: String) -> Result<String, CliError> {
    match Arn::parse(&arn) {
        Some(parsed) if parsed.kind == "policy" => Ok(arn),
        Some(_) | None => Err(flag(
            name,
            format!("'{arn}' is not the ARN of a managed policy"),
        )),
    }
}

/// IAM tells keys on a role apart without case.
fn all_tags(pairs: &[String]) -> Result<Tags, CliError> {
    let mut tags = Tags::new();
    for pair in pairs {
        let (key, value) = tag(pair)?;
        if let Some(other) = tags.keys().find(|k| k.to_lowercase() == key.to_lowercase()) {
            return Err(flag(
                "--tag",
                format!(
                    "the keys {other} and {key} are one to IAM, which does not distinguish case on a role: keep one of them"
                ),
            ));
        }
        tags.insert(key, value);
    }
    Ok(tags)
}

fn tag(pair: &str) -> Result<(String, String), CliError> {
    let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err(flag(
            "--tag",
            format!("'{pair}' must have the form KEY=VALUE"),
        ));
    };
    let lower = key.to_ascii_lowercase();
    if lower.starts_with(ownership::PREFIX) || lower.starts_with("aws:") {
        return Err(flag(
            "--tag",
            format!(
                "the key '{key}' can't start with {} or aws:",
                ownership::PREFIX
            ),
        ));
    }
    if key.len() > 128 || value.len() > 256 {
        return Err(flag(
            "--tag",
            format!("'{pair}': a key has at most 128, a value at most 256 characters"),
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_checked_with_words() {
        assert!(path("--default-path", "/a/b/".into()).is_ok());
        assert!(path("--default-path", "/".into()).is_ok());
        for bad in ["", "a/", "/a", "//", "/a b/"] {
            assert!(
                path("--default-path", bad.into())
                    .unwrap_err()
                    .to_string()
                    .starts_with("--default-path: "),
                "{bad}"
            );
        }
        assert!(cluster("x".repeat(64)).is_err());
        assert!(tag("a=b=c").is_ok());
        assert!(tag("aws:a=b").is_err());
        assert!(tag("ab").is_err());
        let all =
            |pairs: &[&str]| all_tags(&pairs.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
        assert_eq!(all(&["a=1", "b=2"]).unwrap().len(), 2);
        let clash = all(&["team=1", "Team=2"]).unwrap_err().to_string();
        assert!(
            clash.contains("the keys team and Team are one to IAM"),
            "{clash}"
        );
    }
}
