//! What IAM holds for one object, as read. Values only; no IO. Documents are decoded JSON texts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use smr_api::Tags;

use crate::kind::Kind;

/// The three IAM objects, as far as they exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The role of the wanted name, whosever it is.
    pub role: Option<ObservedRole>,
    /// The managed policy of the wanted name, whosever it is.
    pub policy: Option<ObservedPolicy>,
    /// The instance profile of the wanted name, whosever it is.
    pub instance_profile: Option<ObservedInstanceProfile>,
}

impl Observed {
    /// All tags of one of the three; `None` where it does not exist.
    pub fn tags(&self, kind: Kind) -> Option<&Tags> {
        match kind {
            Kind::Role => self.role.as_ref().map(|role| &role.tags),
            Kind::Policy => self.policy.as_ref().map(|policy| &policy.tags),
            Kind::InstanceProfile => self.instance_profile.as_ref().map(|profile| &profile.tags),
        }
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObservedRole {
    /// Its ARN, which tells its path.
    pub arn: String,
    /// Its unique id (AROA…).
    pub id: String,
    /// Its name as IAM spells it.
    pub name: String,
    /// The trust policy, decoded.
    pub trust: String,
    /// Empty where it has none.
    pub description: String,
    /// In seconds.
    pub max_session_duration: i32,
    /// The permissions boundary's ARN.
    pub boundary: Option<String>,
    /// All tags.
    pub tags: Tags,
    /// When someone last used it, where IAM knows (tracked for 400 days).
    pub last_used: Option<Timestamp>,
    /// When it was created, where that was read.
    pub created: Option<Timestamp>,
    /// ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
    /// Inline policies by name; documents, decoded, of those that were read.
    pub inline: BTreeMap<String, Option<String>>,
}

/// A customer managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObservedPolicy {
    /// Its ARN, which tells its path.
    pub arn: String,
    /// Its unique id (ANPA…).
    pub id: String,
    /// Its name as IAM spells it.
    pub name: String,
    /// All tags.
    pub tags: Tags,
    /// When it was created, where that was read.
    pub created: Option<Timestamp>,
    /// Such as `v3`.
    pub default_version: String,
    /// The default version's document, decoded.
    pub document: String,
    /// Ids of all versions, the default one too.
    pub versions: BTreeSet<String>,
}

impl ObservedPolicy {
    /// The version to give up when room is needed: the lowest number that is not the default.
    pub fn oldest_spare_version(&self) -> Option<&String> {
        let number = |version: &&String| {
            version
                .trim_start_matches('v')
                .parse::<u32>()
                .unwrap_or(u32::MAX)
        };
        self.versions
            .iter()
            .filter(|v| **v != self.default_version)
            .min_by_key(number)
    }
}

/// An instance profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObservedInstanceProfile {
    /// Its ARN, which tells its path.
    pub arn: String,
    /// Its unique id (AIPA…).
    pub id: String,
    /// Its name as IAM spells it.
    pub name: String,
    /// All tags.
    pub tags: Tags,
    /// When it was created, where that was read.
    pub created: Option<Timestamp>,
    /// Names of the roles in it: IAM allows one.
    pub roles: BTreeSet<String>,
}
