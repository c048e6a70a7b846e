//! Manifests: paths in, the SessionManagerRoles in them out, each with its place. Reads files and
//! standard input. Documents of other kinds are counted and left alone.

mod files;

use std::path::PathBuf;

use serde_json::Value as Json;
use smr_manifest::hints;
use smr_manifest::shown::shown;
use smr_manifest::yaml::{Broken, Entry, Node, Place, Value};
use thiserror::Error;

/// The group of Kustomize's own files.
const KUSTOMIZE: &str = "kustomize.config.k8s.io";
const KIND: &str = "SessionManagerRole";

/// Manifests can't be read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// A file or directory can't be read.
    #[error("{}: can't be read: {source}", shown(path))]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// An address where a path should be.
    #[error("{0}: smr reads no URLs. Download it first: 'curl -fsSL {0} | smr plan -f -'")]
    Url(String),
    /// The same, of a scheme that curl may not know.
    #[error(
        "{0}: smr reads no URLs. Download the manifests first, and give their files with -f, or - for standard input"
    )]
    OtherUrl(String),
    /// A pipe, a socket or a device in a directory.
    #[error(
        "{}: is a pipe, a socket or a device, which may have no end: move it out of the directory, or name it with -f",
        shown(.0)
    )]
    NoFile(String),
    /// A file is larger than any manifest.
    #[error("{}: has more than 64 MiB, which no manifest has: give a smaller file", shown(.0))]
    TooLarge(String),
    /// A file is no text.
    #[error("{}: {problem}", shown(file))]
    NoText {
        /// Which.
        file: String,
        /// What it is instead and what to do.
        problem: String,
    },
    /// A file is no YAML.
    #[error("{}:{broken}{}", shown(file), hint.as_ref().map(|hint| format!(". {hint}")).unwrap_or_default())]
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
        "{}: this folder is built by Kustomize, which can change what the files hold. Build it first: 'kubectl kustomize {} | smr plan -f -'",
        shown(file),
        shown(folder)
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
    fn of(file: &str, node: Node) -> Self {
        let file = file.to_owned();
        Self { file, node }
    }

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
    pub places: String,
}

/// What the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// What is applied: what kubectl refuses is an error.
    AsApplied,
    /// All files of a commit: those without a SessionManagerRole are left alone, whatever they hold.
    ByHook,
}

