//! What the operator allows: the controller's flags, as the core needs them. Values only; no IO.

use smr_api::Tags;

use crate::account::{Account, Partition};
use crate::cluster::ClusterIdentity;

/// Stands for an object's namespace in the value of `--tag`.
pub const NAMESPACE: &str = "{namespace}";

/// The operator's limits and defaults. Validation takes them as an input, so that limits per
/// namespace can come later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--cluster-name`, `--cluster-uid`, `--take-over-cluster-uid`: who we are in the ownership tags.
    pub cluster: ClusterIdentity,
    /// `--name-prefix`: goes before derived names.
    pub name_prefix: String,
    /// `--default-path`: where spec gives no path.
    pub default_path: String,
    /// `--allow-path`: paths that spec may ask for, besides the default.
    pub allowed_paths: Vec<String>,
    /// `--permissions-boundary-arn`: on every role.
    pub permissions_boundary_arn: Option<String>,
    /// `--allow-additional-policy`: ARNs, `*` stands for any characters.
    pub allowed_additional_policies: Vec<String>,
    /// `--tag`: on everything, can't be overridden. `{namespace}` in a value stands for the object's.
    pub tags: Tags,
    /// `--allow-tag-key`: the keys that spec may set, `*` stands for any characters. Empty: any.
    pub allowed_tag_keys: Vec<String>,
    /// `--ec2-principal`: the EC2 service principal in trust policies, where the partition's own
    /// default is not the right one (sources conflict for aws-cn).
    pub ec2_principal: Option<String>,
}

impl Limits {
    /// The limits of a controller started with nothing but its cluster's name, in a cluster whose UID is
    /// `uid-of-` and that name.
    pub fn new(cluster_name: impl Into<String>) -> Self {
        let name = cluster_name.into();
        Self {
            cluster: ClusterIdentity {
                uid: Some(format!("uid-of-{name}")),
                ..ClusterIdentity::named(name)
            },
            name_prefix: String::new(),
            default_path: "/session-manager/".to_owned(),
            allowed_paths: Vec::new(),
            permissions_boundary_arn: None,
            allowed_additional_policies: Vec::new(),
            tags: Tags::new(),
            allowed_tag_keys: Vec::new(),
            ec2_principal: None,
        }
    }

    /// Whether spec may ask for `path`.
    pub fn allows_path(&self, path: &str) -> bool {
        path == self.default_path || self.allowed_paths.iter().any(|allowed| allowed == path)
    }

    /// The paths that spec may ask for.
    pub fn paths(&self) -> Vec<String> {
        let default = std::iter::once(&self.default_path);
        default.chain(&self.allowed_paths).cloned().collect()
    }

    /// Whether spec may attach the managed policy `arn`.
    pub fn allows_additional_policy(&self, arn: &str) -> bool {
        self.allowed_additional_policies
            .iter()
            .any(|pattern| wildcard_match(pattern, arn))
    }

    /// Whether spec may set a tag with this key. Case makes no difference, as IAM makes none on a role.
    pub fn allows_tag_key(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        let mut patterns = self.allowed_tag_keys.iter();
        self.allowed_tag_keys.is_empty()
            || patterns.any(|pattern| wildcard_match(&pattern.to_lowercase(), &key))
    }

    /// `--tag` on the objects of a namespace.
    pub fn tags_of(&self, namespace: &str) -> impl Iterator<Item = (&String, String)> {
        let tags = self.tags.iter();
        tags.map(move |(key, value)| (key, value.replace(NAMESPACE, namespace)))
    }

    /// The EC2 service principal for roles of `account`.
    pub fn ec2_principal(&self, account: &Account) -> &str {
        let default: fn(Partition) -> &'static str = Partition::ec2_principal;
        self.ec2_principal
            .as_deref()
            .unwrap_or_else(|| default(account.partition))
    }
}

/// `*` in `pattern` stands for any characters, none included.
fn wildcard_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::wildcard_match;

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            (
                "arn:aws:iam::aws:policy/*",
                "arn:aws:iam::aws:policy/ReadOnly",
                true,
            ),
            (
                "arn:aws:iam::aws:policy/*",
                "arn:aws:iam::1:policy/ReadOnly",
                false,
            ),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*ab", "ab", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("*", "", true),
        ] {
            assert_eq!(wildcard_match(pattern, text), expected, "{pattern} {text}");
        }
    }
}
