//! Policy documents compared by meaning. In: JSON texts as IAM gives them (decoded) and as we want
//! them; out: equal or not, and the difference in words. No IO.
//!
//! Order of statements and values, a scalar or a list of one, a statement split in two, an
//! action's case, Sids, and the two ways to write an account's root are no difference.

mod access;
mod compare;
mod excess;
mod strict;
mod words;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use thiserror::Error;

use crate::account::is_account_id;

pub use access::{AccessChange, Direction, access_changes};
pub use excess::excess;
pub use words::{DocumentDifference, differences};

/// A document that can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not a policy document: {0}")]
pub struct NotADocument(String);

/// A document's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    version: String,
    statements: Vec<CanonicalStatement>,
}

/// A statement's parts, each as a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct CanonicalStatement {
    effect: String,
    principals: BulkItem,
    actions: BulkItem,
    resources: BulkItem,
    conditions: BTreeSet<Condition>,
}

/// `Action` or `NotAction` and so on; `not` marks the latter.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct BulkItem {
    not: bool,
    values: BTreeSet<Word>,
}

/// A text as it is shown, equal to another where the compared form is.
#[derive(Clone, Debug)]
struct Word {
    compared: String,
    shown: String,
}

impl Word {
    /// Distinguished by case, as ARNs are.
    fn exact(text: String) -> Self {
        Self {
            compared: text.clone(),
            shown: text,
        }
    }

    /// Not distinguished by case, as actions and condition keys are (IAM user guide).
    fn any_case(text: String) -> Self {
        Self {
            compared: text.to_ascii_lowercase(),
            shown: text,
        }
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.compared == other.compared
    }
}

impl Eq for Word {}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compared.cmp(&other.compared)
    }
}

/// One condition: operator, key, values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Condition {
    operator: String,
    key: Word,
    values: BTreeSet<Word>,
}

/// The smallest piece of a document's meaning. A `Not…` part stays whole: it says "all but these".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Atom {
    effect: String,
    principal: BulkItem,
    action: BulkItem,
    resource: BulkItem,
    conditions: BTreeSet<Condition>,
}

/// A document of more is not taken apart. What is wanted has some dozens, and the 10 KB that IAM takes of
/// others can have a hundred thousand, each of some hundred bytes.
const ATOMS_MAX: usize = 10_000;

impl Canonical {
    /// Understands a document's text.
    pub fn parse(text: &str) -> Result<Self, NotADocument> {
        let bad = |why: &str| NotADocument(why.to_owned());
        let value = strict::parse(text).map_err(|e| NotADocument(e.to_string()))?;
        let Value::Object(document) = value else {
            return Err(bad("it is not a JSON object"));
        };
        only(&document, &DOCUMENT, "it")?;
        let version = document
            .get("Version")
            .and_then(Value::as_str)
            .unwrap_or("2008-10-17")
            .to_owned();
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) => list.iter().map(statement).collect::<Result<_, _>>()?,
            Some(one @ Value::Object(_)) => vec![statement(one)?],
            Some(_) | None => return Err(bad("it has no Statement")),
        };
        if statements
            .iter()
            .map(CanonicalStatement::size)
            .sum::<usize>()
            > ATOMS_MAX
        {
            return Err(bad(
                "its principals, actions and resources multiply to more than can be compared",
            ));
        }
        Ok(Self {
            version,
            statements,
        })
    }

    fn atoms(&self) -> BTreeSet<Atom> {
        self.statements
            .iter()
            .flat_map(CanonicalStatement::atoms)
            .collect()
    }

    /// Whether both mean the same.
    pub fn means_the_same(&self, other: &Self) -> bool {
        self.version == other.version && self.atoms() == other.atoms()
    }

    /// Whether changing from `self` to `next` takes something away.
    pub fn is_narrowed_by(&self, next: &Self) -> bool {
        !self.atoms().is_subset(&next.atoms())
    }
}

impl CanonicalStatement {
    fn denies(&self) -> bool {
        self.effect == "Deny"
    }

    /// How many atoms it has.
    fn size(&self) -> usize {
        [&self.principals, &self.actions, &self.resources]
            .map(BulkItem::size)
            .into_iter()
            .fold(1, usize::saturating_mul)
    }

    fn atoms(&self) -> Vec<Atom> {
        let mut atoms = Vec::new();
        for principal in self.principals.split() {
            for action in self.actions.split() {
                for resource in self.resources.split() {
                    atoms.push(Atom {
                        effect: self.effect.clone(),
                        principal: principal.clone(),
                        action: action.clone(),
                        resource,
                        conditions: self.conditions.clone(),
                    });
                }
            }
        }
        atoms
    }
}