/// Reads files, directories (recursively) and `-`. There may be none of ours.
///
/// # Errors
/// A file can't be read, or kubectl would not apply it.
pub fn read(paths: &[PathBuf], given: Given) -> Result<Manifests, ManifestError> {
    let mut sources = files::Sources::default();
    for path in paths {
        sources.add(path)?;
    }
    let places: Vec<_> = paths.iter().map(|path| files::in_words(path)).collect();
    let mut manifests = Manifests {
        places: places.join(", "),
        ..Manifests::default()
    };
    let mut problem = None;
    for files::Source { file, text } in sources.texts {
        if let Err(found) = manifests.take(&file, &text, given) {
            problem.get_or_insert(found);
        }
    }
    // In a directory of Kustomize's, a file need not be a manifest: that it is one of Kustomize's says more.
    if given == Given::AsApplied {
        manifests = manifests.or_kustomization()?;
    }
    problem.map_or(Ok(manifests), Err)
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
    fn or_kustomization(self) -> Result<Self, ManifestError> {
        let Some(file) = self.kustomization else {
            return Ok(self);
        };
        let folder = match file.rsplit_once(['/', '\\']) {
            Some((folder, _)) => folder.to_owned(),
            None => ".".to_owned(),
        };
        Err(ManifestError::Kustomization { file, folder })
    }

    fn take(&mut self, file: &str, text: &str, given: Given) -> Result<(), ManifestError> {
        let refused = |broken: Broken| ManifestError::Broken {
            hint: hints::hint(text, broken.place.line),
            file: file.to_owned(),
            broken,
        };
        let is_hook = given == Given::ByHook;
        let documents = match smr_manifest::documents(text) {
            Ok(documents) => documents,
            Err(_) if is_hook && !text.contains(KIND) && !text.contains(smr_api::GROUP) => {
                self.skipped += 1;
                return Ok(());
            }
            Err(broken) => return Err(refused(broken)),
        };
        let others = self.documents.len();
        let mut problem = None;
        for node in documents {
            if let Err(broken) = self.sort_in(file, node) {
                self.skipped += 1;
                problem.get_or_insert(broken);
            }
        }
        match problem {
            Some(broken) if !is_hook || self.documents.len() > others => Err(refused(broken)),
            Some(_) | None => Ok(()),
        }
    }

    /// Whatever has `items` is a list, as for kubectl, and taken apart.
    fn sort_in(&mut self, file: &str, node: Node) -> Result<(), Broken> {
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let group = version.split_once('/').map_or("", |(group, _)| group);
        // With a mistyped version or none it is a mistake that has to be said.
        let ours = [group, version].contains(&smr_api::GROUP) || kind == KIND;
        // Kustomize's file needs neither.
        let may_be = version.is_empty() && ["", "Kustomization", "Component"].contains(&kind);
        if group == KUSTOMIZE || (may_be && files::is_kustomization(file)) {
            self.kustomization.get_or_insert_with(|| file.to_owned());
            self.skipped += 1;
            return Ok(());
        }
        if kind == KIND {
            self.documents.push(Document::of(file, node));
            return Ok(());
        }
        smr_manifest::check_object(&node)?;
        match node.get("items").map(|items| &items.value) {
            Some(Value::List(items)) => {
                for item in items {
                    self.sort_in(file, of_list(item, version, kind))?;
                }
            }
            _ if ours => self.documents.push(Document::of(file, node)),
            _ => self.skipped += 1,
        }
        Ok(())
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
        let text = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: sessionmanager.dev/v1alpha1, kind: SessionManagerRole, metadata: {name: a}}\n- {apiVersion: v1, kind: Secret}\n---\n# nothing\n";
        let mut manifests = Manifests::default();
        manifests.take("x.yaml", text, Given::AsApplied).unwrap();
        assert_eq!((manifests.documents.len(), manifests.skipped), (1, 2));
        assert_eq!(
            manifests.documents[0].place_of("metadata.name"),
            "x.yaml:7:82"
        );
    }

    /// Each is refused by kubectl 1.37, too.
    #[test]
    fn what_is_no_object_is_refused_at_its_place() {
        const OURS: &str = r#"{"apiVersion":"sessionmanager.dev/v1alpha1","kind":"SessionManagerRole","metadata":{"name":"a"}}"#;
        for (text, problem) in [
            ("just text", "1:1: is a text, not a Kubernetes object"),
            ("[1]", "1:1: is a list, not a Kubernetes object"),
            ("a: b", "1:1: kind is missing"),
            ("kind: 5", "1:1: kind must be a text"),
            ("apiVersion: 1\nkind: A", "1:1: apiVersion must be a text"),
            ("kind: List\nitems: {}", "2:1: items must be a list"),
            (
                "kind: List\nitems: [null]",
                "2:9: is null, not a Kubernetes object",
            ),
            (
                "kind: List\nitems: [a]",
                "2:9: is a text, not a Kubernetes object",
            ),
            ("kind: List\nitems: [{}]", "2:9: kind is missing"),
            (
                "kind: List\nitems: [{kind: Foo}, {apiVersion: v1}]",
                "2:22: kind is missing",
            ),
            (&format!("{OURS} // ours"), "1:98: JSON has no comments"),
            (&format!("{OURS}\n/* ours */"), "2:1: JSON has no comments"),
        ] {
            let mut manifests = Manifests::default();
            let taken = manifests.take("x.yaml", text, Given::AsApplied);
            let told = taken.unwrap_err().to_string();
            assert!(
                told.starts_with(&format!("x.yaml:{problem}")),
                "{text}: {told}"
            );
        }
        for text in [
            "kind: List\nitems: []",
            "kind: List\nitems: null",
            "kind: Foo\na: b",
            "---\n~",
            &format!("{OURS} null"),
        ] {
            let mut manifests = Manifests::default();
            manifests.take("x.yaml", text, Given::AsApplied).unwrap();
        }
    }

    #[test]
    fn a_mistyped_version_does_not_hide_a_manifest() {
        for version in [
            "sessionmanagers.dev/v1alpha1",
            "sessionmanager.dev",
            "v1alpha1",
            "''",
            "5",
        ] {
            let text = format!("apiVersion: {version}\nkind: SessionManagerRole\n");
            for given in [Given::AsApplied, Given::ByHook] {
                let mut manifests = Manifests::default();
                manifests.take("x.yaml", &text, given).unwrap();
                assert_eq!(
                    (manifests.documents.len(), manifests.skipped),
                    (1, 0),
                    "{version}"
                );
            }
        }
    }

    #[test]
    fn a_hook_leaves_files_without_ours_alone() {
        let ours = "---\napiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\n";
        for text in ["- hosts: all\n", "items: {}\n", "a: b\n", "just text\n"] {
            let mut manifests = Manifests::default();
            manifests.take("x.yaml", text, Given::ByHook).unwrap();
            assert_eq!(manifests.skipped, 1, "{text}");
            let mixed = format!("{text}{ours}");
            assert!(
                manifests.take("x.yaml", &mixed, Given::ByHook).is_err(),
                "{text}"
            );
        }
        let mut manifests = Manifests::default();
        manifests
            .take("x.yaml", "a: {{ b }}\n", Given::ByHook)
            .unwrap();
        assert!(
            manifests
                .take("x.yaml", &format!("{ours}a: {{{{ b }}}}\n"), Given::ByHook)
                .is_err()
        );
    }
}
