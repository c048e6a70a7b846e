//! What IAM holds: accounts with roles, managed policies and instance profiles. Pure state, no IO.
//!
//! Maps share what did not change, so keeping a store of the past costs next to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::managed;

/// A map that is cheap to copy.
pub type Map<K, V> = rpds::RedBlackTreeMapSync<K, V>;
type Set<T> = rpds::RedBlackTreeSetSync<T>;

/// Tags in the order in which they were set.
pub type Tags = Vec<(String, String)>;

/// Everything, by account id.
pub type Store = Map<String, Account>;

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name, in the case it was created with.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id (AROA…).
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was created, in Unix seconds.
    pub created: i64,
    /// The trust policy as it was sent.
    pub trust: String,
    /// The roles that the trust policy names: their ARN and the unique id they had then.
    pub trusted_roles: BTreeMap<String, String>,
    /// The description, if any.
    pub description: Option<String>,
    /// The longest session, in seconds.
    pub max_session: i64,
    /// The ARN of the permissions boundary, if any.
    pub boundary: Option<String>,
    /// Tags; keys are distinct whatever their case.
    pub tags: Tags,
    /// Inline policies: name to document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
    /// Keys of the instance profiles that hold this role.
    pub profiles: BTreeSet<String>,
    /// When it was last used, in Unix seconds, if ever.
    pub last_used: Option<i64>,
}

/// One version of a managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Its number: 1 for `v1`.
    pub number: u32,
    /// The document as it was sent.
    pub document: String,
    /// When it was created, in Unix seconds.
    pub created: i64,
}

/// A managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name, in the case it was created with.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id (ANPA…).
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was created, in Unix seconds.
    pub created: i64,
    /// When its default version last changed, in Unix seconds.
    pub updated: i64,
    /// The description, if any.
    pub description: Option<String>,
    /// The number of the default version.
    pub default_version: u32,
    /// The number that the next version gets: numbers are never used again.
    pub next_version: u32,
    /// The versions, oldest first.
    pub versions: Vec<Version>,
    /// Tags.
    pub tags: Tags,
}

/// An instance profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, in the case it was created with.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id (AIPA…).
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was created, in Unix seconds.
    pub created: i64,
    /// The key of its role, if it has one.
    pub role: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// What one account holds. Keys are names in lower case: IAM does not tell names apart by case.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Roles.
    pub roles: Map<String, Arc<Role>>,
    /// Customer managed policies.
    pub policies: Map<String, Arc<Policy>>,
    /// Instance profiles.
    pub profiles: Map<String, Arc<Profile>>,
    /// (policy ARN, role key) of each attachment.
    attachments: Set<(String, String)>,
    /// (policy ARN, role key) of each use as a permissions boundary.
    boundaries: Set<(String, String)>,
}

/// The key of a name.
pub fn key(name: &str) -> String {
    name.to_lowercase()
}

impl Account {
    /// The role of that name, in any case.
    pub fn role(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.get(&key(name))
    }

    /// The profile of that name, in any case.
    pub fn profile(&self, name: &str) -> Option<&Arc<Profile>> {
        self.profiles.get(&key(name))
    }

    /// The customer managed policy of exactly that ARN.
    pub fn customer_policy(&self, arn: &str) -> Option<&Arc<Policy>> {
        let name = arn.rsplit('/').next()?;
        self.policies
            .get(&key(name))
            .filter(|policy| policy.arn == arn)
    }

    /// The policy of exactly that ARN, AWS's own included.
    pub fn policy(&self, arn: &str) -> Option<Arc<Policy>> {
        self.customer_policy(arn)
            .cloned()
            .or_else(|| managed::find(arn))
    }

    /// The role of exactly that ARN.
    pub fn role_by_arn(&self, arn: &str) -> Option<&Arc<Role>> {
        let name = arn.rsplit('/').next()?;
        self.role(name).filter(|role| role.arn == arn)
    }

    /// Puts a role, new or changed, and keeps the two indexes of policy uses.
    pub fn put_role(&mut self, role: Role) {
        let key = key(&role.name);
        let before = self.roles.get(&key).cloned();
        let (old_attached, old_boundary) = before
            .as_ref()
            .map(|old| (old.attached.clone(), old.boundary.clone()))
            .unwrap_or_default();
        for arn in old_attached.difference(&role.attached) {
            self.attachments.remove_mut(&(arn.clone(), key.clone()));
        }
        for arn in role.attached.difference(&old_attached) {
            self.attachments.insert_mut((arn.clone(), key.clone()));
        }
        if old_boundary != role.boundary {
            if let Some(arn) = old_boundary {
                self.boundaries.remove_mut(&(arn, key.clone()));
            }
            if let Some(arn) = &role.boundary {
                self.boundaries.insert_mut((arn.clone(), key.clone()));
            }
        }
        self.roles.insert_mut(key, Arc::new(role));
    }

    /// Removes a role.
    pub fn remove_role(&mut self, name: &str) {
        let key = key(name);
        if let Some(role) = self.roles.get(&key) {
            for arn in &role.attached {
                self.attachments.remove_mut(&(arn.clone(), key.clone()));
            }
            if let Some(arn) = &role.boundary {
                self.boundaries.remove_mut(&(arn.clone(), key.clone()));
            }
        }
        self.roles.remove_mut(&key);
    }

    /// Puts a policy, new or changed.
    pub fn put_policy(&mut self, policy: Policy) {
        self.policies
            .insert_mut(key(&policy.name), Arc::new(policy));
    }

    /// Puts a profile, new or changed.
    pub fn put_profile(&mut self, profile: Profile) {
        self.profiles
            .insert_mut(key(&profile.name), Arc::new(profile));
    }

    /// The roles that a policy is attached to.
    pub fn attached_roles<'a>(&'a self, arn: &'a str) -> impl Iterator<Item = &'a Arc<Role>> {
        self.users(&self.attachments, arn)
    }

    /// The roles that a policy is the boundary of.
    pub fn bounded_roles<'a>(&'a self, arn: &'a str) -> impl Iterator<Item = &'a Arc<Role>> {
        self.users(&self.boundaries, arn)
    }

    /// The AWS managed policies that are attached to anything.
    pub fn aws_policies_in_use(&self) -> impl Iterator<Item = Arc<Policy>> {
        let arns: BTreeSet<&String> = self.attachments.iter().map(|(arn, _)| arn).collect();
        arns.into_iter().filter_map(|arn| managed::find(arn))
    }

    fn users<'a>(
        &'a self,
        uses: &'a Set<(String, String)>,
        arn: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Role>> {
        uses.range((
            Bound::Included((arn.to_owned(), String::new())),
            Bound::Unbounded,
        ))
        .take_while(move |(used, _)| used == arn)
        .filter_map(|(_, role)| self.roles.get(role))
    }
}

impl Policy {
    /// The version of that number.
    pub fn version(&self, number: u32) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.number == number)
    }
}

impl Role {
    /// The trust policy as IAM answers it: a trusted role that is gone, or was created anew, is
    /// named by the unique id that it had.
    pub fn trust_now(&self, account: &Account) -> String {
        let mut trust = self.trust.clone();
        for (arn, id) in &self.trusted_roles {
            if account.role_by_arn(arn).is_none_or(|role| &role.id != id) {
                trust = trust.replace(&format!("\"{arn}\""), &format!("\"{id}\""));
            }
        }
        trust
    }
}
