//! Inline policies of roles. An account enters and leaves; no IO.

use super::Context;
use crate::document;
use crate::rules;
use crate::store::{Account, Role};
use crate::wire::{IamError, Result, Xml};

fn missing(name: &str) -> IamError {
    IamError::no_such_entity(format!("The role policy with name {name} cannot be found."))
}

pub(super) fn put(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let name = cx.params.required("PolicyName")?;
    rules::policy_name(name)?;
    let text = cx.params.required("PolicyDocument")?;
    let mut role = Role::clone(cx.role(account)?);
    document::check_identity(text)?;
    role.inline.insert(name.to_owned(), text.to_owned());
    let size: usize = role.inline.values().map(|text| document::size(text)).sum();
    let limit = cx.quotas.inline_policies_size;
    if size > limit {
        return Err(IamError::new(
            409,
            "LimitExceeded",
            format!(
                "Maximum policy size of {limit} bytes exceeded for role {}",
                role.name
            ),
        ));
    }
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn get(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let name = cx.params.required("PolicyName")?;
    rules::policy_name(name)?;
    let role = cx.role(account)?;
    let text = role.inline.get(name).ok_or_else(|| missing(name))?;
    let mut xml = Xml::default();
    xml.text("RoleName", &role.name);
    xml.text("PolicyName", name);
    xml.document("PolicyDocument", text);
    Ok(xml)
}

pub(super) fn delete(account: &mut Account, cx: &Context<'_>) -> Result<Xml> {
    let name = cx.params.required("PolicyName")?;
    rules::policy_name(name)?;
    let mut role = Role::clone(cx.role(account)?);
    role.inline.remove(name).ok_or_else(|| missing(name))?;
    account.put_role(role);
    Ok(Xml::default())
}

pub(super) fn list(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let role = cx.role(account)?;
    let page = cx.page(role.inline.keys().map(|name| (name.clone(), name)))?;
    let mut xml = Xml::default();
    xml.list("PolicyNames", &page.items, |xml, name| xml.raw(name));
    page.write_end(&mut xml);
    Ok(xml)
}
