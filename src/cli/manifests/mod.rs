//! Manifests: paths in, the SessionManagerRoles in them out, each with its place. Reads files and
//! standard input. Documents of other kinds are counted and left alone.

mod files;
pub mod hints;
mod stream;
pub mod yaml;

use std::path::PathBuf;

use serde_json::Value as Json;
use thiserror::Error;
use yaml::{Broken, Entry, Node, Place, Value};

/// The group of Kustomize's own files.
const KUSTOMIZE: &str = "kustomize.config.k8s.io";
const KIND: &str = "SessionManagerRole";

/// Manifests can't be read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// A file or directory can't be read.
    #[error("{path}: can't be read: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// An address where a path should be.
    #[error("{0}: smr reads no URLs. Download it first: 'curl -fsSL {0} | smr plan -f -'")]
    Url(String),
    /// A file is no text.
    #[error("{file}: {problem}")]
    NoText {
        /// Which.
        file: String,
        /// What it is instead and what to do.
        problem: String,
    },
    /// A file is no YAML.
    #[error("{file}:{broken}{}", hint.as_ref().map(|hint| format!(". {hint}")).unwrap_or_default())]
    Broken {
        /// Which.
        file: String,
        /// Where and why.
        broken: Broken,
        /// What the file may be instead, and the way out.
        hint: Option<String>,
    },
    /// What would be applied is not in the files.
    #[error(
        "{file}: this folder is built by Kustomize, which can change what the files hold. Build it first: 'kubectl kustomize {folder} | smr plan -f -'"
    )]
    Kustomization {
        /// Kustomize's file.
        file: String,
        /// Where it lies.
        folder: String,
    },
    /// There is no object of ours.
    #[error(
        "no SessionManagerRole in {places}{others}: give files or directories that hold some with -f"
    )]
    None {
        /// Where it was looked for.
        places: String,
        /// What else was found.
        others: String,
    },
}

/// A document of ours, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The file's name as it was given; `stdin` for standard input.
    pub file: String,
    /// The document.
    pub node: Node,
}

impl Document {
    /// `file:line:column` of what `path` names.
    pub fn place_of(&self, path: &str) -> String {
        let Place { line, column } = self.node.place_of(path);
        format!("{}:{line}:{column}", self.file)
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    /// Documents of ours, in order of file and place.
    pub documents: Vec<Document>,
    /// How many documents of other kinds there were.
    pub skipped: usize,
    /// The first of Kustomize's own files.
    kustomization: Option<String>,
    /// What was read, in words.
    places: String,
}

/// Reads files, directories (recursively) and `-`. There may be none of ours.
pub fn read(paths: &[PathBuf]) -> Result<Manifests, ManifestError> {
    let mut sources = files::Sources::default();
    for path in paths {
        sources.add(path)?;
    }
    let shown = |path: &PathBuf| match path.display().to_string().as_str() {
        "-" => "standard input".to_owned(),
        path => path.to_owned(),
    };
    let mut manifests = Manifests {
        places: paths.iter().map(shown).collect::<Vec<_>>().join(", "),
        ..Manifests::default()
    };
    for files::Source { file, text } in sources.texts {
        manifests.take(&file, &text)?;
    }
    Ok(manifests)
}

impl Manifests {
    /// An empty result is an error where there has to be something: a mistyped path must not look
    /// like "nothing to do".
    pub fn or_none(self) -> Result<Self, ManifestError> {
        if !self.documents.is_empty() {
            return Ok(self);
        }
        Err(ManifestError::None {
            places: self.places,
            others: match self.skipped {
                0 => String::new(),
                1 => " (one document of another kind)".to_owned(),
                many => format!(" ({many} documents of other kinds)"),
            },
        })
    }

    /// What Kustomize builds from is not what would be applied.
    pub fn or_kustomization(self) -> Result<Self, ManifestError> {
        let Some(file) = self.kustomization else {
            return Ok(self);
        };
        let folder = match file.rsplit_once(['/', '\\']) {
            Some((folder, _)) => folder.to_owned(),
            None => ".".to_owned(),
        };
        Err(ManifestError::Kustomization { file, folder })
    }

    fn take(&mut self, file: &str, text: &str) -> Result<(), ManifestError> {
        let documents = stream::documents(text).map_err(|broken| ManifestError::Broken {
            hint: hints::hint(text, broken.place.line),
            file: file.to_owned(),
            broken,
        })?;
        for node in documents {
            self.sort_in(file, node);
        }
        Ok(())
    }

    /// Whatever has `items` is a list, as for kubectl, and taken apart.
    fn sort_in(&mut self, file: &str, node: Node) {
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let group = version.split_once('/').map_or("", |(group, _)| group);
        // Without a version it is a mistake that has to be said.
        let ours = group == smr_api::GROUP || (version.is_empty() && kind == KIND);
        match node.get("items").map(|items| &items.value) {
            Some(Value::List(items)) if kind != KIND => {
                for item in items {
                    self.sort_in(file, of_list(item, version, kind));
                }
            }
            _ if ours => self.documents.push(Document {
                file: file.to_owned(),
                node,
            }),
            _ => {
                // Kustomize's file needs neither.
                let may_be =
                    version.is_empty() && ["", "Kustomization", "Component"].contains(&kind);
                if group == KUSTOMIZE || (may_be && files::is_kustomization(file)) {
                    self.kustomization.get_or_insert_with(|| file.to_owned());
                }
                self.skipped += 1;
            }
        }
    }
}

/// An item that says neither what it is nor which version is what its list is a list of.
fn of_list(item: &Node, version: &str, kind: &str) -> Node {
    let mut item = item.clone();
    let (place, is_anonymous) = (
        item.place,
        item.get("apiVersion").is_none() && item.get("kind").is_none(),
    );
    if let (Value::Map(entries), Some(kind), true) =
        (&mut item.value, kind.strip_suffix("List"), is_anonymous)
    {
        for (key, text) in [("apiVersion", version), ("kind", kind)] {
            entries.push(Entry {
                key: key.to_owned(),
                place,
                node: Node {
                    value: Value::Scalar(Json::String(text.to_owned())),
                    place,
                },
            });
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_counted_and_lists_taken_apart() {
        let text = "apiVersion: v1\nkind: ConfigMap\n---\njust text\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: sessionmanager.dev/v1alpha1, kind: SessionManagerRole, metadata: {name: a}}\n- {apiVersion: v1, kind: Secret}\n---\n# nothing\n";
        let mut manifests = Manifests::default();
        manifests.take("x.yaml", text).unwrap();
        assert_eq!((manifests.documents.len(), manifests.skipped), (1, 3));
        assert_eq!(
            manifests.documents[0].place_of("metadata.name"),
            "x.yaml:9:82"
        );
    }
}
