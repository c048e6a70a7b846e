//! Resolves a spec: names, validation, the three IAM objects, the counterparts. In: spec,
//! status, account and limits; out: all of it, or every reason why not. No IO. The controller and
//! `smr plan` both go this one way.

pub mod desired;
pub mod document;
pub mod validate;

use smr_api::{
    AdoptionPolicy, Counterparts, PAUSED_ANNOTATION, SessionManagerRoleSpec,
    SessionManagerRoleStatus, Tags,
};

use crate::account::{Account, Arn};
use crate::limits::Limits;
use crate::names::{Live, Names, ObjectRef};
use crate::observed::Observed;
use crate::ownership::{Identity, Ownership, names_us, prove};
use crate::resolve::desired::{Desired, desired};
use crate::resolve::document::counterparts;
use crate::resolve::validate::{Creation, Invalid, ValidSpec, creation, validate};

/// What a spec asks for, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The spec, checked, with every default applied.
    pub valid: ValidSpec,
    /// The three IAM objects.
    pub desired: Desired,
    /// What someone has to allow outside IAM.
    pub counterparts: Option<Counterparts>,
    /// What stands against creating any of the three.
    pub creation: Creation,
}

/// Resolves `spec` in `account`. `live`: what was found in IAM while status is lost, or is to be
/// adopted.
pub fn resolve(
    spec: &SessionManagerRoleSpec,
    subject: &ObjectRef,
    status: Option<&SessionManagerRoleStatus>,
    account: &Account,
    limits: &Limits,
    live: Option<&Live>,
) -> Result<Resolved, Vec<Invalid>> {
    let names = Names::resolve(subject, Some(spec), status, limits, live);
    if live.is_some_and(|live| live.is_adopted) && !limits.allows_path(&names.path) {
        return Err(vec![adopted_elsewhere(&names.path, limits)]);
    }
    let creation = creation(spec, subject, &names, limits, live);
    let valid = validate(spec, subject, &names, account, limits).map_err(|problems| {
        // For a new object, report all problems at once, and each field once.
        let is_new = |one: &&Invalid| {
            status.is_none() && problems.iter().all(|other| other.field != one.field)
        };
        let against: Vec<Invalid> = creation.problems.iter().filter(is_new).cloned().collect();
        [against, problems].concat()
    })?;
    Ok(Resolved {
        desired: desired(&valid),
        counterparts: counterparts(&valid, &names.role_arn(account)),
        creation,
        valid,
    })
}

impl Resolved {
    /// Path and names of what IAM holds of this object, ours or to be adopted.
    pub fn live(&self, observed: &Observed) -> Live {
        live(&self.desired.identity, self.desired.adoption, observed)
    }
}

/// Path and names of what IAM holds of an object, where that is ours, whichever its uid, or may be
/// adopted.
pub fn live(identity: &Identity, adoption: AdoptionPolicy, observed: &Observed) -> Live {
    let mut live = Live::default();
    let mut claimed = |arn: &str, id: &str, name: &str, tags: &Tags| {
        let is_ours = names_us(identity, tags);
        let is_adopted = prove(identity, adoption, None, id, tags) == Ownership::Adoptable;
        if !(is_ours || is_adopted) {
            return None;
        }
        if live.path.is_none() {
            live.path = Arn::parse(arn).map(|arn| arn.path.to_owned());
            live.is_adopted = !is_ours;
        }
        Some(name.to_owned())
    };
    let role = (observed.role.as_ref()).and_then(|r| claimed(&r.arn, &r.id, &r.name, &r.tags));
    let policy = (observed.policy.as_ref()).and_then(|p| claimed(&p.arn, &p.id, &p.name, &p.tags));
    let instance_profile =
        (observed.instance_profile.as_ref()).and_then(|p| claimed(&p.arn, &p.id, &p.name, &p.tags));
    Live {
        role,
        policy,
        instance_profile,
        ..live
    }
}

/// Adoption takes no object to where spec may not ask for it.
fn adopted_elsewhere(path: &str, limits: &Limits) -> Invalid {
    Invalid {
        field: "spec.path".to_owned(),
        problem: format!(
            "the IAM object to adopt is under {path}, which this controller may not use ({}): ask the operator for --allow-path {path}, or create the IAM object again under one of these",
            limits.paths().join(", ")
        ),
    }
}

/// An annotation that may have been meant as a pause: nothing is written until that is clear.
pub fn unclear_pause(value: &str) -> Invalid {
    Invalid {
        field: format!("metadata.annotations[{PAUSED_ANNOTATION}]"),
        problem: format!(
            "\"{value}\" is neither \"true\" nor \"false\", so the controller does nothing for this object, and does not delete it either, until you correct or remove the annotation"
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::ADOPTABLE_BY;
    use crate::plan::tests::{converged, wanted as desired_of};
    use crate::resolve::validate::tests::{account, subject};

    /// A role that someone made under another path and in another case, with consent.
    fn consenting() -> (Identity, Observed) {
        let desired = desired_of("{}");
        let (mut state, _) = converged(&desired);
        state.policy = None;
        state.instance_profile = None;
        let role = state.role.as_mut().unwrap();
        role.arn = "arn:aws:iam::111122223333:role/legacy/Team.Web".into();
        role.name = "Team.Web".into();
        role.tags = [(ADOPTABLE_BY.to_owned(), "test/team/web".to_owned())].into();
        (desired.identity, state)
    }

    fn resolved(spec: &str, allowed: &[&str]) -> Result<Names, Vec<Invalid>> {
        let (identity, state) = consenting();
        let found = live(&identity, AdoptionPolicy::WithConsent, &state);
        let mut limits = Limits::new("test");
        limits.allowed_paths = allowed.iter().map(|p| (*p).to_owned()).collect();
        let spec = serde_saphyr::from_str(spec).unwrap();
        resolve(&spec, &subject(), None, &account(), &limits, Some(&found))
            .map(|wanted| wanted.desired.names)
    }

    #[test]
    fn an_adopted_object_gives_path_and_case() {
        let names = resolved("{adoptionPolicy: WithConsent}", &["/legacy/"]).unwrap();
        assert_eq!(
            (names.path.as_str(), names.role.as_str()),
            ("/legacy/", "Team.Web")
        );
    }

    #[test]
    fn an_adopted_path_has_to_be_allowed() {
        let problems = resolved("{adoptionPolicy: WithConsent}", &[]).unwrap_err();
        assert_eq!(problems.len(), 1);
        let text = problems[0].to_string();
        assert!(text.starts_with("spec.path: "), "{text}");
        assert!(text.contains("--allow-path /legacy/"), "{text}");
    }

    #[test]
    fn a_path_that_is_asked_for_goes_before_an_adopted_one() {
        let spec = "{adoptionPolicy: WithConsent, path: /own/}";
        let names = resolved(spec, &["/legacy/", "/own/"]).unwrap();
        assert_eq!(names.path, "/own/");
    }

    #[test]
    fn nothing_is_taken_from_an_object_without_consent() {
        let (identity, state) = consenting();
        let found = live(&identity, AdoptionPolicy::Never, &state);
        assert_eq!(found, Live::default());
    }
}
