//! A policy document's meaning: JSON text in, what it says piece by piece out. Knows nothing of the
//! controller's own comparison. No IO.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Version, and each combination of effect, principal, action and resource under its conditions.
pub fn meaning(document: &str) -> BTreeSet<String> {
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return BTreeSet::from([format!("not JSON: {document}")]);
    };
    let mut all = BTreeSet::from([format!("version {}", document["Version"])]);
    for statement in list(&document["Statement"]) {
        let conditions = conditions(&statement["Condition"]);
        for principal in principals(&statement["Principal"]) {
            for action in list(&statement["Action"]) {
                for resource in list(&statement["Resource"]) {
                    let effect = &statement["Effect"];
                    all.insert(format!(
                        "{effect} {principal} {action} {resource} {conditions}"
                    ));
                }
            }
        }
    }
    all
}

/// A scalar is a list of one; what is not there, a list of nothing said.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(many) => many.clone(),
        one => vec![one.clone()],
    }
}

fn principals(value: &Value) -> Vec<String> {
    let Value::Object(kinds) = value else {
        return vec![value.to_string()];
    };
    let of_kind = |(kind, who): (&String, &Value)| -> Vec<String> {
        list(who)
            .iter()
            .map(|who| format!("{kind}:{who}"))
            .collect()
    };
    kinds.iter().flat_map(of_kind).collect()
}

fn conditions(value: &Value) -> Value {
    let Value::Object(operators) = value else {
        return Value::Null;
    };
    let mut all = json!({});
    for (operator, keys) in operators {
        for (key, values) in keys.as_object().into_iter().flatten() {
            let mut values = list(values);
            values.sort_by_key(Value::to_string);
            all[operator][key] = json!(values);
        }
    }
    all
}
