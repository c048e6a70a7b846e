//! Arbitrary specs, and what someone else may do in IAM.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn policy_arn(n: u8) -> String {
    format!("arn:aws:iam::aws:policy/P{n}")
}

fn some_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = prop::sample::select(vec!["a", "b", "c", "Team", "team"]);
    let value = prop::sample::select(vec!["", "1", "2"]);
    prop::collection::btree_map(
        key.prop_map(str::to_owned),
        value.prop_map(str::to_owned),
        0..4,
    )
}

/// Where the session data, the logs and their keys are.
fn access() -> impl Strategy<Value = Value> {
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let encryption = prop::option::of(any::<bool>()).prop_map(move |sessions_only| {
        sessions_only.map(|only| json!({"kmsKeyArn": key, "sessionsOnly": only}))
    });
    let s3 = prop::sample::select(vec![
        Value::Null,
        json!({"bucket": "my-logs"}),
        json!({"bucket": "my-logs", "keyPrefix": "x"}),
        json!({"bucket": "my-logs", "encryption": "S3Managed", "bucketOwnerAccountId": "999900001111"}),
        json!({"bucket": "my-logs", "encryption": "KMS", "kmsKeyArn": key}),
    ]);
    let cloud_watch = prop::sample::select(vec![
        Value::Null,
        json!({}),
        json!({"logGroupName": "/ssm"}),
    ]);
    (encryption, s3, cloud_watch).prop_map(|(encryption, s3, cloud_watch)| {
        json!({"sessionEncryption": encryption, "sessionLogs": {"s3": s3, "cloudWatch": cloud_watch}})
    })
}

/// Any spec in JSON, which is YAML; `hybrid` decides over the principal, which can't change.
pub(super) fn spec(hybrid: bool) -> impl Strategy<Value = Desired> {
    let role = (
        some_tags(),
        prop::option::of("[a-z ]{0,8}"),
        prop::option::of(3600..43200_i32),
        any::<bool>(),
    );
    let others = (some_tags(), some_tags(), some_tags());
    let choices = (any::<bool>(), any::<bool>(), any::<bool>());
    let further = prop::collection::btree_set(0..4_u8, 0..3);
    (role, others, choices, further, access()).prop_filter_map(
        "valid",
        move |(role, others, (inline, remove, consent), further, access)| {
            let mut spec = access;
            let (role_tags, description, duration, boundary) = role;
            let (tags, policy_tags, profile_tags) = others;
            spec["role"] = json!({"tags": role_tags, "description": description, "maxSessionDurationSeconds": duration,
                "permissionsBoundaryArn": boundary.then_some("arn:aws:iam::111122223333:policy/cap")});
            spec["tags"] = json!(tags);
            if inline {
                spec["policy"] = json!({"type": "Inline"});
            } else {
                spec["policy"] = json!({"tags": policy_tags});
            }
            if hybrid {
                spec["principal"] = "HybridActivation".into();
            } else {
                spec["instanceProfile"] = json!({"tags": profile_tags});
            }
            spec["additionalPolicyArns"] =
                further.into_iter().map(policy_arn).collect::<Vec<_>>().into();
            spec["unlistedPolicyAction"] = if remove { "Remove" } else { "Report" }.into();
            spec["adoptionPolicy"] = if consent { "WithConsent" } else { "Never" }.into();
            let mut limits = Limits::new("test");
            limits.allowed_additional_policies = vec!["arn:aws:iam::aws:policy/*".into()];
            check(&spec.to_string(), &limits).ok().map(|valid| desired(&valid))
        },
    )
}

pub(super) fn two_specs() -> impl Strategy<Value = (Desired, Desired)> {
    any::<bool>().prop_flat_map(|hybrid| (spec(hybrid), spec(hybrid)))
}

/// What someone else does in IAM; nothing that IAM would not let them do.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Gone(Kind),
    Recreated(Kind),
    EarlierUid(Kind),
    Consent(Kind),
    Tag(Kind, String, Option<String>),
    Trust(String),
    Description(String),
    Duration(i32),
    Boundary(Option<String>),
    Attach(u8),
    Detach(usize),
    Inline(String, Option<String>),
    NoInline(String),
    Version(String),
    Versions(u8),
    ProfileRole(Option<String>),
}

fn document() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "not a document".to_owned(),
        r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}).to_string(),
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["ssmmessages:OpenDataChannel", "ssm:UpdateInstanceInformation"], "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::my-logs/*"}]}).to_string(),
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}).to_string(),
    ])
}

fn change() -> impl Strategy<Value = Change> {
    let kind = || prop::sample::select(vec![Kind::Role, Kind::Policy, Kind::InstanceProfile]);
    let key =
        || prop::sample::select(vec!["a", "b", "c", "Team", "theirs"]).prop_map(str::to_owned);
    let inline = || prop::sample::select(vec!["team.web", "extra"]).prop_map(str::to_owned);
    let text = || prop::sample::select(vec!["", "x"]).prop_map(str::to_owned);
    prop_oneof![
        kind().prop_map(Change::Gone),
        kind().prop_map(Change::Recreated),
        kind().prop_map(Change::EarlierUid),
        kind().prop_map(Change::Consent),
        (kind(), key(), prop::option::of(text())).prop_map(|(k, key, v)| Change::Tag(k, key, v)),
        document().prop_map(Change::Trust),
        text().prop_map(Change::Description),
        (3600..43200).prop_map(Change::Duration),
        prop::option::of(Just("arn:aws:iam::111122223333:policy/theirs".to_owned()))
            .prop_map(Change::Boundary),
        (0..6_u8).prop_map(Change::Attach),
        any::<usize>().prop_map(Change::Detach),
        (inline(), prop::option::of(document())).prop_map(|(n, d)| Change::Inline(n, d)),
        inline().prop_map(Change::NoInline),
        document().prop_map(Change::Version),
        (0..5_u8).prop_map(Change::Versions),
        prop::option::of(prop::sample::select(vec!["admin", "team.web"]))
            .prop_map(|r| Change::ProfileRole(r.map(str::to_owned))),
    ]
}

