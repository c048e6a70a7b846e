//! Reads the whole account in few calls: what is of interest in, roles, own policies and instance
//! profiles out, part by part. Does network IO; never writes. A page is gone before the next one
//! comes. What the bulk calls leave out (tags of policies and profiles) is read for those objects
//! that are asked for.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, InstanceProfile, ManagedPolicyDetail, Role, RoleDetail};
use smr_core::Tags;
use smr_core::failure::Failure;
use smr_core::names::Names;
use smr_core::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use smr_core::ownership::CLUSTER;
use smr_core::sweep::BulkItem;
use tokio::try_join;

use super::lists::PAGE;
use super::paging::{self, Page};
use crate::client::Iam;
use crate::convert::{self, tags};
use crate::gate::{Access, bulk};

/// What of the account is kept.
#[derive(Clone, Debug)]
pub enum BulkFilter {
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

impl BulkFilter {
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

/// What a reading has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// In calls.
    pub calls: usize,
    /// Roles of the account, whosever they are.
    pub roles: usize,
}

/// All of the account, by name without case: names in IAM are unique whatever path and case.
#[derive(Clone, Debug, Default)]
pub struct WholeAccount {
    roles: BTreeMap<String, ObservedRole>,
    policies: BTreeMap<String, ObservedPolicy>,
    profiles: BTreeMap<String, ObservedInstanceProfile>,
}

/// What `ListRoles` has that the bulk call leaves out, by ARN: description and session duration.
type Settings = BTreeMap<String, (String, i32)>;

enum Entity {
    Role(Box<RoleDetail>),
    Policy(Box<ManagedPolicyDetail>),
}

impl Iam {
    /// Reads what is of interest and hands out each part as it comes in. `pages_of_roles`: on how
    /// many pages all roles of the account are, as far as is known, which decides what is listed.
    pub async fn read_account(
        &self,
        interest: &BulkFilter,
        pages_of_roles: usize,
        mut take: impl FnMut(BulkItem),
    ) -> Result<Cost, Failure> {
        let prefixes = interest.prefixes(pages_of_roles);
        // One after the other: a page of each at once is what memory would be at its peak.
        let more = self.profiles(interest, &prefixes, &mut take).await?;
        let (mut settings, calls) = self.role_settings(interest, &prefixes).await?;
        let cost = self.entities(interest, &mut settings, &mut take).await?;
        Ok(Cost {
            calls: cost.calls + calls + more,
            ..cost
        })
    }

    /// Reads all of it.
    pub async fn whole_account(&self) -> Result<WholeAccount, Failure> {
        let mut account = WholeAccount::default();
        self.read_account(&BulkFilter::Everything, 1, |part| account.keep(part))
            .await?;
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

    /// Roles and the account's own policies.
    async fn entities(
        &self,
        interest: &BulkFilter,
        settings: &mut Settings,
        take: &mut impl FnMut(BulkItem),
    ) -> Result<Cost, Failure> {
        let page = |marker: Option<String>| async move {
            let call = || {
                self.client
                    .get_account_authorization_details()
                    .filter(EntityType::Role)
                    .filter(EntityType::LocalManagedPolicy)
                    .max_items(PAGE)
                    .set_marker(marker.clone())
                    .customize()
                    .config_override(bulk())
                    .send()
            };
            let answer = self
                .send(
                    "GetAccountAuthorizationDetails",
                    Access::BulkRead,
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
        let each = |entity| match entity {
            Entity::Role(role) => {
                roles += 1;
                if let Some(role) = observed_role(*role, interest, settings) {
                    take(BulkItem::Role(Box::new(role)));
                }
            }
            Entity::Policy(policy) => {
                if let Some(policy) = observed_policy(*policy, interest) {
                    take(BulkItem::Policy(Box::new(policy)));
                }
            }
        };
        let calls = paging::each(page, each).await?;
        Ok(Cost { calls, roles })
    }

    /// What the bulk call leaves out of roles, and the calls it took.
    async fn role_settings(
        &self,
        interest: &BulkFilter,
        prefixes: &[Option<String>],
    ) -> Result<(Settings, usize), Failure> {
        let mut settings = Settings::new();
        let keep = |role: Role| {
            if interest.has_name(&role.role_name) {
                settings.insert(role.arn.clone(), convert::role_settings(role));
            }
        };
        let calls = self.list_roles(prefixes, keep).await?;
        Ok((settings, calls))
    }

    /// Instance profiles without their tags; the calls it took.
    pub(super) async fn profiles(
        &self,
        interest: &BulkFilter,
        prefixes: &[Option<String>],
        take: &mut impl FnMut(BulkItem),
    ) -> Result<usize, Failure> {
        let each = |found: InstanceProfile| {
            if interest.has_name(&found.instance_profile_name) || interest.has_path(&found.path) {
                take(BulkItem::InstanceProfile(Box::new(
                    convert::listed_instance_profile(found),
                )));
            }
        };
        self.list_instance_profiles(prefixes, each).await
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

    fn policy(&self, names: &Names) -> Option<&ObservedPolicy> {
        self.policies.get(&names.policy.to_lowercase())
    }

    fn profile(&self, names: &Names) -> Option<&ObservedInstanceProfile> {
        let name = names.instance_profile.to_lowercase();
        self.profiles.get(&name)
    }

    fn keep(&mut self, part: BulkItem) {
        let name = part.name().to_lowercase();
        match part {
            BulkItem::Role(role) => drop(self.roles.insert(name, *role)),
            BulkItem::Policy(policy) => drop(self.policies.insert(name, *policy)),
            BulkItem::InstanceProfile(profile) => drop(self.profiles.insert(name, *profile)),
        }
    }
}

/// The role, where it is of interest; its settings are taken out of `settings`.
fn observed_role(
    mut role: RoleDetail,
    interest: &BulkFilter,
    settings: &mut Settings,
) -> Option<ObservedRole> {
    let tags = tags(role.tags.take().unwrap_or_default());
    let is_ours = match interest {
        BulkFilter::Everything => true,
        BulkFilter::Ours { cluster, .. } => tags.get(CLUSTER) == Some(cluster),
    };
    if !is_ours && !interest.has_name(role.role_name().unwrap_or_default()) {
        return None;
    }
    let settings = settings.remove(role.arn().unwrap_or_default());
    Some(convert::role_detail(
        role,
        tags,
        settings.unwrap_or_default(),
    ))
}

/// The policy, where it is of interest; its tags are not known.
fn observed_policy(policy: ManagedPolicyDetail, interest: &BulkFilter) -> Option<ObservedPolicy> {
    let is_of_interest = interest.has_name(policy.policy_name().unwrap_or_default())
        || interest.has_path(policy.path().unwrap_or_default());
    is_of_interest.then(|| convert::policy_detail(policy))
}

/// Of inline policies only the own one's document is told, as a look at the role alone does.
pub fn with_own_document(mut role: ObservedRole, names: &Names) -> ObservedRole {
    for (name, document) in &mut role.inline {
        if *name != names.policy {
            *document = None;
        }
    }
    role
}
