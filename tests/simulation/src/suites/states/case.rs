//! The states that IAM may be found in, and which of them are played: nothing enters, named cases leave. No IO.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display, Formatter, Result};

use fastrand::Rng;

use crate::deeds::Kind;

/// Whose an object is, as its tags tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// All tags of ownership are right.
    Ours,
    /// The same, made before there was a tag for the cluster's UID.
    OursUnstamped,
    /// Of an earlier object of the same name.
    OldUid,
    /// The same, without the cluster's UID.
    OldUidUnstamped,
    /// Of another object of the namespace.
    AnotherObject,
    /// Of an object of the same name in another namespace.
    AnotherNamespace,
    /// Of a cluster of another name; all else is as ours.
    AnotherCluster,
    /// Of another cluster of the same name; all else is as ours.
    AnotherClusterUid,
    /// No tags of ownership.
    Nobody,
    /// Owner and UID are ours, and no cluster is named.
    NoCluster,
    /// A former deletion has left it.
    Retained,
    /// Nobody's, and somebody consents to our object's taking it over.
    Consenting,
    /// Nobody's, and somebody consents to another object's taking it over.
    ConsentingToAnother,
}

impl Whose {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Ours,
        Self::OursUnstamped,
        Self::OldUid,
        Self::OldUidUnstamped,
        Self::AnotherObject,
        Self::AnotherNamespace,
        Self::AnotherCluster,
        Self::AnotherClusterUid,
        Self::Nobody,
        Self::NoCluster,
        Self::Retained,
        Self::Consenting,
        Self::ConsentingToAnother,
    ];
}

/// What is asked of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// That IAM is as the object says.
    Enforce,
    /// That it says whether IAM is so.
    Observe,
    /// That what is the object's goes.
    Deleting,
}

/// What the object's status knows of what is in IAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum History {
    /// The unique ids of these very objects.
    SameIds,
    /// Those of others, which stood there before.
    OtherIds,
    /// The same of the role; policy and instance profile are those that it knows.
    OtherRole,
    /// Nothing: status was lost.
    Lost,
    /// Nothing: no controller has seen the object yet.
    Never,
}

/// The policy's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// As the object says.
    Equal,
    /// Another one.
    Different,
    /// As the object says, and everything else is allowed too.
    TooMuch,
}

/// The role's trust policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// As the object says.
    Equal,
    /// Another service is trusted.
    Another,
}

/// Where the policy is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attached {
    /// To the role.
    Here,
    /// Nowhere.
    Nowhere,
    /// To the role, and to one of somebody else.
    ElsewhereToo,
}

/// What the instance profile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// The role.
    Role,
    /// Nothing.
    Nothing,
    /// A role of somebody else.
    Another,
    /// The role, which is in an instance profile of somebody else too.
    RoleElsewhereToo,
}

/// All that is beside presence, ownership, history and wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Details {
    /// Of the policy.
    pub document: Document,
    /// Of the role.
    pub trust: Trust,
    /// Of the policy.
    pub attached: Attached,
    /// Of the instance profile.
    pub held: Held,
    /// Whether the policy has as many versions as it can have.
    pub is_full: bool,
    /// `adoptionPolicy: WithConsent`
    pub adopts: bool,
    /// What is not ours, and made anew, stands under the path `/`.
    pub at_root: bool,
}

/// One state, and what is asked in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Role, policy and instance profile; `None` where there is none.
    pub found: [Option<Whose>; 3],
    /// What status knows.
    pub history: History,
    /// What is asked.
    pub wish: Wish,
    /// The rest.
    pub details: Details,
}

const KINDS: [Kind; 3] = [Kind::Role, Kind::Policy, Kind::Profile];
const WISHES: [Wish; 3] = [Wish::Enforce, Wish::Observe, Wish::Deleting];
/// Pairs that can't occur together are not counted; all others must be.
type Pairs = BTreeSet<(String, String)>;

impl Details {
    fn any(rng: &mut Rng) -> Self {
        Self {
            document: [Document::Equal, Document::Different, Document::TooMuch][rng.usize(..3)],
            trust: [Trust::Equal, Trust::Another][rng.usize(..2)],
            attached: [Attached::Here, Attached::Nowhere, Attached::ElsewhereToo][rng.usize(..3)],
            held: [
                Held::Role,
                Held::Nothing,
                Held::Another,
                Held::RoleElsewhereToo,
            ][rng.usize(..4)],
            is_full: rng.bool(),
            adopts: rng.bool(),
            at_root: rng.u8(..4) == 0,
        }
    }

    /// All as the object says.
    const AS_ASKED: Self = Self {
        document: Document::Equal,
        trust: Trust::Equal,
        attached: Attached::Here,
        held: Held::Role,
        is_full: false,
        adopts: false,
        at_root: false,
    };
}

