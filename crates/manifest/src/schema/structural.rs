//! The shape of a document: types, enums, bounds, patterns, unknown and required fields. In: the
//! CRD's schema and a document; out: problems, with paths as the API server writes them. No IO.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::{Constraint, Problems, nearest};
use crate::yaml::{Node, Value};

/// What the API server adds to every kind.
const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

thread_local! {
    /// Patterns, compiled once.
    static PATTERNS: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
}

/// Checks a whole document; metadata, apiVersion and kind are looked at elsewhere. Status is the
/// controller's: the API server drops it where it is sent with the rest, but for unknown fields.
/// What was there `before` and is unchanged is accepted, whatever the schema has become since.
pub(super) fn check(
    schema: &Json,
    document: &Node,
    before: Option<&Json>,
    problems: &mut Problems,
) {
    let Value::Map(entries) = &document.value else {
        problems.wrong_shape(Constraint::Object, "", "the document must be a map");
        return;
    };
    let mut walk = Walk { problems };
    for entry in entries {
        let key = entry.key.as_str();
        match schema["properties"].get(key) {
            Some(status) if key == "status" => walk.unknown_below(status, &entry.node, key),
            Some(property) if takes_null(property, &entry.node) => {}
            Some(property) => {
                walk.node(property, &entry.node, before.and_then(|b| b.get(key)), key);
            }
            None if META.contains(&key) => {}
            None => walk.unknown(schema, &entry.key, ""),
        }
    }
    walk.required(schema, document, "");
}

/// A document as the API server sees it: nulls count as left out, what has a default gets it, status
/// is dropped.
pub(super) fn as_sent(schema: &Json, document: &Node) -> Json {
    let mut json = without_nulls(document);
    if let Some(object) = json.as_object_mut() {
        object.remove("status");
        let defaults = schema["properties"].as_object().into_iter().flatten();
        for (key, property) in defaults.filter(|(key, _)| *key != "status") {
            if let (None, Some(default)) = (object.get(key), property.get("default")) {
                object.insert(key.clone(), default.clone());
            }
        }
    }
    json
}

/// A null takes the default.
fn takes_null(property: &Json, node: &Node) -> bool {
    node.is_null() && property.get("default").is_some()
}

/// Without the nulls of maps; those of lists stay, and are refused.
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

