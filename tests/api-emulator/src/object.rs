//! Fields of metadata that every object has. Objects enter and leave, no IO.

use serde_json::{Map, Value, json};

/// The text at a place; empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// metadata.KEY as a text; empty where there is none.
pub(crate) fn meta<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

/// metadata, made where it is missing; a scratch map where the object is none.
pub(crate) fn metadata_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let object = object.as_object_mut()?;
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut()
}

/// Sets metadata.KEY.
pub(crate) fn set_meta(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(metadata) = metadata_mut(object) {
        metadata.insert(key.to_owned(), value.into());
    }
}

/// Takes metadata.KEY away.
pub(crate) fn take_meta(object: &mut Value, key: &str) -> Option<Value> {
    metadata_mut(object)?.remove(key)
}

/// Makes metadata.KEY what it is in another object.
pub(crate) fn copy_meta(object: &mut Value, from: &Value, key: &str) {
    match from["metadata"].get(key) {
        Some(value) => set_meta(object, key, value.clone()),
        None => drop(take_meta(object, key)),
    }
}

/// metadata.resourceVersion of this object.
pub(crate) fn set_version(object: &mut Value, version: u64) {
    set_meta(object, "resourceVersion", version.to_string());
}

/// Whether anything holds an object that is to go.
pub(crate) fn has_finalizers(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|list| !list.is_empty())
}

/// Whether it is on its way out.
pub(crate) fn is_deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

/// metadata.generation
pub(crate) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"]
        .as_i64()
        .unwrap_or_default()
}

/// Only what `PartialObjectMetadata` has.
pub(crate) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}
