//! Validation as the API server does it: a document in, every problem with the field's path out, or
//! the object. No IO. Shape first (`structural`), then the CRD's CEL rules; the operator's limits
//! come later, in the core.

mod cel;
mod metadata;
mod structural;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use smr_api::{GROUP, SessionManagerRoleSpec};
use thiserror::Error;

use super::manifests::yaml::Node;

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

/// Problems as they are found.
#[derive(Default)]
struct Problems {
    found: Vec<Problem>,
    /// Whether CEL rules are left out, as the API server leaves them out.
    shape_is_wrong: bool,
}

impl Problems {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.found.push(Problem {
            field: field.into(),
            message: message.into(),
        });
    }

    fn wrong_shape(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.shape_is_wrong = true;
        self.add(field, message);
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
    /// The document as JSON, for rules that compare with a later one.
    pub json: Json,
}

/// The CRD's schema, compiled once.
pub struct Schema {
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
        let rules = cel::Rules::of(&shape).map_err(SchemaError::Unusable)?;
        structural::check_patterns(&shape).map_err(SchemaError::Unusable)?;
        Ok(Self { shape, rules })
    }

    /// Checks a document, and what a change from `before` may not change. All problems at once.
    pub fn check(&self, document: &Node, before: Option<&Json>) -> Result<Checked, Vec<Problem>> {
        let mut problems = Problems::default();
        identity(document, &mut problems);
        metadata::check(document.get("metadata"), &mut problems);
        structural::check(&self.shape, document, &mut problems);
        let json = structural::as_sent(document);
        if !problems.shape_is_wrong {
            self.rules.check(&json, before, &mut problems);
        }
        if !problems.found.is_empty() {
            problems.found.sort();
            problems.found.dedup();
            return Err(problems.found);
        }
        let spec = serde_json::from_value(json["spec"].clone()).map_err(|error| {
            vec![Problem {
                field: "spec".to_owned(),
                message: format!("can't be understood: {error}"),
            }]
        })?;
        let text = |key: &str| json["metadata"][key].as_str().map(str::to_owned);
        Ok(Checked {
            namespace: text("namespace"),
            name: text("name").unwrap_or_default(),
            annotations: serde_json::from_value(json["metadata"]["annotations"].clone())
                .unwrap_or_default(),
            spec,
            json,
        })
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
            problems.wrong_shape(field, format!("'{found}' is not known: write {right}"));
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
pub(super) mod tests;
