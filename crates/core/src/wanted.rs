//! What a spec comes to: names, validation, the three IAM objects, the counterparts. In: spec,
//! status, account and limits; out: all of it, or every reason why not. No IO. The controller and
//! `smr plan` both go this one way.

use smr_api::{Counterparts, SessionManagerRoleSpec, SessionManagerRoleStatus};

use crate::account::{Account, Arn};
use crate::desired::{Desired, desired};
use crate::document::counterparts;
use crate::limits::Limits;
use crate::names::{Names, Subject};
use crate::observed::Observed;
use crate::ownership::{Identity, names_us};
use crate::plan::Refusal;
use crate::step::Kind;
use crate::validate::{Invalid, ValidSpec, validate};

/// What a spec comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The spec, checked, with every default applied.
    pub valid: ValidSpec,
    /// The three IAM objects.
    pub desired: Desired,
    /// What someone has to allow outside IAM.
    pub counterparts: Option<Counterparts>,
}

/// What `spec` comes to in `account`. `live_path`: where an object that is proven ours was found,
/// while status is lost.
pub fn wanted(
    spec: &SessionManagerRoleSpec,
    subject: &Subject,
    status: Option<&SessionManagerRoleStatus>,
    account: &Account,
    limits: &Limits,
    live_path: Option<&str>,
) -> Result<Wanted, Vec<Invalid>> {
    let names = Names::resolve(subject, Some(spec), status, limits, live_path);
    let valid = validate(spec, subject, &names, account, limits)?;
    Ok(Wanted {
        desired: desired(&valid),
        counterparts: counterparts(&valid, &names.role_arn(account)),
        valid,
    })
}

impl Wanted {
    /// Status is lost, but IAM holds an object of that name that is ours: its path is the one.
    /// `None` where that is the wanted path anyway.
    pub fn path_of_ours(&self, observed: &Observed) -> Option<String> {
        let desired = &self.desired;
        path_of_ours(&desired.identity, observed).filter(|path| *path != desired.names.path)
    }
}

/// The path of an object in IAM that is ours, if there is one.
pub fn path_of_ours(identity: &Identity, observed: &Observed) -> Option<String> {
    let role = observed.role.as_ref().map(|r| (&r.arn, &r.tags));
    let policy = observed.policy.as_ref().map(|p| (&p.arn, &p.tags));
    let profile = observed
        .instance_profile
        .as_ref()
        .map(|p| (&p.arn, &p.tags));
    [role, policy, profile]
        .into_iter()
        .flatten()
        .filter(|(_, tags)| names_us(identity, tags))
        .find_map(|(arn, _)| Arn::parse(arn).map(|arn| arn.path.to_owned()))
}

/// The account in status, where it is another than the caller's.
pub fn recorded_elsewhere(
    status: Option<&SessionManagerRoleStatus>,
    account: &Account,
) -> Option<String> {
    let status = status?;
    let id = status.account_id.as_ref()?;
    let elsewhere = *id != account.id
        || (status.partition.as_ref()).is_some_and(|p| p != account.partition.as_str());
    elsewhere.then(|| id.clone())
}

/// An object found in another account than the caller's: credentials changed a moment ago.
pub fn other_account(account: &Account, observed: &Observed) -> Option<Account> {
    let role = observed.role.as_ref().map(|r| r.arn.as_str());
    let profile = observed.instance_profile.as_ref().map(|p| p.arn.as_str());
    [role, profile]
        .into_iter()
        .flatten()
        .filter_map(Arn::parse)
        .find(|arn| arn.account != account.id)
        .map(|arn| Account {
            id: arn.account.to_owned(),
            partition: account.partition,
        })
}

/// What is left when everything that is not ours is taken away.
pub fn without(refusals: &[Refusal], mut state: Observed) -> Observed {
    for refusal in refusals {
        match refusal.kind {
            Kind::Role => state.role = None,
            Kind::Policy => state.policy = None,
            Kind::InstanceProfile => state.instance_profile = None,
        }
    }
    state
}
