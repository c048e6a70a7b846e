//! What AWS's words mean for people: what people may read of them in, what to do out. No IO.
//!
//! The forms are those of IAM's own quota texts. Only the search for a statement reads AWS's full text:
//! its answer is a number.

use serde_json::Value;

use crate::step::{RoleStep, Step};

/// A name is held by what IAM does not show.
pub(super) const TAKEN: &str = "IAM holds an object of this name (in any case, under any path) but does not show it. Delete it in AWS, or delete this object and create it with another name";

/// A managed policy that does not exist: who asks for it.
pub(super) fn missing(step: &Step) -> String {
    let (what, policy) = match step {
        Step::Role(RoleStep::Create { boundary, .. }) => {
            (BOUNDARY, boundary.as_deref().unwrap_or_default())
        }
        Step::Role(RoleStep::PutBoundary { boundary, .. }) => (BOUNDARY, boundary.as_str()),
        _ => (
            "spec.additionalPolicyArns",
            step.needs_policy().unwrap_or_default(),
        ),
    };
    format!("Create the policy {policy} in AWS, or correct {what}")
}

const BOUNDARY: &str = "spec.role.permissionsBoundaryArn (where spec leaves it out, the operator's --permissions-boundary-arn)";

/// The text between a mark and the first of some ends, or the end.
fn between<'a>(text: &'a str, mark: &str, ends: &[&str]) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    let end = ends.iter().filter_map(|end| rest.find(end)).min();
    Some(rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', ',']))
}

pub(super) fn credentials(said: &str) -> &'static str {
    if said.contains("clock") {
        "Set the clock of the controller's node"
    } else if said.contains("token included in the request is invalid") {
        "Give the controller working AWS credentials (IRSA, Pod Identity, or the SDK's environment variables); where they are not of partition aws, also AWS_REGION"
    } else {
        "Give the controller working AWS credentials (IRSA, Pod Identity, or the SDK's environment variables)"
    }
}

/// `Cannot exceed quota for PoliciesPerRole: 10`: which, and how many.
pub(super) fn quota(said: &str) -> String {
    let named = between(said, "quota for ", &[]).and_then(|rest| rest.split_once(": "));
    let Some((name, many)) = named else {
        return "Ask AWS for a higher quota (Service Quotas, IAM), or remove what is not needed"
            .to_owned();
    };
    let lower = name.to_ascii_lowercase();
    if lower.contains("tags") {
        format!(
            "Ask for fewer tags, or remove others' in AWS: {many} is IAM's limit for one object"
        )
    } else if lower.contains("policiesperrole") {
        format!(
            "The role has the {many} managed policies that it can have: list fewer in spec.additionalPolicyArns, detach others in AWS, or ask AWS for more {name} (Service Quotas, IAM)"
        )
    } else {
        format!(
            "The account has the {many} that it can have: delete in AWS what is not needed, or ask AWS for more {name} (Service Quotas, IAM)"
        )
    }
}

pub(super) fn too_large(said: &str) -> &'static str {
    if said.to_ascii_lowercase().contains("aclsize") {
        "Name fewer regions in spec.hybrid.regions, or ask AWS for a higher quota of trust policy length (Service Quotas, IAM)"
    } else {
        "Ask for less in spec, or name things shorter: this limit of IAM can't be raised"
    }
}

pub(super) fn refused(said: &str) -> String {
    if said.contains("Invalid principal") {
        return "Check that the controller's --ec2-principal is a service of this partition"
            .to_owned();
    }
    if said.to_ascii_lowercase().contains("tag policy") {
        let tag = between(said, "tag key: ", &[" "]).map(|key| key.trim_matches(['\'', '"']));
        let tag = tag.map_or_else(|| "the tag".to_owned(), |key| format!("the tag {key}"));
        return format!(
            "A tag policy of the organization does not allow the value of {tag}: change it in spec (tags of the controller's --tag: ask its operator), or ask the organization's administrators"
        );
    }
    "Correct what spec or the controller's flags give for it".to_owned()
}

/// Which statement of a document AWS's words speak of, counted from 1: the one that holds the
/// longest text that they quote, or the only one.
pub(super) fn blamed_statement(document: &str, said: &str) -> Option<usize> {
    let document: Value = serde_json::from_str(document).ok()?;
    let statements = document.get("Statement")?.as_array()?;
    if statements.len() == 1 {
        return Some(1);
    }
    let quoted = |statement: &Value| longest_quoted(statement, said);
    let (at, length) = (statements.iter().map(quoted).enumerate())
        // Of several that hold it, the first.
        .fold(
            (0, 0),
            |best, (at, length)| {
                if length > best.1 { (at, length) } else { best }
            },
        );
    (length > 0).then_some(at + 1)
}

/// The length of the longest value that is quoted. Single characters, such as `*`, tell nothing.
fn longest_quoted(value: &Value, said: &str) -> usize {
    match value {
        Value::String(text) if text.len() > 1 && said.contains(text.as_str()) => text.len(),
        Value::Array(many) => many
            .iter()
            .map(|v| longest_quoted(v, said))
            .max()
            .unwrap_or(0),
        Value::Object(map) => map
            .values()
            .map(|v| longest_quoted(v, said))
            .max()
            .unwrap_or(0),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
