//! Customer managed policies: create, look, delete. An account enters and leaves; no IO.

use std::collections::BTreeMap;

use super::Context;
use super::tags::write_tags;
use crate::document;
use crate::managed;
use crate::rules::{self, KeyCase};
use crate::store::{Account, Policy, Version, key};
use crate::wire::{IamError, Result, Xml};

/// The members that every answer about a policy has.
pub(super) fn write_policy(xml: &mut Xml, account: &Account, policy: &Policy) {
    xml.text("PolicyName", &policy.name);
    xml.text("PolicyId", &policy.id);
    xml.text("Arn", &policy.arn);
    xml.text("Path", &policy.path);
    xml.value(
        "DefaultVersionId",
        format_args!("v{}", policy.default_version),
    );
    xml.value(
        "AttachmentCount",
        account.attached_roles(&policy.arn).count(),
    );
    xml.value(
        "PermissionsBoundaryUsageCount",
        account.bounded_roles(&policy.arn).count(),
    );
    xml.value("IsAttachable", true);
    xml.date("CreateDate", policy.created);
    xml.date("UpdateDate", policy.updated);
}

/// A document that may become a version of a managed policy.
pub(super) fn check_document<'a>(cx: &Context<'a>) -> Result<&'a str> {
    let text = cx.params.required("PolicyDocument")?;
    document::check_identity(text)?;
    if document::size(text) > cx.quotas.managed_policy_size {
        return Err(IamError::quota("PolicySize", cx.quotas.managed_policy_size));
    }
    Ok(text)
}

pub(super) fn create(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let name = cx.params.required("PolicyName")?;
    rules::policy_name(name)?;
    let path = cx.path();
    rules::policy_path(path)?;
    let description = cx.params.get("Description").filter(|text| !text.is_empty());
    rules::policy_description(description.unwrap_or_default())?;
    let tags = cx.params.tags();
    rules::tags(&tags, KeyCase::Matters)?;
    let text = check_document(cx)?;
    if account.policies.contains_key(&key(name)) {
        return Err(IamError::already_exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    if account.policies.size() >= cx.quotas.policies {
        return Err(IamError::quota("PoliciesPerAccount", cx.quotas.policies));
    }
    let policy = Policy {
        name: name.to_owned(),
        path: path.to_owned(),
        id: cx.ids.next("ANPA"),
        arn: cx.arn("policy", path, name),
        created: cx.now,
        updated: cx.now,
        description: description.map(str::to_owned),
        default_version: 1,
        next_version: 2,
        versions: vec![Version {
            number: 1,
            document: text.to_owned(),
            created: cx.now,
        }],
        tags,
    };
    let mut xml = Xml::default();
    xml.group("Policy", |xml| {
        write_policy(xml, account, &policy);
        if !policy.tags.is_empty() {
            write_tags(xml, &policy.tags);
        }
    });
    account.put_policy(policy);
    Ok(xml)
}

pub(super) fn get(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let policy = cx.policy(account)?;
    let mut xml = Xml::default();
    xml.group("Policy", |xml| {
        write_policy(xml, account, &policy);
        xml.optional("Description", policy.description.as_deref());
        write_tags(xml, &policy.tags);
    });
    Ok(xml)
}

pub(super) fn delete(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let policy = cx.own_policy(account)?;
    let attached = account.attached_roles(&policy.arn).next().is_some();
    let bounds = account.bounded_roles(&policy.arn).next().is_some();
    if attached || bounds {
        return Err(IamError::delete_conflict(
            "Cannot delete a policy attached to entities.",
        ));
    }
    if policy.versions.len() > 1 {
        return Err(IamError::delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete \
             the policy's versions. The default version is deleted with the policy.",
        ));
    }
    account.policies.remove_mut(&key(&policy.name));
    Ok(Xml::default())
}

pub(super) fn list(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let prefix = cx.path_prefix()?;
    let scope = cx.params.get("Scope").unwrap_or("All");
    if !["All", "AWS", "Local"].contains(&scope) {
        return Err(IamError::constraint(
            "scope",
            "Member must satisfy enum value set: [AWS, Local, All]",
        ));
    }
    let usage = cx.params.get("PolicyUsageFilter");
    let attached_only = cx.params.flag("OnlyAttached");
    let used = |policy: &Policy| match usage {
        Some("PermissionsBoundary") => account.bounded_roles(&policy.arn).next().is_some(),
        Some(_) => account.attached_roles(&policy.arn).next().is_some(),
        None => true,
    };
    let mut policies = BTreeMap::new();
    if scope != "Local" {
        policies.extend(
            managed::all(cx.partition).map(|policy| (format!("aws/{}", policy.name), policy)),
        );
    }
    if scope != "AWS" {
        let own = account.policies.iter();
        policies.extend(own.map(|(key, policy)| (key.clone(), policy.clone())));
    }
    let policies = policies.into_iter().filter(|(_, policy)| {
        policy.path.starts_with(prefix)
            && used(policy)
            && (!attached_only || account.attached_roles(&policy.arn).next().is_some())
    });
    let page = cx.page(policies)?;
    let mut xml = Xml::default();
    // IAM leaves out description and tags here.
    xml.list("Policies", &page.items, |xml, policy| {
        write_policy(xml, account, policy);
    });
    page.write_end(&mut xml);
    Ok(xml)
}
