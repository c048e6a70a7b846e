//! Convergence from every crash, lost reply and stale reading.

use std::time::Duration;

use crate::support::iam::shape;
use crate::support::{Start, World};
use futures::future::join_all;
use iam_emulator::{Fault, FaultKind};

const CREATING: [&str; 5] = [
    "CreatePolicy",
    "CreateRole",
    "CreateInstanceProfile",
    "AttachRolePolicy",
    "AddRoleToInstanceProfile",
];

/// What an undisturbed creation leaves in IAM, for the object `web` of any world.
async fn undisturbed() -> serde_json::Value {
    let world = World::start("calm").await;
    world.apply("web", SPEC).await;
    world.ready("web").await;
    renamed(&world)
}

fn renamed(world: &World) -> serde_json::Value {
    serde_json::from_str(
        &shape(&world.account())
            .to_string()
            .replace(&world.namespace, "ns"),
    )
    .unwrap()
}

const SPEC: &str = "{tags: {team: a}, sessionLogs: {s3: {bucket: my-logs}}}";

#[tokio::test]
async fn a_reply_lost_after_its_effect_does_no_harm() {
    let expected = undisturbed().await;
    for action in CREATING {
        let world = World::start("lost").await;
        world
            .iam
            .inject(Fault::new(action, 1, FaultKind::LostReply));
        world.apply("web", SPEC).await;
        world.ready("web").await;
        assert!(
            world.iam.calls().iter().any(|c| c.outcome == "LostReply"),
            "{action}: no reply was lost"
        );
        assert_eq!(renamed(&world), expected, "{action}");
        let account = world.account();
        assert!(
            account.policies.values().all(|p| p.versions.len() == 1),
            "{action}: a version too many"
        );
    }
}

/// Kills the controller when the `action` has had its effect and before its reply, starts another,
/// and waits until `done`.
async fn killed_after(
    world: &mut World,
    action: &str,
    begin: impl AsyncFnOnce(&World),
    done: impl AsyncFnOnce(&World),
) {
    world.iam.clear_calls();
    world
        .iam
        .inject(Fault::new(action, 1, FaultKind::HangAfterEffect));
    begin(world).await;
    world
        .eventually(&format!("{action} has had its effect"), async || {
            world
                .iam
                .calls()
                .iter()
                .any(|c| c.outcome == "HangAfterEffect")
        })
        .await;
    world.kill().await;
    world.iam.clear_faults();
    world.run(&Start::default());
    done(world).await;
}

#[tokio::test]
async fn killed_after_each_step_of_a_creation_it_converges() {
    let expected = undisturbed().await;
    for action in CREATING {
        let mut world = World::start("killed").await;
        let begin = async |world: &World| {
            world.apply("web", SPEC).await;
        };
        let done = async |world: &World| {
            world.ready("web").await;
        };
        killed_after(&mut world, action, begin, done).await;
        assert_eq!(renamed(&world), expected, "{action}");
        world.delete("web").await;
        world.gone("web").await;
        assert!(world.account().is_empty(), "{action}");
    }
}

#[tokio::test]
async fn killed_after_each_step_of_an_update_it_converges() {
    let expected = undisturbed().await;
    let before =
        "{tags: {team: z, gone: x}, role: {description: old, maxSessionDurationSeconds: 7200}}";
    for action in [
        "CreatePolicyVersion",
        "UpdateRole",
        "TagRole",
        "TagPolicy",
        "UntagInstanceProfile",
    ] {
        let mut world = World::start("killedupdate").await;
        world.apply("web", before).await;
        world.ready("web").await;
        let begin = async |world: &World| {
            world.apply("web", SPEC).await;
        };
        let done = async |world: &World| {
            world.ready("web").await;
        };
        killed_after(&mut world, action, begin, done).await;
        assert_eq!(renamed(&world), expected, "{action}");
    }
}

#[tokio::test]
async fn killed_after_each_step_of_a_re_creation_it_converges() {
    let expected = undisturbed().await;
    // Beside each other: each waits until the role's absence can't be a late reading any more.
    let actions = ["CreateRole", "AttachRolePolicy", "AddRoleToInstanceProfile"];
    join_all(actions.map(|action| killed_in_a_re_creation(action, &expected))).await;
}

