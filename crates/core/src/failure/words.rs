//! What AWS's words mean for people: error texts in, what to do out. No IO.
//!
//! The forms are those of the IAM user guide, "Troubleshoot access denied error messages", and of
//! IAM's own quota texts.

use serde_json::Value;

use crate::step::{RoleStep, Step};

/// The kinds of policies that AWS names when it denies a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A service control policy of the organization.
    ServiceControl,
    /// A resource control policy of the organization.
    ResourceControl,
    /// The permissions boundary of the caller.
    Boundary,
    /// The session policy of the caller's credentials.
    Session,
    /// The policy of the VPC endpoint.
    VpcEndpoint,
    /// A policy of the caller.
    IdentityBased,
    /// A policy of the resource.
    ResourceBased,
}

impl PolicyKind {
    /// Every kind, for tables.
    pub const ALL: [Self; 7] = [
        Self::ServiceControl,
        Self::ResourceControl,
        Self::Boundary,
        Self::Session,
        Self::VpcEndpoint,
        Self::IdentityBased,
        Self::ResourceBased,
    ];

    /// As AWS's words name it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::VpcEndpoint => "VPC endpoint policy",
            Self::IdentityBased => "identity-based policy",
            Self::ResourceBased => "resource-based policy",
        }
    }
}

/// Who denied a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The kind of policy; `None` where AWS does not say.
    pub by: Option<PolicyKind>,
    /// Whether a statement denies, rather than that none allows.
    pub explicit: bool,
}

impl Denial {
    /// Propagation of a tag or of a new object can only make that no statement allows yet.
    pub const fn may_be_propagation(self) -> bool {
        !self.explicit
            && match self.by {
                Some(
                    PolicyKind::ServiceControl | PolicyKind::ResourceControl | PolicyKind::Boundary,
                ) => false,
                Some(
                    PolicyKind::Session
                    | PolicyKind::VpcEndpoint
                    | PolicyKind::IdentityBased
                    | PolicyKind::ResourceBased,
                )
                | None => true,
            }
    }
}

/// AWS says which kind of policy denied, and whether explicitly.
pub(super) fn denial(said: &str) -> Denial {
    let lower = said.to_ascii_lowercase();
    Denial {
        by: PolicyKind::ALL
            .into_iter()
            .find(|kind| lower.contains(&kind.in_words().to_ascii_lowercase())),
        explicit: lower.contains("explicit deny"),
    }
}

/// Who can change a policy of this kind: what people call it, and the way out.
const fn owner(kind: PolicyKind) -> Option<(&'static str, &'static str)> {
    match kind {
        PolicyKind::ServiceControl => Some((
            "A service control policy of the organization",
            "ask its administrators",
        )),
        PolicyKind::ResourceControl => Some((
            "A resource control policy of the organization",
            "ask its administrators",
        )),
        PolicyKind::Boundary => Some((
            "The permissions boundary of the controller's role",
            "change that boundary",
        )),
        PolicyKind::Session => Some((
            "The session policy of the controller's credentials",
            "ask who hands them out",
        )),
        PolicyKind::VpcEndpoint => Some((
            "The policy of the VPC endpoint",
            "change it, or go around the endpoint",
        )),
        PolicyKind::IdentityBased | PolicyKind::ResourceBased => None,
    }
}

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

/// AWS says which right is missing, and which kind of policy denied it; only that one helps. The
/// right can be another than that of the call: `AddRoleToInstanceProfile` needs `iam:PassRole`.
pub(super) fn missing_right(tried: &str, said: &str) -> String {
    let action = between(said, "not authorized to perform: ", &[" "]).unwrap_or(tried);
    let on = match between(said, "on resource: ", &[" because ", " with an explicit"]) {
        Some(resource) if action != tried => format!(" on {resource}"),
        Some(_) | None => String::new(),
    };
    let Denial { by, explicit } = denial(said);
    let denies = if explicit { "denies" } else { "does not allow" };
    match by.and_then(owner) {
        Some((policy, way_out)) => format!("{policy} {denies} {action}{on}: {way_out}"),
        None if explicit => {
            format!("A policy of the controller's role denies {action}{on}: change that policy")
        }
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
