//! What AWS's words mean for people: error texts in, what to do out. No IO.
//!
//! The forms are those of the IAM user guide, "Troubleshoot access denied error messages", and of
//! IAM's own quota texts.

use serde_json::Value;

/// Kinds of policies as AWS's words name them, the most telling first, and who can change them.
const POLICIES: [(&str, &str, &str); 6] = [
    (
        "service control policy",
        "A service control policy of the organization",
        "ask its administrators",
    ),
    (
        "resource control policy",
        "A resource control policy of the organization",
        "ask its administrators",
    ),
    (
        "permissions boundary",
        "The permissions boundary of the controller's role",
        "change that boundary",
    ),
    (
        "session policy",
        "The session policy of the controller's credentials",
        "ask who hands them out",
    ),
    (
        "vpc endpoint policy",
        "The policy of the VPC endpoint",
        "change it, or go around the endpoint",
    ),
    (
        "explicit deny",
        "A policy of the controller's role",
        "change that policy",
    ),
];

/// AWS says which right is missing, and which kind of policy denied it; only that one helps. The
/// right can be another than that of the call: `AddRoleToInstanceProfile` needs `iam:PassRole`.
pub(super) fn missing_right(tried: &str, said: &str) -> String {
    let action = between(said, "not authorized to perform: ", &[" "]).unwrap_or(tried);
    let on = match between(said, "on resource: ", &[" because ", " with an explicit"]) {
        Some(resource) if action != tried => format!(" on {resource}"),
        Some(_) | None => String::new(),
    };
    let lower = said.to_ascii_lowercase();
    let denies = if lower.contains("explicit deny") {
        "denies"
    } else {
        "does not allow"
    };
    match POLICIES.iter().find(|(named, ..)| lower.contains(named)) {
        Some((_, policy, way_out)) => format!("{policy} {denies} {action}{on}: {way_out}"),
        None => format!("Allow {action}{on} in the policy of the controller's role"),
    }
}

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

pub(super) fn refused(said: &str) -> &'static str {
    if said.contains("Invalid principal") {
        "See that the controller's --ec2-principal is a service of this partition"
    } else {
        "Correct what spec or the controller's flags give for it"
    }
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
