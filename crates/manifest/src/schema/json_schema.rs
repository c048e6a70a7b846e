//! The JSON schema of the kind, for editors and for checks without a cluster. In: the CRD's schema;
//! out: a schema of draft 7. No IO. It accepts what the API server accepts, but for two things: CEL
//! rules can't be said in it, and a field without a value is refused, where the API server drops it.

use serde_json::{Map, Value as Json, json};

use super::metadata;

/// The schema of a whole object.
pub(super) fn of(shape: &Json, group_version: &str, kind: &str) -> Json {
    let mut schema = convert(shape);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(kind);
    schema["properties"]["apiVersion"] = json!({ "const": group_version });
    schema["properties"]["kind"] = json!({ "const": kind });
    schema["properties"]["metadata"] = metadata::json_schema();
    // The API server's default makes spec optional where the CRD says so.
    let mut required = vec![json!("apiVersion"), json!("kind"), json!("metadata")];
    let own = shape["required"].as_array().into_iter().flatten();
    required.extend(
        own.filter(|field| {
            shape["properties"][field.as_str().unwrap_or_default()]["default"].is_null()
        })
        .cloned(),
    );
    schema["required"] = Json::Array(required);
    schema
}

/// A part of the CRD's schema: what draft 7 has no word for goes, and a map with named fields takes
/// no others.
fn convert(shape: &Json) -> Json {
    let mut schema = Map::new();
    for (key, value) in shape.as_object().into_iter().flatten() {
        match key.as_str() {
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                let fields = fields.map(|(name, field)| (name.clone(), convert(field)));
                schema.insert(key.clone(), Json::Object(fields.collect()));
                schema.insert("additionalProperties".to_owned(), json!(false));
            }
            "items" | "additionalProperties" => {
                schema.insert(key.clone(), convert(value));
            }
            "x-kubernetes-list-type" if value == "set" => {
                schema.insert("uniqueItems".to_owned(), json!(true));
            }
            // Widths of numbers, which draft 7 does not know.
            "format" if value != "date-time" => {}
            extension if extension.starts_with("x-kubernetes-") => {}
            _ => {
                schema.insert(key.clone(), value.clone());
            }
        }
    }
    // A map without named fields, such as '{}' for a switch.
    let is_map = schema.get("type").is_some_and(|kind| kind == "object");
    if is_map && !schema.contains_key("additionalProperties") {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    Json::Object(schema)
}
