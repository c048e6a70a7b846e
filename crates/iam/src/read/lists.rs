//! Lists of the account: path prefixes in, each item to a closure, the number of calls out; and the
//! tags that no list gives. Does network IO; never writes. For accounts that deny the bulk call, also
//! what lists show of our paths as a whole.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{InstanceProfile, Policy, PolicyScopeType, Role};
use smr_core::Tags;
use smr_core::failure::Failure;
use smr_core::names::Names;
use smr_core::observed::{ObservedInstanceProfile, ObservedRole};
use smr_core::sweep::{BulkItem, Listed, ListedPolicy};
use tokio::try_join;

use super::account::BulkFilter;
use super::paging::{self, Page};
use crate::client::Iam;
use crate::convert::{self, tags};
use crate::gate::{Access, bulk};

/// The most that IAM gives on one page.
pub(super) const PAGE: i32 = 1000;
/// Everything, whatever its path.
pub(super) const ANYWHERE: &[Option<String>] = &[None];
/// The most tags that an object can have, and more.
const TAGS: i32 = 100;

/// What lists show, by name without case.
#[derive(Clone, Debug, Default)]
pub struct ListedAccount {
    roles: BTreeMap<String, ObservedRole>,
    policies: BTreeMap<String, ListedPolicy>,
    profiles: BTreeMap<String, ObservedInstanceProfile>,
}

/// A page of a list under a path prefix.
macro_rules! page {
    ($iam:ident, $call:expr, $action:literal, $prefix:ident, $marker:ident) => {{
        let call = || {
            $call
                .set_path_prefix($prefix.clone())
                .max_items(PAGE)
                .set_marker($marker.clone())
                .customize()
                .config_override(bulk())
                .send()
        };
        $iam.send($action, Access::BulkRead, String::new(), call)
            .await?
    }};
}

impl Iam {
    /// Lists roles, policies and instance profiles, side by side.
    pub async fn lists(&self, interest: &BulkFilter) -> Result<ListedAccount, Failure> {
        let prefixes = interest.prefixes(usize::MAX);
        let mut roles = BTreeMap::new();
        let keep = |role: Role| {
            if interest.has_name(&role.role_name) {
                roles.insert(role.role_name.to_lowercase(), convert::listed_role(role));
            }
        };
        let mut policies = BTreeMap::new();
        let keep_policy = |policy: Policy| {
            let policy = convert::listed_policy(policy);
            if interest.has_name(&policy.name) {
                policies.insert(policy.name.to_lowercase(), policy);
            }
        };
        let mut profiles = BTreeMap::new();
        let mut keep_profile = |part| {
            if let BulkItem::InstanceProfile(profile) = part {
                profiles.insert(profile.name.to_lowercase(), *profile);
            }
        };
        try_join!(
            self.list_roles(&prefixes, keep),
            self.list_policies(&prefixes, keep_policy),
            self.profiles(interest, &prefixes, &mut keep_profile),
        )?;
        Ok(ListedAccount {
            roles,
            policies,
            profiles,
        })
    }

    /// Lists roles; the calls it took.
    pub(super) async fn list_roles(
        &self,
        prefixes: &[Option<String>],
        keep: impl FnMut(Role),
    ) -> Result<usize, Failure> {
        let page = |prefix: Option<String>, marker: Option<String>| async move {
            let list = || self.client.list_roles();
            let answer = page!(self, list(), "ListRoles", prefix, marker);
            Ok(Page::new(answer.roles, answer.is_truncated, answer.marker))
        };
        paging::each_under(prefixes, page, keep).await
    }

    /// Lists the account's own managed policies; the calls it took.
    pub(super) async fn list_policies(
        &self,
        prefixes: &[Option<String>],
        keep: impl FnMut(Policy),
    ) -> Result<usize, Failure> {
        let page = |prefix: Option<String>, marker: Option<String>| async move {
            let list = || self.client.list_policies().scope(PolicyScopeType::Local);
            let answer = page!(self, list(), "ListPolicies", prefix, marker);
            let items = answer.policies.unwrap_or_default();
            Ok(Page::new(items, answer.is_truncated, answer.marker))
        };
        paging::each_under(prefixes, page, keep).await
    }

    /// Lists instance profiles; the calls it took.
    pub(super) async fn list_instance_profiles(
        &self,
        prefixes: &[Option<String>],
        keep: impl FnMut(InstanceProfile),
    ) -> Result<usize, Failure> {
        let page = |prefix: Option<String>, marker: Option<String>| async move {
            let list = || self.client.list_instance_profiles();
            let answer = page!(self, list(), "ListInstanceProfiles", prefix, marker);
            let items = answer.instance_profiles;
            Ok(Page::new(items, answer.is_truncated, answer.marker))
        };
        paging::each_under(prefixes, page, keep).await
    }

    /// A policy's tags.
    pub async fn policy_tags(&self, arn: &str) -> Result<Tags, Failure> {
        let list = || self.client.list_policy_tags().policy_arn(arn);
        let call = || list().max_items(TAGS).send();
        let answer = self.find("ListPolicyTags", arn, call).await?;
        Ok(tags(answer.map(|a| a.tags).unwrap_or_default()))
    }

    /// An instance profile's tags.
    pub async fn profile_tags(&self, arn: &str, name: &str) -> Result<Tags, Failure> {
        let list = || {
            let list = self.client.list_instance_profile_tags();
            list.instance_profile_name(name)
        };
        let call = || list().max_items(TAGS).send();
        let answer = self.find("ListInstanceProfileTags", arn, call).await?;
        Ok(tags(answer.map(|a| a.tags).unwrap_or_default()))
    }
}

impl ListedAccount {
    /// One object's part of it.
    pub fn find(&self, names: &Names) -> Listed {
        Listed {
            role: self.roles.get(&names.role.to_lowercase()).cloned(),
            policy: self.policies.get(&names.policy.to_lowercase()).cloned(),
            instance_profile: (self.profiles)
                .get(&names.instance_profile.to_lowercase())
                .cloned(),
        }
    }
}
