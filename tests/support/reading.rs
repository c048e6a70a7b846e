//! What IAM holds, read back through its own answers with the SDK and none of the controller's
//! code: a client enters, the same snapshot leaves that the emulator gives of its store.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{PolicyScopeType, PolicyVersion, Tag};
use iam_emulator::{PolicySnapshot, ProfileSnapshot, RoleSnapshot, Snapshot, VersionSnapshot};

/// Reads everything whose name begins with `prefix`, in whatever case. What vanishes meanwhile is
/// not there.
pub async fn read(iam: &Client, prefix: &str) -> Snapshot {
    let ours = |name: &str| name.to_lowercase().starts_with(prefix);
    let mut all = Snapshot::default();
    let roles = iam.list_roles().into_paginator().items().send();
    for role in roles.collect::<Result<Vec<_>, _>>().await.unwrap() {
        if ours(&role.role_name) {
            let read = role_of(iam, &role.role_name).await;
            all.roles.extend(read.map(|read| (role.role_name, read)));
        }
    }
    let policies = iam.list_policies().scope(PolicyScopeType::Local);
    let policies = policies.into_paginator().send();
    for page in policies.collect::<Result<Vec<_>, _>>().await.unwrap() {
        for policy in page.policies.unwrap_or_default() {
            let (name, arn) = (policy.policy_name.unwrap(), policy.arn.unwrap());
            if ours(&name) {
                let read = policy_of(iam, &arn).await;
                all.policies.extend(read.map(|read| (name, read)));
            }
        }
    }
    let profiles = iam.list_instance_profiles().into_paginator().items().send();
    for profile in profiles.collect::<Result<Vec<_>, _>>().await.unwrap() {
        let name = profile.instance_profile_name;
        if ours(&name) {
            let read = profile_of(iam, &name).await;
            all.instance_profiles.extend(read.map(|read| (name, read)));
        }
    }
    all
}

async fn role_of(iam: &Client, name: &str) -> Option<RoleSnapshot> {
    let role = there(iam.get_role().role_name(name).send().await)?.role?;
    let attached = iam.list_attached_role_policies().role_name(name);
    let attached = attached.into_paginator().items().send();
    let attached = there(attached.collect::<Result<Vec<_>, _>>().await)?;
    let names = iam.list_role_policies().role_name(name);
    let names = names.into_paginator().items().send();
    let mut inline = BTreeMap::new();
    for policy in there(names.collect::<Result<Vec<_>, _>>().await)? {
        let get = iam.get_role_policy().role_name(name).policy_name(&policy);
        let answer = there(get.send().await)?;
        inline.insert(policy, decoded(&answer.policy_document));
    }
    let profiles = iam.list_instance_profiles_for_role().role_name(name);
    let profiles = profiles.into_paginator().items().send();
    let profiles = there(profiles.collect::<Result<Vec<_>, _>>().await)?;
    Some(RoleSnapshot {
        path: role.path,
        id: role.role_id,
        arn: role.arn,
        trust: decoded(&role.assume_role_policy_document.unwrap()),
        description: role.description.filter(|text| !text.is_empty()),
        max_session: role.max_session_duration.unwrap().into(),
        boundary: role
            .permissions_boundary
            .and_then(|b| b.permissions_boundary_arn),
        tags: tags(role.tags),
        inline,
        attached: attached
            .into_iter()
            .filter_map(|policy| policy.policy_arn)
            .collect(),
        instance_profiles: profiles
            .into_iter()
            .map(|p| p.instance_profile_name)
            .collect(),
        last_used: role
            .role_last_used
            .and_then(|used| Some(used.last_used_date?.secs())),
    })
}

async fn policy_of(iam: &Client, arn: &str) -> Option<PolicySnapshot> {
    let policy = there(iam.get_policy().policy_arn(arn).send().await)?.policy?;
    let listed = iam.list_policy_versions().policy_arn(arn);
    let listed = listed.into_paginator().send();
    let mut versions = Vec::new();
    for page in there(listed.collect::<Result<Vec<_>, _>>().await)? {
        for id in ids(page.versions) {
            let get = iam.get_policy_version().policy_arn(arn).version_id(&id);
            let document = there(get.send().await)?.policy_version?.document?;
            versions.push(VersionSnapshot {
                id,
                document: decoded(&document),
            });
        }
    }
    versions.sort_by_key(|version| version.id[1..].parse::<u32>().unwrap());
    let default = policy.default_version_id?;
    Some(PolicySnapshot {
        path: policy.path?,
        id: policy.policy_id?,
        arn: policy.arn?,
        description: policy.description.filter(|text| !text.is_empty()),
        document: versions
            .iter()
            .find(|version| version.id == default)?
            .document
            .clone(),
        default_version: default,
        versions,
        tags: tags(policy.tags),
    })
}

async fn profile_of(iam: &Client, name: &str) -> Option<ProfileSnapshot> {
    let get = iam.get_instance_profile().instance_profile_name(name);
    let profile = there(get.send().await)?.instance_profile?;
    Some(ProfileSnapshot {
        path: profile.path,
        id: profile.instance_profile_id,
        arn: profile.arn,
        role: profile.roles.into_iter().next().map(|role| role.role_name),
        tags: tags(profile.tags),
    })
}

/// `NoSuchEntity` is an answer; any other error is not.
fn there<T, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) if error.code() == Some("NoSuchEntity") => None,
        Err(error) => panic!("IAM can't be read: {error:?}"),
    }
}

fn ids(versions: Option<Vec<PolicyVersion>>) -> impl Iterator<Item = String> {
    versions
        .into_iter()
        .flatten()
        .filter_map(|version| version.version_id)
}

fn tags(tags: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    tags.into_iter()
        .flatten()
        .map(|tag| (tag.key, tag.value))
        .collect()
}

/// Percent-encoded, as IAM answers documents, or as it is, as moto answers some.
pub fn decoded(document: &str) -> String {
    if document.starts_with('{') {
        return document.to_owned();
    }
    let text = percent_encoding::percent_decode_str(document).decode_utf8();
    text.unwrap().into_owned()
}
