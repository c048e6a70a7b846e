//! The shape of a document: types, enums, bounds, patterns, unknown and required fields. In: the
//! CRD's schema and a document; out: problems, with paths as the API server writes them. No IO.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::super::manifests::yaml::{Node, Value};
use super::{Problems, nearest};

/// What the API server adds to every kind.
const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

thread_local! {
    /// Patterns, compiled once.
    static PATTERNS: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
}

/// Checks a whole document; metadata, apiVersion and kind are looked at elsewhere, and status is
/// the controller's: the API server drops it where it is sent with the rest.
pub(super) fn check(schema: &Json, document: &Node, problems: &mut Problems) {
    let Value::Map(entries) = &document.value else {
        problems.wrong_shape("", "the document must be a map");
        return;
    };
    for entry in entries {
        let key = entry.key.as_str();
        match schema["properties"].get(key) {
            Some(_) if key == "status" => {}
            Some(property) => node(property, &entry.node, key, problems),
            None if META.contains(&key) => {}
            None => unknown(schema, &entry.key, "", problems),
        }
    }
    required(schema, document, "", problems);
}

/// A document as the API server sees it: nulls count as left out, status is dropped.
pub(super) fn as_sent(document: &Node) -> Json {
    let mut json = without_nulls(document);
    if let Some(object) = json.as_object_mut() {
        object.remove("status");
    }
    json
}

fn without_nulls(node: &Node) -> Json {
    match &node.value {
        Value::Scalar(scalar) => scalar.clone(),
        Value::List(items) => items.iter().map(without_nulls).collect(),
        Value::Map(entries) => {
            let kept = entries.iter().filter(|e| !e.node.is_null());
            Json::Object(
                kept.map(|e| (e.key.clone(), without_nulls(&e.node)))
                    .collect(),
            )
        }
    }
}

/// Whether all patterns of a schema can be used here.
pub(super) fn check_patterns(schema: &Json) -> Result<(), String> {
    match schema {
        Json::Object(map) => {
            if let Some(pattern) = map.get("pattern").and_then(Json::as_str) {
                Regex::new(pattern).map_err(|error| error.to_string())?;
            }
            map.values().try_for_each(check_patterns)
        }
        Json::Array(items) => items.iter().try_for_each(check_patterns),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Ok(()),
    }
}

fn node(schema: &Json, node: &Node, path: &str, problems: &mut Problems) {
    let expected = schema["type"].as_str().unwrap_or_default();
    match (&node.value, expected) {
        (Value::Map(_), "object") => object(schema, node, path, problems),
        (Value::List(items), "array") => list(schema, items, path, problems),
        (Value::Scalar(Json::String(found)), "string") => text(schema, found, path, problems),
        (Value::Scalar(Json::Number(found)), "integer" | "number") => {
            number(schema, found, expected, path, problems);
        }
        (Value::Scalar(Json::Bool(_)), "boolean") => {}
        (found, _) => problems.wrong_shape(path, wrong_type(found, expected)),
    }
}

fn wrong_type(found: &Value, expected: &str) -> String {
    let should = match expected {
        "object" => "a map",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "boolean" => "true or false",
        other => other,
    };
    match found {
        Value::Map(_) => format!("must be {should}, is a map"),
        Value::List(_) => format!("must be {should}, is a list"),
        Value::Scalar(Json::Null) => format!("must be {should}, is empty"),
        Value::Scalar(Json::String(_)) if ["integer", "number", "boolean"].contains(&expected) => {
            format!("must be {should}, is a text: write it without quotes")
        }
        Value::Scalar(Json::String(_)) => format!("must be {should}, is a text"),
        Value::Scalar(scalar) if expected == "string" => {
            format!("must be a text, but without quotes it is read as {scalar}: put it in quotes")
        }
        Value::Scalar(scalar) => format!("must be {should}, is {scalar}"),
    }
}

