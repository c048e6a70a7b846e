//! The evaluator by itself: a line of JSON with policies and a request enters, the decision in a
//! word leaves, so that another evaluator can be compared with it. No IO.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::evaluate::{Context, Decision, InForce, Policy, Request};

/// One request and all that is in force for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    policies: Vec<Policy>,
    #[serde(default)]
    boundary: Option<Policy>,
    #[serde(default)]
    scps: Vec<Policy>,
    action: String,
    resource: String,
    #[serde(default)]
    context: BTreeMap<String, Values>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

/// `allowed` or `denied`, or what is wrong with the line:
/// `{"policies": [{…}], "boundary": null, "scps": [], "action": "iam:GetRole", "resource": "*",
/// "context": {"aws:TagKeys": ["a", "b"], "aws:PrincipalArn": "arn:…"}}`.
pub fn judge(line: &str) -> Result<&'static str, String> {
    let case: Case = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let mut context = Context::default();
    for (key, values) in case.context {
        match values {
            Values::One(value) => context.set(&key, [value]),
            Values::Several(values) => context.set(&key, values),
        }
    }
    let in_force = InForce {
        identity: case.policies.iter().collect(),
        boundary: case.boundary.as_ref(),
        scps: case.scps.iter().collect(),
    };
    let decision = in_force.judge(&Request {
        action: case.action,
        resource: case.resource,
        context,
    });
    Ok(match decision {
        Decision::Allowed => "allowed",
        Decision::ExplicitDeny { .. } | Decision::ImplicitDeny { .. } => "denied",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

    #[test]
    fn a_line_is_judged_by_all_that_it_holds() {
        let tagged = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*",
            "Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"b"}}}}"#;
        for (policies, boundary, scps, context, expected) in [
            (ALL, "null", "", "{}", "allowed"),
            ("", "null", "", "{}", "denied"),
            (ALL, tagged, "", "{}", "denied"),
            (ALL, ALL, ALL, "{}", "allowed"),
            (ALL, "null", tagged, "{}", "denied"),
            (
                &format!("{ALL},{tagged}"),
                "null",
                "",
                r#"{"aws:tagkeys":["a","b"]}"#,
                "denied",
            ),
            (
                &format!("{ALL},{tagged}"),
                "null",
                "",
                r#"{"aws:TagKeys":"a"}"#,
                "allowed",
            ),
        ] {
            let line = format!(
                r#"{{"policies":[{policies}],"boundary":{boundary},"scps":[{scps}],"action":"iam:GetRole","resource":"*","context":{context}}}"#
            );
            assert_eq!(judge(&line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_no_verdict() {
        for line in [
            "",
            "{}",
            r#"{"policies":[],"action":"iam:GetRole","resource":"*","resources":[]}"#,
            r#"{"policies":[{"Statement":[]}],"action":"iam:GetRole","resource":"*"}"#,
        ] {
            assert!(judge(line).is_err(), "{line}");
        }
    }
}
