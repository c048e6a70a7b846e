//! An object's life in scenes that any stand-in for IAM can play: a world with a running controller
//! enters; a scene panics where something is not so. IAM is read back through its own answers.

use iam_emulator::Snapshot;
use serde_json::{Value, json};
use smr_api::SessionManagerRole;

use super::iam::{LAMBDA_TRUST, READ_S3, StandIn, tag};
use super::{World, condition, is};

/// A policy of AWS's own, to be added to a role.
pub const AGENT: &str = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";

/// One of each kind, complete and tagged as ours; the status tells where it is.
pub async fn creation<I: StandIn>(world: &World<I>) {
    let account = world.account_id().await;
    let cluster_uid = world.cluster_uid().await;
    for (name, spec) in [
        ("managed", "{}"),
        ("inline", "{policy: {type: Inline}}"),
        ("hybrid", "{principal: HybridActivation}"),
    ] {
        let applied = world.apply(name, spec).await;
        let status = world.ready(name).await.status.unwrap();
        let full = format!("{}.{name}", world.namespace);
        let arn = |kind: &str| format!("arn:aws:iam::{account}:{kind}/session-manager/{full}");
        let seen = world.seen().await;
        let ours = json!({
            "sessionmanager.dev/cluster": "test",
            "sessionmanager.dev/cluster-uid": cluster_uid,
            "sessionmanager.dev/owner": format!("{}/{name}", world.namespace),
            "sessionmanager.dev/uid": applied.metadata.uid,
        });

        assert_eq!(status.account_id.as_deref(), Some(account.as_str()));
        let role = &seen.roles[&full];
        assert_eq!(role.arn, arn("role"));
        assert_eq!(status.role.unwrap().arn, role.arn);
        assert_eq!(json!(role.tags), ours);
        let trust: Value = serde_json::from_str(&role.trust).unwrap();
        let trusted = if name == "hybrid" { "ssm" } else { "ec2" };
        let principal = &trust["Statement"][0]["Principal"]["Service"];
        assert_eq!(
            principal,
            &json!(format!("{trusted}.amazonaws.com")),
            "{trust}"
        );

        let document = if name == "inline" {
            assert!(!seen.policies.contains_key(&full) && role.attached.is_empty());
            &role.inline[&full]
        } else {
            let policy = &seen.policies[&full];
            assert_eq!(policy.arn, arn("policy"));
            assert_eq!(role.attached.iter().collect::<Vec<_>>(), [&policy.arn]);
            assert!(role.inline.is_empty());
            assert_eq!(json!(policy.tags), ours);
            &policy.document
        };
        assert!(
            document.contains("ssmmessages:OpenDataChannel"),
            "{document}"
        );

        let profile = seen.instance_profiles.get(&full);
        assert_eq!(profile.is_some(), name != "hybrid");
        if let Some(profile) = profile {
            assert_eq!(profile.arn, arn("instance-profile"));
            assert_eq!(profile.role.as_ref(), Some(&full));
            assert_eq!(json!(profile.tags), ours);
        }
    }
}

/// Every field that can change is changed once, and in the end all of it is taken back. Needs a
/// controller that lets AWS's own policies be added. Leaves the object at its 20th generation.
pub async fn every_field_that_can_change<I: StandIn>(world: &World<I>) -> SessionManagerRole {
    let create = world.someone().create_policy().policy_document(READ_S3);
    let boundary = create
        .policy_name(format!("cap-of-{}", world.namespace))
        .send()
        .await;
    let boundary = boundary.unwrap().policy.unwrap().arn.unwrap();
    let own = format!(
        "arn:aws:iam::{}:policy/session-manager/{}.web",
        world.account_id().await,
        world.namespace
    );
    let name = format!("{}.web", world.namespace);
    world.apply("web", "{}").await;
    world.ready("web").await;
    let steps = [
        (
            "role: {description: changed}",
            "/roles/*/description",
            json!("changed"),
        ),
        (
            "role: {maxSessionDurationSeconds: 7200}",
            "/roles/*/max_session",
            json!(7200),
        ),
        (
            &format!("role: {{permissionsBoundaryArn: '{boundary}'}}"),
            "/roles/*/boundary",
            json!(boundary),
        ),
        ("role: {tags: {a: b}}", "/roles/*/tags/a", json!("b")),
        ("policy: {tags: {a: c}}", "/policies/*/tags/a", json!("c")),
        (
            "instanceProfile: {tags: {a: d}}",
            "/instance_profiles/*/tags/a",
            json!("d"),
        ),
        ("tags: {all: x}", "/policies/*/tags/all", json!("x")),
        ("tags: {all: 'y'}", "/policies/*/tags/all", json!("y")),
        (
            &format!("additionalPolicyArns: ['{AGENT}']"),
            "/roles/*/attached",
            json!([own, AGENT]),
        ),
    ];
    for (spec, place, expected) in &steps {
        world.apply("web", &format!("{{{spec}}}")).await;
        world.ready("web").await;
        let seen = serde_json::to_value(world.seen().await).unwrap();
        assert_eq!(
            seen.pointer(&place.replace('*', &name)),
            Some(expected),
            "{spec}"
        );
    }
    every_change_of_the_document(world).await;
    // What left spec has left IAM.
    world.apply("web", "{}").await;
    let object = world.ready("web").await;
    let seen = world.seen().await;
    let role = &seen.roles[&name];
    assert_eq!(role.max_session, 3600);
    assert_eq!(role.attached.iter().collect::<Vec<_>>(), [&own]);
    let foreign = role
        .tags
        .keys()
        .find(|key| !key.starts_with("sessionmanager.dev/"));
    assert_eq!(foreign, None);
    assert_eq!(
        role.boundary,
        Some(boundary),
        "a boundary is never removed by us"
    );
    let policy = &seen.policies[&name];
    assert!(!policy.document.contains("logs:"));
    // The narrowing update took the wider version with it.
    assert!(
        policy
            .versions
            .iter()
            .all(|v| !v.document.contains("/ssm/sessions"))
    );
    object
}

