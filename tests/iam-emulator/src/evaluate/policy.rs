//! Policy documents: JSON enters, statements leave that tell what they say about a request. What is
//! not known here is an error and never ignored. No IO.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::condition::Test;
use super::pattern::{Pattern, Reading};
use super::{Context, PolicyError, Request};
use crate::document;
use crate::wire::IamError;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Policy(Vec<Statement>);

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies.
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    effect: Effect,
    actions: Those,
    resources: Those,
    tests: Vec<Test>,
}

/// What is named, or all but that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Those {
    but: bool,
    patterns: Vec<Pattern>,
}

impl Policy {
    /// What the policy says about a request, if anything.
    pub fn verdict(&self, request: &Request) -> Option<Effect> {
        let says = |effect| {
            let mut statements = self.0.iter();
            statements.any(|statement| statement.effect == effect && statement.applies(request))
        };
        if says(Effect::Deny) {
            Some(Effect::Deny)
        } else {
            says(Effect::Allow).then_some(Effect::Allow)
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        serde_json::from_str(text).map_err(|error| PolicyError::new(error.to_string()))
    }
}

impl Statement {
    fn applies(&self, request: &Request) -> bool {
        let Request {
            action,
            resource,
            context,
        } = request;
        self.actions.contain(action, context, true)
            && self.resources.contain(resource, context, false)
            && self.tests.iter().all(|test| test.holds(context))
    }
}

impl Those {
    fn contain(&self, value: &str, context: &Context, any_case: bool) -> bool {
        let named = self.patterns.iter().any(|pattern| {
            pattern.resolve(context).is_some_and(|pattern| {
                if any_case {
                    pattern.matches_in_any_case(value)
                } else {
                    pattern.matches(value)
                }
            })
        });
        named != self.but
    }

    fn read(
        what: &str,
        named: Option<List<String>>,
        all_but: Option<List<String>>,
        variables: bool,
        check: fn(&str) -> crate::wire::Result<()>,
    ) -> Result<Self, PolicyError> {
        let (texts, but) = match (named, all_but) {
            (Some(List(texts)), None) => (texts, false),
            (None, Some(List(texts))) => (texts, true),
            _ => return Err(PolicyError::new(format!("either {what} or Not{what}"))),
        };
        if texts.is_empty() {
            return Err(PolicyError::new(format!("{what} names nothing")));
        }
        let reading = Reading {
            wildcards: true,
            variables,
        };
        let read = |text: &String| {
            check(text).map_err(|error| PolicyError::new(error.message))?;
            Pattern::read(text, reading)
        };
        let patterns = texts.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { but, patterns })
    }
}

/// A document as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Written {
    #[serde(default)]
    version: Version,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: List<WrittenStatement>,
}

/// The version of the language, not of the policy.
#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Knows no variables; also what a document without a version is.
    #[default]
    #[serde(rename = "2008-10-17")]
    Old,
    #[serde(rename = "2012-10-17")]
    New,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct WrittenStatement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: Option<List<String>>,
    not_action: Option<List<String>>,
    resource: Option<List<String>>,
    not_resource: Option<List<String>>,
    #[serde(default)]
    condition: Entries<Entries<List<Scalar>>>,
}

/// A value of a condition.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Truth(bool),
}

impl TryFrom<Written> for Policy {
    type Error = PolicyError;

    fn try_from(written: Written) -> Result<Self, PolicyError> {
        let variables = written.version == Version::New;
        let List(statements) = written.statement;
        if statements.is_empty() {
            return Err(PolicyError::new("no statements"));
        }
        let statements = statements.into_iter();
        let read = statements.map(|statement| statement.read(variables));
        Ok(Self(read.collect::<Result<_, _>>()?))
    }
}

impl WrittenStatement {
    fn read(self, variables: bool) -> Result<Statement, PolicyError> {
        let mut tests = Vec::new();
        for (operator, keys) in self.condition.0 {
            for (key, List(values)) in keys.0 {
                let values: Vec<String> = values
                    .into_iter()
                    .map(|value| match value {
                        Scalar::Text(text) => text,
                        Scalar::Truth(truth) => truth.to_string(),
                    })
                    .collect();
                tests.push(Test::read(&operator, &key, &values, variables)?);
            }
        }
        Ok(Statement {
            effect: self.effect,
            // An action can't have a variable: its check refuses the characters.
            actions: Those::read(
                "Action",
                self.action,
                self.not_action,
                false,
                document::check_identity_action,
            )?,
            resources: Those::read(
                "Resource",
                self.resource,
                self.not_resource,
                variables,
                if variables {
                    resource_with_variables
                } else {
                    document::check_resource
                },
            )?,
            tests,
        })
    }
}

/// AWS takes variables in the last part of an ARN only.
fn resource_with_variables(text: &str) -> crate::wire::Result<()> {
    if text.splitn(6, ':').take(5).any(|part| part.contains("${")) {
        let words = format!("a variable before the fifth colon of a resource: {text}");
        return Err(IamError::malformed(words));
    }
    document::check_resource(text)
}

/// One or several: policies may leave the brackets of a single item out.
struct List<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one item or a list")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<List<T>, E> {
        Ok(List(vec![T::deserialize(text.into_deserializer())?]))
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<List<T>, E> {
        Ok(List(vec![T::deserialize(truth.into_deserializer())?]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<List<T>, A::Error> {
        Ok(List(vec![T::deserialize(MapAccessDeserializer::new(map))?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(List(items))
    }
}

/// The entries of an object. A key that is there twice is an error: a map would forget the first.
struct Entries<T>(Vec<(String, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
        let mut entries: Vec<(String, T)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, T>()? {
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("{key} is there twice")));
            }
            entries.push((key, value));
        }
        Ok(Entries(entries))
    }
}
