//! A reading of one account that does not go through IAM's own answers: the store enters, plain
//! comparable values leave. No IO.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::store::{Account, Policy, Profile, Role, Tags};

/// Everything that one account holds, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Roles.
    pub roles: BTreeMap<String, RoleSnapshot>,
    /// Customer managed policies.
    pub policies: BTreeMap<String, PolicySnapshot>,
    /// Instance profiles.
    pub instance_profiles: BTreeMap<String, ProfileSnapshot>,
}

/// A role; documents as decoded text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSnapshot {
    /// Path.
    pub path: String,
    /// Unique id.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Trust policy, as IAM would answer it now.
    pub trust: String,
    /// Description.
    pub description: Option<String>,
    /// Longest session in seconds.
    pub max_session: i64,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Inline policies: name to document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub attached: BTreeSet<String>,
    /// Names of the instance profiles that hold it.
    pub instance_profiles: BTreeSet<String>,
    /// When it was used last, in Unix seconds.
    pub last_used: Option<i64>,
}

/// A customer managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySnapshot {
    /// Path.
    pub path: String,
    /// Unique id.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Description.
    pub description: Option<String>,
    /// The id of the default version, such as `v2`.
    pub default_version: String,
    /// The document of the default version.
    pub document: String,
    /// All versions, oldest first.
    pub versions: Vec<VersionSnapshot>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// One version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSnapshot {
    /// Its id, such as `v1`.
    pub id: String,
    /// Its document.
    pub document: String,
}

/// An instance profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileSnapshot {
    /// Path.
    pub path: String,
    /// Unique id.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The name of its role.
    pub role: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl Snapshot {
    /// Reads an account.
    pub(crate) fn of(account: &Account) -> Self {
        let roles = account.roles.values();
        let policies = account.policies.values();
        let profiles = account.profiles.values();
        Self {
            roles: roles
                .map(|role| (role.name.clone(), role_of(account, role)))
                .collect(),
            policies: policies
                .map(|policy| (policy.name.clone(), policy_of(policy)))
                .collect(),
            instance_profiles: profiles
                .map(|profile| (profile.name.clone(), profile_of(account, profile)))
                .collect(),
        }
    }

    /// Whether the account holds nothing at all.
    pub fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.policies.is_empty() && self.instance_profiles.is_empty()
    }
}

fn sorted(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter().cloned().collect()
}

fn role_of(account: &Account, role: &Role) -> RoleSnapshot {
    let profiles = role
        .profiles
        .iter()
        .filter_map(|key| account.profiles.get(key));
    RoleSnapshot {
        path: role.path.clone(),
        id: role.id.clone(),
        arn: role.arn.clone(),
        trust: role.trust_now(account),
        description: role.description.clone(),
        max_session: role.max_session,
        boundary: role.boundary.clone(),
        tags: sorted(&role.tags),
        inline: role.inline.clone(),
        attached: role.attached.clone(),
        instance_profiles: profiles.map(|profile| profile.name.clone()).collect(),
        last_used: role.last_used,
    }
}

fn policy_of(policy: &Policy) -> PolicySnapshot {
    let default = policy.version(policy.default_version);
    PolicySnapshot {
        path: policy.path.clone(),
        id: policy.id.clone(),
        arn: policy.arn.clone(),
        description: policy.description.clone(),
        default_version: format!("v{}", policy.default_version),
        document: default
            .map(|version| version.document.clone())
            .unwrap_or_default(),
        versions: policy
            .versions
            .iter()
            .map(|version| VersionSnapshot {
                id: format!("v{}", version.number),
                document: version.document.clone(),
            })
            .collect(),
        tags: sorted(&policy.tags),
    }
}

fn profile_of(account: &Account, profile: &Profile) -> ProfileSnapshot {
    let role = profile.role.as_ref().and_then(|key| account.roles.get(key));
    ProfileSnapshot {
        path: profile.path.clone(),
        id: profile.id.clone(),
        arn: profile.arn.clone(),
        role: role.map(|role| role.name.clone()),
        tags: sorted(&profile.tags),
    }
}
