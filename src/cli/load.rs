//! Manifests, read and checked against the CRD: paths in; objects with their places, or what is
//! wrong with them, out. Reads files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value as Json;
use thiserror::Error;

use super::manifests::{self, Document, Given, ManifestError, Manifests, hints};
use super::schema::{Checked, Problem, Schema, SchemaError};
use crate::controller::object::Key;

/// Nothing to work on.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Manifests can't be read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// The CRD can't be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Manifests are not valid; told one a line.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n     "))]
    Invalid(Vec<Placed>),
}

/// A problem and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// `file:line:column`
    pub place: String,
    /// What and why.
    pub problem: Problem,
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            problem: Problem { field, message },
        } = self;
        // CEL messages often begin with the field themselves.
        if field.is_empty() || message.starts_with(field.as_str()) {
            write!(f, "{place}: {message}")
        } else {
            write!(f, "{place}: {field}: {message}")
        }
    }
}

/// One manifest.
pub(super) struct Loaded {
    /// The document.
    pub document: Document,
    /// Namespace and name, as far as they can be told.
    pub key: Key,
    /// The object, or what is wrong.
    pub object: Result<Checked, Vec<Placed>>,
}

impl Loaded {
    /// A problem with a field of this one.
    pub(super) fn placed(&self, field: &str, message: &str) -> Placed {
        Placed {
            place: self.document.place_of(field),
            problem: Problem {
                field: field.to_owned(),
                message: message.to_owned(),
            },
        }
    }
}

/// Which namespace and name a document has; `namespace` where it gives none.
pub(super) fn key(document: &Document, namespace: &str) -> Key {
    let text = |field: &str| {
        let node = document.node.get("metadata").and_then(|m| m.get(field));
        node.and_then(manifests::yaml::Node::text)
            .map(str::to_owned)
    };
    Key {
        namespace: text("namespace")
            .filter(|own| !own.is_empty())
            .unwrap_or_else(|| namespace.to_owned()),
        name: text("name").unwrap_or_default(),
    }
}

/// Reads manifests; there must be some, and they must be what is applied.
pub(super) fn read(paths: &[PathBuf]) -> Result<Manifests, LoadError> {
    Ok(manifests::read(paths, Given::AsApplied)?.or_none()?)
}

/// What is wrong: that it is a template, where it is one.
fn as_template(document: &Document, problem: &Problem) -> String {
    let Problem { field, message } = problem;
    let expression = |text: &str| hints::expression(text).is_some();
    match document.node.text_where(field, expression) {
        Some(text) => hints::way_out(text),
        None => message.clone(),
    }
}

/// Checks documents. `before` knows the object that each one changes.
pub(super) fn check(
    documents: Vec<Document>,
    namespace: &str,
    before: impl Fn(&Key) -> Option<Json>,
) -> Result<Vec<Loaded>, LoadError> {
    let schema = Schema::new()?;
    let mut seen: BTreeMap<Key, String> = BTreeMap::new();
    let mut all = Vec::new();
    for document in documents {
        let key = key(&document, namespace);
        let object = schema.check(&document.node, before(&key).as_ref());
        let mut loaded = Loaded {
            object: Err(Vec::new()),
            key,
            document,
        };
        loaded.object = object.map_err(|problems| {
            problems
                .iter()
                .map(|p| loaded.placed(&p.field, &as_template(&loaded.document, p)))
                .collect()
        });
        let place = loaded.document.place_of("metadata.name");
        if let (Ok(_), Some(first)) = (&loaded.object, seen.get(&loaded.key)) {
            let message = format!(
                "{}/{} is defined in {first} already: remove one of the two",
                loaded.key.namespace, loaded.key.name
            );
            loaded.object = Err(vec![loaded.placed("metadata.name", &message)]);
        } else {
            seen.insert(loaded.key.clone(), place);
        }
        all.push(loaded);
    }
    Ok(all)
}
