//! The operator's limits as flags, shared by all commands that need them: flags in, checked
//! [`Limits`] out. No IO.

use clap::Args;
use smr_api::forms::{self, Form};
use smr_core::Tags;
use smr_core::limits::{Limits, NAMESPACE};
use smr_core::names::PREFIX_MAX;
use smr_core::ownership::ClusterIdentity;
use smr_core::resolve::validate::wrong;

use super::{CliError, flag};

/// Stands in tags and descriptions where nobody said which cluster it is. No cluster can have this
/// name, and IAM refuses it in a tag.
pub(super) const UNKNOWN_CLUSTER: &str = "<cluster-name>";

/// What the operator allows and sets. `smr plan` and `smr render` take the same flags and
/// environment variables as `smr run`, so that they say what that controller does.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The operator's limits")]
pub(super) struct LimitsArgs {
    /// Goes before names of IAM objects that spec does not give, at most 32 characters
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
    /// UID of the cluster, which tells two clusters of one name apart; default: that of the namespace
    /// kube-system
    #[arg(long, env = "SMR_CLUSTER_UID", value_name = "UID")]
    cluster_uid: Option<String>,
    /// UID of a cluster that this one replaces: what belongs to that one is taken over
    #[arg(long, env = "SMR_TAKE_OVER_CLUSTER_UID", value_name = "UID")]
    take_over_cluster_uid: Option<String>,
    /// A tag key that spec may set, * stands for any characters (repeatable; default: any)
    #[arg(
        long,
        env = "SMR_ALLOW_TAG_KEY",
        value_delimiter = ',',
        value_name = "KEY"
    )]
    allow_tag_key: Vec<String>,
    /// A tag on everything in IAM, which spec can't override (repeatable). {namespace} in the value stands for
    /// the object's namespace
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
            cluster_uid,
            take_over_cluster_uid,
            allow_tag_key,
            tags,
            ec2_principal,
        } = self;
        let uid = |name, given: Option<String>| given.map(|uid| checked_uid(name, uid)).transpose();
        Ok(Limits {
            cluster: ClusterIdentity {
                name: cluster_name.map_or_else(|| Ok(UNKNOWN_CLUSTER.to_owned()), cluster)?,
                uid: uid("--cluster-uid", cluster_uid)?,
                takes_over: uid("--take-over-cluster-uid", take_over_cluster_uid)?,
            },
            name_prefix: prefix(name_prefix)?,
            default_path: text("--default-path", &forms::PATH, default_path)?,
            allowed_paths: texts("--allow-path", &forms::PATH, allow_path)?,
            permissions_boundary_arn: permissions_boundary_arn
                .map(|arn| text("--permissions-boundary-arn", &forms::POLICY_ARN, arn))
                .transpose()?,
            allowed_additional_policies: texts(
                "--allow-additional-policy",
                &forms::POLICY_ARN_PATTERN,
                allow_additional_policy,
            )?,
            tags: all_tags(&tags)?,
            allowed_tag_keys: texts("--allow-tag-key", &forms::TAG_KEY_PATTERN, allow_tag_key)?,
            ec2_principal: ec2_principal
                .map(|service| text("--ec2-principal", &forms::SERVICE_PRINCIPAL, service))
                .transpose()?,
        })
    }
}

/// It stands in a tag's value and in consent tags before a slash.
pub(super) fn cluster(name: String) -> Result<String, CliError> {
    if !names_a_cluster(&name) {
        return Err(flag(
            "--cluster-name",
            format!("'{name}' must be 1 to 63 letters, digits and ._-"),
        ));
    }
    Ok(name)
}

/// The UID that tells clusters of one name apart, as it stands in a tag's value.
pub(super) fn checked_uid(name: &'static str, uid: String) -> Result<String, CliError> {
    if !names_a_cluster(&uid) {
        return Err(flag(
            name,
            format!(
                "'{}' must be 1 to 63 letters, digits and ._-, such as what 'kubectl get namespace kube-system -o jsonpath={{.metadata.uid}}' prints",
                uid.escape_debug()
            ),
        ));
    }
    Ok(uid)
}

/// What a tag's value and a consent take as a cluster's name or UID.
fn names_a_cluster(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=63).contains(&text.len()) && text.chars().all(fits)
}

fn is_iam_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn prefix(prefix: String) -> Result<String, CliError> {
    if prefix.len() > PREFIX_MAX || !prefix.chars().all(is_iam_name) {
        return Err(flag(
            "--name-prefix",
            format!("'{prefix}' must be at most 32 letters, digits and _+=,.@-"),
        ));
    }
    Ok(prefix)
}

/// A flag's text, checked as one of spec is.
pub(super) fn text(name: &'static str, form: &Form, text: String) -> Result<String, CliError> {
    match wrong(form, &text) {
        None => Ok(text),
        Some(problem) => Err(flag(name, format!("'{}' {problem}", text.escape_debug()))),
    }
}

/// The same for a flag that is repeatable.
pub(super) fn texts(
    name: &'static str,
    form: &Form,
    all: Vec<String>,
) -> Result<Vec<String>, CliError> {
    all.into_iter().map(|one| text(name, form, one)).collect()
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
            format!("'{}' must have the form KEY=VALUE", pair.escape_debug()),
        ));
    };
    // The longest namespace has 63 characters.
    let longest = value.replace(NAMESPACE, &"n".repeat(63));
    for (what, form, text) in [
        ("key", &forms::TAG_KEY, key),
        ("value", &forms::TAG_VALUE, longest.as_str()),
    ] {
        if let Some(problem) = wrong(form, text) {
            let text = text.escape_debug();
            return Err(flag("--tag", format!("the {what} '{text}' {problem}")));
        }
    }
    if forms::is_reserved_tag_key(key) {
        let reserved = forms::RESERVED_TAG_PREFIXES;
        let problem = format!("the key '{key}' can't start with {}", reserved.join(" or "));
        return Err(flag("--tag", problem));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_checked_with_words() {
        let path = |path: &str| text("--default-path", &forms::PATH, path.into());
        assert!(path("/a/b/").is_ok());
        assert!(path("/").is_ok());
        for bad in ["", "a/", "/a", "//", "/a b/"] {
            let error = path(bad).unwrap_err().to_string();
            assert!(error.starts_with("--default-path: "), "{bad}: {error}");
        }
        assert!(cluster("x".repeat(64)).is_err());
        assert!(tag("a=b=c").is_ok());
        assert!(tag("aws:a=b").is_err());
        assert!(tag("ab").is_err());
        assert!(tag(&format!("{}=b", "ж".repeat(128))).is_ok());
        for bad in ["team=a;b", "a\nb=c", "a=AWS:b", "SessionManager.dev/x=b"] {
            let error = tag(bad).unwrap_err().to_string();
            assert!(error.starts_with("--tag: the "), "{bad}: {error}");
        }
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
