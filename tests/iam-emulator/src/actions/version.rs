//! Versions of managed policies. An account enters and leaves; no IO.

use std::sync::Arc;

use super::Context;
use super::policy::check_document;
use crate::rules;
use crate::store::{Account, Policy, Version};
use crate::wire::{IamError, Result, Xml};

/// The members of one version; its document only where IAM answers it.
pub(super) fn write_version(xml: &mut Xml, policy: &Policy, version: &Version, document: bool) {
    if document {
        xml.document("Document", &version.document);
    }
    xml.value("VersionId", format_args!("v{}", version.number));
    xml.value("IsDefaultVersion", version.number == policy.default_version);
    xml.date("CreateDate", version.created);
}

/// The policy and its version that a call names. IAM says the same of either that is missing.
fn asked(account: &Account, cx: &Context<'_>) -> Result<(Arc<Policy>, Version)> {
    let arn = cx.params.required("PolicyArn")?;
    rules::policy_arn(arn)?;
    let id = cx.params.required("VersionId")?;
    // v1, v2, …: `v0` and `v01` name nothing, and a suffix after a dot is allowed by the model.
    let digits = id
        .strip_prefix('v')
        .map(|rest| rest.split('.').next().unwrap_or(rest));
    let number: u32 = digits
        .filter(|digits| !digits.starts_with('0'))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| {
            IamError::constraint(
                "versionId",
                r"Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?",
            )
        })?;
    let found = account.policy(arn).and_then(|policy| {
        let version = policy.version(number)?.clone();
        Some((policy, version))
    });
    found.ok_or_else(|| {
        IamError::no_such_entity(format!(
            "Policy {arn} version {id} does not exist or is not attachable."
        ))
    })
}

pub(super) fn create(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut policy = cx.own_policy(account)?;
    let text = check_document(cx)?;
    if policy.versions.len() >= cx.quotas.versions_per_policy {
        return Err(IamError::new(
            409,
            "LimitExceeded",
            format!(
                "A managed policy can have up to {} versions. Before you create a new version, \
                 you must delete an existing version.",
                cx.quotas.versions_per_policy
            ),
        ));
    }
    let version = Version {
        number: policy.next_version,
        document: text.to_owned(),
        created: cx.now,
    };
    policy.next_version += 1;
    if cx.params.flag("SetAsDefault") {
        policy.default_version = version.number;
    }
    policy.updated = cx.now;
    let mut xml = Xml::default();
    xml.group("PolicyVersion", |xml| {
        write_version(xml, &policy, &version, false);
    });
    policy.versions.push(version);
    account.put_policy(policy);
    Ok(xml)
}

pub(super) fn get(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let (policy, version) = asked(account, cx)?;
    let mut xml = Xml::default();
    xml.group("PolicyVersion", |xml| {
        write_version(xml, &policy, &version, true);
    });
    Ok(xml)
}

pub(super) fn list(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let policy = cx.policy(account)?;
    // Newest first; the key of a page counts down with the number.
    let versions = policy.versions.iter().rev();
    let page = cx.page(versions.map(|v| (format!("{:010}", u32::MAX - v.number), v)))?;
    let mut xml = Xml::default();
    xml.list("Versions", &page.items, |xml, version| {
        write_version(xml, &policy, version, false);
    });
    page.write_end(&mut xml);
    Ok(xml)
}

pub(super) fn delete(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let (_, Version { number, .. }) = asked(account, cx)?;
    let mut policy = cx.own_policy(account)?;
    if number == policy.default_version {
        return Err(IamError::delete_conflict(
            "Cannot delete the default version of a policy.",
        ));
    }
    policy.versions.retain(|version| version.number != number);
    account.put_policy(policy);
    Ok(Xml::default())
}

pub(super) fn set_default(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let (_, version) = asked(account, cx)?;
    let mut policy = cx.own_policy(account)?;
    policy.default_version = version.number;
    policy.updated = cx.now;
    account.put_policy(policy);
    Ok(Xml::default())
}
