//! What IAM was given, read from its documents alone: IAM and what was asked for enter, what goes beyond leaves.
//! No IO.

use std::collections::BTreeMap;

use iam_emulator::{RoleSnapshot, Snapshot};
use serde_json::Value;
use smr_api::S3Encryption;

use crate::asked::{ACCOUNT, Asked};
use crate::oracle::Known;

/// The UID of the object that an IAM object is of.
const UID: &str = "sessionmanager.dev/uid";
/// What every role may do, on anything.
const ALWAYS: [&str; 5] = [
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];

/// IAM beside what the objects ask for, or asked for lately. `others` is what was there before all objects.
pub fn widened(iam: &Snapshot, others: &Snapshot, objects: &[Known]) -> Vec<String> {
    let known: BTreeMap<&str, &Known> = objects
        .iter()
        .map(|known| (known.subject.uid.as_str(), known))
        .collect();
    let of = |tags: &BTreeMap<String, String>| {
        let uid = tags.get(UID)?;
        known.get(uid.as_str()).copied()
    };
    let mut wrong = Vec::new();
    for (name, role) in &iam.roles {
        if let Some(before) = others.roles.get(name) {
            if before != role {
                wrong.push(format!("role {name} of others was changed"));
            }
            continue;
        }
        match of(&role.tags) {
            None => wrong.push(format!("role {name} is of no object")),
            Some(known) => wrong.extend(any(known, |asked| role_of(role, asked))),
        }
    }
    for (name, policy) in &iam.policies {
        if let Some(before) = others.policies.get(name) {
            if before != policy {
                wrong.push(format!("policy {name} of others was changed"));
            }
            continue;
        }
        let Some(known) = of(&policy.tags) else {
            wrong.push(format!("policy {name} is of no object"));
            continue;
        };
        // Versions that are not the default may be older than what is remembered.
        wrong.extend(any(known, |asked| permissions(&policy.document, asked)));
    }
    for (name, profile) in &iam.instance_profiles {
        match of(&profile.tags) {
            None => wrong.push(format!("instance profile {name} is of no object")),
            Some(known) => wrong.extend(any(known, |asked| {
                let held = profile.role.as_ref();
                let own = held.is_none_or(|held| *held == asked.names()[0]);
                own.then_some(())
                    .ok_or_else(|| format!("it holds {held:?}"))
            })),
        }
    }
    wrong
}

/// What is wrong by every spec that the object had lately.
fn any(known: &Known, check: impl Fn(&Asked) -> Result<(), String>) -> Option<String> {
    let mut why = String::new();
    for asked in known.all_asked() {
        match check(asked) {
            Ok(()) => return None,
            Err(wrong) => why = wrong,
        }
    }
    Some(format!("what IAM has for {}: {why}", known.subject.owner()))
}

fn role_of(role: &RoleSnapshot, asked: &Asked) -> Result<(), String> {
    trust(&role.trust, asked)?;
    let [_, policy, _] = asked.names();
    for (name, document) in &role.inline {
        if *name != policy {
            return Err(format!("it has an inline policy {name}"));
        }
        permissions(document, asked)?;
    }
    let own = asked.policy_arn("/session-manager/", &policy);
    let listed = asked
        .spec
        .additional_policy_arns
        .clone()
        .unwrap_or_default();
    for arn in &role.attached {
        if *arn != own && !listed.contains(arn) {
            return Err(format!("{arn} is attached"));
        }
    }
    Ok(())
}

/// A document's statements, each with no key but those that ours have.
fn statements(document: &str, keys: &[&str]) -> Result<Vec<Value>, String> {
    let document: Value = serde_json::from_str(document).map_err(|e| format!("no JSON: {e}"))?;
    let has_only = |value: &Value, keys: &[&str]| {
        let map = value.as_object().ok_or("no map")?;
        match map.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(format!("has {key:?}")),
            None => Ok(()),
        }
    };
    has_only(&document, &["Version", "Statement"])?;
    if document["Version"] != "2012-10-17" {
        return Err(format!("version {}", document["Version"]));
    }
    let all = listed(&document["Statement"]);
    for statement in &all {
        has_only(statement, keys)?;
        if statement["Effect"] != "Allow" {
            return Err(format!("a statement with effect {}", statement["Effect"]));
        }
    }
    Ok(all)
}

fn listed(value: &Value) -> Vec<Value> {
    value
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![value.clone()])
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let all = listed(value);
    let all = all.iter().map(|one| one.as_str().map(str::to_owned));
    all.collect::<Option<_>>()
        .ok_or_else(|| format!("no text: {value}"))
}

