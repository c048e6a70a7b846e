//! The schema of spec's strings, lists and maps of them. In: a field and its form; out: type, bound
//! and the CEL rules whose messages name the character that is refused. No IO.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::forms::{self, Form};

/// The schema of one string field each.
macro_rules! strings {
    ($($name:ident: $field:literal, $form:ident;)*) => {$(
        pub(crate) fn $name(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "type": "string",
                "maxLength": forms::$form.max,
                "x-kubernetes-validations": [rule($field, &forms::$form)],
            })
        }
    )*};
}

strings! {
    path: "spec.path", PATH;
    role_name: "spec.role.name", ROLE_NAME;
    role_description: "spec.role.description", DESCRIPTION;
    permissions_boundary_arn: "spec.role.permissionsBoundaryArn", POLICY_ARN;
    policy_name: "spec.policy.name", NAME;
    policy_description: "spec.policy.description", DESCRIPTION;
    instance_profile_name: "spec.instanceProfile.name", NAME;
    session_key_arn: "spec.sessionEncryption.kmsKeyArn", KEY_ARN;
    bucket: "spec.sessionLogs.s3.bucket", BUCKET;
    key_prefix: "spec.sessionLogs.s3.keyPrefix", KEY_PREFIX;
    bucket_owner_account_id: "spec.sessionLogs.s3.bucketOwnerAccountId", ACCOUNT_ID;
    bucket_key_arn: "spec.sessionLogs.s3.kmsKeyArn", KEY_ARN;
    log_group_name: "spec.sessionLogs.cloudWatch.logGroupName", LOG_GROUP;
}

/// The schema of one map of tags each.
macro_rules! tags {
    ($($name:ident: $field:literal;)*) => {$(
        pub(crate) fn $name(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "type": "object",
                "maxProperties": forms::TAGS_MAX,
                "additionalProperties": {
                    "type": "string",
                    "maxLength": forms::TAG_VALUE.max,
                    "x-kubernetes-validations": [rule(concat!("a value in ", $field), &forms::TAG_VALUE)],
                },
                "x-kubernetes-validations": key_rules($field),
            })
        }
    )*};
}

tags! {
    tags: "spec.tags";
    role_tags: "spec.role.tags";
    policy_tags: "spec.policy.tags";
    instance_profile_tags: "spec.instanceProfile.tags";
}

pub(crate) fn additional_policy_arns(_: &mut SchemaGenerator) -> Schema {
    list("spec.additionalPolicyArns", &forms::POLICY_ARN, 0, 24)
}

pub(crate) fn hybrid_regions(_: &mut SchemaGenerator) -> Schema {
    list("spec.hybrid.regions", &forms::REGION, 1, 20)
}

fn list(field: &str, form: &Form, min: u32, max: u32) -> Schema {
    let rule = rule(&format!("an item of {field}"), form);
    let mut schema = json_schema!({
        "type": "array",
        "maxItems": max,
        "items": { "type": "string", "maxLength": form.max, "x-kubernetes-validations": [rule] },
    });
    if min > 0 {
        schema.insert("minItems".to_owned(), json!(min));
    }
    schema
}

/// The rule of a form. `message` is what the API server falls back to where the expression gives
/// several lines or none.
fn rule(field: &str, form: &Form) -> Value {
    let mistakes = form.mistakes.iter();
    let rule = mistakes.clone().fold(
        format!("self.matches({})", text(form.pattern)),
        |rule, mistake| format!("{rule} && !self.matches({})", text(mistake.pattern)),
    );
    let bad = text(&format!("[^{}]", form.characters));
    let otherwise = format!(
        "self.matches({bad}) ? \"can't have \" + {} + {} : {}",
        named(&format!("self.find({bad})")),
        text(&format!(": it takes {}", form.takes)),
        text(form.must)
    );
    let says = mistakes.rev().fold(otherwise, |otherwise, mistake| {
        format!(
            "self.matches({}) ? {} : ({otherwise})",
            text(mistake.pattern),
            text(mistake.says)
        )
    });
    json!({
        "rule": rule,
        "message": format!("{field} {}", form.must),
        "messageExpression": format!("{} + ({says})", text(&format!("{field} "))),
    })
}

/// The rules of keys. They name no character: a key has no maximum length in a schema, so that the API
/// server takes an expression that searches one for too costly.
fn key_rules(field: &str) -> Vec<Value> {
    let (form, reserved) = (&forms::TAG_KEY, forms::RESERVED_TAG_PREFIXES);
    let begins = |prefix| format!("k.lowerAscii().startsWith({})", text(prefix));
    vec![
        json!({
            "rule": format!(
                "self.all(k, size(k) <= {} && k.matches({}))",
                form.max,
                text(form.pattern)
            ),
            "message": format!(
                "a key in {field} must have 1 to {} characters: {}",
                form.max, form.takes
            ),
        }),
        json!({
            "rule": format!("!self.exists(k, {})", reserved.map(begins).join(" || ")),
            "message": format!(
                "a key in {field} can't start with {} as these belong to the controller and to AWS: choose another key",
                reserved.join(" or ")
            ),
        }),
    ]
}

/// A CEL expression that names the character that `expression` gives.
fn named(expression: &str) -> String {
    let known = forms::NAMED.iter().fold(String::new(), |known, (c, name)| {
        format!(
            "{known}c == \"\\u{:04x}\" ? {} : ",
            u32::from(*c),
            text(name)
        )
    });
    format!(
        "[{expression}].map(c, {known}c.matches({}) ? \"a combining character\" : \
         c.matches({}) ? \"an invisible character\" : \"'\" + c + \"'\")[0]",
        text(forms::COMBINING),
        text(forms::INVISIBLE)
    )
}

/// A CEL literal.
fn text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
