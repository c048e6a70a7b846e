//! Validation as the API server does it: a document in, every problem with the field's path out, or
//! the object. No IO. Shape first (`structural`), then the CRD's CEL rules; the operator's limits
//! come later, in the core.

mod cel;
mod json_schema;
mod metadata;
mod structural;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use smr_api::{GROUP, SessionManagerRoleSpec};
use thiserror::Error;

use crate::yaml::Node;
pub use metadata::{is_name, is_qualified};

/// The CRD can't be used to validate with: a mistake in this program.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// The CRD can't be made.
    #[error(transparent)]
    Crd(#[from] smr_api::CrdError),
    /// The CRD is no JSON.
    #[error("the CRD is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Something in the CRD can't be understood.
    #[error("the CRD's schema can't be used: {0}")]
    Unusable(String),
}

/// One thing wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The field's path, as the API server writes it.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// What of the schema a document breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Constraint {
    /// What every Kubernetes object has: apiVersion, kind, metadata.
    Object,
    /// `type`
    Type,
    /// `required`
    Required,
    /// A field that the schema does not have.
    Unknown,
    /// `enum`
    Enum,
    /// `pattern`
    Pattern,
    /// `minimum`, `maxLength` and the like.
    Bound(&'static str),
    /// An item of a set that is there twice.
    Duplicate,
    /// A CEL rule.
    Rule(String),
}

/// Problems as they are found.
#[derive(Default)]
struct Problems {
    found: Vec<(Problem, Constraint)>,
    /// Whether CEL rules are left out, as the API server leaves them out.
    shape_is_wrong: bool,
}

impl Problems {
    fn add(
        &mut self,
        constraint: Constraint,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        let problem = Problem {
            field: field.into(),
            message: message.into(),
        };
        self.found.push((problem, constraint));
    }

    fn wrong_shape(
        &mut self,
        constraint: Constraint,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.shape_is_wrong = true;
        self.add(constraint, field, message);
    }
}

/// An object whose schema and rules hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// metadata.namespace, where the document has one.
    pub namespace: Option<String>,
    /// metadata.name
    pub name: String,
    /// metadata.annotations
    pub annotations: BTreeMap<String, String>,
    /// The spec.
    pub spec: SessionManagerRoleSpec,
    /// Fields of spec without a value, which kubectl drops.
    pub empty: Vec<String>,
    /// The document as JSON, for rules that compare with a later one.
    pub json: Json,
}

/// The CRD's schema, compiled once.
pub struct Schema {
    api_version: String,
    kind: String,
    shape: Json,
    rules: cel::Rules,
}

impl Schema {
    /// From the CRD of this program.
    pub fn new() -> Result<Self, SchemaError> {
        let crd = serde_json::to_value(smr_api::crd()?)?;
        let shape = crd
            .pointer("/spec/versions/0/schema/openAPIV3Schema")
            .ok_or_else(|| SchemaError::Unusable("it has none".to_owned()))?
            .clone();
        let text = |pointer: &str| {
            let found = crd.pointer(pointer).and_then(Json::as_str);
            found.ok_or_else(|| SchemaError::Unusable(format!("{pointer} is missing")))
        };
        let version = text("/spec/versions/0/name")?;
        let api_version = format!("{}/{version}", text("/spec/group")?);
        let kind = text("/spec/names/kind")?.to_owned();
        let rules = cel::Rules::of(&shape).map_err(SchemaError::Unusable)?;
        structural::check_patterns(&shape).map_err(SchemaError::Unusable)?;
        Ok(Self {
            api_version,
            kind,
            shape,
            rules,
        })
    }

    /// The JSON schema of the kind, for editors and for checks without a cluster.
    pub fn json_schema(&self) -> Json {
        json_schema::of(&self.shape, &self.api_version, &self.kind)
    }

    /// Checks a document, and what a change from `before` may not change. All problems at once.
    pub fn check(&self, document: &Node, before: Option<&Json>) -> Result<Checked, Vec<Problem>> {
        let json = structural::as_sent(&self.shape, document);
        let mut found: Vec<_> = (self.found(document, &json, before).into_iter())
            .map(|(problem, _)| problem)
            .collect();
        if !found.is_empty() {
            found.dedup();
            return Err(found);
        }
        let spec = serde_json::from_value(json["spec"].clone()).map_err(|error| {
            vec![Problem {
                field: "spec".to_owned(),
                message: format!("can't be understood: {error}"),
            }]
        })?;
        let text = |key: &str| json["metadata"][key].as_str().map(str::to_owned);
        let mut empty = Vec::new();
        if let Some(spec) = document.get("spec") {
            structural::empty_fields(spec, "spec", &mut empty);
        }
        Ok(Checked {
            empty,
            namespace: text("namespace").filter(|namespace| !namespace.is_empty()),
            name: text("name").unwrap_or_default(),
            annotations: serde_json::from_value(json["metadata"]["annotations"].clone())
                .unwrap_or_default(),
            spec,
            json,
        })
    }

    /// What a document breaks, with the problem that it makes; nothing where it is accepted.
    pub fn broken(&self, document: &Node, before: Option<&Json>) -> Vec<(Problem, Constraint)> {
        let json = structural::as_sent(&self.shape, document);
        self.found(document, &json, before)
    }

    fn found(
        &self,
        document: &Node,
        json: &Json,
        before: Option<&Json>,
    ) -> Vec<(Problem, Constraint)> {
        let mut problems = Problems::default();
        identity(document, &mut problems);
        metadata::check(document.get("metadata"), &mut problems);
        structural::check(&self.shape, document, before, &mut problems);
        if !problems.shape_is_wrong {
            self.rules.check(json, before, &mut problems);
        }
        problems.found.sort();
        problems.found
    }
}

/// apiVersion and kind of our group, but perhaps not those there are.
fn identity(document: &Node, problems: &mut Problems) {
    let expected = [
        ("apiVersion", format!("{GROUP}/v1alpha1")),
        ("kind", "SessionManagerRole".to_owned()),
    ];
    for (field, right) in expected {
        let found = document.get(field).and_then(Node::text).unwrap_or_default();
        if found != right {
            problems.wrong_shape(
                Constraint::Object,
                field,
                format!("'{found}' is not known: write {right}"),
            );
        }
    }
}

/// What of `known` someone who wrote `wrong` may have meant.
fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    known
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