impl BulkItem {
    /// How many parts [`Self::split`] makes of it.
    fn size(&self) -> usize {
        if self.not {
            1
        } else {
            self.values.len().max(1)
        }
    }

    /// Value by value; one part where there is nothing to split.
    fn split(&self) -> Vec<Self> {
        if self.not || self.values.len() < 2 {
            return vec![self.clone()];
        }
        self.values
            .iter()
            .map(|v| Self {
                not: false,
                values: BTreeSet::from([v.clone()]),
            })
            .collect()
    }
}

/// What a document can have.
const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];

/// What a statement can have.
const STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// What is not known may change what the rest grants.
fn only(map: &Map<String, Value>, known: &[&str], what: &str) -> Result<(), NotADocument> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(NotADocument(format!(
            "{what} has {key}, which this version does not know"
        ))),
    }
}

fn statement(value: &Value) -> Result<CanonicalStatement, NotADocument> {
    let Value::Object(statement) = value else {
        return Err(NotADocument("a statement is not a JSON object".to_owned()));
    };
    only(statement, &STATEMENT, "a statement")?;
    Ok(CanonicalStatement {
        effect: statement
            .get("Effect")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        principals: part(statement, "Principal", principals)?,
        actions: part(statement, "Action", |v| {
            strings(v).into_iter().map(Word::any_case).collect()
        })?,
        resources: part(statement, "Resource", exact)?,
        conditions: match statement.get("Condition") {
            Some(value) => conditions(value)?,
            None => BTreeSet::new(),
        },
    })
}

fn part(
    statement: &Map<String, Value>,
    name: &str,
    values: fn(&Value) -> BTreeSet<Word>,
) -> Result<BulkItem, NotADocument> {
    let plain = statement.get(name);
    let negated = statement.get(&format!("Not{name}"));
    if plain.is_some() && negated.is_some() {
        return Err(NotADocument(format!(
            "a statement has {name} and Not{name}"
        )));
    }
    Ok(BulkItem {
        not: negated.is_some(),
        values: plain.or(negated).map(values).unwrap_or_default(),
    })
}

fn exact(value: &Value) -> BTreeSet<Word> {
    strings(value).into_iter().map(Word::exact).collect()
}

/// A scalar or a list, as texts.
fn strings(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(strings).collect(),
        Value::String(text) => BTreeSet::from([text.clone()]),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => BTreeSet::from([value.to_string()]),
        Value::Null => BTreeSet::new(),
    }
}

/// `Service ec2.amazonaws.com`, `AWS arn:…`; `*` and `{"AWS": "*"}` are one in trust policies.
fn principals(value: &Value) -> BTreeSet<Word> {
    let of_kind = |kind: &str, values: &Value| -> Vec<Word> {
        let word = |value: &String| {
            let principal = account_root(value);
            Word {
                compared: format!("{kind} {principal}"),
                shown: if is_account_id(principal) {
                    format!("account {principal}")
                } else {
                    value.clone()
                },
            }
        };
        strings(values).iter().map(word).collect()
    };
    match value {
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|(kind, values)| of_kind(kind, values))
            .collect(),
        other => of_kind("AWS", other).into_iter().collect(),
    }
}

/// `arn:P:iam::A:root` and `A` are the same principal; IAM gives back the first.
fn account_root(principal: &str) -> &str {
    let parts: Vec<&str> = principal.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] if is_account_id(account) => account,
        _ => principal,
    }
}

/// None of them is left out: what it lets through would be judged as if it had none.
fn conditions(value: &Value) -> Result<BTreeSet<Condition>, NotADocument> {
    let bad = |why: &str| NotADocument(format!("a condition {why}"));
    let no_object = || bad("is not a JSON object");
    let mut all: BTreeMap<(String, Word), BTreeSet<Word>> = BTreeMap::new();
    for (operator, keys) in value.as_object().ok_or_else(no_object)? {
        for (key, values) in keys.as_object().ok_or_else(no_object)? {
            let test = (operator.clone(), Word::any_case(key.clone()));
            if all.insert(test, exact(values)).is_some() {
                return Err(bad("has the same key twice"));
            }
        }
    }
    let condition = |((operator, key), values)| Condition {
        operator,
        key,
        values,
    };
    Ok(all.into_iter().map(condition).collect())
}

#[cfg(test)]
mod tests;
