//! Roles: create, look, change, delete. An account enters and leaves; no IO.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::tags::write_tags;
use crate::document;
use crate::rules::{self, KeyCase};
use crate::store::{Account, Role, key};
use crate::wire::{IamError, Result, Xml};

/// The members that every answer about a role has.
pub(super) fn write_role(xml: &mut Xml, account: &Account, role: &Role) {
    xml.text("Path", &role.path);
    xml.text("RoleName", &role.name);
    xml.text("RoleId", &role.id);
    xml.text("Arn", &role.arn);
    xml.date("CreateDate", role.created);
    xml.document("AssumeRolePolicyDocument", &role.trust_now(account));
}

/// When a role was used last: an empty element when it never was.
pub(super) fn write_last_used(xml: &mut Xml, role: &Role) {
    xml.group("RoleLastUsed", |xml| {
        if let Some(used) = role.last_used {
            xml.date("LastUsedDate", used);
            xml.text("Region", "us-east-1");
        }
    });
}

/// The boundary of a role, if it has one.
pub(super) fn write_boundary(xml: &mut Xml, role: &Role) {
    if let Some(arn) = &role.boundary {
        xml.group("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy");
            xml.text("PermissionsBoundaryArn", arn);
        });
    }
}

/// The trust policy of a request, checked: its text, and the roles that it names.
fn trust(
    account: &Account,
    cx: &Context<'_>,
    parameter: &str,
) -> Result<(String, BTreeMap<String, String>)> {
    let text = cx.params.required(parameter)?;
    let own = format!("arn:{}:iam::{}:", cx.partition, cx.account_id);
    let mut trusted = BTreeMap::new();
    for arn in document::check_trust(text, cx.partition)? {
        // Principals of other accounts are taken as they are: nobody here can look them up.
        let Some(resource) = arn.strip_prefix(&own).map(str::to_owned) else {
            continue;
        };
        match account.role_by_arn(&arn) {
            Some(role) => {
                trusted.insert(arn, role.id.clone());
            }
            None if resource == "root" => {}
            None => return Err(document::invalid_principal("AWS", &arn)),
        }
    }
    if document::size(text) > cx.quotas.trust_policy_size {
        return Err(IamError::quota(
            "ACLSizePerRole",
            cx.quotas.trust_policy_size,
        ));
    }
    Ok((text.to_owned(), trusted))
}

pub(super) fn create(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let name = cx.params.required("RoleName")?;
    rules::role_name(name)?;
    let path = cx.path();
    rules::path(path)?;
    let max_session = cx.params.number("MaxSessionDuration")?.unwrap_or(3600);
    rules::max_session(max_session)?;
    let description = cx.params.get("Description").filter(|text| !text.is_empty());
    rules::role_description(description.unwrap_or_default())?;
    let tags = cx.params.tags();
    rules::tags(&tags, KeyCase::Ignored)?;
    let (trust, trusted_roles) = trust(account, cx, "AssumeRolePolicyDocument")?;
    let boundary = cx.params.get("PermissionsBoundary").map(str::to_owned);
    if let Some(arn) = &boundary {
        super::boundary::check(account, arn)?;
    }
    if account.roles.contains_key(&key(name)) {
        return Err(IamError::already_exists(format!(
            "Role with name {name} already exists."
        )));
    }
    if account.roles.size() >= cx.quotas.roles {
        return Err(IamError::quota("RolesPerAccount", cx.quotas.roles));
    }
    let role = Role {
        name: name.to_owned(),
        path: path.to_owned(),
        id: cx.ids.next("AROA"),
        arn: cx.arn("role", path, name),
        created: cx.now,
        trust,
        trusted_roles,
        description: description.map(str::to_owned),
        max_session,
        boundary,
        tags,
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        profiles: BTreeSet::new(),
        last_used: None,
    };
    let mut xml = Xml::default();
    xml.group("Role", |xml| {
        write_role(xml, account, &role);
        write_boundary(xml, &role);
        if !role.tags.is_empty() {
            write_tags(xml, &role.tags);
        }
    });
    account.put_role(role);
    Ok(xml)
}

/// A role as `GetRole` answers it.
fn write_whole(xml: &mut Xml, account: &Account, role: &Role) {
    xml.group("Role", |xml| {
        write_role(xml, account, role);
        xml.optional("Description", role.description.as_deref());
        xml.value("MaxSessionDuration", role.max_session);
        write_boundary(xml, role);
        if !role.tags.is_empty() {
            write_tags(xml, &role.tags);
        }
        write_last_used(xml, role);
    });
}

pub(super) fn get(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let role = cx.role(account)?;
    let mut xml = Xml::default();
    write_whole(&mut xml, account, role);
    Ok(xml)
}

pub(super) fn list(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let prefix = cx.path_prefix()?;
    let roles = account
        .roles
        .iter()
        .filter(|(_, role)| role.path.starts_with(prefix))
        .map(|(key, role)| (key.clone(), role));
    let page = cx.page(roles)?;
    let mut xml = Xml::default();
    // IAM leaves out boundary, tags and last use here.
    xml.list("Roles", &page.items, |xml, role| {
        write_role(xml, account, role);
        xml.optional("Description", role.description.as_deref());
        xml.value("MaxSessionDuration", role.max_session);
    });
    page.write_end(&mut xml);
    Ok(xml)
}

pub(super) fn update(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    let description = cx.params.get("Description").filter(|text| !text.is_empty());
    rules::role_description(description.unwrap_or_default())?;
    // What is left out goes back to its default: the strict reading, which a caller that sends
    // both never meets.
    let max_session = cx.params.number("MaxSessionDuration")?.unwrap_or(3600);
    rules::max_session(max_session)?;
    role.description = description.map(str::to_owned);
    role.max_session = max_session;
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn update_description(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    let description = cx.params.required("Description")?;
    rules::role_description(description)?;
    role.description = Some(description.to_owned()).filter(|text| !text.is_empty());
    let mut xml = Xml::default();
    write_whole(&mut xml, account, &role);
    account.put_role(role);
    Ok(xml)
}

pub(super) fn update_trust(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    (role.trust, role.trusted_roles) = trust(account, cx, "PolicyDocument")?;
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn delete(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let role = cx.role(account)?.clone();
    let conflict = if !role.profiles.is_empty() {
        Some("Cannot delete entity, must remove roles from instance profile first.")
    } else if !role.attached.is_empty() {
        Some("Cannot delete entity, must detach all policies first.")
    } else if !role.inline.is_empty() {
        Some("Cannot delete entity, must delete policies first.")
    } else {
        None
    };
    if let Some(message) = conflict {
        return Err(IamError::delete_conflict(message));
    }
    account.remove_role(&role.name);
    Ok(Xml::default())
}
