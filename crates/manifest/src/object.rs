//! What kubectl asks of a document before it knows its kind: a document in, nothing or what is wrong
//! with it and where out. No IO. Source: the unstructured decoder of k8s.io/apimachinery, compared with
//! kubectl 1.37.

use serde_json::Value as Json;

use super::hints;
use super::yaml::{Broken, Node, Value};

/// A document has to be a map with a kind.
pub fn check(node: &Node) -> Result<(), Broken> {
    if let Some(what) = other_than_map(&node.value) {
        let is_comment = node.text().is_some_and(hints::is_json_comment);
        let problem = if is_comment {
            hints::no_comments(node.place.line)
        } else {
            format!(
                "is {what}, not a Kubernetes object: write a map with apiVersion and kind, or remove it"
            )
        };
        return refuse(node, "", problem);
    }
    for field in ["apiVersion", "kind"] {
        if (node.get(field)).is_some_and(|value| value.text().is_none() && !value.is_null()) {
            return refuse(node, field, format!("{field} must be a text"));
        }
    }
    if (node.get("kind").and_then(Node::text)).is_none_or(str::is_empty) {
        let problem = "kind is missing, so kubectl does not apply this file: add apiVersion and kind, or give only files with manifests";
        return refuse(node, "kind", problem.to_owned());
    }
    match node.get("items") {
        Some(items) if !items.is_null() && !matches!(items.value, Value::List(_)) => {
            let problem = "items must be a list: kubectl reads what has items as a list of objects";
            refuse(node, "items", problem.to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

fn refuse(node: &Node, field: &str, problem: String) -> Result<(), Broken> {
    let place = node.place_of(field);
    Err(Broken { place, problem })
}

/// What a value is, in words, where it is no map.
const fn other_than_map(value: &Value) -> Option<&'static str> {
    match value {
        Value::Map(_) => None,
        Value::List(_) => Some("a list"),
        Value::Scalar(Json::String(_)) => Some("a text"),
        Value::Scalar(Json::Number(_)) => Some("a number"),
        Value::Scalar(Json::Bool(_)) => Some("a boolean"),
        Value::Scalar(_) => Some("null"),
    }
}
