//! IAM's actions: an account and parameters enter, a changed account and XML leave. No IO.

mod account_details;
mod attachment;
mod boundary;
mod inline;
mod paging;
mod policy;
mod profile;
mod role;
mod tags;
mod version;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Quotas;
use crate::rules;
use crate::store::{Account, Policy, Profile, Role};
use crate::wire::{IamError, Params, Result, Xml};

/// What an action knows besides the account.
pub(crate) struct Context<'a> {
    pub params: &'a Params,
    pub account_id: &'a str,
    pub partition: &'a str,
    pub now: i64,
    pub quotas: &'a Quotas,
    pub page_size: usize,
    pub ids: &'a Ids,
}

/// An action, by what it may do.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// Looks only, and may see the past.
    Read(fn(&Account, &Context<'_>) -> Result<Xml>),
    /// Changes the current state, and is tried on the past where there is a write lag.
    Write(fn(&mut Account, &Context<'_>) -> Result<Xml>),
}

impl Action {
    /// The action of that name, if the emulator knows it.
    pub fn find(name: &str) -> Option<Self> {
        ACTIONS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, action)| *action)
    }

    /// Whether it may change anything.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Write(_))
    }
}

/// Every action of IAM that the emulator knows.
const ACTIONS: &[(&str, Action)] = &[
    ("AddRoleToInstanceProfile", Action::Write(profile::add_role)),
    ("AttachRolePolicy", Action::Write(attachment::attach)),
    ("CreateInstanceProfile", Action::Write(profile::create)),
    ("CreatePolicy", Action::Write(policy::create)),
    ("CreatePolicyVersion", Action::Write(version::create)),
    ("CreateRole", Action::Write(role::create)),
    ("DeleteInstanceProfile", Action::Write(profile::delete)),
    ("DeletePolicy", Action::Write(policy::delete)),
    ("DeletePolicyVersion", Action::Write(version::delete)),
    ("DeleteRole", Action::Write(role::delete)),
    (
        "DeleteRolePermissionsBoundary",
        Action::Write(boundary::delete),
    ),
    ("DeleteRolePolicy", Action::Write(inline::delete)),
    ("DetachRolePolicy", Action::Write(attachment::detach)),
    (
        "GetAccountAuthorizationDetails",
        Action::Read(account_details::details),
    ),
    ("GetAccountSummary", Action::Read(account_details::summary)),
    ("GetInstanceProfile", Action::Read(profile::get)),
    ("GetPolicy", Action::Read(policy::get)),
    ("GetPolicyVersion", Action::Read(version::get)),
    ("GetRole", Action::Read(role::get)),
    ("GetRolePolicy", Action::Read(inline::get)),
    ("ListAttachedRolePolicies", Action::Read(attachment::list)),
    ("ListEntitiesForPolicy", Action::Read(attachment::entities)),
    ("ListInstanceProfileTags", Action::Read(tags::list_profile)),
    ("ListInstanceProfiles", Action::Read(profile::list)),
    (
        "ListInstanceProfilesForRole",
        Action::Read(profile::list_for_role),
    ),
    ("ListPolicies", Action::Read(policy::list)),
    ("ListPolicyTags", Action::Read(tags::list_policy)),
    ("ListPolicyVersions", Action::Read(version::list)),
    ("ListRolePolicies", Action::Read(inline::list)),
    ("ListRoleTags", Action::Read(tags::list_role)),
    ("ListRoles", Action::Read(role::list)),
    ("PutRolePermissionsBoundary", Action::Write(boundary::put)),
    ("PutRolePolicy", Action::Write(inline::put)),
    (
        "RemoveRoleFromInstanceProfile",
        Action::Write(profile::remove_role),
    ),
    (
        "SetDefaultPolicyVersion",
        Action::Write(version::set_default),
    ),
    ("TagInstanceProfile", Action::Write(tags::tag_profile)),
    ("TagPolicy", Action::Write(tags::tag_policy)),
    ("TagRole", Action::Write(tags::tag_role)),
    ("UntagInstanceProfile", Action::Write(tags::untag_profile)),
    ("UntagPolicy", Action::Write(tags::untag_policy)),
    ("UntagRole", Action::Write(tags::untag_role)),
    ("UpdateAssumeRolePolicy", Action::Write(role::update_trust)),
    ("UpdateRole", Action::Write(role::update)),
    (
        "UpdateRoleDescription",
        Action::Write(role::update_description),
    ),
];

/// Unique ids: 21 characters, never the same twice.
#[derive(Debug, Default)]
pub(crate) struct Ids(AtomicU64);

impl Ids {
    /// How many have been given out.
    pub fn given(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// So many have been given out, or more: none of them comes again.
    pub fn skip(&self, given: u64) {
        self.0.fetch_max(given, Ordering::Relaxed);
    }

    /// The next id with a prefix of four letters (`AROA`, `ANPA`, `AIPA`).
    pub fn next(&self, prefix: &str) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bits = u128::from(scramble(self.0.fetch_add(1, Ordering::Relaxed)));
        bits |= u128::from(scramble(!u64::try_from(bits).unwrap_or_default())) << 64;
        let mut id = prefix.to_owned();
        for place in 0..17 {
            id.push(char::from(LETTERS[(bits >> (5 * place)) as usize & 31]));
        }
        id
    }
}

/// splitmix64: a bijection, so that a counter never gives the same id twice.
fn scramble(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Context<'_> {
    /// The ARN of an IAM object of the caller's account.
    pub fn arn(&self, kind: &str, path: &str, name: &str) -> String {
        format!(
            "arn:{}:iam::{}:{kind}{path}{name}",
            self.partition, self.account_id
        )
    }

    /// The `Path` parameter, `/` when left out.
    pub fn path(&self) -> &str {
        self.params.get("Path").unwrap_or("/")
    }

    /// The `PathPrefix` parameter, `/` when left out.
    fn path_prefix(&self) -> Result<&str> {
        let prefix = self.params.get("PathPrefix").unwrap_or("/");
        rules::path_prefix(prefix)?;
        Ok(prefix)
    }

    /// The role that `RoleName` names.
    fn role<'a>(&self, account: &'a Account) -> Result<&'a Arc<Role>> {
        let name = self.params.required("RoleName")?;
        rules::role_name(name)?;
        account.role(name).ok_or_else(|| {
            IamError::no_such_entity(format!("The role with name {name} cannot be found."))
        })
    }

    /// The profile that `InstanceProfileName` names.
    fn profile<'a>(&self, account: &'a Account) -> Result<&'a Arc<Profile>> {
        let name = self.params.required("InstanceProfileName")?;
        rules::profile_name(name)?;
        account.profile(name).ok_or_else(|| {
            IamError::no_such_entity(format!("Instance Profile {name} cannot be found."))
        })
    }

    /// The policy that `PolicyArn` names, AWS's own included.
    fn policy(&self, account: &Account) -> Result<Arc<Policy>> {
        let arn = self.params.required("PolicyArn")?;
        rules::policy_arn(arn)?;
        account
            .policy(arn)
            .ok_or_else(|| IamError::no_such_entity(format!("Policy {arn} was not found.")))
    }

    /// The policy that `PolicyArn` names, to be changed: AWS's own can't be.
    fn own_policy(&self, account: &Account) -> Result<Policy> {
        let policy = self.policy(account)?;
        if crate::managed::is_aws_managed(&policy.arn) {
            return Err(IamError::new(
                403,
                "AccessDenied",
                format!("Policy {} is outside your own account.", policy.arn),
            ));
        }
        Ok(Policy::clone(&policy))
    }
}
