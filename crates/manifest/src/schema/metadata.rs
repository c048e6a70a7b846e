//! `metadata` of a document. In: the node; out: problems, with the API server's paths. No IO. First
//! what the API server's decoder refuses, then what its validation of every kind does.

use serde_json::{Value as Json, json};

use super::{Constraint, Problems, nearest};
use crate::yaml::{Node, Value};

/// How much all annotations of an object may hold, in bytes.
const ANNOTATIONS_MAX: usize = 256 * 1024;
const NAME: &str = "metadata.name";

/// A label of a DNS name, as a regular expression.
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_IN_ANY_CASE: &str = "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?";
/// A name as labels and their keys have them, as a regular expression.
const WORD: &str = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";

/// What a field of metadata may hold; a null is as good as nothing.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Whole,
    Bool,
    Time,
    /// Texts by key.
    Texts,
    /// A list of texts.
    List,
    /// A list of maps with these fields.
    Maps(&'static [(&'static str, Kind)]),
    /// A map of anything.
    Any,
}

/// What `metadata` may have; most of it is written by the API server.
const FIELDS: [(&str, Kind); 15] = [
    ("name", Kind::Text),
    ("generateName", Kind::Text),
    ("namespace", Kind::Text),
    ("labels", Kind::Texts),
    ("annotations", Kind::Texts),
    ("finalizers", Kind::List),
    ("ownerReferences", Kind::Maps(&OWNER)),
    ("uid", Kind::Text),
    ("resourceVersion", Kind::Text),
    ("generation", Kind::Whole),
    ("creationTimestamp", Kind::Time),
    ("deletionTimestamp", Kind::Time),
    ("deletionGracePeriodSeconds", Kind::Whole),
    ("managedFields", Kind::Maps(&MANAGED)),
    ("selfLink", Kind::Text),
];

const OWNER: [(&str, Kind); 6] = [
    ("apiVersion", Kind::Text),
    ("kind", Kind::Text),
    ("name", Kind::Text),
    ("uid", Kind::Text),
    ("controller", Kind::Bool),
    ("blockOwnerDeletion", Kind::Bool),
];

const OWNER_NEEDS: [&str; 4] = ["apiVersion", "kind", "name", "uid"];

const MANAGED: [(&str, Kind); 7] = [
    ("manager", Kind::Text),
    ("operation", Kind::Text),
    ("apiVersion", Kind::Text),
    ("time", Kind::Time),
    ("fieldsType", Kind::Text),
    ("fieldsV1", Kind::Any),
    ("subresource", Kind::Text),
];

/// `metadata` as a JSON schema.
pub(super) fn json_schema() -> Json {
    let qualified = |label: &str| format!("^({label}(\\.{label})*/)?{WORD}$");
    let text = |pattern: String, longest: u32| json!({ "type": "string", "pattern": pattern, "maxLength": longest });
    let mut schema = map_schema(&FIELDS);
    schema["required"] = json!(["name"]);
    let fields = &mut schema["properties"];
    fields["name"] = text(format!("^{LABEL}(\\.{LABEL})*$"), 253);
    fields["namespace"] = text(format!("^({LABEL})?$"), 63);
    fields["labels"]["propertyNames"] = json!({ "pattern": qualified(LABEL) });
    fields["labels"]["additionalProperties"]["pattern"] = json!(format!("^({WORD})?$"));
    // The API server reads the keys of annotations in lower case.
    fields["annotations"]["propertyNames"] = json!({ "pattern": qualified(LABEL_IN_ANY_CASE) });
    fields["finalizers"]["items"]["pattern"] = json!(qualified(LABEL));
    let owner = &mut fields["ownerReferences"]["items"];
    for field in OWNER_NEEDS {
        owner["properties"][field]["minLength"] = json!(1);
    }
    owner["required"] = json!(OWNER_NEEDS);
    schema
}

