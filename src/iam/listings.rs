//! Lists of the account, page by page: path prefixes in, each item to a closure, the number of calls
//! out; and the tags that no list gives. Does network IO; never writes.

use aws_sdk_iam::types::{InstanceProfile, Policy, PolicyScopeType, Role};
use smr_core::Tags;
use smr_core::failure::Failure;

use super::client::Iam;
use super::gate::{Access, bulk};
use super::observe::{found, tags};
use super::pages::{self, Page};

/// The most that IAM gives on one page.
pub(super) const PAGE: i32 = 1000;
/// Everything, whatever its path.
pub(super) const ANYWHERE: &[Option<String>] = &[None];

impl Iam {
    /// Lists roles; the calls it took.
    pub(super) async fn list_roles(
        &self,
        prefixes: &[Option<String>],
        mut keep: impl FnMut(Role),
    ) -> Result<usize, Failure> {
        let mut calls = 0;
        for prefix in prefixes {
            let page = async |marker: Option<String>| {
                let call = || {
                    self.client
                        .list_roles()
                        .set_path_prefix(prefix.clone())
                        .max_items(PAGE)
                        .set_marker(marker.clone())
                        .customize()
                        .config_override(bulk())
                        .send()
                };
                let answer = self
                    .send("ListRoles", Access::BulkRead, String::new(), call)
                    .await?;
                Ok(Page::new(answer.roles, answer.is_truncated, answer.marker))
            };
            calls += pages::each(page, &mut keep).await?;
        }
        Ok(calls)
    }

    /// Lists the account's own managed policies; the calls it took.
    pub(super) async fn list_policies(
        &self,
        prefixes: &[Option<String>],
        mut keep: impl FnMut(Policy),
    ) -> Result<usize, Failure> {
        let mut calls = 0;
        for prefix in prefixes {
            let page = async |marker: Option<String>| {
                let call = || {
                    self.client
                        .list_policies()
                        .scope(PolicyScopeType::Local)
                        .set_path_prefix(prefix.clone())
                        .max_items(PAGE)
                        .set_marker(marker.clone())
                        .customize()
                        .config_override(bulk())
                        .send()
                };
                let answer = self
                    .send("ListPolicies", Access::BulkRead, String::new(), call)
                    .await?;
                let items = answer.policies.unwrap_or_default();
                Ok(Page::new(items, answer.is_truncated, answer.marker))
            };
            calls += pages::each(page, &mut keep).await?;
        }
        Ok(calls)
    }

    /// Lists instance profiles; the calls it took.
    pub(super) async fn list_instance_profiles(
        &self,
        prefixes: &[Option<String>],
        mut keep: impl FnMut(InstanceProfile),
    ) -> Result<usize, Failure> {
        let mut calls = 0;
        for prefix in prefixes {
            let page = async |marker: Option<String>| {
                let call = || {
                    self.client
                        .list_instance_profiles()
                        .set_path_prefix(prefix.clone())
                        .max_items(PAGE)
                        .set_marker(marker.clone())
                        .customize()
                        .config_override(bulk())
                        .send()
                };
                let answer = self
                    .send(
                        "ListInstanceProfiles",
                        Access::BulkRead,
                        String::new(),
                        call,
                    )
                    .await?;
                let items = answer.instance_profiles;
                Ok(Page::new(items, answer.is_truncated, answer.marker))
            };
            calls += pages::each(page, &mut keep).await?;
        }
        Ok(calls)
    }

    /// A policy's tags.
    pub async fn policy_tags(&self, arn: &str) -> Result<Tags, Failure> {
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

    /// An instance profile's tags.
    pub async fn profile_tags(&self, arn: &str, name: &str) -> Result<Tags, Failure> {
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