async fn killed_in_a_re_creation(action: &str, expected: &serde_json::Value) {
    let mut world = World::start("recreate").await;
    world.apply("web", SPEC).await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let begin = async |world: &World| {
        // Someone deletes the role; the controller may begin to mend between the calls.
        let someone = world.someone();
        let arn = world.account().policies[&name].arn.clone();
        world
            .annotate("web", "sessionmanager.dev/paused", Some("true"))
            .await;
        world
            .status_of("web", "paused", |s| crate::support::is(s, "Paused", "True"))
            .await;
        someone
            .remove_role_from_instance_profile()
            .instance_profile_name(&name)
            .role_name(&name)
            .send()
            .await
            .unwrap();
        someone
            .detach_role_policy()
            .role_name(&name)
            .policy_arn(arn)
            .send()
            .await
            .unwrap();
        someone.delete_role().role_name(&name).send().await.unwrap();
        world
            .annotate("web", "sessionmanager.dev/paused", None)
            .await;
    };
    let done = async |world: &World| {
        let id = world.account().roles.get(&name).map(|r| r.id.clone());
        world
            .status_of("web", "Ready with the new id", |s| {
                crate::support::is(s, "Ready", "True")
                    && id.is_some()
                    && s.role.as_ref().map(|r| r.id.clone()) == id
            })
            .await;
    };
    killed_after(&mut world, action, begin, done).await;
    assert_eq!(&renamed(&world), expected, "{action}");
}

#[tokio::test]
async fn killed_after_each_step_of_a_deletion_nothing_is_left() {
    let actions = [
        "RemoveRoleFromInstanceProfile",
        "DetachRolePolicy",
        "DeleteInstanceProfile",
        "DeleteRole",
        "DeletePolicy",
    ];
    join_all(actions.map(killed_in_a_deletion)).await;
}

async fn killed_in_a_deletion(action: &str) {
    let mut world = World::start("killeddelete").await;
    world.apply("web", SPEC).await;
    world.ready("web").await;
    let begin = async |world: &World| world.delete("web").await;
    let done = async |world: &World| world.gone("web").await;
    killed_after(&mut world, action, begin, done).await;
    let left = world.account();
    assert!(left.is_empty(), "{action}: {left:?}");
}

#[tokio::test]
async fn throttling_errors_and_hanging_calls_are_outlasted() {
    let world = World::start("faults").await;
    for (action, count, kind) in [
        ("CreateRole", 2, FaultKind::Throttle),
        ("CreatePolicy", 2, FaultKind::ServiceFailure),
        ("CreateInstanceProfile", 1, FaultKind::Hang),
        ("AttachRolePolicy", 1, FaultKind::HangAfterEffect),
    ] {
        world.iam.inject(Fault::new(action, count, kind));
    }
    world.iam.inject(Fault::new(
        "AddRoleToInstanceProfile",
        1,
        FaultKind::updates_awaiting_replication(),
    ));
    world.apply("web", SPEC).await;
    world.ready("web").await;
    assert_eq!(renamed(&world), undisturbed().await);
}

/// A write lag of 10 s: what was written is not seen for so long.
#[tokio::test]
async fn a_lag_of_ten_seconds_is_no_drift_and_nobody_elses() {
    let mut world = World::quiet("lag").await;
    world.iam.set_lag(Duration::from_secs(10));
    let start = Start::default();
    world.run(&start);
    let seen = world.watch(|_, _| true).await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.apply("web", SPEC).await;
    world.ready("web").await;
    // Killed and started anew within the lag: nothing is remembered, and nothing is misjudged.
    world.kill().await;
    world.run(&start);
    let begun = world.iam.calls().last().map_or(0, |c| c.started_ms);
    world
        .eventually("the lag has passed twice", async || {
            world
                .iam
                .calls()
                .last()
                .is_some_and(|c| c.started_ms > begun + 20_000)
        })
        .await;
    world.ready("web").await;
    let versions = seen.finish().await;
    for version in &versions {
        let status = version.status.clone().unwrap_or_default();
        assert!(
            status.drift.is_empty() && status.last_drift.is_none(),
            "false drift: {status:?}"
        );
        let bad = status.conditions.iter().find(|c| {
            ["NotOwned", "Replaced", "Repairing", "AccessDenied"].contains(&c.reason.as_str())
        });
        assert_eq!(bad, None);
    }
    assert_eq!(renamed(&world), undisturbed().await);
    let creates = world
        .writes()
        .into_iter()
        .filter(|c| c.action.starts_with("Create") && c.outcome == "ok")
        .count();
    assert_eq!(creates, 4, "three objects and one version");
    // Deleted right after a change, while readings are still of before.
    world.apply("late", "{}").await;
    world.ready("late").await;
    world.delete("late").await;
    world.delete("web").await;
    world.gone("late").await;
    world.gone("web").await;
    assert!(world.account().is_empty(), "{:?}", world.account());
}
