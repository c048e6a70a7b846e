//! Reads what IAM holds for one object. In: names; out: [`Observed`]. Does network IO; never writes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types::{InstanceProfile, Policy, Role, Tag};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use smr_core::Tags;
use smr_core::account::Account;
use smr_core::failure::{Failure, FailureClass};
use smr_core::names::Names;
use smr_core::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use smr_core::step::Kind;
use tokio::join;

use super::client::Iam;
use super::gate::Access;
use super::listings::ANYWHERE;
use super::pages::{self, Page};

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
        let of_name = async |name: &str| {
            let (role, attached, inline) = join!(
                self.get_role(&arn, name),
                self.attached(&arn, name),
                self.inline(&arn, name, &names.policy)
            );
            let (role, attached, inline) = (role?, attached?, inline?);
            Ok::<_, Failure>(role.map(|role| ObservedRole {
                attached,
                inline,
                ..role
            }))
        };
        match of_name(&names.role).await? {
            Some(role) => Ok(Some(role)),
            None if taken => match self.role_of_any_case(&names.role).await? {
                Some(name) => of_name(&name).await,
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    async fn get_role(&self, arn: &str, name: &str) -> Result<Option<ObservedRole>, Failure> {
        let answer = self
            .send("GetRole", Access::Read, arn.to_owned(), || {
                self.client.get_role().role_name(name).send()
            })
            .await;
        let Some(role) = found(answer)?.and_then(|answer| answer.role) else {
            return Ok(None);
        };
        Ok(Some(ObservedRole {
            trust: decoded(
                role.assume_role_policy_document
                    .as_deref()
                    .unwrap_or_default(),
            ),
            description: role.description.unwrap_or_default(),
            max_session_duration: role.max_session_duration.unwrap_or(3600),
            boundary: role
                .permissions_boundary
                .and_then(|b| b.permissions_boundary_arn),
            tags: tags(role.tags.unwrap_or_default()),
            last_used: (role.role_last_used.and_then(|used| used.last_used_date))
                .and_then(|date| timestamp(&date)),
            created: timestamp(&role.create_date),
            arn: role.arn,
            id: role.role_id,
            name: role.role_name,
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
        }))
    }

    async fn attached(&self, arn: &str, role: &str) -> Result<BTreeSet<String>, Failure> {
        let page = async |marker: Option<String>| {
            let call = || {
                self.client
                    .list_attached_role_policies()
                    .role_name(role)
                    .set_marker(marker.clone())
                    .send()
            };
            let answer = found(
                self.send(
                    "ListAttachedRolePolicies",
                    Access::Read,
                    arn.to_owned(),
                    call,
                )
                .await,
            )?;
            Ok(answer.map_or_else(
                || Page::new(Vec::new(), false, None),
                |a| {
                    Page::new(
                        a.attached_policies.unwrap_or_default(),
                        a.is_truncated,
                        a.marker,
                    )
                },
            ))
        };
        let all = pages::all(page).await?;
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
        let page = async |marker: Option<String>| {
            let call = || {
                self.client
                    .list_role_policies()
                    .role_name(role)
                    .set_marker(marker.clone())
                    .send()
            };
            let answer = found(
                self.send("ListRolePolicies", Access::Read, arn.to_owned(), call)
                    .await,
            )?;
            Ok(answer.map_or_else(
                || Page::new(Vec::new(), false, None),
                |a| Page::new(a.policy_names, a.is_truncated, a.marker),
            ))
        };
        let mut all: BTreeMap<_, _> = pages::all(page)
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
            let answer = found(
                self.send("GetRolePolicy", Access::Read, arn.to_owned(), call)
                    .await,
            )?;
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
        let resource = || arn.to_owned();
        let get = async {
            let call = || self.client.get_policy().policy_arn(arn).send();
            let answer = found(self.send("GetPolicy", Access::Read, resource(), call).await)?;
            Ok::<_, Failure>(answer.and_then(|a| a.policy))
        };
        let (policy, versions) = join!(get, self.versions(arn));
        let (policy, versions) = (policy?, versions?);
        let Some(policy) = policy else {
            return Ok(None);
        };
        let default = policy.default_version_id.unwrap_or_default();
        let call = || {
            self.client
                .get_policy_version()
                .policy_arn(arn)
                .version_id(&default)
                .send()
        };
        let answer = found(
            self.send("GetPolicyVersion", Access::Read, resource(), call)
                .await,
        )?;
        let document = answer
            .and_then(|a| a.policy_version)
            .and_then(|v| v.document)
            .unwrap_or_default();
        Ok(Some(ObservedPolicy {
            arn: policy.arn.unwrap_or_else(resource),
            id: policy.policy_id.unwrap_or_default(),
            name: policy.policy_name.unwrap_or_default(),
            tags: tags(policy.tags.unwrap_or_default()),
            created: policy.create_date.as_ref().and_then(timestamp),
            document: decoded(&document),
            versions,
            default_version: default.clone(),
        }))
    }

    async fn versions(&self, arn: &str) -> Result<BTreeSet<String>, Failure> {
        let page = async |marker: Option<String>| {
            let call = || {
                self.client
                    .list_policy_versions()
                    .policy_arn(arn)
                    .set_marker(marker.clone())
                    .send()
            };
            let answer = found(
                self.send("ListPolicyVersions", Access::Read, arn.to_owned(), call)
                    .await,
            )?;
            Ok(answer.map_or_else(
                || Page::new(Vec::new(), false, None),
                |a| Page::new(a.versions.unwrap_or_default(), a.is_truncated, a.marker),
            ))
        };
        let all = pages::all(page).await?;
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
        let answer = found(
            self.send("GetInstanceProfile", Access::Read, arn.to_owned(), call)
                .await,
        )?;
        Ok(answer
            .and_then(|a| a.instance_profile)
            .map(|profile| ObservedInstanceProfile {
                arn: profile.arn,
                id: profile.instance_profile_id,
                name: profile.instance_profile_name,
                tags: tags(profile.tags.unwrap_or_default()),
                created: timestamp(&profile.create_date),
                roles: profile
                    .roles
                    .into_iter()
                    .map(|role| role.role_name)
                    .collect(),
            }))
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

/// `NoSuchEntity` is an answer too.
pub(super) fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.class == FailureClass::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn timestamp(date: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(date.secs()).ok()
}

pub(super) fn tags(tags: Vec<Tag>) -> Tags {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// IAM gives documents percent-encoded (RFC 3986), which the SDK leaves so. A plus is a plus.
/// Some stand-ins give raw JSON, which begins with a brace.
pub(super) fn decoded(document: &str) -> String {
    if document.trim_start().starts_with('{') {
        return document.to_owned();
    }
    percent_decode_str(document)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn documents_are_decoded_but_a_plus_is_none_of_it() {
        assert_eq!(decoded("%7B%22a%22%3A%20%22b+c%22%7D"), r#"{"a": "b+c"}"#);
        assert_eq!(decoded(r#"{"a": "100%25"}"#), r#"{"a": "100%25"}"#);
    }
}
