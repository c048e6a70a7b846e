//! Reads the whole account in few calls: nothing in, all roles, own policies and instance profiles
//! out. Does network IO; never writes. What the bulk calls leave out (tags of policies and
//! profiles) is read for those objects that are asked for.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, ManagedPolicyDetail, RoleDetail};
use jiff::Timestamp;
use smr_core::Tags;
use smr_core::failure::Failure;
use smr_core::names::Names;
use smr_core::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use tokio::try_join;

use super::client::{Access, Iam};
use super::observe::{decoded, found, tags};
use super::pages::{self, Page};

const PAGE: i32 = 1000;

/// Everything in the account that can concern us, by name without case: names in IAM are unique
/// whatever path and case.
#[derive(Clone, Debug, Default)]
pub struct WholeAccount {
    roles: BTreeMap<String, ObservedRole>,
    inline: BTreeMap<String, BTreeMap<String, String>>,
    policies: BTreeMap<String, ObservedPolicy>,
    profiles: BTreeMap<String, ObservedInstanceProfile>,
}

enum Entity {
    Role(Box<RoleDetail>),
    Policy(Box<ManagedPolicyDetail>),
}

impl Iam {
    /// Reads all of it, side by side.
    pub async fn whole_account(&self) -> Result<WholeAccount, Failure> {
        let (entities, settings, profiles) =
            try_join!(self.entities(), self.role_settings(), self.profiles())?;
        let mut account = WholeAccount {
            profiles,
            ..WholeAccount::default()
        };
        for entity in entities {
            match entity {
                Entity::Role(role) => account.take_role(*role, &settings),
                Entity::Policy(policy) => account.take_policy(*policy),
            }
        }
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

    async fn entities(&self) -> Result<Vec<Entity>, Failure> {
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
        pages::all(page).await
    }

    /// Description and session duration, which the bulk call leaves out.
    async fn role_settings(&self) -> Result<BTreeMap<String, (String, i32)>, Failure> {
        let page = async |marker: Option<String>| {
            let call = || {
                self.client
                    .list_roles()
                    .max_items(PAGE)
                    .set_marker(marker.clone())
                    .send()
            };
            let answer = self
                .send("ListRoles", Access::Read, String::new(), call)
                .await?;
            Ok(Page::new(answer.roles, answer.is_truncated, answer.marker))
        };
        let all = pages::all(page).await?;
        let setting = |role: aws_sdk_iam::types::Role| {
            let duration = role.max_session_duration.unwrap_or(3600);
            (role.arn, (role.description.unwrap_or_default(), duration))
        };
        Ok(all.into_iter().map(setting).collect())
    }

    async fn profiles(&self) -> Result<BTreeMap<String, ObservedInstanceProfile>, Failure> {
        let page = async |marker: Option<String>| {
            let call = || {
                self.client
                    .list_instance_profiles()
                    .max_items(PAGE)
                    .set_marker(marker.clone())
                    .send()
            };
            let answer = self
                .send("ListInstanceProfiles", Access::Read, String::new(), call)
                .await?;
            Ok(Page::new(
                answer.instance_profiles,
                answer.is_truncated,
                answer.marker,
            ))
        };
        let all = pages::all(page).await?;
        let profile = |found: aws_sdk_iam::types::InstanceProfile| {
            let profile = ObservedInstanceProfile {
                arn: found.arn,
                id: found.instance_profile_id,
                name: found.instance_profile_name,
                tags: Tags::new(),
                roles: found.roles.into_iter().map(|role| role.role_name).collect(),
            };
            (profile.name.to_lowercase(), profile)
        };
        Ok(all.into_iter().map(profile).collect())
    }

    async fn policy_tags(&self, arn: &str) -> Result<Tags, Failure> {
        let call = || {
            self.client
                .list_policy_tags()
                .policy_arn(arn)
                .max_items(100)
                .send()
        };
        let answer = self
            .send("ListPolicyTags", Access::Read, arn.to_owned(), call)
            .await;
        Ok(tags(found(answer)?.map(|a| a.tags).unwrap_or_default()))
    }

    async fn profile_tags(&self, arn: &str, name: &str) -> Result<Tags, Failure> {
        let call = || {
            self.client
                .list_instance_profile_tags()
                .instance_profile_name(name)
                .max_items(100)
                .send()
        };
        let answer = self
            .send(
                "ListInstanceProfileTags",
                Access::Read,
                arn.to_owned(),
                call,
            )
            .await;
        Ok(tags(found(answer)?.map(|a| a.tags).unwrap_or_default()))
    }
}

impl WholeAccount {
    /// One object's part of it; tags of policy and profile are not known yet.
    fn find(&self, names: &Names) -> Observed {
        let role = self
            .roles
            .get(&names.role.to_lowercase())
            .cloned()
            .map(|mut role| {
                let documents = self.inline.get(&role.name.to_lowercase());
                if let Some(own) = role.inline.get_mut(&names.policy) {
                    *own = documents.and_then(|d| d.get(&names.policy)).cloned();
                }
                role
            });
        Observed {
            role,
            policy: self.policies.get(&names.policy.to_lowercase()).cloned(),
            instance_profile: self
                .profiles
                .get(&names.instance_profile.to_lowercase())
                .cloned(),
        }
    }

    fn take_role(&mut self, role: RoleDetail, settings: &BTreeMap<String, (String, i32)>) {
        let name = role.role_name.unwrap_or_default();
        let arn = role.arn.unwrap_or_default();
        let inline: BTreeMap<String, String> = role
            .role_policy_list
            .unwrap_or_default()
            .into_iter()
            .filter_map(|p| Some((p.policy_name?, decoded(&p.policy_document?))))
            .collect();
        let attached: BTreeSet<String> = role
            .attached_managed_policies
            .unwrap_or_default()
            .into_iter()
            .filter_map(|p| p.policy_arn)
            .collect();
        let (description, max_session_duration) = settings
            .get(&arn)
            .cloned()
            .unwrap_or_else(|| (String::new(), 3600));
        let observed = ObservedRole {
            arn,
            id: role.role_id.unwrap_or_default(),
            name: name.clone(),
            trust: decoded(
                role.assume_role_policy_document
                    .as_deref()
                    .unwrap_or_default(),
            ),
            description,
            max_session_duration,
            boundary: role
                .permissions_boundary
                .and_then(|b| b.permissions_boundary_arn),
            tags: tags(role.tags.unwrap_or_default()),
            last_used: (role.role_last_used.and_then(|used| used.last_used_date))
                .and_then(|date| Timestamp::from_second(date.secs()).ok()),
            attached,
            inline: inline.keys().map(|name| (name.clone(), None)).collect(),
        };
        self.inline.insert(name.to_lowercase(), inline);
        self.roles.insert(name.to_lowercase(), observed);
    }

    fn take_policy(&mut self, policy: ManagedPolicyDetail) {
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
