//! Manifests, read and checked against the CRD: paths in; objects with their places, or what is
//! wrong with them, out. Reads files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value as Json;
use smr_api::{PAUSED_ANNOTATION, Pause, forms};
use smr_core::resolve::validate::wrong;
use thiserror::Error;

use super::manifests::{self, Document, Given, ManifestError, Manifests};
use super::{CliError, flag};
use smr_api::Key;
use smr_manifest::hints;
use smr_manifest::schema::{Checked, Problem, Schema, SchemaError};
use smr_manifest::shown::shown;

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
        let (place, text) = (shown(place), shown(message));
        // CEL messages often begin with the field themselves.
        if field.is_empty() || message.starts_with(field.as_str()) {
            write!(f, "{place}: {text}")
        } else {
            write!(f, "{place}: {}: {text}", shown(field))
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

/// Whether the object is paused, or may be meant to be.
pub(super) fn pause(checked: &Checked) -> Pause {
    let value = checked.annotations.get(PAUSED_ANNOTATION);
    Pause::of(value.map(String::as_str))
}

/// Which namespace and name a document has; `namespace` where it gives none.
pub(super) fn key(document: &Document, namespace: &str) -> Key {
    let text = |field: &str| {
        let node = document.node.get("metadata").and_then(|m| m.get(field));
        node.and_then(smr_manifest::yaml::Node::text)
            .map(str::to_owned)
    };
    Key {
        namespace: text("namespace")
            .filter(|own| !own.is_empty())
            .unwrap_or_else(|| namespace.to_owned()),
        name: text("name").unwrap_or_default(),
    }
}

/// The namespace of manifests that give none.
#[derive(Clone, Copy)]
pub(super) enum Namespace<'a> {
    /// Given by flag: a manifest may not contradict it, as with kubectl.
    Flag(&'a str),
    /// Of the kubeconfig, or Kubernetes' own.
    Default(&'a str),
}

impl<'a> Namespace<'a> {
    /// That of the flag, or `default` without one.
    ///
    /// # Errors
    /// No namespace can have that name.
    pub fn of_flag(given: Option<&'a str>) -> Result<Self, CliError> {
        match given {
            None => Ok(Self::Default("default")),
            Some(name) if wrong(&forms::NAMESPACE, name).is_none() => Ok(Self::Flag(name)),
            Some(name) => Err(flag(
                "--namespace",
                format!(
                    "'{}' is no name of a namespace: it has 1 to 63 characters, lower-case letters, digits and '-', and begins and ends with a letter or digit",
                    shown(name)
                ),
            )),
        }
    }

    pub const fn name(self) -> &'a str {
        match self {
            Self::Flag(name) | Self::Default(name) => name,
        }
    }

    /// What is wrong with an object in the namespace `own`.
    fn contradicted_by(self, own: &str) -> Option<String> {
        let Self::Flag(name) = self else {
            return None;
        };
        (name != own).then(|| {
            format!("the manifest says {own} and --namespace says {name}, which kubectl refuses: give --namespace {own}, or remove one of the two")
        })
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
    namespace: Namespace<'_>,
    before: impl Fn(&Key) -> Option<Json>,
) -> Result<Vec<Loaded>, LoadError> {
    let schema = Schema::new()?;
    let mut seen: BTreeMap<Key, String> = BTreeMap::new();
    let mut all = Vec::new();
    for document in documents {
        let key = key(&document, namespace.name());
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
        if let (Ok(_), Some(message)) = (
            &loaded.object,
            namespace.contradicted_by(&loaded.key.namespace),
        ) {
            loaded.object = Err(vec![loaded.placed("metadata.namespace", &message)]);
        }
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
