//! Tags of roles, policies and instance profiles. An account enters and leaves; no IO.

use super::Context;
use crate::rules::{self, KeyCase};
use crate::store::{Account, Profile, Role, Tags};
use crate::wire::{Result, Xml};

/// The list of tags in an answer.
pub(super) fn write_tags(xml: &mut Xml, tags: &Tags) {
    xml.list("Tags", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

/// Tags that a request sets, over those that are there.
fn set(held: &Tags, cx: &Context<'_>, case: KeyCase) -> Result<Tags> {
    let new = cx.params.tags();
    rules::tags(&new, case)?;
    rules::merge_tags(held, new, case, cx.quotas)
}

fn unset(held: &Tags, cx: &Context<'_>, case: KeyCase) -> Result<Tags> {
    rules::remove_tags(held, &cx.params.list("TagKeys"), case)
}

fn listing(tags: &Tags, cx: &Context<'_>) -> Result<Xml> {
    let mut sorted: Vec<_> = tags
        .iter()
        .map(|tag| (tag.0.clone(), tag.clone()))
        .collect();
    sorted.sort();
    let page = cx.page(sorted)?;
    let mut xml = Xml::default();
    write_tags(&mut xml, &page.items);
    page.write_end(&mut xml);
    Ok(xml)
}

pub(super) fn tag_role(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    role.tags = set(&role.tags, cx, KeyCase::Ignored)?;
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn untag_role(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    role.tags = unset(&role.tags, cx, KeyCase::Ignored)?;
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn list_role(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    listing(&cx.role(account)?.tags, cx)
}

pub(super) fn tag_policy(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut policy = cx.own_policy(account)?;
    policy.tags = set(&policy.tags, cx, KeyCase::Matters)?;
    account.put_policy(policy);
    Ok(Xml::default())
}

pub(super) fn untag_policy(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut policy = cx.own_policy(account)?;
    policy.tags = unset(&policy.tags, cx, KeyCase::Matters)?;
    account.put_policy(policy);
    Ok(Xml::default())
}

pub(super) fn list_policy(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    listing(&cx.policy(account)?.tags, cx)
}

pub(super) fn tag_profile(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut profile = Profile::clone(cx.profile(account)?);
    profile.tags = set(&profile.tags, cx, KeyCase::Matters)?;
    account.put_profile(profile);
    Ok(Xml::default())
}

pub(super) fn untag_profile(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut profile = Profile::clone(cx.profile(account)?);
    profile.tags = unset(&profile.tags, cx, KeyCase::Matters)?;
    account.put_profile(profile);
    Ok(Xml::default())
}

pub(super) fn list_profile(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    listing(&cx.profile(account)?.tags, cx)
}
