//! Manifests: paths in, the SessionManagerRoles in them out, each with its place. Reads files and
//! standard input. Documents of other kinds are counted and left alone.

pub mod yaml;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use thiserror::Error;
use yaml::{Broken, Node, Place, Value};

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
    /// A file is no YAML.
    #[error("{file}:{broken}")]
    Broken {
        /// Which.
        file: String,
        /// Where and why.
        broken: Broken,
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
}

/// Reads files, directories (recursively) and `-`. An empty result is an error: a mistyped path must
/// not look like "nothing to do".
pub fn read(paths: &[PathBuf]) -> Result<Manifests, ManifestError> {
    let manifests = read_any(paths)?;
    if manifests.documents.is_empty() {
        return Err(ManifestError::None {
            places: paths
                .iter()
                .map(|p| shown(p))
                .collect::<Vec<_>>()
                .join(", "),
            others: match manifests.skipped {
                0 => String::new(),
                1 => " (one document of another kind)".to_owned(),
                many => format!(" ({many} documents of other kinds)"),
            },
        });
    }
    Ok(manifests)
}

/// The same, where an empty result is one: the state before the first manifest.
pub fn read_any(paths: &[PathBuf]) -> Result<Manifests, ManifestError> {
    let mut manifests = Manifests::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|source| ManifestError::Unreadable {
                    path: "standard input".to_owned(),
                    source,
                })?;
            manifests.take("stdin", &text)?;
        } else {
            for file in files(path)? {
                let text = std::fs::read_to_string(&file).map_err(|e| unreadable(&file, e))?;
                manifests.take(&shown(&file), &text)?;
            }
        }
    }
    Ok(manifests)
}

fn shown(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> ManifestError {
    ManifestError::Unreadable {
        path: shown(path),
        source,
    }
}

/// A file itself, whatever its name; all YAML and JSON files below a directory, in order. What
/// begins with a dot is left alone, as kubectl and git do.
fn files(path: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    if !std::fs::metadata(path)
        .map_err(|e| unreadable(path, e))?
        .is_dir()
    {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = std::fs::read_dir(path)
        .and_then(|entries| {
            entries
                .map(|e| Ok(e?.path()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(|e| unreadable(path, e))?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let hidden = entry
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with('.'));
        let fits = entry
            .extension()
            .is_some_and(|e| ["yaml", "yml", "json"].iter().any(|x| e == *x));
        if !hidden && (fits || entry.is_dir()) {
            found.append(&mut files(&entry)?);
        }
    }
    Ok(found)
}

impl Manifests {
    fn take(&mut self, file: &str, text: &str) -> Result<(), ManifestError> {
        let documents = yaml::parse(text.trim_start_matches('\u{feff}')).map_err(|broken| {
            ManifestError::Broken {
                file: file.to_owned(),
                broken,
            }
        })?;
        for node in documents {
            self.sort_in(file, node);
        }
        Ok(())
    }

    /// Lists, as `kubectl get -o yaml` prints them, are taken apart.
    fn sort_in(&mut self, file: &str, node: Node) {
        let text = |key: &str| {
            node.get(key)
                .and_then(Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        let (version, kind) = (text("apiVersion"), text("kind"));
        let ours = version
            .split_once('/')
            .is_some_and(|(group, _)| group == smr_api::GROUP);
        if (version == "v1" && kind == "List") || (ours && kind == "SessionManagerRoleList") {
            if let Some(Node {
                value: Value::List(items),
                ..
            }) = node.get("items")
            {
                for item in items {
                    self.sort_in(file, item.clone());
                }
            }
        } else if ours {
            self.documents.push(Document {
                file: file.to_owned(),
                node,
            });
        } else {
            self.skipped += 1;
        }
    }
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
