//! Instance profiles, and the one role in each. An account enters and leaves; no IO.

use super::Context;
use super::role::write_role;
use super::tags::write_tags;
use crate::rules::{self, KeyCase};
use crate::store::{Account, Profile, Role, key};
use crate::wire::{IamError, Result, Xml};

/// The members that every answer about a profile has.
pub(super) fn write_profile(xml: &mut Xml, account: &Account, profile: &Profile) {
    xml.text("Path", &profile.path);
    xml.text("InstanceProfileName", &profile.name);
    xml.text("InstanceProfileId", &profile.id);
    xml.text("Arn", &profile.arn);
    xml.date("CreateDate", profile.created);
    let role = profile.role.as_ref().and_then(|key| account.roles.get(key));
    xml.list("Roles", role, |xml, role| write_role(xml, account, role));
}

pub(super) fn create(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let name = cx.params.required("InstanceProfileName")?;
    rules::profile_name(name)?;
    let path = cx.path();
    rules::path(path)?;
    let tags = cx.params.tags();
    rules::tags(&tags, KeyCase::Matters)?;
    if account.profiles.contains_key(&key(name)) {
        return Err(IamError::already_exists(format!(
            "Instance Profile {name} already exists."
        )));
    }
    if account.profiles.size() >= cx.quotas.instance_profiles {
        return Err(IamError::quota(
            "InstanceProfilesPerAccount",
            cx.quotas.instance_profiles,
        ));
    }
    let profile = Profile {
        name: name.to_owned(),
        path: path.to_owned(),
        id: cx.ids.next("AIPA"),
        arn: cx.arn("instance-profile", path, name),
        created: cx.now,
        role: None,
        tags,
    };
    let mut xml = Xml::default();
    xml.group("InstanceProfile", |xml| {
        write_profile(xml, account, &profile);
        if !profile.tags.is_empty() {
            write_tags(xml, &profile.tags);
        }
    });
    account.put_profile(profile);
    Ok(xml)
}

pub(super) fn get(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let profile = cx.profile(account)?;
    let mut xml = Xml::default();
    xml.group("InstanceProfile", |xml| {
        write_profile(xml, account, profile);
        write_tags(xml, &profile.tags);
    });
    Ok(xml)
}

pub(super) fn delete(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let profile = cx.profile(account)?.clone();
    if profile.role.is_some() {
        return Err(IamError::delete_conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    account.profiles.remove_mut(&key(&profile.name));
    Ok(Xml::default())
}

pub(super) fn list(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let prefix = cx.path_prefix()?;
    let profiles = account
        .profiles
        .iter()
        .filter(|(_, profile)| profile.path.starts_with(prefix))
        .map(|(key, profile)| (key.clone(), profile));
    let page = cx.page(profiles)?;
    let mut xml = Xml::default();
    // IAM leaves out tags here.
    xml.list("InstanceProfiles", &page.items, |xml, profile| {
        write_profile(xml, account, profile);
    });
    page.write_end(&mut xml);
    Ok(xml)
}

pub(super) fn list_for_role(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let role = cx.role(account)?;
    let profiles = role.profiles.iter().filter_map(|key| {
        account
            .profiles
            .get(key)
            .map(|profile| (key.clone(), profile))
    });
    let page = cx.page(profiles)?;
    let mut xml = Xml::default();
    xml.list("InstanceProfiles", &page.items, |xml, profile| {
        write_profile(xml, account, profile);
    });
    page.write_end(&mut xml);
    Ok(xml)
}

pub(super) fn add_role(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut profile = Profile::clone(cx.profile(account)?);
    let mut role = Role::clone(cx.role(account)?);
    // The same role again is refused as well: IAM counts before it compares.
    if profile.role.is_some() {
        return Err(IamError::quota("InstanceSessionsPerInstanceProfile", 1));
    }
    profile.role = Some(key(&role.name));
    role.profiles.insert(key(&profile.name));
    account.put_profile(profile);
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn remove_role(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut profile = Profile::clone(cx.profile(account)?);
    let mut role = Role::clone(cx.role(account)?);
    if profile.role.take() != Some(key(&role.name)) {
        return Err(IamError::no_such_entity(format!(
            "Role {} in Instance Profile {} cannot be found.",
            role.name, profile.name
        )));
    }
    role.profiles.remove(&key(&profile.name));
    account.put_profile(profile);
    account.put_role(role);
    Ok(Xml::default())
}