fn map_schema(known: &[(&'static str, Kind)]) -> Json {
    let properties = known.iter().map(|(name, kind)| {
        let schema = match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Whole => json!({ "type": "integer" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Time => json!({ "type": "string", "format": "date-time" }),
            Kind::Texts => {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            }
            Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Maps(known) => json!({ "type": "array", "items": map_schema(known) }),
            Kind::Any => json!({ "type": "object" }),
        };
        ((*name).to_owned(), schema)
    });
    let properties = Json::Object(properties.collect());
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

pub(super) fn check(metadata: Option<&Node>, problems: &mut Problems) {
    let Some(metadata) = metadata.filter(|m| !m.is_null()) else {
        wrong(problems, NAME, "is required: add it");
        return;
    };
    if !matches!(metadata.value, Value::Map(_)) {
        wrong(problems, "metadata", "must be a map");
        return;
    }
    let before = problems.found.len();
    map(&FIELDS, metadata, "metadata", problems);
    if problems.found.len() > before {
        return;
    }
    names(metadata, problems);
    labels(metadata, problems);
    annotations(metadata, problems);
    finalizers(metadata, problems);
    owners(metadata, problems);
}

fn wrong(problems: &mut Problems, field: impl Into<String>, message: impl Into<String>) {
    problems.wrong_shape(Constraint::Object, field, message);
}

fn map(known: &[(&'static str, Kind)], node: &Node, path: &str, problems: &mut Problems) {
    for entry in node.entries() {
        let field = format!("{path}.{}", entry.key);
        if let Some((_, kind)) = known.iter().find(|(name, _)| *name == entry.key) {
            value(*kind, &entry.node, &field, problems);
        } else {
            let meant = nearest(&entry.key, known.iter().map(|(name, _)| *name))
                .map(|near| format!(": did you mean {near}?"))
                .unwrap_or_default();
            wrong(problems, field, format!("unknown field{meant}"));
        }
    }
}

fn value(kind: Kind, node: &Node, field: &str, problems: &mut Problems) {
    if node.is_null() {
        return;
    }
    let expected = match (kind, &node.value) {
        (Kind::Text, Value::Scalar(Json::String(_)))
        | (Kind::Bool, Value::Scalar(Json::Bool(_)))
        | (Kind::Any, Value::Map(_)) => return,
        (Kind::Whole, Value::Scalar(Json::Number(number))) if number.is_i64() => return,
        (Kind::Time, Value::Scalar(Json::String(text))) if is_time(text) => return,
        (Kind::Texts, Value::Map(entries)) => {
            for entry in entries {
                if entry.node.text().is_none() && !entry.node.is_null() {
                    let message = format!(
                        "the value of {} must be a text: put it in quotes",
                        entry.key
                    );
                    wrong(problems, field, message);
                }
            }
            return;
        }
        (Kind::List, Value::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                value(Kind::Text, item, &format!("{field}[{index}]"), problems);
            }
            return;
        }
        (Kind::Maps(known), Value::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                let field = format!("{field}[{index}]");
                match item.value {
                    Value::Map(_) => map(known, item, &field, problems),
                    Value::Scalar(Json::Null) => {}
                    Value::Scalar(_) | Value::List(_) => wrong(problems, field, "must be a map"),
                }
            }
            return;
        }
        (Kind::Text, _) => "must be a text: put it in quotes",
        (Kind::Whole, _) => "must be a whole number",
        (Kind::Bool, _) => "must be true or false, without quotes",
        (Kind::Time, _) => {
            "must be a time such as 2026-01-31T12:00:00Z: remove it, the API server writes it"
        }
        (Kind::Texts | Kind::Any, _) => "must be a map",
        (Kind::List | Kind::Maps(_), _) => "must be a list",
    };
    wrong(problems, field, expected);
}

/// A time as Kubernetes writes it (RFC 3339), where jiff takes more.
fn is_time(text: &str) -> bool {
    let at = |index: usize| text.as_bytes().get(index);
    let zone = text.ends_with('Z') || at(text.len().saturating_sub(3)) == Some(&b':');
    let separated = at(10) == Some(&b'T') && at(16) == Some(&b':');
    zone && separated && text.parse::<jiff::Timestamp>().is_ok()
}

/// The text of a field; an empty one where there is none.
fn text<'a>(node: &'a Node, key: &str) -> &'a str {
    node.get(key).and_then(Node::text).unwrap_or_default()
}

fn names(metadata: &Node, problems: &mut Problems) {
    const SUBDOMAIN: &str =
        "must be lower-case letters, digits, - and ., and begin and end with a letter or digit";
    let (name, generate) = (text(metadata, "name"), text(metadata, "generateName"));
    if name.is_empty() && generate.is_empty() {
        wrong(problems, NAME, "is required: add it");
    } else if name.is_empty() {
        wrong(
            problems,
            NAME,
            "is needed instead of generateName: names in IAM are made of it",
        );
    } else if !is_subdomain(name) {
        problems.add(Constraint::Object, NAME, format!("'{name}' {SUBDOMAIN}"));
    }
    // The API server puts letters and digits after it.
    let stem = generate.strip_suffix('-').filter(|stem| !stem.is_empty());
    if !generate.is_empty() && !is_subdomain(stem.unwrap_or(generate)) {
        problems.add(
            Constraint::Object,
            "metadata.generateName",
            format!("'{generate}' {SUBDOMAIN}"),
        );
    }
    let namespace = text(metadata, "namespace");
    let fits = namespace.len() <= 63 && is_label(namespace);
    if !namespace.is_empty() && !fits {
        problems.add(
            Constraint::Object,
            "metadata.namespace",
            format!("'{namespace}' must be at most 63 lower-case letters, digits and -"),
        );
    }
}

fn labels(metadata: &Node, problems: &mut Problems) {
    let field = "metadata.labels";
    for entry in metadata
        .get("labels")
        .map(Node::entries)
        .unwrap_or_default()
    {
        qualified(field, "the key", &entry.key, problems);
        let value = entry.node.text().unwrap_or_default();
        if !value.is_empty() && !is_name(value) {
            problems.add(
                Constraint::Object,
                field,
                format!(
                    "the value '{value}' of {} must have at most 63 letters, digits and -_., with a letter or digit at both ends",
                    entry.key
                ),
            );
        }
    }
}

fn annotations(metadata: &Node, problems: &mut Problems) {
    let field = "metadata.annotations";
    let entries = metadata.get("annotations").map(Node::entries);
    let entries = entries.unwrap_or_default();
    for entry in entries {
        qualified(field, "the key", &entry.key.to_lowercase(), problems);
    }
    let size = |e: &crate::yaml::Entry| e.key.len() + e.node.text().map_or(0, str::len);
    let size: usize = entries.iter().map(size).sum();
    if size > ANNOTATIONS_MAX {
        let message = format!("have {size} bytes, may have at most {ANNOTATIONS_MAX}: remove some");
        wrong(problems, field, message);
    }
}

fn finalizers(metadata: &Node, problems: &mut Problems) {
    let field = "metadata.finalizers";
    let Some(Value::List(items)) = metadata.get("finalizers").map(|f| &f.value) else {
        return;
    };
    let items: Vec<&str> = items
        .iter()
        .map(|item| item.text().unwrap_or_default())
        .collect();
    for item in &items {
        qualified(field, "the finalizer", item, problems);
    }
    if items.contains(&"orphan") && items.contains(&"foregroundDeletion") {
        problems.add(
            Constraint::Object,
            field,
            "can't have both orphan and foregroundDeletion: remove one",
        );
    }
}

fn owners(metadata: &Node, problems: &mut Problems) {
    let field = "metadata.ownerReferences";
    let Some(Value::List(items)) = metadata.get("ownerReferences").map(|f| &f.value) else {
        return;
    };
    for (index, owner) in items.iter().enumerate() {
        let field = format!("{field}[{index}]");
        for key in OWNER_NEEDS {
            if text(owner, key).is_empty() {
                wrong(problems, format!("{field}.{key}"), "is required: add it");
            }
        }
        let version = text(owner, "apiVersion");
        if version.matches('/').count() > 1 {
            problems.add(
                Constraint::Object,
                format!("{field}.apiVersion"),
                "must be GROUP/VERSION or VERSION",
            );
        }
        if (version, text(owner, "kind")) == ("v1", "Event") {
            problems.add(Constraint::Object, &field, "an Event can't be an owner");
        }
    }
    let controls = |owner: &&Node| {
        let controller = owner.get("controller").map(|c| &c.value);
        controller == Some(&Value::Scalar(Json::Bool(true)))
    };
    if items.iter().filter(controls).count() > 1 {
        problems.add(
            Constraint::Object,
            field,
            "only one of them can have controller: true",
        );
    }
}

/// A key of labels and annotations, a finalizer: a name, with a DNS name and / before it or not.
fn qualified(field: &str, what: &str, key: &str, problems: &mut Problems) {
    if is_qualified(key) {
        return;
    }
    problems.add(
        Constraint::Object,
        field,
        format!(
            "{what} '{key}' must be at most 63 letters, digits and -_., with a letter or digit at both ends, and may begin with a DNS name and /"
        ),
    );
}

/// A key of labels.
pub fn is_qualified(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(p, n)| (Some(p), n));
    prefix.is_none_or(is_subdomain) && is_name(name)
}

/// A name as labels and their keys have them.
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63 && text.starts_with(is_end) && text.ends_with(is_end) && text.chars().all(fits)
}

/// A DNS name (RFC 1123).
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A label of a DNS name (RFC 1123).
fn is_label(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}
