//! What AWS would authorise a call on: a call and the store before it enter; the resource, its tags
//! and the condition keys leave, as one line of JSON at the end of a file. Does IO.
//!
//! So a policy can be judged by an evaluator from calls that were really made. Which keys AWS sends
//! with which action is in its service authorization reference.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::actions::Context;
use crate::store::Account;

/// Appends a call.
pub fn note(file: &Path, access_key_id: &str, action: &str, cx: &Context<'_>, before: &Account) {
    let line = format!("{}\n", line(access_key_id, action, cx, before));
    // One write, so that lines of several emulators don't mix. A record that can't be written is
    // missed by whoever wants to read it.
    let open = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file);
    let _ = open.and_then(|mut file| file.write_all(line.as_bytes()));
}

fn line(
    access_key_id: &str,
    action: &str,
    cx: &Context<'_>,
    before: &Account,
) -> serde_json::Value {
    let param = |name: &str| cx.params.get(name);
    let arn = |kind: &str, name: &str| {
        let path = param("Path").unwrap_or("/");
        format!(
            "arn:{}:iam::{}:{kind}{path}{name}",
            cx.partition, cx.account_id
        )
    };
    // A creation is authorised on what is to be, also where something of that name exists.
    let creates = ["CreateRole", "CreatePolicy", "CreateInstanceProfile"].contains(&action);
    let role = param("RoleName").map(|name| (name, before.role(name).filter(|_| !creates)));
    let role_arn =
        role.map(|(name, role)| role.map_or_else(|| arn("role", name), |r| r.arn.clone()));
    let (resource, tags) = if let Some(name) = param("InstanceProfileName") {
        let found = before.profile(name).filter(|_| !creates);
        let resource = found.map_or_else(|| arn("instance-profile", name), |p| p.arn.clone());
        (resource, found.map(|p| p.tags.clone()))
    } else if let (Some((_, found)), Some(resource)) = (role, &role_arn) {
        (resource.clone(), found.map(|r| r.tags.clone()))
    } else if let Some(resource) = param("PolicyArn") {
        let found = before.customer_policy(resource);
        (resource.to_owned(), found.map(|p| p.tags.clone()))
    } else if let Some(name) = param("PolicyName") {
        (arn("policy", name), None)
    } else {
        ("*".to_owned(), None)
    };
    let map = |tags: Vec<(String, String)>| tags.into_iter().collect::<BTreeMap<_, _>>();
    let boundary = param("PermissionsBoundary")
        .map(str::to_owned)
        .or_else(|| role.and_then(|(_, role)| role?.boundary.clone()));
    let untagged: Vec<&str> = cx.params.list("TagKeys");
    json!({
        "accessKeyId": access_key_id,
        "action": action,
        "resource": resource,
        "resourceTags": map(tags.unwrap_or_default()),
        "requestTags": map(cx.params.tags()),
        "untaggedKeys": untagged,
        "boundary": boundary,
        "policyArn": param("PolicyArn"),
        "role": role_arn,
    })
}
