//! Who else uses a role and a policy, which stands in the way of deletion. In: the two as they were
//! read; out: names. Does network IO; never writes.

use std::collections::BTreeSet;

use smr_core::deletion::{PolicyUser, Usage};
use smr_core::failure::Failure;
use smr_core::observed::Observed;
use tokio::join;

use super::paging::{self, Page};
use crate::client::Iam;

impl Iam {
    /// Reads who else uses the role and the policy, which stands in the way of deletion.
    pub async fn users(&self, observed: &Observed) -> Result<Usage, Failure> {
        let of_role = async {
            match &observed.role {
                Some(role) => self.profiles_with_role(&role.arn, &role.name).await,
                None => Ok(BTreeSet::new()),
            }
        };
        let of_policy = async {
            match &observed.policy {
                Some(policy) => self.entities_with_policy(&policy.arn).await,
                None => Ok(BTreeSet::new()),
            }
        };
        let (role_in_profiles, policy_users) = join!(of_role, of_policy);
        Ok(Usage {
            role_in_profiles: role_in_profiles?,
            policy_users: policy_users?,
        })
    }

    async fn profiles_with_role(&self, arn: &str, role: &str) -> Result<BTreeSet<String>, Failure> {
        let page = |marker: Option<String>| async move {
            let call = || {
                self.client
                    .list_instance_profiles_for_role()
                    .role_name(role)
                    .set_marker(marker.clone())
                    .send()
            };
            self.page("ListInstanceProfilesForRole", arn, call, |a| {
                Page::new(a.instance_profiles, a.is_truncated, a.marker)
            })
            .await
        };
        let all = paging::all(page).await?;
        Ok(all
            .into_iter()
            .map(|profile| profile.instance_profile_name)
            .collect())
    }

    async fn entities_with_policy(&self, arn: &str) -> Result<BTreeSet<PolicyUser>, Failure> {
        let page = |marker: Option<String>| async move {
            let call = || {
                self.client
                    .list_entities_for_policy()
                    .policy_arn(arn)
                    .set_marker(marker.clone())
                    .send()
            };
            let answer = self.find("ListEntitiesForPolicy", arn, call).await?;
            let Some(a) = answer else {
                return Ok(Page::empty());
            };
            let roles = a
                .policy_roles
                .unwrap_or_default()
                .into_iter()
                .filter_map(|r| r.role_name)
                .map(PolicyUser::Role);
            let users = a
                .policy_users
                .unwrap_or_default()
                .into_iter()
                .filter_map(|u| u.user_name)
                .map(PolicyUser::User);
            let groups = a
                .policy_groups
                .unwrap_or_default()
                .into_iter()
                .filter_map(|g| g.group_name)
                .map(PolicyUser::Group);
            Ok(Page::new(
                roles.chain(users).chain(groups).collect(),
                a.is_truncated,
                a.marker,
            ))
        };
        Ok(paging::all(page).await?.into_iter().collect())
    }
}
