//! One manifest's plan as a value. In: a checked manifest, the account, what IAM holds; out: what
//! the controller would do. No IO.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use smr_api::{DeletionPolicy, Pause, SessionManagerRoleStatus};
use smr_core::account::Account;
use smr_core::canonical::{AccessChange, access_changes};
use smr_core::deletion::{Deletion, Usage, plan_deletion};
use smr_core::difference::Differences;
use smr_core::kind::Kind;
use smr_core::limits::Limits;
use smr_core::names::{Live, Names, ObjectRef};
use smr_core::observed::Observed;
use smr_core::plan::{Plan, Recorded};
use smr_core::preview::{Preview, preview};
use smr_core::resolve::validate::Invalid;
use smr_core::resolve::{Resolved, resolve, unclear_pause};

use super::super::load::{Loaded, Placed, pause};
use smr_api::Key;

/// Stands for the UID that the API server will give.
pub(super) const UID_TO_BE: &str = "(the object's UID)";

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    Create,
    Change,
    Delete,
    /// It is deleted, and what it made in IAM stays.
    Release,
    None,
    /// Mode Observe.
    Observe,
    Paused,
    Refuse,
    Blocked,
    WrongAccount,
    Invalid,
}

impl Action {
    /// Whether a person has to act.
    pub(super) const fn is_wrong(self) -> bool {
        matches!(
            self,
            Self::Refuse | Self::Blocked | Self::WrongAccount | Self::Invalid
        )
    }
}

/// One manifest's plan.
pub(super) struct Entry {
    /// `file:line:column`
    pub place: String,
    pub key: Key,
    pub verdict: Verdict,
    /// What people should know besides.
    pub notes: Vec<String>,
}

/// What became of it.
pub(super) enum Verdict {
    Invalid(Vec<Placed>),
    Paused,
    /// Status tells of another account than that of the credentials.
    WrongAccount {
        recorded: String,
        caller: String,
    },
    Planned(Box<Outlook>),
}

/// What the controller would do.
#[derive(Default)]
pub(super) struct Outlook {
    pub action: Option<Action>,
    /// ARNs of the three, as far as they are wanted.
    pub arns: BTreeMap<&'static str, String>,
    /// What the manifest comes to.
    pub wanted: Option<Box<Resolved>>,
    pub steps: Plan,
    /// After IAM has spread the first ones.
    pub later: Plan,
    pub drift: Differences,
    pub unlisted: Vec<String>,
    pub adopts: Vec<Kind>,
    /// Why nothing can be done, each a sentence.
    pub obstacles: Vec<String>,
    pub access: Vec<AccessChange>,
    pub documents: Vec<DocumentChange>,
}

impl Outlook {
    /// What an activation takes, of a role that stays or comes.
    pub(super) fn activation_role(&self) -> Option<String> {
        match self.action? {
            Action::Create | Action::Change | Action::None | Action::Observe => {
                self.wanted.as_ref()?.desired.activation_role()
            }
            Action::Delete
            | Action::Release
            | Action::Paused
            | Action::Refuse
            | Action::Blocked
            | Action::WrongAccount
            | Action::Invalid => None,
        }
    }

    /// Where, and under which names.
    pub(super) fn names(&self) -> Option<(&Account, &Names)> {
        let desired = &self.wanted.as_ref()?.desired;
        Some((&desired.account, &desired.names))
    }
}

/// A document before and after.
pub(super) struct DocumentChange {
    pub what: &'static str,
    pub before: String,
    pub after: String,
}

impl Entry {
    pub(super) fn action(&self) -> Action {
        match &self.verdict {
            Verdict::Invalid(_) => Action::Invalid,
            Verdict::Paused => Action::Paused,
            Verdict::WrongAccount { .. } => Action::WrongAccount,
            Verdict::Planned(outlook) => outlook.action.unwrap_or(Action::None),
        }
    }

    pub(super) fn has_changes(&self) -> bool {
        match &self.verdict {
            Verdict::Planned(outlook) => !outlook.steps.is_empty() || !outlook.later.is_empty(),
            Verdict::Invalid(_) | Verdict::Paused | Verdict::WrongAccount { .. } => false,
        }
    }

    pub(super) fn invalid(place: String, key: Key, problems: Vec<Placed>) -> Self {
        Self {
            place,
            key,
            verdict: Verdict::Invalid(problems),
            notes: Vec::new(),
        }
    }
}

/// A manifest that may be worked on, or the entry that says why not.
pub(super) struct Sound {
    pub loaded: Loaded,
    pub place: String,
    pub spec: smr_api::SessionManagerRoleSpec,
    /// Of fields without a value.
    notes: Vec<String>,
}

/// A field without a value is not there for `kubectl apply`.
fn empty(field: &str) -> String {
    let lost = if field == "spec.sessionLogs.cloudWatch" {
        "and no logs would be written"
    } else {
        "and the default holds"
    };
    format!(
        "{field} has no value: kubectl apply leaves it out, {lost}, and kubectl apply --server-side refuses it. Write a value ({{}} for one without fields), or remove the field"
    )
}

