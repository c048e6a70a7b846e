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
/// The longest `--name-prefix`.
pub const PREFIX_MAX: usize = 32;
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
        let recorded = Recorded::of(status).of_this(subject, spec);
        let asked =
            |pick: fn(&SessionManagerRoleSpec) -> Option<&String>| spec.and_then(pick).cloned();
        let is_asked = live.is_some();
        let live = live.cloned().unwrap_or_default();
        let (proven, adopted) = if live.is_adopted {
            (None, live.path)
        } else {
            (live.path, None)
        };
        // Where IAM has been asked, what it has proves the path; status may have been written by anybody.
        let recorded_path = (recorded.path).filter(|path| !is_asked || limits.allows_path(path));
        let path = (proven.or(recorded_path))
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

impl Recorded {
    /// Less the names that the object can't have got: names never change, and status can be written by others
    /// than this controller. (The case may be that of an adopted object, the prefix one of before.)
    fn of_this(self, subject: &ObjectRef, spec: Option<&SessionManagerRoleSpec>) -> Self {
        let Some(spec) = spec else {
            return self;
        };
        let role = spec.role.as_ref().and_then(|r| r.name.as_deref());
        let policy = spec.policy.as_ref().and_then(|p| p.name.as_deref());
        let profile = spec
            .instance_profile
            .as_ref()
            .and_then(|p| p.name.as_deref());
        let may_be = |name: &String, asked: Option<&str>| match asked {
            Some(asked) => name.eq_ignore_ascii_case(asked),
            None => is_default_name(name, subject),
        };
        Self {
            path: self.path,
            role: self.role.filter(|name| may_be(name, role)),
            policy: self.policy.filter(|name| may_be(name, policy.or(role))),
            instance_profile: (self.instance_profile).filter(|name| may_be(name, profile.or(role))),
        }
    }
}

/// Whether a name is the default of this object, under whatever prefix a flag can have had.
fn is_default_name(name: &str, subject: &ObjectRef) -> bool {
    // Status may hold any text: no flag gives another character, and below a character is a byte.
    let is_taken = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if name.len() > ROLE_NAME_MAX || !name.bytes().all(is_taken) {
        return false;
    }
    let (name, own) = (
        name.to_ascii_lowercase(),
        derived_full("", subject).to_ascii_lowercase(),
    );
    if let Some(prefix) = name.strip_suffix(&own) {
        return prefix.len() <= PREFIX_MAX;
    }
    // One that was cut: its hash is of the whole, prefix included.
    let Some((kept, hash)) = name.rsplit_once('-') else {
        return false;
    };
    let mut prefixes = (0..=kept.len().min(PREFIX_MAX)).map(|length| &kept[..length]);
    prefixes.any(|prefix| {
        let full = format!("{prefix}{own}");
        full.starts_with(kept) && hash_of(&full) == hash
    })
}

/// Why an object may not ask for a name: an object of another namespace gets it by default. Nobody can take it
/// beforehand, whether that namespace exists or not.
pub(crate) fn other_namespace(name: &str, subject: &ObjectRef, limits: &Limits) -> Option<String> {
    let folded = name.to_ascii_lowercase();
    let rest = folded.strip_prefix(&limits.name_prefix.to_ascii_lowercase())?;
    if let Some((first, others)) = rest.split_once('.') {
        let is_other = is_dns_label(first) && !others.is_empty() && first != subject.namespace;
        return is_other.then(|| format!(
            "{name} reads as the default name of an object of the namespace {first}: choose a name that begins with {}{}. or has no dot",
            limits.name_prefix, subject.namespace
        ));
    }
    // The default of a namespace whose name is so long that the dot was cut off.
    let is_cut = rest
        .rsplit_once('-')
        .is_some_and(|(kept, hash)| !kept.is_empty() && is_hash(hash));
    let rooms = limits.paths().into_iter().map(|path| room_below(&path));
    let is_as_long = rooms.chain([ROLE_NAME_MAX]).any(|room| room == name.len());
    (is_cut && is_as_long && !is_default_name(name, subject)).then(|| format!(
        "{name} reads as the shortened default name of an object of another namespace: choose a name that does not end with - and {HASH_DIGITS} hex digits"
    ))
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// As names of namespaces are (RFC 1123).
fn is_dns_label(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len())
        && text.chars().all(fits)
        && !text.starts_with('-')
        && !text.ends_with('-')
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
    let full = derived_full(prefix, subject);
    if full.len() <= max {
        return full;
    }
    // All of it is ASCII: namespaces and names by Kubernetes' rules, the prefix by the flag's check.
    let kept: String = full.chars().take(max - HASH_DIGITS - 1).collect();
    format!("{kept}-{}", hash_of(&full))
}

fn derived_full(prefix: &str, subject: &ObjectRef) -> String {
    format!("{prefix}{}.{}", subject.namespace, subject.name)
}

fn hash_of(full: &str) -> String {
    let digest = Sha256::digest(full.as_bytes());
    let bytes = digest.iter().take(HASH_DIGITS / 2);
    bytes.fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

#[cfg(test)]
mod tests;
