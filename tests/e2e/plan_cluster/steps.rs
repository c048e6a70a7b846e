//! The controller's calls as the steps of a plan: the emulator's log and a plan's JSON in, whether
//! they are the same out.

use std::collections::BTreeMap;

use iam_emulator::Call;
use serde_json::{Value, json};

/// How a call's parameters are called in a step.
fn as_step(call: &Call) -> (String, Value) {
    let mut parameters = BTreeMap::new();
    let mut lists: BTreeMap<usize, (String, String)> = BTreeMap::new();
    let mut keys: BTreeMap<usize, String> = BTreeMap::new();
    let creates = call.action.starts_with("Create");
    let tags = call.action.contains("Tag") || call.action.starts_with("Untag");
    for (name, value) in &call.params {
        if let Some(rest) = name.strip_prefix("Tags.member.") {
            let (index, part) = rest.split_once('.').unwrap();
            let entry = lists.entry(index.parse().unwrap()).or_default();
            let place = if part == "Key" {
                &mut entry.0
            } else {
                &mut entry.1
            };
            place.clone_from(value);
            continue;
        }
        if let Some(index) = name.strip_prefix("TagKeys.member.") {
            keys.insert(index.parse().unwrap(), value.clone());
            continue;
        }
        let known = match (name.as_str(), call.action.as_str()) {
            ("RoleName" | "PolicyArn" | "InstanceProfileName", _) if tags => "target",
            ("RoleName" | "PolicyName" | "InstanceProfileName", _)
                if creates && call.action != "CreatePolicyVersion" =>
            {
                "name"
            }
            ("RoleName", _) => "role",
            ("PolicyName", _) => "policy",
            ("InstanceProfileName", _) => "profile",
            ("AssumeRolePolicyDocument", _) | ("PolicyDocument", "UpdateAssumeRolePolicy") => {
                "trust"
            }
            ("PolicyDocument", _) => "document",
            ("PermissionsBoundary", _) => "boundary",
            ("VersionId", _) => "version",
            ("MaxSessionDuration", _) => "maxSessionDuration",
            ("PolicyArn", _) => "policyArn",
            ("Path", _) => "path",
            ("Description", _) => "description",
            // The default of a new version is no choice of the plan's.
            ("SetAsDefault", _) => continue,
            other => panic!("{other:?} of {} is not known here", call.action),
        };
        let value = match value.parse::<i64>() {
            Ok(number) if known == "maxSessionDuration" => json!(number),
            _ => json!(value),
        };
        parameters.insert(known.to_owned(), value);
    }
    if call.action == "CreateRole" {
        parameters
            .entry("boundary".to_owned())
            .or_insert(Value::Null);
    }
    if !lists.is_empty() || creates && call.action != "CreatePolicyVersion" {
        parameters.insert(
            "tags".to_owned(),
            json!(lists.into_values().collect::<BTreeMap<_, _>>()),
        );
    }
    if !keys.is_empty() {
        parameters.insert(
            "keys".to_owned(),
            json!(keys.into_values().collect::<Vec<_>>()),
        );
    }
    (call.action.clone(), json!(parameters))
}

/// The controller's writes that had an effect are the planned steps, stage by stage.
pub fn assert_same(name: &str, planned: &Value, writes: &[Call]) {
    let mut taken: Vec<(String, String)> = writes
        .iter()
        .filter(|call| call.outcome == "ok")
        .map(as_step)
        .map(|(action, parameters)| (action, parameters.to_string()))
        .collect();
    let mut stages: BTreeMap<u64, Vec<(String, String)>> = BTreeMap::new();
    for step in planned["steps"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
    {
        let action = step["action"].as_str().unwrap().to_owned();
        stages
            .entry(step["stage"].as_u64().unwrap())
            .or_default()
            .push((action, step["parameters"].to_string()));
    }
    for (stage, mut steps) in stages {
        let mut now: Vec<_> = taken.drain(..steps.len().min(taken.len())).collect();
        now.sort();
        steps.sort();
        assert_eq!(now, steps, "{name}, stage {stage}");
    }
    assert_eq!(taken, [], "{name}: steps that were not planned");
}
