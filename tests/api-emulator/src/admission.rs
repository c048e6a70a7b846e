//! What an object must be before it is kept: JSON enters; the object without what the kind does not
//! have and with its defaults leaves, or what is wrong. No IO.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use smr_manifest::schema::{Constraint, Schema};
use smr_manifest::yaml::{self, Entry, Node, Place};

use crate::reply::{Cause, Failure};
use crate::resource::{Resource, Subresource};
use crate::schemas;

thread_local! {
    /// The CRD's rules take a while to compile.
    static RULES: Option<Schema> = Schema::new().ok();
}

/// An object as the server reads it.
pub(crate) fn decode(resource: Resource, object: Value) -> Result<Value, Failure> {
    match resource {
        Resource::Roles => {
            let Value::Object(_) = object else {
                return Err(Failure::bad_request("the object must be a map"));
            };
            let mut object = pruned(schemas::of(resource), object);
            defaulted(schemas::of(resource), &mut object);
            Ok(object)
        }
        Resource::Leases => builtin::<Lease>(resource, object),
        Resource::Events => builtin::<Event>(resource, object),
        Resource::Namespaces => builtin::<Namespace>(resource, object),
    }
}

fn builtin<K: Serialize + DeserializeOwned>(
    resource: Resource,
    object: Value,
) -> Result<Value, Failure> {
    let kind = resource.kind();
    let typed: K = serde_json::from_value(object).map_err(|error| {
        let message = format!(
            "{kind} in version \"{}\" cannot be handled as a {kind}: {error}",
            resource.version()
        );
        Failure::bad_request(message)
    })?;
    serde_json::to_value(typed).map_err(|error| Failure::bad_request(error.to_string()))
}

