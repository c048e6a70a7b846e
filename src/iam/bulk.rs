//! Reads the whole account in few calls: what is of interest in, roles, own policies and instance
//! profiles out. Does network IO; never writes. Page by page, and what is of no interest is dropped
//! with its page. What the bulk calls leave out (tags of policies and profiles) is read for those
//! objects that are asked for.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, InstanceProfile, ManagedPolicyDetail, Role, RoleDetail};
use jiff::Timestamp;
use smr_core::Tags;
use smr_core::failure::Failure;
use smr_core::names::Names;
use smr_core::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use smr_core::ownership::CLUSTER;
use tokio::try_join;

use super::client::{Access, Iam};
use super::listings::PAGE;
use super::observe::{decoded, tags};
use super::pages::{self, Page};

/// What of the account is kept.
#[derive(Clone, Debug)]
pub enum Interest {
    /// All of it.
    Everything,
    /// What has one of our names or lies under one of our paths, and roles with our cluster's tag.
    Ours {
        /// Names of roles, policies and instance profiles, in lower case.
        names: BTreeSet<String>,
        /// Paths of our objects.
        paths: BTreeSet<String>,
        /// `--cluster-name`
        cluster: String,
    },
}

impl Interest {
    pub(super) fn has_name(&self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Ours { names, .. } => names.contains(&name.to_lowercase()),
        }
    }

    fn has_path(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Ours { paths, .. } => paths.contains(path),
        }
    }

    /// The path prefixes to list: ours, or all at once where that takes fewer calls.
    pub(super) fn prefixes(&self, pages_of_everything: usize) -> Vec<Option<String>> {
        match self {
            Self::Ours { paths, .. } if paths.len() <= pages_of_everything.max(1) => {
                paths.iter().cloned().map(Some).collect()
            }
            Self::Ours { .. } | Self::Everything => vec![None],
        }
    }
}

/// What was kept of the account, by name without case: names in IAM are unique whatever path and
/// case.
#[derive(Clone, Debug, Default)]
pub struct WholeAccount {
    roles: BTreeMap<String, ObservedRole>,
    policies: BTreeMap<String, ObservedPolicy>,
    profiles: BTreeMap<String, ObservedInstanceProfile>,
    calls: usize,
}

enum Entity {
    Role(Box<RoleDetail>),
    Policy(Box<ManagedPolicyDetail>),
}

impl Iam {
    /// Reads what is of interest, in sequence where one call's cost decides on the next.
    pub async fn whole_account(&self, interest: &Interest) -> Result<WholeAccount, Failure> {
        let mut account = WholeAccount::default();
        let roles = self.entities(interest, &mut account).await?;
        let prefixes = interest.prefixes(roles.div_ceil(1000));
        let (settings, profiles) = try_join!(
            self.role_settings(interest, &prefixes),
            self.profiles(interest, &prefixes)
        )?;
        account.calls += settings.1 + profiles.1;
        account.settle(settings.0);
        account.profiles = profiles.0;
        Ok(account)
    }

    /// One object's part of it, complete.
    pub async fn complete(
        &self,
        account: &WholeAccount,
        names: &Names,
    ) -> Result<Observed, Failure> {
        let mut observed = account.find(names);
        let policy_tags = async {
            match &observed.policy {
                Some(policy) => self.policy_tags(&policy.arn).await,
                None => Ok(Tags::new()),
            }
        };
        let profile_tags = async {
            match &observed.instance_profile {
                Some(profile) => self.profile_tags(&profile.arn, &profile.name).await,
                None => Ok(Tags::new()),
            }
        };
        let (policy_tags, profile_tags) = try_join!(policy_tags, profile_tags)?;
        if let Some(policy) = &mut observed.policy {
            policy.tags = policy_tags;
        }
        if let Some(profile) = &mut observed.instance_profile {
            profile.tags = profile_tags;
        }
        Ok(observed)
    }

