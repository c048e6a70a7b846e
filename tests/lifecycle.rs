//! The main job on real parts: create, change every field that can change, stay in sync, delete.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

mod support;

use std::time::Duration;
use support::watcher::{Kstatus, as_spec_says, kstatus};
use support::{Start, World, condition, round_trips, scenarios};

/// Creates an object on an account that answers in 50 ms a call; actions and round trips.
async fn creation(world: &World, name: &str, spec: &str) -> (Vec<String>, usize) {
    world.iam.set_latency(Duration::from_millis(50));
    world.iam.clear_calls();
    world.apply(name, spec).await;
    world.ready(name).await;
    world.iam.set_latency(Duration::ZERO);
    let calls: Vec<_> = world
        .iam
        .calls()
        .into_iter()
        .filter(|c| c.service == "iam")
        .collect();
    let first_look = calls.iter().position(|c| !c.write).unwrap_or(calls.len());
    let creating = &calls[..first_look];
    let mut actions: Vec<String> = creating.iter().map(|c| c.action.clone()).collect();
    actions.sort();
    (actions, round_trips(creating))
}

#[tokio::test]
async fn a_first_creation_is_five_calls_in_two_round_trips() {
    let mut world = World::quiet("creation").await;
    // No resync in the way of counting.
    let start = Start {
        flags: vec![
            "--resync-interval=1h".into(),
            "--iam-requests-per-second=500".into(),
        ],
        ..Start::default()
    }
    .flag("--allow-additional-policy=arn:aws:iam::aws:policy/*");
    world.run(&start);
    let cases = [
        (
            "managed",
            "{}",
            vec![
                "AddRoleToInstanceProfile",
                "AttachRolePolicy",
                "CreateInstanceProfile",
                "CreatePolicy",
                "CreateRole",
            ],
        ),
        (
            "inline",
            "{policy: {type: Inline}}",
            vec![
                "AddRoleToInstanceProfile",
                "CreateInstanceProfile",
                "CreateRole",
                "PutRolePolicy",
            ],
        ),
        (
            "hybrid",
            "{principal: HybridActivation}",
            vec!["AttachRolePolicy", "CreatePolicy", "CreateRole"],
        ),
        (
            "additional",
            "{additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy']}",
            vec![
                "AddRoleToInstanceProfile",
                "AttachRolePolicy",
                "AttachRolePolicy",
                "CreateInstanceProfile",
                "CreatePolicy",
                "CreateRole",
            ],
        ),
    ];
    for (name, spec, expected) in cases {
        let (actions, trips) = creation(&world, name, spec).await;
        assert_eq!(actions, expected, "{name}");
        assert_eq!(trips, 2, "{name}");
    }
}

#[tokio::test]
async fn all_is_there_once_it_is_ready() {
    let world = World::start("complete").await;
    scenarios::creation(&world).await;
    // IAM's own answers, which the scene has read, and the emulator's store are one.
    assert_eq!(world.seen().await, world.account());
}

#[tokio::test]
async fn ownership_is_in_the_create_calls_themselves() {
    let world = World::start("tags").await;
    let object = world.apply("web", "{tags: {team: a}}").await;
    world.ready("web").await;
    let creates: Vec<_> = world
        .writes()
        .into_iter()
        .filter(|c| c.action.starts_with("Create"))
        .collect();
    assert_eq!(creates.len(), 3);
    for call in creates {
        let tag = |key: &str| {
            let (place, _) = call
                .params
                .iter()
                .find(|(k, v)| k.ends_with(".Key") && *v == key)?;
            call.params.get(&place.replace(".Key", ".Value")).cloned()
        };
        assert_eq!(
            tag("sessionmanager.dev/cluster").as_deref(),
            Some("test"),
            "{}",
            call.action
        );
        assert_eq!(
            tag("sessionmanager.dev/owner"),
            Some(format!("{}/web", world.namespace)),
            "{}",
            call.action
        );
        assert_eq!(
            tag("sessionmanager.dev/uid"),
            object.metadata.uid,
            "{}",
            call.action
        );
        assert_eq!(tag("team").as_deref(), Some("a"), "{}", call.action);
    }
}

#[tokio::test]
async fn an_object_in_sync_causes_no_writes_anywhere() {
    let world = World::start("insync").await;
    world
        .apply("web", "{tags: {team: a}, sessionLogs: {cloudWatch: {}}}")
        .await;
    world.ready("web").await;
    world.another_look().await;
    world.iam.clear_calls();
    let ours = |event: &control_plane::AuditEvent| {
        event.is_write()
            && event.object.namespace == world.namespace
            && event.user.username.contains("session-manager-role")
    };
    let before = world
        .plane
        .audit_events()
        .unwrap()
        .iter()
        .filter(|e| ours(e))
        .count();
    assert!(
        before > 0,
        "the audit log shows no write of the controller at all"
    );
    for _ in 0..3 {
        world.another_look().await;
    }
    assert_eq!(world.writes(), []);
    assert_eq!(
        world
            .plane
            .audit_events()
            .unwrap()
            .iter()
            .filter(|e| ours(e))
            .count(),
        before
    );
}

