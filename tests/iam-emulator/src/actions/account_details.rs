//! The whole account at once: `GetAccountAuthorizationDetails` and `GetAccountSummary`. No IO.

use std::sync::Arc;

use super::Context;
use super::attachment::write_attached;
use super::policy::write_policy;
use super::profile::write_profile;
use super::role::{write_boundary, write_last_used, write_role};
use super::tags::write_tags;
use super::version::write_version;
use crate::store::{Account, Policy, Role};
use crate::wire::{IamError, Result, Xml};

enum Entity {
    Role(Arc<Role>),
    Policy(Arc<Policy>),
}

const KINDS: [&str; 5] = [
    "User",
    "Role",
    "Group",
    "LocalManagedPolicy",
    "AWSManagedPolicy",
];

pub(super) fn details(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let filter = cx.params.list("Filter");
    if filter.iter().any(|kind| !KINDS.contains(kind)) {
        return Err(IamError::constraint(
            "filter",
            "Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, \
             AWSManagedPolicy]",
        ));
    }
    let asked = |kind: &&str| filter.is_empty() || filter.contains(kind);
    // One order over all kinds, so that one marker is enough: roles, own policies, AWS's.
    let roles = account.roles.iter().filter(|_| asked(&"Role"));
    let roles = roles.map(|(key, role)| (format!("1{key}"), Entity::Role(role.clone())));
    let local = account
        .policies
        .iter()
        .filter(|_| asked(&"LocalManagedPolicy"));
    let local = local.map(|(key, policy)| (format!("2{key}"), Entity::Policy(policy.clone())));
    let aws = account
        .aws_policies_in_use()
        .filter(|_| asked(&"AWSManagedPolicy"));
    let aws = aws.map(|policy| (format!("3{}", policy.arn), Entity::Policy(policy)));
    let page = cx.page(roles.chain(local).chain(aws))?;

    let mut xml = Xml::default();
    xml.list("UserDetailList", std::iter::empty::<()>(), |_, ()| {});
    xml.list("GroupDetailList", std::iter::empty::<()>(), |_, ()| {});
    let roles = page.items.iter().filter_map(|entity| match entity {
        Entity::Role(role) => Some(role),
        Entity::Policy(_) => None,
    });
    xml.list("RoleDetailList", roles, |xml, role| {
        write_role_detail(xml, account, role);
    });
    let policies = page.items.iter().filter_map(|entity| match entity {
        Entity::Policy(policy) => Some(policy),
        Entity::Role(_) => None,
    });
    // No tags, and no description: a caller that needs them has to ask for each policy.
    xml.list("Policies", policies, |xml, policy| {
        write_policy(xml, account, policy);
        xml.list(
            "PolicyVersionList",
            policy.versions.iter().rev(),
            |xml, version| {
                write_version(xml, policy, version, true);
            },
        );
    });
    page.write_end(&mut xml);
    Ok(xml)
}

/// A role without description and longest session: IAM has no place for them here.
fn write_role_detail(xml: &mut Xml, account: &Account, role: &Role) {
    write_role(xml, account, role);
    let profiles = role
        .profiles
        .iter()
        .filter_map(|key| account.profiles.get(key));
    xml.list("InstanceProfileList", profiles, |xml, profile| {
        write_profile(xml, account, profile);
    });
    xml.list("RolePolicyList", &role.inline, |xml, (name, document)| {
        xml.text("PolicyName", name);
        xml.document("PolicyDocument", document);
    });
    xml.list("AttachedManagedPolicies", &role.attached, |xml, arn| {
        write_attached(xml, arn);
    });
    write_boundary(xml, role);
    write_tags(xml, &role.tags);
    write_last_used(xml, role);
}

#[expect(clippy::unnecessary_wraps, reason = "every action has one signature")]
pub(super) fn summary(account: &Account, cx: &Context<'_>) -> Result<Xml> {
    let entries = [
        (
            "AttachedPoliciesPerRoleQuota",
            cx.quotas.attached_policies_per_role,
        ),
        ("InstanceProfiles", account.profiles.size()),
        ("InstanceProfilesQuota", cx.quotas.instance_profiles),
        ("Policies", account.policies.size()),
        ("PoliciesQuota", cx.quotas.policies),
        ("PolicySizeQuota", cx.quotas.managed_policy_size),
        ("RolePolicySizeQuota", cx.quotas.inline_policies_size),
        ("Roles", account.roles.size()),
        ("RolesQuota", cx.quotas.roles),
        ("VersionsPerPolicyQuota", cx.quotas.versions_per_policy),
        ("AssumeRolePolicySizeQuota", cx.quotas.trust_policy_size),
    ];
    let mut xml = Xml::default();
    xml.group("SummaryMap", |xml| {
        for (name, value) in entries {
            xml.group("entry", |xml| {
                xml.text("key", name);
                xml.value("value", value);
            });
        }
    });
    Ok(xml)
}