    /// How many roles there are, whosever they are.
    async fn entities(
        &self,
        interest: &Interest,
        account: &mut WholeAccount,
    ) -> Result<usize, Failure> {
        let page = async |marker: Option<String>| {
            let call = || {
                self.client
                    .get_account_authorization_details()
                    .filter(EntityType::Role)
                    .filter(EntityType::LocalManagedPolicy)
                    .max_items(PAGE)
                    .set_marker(marker.clone())
                    .send()
            };
            let answer = self
                .send(
                    "GetAccountAuthorizationDetails",
                    Access::Read,
                    String::new(),
                    call,
                )
                .await?;
            let roles = answer.role_detail_list.unwrap_or_default().into_iter();
            let policies = answer.policies.unwrap_or_default().into_iter();
            let items = roles
                .map(|role| Entity::Role(Box::new(role)))
                .chain(policies.map(|policy| Entity::Policy(Box::new(policy))))
                .collect();
            Ok(Page::new(items, answer.is_truncated, answer.marker))
        };
        let mut roles = 0;
        let take = |entity| match entity {
            Entity::Role(role) => {
                roles += 1;
                account.take_role(*role, interest);
            }
            Entity::Policy(policy) => account.take_policy(*policy, interest),
        };
        let pages = pages::each(page, take).await?;
        account.calls += pages;
        Ok(roles)
    }

    /// Description and session duration, which the bulk call leaves out, and the calls it took.
    async fn role_settings(
        &self,
        interest: &Interest,
        prefixes: &[Option<String>],
    ) -> Result<(BTreeMap<String, (String, i32)>, usize), Failure> {
        let mut settings = BTreeMap::new();
        let keep = |role: Role| {
            if interest.has_name(&role.role_name) {
                let duration = role.max_session_duration.unwrap_or(3600);
                let description = role.description.unwrap_or_default();
                settings.insert(role.arn, (description, duration));
            }
        };
        let calls = self.list_roles(prefixes, keep).await?;
        Ok((settings, calls))
    }

    /// Instance profiles without their tags, and the calls it took.
    pub(super) async fn profiles(
        &self,
        interest: &Interest,
        prefixes: &[Option<String>],
    ) -> Result<(BTreeMap<String, ObservedInstanceProfile>, usize), Failure> {
        let mut profiles = BTreeMap::new();
        let keep = |found: InstanceProfile| {
            if !interest.has_name(&found.instance_profile_name) && !interest.has_path(&found.path) {
                return;
            }
            let profile = ObservedInstanceProfile {
                arn: found.arn,
                id: found.instance_profile_id,
                name: found.instance_profile_name,
                tags: Tags::new(),
                roles: found.roles.into_iter().map(|role| role.role_name).collect(),
            };
            profiles.insert(profile.name.to_lowercase(), profile);
        };
        let calls = self.list_instance_profiles(prefixes, keep).await?;
        Ok((profiles, calls))
    }
}

impl WholeAccount {
    /// One object's part of it; tags of policy and profile are not known yet.
    pub fn find(&self, names: &Names) -> Observed {
        let role = self.roles.get(&names.role.to_lowercase()).cloned();
        Observed {
            role: role.map(|role| with_own_document(role, names)),
            policy: self.policy(names).cloned(),
            instance_profile: self.profile(names).cloned(),
        }
    }

    /// The same, and it is no longer in it.
    pub fn take(&mut self, names: &Names) -> Observed {
        let role = self.roles.remove(&names.role.to_lowercase());
        Observed {
            role: role.map(|role| with_own_document(role, names)),
            policy: self.policies.remove(&names.policy.to_lowercase()),
            instance_profile: (self.profiles).remove(&names.instance_profile.to_lowercase()),
        }
    }

    /// One object's policy.
    pub fn policy(&self, names: &Names) -> Option<&ObservedPolicy> {
        self.policies.get(&names.policy.to_lowercase())
    }

