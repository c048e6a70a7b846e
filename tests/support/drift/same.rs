//! What is another way of writing the same, or nobody's business: no drift. Values only; no IO.

use serde_json::{Value, json};

use super::Row;
use crate::support::hand::Change::{Document, OwnInline, Tag, Trust};
use crate::support::hand::On::{Policy, Profile, Role};

/// Six statements, and a resource with what percent-encoding might spoil.
const LOGS: &str = "{
    tags: {env: prod},
    sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab', sessionsOnly: true},
    sessionLogs: {s3: {bucket: my-logs, keyPrefix: 'a+b c%20d/ü'}, cloudWatch: {}}}";
const INLINE: &str =
    "{policy: {type: Inline}, sessionLogs: {s3: {bucket: my-logs, keyPrefix: 'a+b c%20d/ü'}}}";
const HYBRID: &str = "{principal: HybridActivation, hybrid: {regions: [eu-central-1, us-east-1]}}";

/// Each list is turned round.
fn turned(document: &mut Value) {
    match document {
        Value::Array(list) => {
            list.reverse();
            list.iter_mut().for_each(turned);
        }
        Value::Object(object) => object.values_mut().for_each(turned),
        _ => {}
    }
}

/// A list of one is written as the one, and the one as a list, wherever IAM takes both.
fn scalars_and_lists(document: &mut Value) {
    fn other(value: &mut Value) {
        *value = match value.take() {
            Value::Array(list) if list.len() == 1 => list[0].clone(),
            text @ Value::String(_) => json!([text]),
            other => other,
        };
    }
    for statement in document["Statement"].as_array_mut().unwrap() {
        for key in ["Action", "Resource"] {
            if let Some(value) = statement.get_mut(key) {
                other(value);
            }
        }
        let of_maps =
            |value: &mut Value| value.as_object_mut().unwrap().values_mut().for_each(other);
        if let Some(principal) = statement.get_mut("Principal") {
            of_maps(principal);
        }
        if let Some(conditions) = statement.get_mut("Condition") {
            conditions
                .as_object_mut()
                .unwrap()
                .values_mut()
                .for_each(of_maps);
        }
    }
}

/// As people write it: with Sids, in one statement what can be, actions in another case.
fn rewritten(document: &mut Value) {
    let statements = document["Statement"].as_array_mut().unwrap();
    for (index, statement) in statements.iter_mut().enumerate() {
        statement["Sid"] = format!("Statement{index}").into();
        if let Some(Value::String(action)) = statement.get_mut("Action") {
            *action = action.to_uppercase();
        }
    }
    let twice = statements[0].clone();
    statements.push(twice);
    statements.last_mut().unwrap()["Sid"] = "Twice".into();
}

pub const ROWS: &[Row] = &[
    Row::new("trust: lists of one", HYBRID, &[Trust(scalars_and_lists)]).stays(),
    Row::new("trust: in another order", HYBRID, &[Trust(turned)]).stays(),
    Row::new("trust: with a Sid", HYBRID, &[Trust(rewritten)]).stays(),
    Row::new(
        "trust of EC2: lists of one",
        LOGS,
        &[Trust(scalars_and_lists)],
    )
    .stays(),
    Row::new("policy: the same again", LOGS, &[Document(|_| {})]).stays(),
    Row::new("policy: in another order", LOGS, &[Document(turned)]).stays(),
    Row::new("policy: lists of one", LOGS, &[Document(scalars_and_lists)]).stays(),
    Row::new(
        "policy: with Sids, and a statement twice",
        LOGS,
        &[Document(rewritten)],
    )
    .stays(),
    Row::new(
        "inline policy: in another order",
        INLINE,
        &[OwnInline(turned)],
    )
    .stays(),
    Row::new(
        "inline policy: lists of one",
        INLINE,
        &[OwnInline(scalars_and_lists)],
    )
    .stays(),
    Row::new(
        "tags of others",
        LOGS,
        &[
            Tag(Role, "theirs", "a"),
            Tag(Policy, "theirs", "b"),
            Tag(Profile, "theirs", "c"),
        ],
    )
    .stays(),
];