/// Everything that a spec can say of the policy's document, one after the other.
pub async fn every_change_of_the_document<I: StandIn>(world: &World<I>) {
    let name = format!("{}.web", world.namespace);
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let parts = [
        (
            format!("sessionEncryption: {{kmsKeyArn: '{key}'}}"),
            "kms:Decrypt",
        ),
        (
            format!("sessionEncryption: {{kmsKeyArn: '{key}', sessionsOnly: true}}"),
            "kms:EncryptionContext:aws:ssm:SessionId",
        ),
        (
            "sessionLogs: {s3: {bucket: my-logs, keyPrefix: one}}".to_owned(),
            "arn:aws:s3:::my-logs/one/*",
        ),
        (
            "sessionLogs: {s3: {bucket: my-logs, keyPrefix: two}}".to_owned(),
            "arn:aws:s3:::my-logs/two/*",
        ),
        (
            "sessionLogs: {s3: {bucket: my-logs, bucketOwnerAccountId: '999900001111'}}".to_owned(),
            "s3:PutObjectAcl",
        ),
        (
            format!(
                "sessionLogs: {{s3: {{bucket: my-logs, encryption: KMS, kmsKeyArn: '{key}'}}}}"
            ),
            "kms:ViaService",
        ),
        (
            "sessionLogs: {s3: {bucket: my-logs, encryption: S3Managed}}".to_owned(),
            "arn:aws:s3:::my-logs/*",
        ),
        (
            "sessionLogs: {cloudWatch: {}}".to_owned(),
            "logs:PutLogEvents",
        ),
        (
            "sessionLogs: {cloudWatch: {logGroupName: /ssm/sessions}}".to_owned(),
            "log-group:/ssm/sessions:*",
        ),
    ];
    for (spec, part) in &parts {
        world.apply("web", &format!("{{{spec}}}")).await;
        world.ready("web").await;
        let policy = &world.seen().await.policies[&name];
        assert!(
            policy.document.contains(part),
            "{spec}: {}",
            policy.document
        );
        assert!(policy.versions.len() <= 5, "{spec}");
        let no_key = spec.contains("S3Managed");
        assert!(!no_key || !policy.document.contains("kms:"), "{spec}");
    }
}

/// From a managed policy to an inline one and back.
pub async fn the_policy_type_changes_both_ways<I: StandIn>(world: &World<I>) {
    let name = format!("{}.web", world.namespace);
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.apply("web", "{policy: {type: Inline}}").await;
    world.ready("web").await;
    let seen = world.seen().await;
    let role = &seen.roles[&name];
    assert!(seen.policies.is_empty() && role.attached.is_empty());
    assert!(role.inline.contains_key(&name));
    world.apply("web", "{policy: {type: Managed}}").await;
    world.ready("web").await;
    let seen = world.seen().await;
    assert!(seen.policies.contains_key(&name) && seen.roles[&name].inline.is_empty());
}

/// Nothing is left of objects that are deleted, whatever others added to them.
pub async fn deletion_leaves_nothing<I: StandIn>(world: &World<I>) {
    for (name, spec) in [
        ("a", "{}"),
        ("b", "{policy: {type: Inline}}"),
        ("c", "{principal: HybridActivation}"),
    ] {
        world.apply(name, spec).await;
        world.ready(name).await;
    }
    let role = format!("{}.a", world.namespace);
    let arn = world.seen().await.policies[&role].arn.clone();
    let someone = world.someone();
    let extra = someone
        .put_role_policy()
        .role_name(&role)
        .policy_name("extra");
    extra.policy_document(READ_S3).send().await.unwrap();
    let version = someone.create_policy_version().policy_arn(&arn);
    version.policy_document(READ_S3).send().await.unwrap();
    for name in ["a", "b", "c"] {
        world.delete(name).await;
    }
    for name in ["a", "b", "c"] {
        world.gone(name).await;
    }
    assert_eq!(world.seen().await, Snapshot::default());
    assert!(world.event("a", "Deleted").await.contains(&role));
}

