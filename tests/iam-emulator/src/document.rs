//! Policy documents: text enters, a refusal in IAM's words may leave. No IO.

use serde_json::{Map, Value};

use crate::wire::{IamError, Result};

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Identity,
    Trust,
}

const STATEMENT_KEYS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Services whose principals the emulator knows: IAM refuses one that does not exist.
const SERVICES: &[&str] = &[
    "apigateway",
    "application-autoscaling",
    "autoscaling",
    "backup",
    "batch",
    "cloudformation",
    "cloudtrail",
    "codebuild",
    "codedeploy",
    "codepipeline",
    "config",
    "delivery.logs",
    "ec2",
    "ecs",
    "ecs-tasks",
    "eks",
    "eks-fargate-pods",
    "elasticmapreduce",
    "events",
    "firehose",
    "glue",
    "iam",
    "imagebuilder",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "pods.eks",
    "rds",
    "redshift",
    "s3",
    "sagemaker",
    "scheduler",
    "secretsmanager",
    "sns",
    "spotfleet",
    "sqs",
    "ssm",
    "states",
    "vpc-flow-logs",
];

/// The size that counts against a quota: IAM leaves white space out.
pub fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

/// Checks a managed or inline policy.
pub fn check_identity(document: &str) -> Result<()> {
    statements(document, Kind::Identity).map(|_| ())
}

/// Checks a trust policy. Leaves the ARNs of the principals that it names, with IAM's own
/// accounts and services left out.
pub fn check_trust(document: &str, partition: &str) -> Result<Vec<String>> {
    let mut named = Vec::new();
    for statement in statements(document, Kind::Trust)? {
        let Some(principal) = statement.get("Principal").or(statement.get("NotPrincipal")) else {
            return Err(IamError::malformed("Missing required field Principal"));
        };
        principals(principal, partition, &mut named)?;
    }
    Ok(named)
}

fn statements(document: &str, kind: Kind) -> Result<Vec<Map<String, Value>>> {
    let syntax = || IamError::malformed("Syntax errors in policy.");
    if document
        .chars()
        .any(|c| c > '\u{ff}' || (c < ' ' && !matches!(c, '\t' | '\n' | '\r')))
    {
        return Err(IamError::malformed("The policy failed legacy parsing"));
    }
    let policy: Map<String, Value> = serde_json::from_str(document).map_err(|_| {
        IamError::malformed(match kind {
            Kind::Identity => "Syntax errors in policy.",
            Kind::Trust => "This policy contains invalid Json",
        })
    })?;
    if policy
        .keys()
        .any(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
    {
        return Err(syntax());
    }
    match (policy.get("Version").map(Value::as_str), kind) {
        (Some(Some("2012-10-17")), _) | (None | Some(Some("2008-10-17")), Kind::Trust) => {}
        (None | Some(Some("2008-10-17")), Kind::Identity) => {
            return Err(IamError::malformed(
                "Policy document must be version 2012-10-17 or greater.",
            ));
        }
        _ => return Err(syntax()),
    }
    let statements: Vec<Map<String, Value>> = match policy.get("Statement") {
        None => return Err(IamError::malformed("Missing required field Statement")),
        Some(Value::Object(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many
            .iter()
            .map(|item| item.as_object().cloned().ok_or_else(syntax))
            .collect::<Result<_>>()?,
        Some(_) => return Err(syntax()),
    };
    if statements.is_empty() {
        return Err(IamError::malformed(
            "Missing required field Statement cannot be empty!",
        ));
    }
    let mut sids = std::collections::BTreeSet::new();
    for statement in &statements {
        check_statement(statement, kind)?;
        if let Some(sid) = statement.get("Sid") {
            let sid = sid.as_str().ok_or_else(syntax)?;
            if kind == Kind::Identity && !sid.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err(IamError::malformed(format!(
                    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies \
                     the regular expression [0-9A-Za-z]*: {sid}"
                )));
            }
            if !sid.is_empty() && !sids.insert(sid) {
                return Err(IamError::malformed(
                    "Statement IDs (SID) in a single policy must be unique.",
                ));
            }
        }
    }
    Ok(statements)
}

fn check_statement(statement: &Map<String, Value>, kind: Kind) -> Result<()> {
    let syntax = || IamError::malformed("Syntax errors in policy.");
    if statement
        .keys()
        .any(|key| !STATEMENT_KEYS.contains(&key.as_str()))
    {
        return Err(syntax());
    }
    match statement.get("Effect") {
        None => return Err(IamError::malformed("Missing required field Effect")),
        Some(Value::String(effect)) if effect == "Allow" || effect == "Deny" => {}
        Some(other) => {
            let effect = other.as_str().unwrap_or_default();
            return Err(IamError::malformed(format!("Invalid effect: {effect}")));
        }
    }
    for (one, other) in [
        ("Action", "NotAction"),
        ("Resource", "NotResource"),
        ("Principal", "NotPrincipal"),
    ] {
        if statement.contains_key(one) && statement.contains_key(other) {
            return Err(syntax());
        }
    }
    let actions = statement.get("Action").or(statement.get("NotAction"));
    let actions = actions
        .ok_or_else(|| IamError::malformed("Policy statement must contain actions."))
        .and_then(|value| strings(value).ok_or_else(syntax))?;
    if actions.is_empty() {
        return Err(IamError::malformed(
            "Policy statement must contain actions.",
        ));
    }
    for action in actions {
        check_action(action, kind)?;
    }
    if let Some(condition) = statement.get("Condition") {
        let operators = condition.as_object().ok_or_else(syntax)?;
        if operators.values().any(|keys| !keys.is_object()) {
            return Err(syntax());
        }
    }
    let resources = statement.get("Resource").or(statement.get("NotResource"));
    match kind {
        Kind::Trust if resources.is_some() => {
            Err(IamError::malformed("Has prohibited field Resource"))
        }
        Kind::Trust => Ok(()),
        Kind::Identity if statement.contains_key("Principal") => Err(IamError::malformed(
            "Policy document should not specify a principal.",
        )),
        Kind::Identity if statement.contains_key("NotPrincipal") => Err(IamError::malformed(
            "Policy document should not specify a principal.",
        )),
        Kind::Identity => {
            let resources = resources
                .ok_or_else(|| IamError::malformed("Policy statement must contain resources."))
                .and_then(|value| strings(value).ok_or_else(syntax))?;
            if resources.is_empty() {
                return Err(IamError::malformed(
                    "Policy statement must contain resources.",
                ));
            }
            resources.into_iter().try_for_each(check_resource)
        }
    }
}

/// Checks an action of an identity-based policy, wildcards included.
pub fn check_identity_action(action: &str) -> Result<()> {
    check_action(action, Kind::Identity)
}

fn check_action(action: &str, kind: Kind) -> Result<()> {
    if action == "*" && kind == Kind::Identity {
        return Ok(());
    }
    let Some((vendor, name)) = action.split_once(':') else {
        return Err(IamError::malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ));
    };
    let is_vendor = !vendor.is_empty()
        && vendor
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !is_vendor {
        return Err(IamError::malformed(format!(
            "Vendor {vendor} is not valid. Vendors must match [a-zA-Z0-9-.]+"
        )));
    }
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '?' | '-' | '_'));
    if !is_name {
        return Err(IamError::malformed(
            "Actions/Condition can contain only one colon.",
        ));
    }
    if kind == Kind::Trust && !vendor.eq_ignore_ascii_case("sts") {
        return Err(IamError::malformed(
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ));
    }
    Ok(())
}