pub(super) fn sound(mut loaded: Loaded) -> Result<Sound, Box<Entry>> {
    let place = loaded.document.place_of("");
    let checked = match std::mem::replace(&mut loaded.object, Err(Vec::new())) {
        Ok(checked) => checked,
        Err(problems) => return Err(Box::new(Entry::invalid(place, loaded.key, problems))),
    };
    let verdict = match pause(&checked) {
        Pause::No => None,
        Pause::Yes => Some(Verdict::Paused),
        Pause::Unclear(value) => {
            let Invalid { field, problem } = unclear_pause(&value);
            Some(Verdict::Invalid(vec![loaded.placed(&field, &problem)]))
        }
    };
    if let Some(verdict) = verdict {
        return Err(Box::new(Entry {
            place,
            key: loaded.key,
            verdict,
            notes: Vec::new(),
        }));
    }
    Ok(Sound {
        notes: checked.empty.iter().map(|field| empty(field)).collect(),
        spec: checked.spec,
        place,
        loaded,
    })
}

impl Sound {
    pub(super) fn subject(&self, uid: &str) -> ObjectRef {
        let Key { namespace, name } = self.loaded.key.clone();
        ObjectRef {
            namespace,
            name,
            uid: uid.to_owned(),
        }
    }

    /// What the manifest comes to, or the entry that says why to nothing.
    pub(super) fn resolve(
        &self,
        uid: &str,
        status: Option<&SessionManagerRoleStatus>,
        account: &Account,
        limits: &Limits,
        live: Option<&Live>,
    ) -> Result<Resolved, Box<Entry>> {
        let subject = self.subject(uid);
        resolve(&self.spec, &subject, status, account, limits, live)
            .map_err(|problems| Box::new(self.invalid(&problems)))
    }

    fn invalid(&self, problems: &[Invalid]) -> Entry {
        let placed = |Invalid { field, problem }: &Invalid| self.loaded.placed(field, problem);
        Entry::invalid(
            self.place.clone(),
            self.loaded.key.clone(),
            problems.iter().map(placed).collect(),
        )
    }

    /// What the controller would do about `wanted` where IAM holds `observed`.
    pub(super) fn planned(
        self,
        wanted: &Resolved,
        observed: &Observed,
        recorded: &Recorded,
    ) -> Entry {
        let outlook = outlook(wanted, observed, recorded);
        let creates = outlook.steps.creates() || outlook.later.creates();
        let problems = &wanted.creation.problems;
        if creates && !problems.is_empty() {
            return self.invalid(problems);
        }
        self.entry(outlook)
    }

    pub(super) fn entry(self, outlook: Outlook) -> Entry {
        Entry {
            place: self.place,
            key: self.loaded.key,
            verdict: Verdict::Planned(Box::new(outlook)),
            notes: self.notes,
        }
    }
}

/// The plan on an empty account.
pub(super) fn on_empty_account(loaded: Loaded, account: &Account, limits: &Limits) -> Entry {
    let sound = match sound(loaded) {
        Ok(sound) => sound,
        Err(entry) => return *entry,
    };
    match sound.resolve(UID_TO_BE, None, account, limits, None) {
        Ok(wanted) => sound.planned(&wanted, &Observed::default(), &Recorded::default()),
        Err(entry) => *entry,
    }
}

/// What the controller would do about `wanted` where IAM holds `observed`.
pub(super) fn outlook(wanted: &Resolved, observed: &Observed, recorded: &Recorded) -> Outlook {
    let desired = &wanted.desired;
    let mut outlook = Outlook {
        arns: arns(wanted),
        wanted: Some(Box::new(wanted.clone())),
        ..Outlook::default()
    };
    match preview(wanted, observed, recorded) {
        Preview::Steps {
            planned,
            later,
            after,
        } => {
            outlook.action = Some(
                match (&observed.role, planned.plan.is_empty() && later.is_empty()) {
                    (_, true) => Action::None,
                    (None, false) => Action::Create,
                    (Some(_), false) => Action::Change,
                },
            );
            outlook.access = access(observed, &after, &desired.names, &desired.account);
            outlook.documents = documents(observed, &after, &desired.names);
            outlook.steps = planned.plan;
            outlook.later = later;
            outlook.drift = planned.drift;
            outlook.unlisted = planned.unlisted;
            outlook.adopts = planned.adopts;
        }
        Preview::Tells(planned) => {
            outlook.action = Some(Action::Observe);
            outlook.drift = planned.drift;
            outlook.unlisted = planned.unlisted;
        }
        Preview::Refuses { refusals, before } => {
            outlook.action = Some(Action::Refuse);
            outlook.obstacles = refusals.iter().map(ToString::to_string).collect();
            outlook.steps = Plan {
                stages: Some(before).filter(|b| !b.is_empty()).into_iter().collect(),
            };
        }
        Preview::ElsewhereFound(other) => {
            outlook.action = Some(Action::WrongAccount);
            outlook.obstacles = vec![format!(
                "IAM shows objects of account {}, the credentials are of {}: they changed a moment ago, try again",
                other.id, desired.account.id
            )];
        }
    }
    outlook
}