/// `Retain` leaves everything in IAM, without our tags, with the others, and with what it was of.
pub async fn retain_leaves_everything<I: StandIn>(world: &World<I>) {
    world
        .apply("web", "{deletionPolicy: Retain, tags: {team: a}}")
        .await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let mut expected = world.seen().await;
    let role = expected.roles.get_mut(&name).unwrap();
    let policy = expected.policies.get_mut(&name).unwrap();
    let profile = expected.instance_profiles.get_mut(&name).unwrap();
    for tags in [&mut role.tags, &mut policy.tags, &mut profile.tags] {
        let cluster = &tags["sessionmanager.dev/cluster"];
        let from = format!("{cluster}/{}/web", world.namespace);
        tags.retain(|key, _| key == "team");
        assert_eq!(tags.len(), 1);
        tags.insert("sessionmanager.dev/retained-from".to_owned(), from);
    }
    world.delete("web").await;
    world.gone("web").await;
    assert_eq!(world.seen().await, expected);
    let event = world.event("web", "Retained").await;
    assert!(event.contains(&name), "{event}");
}

/// What has our name and is not ours is refused, and stays as it is.
pub async fn foreign_objects_stay<I: StandIn>(world: &World<I>) {
    let someone = world.someone();
    let name = |kind: &str| format!("{}.{kind}", world.namespace);
    let role = someone
        .create_role()
        .role_name(name("role"))
        .path("/session-manager/");
    let role = role.assume_role_policy_document(LAMBDA_TRUST);
    role.tags(tag("sessionmanager.dev/cluster", "another"))
        .send()
        .await
        .unwrap();
    let policy = someone
        .create_policy()
        .policy_name(name("policy"))
        .path("/session-manager/");
    policy.policy_document(READ_S3).send().await.unwrap();
    let profile = someone.create_instance_profile().path("/session-manager/");
    profile
        .instance_profile_name(name("profile"))
        .send()
        .await
        .unwrap();
    for kind in ["role", "policy", "profile"] {
        refused(world, kind, &name(kind)).await;
    }
}

/// A name in another case is the same name in IAM.
pub async fn a_foreign_role_in_another_case_stays<I: StandIn>(world: &World<I>) {
    let name = format!("{}.WEB", world.namespace);
    let role = world.someone().create_role().role_name(&name);
    role.assume_role_policy_document(LAMBDA_TRUST)
        .send()
        .await
        .unwrap();
    refused(world, "web", &name).await;
}

/// A role that others put our policy on, too, keeps it until they take it off.
pub async fn what_others_use_blocks_deletion<I: StandIn>(world: &World<I>) {
    world.apply("web", "{}").await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let before = world.seen().await;
    let arn = &before.policies[&name].arn;
    let theirs = format!("role-of-{}", world.namespace);
    let someone = world.someone();
    let role = someone.create_role().role_name(&theirs);
    role.assume_role_policy_document(LAMBDA_TRUST)
        .send()
        .await
        .unwrap();
    let attach = someone.attach_role_policy().role_name(&theirs);
    attach.policy_arn(arn).send().await.unwrap();
    world.delete("web").await;
    let message = world.reason("web", "DeletionBlocked").await;
    assert!(message.contains(&format!("role {theirs}")), "{message}");
    assert_eq!(world.seen().await, before, "something is half deleted");
    let detach = someone.detach_role_policy().role_name(&theirs);
    detach.policy_arn(arn).send().await.unwrap();
    world
        .annotate(
            "web",
            "sessionmanager.dev/reconcile-requested-at",
            Some("again"),
        )
        .await;
    world.gone("web").await;
    assert_eq!(world.seen().await, Snapshot::default());
}

/// Applies an object for which `foreign` is in the way, sees it refused, deletes it, and sees that
/// all is as it was before.
async fn refused<I: StandIn>(world: &World<I>, name: &str, foreign: &str) {
    let before = world.seen().await;
    world.apply(name, "{}").await;
    // Either way: what is wrongly taken for ours shows at once, and not as a wait without end.
    let decided = world
        .status_of(name, "decided upon", |s| {
            is(s, "Ready", "True") || condition(s, "Ready").is_some_and(|c| c.reason == "NotOwned")
        })
        .await;
    let status = decided.status.unwrap();
    let ready = condition(&status, "Ready").unwrap();
    assert_eq!(ready.reason, "NotOwned", "{}", ready.message);
    assert!(ready.message.contains(foreign), "{}", ready.message);
    assert!(
        holds(&world.seen().await, &before),
        "what is foreign was changed"
    );
    world.delete(name).await;
    world.gone(name).await;
    assert_eq!(world.seen().await, before);
}

/// Whether all of `part` is in `whole`, as it is.
fn holds(whole: &Snapshot, part: &Snapshot) -> bool {
    let role = |(name, role)| whole.roles.get(name) == Some(role);
    let policy = |(name, policy)| whole.policies.get(name) == Some(policy);
    let profile = |(name, profile)| whole.instance_profiles.get(name) == Some(profile);
    part.roles.iter().all(role)
        && part.policies.iter().all(policy)
        && part.instance_profiles.iter().all(profile)
}
