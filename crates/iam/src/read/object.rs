//! Reads what IAM holds for one object. In: names; out: [`Observed`]. Does network IO; never writes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{InstanceProfile, Policy, Role};
use smr_core::account::Account;
use smr_core::failure::Failure;
use smr_core::kind::Kind;
use smr_core::names::Names;
use smr_core::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use tokio::join;

use super::lists::ANYWHERE;
use super::paging::{self, Page};
use crate::client::Iam;
use crate::convert::{self, decoded};

impl Iam {
    /// Reads the three objects, side by side. `taken` names those whose creation IAM refused
    /// because the name exists: where they are not found under our name and path, they are looked
    /// for under any path and case. Where several reads fail, the same one is told of each time.
    pub async fn observe(
        &self,
        account: &Account,
        names: &Names,
        taken: &BTreeSet<Kind>,
    ) -> Result<Observed, Failure> {
        let (role, policy, instance_profile) = join!(
            self.role(account, names, taken.contains(&Kind::Role)),
            self.policy(account, names, taken.contains(&Kind::Policy)),
            self.instance_profile(account, names, taken.contains(&Kind::InstanceProfile)),
        );
        Ok(Observed {
            role: role?,
            policy: policy?,
            instance_profile: instance_profile?,
        })
    }

    async fn role(
        &self,
        account: &Account,
        names: &Names,
        taken: bool,
    ) -> Result<Option<ObservedRole>, Failure> {
        let arn = names.role_arn(account);
        match self.role_called(&arn, &names.role, &names.policy).await? {
            Some(role) => Ok(Some(role)),
            None if taken => match self.role_of_any_case(&names.role).await? {
                Some(name) => self.role_called(&arn, &name, &names.policy).await,
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    /// The role of this very name, and its policies; the document of the inline one called `own`.
    async fn role_called(
        &self,
        arn: &str,
        name: &str,
        own: &str,
    ) -> Result<Option<ObservedRole>, Failure> {
        let (role, attached, inline) = join!(
            self.get_role(arn, name),
            self.attached(arn, name),
            self.inline(arn, name, own)
        );
        let (role, attached, inline) = (role?, attached?, inline?);
        Ok(role.map(|role| ObservedRole {
            attached,
            inline,
            ..role
        }))
    }

    async fn get_role(&self, arn: &str, name: &str) -> Result<Option<ObservedRole>, Failure> {
        let call = || self.client.get_role().role_name(name).send();
        let answer = self.find("GetRole", arn, call).await?;
        let role = answer.and_then(|answer| answer.role);
        Ok(role.map(convert::role))
    }

    async fn attached(&self, arn: &str, role: &str) -> Result<BTreeSet<String>, Failure> {
        let page = |marker: Option<String>| async move {
            let call = || {
                self.client
                    .list_attached_role_policies()
                    .role_name(role)
                    .set_marker(marker.clone())
                    .send()
            };
            self.page("ListAttachedRolePolicies", arn, call, |a| {
                Page::new(
                    a.attached_policies.unwrap_or_default(),
                    a.is_truncated,
                    a.marker,
                )
            })
            .await
        };
        let all = paging::all(page).await?;
        Ok(all
            .into_iter()
            .filter_map(|policy| policy.policy_arn)
            .collect())
    }

    /// Names of all inline policies; the document of the one called `own`.
    async fn inline(
        &self,
        arn: &str,
        role: &str,
        own: &str,
    ) -> Result<BTreeMap<String, Option<String>>, Failure> {
        let page = |marker: Option<String>| async move {
            let call = || {
                self.client
                    .list_role_policies()
                    .role_name(role)
                    .set_marker(marker.clone())
                    .send()
            };
            self.page("ListRolePolicies", arn, call, |a| {
                Page::new(a.policy_names, a.is_truncated, a.marker)
            })
            .await
        };
        let mut all: BTreeMap<_, _> = paging::all(page)
            .await?
            .into_iter()
            .map(|name| (name, None))
            .collect();
        if let Some(document) = all.get_mut(own) {
            let call = || {
                self.client
                    .get_role_policy()
                    .role_name(role)
                    .policy_name(own)
                    .send()
            };
            let answer = self.find("GetRolePolicy", arn, call).await?;
            *document = answer.map(|a| decoded(&a.policy_document));
        }
        Ok(all)
    }

    async fn role_of_any_case(&self, name: &str) -> Result<Option<String>, Failure> {
        let mut of_name = None;
        let keep = |role: Role| {
            if role.role_name.eq_ignore_ascii_case(name) {
                of_name = Some(role.role_name);
            }
        };
        self.list_roles(ANYWHERE, keep).await?;
        Ok(of_name)
    }

    async fn policy(
        &self,
        account: &Account,
        names: &Names,
        taken: bool,
    ) -> Result<Option<ObservedPolicy>, Failure> {
        match self.get_policy(&names.policy_arn(account)).await? {
            Some(policy) => Ok(Some(policy)),
            None if taken => match self.policy_of_any_path(&names.policy).await? {
                Some(arn) => self.get_policy(&arn).await,
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    async fn get_policy(&self, arn: &str) -> Result<Option<ObservedPolicy>, Failure> {
        let get = async {
            let call = || self.client.get_policy().policy_arn(arn).send();
            let answer = self.find("GetPolicy", arn, call).await?;
            Ok::<_, Failure>(answer.and_then(|a| a.policy))
        };
        let (policy, versions) = join!(get, self.versions(arn));
        let (policy, versions) = (policy?, versions?);
        let Some(policy) = policy else {
            return Ok(None);
        };
        let default = policy.default_version_id().unwrap_or_default();
        let call = || {
            self.client
                .get_policy_version()
                .policy_arn(arn)
                .version_id(default)
                .send()
        };
        let answer = self.find("GetPolicyVersion", arn, call).await?;
        let document = answer
            .and_then(|a| a.policy_version)
            .and_then(|v| v.document)
            .unwrap_or_default();
        Ok(Some(convert::policy(policy, arn, &document, versions)))
    }

    async fn versions(&self, arn: &str) -> Result<BTreeSet<String>, Failure> {
        let page = |marker: Option<String>| async move {
            let call = || {
                self.client
                    .list_policy_versions()
                    .policy_arn(arn)
                    .set_marker(marker.clone())
                    .send()
            };
            self.page("ListPolicyVersions", arn, call, |a| {
                Page::new(a.versions.unwrap_or_default(), a.is_truncated, a.marker)
            })
            .await
        };
        let all = paging::all(page).await?;
        Ok(all
            .into_iter()
            .filter_map(|version| version.version_id)
            .collect())
    }

    async fn policy_of_any_path(&self, name: &str) -> Result<Option<String>, Failure> {
        let mut of_name = None;
        let keep = |policy: Policy| {
            let found = policy.policy_name.unwrap_or_default();
            if found.eq_ignore_ascii_case(name) {
                of_name = policy.arn;
            }
        };
        self.list_policies(ANYWHERE, keep).await?;
        Ok(of_name)
    }

    async fn instance_profile(
        &self,
        account: &Account,
        names: &Names,
        taken: bool,
    ) -> Result<Option<ObservedInstanceProfile>, Failure> {
        let arn = names.instance_profile_arn(account);
        match self
            .get_instance_profile(&arn, &names.instance_profile)
            .await?
        {
            Some(profile) => Ok(Some(profile)),
            None if taken => match self
                .instance_profile_of_any_case(&names.instance_profile)
                .await?
            {
                Some(name) => self.get_instance_profile(&arn, &name).await,
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    async fn get_instance_profile(
        &self,
        arn: &str,
        name: &str,
    ) -> Result<Option<ObservedInstanceProfile>, Failure> {
        let call = || {
            self.client
                .get_instance_profile()
                .instance_profile_name(name)
                .send()
        };
        let answer = self.find("GetInstanceProfile", arn, call).await?;
        let profile = answer.and_then(|a| a.instance_profile);
        Ok(profile.map(convert::instance_profile))
    }

    async fn instance_profile_of_any_case(&self, name: &str) -> Result<Option<String>, Failure> {
        let mut of_name = None;
        let keep = |profile: InstanceProfile| {
            if profile.instance_profile_name.eq_ignore_ascii_case(name) {
                of_name = Some(profile.instance_profile_name);
            }
        };
        self.list_instance_profiles(ANYWHERE, keep).await?;
        Ok(of_name)
    }
}