/// Without fields that the schema does not have, and without nulls.
fn pruned(schema: &Value, value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let (named, others) = (&schema["properties"], schema.get("additionalProperties"));
            if !named.is_object() && others.is_none() {
                return Value::Object(map);
            }
            let mut kept = Map::new();
            for (key, value) in map {
                if let Some(schema) = named.get(&key).or(others)
                    && !value.is_null()
                {
                    kept.insert(key, pruned(schema, value));
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => {
            let items = items.into_iter().map(|item| pruned(&schema["items"], item));
            Value::Array(items.collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// Fills in what has a default and is missing.
pub(crate) fn defaulted(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                if let (None, Some(default)) = (map.get(key), property.get("default")) {
                    map.insert(key.clone(), default.clone());
                }
            }
            for (key, value) in map {
                let named = schema["properties"].get(key);
                defaulted(named.unwrap_or(&schema["additionalProperties"]), value);
            }
        }
        Value::Array(items) => {
            for item in items {
                defaulted(&schema["items"], item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether an object may be kept, perhaps in place of one `before`.
pub(crate) fn check(
    resource: Resource,
    subresource: Option<Subresource>,
    object: &Value,
    before: Option<&Value>,
) -> Result<(), Failure> {
    let causes = match (resource, subresource) {
        (Resource::Roles, None) => rules(object, before),
        (Resource::Roles, Some(Subresource::Status)) => {
            let mut causes = Vec::new();
            let schema = &schemas::of(resource)["properties"]["status"];
            shape(schema, &object["status"], "status", &mut causes);
            causes
        }
        (Resource::Leases, _) => lease(object),
        (Resource::Events, _) => event(object, before),
        (Resource::Namespaces, _) => Vec::new(),
    };
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(
        resource,
        crate::object::meta(object, "name"),
        &causes,
    ))
}

fn cause(reason: &str, field: &str, message: impl Into<String>) -> Cause {
    Cause {
        reason: reason.to_owned(),
        message: message.into(),
        field: field.to_owned(),
    }
}

/// The CRD's schema and rules.
fn rules(object: &Value, before: Option<&Value>) -> Vec<Cause> {
    // What was written before the rules changed is let be.
    if before == Some(object) {
        return Vec::new();
    }
    let document = node(object);
    let broken = RULES.with(|rules| match rules {
        Some(rules) => rules.broken(&document, before),
        None => Vec::new(),
    });
    let broken = broken
        .into_iter()
        .filter(|(_, constraint)| *constraint != Constraint::Unknown);
    broken
        .map(|(problem, constraint)| cause(reason(&constraint), &problem.field, problem.message))
        .collect()
}

/// JSON as the validation takes it. Not by way of text: YAML takes less than JSON.
fn node(json: &Value) -> Node {
    let entry = |(key, value): (&String, &Value)| Entry {
        key: key.clone(),
        place: Place::default(),
        node: node(value),
    };
    let value = match json {
        Value::Object(map) => yaml::Value::Map(map.iter().map(entry).collect()),
        Value::Array(items) => yaml::Value::List(items.iter().map(node).collect()),
        scalar => yaml::Value::Scalar(scalar.clone()),
    };
    Node {
        value,
        place: Place::default(),
    }
}

fn reason(constraint: &Constraint) -> &'static str {
    match constraint {
        Constraint::Type => "FieldValueTypeInvalid",
        Constraint::Required => "FieldValueRequired",
        Constraint::Enum => "FieldValueNotSupported",
        Constraint::Duplicate => "FieldValueDuplicate",
        Constraint::Bound("maxLength") => "FieldValueTooLong",
        Constraint::Bound("maxItems" | "maxProperties") => "FieldValueTooMany",
        Constraint::Object
        | Constraint::Unknown
        | Constraint::Pattern
        | Constraint::Bound(_)
        | Constraint::Rule(_) => "FieldValueInvalid",
    }
}

/// Types and required fields: all that the schema of status asks for.
fn shape(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let (wanted, fits) = match schema["type"].as_str() {
        Some("object") => ("object", value.is_object()),
        Some("array") => ("array", value.is_array()),
        Some("string") => ("string", value.is_string()),
        Some("integer") => ("integer", value.is_i64() || value.is_u64()),
        Some("boolean") => ("boolean", value.is_boolean()),
        Some(_) | None => return,
    };
    if !fits {
        let message = format!(
            "Invalid value: \"{}\": {path} in body must be of type {wanted}",
            kind(value)
        );
        causes.push(cause("FieldValueTypeInvalid", path, message));
        return;
    }
    if schema["format"] == "date-time"
        && let Some(text) = value.as_str()
        && text.parse::<jiff::Timestamp>().is_err()
    {
        let message = format!(
            "Invalid value: \"{text}\": {path} in body must be of type date-time: \"{text}\""
        );
        causes.push(cause("FieldValueInvalid", path, message));
    }
    for key in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if value.get(key).is_none() {
            let field = format!("{path}.{key}");
            causes.push(cause("FieldValueRequired", &field, "Required value"));
        }
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        shape(
            &schema["properties"][key],
            value,
            &format!("{path}.{key}"),
            causes,
        );
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        shape(&schema["items"], value, &format!("{path}[{index}]"), causes);
    }
    duplicates(schema, value, path, causes);
}

/// An item of a list with keys is there once.
fn duplicates(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if schema["x-kubernetes-list-type"] != "map" {
        return;
    }
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let keys: Vec<&str> = keys
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut known: Vec<Vec<&Value>> = Vec::new();
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let own: Vec<&Value> = keys.iter().filter_map(|key| item.get(key)).collect();
        if known.contains(&own) {
            let message = format!("Duplicate value: {item}");
            causes.push(cause(
                "FieldValueDuplicate",
                &format!("{path}[{index}]"),
                message,
            ));
        }
        known.push(own);
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn lease(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let number = |key: &str| object["spec"][key].as_i64();
    if let Some(seconds) = number("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        let message = format!("Invalid value: {seconds}: must be greater than 0");
        causes.push(cause(
            "FieldValueInvalid",
            "spec.leaseDurationSeconds",
            message,
        ));
    }
    if let Some(count) = number("leaseTransitions").filter(|count| *count < 0) {
        let message = format!("Invalid value: {count}: must be greater than or equal to 0");
        causes.push(cause("FieldValueInvalid", "spec.leaseTransitions", message));
    }
    causes
}

const NOTE_MAX: usize = 1024;
/// Fields that an event keeps, and how messages name them.
const KEPT: [(&str, &str); 9] = [
    ("action", "action"),
    ("eventTime", "eventTime"),
    ("note", "message"),
    ("reason", "reason"),
    ("regarding", "involvedObject"),
    ("related", "related"),
    ("reportingController", "reportingController"),
    ("reportingInstance", "reportingInstance"),
    ("type", "type"),
];
const NEEDED: [&str; 5] = [
    "action",
    "eventTime",
    "reason",
    "reportingController",
    "reportingInstance",
];

fn event(object: &Value, before: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (field, shown) in KEPT {
        if before.is_some_and(|before| before.get(field) != object.get(field)) {
            causes.push(cause(
                "FieldValueInvalid",
                shown,
                "Invalid value: field is immutable",
            ));
        }
    }
    for field in NEEDED {
        if object[field].as_str().is_none_or(str::is_empty) {
            causes.push(cause("FieldValueRequired", field, "Required value"));
        }
    }
    if !matches!(object["type"].as_str(), Some("Normal" | "Warning")) {
        let message = "Invalid value: \"\": has invalid value";
        causes.push(cause("FieldValueInvalid", "type", message));
    }
    if object["note"]
        .as_str()
        .is_some_and(|note| note.len() > NOTE_MAX)
    {
        let message = "Invalid value: \"\": can have at most 1024 characters";
        causes.push(cause("FieldValueInvalid", "message", message));
    }
    let is_nowhere = object["regarding"]["namespace"]
        .as_str()
        .is_none_or(str::is_empty);
    if is_nowhere
        && !matches!(
            crate::object::meta(object, "namespace"),
            "default" | "kube-system"
        )
    {
        let message = "Invalid value: \"\": does not match event.namespace";
        causes.push(cause(
            "FieldValueInvalid",
            "involvedObject.namespace",
            message,
        ));
    }
    if let Some(count) = object["series"]["count"]
        .as_i64()
        .filter(|count| *count < 2)
    {
        let message = format!("Invalid value: {count}: should be at least 2");
        causes.push(cause("FieldValueInvalid", "series.count", message));
    }
    causes
}
