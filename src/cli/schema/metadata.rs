//! `metadata` of a document. In: the node; out: problems, with the API server's paths. No IO.

use serde_json::Value as Json;

use super::super::manifests::yaml::{Node, Value};
use super::{Problems, nearest};

/// What `metadata` may have; most of it is written by the API server.
const KNOWN: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

pub(super) fn check(metadata: Option<&Node>, problems: &mut Problems) {
    let Some(metadata) = metadata.filter(|m| !m.is_null()) else {
        problems.wrong_shape("metadata.name", "is required: add it");
        return;
    };
    if !matches!(metadata.value, Value::Map(_)) {
        problems.wrong_shape("metadata", "must be a map");
        return;
    }
    for entry in metadata.entries() {
        if !KNOWN.contains(&entry.key.as_str()) {
            let meant = nearest(&entry.key, KNOWN.into_iter())
                .map(|near| format!(": did you mean {near}?"))
                .unwrap_or_default();
            problems.add(
                format!("metadata.{}", entry.key),
                format!("unknown field{meant}"),
            );
        }
    }
    for field in ["labels", "annotations"] {
        for entry in metadata.get(field).map(Node::entries).unwrap_or_default() {
            if entry.node.text().is_none() && !entry.node.is_null() {
                problems.wrong_shape(
                    format!("metadata.{field}"),
                    format!(
                        "the value of {} must be a text: put it in quotes",
                        entry.key
                    ),
                );
            }
        }
    }
    name(metadata, problems);
    if let Some(namespace) = metadata.get("namespace").and_then(Node::text)
        && !(namespace.len() <= 63 && is_label(namespace))
    {
        problems.add(
            "metadata.namespace",
            format!("'{namespace}' must be at most 63 lower-case letters, digits and -"),
        );
    }
}

fn name(metadata: &Node, problems: &mut Problems) {
    const FIELD: &str = "metadata.name";
    match metadata.get("name").map(|name| &name.value) {
        Some(Value::Scalar(Json::String(name))) => {
            if name.len() > 253 || !name.split('.').all(is_label) {
                problems.add(FIELD, format!("'{name}' must be lower-case letters, digits, - and ., and begin and end with a letter or digit"));
            }
        }
        None | Some(Value::Scalar(Json::Null)) if metadata.get("generateName").is_some() => {
            problems.wrong_shape(
                FIELD,
                "is needed instead of generateName: names in IAM are made of it",
            );
        }
        None | Some(Value::Scalar(Json::Null)) => {
            problems.wrong_shape(FIELD, "is required: add it");
        }
        Some(_) => problems.wrong_shape(FIELD, "must be a text: put it in quotes"),
    }
}

/// A label of a DNS name (RFC 1123).
fn is_label(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}
