//! `values.yaml` of a chart in, its documented values out: path, default, description, schema. No IO.

use serde_json::{Map, Value, json};

/// A value that people set.
#[derive(Debug)]
pub struct Entry {
    /// Such as `aws.roleArn`.
    pub path: String,
    pub default: Value,
    /// In Markdown.
    pub description: String,
    /// As JSON schema has it.
    pub schema: Value,
}

/// What a line of the file is.
enum Line<'a> {
    /// Begins a description.
    Begins(&'a str),
    /// Goes on with one.
    Goes(&'a str),
    Key {
        depth: usize,
        name: &'a str,
        schema: Option<&'a str>,
    },
    Other,
}

fn line(text: &str) -> Line<'_> {
    let trimmed = text.trim_start();
    let indent = text.len() - trimmed.len();
    if let Some(description) = trimmed.strip_prefix("# -- ") {
        return Line::Begins(description);
    }
    if let Some(more) = trimmed.strip_prefix("# ") {
        return Line::Goes(more);
    }
    let Some((name, rest)) = trimmed.split_once(':') else {
        return Line::Other;
    };
    if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Line::Other;
    }
    let schema = rest.split_once("# schema: ").map(|(_, schema)| schema);
    Line::Key {
        depth: indent / 2,
        name,
        schema,
    }
}

/// All values that have a description; an object whose keys have none is one value.
pub fn entries(text: &str) -> Vec<Entry> {
    let defaults: Value = serde_saphyr::from_str(text).unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    let mut description: Option<String> = None;
    for each in text.lines() {
        match line(each) {
            Line::Begins(words) => description = Some(words.to_owned()),
            Line::Goes(words) => {
                if let Some(description) = &mut description {
                    description.push(' ');
                    description.push_str(words);
                }
            }
            Line::Key {
                depth,
                name,
                schema,
            } => {
                path.truncate(depth);
                path.push(name);
                let Some(description) = description.take() else {
                    continue;
                };
                let default = defaults[path[0]].clone();
                let default = path[1..].iter().fold(default, |at, key| at[*key].clone());
                entries.push(Entry {
                    path: path.join("."),
                    schema: schema_of(&default, schema, &description),
                    default,
                    description,
                });
            }
            Line::Other => description = None,
        }
    }
    all_are_documented(&defaults, "", &entries);
    entries
}

/// The type of the default, and what the file says besides.
fn schema_of(default: &Value, more: Option<&str>, description: &str) -> Value {
    let name = match default {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => panic!("a value without a default: {description}"),
    };
    let mut schema = json!({ "type": name, "description": description, "default": default });
    let more: Map<String, Value> = more.map_or_else(Map::new, |text| {
        serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    });
    let fits = match name {
        "array" => more.contains_key("items"),
        "object" => more.contains_key("additionalProperties"),
        _ => true,
    };
    assert!(fits, "say what is in it: {description}");
    schema.as_object_mut().unwrap().extend(more);
    schema
}

fn all_are_documented(value: &Value, path: &str, entries: &[Entry]) {
    if entries.iter().any(|e| e.path == path) {
        return;
    }
    let Value::Object(children) = value else {
        panic!("{path} has no description");
    };
    for (key, child) in children {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        all_are_documented(child, &path, entries);
    }
}

/// The schema of all values: no key that is not known.
pub fn schema(title: &str, entries: &[Entry]) -> Value {
    let mut root = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "additionalProperties": false,
        "properties": {
            // Helm gives these to every chart that another one depends on; the second is what it usually calls
            // the condition.
            "global": { "type": "object" },
            "enabled": { "type": "boolean" },
        },
    });
    for entry in entries {
        let mut at = &mut root;
        let mut keys = entry.path.split('.').peekable();
        while let Some(key) = keys.next() {
            let below = at["properties"].as_object_mut().unwrap();
            let next = below.entry(key);
            at = next.or_insert_with(|| match keys.peek() {
                None => entry.schema.clone(),
                Some(_) => {
                    json!({ "type": "object", "additionalProperties": false, "properties": {} })
                }
            });
        }
    }
    root
}