/// Nobody assumes the role but the one service, on whose behalf spec says.
fn trust(document: &str, asked: &Asked) -> Result<(), String> {
    let all = statements(
        document,
        &["Sid", "Effect", "Principal", "Action", "Condition"],
    )?;
    let service = match (asked.hybrid(), asked.partition) {
        (true, _) => "ssm.amazonaws.com",
        (false, "aws-cn") => "ec2.amazonaws.com.cn",
        (false, _) => "ec2.amazonaws.com",
    };
    for statement in &all {
        let who = statement["Principal"].as_object().ok_or("no principal")?;
        if who.keys().ne(["Service"]) || texts(&who["Service"])? != [service] {
            return Err(format!("{} is trusted", statement["Principal"]));
        }
        if texts(&statement["Action"])? != ["sts:AssumeRole"] {
            return Err(format!("trusted with {}", statement["Action"]));
        }
        if !asked.hybrid() {
            continue;
        }
        let condition = &statement["Condition"];
        if texts(&condition["StringEquals"]["aws:SourceAccount"])? != [ACCOUNT] {
            return Err(format!("trusted where {condition}"));
        }
        let regions = asked.spec.hybrid.as_ref().and_then(|h| h.regions.clone());
        let mut expected: Vec<String> = (regions.unwrap_or_else(|| vec!["*".to_owned()]).iter())
            .map(|region| format!("arn:{}:ssm:{region}:{ACCOUNT}:*", asked.partition))
            .collect();
        let mut sources = texts(&condition["ArnEquals"]["aws:SourceArn"])?;
        expected.sort();
        sources.sort();
        if sources != expected {
            return Err(format!("trusted from {sources:?}"));
        }
    }
    Ok(())
}

/// A policy grants what AWS's page has, on what spec names.
fn permissions(document: &str, asked: &Asked) -> Result<(), String> {
    let keys = ["Sid", "Effect", "Action", "Resource", "Condition"];
    let granted = granted(asked)?;
    for statement in statements(document, &keys)? {
        for action in texts(&statement["Action"])? {
            let on = granted
                .get(action.as_str())
                .ok_or_else(|| format!("{action} is granted"))?;
            for resource in texts(&statement["Resource"])? {
                if !on.contains(&resource) {
                    return Err(format!(
                        "{action} is granted on {resource:?}, not on {on:?}"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Each action that spec may lead to, and on what. What spec names stands for itself alone.
fn granted(asked: &Asked) -> Result<BTreeMap<&'static str, Vec<String>>, String> {
    let literal = |text: &str| {
        let widens = ["*", "?", "${"].iter().any(|wild| text.contains(wild));
        if widens || text.chars().any(char::is_control) {
            return Err(format!("{text:?} in spec stands for more than itself"));
        }
        Ok(text.to_owned())
    };
    let any = || vec!["*".to_owned()];
    let mut all: BTreeMap<&'static str, Vec<String>> =
        ALWAYS.iter().map(|action| (*action, any())).collect();
    let partition = asked.partition;
    if let Some(encryption) = &asked.spec.session_encryption {
        let key = literal(&encryption.kms_key_arn)?;
        all.entry("kms:Decrypt").or_default().push(key);
    }
    let logs = asked.spec.session_logs.clone().unwrap_or_default();
    if let Some(cloud_watch) = logs.cloud_watch {
        let group = match cloud_watch.log_group_name {
            None => "*".to_owned(),
            Some(group) => {
                let group = literal(&group)?;
                format!("arn:{partition}:logs:*:{ACCOUNT}:log-group:{group}:*")
            }
        };
        for action in [
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "logs:DescribeLogStreams",
        ] {
            all.insert(action, vec![group.clone()]);
        }
        all.insert("logs:DescribeLogGroups", any());
    }
    if let Some(s3) = logs.s3 {
        let bucket = literal(&s3.bucket)?;
        if bucket.contains('/') || bucket.contains(':') {
            return Err(format!("{bucket:?} is no bucket"));
        }
        let prefix = literal(s3.key_prefix.as_deref().unwrap_or_default())?;
        let on = match prefix.trim_matches('/') {
            "" => format!("arn:{partition}:s3:::{bucket}/*"),
            prefix => format!("arn:{partition}:s3:::{bucket}/{prefix}/*"),
        };
        all.insert("s3:PutObject", vec![on.clone()]);
        if s3.bucket_owner_account_id.is_some_and(|id| id != ACCOUNT) {
            all.insert("s3:PutObjectAcl", vec![on]);
        }
        all.insert("s3:GetEncryptionConfiguration", any());
        match s3.encryption.unwrap_or_default() {
            S3Encryption::Unspecified => drop(all.insert("kms:GenerateDataKey", any())),
            S3Encryption::S3Managed => {}
            S3Encryption::KMS => {
                let key = literal(s3.kms_key_arn.as_deref().unwrap_or_default())?;
                all.insert("kms:GenerateDataKey", vec![key.clone()]);
                all.entry("kms:Decrypt").or_default().push(key);
            }
        }
    }
    Ok(all)
}

/// Whether something of this name stays by spec's own wish: it was retained, or is of an object that only observed.
pub fn stays(iam: &Snapshot, name: &str, observed: &[String]) -> bool {
    let tags = [
        iam.roles.get(name).map(|role| &role.tags),
        iam.policies.get(name).map(|policy| &policy.tags),
        iam.instance_profiles.get(name).map(|profile| &profile.tags),
    ];
    let of_observed = |tags: &BTreeMap<String, String>| {
        let uid = tags.get(UID);
        uid.is_some_and(|uid| observed.contains(uid))
    };
    let mut tags = tags.into_iter().flatten();
    tags.any(|tags| tags.contains_key("sessionmanager.dev/retained-from") || of_observed(tags))
}