pub(super) fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 0..6)
}

fn tags(state: &mut Observed, kind: Kind) -> Option<&mut smr_api::Tags> {
    match kind {
        Kind::Role => state.role.as_mut().map(|r| &mut r.tags),
        Kind::Policy => state.policy.as_mut().map(|p| &mut p.tags),
        Kind::InstanceProfile => state.instance_profile.as_mut().map(|p| &mut p.tags),
    }
}

/// A restored object's id and a re-creation's uid don't go together: that is `Replaced`.
fn is_whole(desired: &Desired, state: &mut Observed, kind: Kind) -> bool {
    let own = desired.identity.tags();
    tags(state, kind).is_some_and(|tags| KEYS.iter().all(|key| tags.get(*key) == own.get(*key)))
}

pub(super) fn someone_does(desired: &Desired, state: &mut Observed, change: Change) {
    let own_policy = desired.policy_arn();
    match change {
        Change::Gone(Kind::Role) => {
            state.role = None;
            if let Some(profile) = &mut state.instance_profile {
                profile.roles.remove(&desired.names.role);
            }
        }
        Change::Gone(Kind::Policy) => {
            state.policy = None;
            if let Some(role) = &mut state.role {
                role.attached.remove(&own_policy);
            }
        }
        Change::Gone(Kind::InstanceProfile) => state.instance_profile = None,
        Change::Recreated(kind) if is_whole(desired, state, kind) => match kind {
            Kind::Role => state.role.iter_mut().for_each(|r| r.id.push('\'')),
            Kind::Policy => state.policy.iter_mut().for_each(|p| p.id.push('\'')),
            Kind::InstanceProfile => {
                state
                    .instance_profile
                    .iter_mut()
                    .for_each(|p| p.id.push('\''));
            }
        },
        Change::EarlierUid(kind) if is_whole(desired, state, kind) => {
            let recreated = match kind {
                Kind::Role => state.role.as_ref().is_some_and(|r| r.id.ends_with('\'')),
                Kind::Policy => state.policy.as_ref().is_some_and(|p| p.id.ends_with('\'')),
                Kind::InstanceProfile => {
                    (state.instance_profile.as_ref()).is_some_and(|p| p.id.ends_with('\''))
                }
            };
            if let Some(tags) = tags(state, kind).filter(|_| !recreated) {
                tags.insert(UID.into(), "earlier".into());
            }
        }
        Change::Consent(kind) if desired.adoption == smr_api::AdoptionPolicy::WithConsent => {
            if let Some(tags) = tags(state, kind) {
                tags.retain(|key, _| !KEYS.contains(&key.as_str()));
                tags.insert(ADOPTABLE_BY.into(), "test/team/web".into());
            }
        }
        Change::Recreated(_) | Change::EarlierUid(_) | Change::Consent(_) => {}
        Change::Tag(kind, key, value) => {
            if let Some(tags) = tags(state, kind) {
                if kind == Kind::Role {
                    tags.retain(|k, _| !k.eq_ignore_ascii_case(&key));
                }
                match value {
                    Some(value) => tags.insert(key, value),
                    None => tags.remove(&key),
                };
            }
        }
        Change::Version(document) => {
            if let Some(policy) = state.policy.as_mut().filter(|p| p.versions.len() < 5) {
                policy.versions.insert("v90".into());
                policy.default_version = "v90".into();
                policy.document = document;
            }
        }
        Change::Versions(count) => {
            if let Some(policy) = &mut state.policy {
                let room = 5 - policy.versions.len().min(5);
                let spare = (0..count).map(|n| format!("v{}", 50 + n)).take(room);
                policy.versions.extend(spare);
            }
        }
        Change::ProfileRole(role) => {
            let exists = state.role.is_some();
            if let Some(profile) = &mut state.instance_profile {
                profile.roles = role
                    .into_iter()
                    .filter(|r| exists || *r != desired.names.role)
                    .collect();
            }
        }
        on_role => {
            let policy_exists = state.policy.is_some();
            let Some(role) = &mut state.role else { return };
            match on_role {
                Change::Trust(document) => role.trust = document,
                Change::Description(text) => role.description = text,
                Change::Duration(seconds) => role.max_session_duration = seconds,
                Change::Boundary(arn) => role.boundary = arn,
                Change::Attach(5) if policy_exists => {
                    role.attached.insert(own_policy);
                }
                Change::Attach(n) => {
                    role.attached.insert(policy_arn(n));
                }
                Change::Detach(at) => {
                    let arn = role
                        .attached
                        .iter()
                        .nth(at % role.attached.len().max(1))
                        .cloned();
                    role.attached.retain(|a| Some(a) != arn.as_ref());
                }
                Change::Inline(name, document) => {
                    role.inline.insert(name, document);
                }
                Change::NoInline(name) => {
                    role.inline.remove(&name);
                }
                other => panic!("{other:?} is not of the role"),
            }
        }
    }
}