impl Case {
    /// What is found of a kind.
    pub fn of(&self, kind: Kind) -> Option<Whose> {
        self.found[kind as usize]
    }

    /// The kinds that are there.
    pub fn there(&self) -> impl Iterator<Item = (Kind, Whose)> {
        let all = KINDS.into_iter().zip(self.found);
        all.filter_map(|(kind, whose)| Some((kind, whose?)))
    }

    /// The dimensions that mean something here, with their values.
    fn values(&self) -> Vec<(&'static str, String)> {
        fn said(value: impl Debug) -> String {
            format!("{value:?}")
        }
        let details = self.details;
        let [role, policy, profile] = self.found;
        let mut all = vec![
            ("role", said(role)),
            ("policy", said(policy)),
            ("profile", said(profile)),
            ("history", said(self.history)),
            ("wish", said(self.wish)),
            ("adopts", said(details.adopts)),
        ];
        if role.is_some() {
            all.push(("trust", said(details.trust)));
        }
        if policy.is_some() {
            all.push(("document", said(details.document)));
            all.push(("versions", said(details.is_full)));
            let without = role.is_none() && details.attached == Attached::Here;
            if !without {
                all.push(("attached", said(details.attached)));
            }
        }
        let needs_role = matches!(details.held, Held::Role | Held::RoleElsewhereToo);
        let needs_profile = details.held != Held::RoleElsewhereToo;
        if (role.is_some() || !needs_role) && (profile.is_some() || !needs_profile) {
            all.push(("held", said(details.held)));
        }
        if self.history != History::SameIds {
            all.push(("root", said(details.at_root)));
        }
        all
    }

    /// Every two values that occur together.
    fn pairs(&self) -> Pairs {
        let values: Vec<String> = (self.values().into_iter())
            .map(|(dimension, value)| format!("{dimension} {value}"))
            .collect();
        let mut pairs = Pairs::new();
        for (place, first) in values.iter().enumerate() {
            for second in &values[place + 1..] {
                pairs.insert((first.clone(), second.clone()));
            }
        }
        pairs
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (place, (dimension, value)) in self.values().into_iter().enumerate() {
            let value = value.trim_start_matches("Some(").trim_end_matches(')');
            let between = if place == 0 { "" } else { ", " };
            write!(
                f,
                "{between}{dimension} {}",
                if value == "None" { "absent" } else { value }
            )?;
        }
        Ok(())
    }
}

/// All cases.
///
/// - Where all that is there has one kind of ownership, the product of presence, ownership and wish is full.
///   Where a unique id may change the verdict, so is that with histories: presence (7) × ownership (7: four
///   that are ours, nobody's, and the consenting one with and without `adoptionPolicy`), and once nothing at
///   all, × history and wish (11, as nobody deletes what no controller has seen): (7 × 7 + 1) × 11 = 550.
///   The other kinds of ownership have some history (5, one of
///   them with another role alone): 7 × 7 × wish (3) = 147. Details are arbitrary.
/// - All three as the object asks in everything else: ours (4) × history and wish (11) = 44.
/// - Where ownership is mixed, each two of the three kinds of objects meet in each two states (14 × 14, one of
///   them absence), once for each wish (3): 588, less 12 that are not mixed, with some history and arbitrary
///   details: 576.
///
/// What is arbitrary is drawn by a fixed seed, and [`never_met`] counts that each two values of each two
/// dimensions meet.
pub fn cases() -> Vec<Case> {
    let mut rng = Rng::with_seed(7);
    let mut all = full_product(&mut rng);
    all.extend(as_asked());
    all.extend(mixed(&mut rng));
    all
}

/// How many cases [`cases`] gives.
pub const CASES: usize = 550 + 147 + 44 + 576;

fn moments() -> Vec<(History, Wish)> {
    let histories = [
        History::SameIds,
        History::OtherIds,
        History::Lost,
        History::Never,
    ];
    let all = histories
        .into_iter()
        .flat_map(|history| WISHES.map(|wish| (history, wish)));
    all.filter(|moment| *moment != (History::Never, Wish::Deleting))
        .collect()
}

fn present(presence: usize, whose: Whose) -> [Option<Whose>; 3] {
    [0, 1, 2].map(|kind| (presence >> kind & 1 == 1).then_some(whose))
}

/// Whether another unique id may change whose it is, or why it is not ours.
fn has_all_histories(whose: Whose) -> bool {
    matches!(
        whose,
        Whose::Ours
            | Whose::OursUnstamped
            | Whose::OldUid
            | Whose::OldUidUnstamped
            | Whose::Nobody
            | Whose::Consenting
    )
}

