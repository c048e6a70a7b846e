//! The names and the path of the three IAM objects. In: spec, what status recorded, the operator's
//! flags; out: names that hold for the object's whole life. No IO.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use smr_api::{Principal, SessionManagerRoleSpec, SessionManagerRoleStatus};

use crate::account::{Account, Arn};
use crate::limits::Limits;

/// IAM's limit for a role's name.
const ROLE_NAME_MAX: usize = 64;
/// SSM's limit for what [`Names::activation_role`] gives.
pub const ACTIVATION_ROLE_MAX: usize = 64;
/// Tells `-` and 8 hex digits of a cut name apart from the rest.
const HASH_DIGITS: usize = 8;

/// The Kubernetes object an IAM object belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// metadata.namespace
    pub namespace: String,
    /// metadata.name
    pub name: String,
    /// metadata.uid
    pub uid: String,
}

impl ObjectRef {
    /// `<namespace>/<name>`, as it stands in the owner tag.
    pub fn owner(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Where the three IAM objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The shared path, begins and ends with a slash.
    pub path: String,
    /// The role's name.
    pub role: String,
    /// The policy's name, managed or inline.
    pub policy: String,
    /// The instance profile's name; unused with a hybrid principal.
    pub instance_profile: String,
}

/// Path and names as IAM has them, of objects that are proven ours or may be adopted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The path of the first of them.
    pub path: Option<String>,
    /// Whether that one is to be adopted: then spec.path goes before its path.
    pub is_adopted: bool,
    /// The role's name as IAM spells it.
    pub role: Option<String>,
    /// The managed policy's.
    pub policy: Option<String>,
    /// The instance profile's.
    pub instance_profile: Option<String>,
}

impl Names {
    /// Names and path are fixed at the first creation: what status recorded wins over spec and
    /// flags; where status holds nothing, what is `live` in IAM.
    pub fn resolve(
        subject: &ObjectRef,
        spec: Option<&SessionManagerRoleSpec>,
        status: Option<&SessionManagerRoleStatus>,
        limits: &Limits,
        live: Option<&Live>,
    ) -> Self {
        let recorded = Recorded::of(status);
        let asked =
            |pick: fn(&SessionManagerRoleSpec) -> Option<&String>| spec.and_then(pick).cloned();
        let live = live.cloned().unwrap_or_default();
        let (proven, adopted) = if live.is_adopted {
            (None, live.path)
        } else {
            (live.path, None)
        };
        let path = (recorded.path.clone())
            .or(proven)
            .or_else(|| asked(|s| s.path.as_ref()))
            .or(adopted)
            .unwrap_or_else(|| limits.default_path.clone());
        let role = (recorded.role.or(live.role))
            .or_else(|| asked(|s| s.role.as_ref()?.name.as_ref()))
            .unwrap_or_else(|| {
                let is_hybrid = spec.and_then(|s| s.principal) == Some(Principal::HybridActivation);
                let room = if is_hybrid {
                    room_below(&path)
                } else {
                    ROLE_NAME_MAX
                };
                derived_role_name(&limits.name_prefix, subject, room)
            });
        let policy = (recorded.policy.or(live.policy))
            .or_else(|| asked(|s| s.policy.as_ref()?.name.as_ref()))
            .unwrap_or_else(|| role.clone());
        let instance_profile = (recorded.instance_profile.or(live.instance_profile))
            .or_else(|| asked(|s| s.instance_profile.as_ref()?.name.as_ref()))
            .unwrap_or_else(|| role.clone());
        Self {
            path,
            role,
            policy,
            instance_profile,
        }
    }

    /// What `aws ssm create-activation --iam-role` takes: the path without its first slash, and the
    /// name.
    pub fn activation_role(&self) -> String {
        activation_role(&self.path, &self.role)
    }

    /// The role's ARN in `account`.
    pub fn role_arn(&self, account: &Account) -> String {
        account.role_arn(&self.path, &self.role)
    }

    /// The managed policy's ARN in `account`.
    pub fn policy_arn(&self, account: &Account) -> String {
        account.policy_arn(&self.path, &self.policy)
    }

    /// The instance profile's ARN in `account`.
    pub fn instance_profile_arn(&self, account: &Account) -> String {
        account.instance_profile_arn(&self.path, &self.instance_profile)
    }
}

/// What status remembers of names and path.
#[derive(Default)]
struct Recorded {
    path: Option<String>,
    role: Option<String>,
    policy: Option<String>,
    instance_profile: Option<String>,
}