/// The fields that are empty, which `kubectl apply` drops and server-side apply refuses.
pub(super) fn empty_fields(node: &Node, path: &str, found: &mut Vec<String>) {
    for entry in node.entries() {
        let below = format!("{path}.{}", entry.key);
        if entry.node.is_null() {
            found.push(below);
        } else {
            empty_fields(&entry.node, &below, found);
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

/// A walk through a document.
struct Walk<'a> {
    problems: &'a mut Problems,
}

impl Walk<'_> {
    fn node(&mut self, schema: &Json, node: &Node, before: Option<&Json>, path: &str) {
        if before.is_some_and(|before| *before == without_nulls(node)) {
            return;
        }
        let expected = schema["type"].as_str().unwrap_or_default();
        match (&node.value, expected) {
            (Value::Map(_), "object") => self.object(schema, node, before, path),
            (Value::List(items), "array") => self.list(schema, items, path),
            (Value::Scalar(Json::String(found)), "string") => self.text(schema, found, path),
            (Value::Scalar(Json::Number(found)), "integer" | "number") => {
                self.number(schema, found, expected, path);
            }
            (Value::Scalar(Json::Bool(_)), "boolean") => {}
            (found, _) => {
                (self.problems).wrong_shape(Constraint::Type, path, wrong_type(found, expected));
            }
        }
    }

    fn object(&mut self, schema: &Json, object: &Node, before: Option<&Json>, path: &str) {
        let entries = object.entries();
        let length = (entries.iter()).filter(|e| !e.node.is_null()).count();
        if let Some(max) = above(schema, "maxProperties", length) {
            self.problems.wrong_shape(
                Constraint::Bound("maxProperties"),
                path,
                format!("has {length} entries, may have at most {max}: remove some"),
            );
        }
        for entry in entries {
            let below = format!("{path}.{}", entry.key);
            let additional = schema.get("additionalProperties").filter(|a| a.is_object());
            match schema["properties"].get(&entry.key).or(additional) {
                Some(_) if entry.node.is_null() => {}
                Some(property) => {
                    let before = before.and_then(|b| b.get(&entry.key));
                    self.node(property, &entry.node, before, &below);
                }
                None => self.unknown(schema, &entry.key, path),
            }
        }
        self.required(schema, object, path);
    }

    fn list(&mut self, schema: &Json, items: &[Node], path: &str) {
        let length = items.len();
        if let Some(max) = above(schema, "maxItems", length) {
            self.problems.wrong_shape(
                Constraint::Bound("maxItems"),
                path,
                format!("has {length} items, may have at most {max}: remove some"),
            );
        }
        if let Some(min) = below(schema, "minItems", length) {
            self.problems.add(
                Constraint::Bound("minItems"),
                path,
                format!(
                    "has {length} items, needs at least {min}: add one, or leave the field out"
                ),
            );
        }
        let is_set = schema["x-kubernetes-list-type"] == "set";
        let mut known = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let below = format!("{path}[{index}]");
            // Items of a set or an atomic list have no counterpart before.
            self.node(&schema["items"], item, None, &below);
            // The items of a set are scalars.
            if let (true, Value::Scalar(scalar)) = (is_set, &item.value)
                && !known.insert(scalar.to_string())
            {
                self.problems.add(
                    Constraint::Duplicate,
                    &below,
                    "is in the list already: remove it",
                );
            }
        }
    }

    fn text(&mut self, schema: &Json, found: &str, path: &str) {
        if let Some(values) = schema["enum"].as_array() {
            let known: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
            if !known.contains(&found) {
                let meant = nearest(found, known.iter().copied())
                    .map(|near| format!(": did you mean {near}?"))
                    .unwrap_or_default();
                self.problems.wrong_shape(
                    Constraint::Enum,
                    path,
                    format!("'{found}' is not one of {}{meant}", known.join(", ")),
                );
            }
        }
        let length = found.chars().count();
        if let Some(max) = above(schema, "maxLength", length) {
            self.problems.wrong_shape(
                Constraint::Bound("maxLength"),
                path,
                format!("has {length} characters, may have at most {max}: make it shorter"),
            );
        }
        if let Some(min) = below(schema, "minLength", length) {
            self.problems.add(
                Constraint::Bound("minLength"),
                path,
                format!("has {length} characters, needs at least {min}"),
            );
        }
        if let Some(pattern) = schema["pattern"].as_str()
            && !matches(pattern, found)
        {
            self.problems.add(
                Constraint::Pattern,
                path,
                format!("'{found}' does not have the form {pattern}"),
            );
        }
    }

    fn number(&mut self, schema: &Json, found: &serde_json::Number, expected: &str, path: &str) {
        if expected == "integer" && !found.is_i64() && !found.is_u64() {
            self.problems.wrong_shape(
                Constraint::Type,
                path,
                format!("must be a whole number, is {found}"),
            );
            return;
        }
        let value = found.as_f64().unwrap_or_default();
        let (min, max) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
        let broken = match (min, max) {
            (Some(min), _) if value < min => "minimum",
            (_, Some(max)) if value > max => "maximum",
            _ => return,
        };
        let shown = |bound: Option<f64>| bound.map(|b| b.to_string()).unwrap_or_default();
        self.problems.add(
            Constraint::Bound(broken),
            path,
            format!(
                "is {found}, must lie between {} and {}",
                shown(min),
                shown(max)
            ),
        );
    }

    fn unknown(&mut self, schema: &Json, key: &str, parent: &str) {
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
        let field = joined(parent, key);
        self.problems.add(
            Constraint::Unknown,
            field,
            format!("unknown field: {meant}"),
        );
    }

    /// Unknown fields alone.
    fn unknown_below(&mut self, schema: &Json, node: &Node, path: &str) {
        if let Value::List(items) = &node.value {
            for (index, item) in items.iter().enumerate() {
                self.unknown_below(&schema["items"], item, &format!("{path}[{index}]"));
            }
        }
        for entry in node.entries() {
            let additional = schema.get("additionalProperties");
            match schema["properties"].get(&entry.key).or(additional) {
                Some(property) => {
                    self.unknown_below(property, &entry.node, &joined(path, &entry.key));
                }
                None if schema["type"] == "object" => self.unknown(schema, &entry.key, path),
                None => {}
            }
        }
    }

    fn required(&mut self, schema: &Json, object: &Node, path: &str) {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            let has_default = schema["properties"][name].get("default").is_some();
            if !has_default && object.get(name).is_none_or(Node::is_null) {
                self.problems.wrong_shape(
                    Constraint::Required,
                    joined(path, name),
                    "is required: add it",
                );
            }
        }
    }
}

fn joined(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
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

/// The upper bound, where `found` is above it.
fn above(schema: &Json, bound: &str, found: usize) -> Option<u64> {
    let limit = schema[bound].as_u64()?;
    (u64::try_from(found).unwrap_or(u64::MAX) > limit).then_some(limit)
}

/// The lower bound, where `found` is below it.
fn below(schema: &Json, bound: &str, found: usize) -> Option<u64> {
    let limit = schema[bound].as_u64()?;
    (u64::try_from(found).unwrap_or(u64::MAX) < limit).then_some(limit)
}

fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.with_borrow_mut(|known| {
        let compiled = known
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    })
}
