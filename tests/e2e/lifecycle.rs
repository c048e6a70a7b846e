//! The main job on real parts: create, change every field that can change, stay in sync, delete. The controller
//! is the chart's Deployment, in Pods from the image.

use crate::support::sweeps::round_trips;
use crate::support::watcher::{Kstatus, as_spec_says, kstatus};
use crate::support::{Start, World, scenarios};
use std::time::Duration;

/// How long a call takes where round trips are counted: far longer than a busy machine takes between
/// two calls that are sent at once, and shorter than the time-out of a write.
const SLOW: Duration = Duration::from_secs(2);

/// Creates an object on a slow account; actions and round trips.
async fn creation(world: &World, name: &str, spec: &str) -> (Vec<String>, usize) {
    world.iam.set_latency(SLOW);
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
    // No resync in the way of counting.
    let world = World::installed("creation", &Start::when_asked()).await;
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
        // Further policies wait for the own one: a role may not have room for all.
        let expected = if name == "additional" { 3 } else { 2 };
        assert_eq!(trips, expected, "{name}");
    }
}

#[tokio::test]
async fn all_is_there_once_it_is_ready() {
    let world = World::installed("complete", &Start::default()).await;
    scenarios::creation(&world).await;
    // IAM's own answers, which the scene has read, and the emulator's store are one.
    assert_eq!(world.seen().await, world.account());
}

#[tokio::test]
async fn ownership_is_in_the_create_calls_themselves() {
    let world = World::installed("tags", &Start::default()).await;
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
    let world = World::installed("insync", &Start::default()).await;
    world
        .apply("web", "{tags: {team: a}, sessionLogs: {cloudWatch: {}}}")
        .await;
    world.ready("web").await;
    world.another_look().await;
    world.iam.clear_calls();
    let before = world.cluster_writes();
    assert!(
        before > 0,
        "the audit log shows no write of the controller at all"
    );
    for _ in 0..3 {
        world.another_look().await;
    }
    assert_eq!(world.writes(), []);
    assert_eq!(world.cluster_writes(), before);
}

/// In every version of the object that a watch shows, while each call takes its time.
#[tokio::test]
async fn current_is_never_said_before_iam_has_it() {
    let world = World::installed("current", &Start::permissive()).await;
    world.iam.set_latency(Duration::from_millis(50));
    let seen = world.watch(as_spec_says).await;
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
    let world = World::installed("updates", &Start::permissive()).await;
    let object = scenarios::every_field_that_can_change(&world).await;
    assert_eq!(object.metadata.generation, Some(20));
}

#[tokio::test]
async fn deletion_leaves_nothing() {
    let world = World::installed("delete", &Start::default()).await;
    scenarios::deletion_leaves_nothing(&world).await;
    assert!(world.account().is_empty(), "{:?}", world.account());
}

#[tokio::test]
async fn sigterm_ends_well_though_a_call_hangs() {
    // Nothing but what is asked for is called.
    let mut world = World::quiet("sigterm").await.running(&Start::when_asked());
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.iam.inject(iam_emulator::Fault::new(
        "GetRole",
        100,
        iam_emulator::FaultKind::Hang,
    ));
    world.ask("web").await;
    let hanging = || {
        let calls = world.iam.calls().into_iter();
        calls.filter(|call| call.outcome == "Hang").count()
    };
    world
        .eventually("a call hangs", async || hanging() > 0)
        .await;
    let before = hanging();
    let (status, took) = world.terminate().await;
    assert!(status.success(), "{status}");
    let hanging = world.iam.calls().into_iter();
    let hanging = hanging.filter(|call| call.outcome == "Hang").count();
    // It is given up after its one time-out, of 5 s, and not tried again. Before Kubernetes would kill
    // the process, too, on a machine that is as busy as may be.
    assert_eq!(hanging, before, "it was tried again");
    assert!(took < Duration::from_secs(30), "{took:?}");
}