fn object(schema: &Json, object: &Node, path: &str, problems: &mut Problems) {
    let entries = object.entries();
    bound(
        schema,
        "maxProperties",
        entries.len(),
        |max| {
            problems.wrong_shape(
                path,
                format!(
                    "has {} entries, may have at most {max}: remove some",
                    entries.len()
                ),
            );
        },
        |found, max| found > max,
    );
    for entry in entries {
        let below = format!("{path}.{}", entry.key);
        let additional = schema.get("additionalProperties").filter(|a| a.is_object());
        match schema["properties"].get(&entry.key).or(additional) {
            Some(_) if entry.node.is_null() => {}
            Some(property) => node(property, &entry.node, &below, problems),
            None => unknown(schema, &entry.key, path, problems),
        }
    }
    required(schema, object, path, problems);
}

fn list(schema: &Json, items: &[Node], path: &str, problems: &mut Problems) {
    bound(
        schema,
        "maxItems",
        items.len(),
        |max| {
            problems.wrong_shape(
                path,
                format!(
                    "has {} items, may have at most {max}: remove some",
                    items.len()
                ),
            );
        },
        |found, max| found > max,
    );
    bound(
        schema,
        "minItems",
        items.len(),
        |min| {
            problems.add(
                path,
                format!(
                    "has {} items, needs at least {min}: add one, or leave the field out",
                    items.len()
                ),
            );
        },
        |found, min| found < min,
    );
    let is_set = schema["x-kubernetes-list-type"] == "set";
    for (index, item) in items.iter().enumerate() {
        let below = format!("{path}[{index}]");
        node(&schema["items"], item, &below, problems);
        if is_set
            && items[..index]
                .iter()
                .any(|earlier| earlier.value == item.value)
        {
            problems.add(&below, "is in the list already: remove it");
        }
    }
}

fn text(schema: &Json, found: &str, path: &str, problems: &mut Problems) {
    if let Some(values) = schema["enum"].as_array() {
        let known: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
        if !known.contains(&found) {
            let meant = nearest(found, known.iter().copied())
                .map(|near| format!(": did you mean {near}?"))
                .unwrap_or_default();
            problems.wrong_shape(
                path,
                format!("'{found}' is not one of {}{meant}", known.join(", ")),
            );
        }
    }
    let length = found.chars().count();
    bound(
        schema,
        "maxLength",
        length,
        |max| {
            problems.wrong_shape(
                path,
                format!("has {length} characters, may have at most {max}: make it shorter"),
            );
        },
        |found, max| found > max,
    );
    bound(
        schema,
        "minLength",
        length,
        |min| {
            problems.add(
                path,
                format!("has {length} characters, needs at least {min}"),
            );
        },
        |found, min| found < min,
    );
    if let Some(pattern) = schema["pattern"].as_str()
        && !matches(pattern, found)
    {
        problems.add(path, format!("'{found}' does not have the form {pattern}"));
    }
}

fn number(
    schema: &Json,
    found: &serde_json::Number,
    expected: &str,
    path: &str,
    problems: &mut Problems,
) {
    if expected == "integer" && !found.is_i64() && !found.is_u64() {
        problems.wrong_shape(path, format!("must be a whole number, is {found}"));
        return;
    }
    let value = found.as_f64().unwrap_or_default();
    let (min, max) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    if min.is_some_and(|min| value < min) || max.is_some_and(|max| value > max) {
        let shown = |bound: Option<f64>| bound.map(|b| b.to_string()).unwrap_or_default();
        problems.add(
            path,
            format!(
                "is {found}, must lie between {} and {}",
                shown(min),
                shown(max)
            ),
        );
    }
}

fn bound(
    schema: &Json,
    name: &str,
    found: usize,
    tell: impl FnOnce(u64),
    breaks: fn(u64, u64) -> bool,
) {
    if let Some(limit) = schema[name].as_u64()
        && breaks(u64::try_from(found).unwrap_or(u64::MAX), limit)
    {
        tell(limit);
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.with_borrow_mut(|known| {
        let compiled = known
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    })
}

fn unknown(schema: &Json, key: &str, parent: &str, problems: &mut Problems) {
    let field = if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    };
    let known: Vec<&str> = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    let meant = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known here: {}", known.join(", ")),
    };
    problems.add(field, format!("unknown field: {meant}"));
}

fn required(schema: &Json, object: &Node, path: &str, problems: &mut Problems) {
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
    {
        if object.get(name).is_none_or(Node::is_null) {
            let field = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            problems.wrong_shape(field, "is required: add it");
        }
    }
}
