//! Managed policies on roles: attach, detach, and both directions of looking. No IO.

use super::Context;
use crate::rules;
use crate::store::{Account, Role, key};
use crate::wire::{IamError, Result, Xml};

/// One attached policy.
pub(super) fn write_attached(xml: &mut Xml, arn: &str) {
    xml.text("PolicyName", arn.rsplit('/').next().unwrap_or_default());
    xml.text("PolicyArn", arn);
}

pub(super) fn attach(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    let arn = cx.params.required("PolicyArn")?;
    rules::policy_arn(arn)?;
    if account.policy(arn).is_none() {
        return Err(IamError::no_such_entity(format!(
            "Policy {arn} does not exist or is not attachable."
        )));
    }
    let limit = cx.quotas.attached_policies_per_role;
    if role.attached.insert(arn.to_owned()) && role.attached.len() > limit {
        return Err(IamError::quota("PoliciesPerRole", limit));
    }
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn detach(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    let arn = cx.params.required("PolicyArn")?;
    rules::policy_arn(arn)?;
    if !role.attached.remove(arn) {
        return Err(IamError::no_such_entity(format!(
            "Policy {arn} was not found."
        )));
    }
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn list(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let role = cx.role(account)?;
    let prefix = cx.path_prefix()?;
    let attached = role
        .attached
        .iter()
        .filter(|arn| policy_path(arn).starts_with(prefix))
        .map(|arn| (arn.clone(), arn));
    let page = cx.page(attached)?;
    let mut xml = Xml::default();
    xml.list("AttachedPolicies", &page.items, |xml, arn| {
        write_attached(xml, arn);
    });
    page.write_end(&mut xml);
    Ok(xml)
}

/// The path inside a policy's ARN.
fn policy_path(arn: &str) -> &str {
    let resource = arn
        .split_once(":policy")
        .map_or("", |(_, resource)| resource);
    &resource[..=resource.rfind('/').unwrap_or(0)]
}

pub(super) fn entities(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let policy = cx.policy(account)?;
    let prefix = cx.path_prefix()?;
    let kind = cx.params.get("EntityFilter");
    let usage = cx.params.get("PolicyUsageFilter");
    let attached = account
        .attached_roles(&policy.arn)
        .filter(|_| usage != Some("PermissionsBoundary"));
    let bounded = account
        .bounded_roles(&policy.arn)
        .filter(|_| usage != Some("PermissionsPolicy"));
    let mut roles: Vec<_> = attached
        .chain(bounded)
        .filter(|role| kind.is_none_or(|kind| kind == "Role") && role.path.starts_with(prefix))
        .map(|role| (key(&role.name), role))
        .collect();
    roles.sort_by(|a, b| a.0.cmp(&b.0));
    roles.dedup_by(|a, b| a.0 == b.0);
    let page = cx.page(roles)?;
    let mut xml = Xml::default();
    xml.list("PolicyGroups", std::iter::empty::<()>(), |_, ()| {});
    xml.list("PolicyUsers", std::iter::empty::<()>(), |_, ()| {});
    xml.list("PolicyRoles", &page.items, |xml, role| {
        xml.text("RoleName", &role.name);
        xml.text("RoleId", &role.id);
    });
    page.write_end(&mut xml);
    Ok(xml)
}
