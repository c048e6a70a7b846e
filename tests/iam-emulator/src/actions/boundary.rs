//! Permissions boundaries of roles. An account enters and leaves; no IO.

use super::Context;
use crate::rules;
use crate::store::{Account, Role};
use crate::wire::{IamError, Result, Xml};

/// A boundary has to be a managed policy that exists.
pub(super) fn check(account: &Account, arn: &str) -> Result<()> {
    rules::policy_arn(arn)?;
    if account.policy(arn).is_some() {
        return Ok(());
    }
    Err(IamError::no_such_entity(format!(
        "Scope ARN: {arn} does not exist or is not attachable."
    )))
}

pub(super) fn put(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    let arn = cx.params.required("PermissionsBoundary")?;
    check(account, arn)?;
    role.boundary = Some(arn.to_owned());
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn delete(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let mut role = Role::clone(cx.role(account)?);
    if role.boundary.take().is_none() {
        return Err(IamError::no_such_entity(format!(
            "The role with name {} does not have a permissions boundary.",
            role.name
        )));
    }
    account.put_role(role);
    Ok(Xml::default())
}