/// In every version of the object that a watch shows, while each call takes its time.
#[tokio::test]
async fn current_is_never_said_before_iam_has_it() {
    let mut world = World::quiet("current").await;
    world.run(&Start::permissive());
    world.iam.set_latency(Duration::from_millis(50));
    let seen = world.watch(as_spec_says);
    let specs = [
        "{}",
        "{role: {description: changed}, tags: {a: b}}",
        "{role: {maxSessionDurationSeconds: 7200, tags: {c: d}}, tags: {a: c}}",
        "{sessionLogs: {s3: {bucket: my-logs, keyPrefix: one}}, policy: {tags: {e: f}}}",
        "{sessionLogs: {s3: {bucket: my-logs, keyPrefix: two}, cloudWatch: {}}}",
        "{additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy'], instanceProfile: {tags: {g: h}}}",
        "{}",
    ];
    for spec in specs {
        world.apply("web", spec).await;
        let object = world.ready("web").await;
        assert!(as_spec_says(&object, &world.account()), "{spec}");
        seen.version(&object).await;
    }
    let versions = seen.finish().await;
    let how_often = |wanted| versions.iter().filter(|v| kstatus(v) == wanted).count();
    assert_eq!(how_often(Kstatus::Current), specs.len());
    // Once unobserved and once begun, each time.
    assert!(how_often(Kstatus::InProgress) >= 2 * specs.len());
}

#[tokio::test]
async fn every_field_that_can_change_reaches_iam() {
    let mut world = World::quiet("updates").await;
    world.run(&Start::permissive());
    let object = scenarios::every_field_that_can_change(&world).await;
    assert_eq!(object.metadata.generation, Some(18));
}

#[tokio::test]
async fn the_policy_type_changes_both_ways_without_a_moment_without_access() {
    let world = World::start("type").await;
    let name = format!("{}.web", world.namespace);
    world.apply("web", "{}").await;
    world.ready("web").await;
    let emulator = world.iam.emulator().clone();
    let role = name.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let guard = tokio::spawn(async move {
        let mut looks = 0_u32;
        while stopped.try_recv().is_err() {
            let account = emulator.snapshot();
            let held = &account.roles[&role];
            let managed = held.attached.iter().any(|arn| arn.ends_with(&role));
            assert!(
                managed || held.inline.contains_key(&role),
                "a moment without access"
            );
            looks += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        looks
    });
    scenarios::the_policy_type_changes_both_ways(&world).await;
    assert!(!guard.is_finished(), "a moment without access");
    stop.send(()).unwrap();
    assert!(guard.await.unwrap() > 1000);
}

#[tokio::test]
async fn drift_is_repaired_and_told() {
    let world = World::start("drift").await;
    scenarios::drift_is_repaired(&world).await;
    let repairs: Vec<_> = world
        .writes()
        .into_iter()
        .map(|c| c.action)
        .filter(|a| a.starts_with("Update"))
        .collect();
    assert_eq!(repairs, ["UpdateAssumeRolePolicy"]);
}

#[tokio::test]
async fn deletion_leaves_nothing() {
    let world = World::start("delete").await;
    scenarios::deletion_leaves_nothing(&world).await;
    assert!(world.account().is_empty(), "{:?}", world.account());
}

#[tokio::test]
async fn retain_leaves_everything_without_our_tags() {
    let world = World::start("retain").await;
    scenarios::retain_leaves_everything(&world).await;
    let writes: Vec<_> = world.writes().into_iter().map(|c| c.action).collect();
    let (creation, retention) = writes.split_at(5);
    assert_eq!(retention.len(), 3, "{creation:?} {retention:?}");
    assert_eq!(retention.last().map(String::as_str), Some("UntagRole"));
}

#[tokio::test]
async fn sigterm_ends_within_ten_seconds_and_well() {
    let mut world = World::start("sigterm").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    // A call that hangs must not hold it up.
    world.iam.inject(iam_emulator::Fault::new(
        "GetRole",
        100,
        iam_emulator::FaultKind::Hang,
    ));
    let request = "sessionmanager.dev/reconcile-requested-at";
    world.annotate("web", request, Some("now")).await;
    world
        .eventually("a call hangs", async || {
            world.iam.calls().iter().any(|c| c.outcome == "Hang")
        })
        .await;
    let (status, took) = world.terminate().await;
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn paused_touches_nothing_and_says_so() {
    let world = World::start("paused").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world
        .annotate("web", "sessionmanager.dev/paused", Some("true"))
        .await;
    world
        .status_of("web", "paused", |s| {
            support::is(s, "Paused", "True") && support::is(s, "Ready", "True")
        })
        .await;
    world.iam.clear_calls();
    let role = format!("{}.web", world.namespace);
    world.apply("web", "{role: {description: later}}").await;
    let object = world.apply("other", "{}").await;
    world.ready("other").await;
    assert!(object.metadata.generation.is_some());
    assert!(
        !world
            .writes()
            .iter()
            .any(|c| c.params.values().any(|v| v.ends_with(&role))),
        "a paused object was written"
    );
    let waiting = world.get("web").await.unwrap();
    assert_eq!(
        kstatus(&waiting),
        Kstatus::InProgress,
        "a change behind a pause is not Current"
    );
    world
        .annotate("web", "sessionmanager.dev/paused", None)
        .await;
    let object = world.ready("web").await;
    assert!(condition(object.status.as_ref().unwrap(), "Paused").is_none());
    assert_eq!(
        world.account().roles[&role].description.as_deref(),
        Some("later")
    );
}