    /// One object's instance profile.
    pub fn profile(&self, names: &Names) -> Option<&ObservedInstanceProfile> {
        let name = names.instance_profile.to_lowercase();
        self.profiles.get(&name)
    }

    /// How many calls the reading took.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// All roles that were kept.
    pub fn roles(&self) -> impl Iterator<Item = &ObservedRole> {
        self.roles.values()
    }

    /// All policies that were kept; their tags are not known.
    pub fn policies(&self) -> impl Iterator<Item = &ObservedPolicy> {
        self.policies.values()
    }

    /// All instance profiles that were kept; their tags are not known.
    pub fn profiles(&self) -> impl Iterator<Item = &ObservedInstanceProfile> {
        self.profiles.values()
    }

    fn settle(&mut self, mut settings: BTreeMap<String, (String, i32)>) {
        for role in self.roles.values_mut() {
            if let Some((description, duration)) = settings.remove(&role.arn) {
                role.description = description;
                role.max_session_duration = duration;
            }
        }
    }

    fn take_role(&mut self, role: RoleDetail, interest: &Interest) {
        let name = role.role_name.unwrap_or_default();
        let tags = tags(role.tags.unwrap_or_default());
        let is_ours = match interest {
            Interest::Everything => true,
            Interest::Ours { cluster, .. } => tags.get(CLUSTER) == Some(cluster),
        };
        if !is_ours && !interest.has_name(&name) {
            return;
        }
        let arn = role.arn.unwrap_or_default();
        let inline: BTreeMap<String, Option<String>> = role
            .role_policy_list
            .unwrap_or_default()
            .into_iter()
            .filter_map(|p| Some((p.policy_name?, Some(decoded(&p.policy_document?)))))
            .collect();
        let attached: BTreeSet<String> = role
            .attached_managed_policies
            .unwrap_or_default()
            .into_iter()
            .filter_map(|p| p.policy_arn)
            .collect();
        let observed = ObservedRole {
            arn,
            id: role.role_id.unwrap_or_default(),
            name: name.clone(),
            trust: decoded(
                role.assume_role_policy_document
                    .as_deref()
                    .unwrap_or_default(),
            ),
            description: String::new(),
            max_session_duration: 3600,
            boundary: role
                .permissions_boundary
                .and_then(|b| b.permissions_boundary_arn),
            tags,
            last_used: (role.role_last_used.and_then(|used| used.last_used_date))
                .and_then(|date| Timestamp::from_second(date.secs()).ok()),
            attached,
            inline,
        };
        self.roles.insert(name.to_lowercase(), observed);
    }

    fn take_policy(&mut self, policy: ManagedPolicyDetail, interest: &Interest) {
        if !interest.has_name(policy.policy_name().unwrap_or_default())
            && !interest.has_path(policy.path().unwrap_or_default())
        {
            return;
        }
        let versions = policy.policy_version_list.unwrap_or_default();
        let default_version = policy.default_version_id.unwrap_or_default();
        let document = versions
            .iter()
            .find(|v| v.version_id.as_deref() == Some(default_version.as_str()))
            .and_then(|v| v.document.as_deref())
            .map(decoded)
            .unwrap_or_default();
        let name = policy.policy_name.unwrap_or_default();
        let observed = ObservedPolicy {
            arn: policy.arn.unwrap_or_default(),
            id: policy.policy_id.unwrap_or_default(),
            name: name.clone(),
            tags: Tags::new(),
            default_version,
            document,
            versions: versions.into_iter().filter_map(|v| v.version_id).collect(),
        };
        self.policies.insert(name.to_lowercase(), observed);
    }
}

/// Of inline policies only the own one's document is told, as a look at the role alone does.
fn with_own_document(mut role: ObservedRole, names: &Names) -> ObservedRole {
    for (name, document) in &mut role.inline {
        if *name != names.policy {
            *document = None;
        }
    }
    role
}