/// Checks a resource, wildcards included.
pub fn check_resource(resource: &str) -> Result<()> {
    if resource == "*" {
        return Ok(());
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    if parts[0] != "arn" {
        return Err(IamError::malformed(format!(
            "Resource {resource} must be in ARN format or \"*\"."
        )));
    }
    if parts.len() < 6 {
        return Err(IamError::malformed("The policy failed legacy parsing"));
    }
    let partition = parts[1];
    if partition != "*" && !["aws", "aws-cn", "aws-us-gov", "aws-eusc"].contains(&partition) {
        return Err(IamError::malformed(format!(
            "Partition \"{partition}\" is not valid for resource \"{resource}\"."
        )));
    }
    Ok(())
}

fn principals(principal: &Value, partition: &str, named: &mut Vec<String>) -> Result<()> {
    let syntax = || IamError::malformed("Syntax errors in policy.");
    if principal == "*" {
        return Ok(());
    }
    let kinds = principal.as_object().ok_or_else(syntax)?;
    if kinds.is_empty() {
        return Err(IamError::malformed(
            "Missing required field Principal cannot be empty!",
        ));
    }
    for (kind, values) in kinds {
        let values = strings(values).ok_or_else(syntax)?;
        if values.is_empty() {
            return Err(syntax());
        }
        for value in values {
            let valid = match kind.as_str() {
                "Service" => is_service(value, partition),
                "AWS" => is_aws_principal(value, partition),
                "Federated" | "CanonicalUser" => !value.is_empty(),
                _ => return Err(syntax()),
            };
            if !valid {
                return Err(invalid_principal(kind, value));
            }
            if value.starts_with("arn:") && kind == "AWS" {
                named.push(value.to_owned());
            }
        }
    }
    Ok(())
}

/// The refusal of a principal that does not exist.
pub fn invalid_principal(kind: &str, value: &str) -> IamError {
    let kind = if kind == "Service" { "SERVICE" } else { kind };
    IamError::malformed(format!(
        "Invalid principal in policy: \"{kind}\":\"{value}\""
    ))
}

/// `ec2.amazonaws.com` everywhere, `ec2.amazonaws.com.cn` also in China; never the DNS suffix of
/// another partition (`ec2.amazonaws.eu`).
fn is_service(value: &str, partition: &str) -> bool {
    let name = match (value.strip_suffix(".amazonaws.com.cn"), partition) {
        (Some(name), "aws-cn") => Some(name),
        (Some(_), _) => None,
        (None, _) => value.strip_suffix(".amazonaws.com"),
    };
    name.is_some_and(|name| SERVICES.contains(&name))
}

fn is_aws_principal(value: &str, partition: &str) -> bool {
    let is_account = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    if value == "*" || is_account(value) {
        return true;
    }
    match value.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", of, "iam" | "sts", "", account, resource] => {
            *of == partition && is_account(account) && !resource.contains('*')
        }
        _ => false,
    }
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