/// What the controller would do about an object that goes.
pub(super) fn deletion(
    wanted: &Resolved,
    observed: &Observed,
    recorded: &Recorded,
    users: &Usage,
    policy: DeletionPolicy,
    now: Timestamp,
) -> Outlook {
    let desired = &wanted.desired;
    let decision = plan_deletion(
        &desired.identity,
        &desired.names,
        recorded,
        observed,
        users,
        policy,
        now,
    );
    let mut outlook = Outlook {
        arns: arns(wanted),
        wanted: Some(Box::new(wanted.clone())),
        ..Outlook::default()
    };
    match decision {
        Deletion::Release => outlook.action = Some(Action::Release),
        Deletion::Blocked(obstacles) => {
            outlook.action = Some(Action::Blocked);
            outlook.obstacles = obstacles;
        }
        Deletion::Retain(plan) => {
            outlook.action = Some(Action::Release);
            outlook.steps = plan;
        }
        Deletion::Delete(plan) => {
            outlook.action = Some(Action::Delete);
            outlook.access = access(
                observed,
                &Observed::default(),
                &desired.names,
                &desired.account,
            );
            outlook.steps = plan;
        }
    }
    outlook
}

/// The object goes, and nothing is written to IAM.
pub(super) fn release(wanted: &Resolved) -> Outlook {
    Outlook {
        action: Some(Action::Release),
        arns: arns(wanted),
        wanted: Some(Box::new(wanted.clone())),
        ..Outlook::default()
    }
}

fn arns(wanted: &Resolved) -> BTreeMap<&'static str, String> {
    let desired = &wanted.desired;
    let (names, account) = (&desired.names, &desired.account);
    let mut arns = BTreeMap::from([("role", names.role_arn(account))]);
    if matches!(
        desired.policy.home,
        smr_core::resolve::desired::PolicyHome::Managed { .. }
    ) {
        arns.insert("policy", names.policy_arn(account));
    }
    if desired.instance_profile.is_some() {
        arns.insert("instanceProfile", names.instance_profile_arn(account));
    }
    arns
}

/// The own policy, wherever it lives, as far as the role has it.
fn own_policy<'a>(state: &'a Observed, names: &Names) -> Option<&'a str> {
    let role = state.role.as_ref()?;
    let managed = state
        .policy
        .as_ref()
        .filter(|p| role.attached.contains(&p.arn));
    let inline = role.inline.get(&names.policy).and_then(Option::as_deref);
    managed.map(|p| p.document.as_str()).or(inline)
}

/// What the role can do, and who can be it, before and after. Of other managed policies only the
/// ARN is known.
fn access(
    before: &Observed,
    after: &Observed,
    names: &Names,
    account: &Account,
) -> Vec<AccessChange> {
    let of = |state: &Observed| {
        let trust = state.role.as_ref().map(|r| r.trust.clone());
        let attached = state
            .role
            .as_ref()
            .map(|r| r.attached.clone())
            .unwrap_or_default();
        (own_policy(state, names).map(str::to_owned), trust, attached)
    };
    let ((policy, trust, attached), (next_policy, next_trust, next_attached)) =
        (of(before), of(after));
    let mut changes = access_changes(policy.as_deref(), next_policy.as_deref());
    changes.append(&mut access_changes(trust.as_deref(), next_trust.as_deref()));
    let own = names.policy_arn(account);
    let others = |from: &BTreeSet<String>, not_in: &BTreeSet<String>, change| {
        from.difference(not_in)
            .filter(|arn| **arn != own)
            .map(|arn| AccessChange {
                change,
                actions: vec![format!("all that the policy {arn} allows")],
                resource: String::new(),
                principal: String::new(),
                conditions: Vec::new(),
            })
            .collect::<Vec<_>>()
    };
    changes.append(&mut others(
        &next_attached,
        &attached,
        smr_core::canonical::Direction::Gains,
    ));
    changes.append(&mut others(
        &attached,
        &next_attached,
        smr_core::canonical::Direction::Loses,
    ));
    changes
}

/// Documents that change; not those that come into being.
fn documents(before: &Observed, after: &Observed, names: &Names) -> Vec<DocumentChange> {
    let trust = |state: &Observed| state.role.as_ref().map(|r| r.trust.clone());
    let policy = |state: &Observed| own_policy(state, names).map(str::to_owned);
    [
        ("policy", policy(before), policy(after)),
        ("trust policy", trust(before), trust(after)),
    ]
    .into_iter()
    .filter_map(|(what, before, after)| {
        let (before, after) = (before?, after?);
        (before != after).then_some(DocumentChange {
            what,
            before,
            after,
        })
    })
    .collect()
}