impl Recorded {
    fn of(status: Option<&SessionManagerRoleStatus>) -> Self {
        let Some(status) = status else {
            return Self::default();
        };
        let role = status.role.as_ref();
        let policy = status.policy.as_ref();
        let profile = status.instance_profile.as_ref();
        let arns = [
            role.map(|r| r.arn.as_str()),
            policy.and_then(|p| p.arn.as_deref()),
            profile.map(|p| p.arn.as_str()),
        ];
        Self {
            path: arns
                .into_iter()
                .flatten()
                .find_map(Arn::parse)
                .map(|arn| arn.path.to_owned()),
            role: role.map(|r| r.name.clone()),
            policy: policy.map(|p| p.name.clone()),
            instance_profile: profile.map(|p| p.name.clone()),
        }
    }
}

/// A role as SSM's activations name it.
pub(crate) fn activation_role(path: &str, name: &str) -> String {
    format!("{}{name}", path.strip_prefix('/').unwrap_or(path))
}

/// How long the name of a role below `path` can be for an activation to take it. Where the path leaves
/// no room for a name, validation says so.
fn room_below(path: &str) -> usize {
    const LEAST: usize = HASH_DIGITS + 2;
    ACTIVATION_ROLE_MAX
        .checked_sub(activation_role(path, "").len())
        .filter(|room| *room >= LEAST)
        .unwrap_or(ROLE_NAME_MAX)
}

/// `<prefix><namespace>.<name>`: no namespace has a dot, so it can't be ambiguous. What is longer
/// than `max` is cut and made unique again with a hash of the full name.
fn derived_role_name(prefix: &str, subject: &ObjectRef, max: usize) -> String {
    let full = format!("{prefix}{}.{}", subject.namespace, subject.name);
    if full.len() <= max {
        return full;
    }
    let digest = Sha256::digest(full.as_bytes());
    let hash = digest
        .iter()
        .take(HASH_DIGITS / 2)
        .fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
    // All of it is ASCII: namespaces and names by Kubernetes' rules, the prefix by the flag's check.
    let kept: String = full.chars().take(max - HASH_DIGITS - 1).collect();
    format!("{kept}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(namespace: &str, name: &str) -> ObjectRef {
        ObjectRef {
            namespace: namespace.into(),
            name: name.into(),
            uid: "u".into(),
        }
    }

    #[test]
    fn short_names_are_as_they_read() {
        assert_eq!(
            derived_role_name("", &subject("team-a", "web"), ROLE_NAME_MAX),
            "team-a.web"
        );
        assert_eq!(
            derived_role_name("eu.", &subject("team-a", "web"), ROLE_NAME_MAX),
            "eu.team-a.web"
        );
    }

    #[test]
    fn long_names_stay_apart_and_fit() {
        let long = "x".repeat(100);
        let one = derived_role_name("", &subject("ns", &format!("{long}1")), ROLE_NAME_MAX);
        let two = derived_role_name("", &subject("ns", &format!("{long}2")), ROLE_NAME_MAX);
        assert_ne!(one, two);
        assert_eq!(one.len(), ROLE_NAME_MAX);
        assert!(one.starts_with("ns.xxx"));
        // Exactly 64 characters is not cut.
        assert_eq!(
            derived_role_name("", &subject("ns", &"y".repeat(61)), ROLE_NAME_MAX).len(),
            64
        );
        assert!(
            !derived_role_name("", &subject("ns", &"y".repeat(61)), ROLE_NAME_MAX).contains('-')
        );
    }

    fn resolved(name: &str, spec: &str, path: &str) -> Names {
        let spec = serde_saphyr::from_str(spec).unwrap();
        let limits = Limits {
            default_path: path.into(),
            ..Limits::new("c")
        };
        Names::resolve(&subject("ns", name), Some(&spec), None, &limits, None)
    }

    #[test]
    fn a_hybrid_default_name_fits_an_activation() {
        const HYBRID: &str = "{principal: HybridActivation}";
        let long = "x".repeat(100);
        for path in [
            "/",
            "/session-manager/",
            "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/yyy/",
        ] {
            let names = resolved(&long, HYBRID, path);
            assert_eq!(names.activation_role().len(), ACTIVATION_ROLE_MAX, "{path}");
            assert_eq!(names.policy, names.role);
            let other = resolved(&format!("{long}1"), HYBRID, path);
            assert_ne!(other.role, names.role);
        }
        // What fits keeps its name, as EC2's does.
        let just = "y".repeat(64 - "session-manager/".len() - "ns.".len());
        let names = resolved(&just, HYBRID, "/session-manager/");
        assert_eq!(
            names.activation_role(),
            format!("session-manager/ns.{just}")
        );
        assert_eq!(
            resolved(&format!("{just}y"), "{}", "/session-manager/").role,
            format!("ns.{just}y")
        );
        assert_eq!(resolved("web", HYBRID, "/").activation_role(), "ns.web");
    }

    #[test]
    fn a_path_that_leaves_no_room_cuts_nothing_away() {
        let path = format!("/{}/", "p".repeat(60));
        assert_eq!(
            resolved("web", "{principal: HybridActivation}", &path).role,
            "ns.web"
        );
    }
}
