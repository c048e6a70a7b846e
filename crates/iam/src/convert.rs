//! The SDK's types → the core's `Observed…`, and tags the other way. Values in, values out; no IO. The
//! only place that knows how the SDK shapes what IAM holds.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, InstanceProfile, ManagedPolicyDetail, Policy, PolicyVersion, Role,
    RoleDetail, RoleLastUsed, Tag,
};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use smr_core::Tags;
use smr_core::failure::{Failure, FailureClass};
use smr_core::observed::{ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use smr_core::sweep::ListedPolicy;

/// What IAM takes where nobody sets `MaxSessionDuration`, in seconds.
const DEFAULT_SESSION: i32 = 3600;

/// `NoSuchEntity` is an answer too.
pub(crate) fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.class == FailureClass::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// IAM gives documents percent-encoded (RFC 3986), which the SDK leaves so. A plus is a plus.
/// Some stand-ins give raw JSON, which begins with a brace. What can't be decoded stays as it is, so that
/// it is no document: with other characters in the place of the broken ones it might be the wanted one.
pub(crate) fn decoded(document: &str) -> String {
    if document.trim_start().starts_with('{') || !is_encoded(document) {
        return document.to_owned();
    }
    match percent_decode_str(document).decode_utf8() {
        Ok(text) => text.into_owned(),
        Err(_) => document.to_owned(),
    }
}

/// Whether two hex digits follow each percent sign.
fn is_encoded(document: &str) -> bool {
    let mut escapes = document.split('%').skip(1).map(str::as_bytes);
    escapes.all(|after| {
        matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

pub(crate) fn tags(tags: Vec<Tag>) -> Tags {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// The SDK's builder fails only where key or value is missing.
pub(crate) fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok())
        .collect()
}

fn timestamp(date: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(date.secs()).ok()
}

fn last_used(used: Option<RoleLastUsed>) -> Option<Timestamp> {
    timestamp(&used?.last_used_date?)
}

fn boundary(boundary: Option<AttachedPermissionsBoundary>) -> Option<String> {
    boundary?.permissions_boundary_arn
}

fn trust(document: Option<&str>) -> String {
    decoded(document.unwrap_or_default())
}

/// What `ListRoles` has that the bulk call leaves out: description and session duration.
pub(crate) fn role_settings(role: Role) -> (String, i32) {
    (
        role.description.unwrap_or_default(),
        role.max_session_duration.unwrap_or(DEFAULT_SESSION),
    )
}

/// A role as `GetRole` gives it: without its policies.
pub(crate) fn role(role: Role) -> ObservedRole {
    ObservedRole {
        trust: trust(role.assume_role_policy_document.as_deref()),
        boundary: boundary(role.permissions_boundary),
        tags: tags(role.tags.unwrap_or_default()),
        last_used: last_used(role.role_last_used),
        created: timestamp(&role.create_date),
        description: role.description.unwrap_or_default(),
        max_session_duration: role.max_session_duration.unwrap_or(DEFAULT_SESSION),
        arn: role.arn,
        id: role.role_id,
        name: role.role_name,
        attached: BTreeSet::new(),
        inline: BTreeMap::new(),
    }
}

/// A role as `ListRoles` gives it: without boundary, tags and policies.
pub(crate) fn listed_role(listed: Role) -> ObservedRole {
    ObservedRole {
        boundary: None,
        tags: Tags::new(),
        last_used: None,
        created: None,
        ..role(listed)
    }
}

/// A role as the bulk call gives it, with the settings that it leaves out; its tags were read already.
pub(crate) fn role_detail(
    role: RoleDetail,
    tags: Tags,
    (description, max_session_duration): (String, i32),
) -> ObservedRole {
    let inline = role.role_policy_list.unwrap_or_default().into_iter();
    let attached = role.attached_managed_policies.unwrap_or_default();
    ObservedRole {
        arn: role.arn.unwrap_or_default(),
        id: role.role_id.unwrap_or_default(),
        name: role.role_name.unwrap_or_default(),
        trust: trust(role.assume_role_policy_document.as_deref()),
        description,
        max_session_duration,
        boundary: boundary(role.permissions_boundary),
        tags,
        created: None,
        last_used: last_used(role.role_last_used),
        attached: (attached.into_iter().filter_map(|p| p.policy_arn)).collect(),
        inline: inline
            .filter_map(|p| Some((p.policy_name?, Some(decoded(&p.policy_document?)))))
            .collect(),
    }
}

/// A policy as `GetPolicy` gives it, with the document of its default version and all its versions.
pub(crate) fn policy(
    policy: Policy,
    asked_for: &str,
    document: &str,
    versions: BTreeSet<String>,
) -> ObservedPolicy {
    ObservedPolicy {
        arn: policy.arn.unwrap_or_else(|| asked_for.to_owned()),
        id: policy.policy_id.unwrap_or_default(),
        name: policy.policy_name.unwrap_or_default(),
        tags: tags(policy.tags.unwrap_or_default()),
        created: policy.create_date.as_ref().and_then(timestamp),
        document: decoded(document),
        versions,
        default_version: policy.default_version_id.unwrap_or_default(),
    }
}

/// A policy as `ListPolicies` gives it: without tags and document.
pub(crate) fn listed_policy(policy: Policy) -> ListedPolicy {
    ListedPolicy {
        arn: policy.arn.unwrap_or_default(),
        id: policy.policy_id.unwrap_or_default(),
        name: policy.policy_name.unwrap_or_default(),
        default_version: policy.default_version_id.unwrap_or_default(),
        attachments: policy.attachment_count.unwrap_or_default(),
    }
}

/// A policy as the bulk call gives it: without tags.
pub(crate) fn policy_detail(policy: ManagedPolicyDetail) -> ObservedPolicy {
    let versions = policy.policy_version_list.unwrap_or_default();
    let default_version = policy.default_version_id.unwrap_or_default();
    let is_default = |v: &&PolicyVersion| v.version_id.as_deref() == Some(default_version.as_str());
    let document = versions
        .iter()
        .find(is_default)
        .and_then(|v| v.document.as_deref())
        .map(decoded)
        .unwrap_or_default();
    ObservedPolicy {
        arn: policy.arn.unwrap_or_default(),
        id: policy.policy_id.unwrap_or_default(),
        name: policy.policy_name.unwrap_or_default(),
        tags: Tags::new(),
        created: None,
        document,
        versions: versions.into_iter().filter_map(|v| v.version_id).collect(),
        default_version,
    }
}

/// An instance profile as `GetInstanceProfile` gives it.
pub(crate) fn instance_profile(profile: InstanceProfile) -> ObservedInstanceProfile {
    ObservedInstanceProfile {
        arn: profile.arn,
        id: profile.instance_profile_id,
        name: profile.instance_profile_name,
        tags: tags(profile.tags.unwrap_or_default()),
        created: timestamp(&profile.create_date),
        roles: (profile.roles.into_iter())
            .map(|role| role.role_name)
            .collect(),
    }
}

/// An instance profile as `ListInstanceProfiles` gives it: without tags.
pub(crate) fn listed_instance_profile(listed: InstanceProfile) -> ObservedInstanceProfile {
    ObservedInstanceProfile {
        tags: Tags::new(),
        created: None,
        ..instance_profile(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::decoded;

    mod foreign;

    #[test]
    fn documents_are_decoded_but_a_plus_is_none_of_it() {
        assert_eq!(decoded("%7B%22a%22%3A%20%22b+c%22%7D"), r#"{"a": "b+c"}"#);
        assert_eq!(decoded(r#"{"a": "100%25"}"#), r#"{"a": "100%25"}"#);
    }
}