fn full_product(rng: &mut Rng) -> Vec<Case> {
    let mut all = Vec::new();
    let (of_ids, others): (Vec<_>, Vec<_>) = Whose::ALL
        .into_iter()
        .partition(|whose| has_all_histories(*whose));
    for (history, wish) in moments() {
        all.push(arbitrary(rng, [None; 3], history, wish));
        for presence in 1..8 {
            for whose in &of_ids {
                let mut case = arbitrary(rng, present(presence, *whose), history, wish);
                if *whose == Whose::Consenting {
                    case.details.adopts = true;
                    all.push(case);
                    case.details.adopts = false;
                }
                all.push(case);
            }
        }
    }
    for wish in WISHES {
        for presence in 1..8 {
            for whose in &others {
                let history = any_history(rng, wish);
                all.push(arbitrary(rng, present(presence, *whose), history, wish));
            }
        }
    }
    all
}

fn arbitrary(rng: &mut Rng, found: [Option<Whose>; 3], history: History, wish: Wish) -> Case {
    Case {
        found,
        history,
        wish,
        details: Details::any(rng),
    }
}

fn any_history(rng: &mut Rng, wish: Wish) -> History {
    let all = [
        History::SameIds,
        History::OtherIds,
        History::OtherRole,
        History::Lost,
        History::Never,
    ];
    let last = all.len() - usize::from(wish == Wish::Deleting);
    all[rng.usize(..last)]
}

fn as_asked() -> Vec<Case> {
    let mut all = Vec::new();
    for (history, wish) in moments() {
        for whose in &Whose::ALL[..4] {
            all.push(Case {
                found: [Some(*whose); 3],
                history,
                wish,
                details: Details::AS_ASKED,
            });
        }
    }
    all
}

fn mixed(rng: &mut Rng) -> Vec<Case> {
    let states: Vec<Option<Whose>> = (Whose::ALL.into_iter().map(Some)).chain([None]).collect();
    let count = states.len();
    let mut all = Vec::new();
    for wish in WISHES {
        for role in 0..count {
            for policy in 0..count {
                let profile = (role + policy) % count;
                let found = [role, policy, profile].map(|state| states[state]);
                let history = any_history(rng, wish);
                let case = arbitrary(rng, found, history, wish);
                if case.is_mixed() {
                    all.push(case);
                }
            }
        }
    }
    all
}

impl Case {
    fn is_mixed(&self) -> bool {
        let kinds: BTreeSet<Whose> = self.there().map(|(_, whose)| whose).collect();
        kinds.len() > 1
    }
}

/// Pairs of values that never meet in these cases although each occurs, and may meet.
pub fn never_met(cases: &[Case]) -> Vec<String> {
    let mut values: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    let mut met = Pairs::new();
    for case in cases {
        for (dimension, value) in case.values() {
            values.entry(dimension).or_default().insert(value);
        }
        met.extend(case.pairs());
    }
    let mut missing = Vec::new();
    for (first, ones) in &values {
        for (second, others) in values.range(*first..).skip(1) {
            for one in ones {
                for other in others {
                    let (a, b) = (format!("{first} {one}"), format!("{second} {other}"));
                    let is_met = met.contains(&(a.clone(), b.clone()))
                        || met.contains(&(b.clone(), a.clone()));
                    if !is_met && !is_impossible(&[&a, &b]) {
                        missing.push(format!("{a} with {b}"));
                    }
                }
            }
        }
    }
    missing
}

/// What can't meet: nothing has details that is not there, and nobody deletes what no controller has seen.
fn is_impossible(pair: &[&str; 2]) -> bool {
    let has = |one: &str, other: &str| {
        (pair[0] == one && pair[1].starts_with(other))
            || (pair[1] == one && pair[0].starts_with(other))
    };
    has("role None", "trust")
        || has("role None", "attached Here")
        || has("role None", "held Role")
        || has("policy None", "document")
        || has("policy None", "versions")
        || has("policy None", "attached")
        || has("profile None", "held")
        || has("history Never", "wish Deleting")
        || has("history SameIds", "root")
}

impl Case {
    /// Whether what is found is another object than the one that status knows, if it knows one.
    pub fn is_anew(&self, kind: Kind) -> bool {
        match self.history {
            History::SameIds => false,
            History::OtherRole => kind == Kind::Role,
            History::OtherIds | History::Lost | History::Never => true,
        }
    }

    /// Whether it stands under the path `/`: others put things there, and ours are where a spec says.
    pub fn is_at_root(&self, kind: Kind) -> bool {
        let is_others = self.of(kind).is_some_and(|whose| {
            !matches!(
                whose,
                Whose::Ours
                    | Whose::OursUnstamped
                    | Whose::OldUid
                    | Whose::OldUidUnstamped
                    | Whose::Consenting
            )
        });
        is_others && self.is_anew(kind) && self.details.at_root
    }
}
