//! IAM's delay, on reads and on the effect of writes, with the flags that are shipped: what it delays,
//! and that it changes nothing in the end.

use std::time::Duration;

use futures::future::join_all;
use iam_emulator::{Fault, FaultKind};
use serde_json::Value;

use crate::support::{KEY, Start, World, condition, is};

const REQUEST: &str = "sessionmanager.dev/reconcile-requested-at";
/// For so long a refusal lasts; the last one outlasts the minute in which a write explains it.
const LASTS: [(&str, u64); 4] = [("two", 2), ("ten", 10), ("forty", 40), ("ever", 100_000)];

fn conflict() -> FaultKind {
    FaultKind::Error {
        status: 409,
        code: "DeleteConflict".to_owned(),
        message: "Cannot delete entity, must detach all policies first.".to_owned(),
    }
}

fn exists(name: &str) -> FaultKind {
    FaultKind::Error {
        status: 409,
        code: "EntityAlreadyExists".to_owned(),
        message: format!("Role with name {name} already exists."),
    }
}

/// How long after the end of a refusal that lasted `seconds` the call succeeded, as IAM's log has it.
fn delay_after(world: &World, action: &str, role: &str, seconds: u64) -> Duration {
    let calls = world.iam.calls();
    let of_role = |call: &&iam_emulator::Call| {
        call.action == action
            && call.access_key_id == KEY
            && call.params.get("RoleName").is_some_and(|name| name == role)
    };
    let refusals = ["DeleteConflict", "EntityAlreadyExists"];
    let first = calls
        .iter()
        .filter(of_role)
        .find(|c| refusals.contains(&c.outcome.as_str()));
    let begun = first
        .unwrap_or_else(|| panic!("{role}: never refused"))
        .started_ms;
    let done = calls
        .iter()
        .filter(of_role)
        .rev()
        .find(|call| call.outcome == "ok");
    let done = done
        .unwrap_or_else(|| panic!("{role}: never done"))
        .started_ms;
    Duration::from_millis(done.saturating_sub(begun + seconds * 1000))
}

/// A world in which an object of each name has converged.
async fn converged(world: &str) -> World {
    let world = World::quiet(world).await.running(&Start::default());
    for (name, _) in LASTS {
        world.apply(name, "{}").await;
    }
    for (name, _) in LASTS {
        world.ready(name).await;
    }
    world
}

/// Work in progress that names AWS's error code, and not the error's whole text.
async fn is_shown(world: &World, name: &str, code: &str) {
    world
        .status_of(name, "refused, and work in progress", |status| {
            is(status, "Reconciling", "True")
                && condition(status, "Ready")
                    .is_some_and(|c| c.message.contains(&format!("AWS answered {code}.")))
        })
        .await;
}

#[tokio::test]
async fn a_delete_conflict_after_an_own_detach_is_waited_out() {
    let world = converged("conflict").await;
    for (name, seconds) in LASTS {
        let lasts = Duration::from_secs(seconds);
        let fault = Fault::new("DeleteRole", 1, conflict()).lasting(lasts);
        world
            .iam
            .inject(fault.named(format!("{}.{name}", world.namespace)));
    }
    join_all(LASTS.map(|(name, _)| world.delete(name))).await;
    is_shown(&world, "forty", "DeleteConflict").await;
    for (name, seconds) in &LASTS[..3] {
        world.gone(name).await;
        let role = format!("{}.{name}", world.namespace);
        let delay = delay_after(&world, "DeleteRole", &role, *seconds);
        println!("DeleteConflict for {seconds} s: deleted {delay:?} after its end");
    }
    let message = world.reason("ever", "DeletionBlocked").await;
    assert!(
        message.contains("must detach all policies first"),
        "{message}"
    );
    world.iam.clear_faults();
    world.annotate("ever", REQUEST, Some("it is free")).await;
    world.gone("ever").await;
    world.nothing_left().await;
}

#[tokio::test]
async fn a_name_that_was_just_freed_is_waited_for() {
    let world = converged("freed").await;
    for (name, seconds) in LASTS {
        world.delete(name).await;
        world.gone(name).await;
        let role = format!("{}.{name}", world.namespace);
        let lasts = Duration::from_secs(seconds);
        let fault = Fault::new("CreateRole", 1, exists(&role)).lasting(lasts);
        world.iam.inject(fault.named(role));
        world.apply(name, "{}").await;
    }
    is_shown(&world, "ever", "EntityAlreadyExists").await;
    for (name, seconds) in &LASTS[..3] {
        world.ready(name).await;
        let role = format!("{}.{name}", world.namespace);
        let delay = delay_after(&world, "CreateRole", &role, *seconds);
        println!("EntityAlreadyExists for {seconds} s: created {delay:?} after its end");
    }
    let message = world.reason("ever", "NotOwned").await;
    assert!(message.contains("already exists"), "{message}");
    assert!(message.contains("under any path"), "{message}");
    world.iam.clear_faults();
    world.annotate("ever", REQUEST, Some("it is free")).await;
    world.ready("ever").await;
}

/// IAM answers as it was a moment ago, to reads and to writes.
async fn late(name: &str, seconds: u64) -> World {
    let mut world = World::quiet(name).await;
    let lag = Duration::from_secs(seconds);
    world.iam.set_lag(lag);
    world.iam.set_write_lag(lag);
    world.run(&Start::default());
    world
}

/// Nobody was told that something is not the controller's own.
async fn nothing_foreign(world: &World, name: &str) {
    for (reason, note) in world.events(name).await {
        let foreign = ["NotOwned", "Replaced", "Released", "DeletionBlocked"];
        assert!(
            !foreign.contains(&reason.as_str()),
            "{name}: {reason}: {note}"
        );
    }
}

#[tokio::test]
async fn what_was_made_anew_is_deleted_within_the_delay() {
    let world = late("anew", 5).await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.delete("web").await;
    world.gone("web").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.delete("web").await;
    world.gone("web").await;
    assert!(world.account().is_empty(), "{:?}", world.account());
    nothing_foreign(&world, "web").await;
}

#[tokio::test]
async fn what_was_made_anew_is_edited_within_the_delay() {
    let world = late("edited", 5).await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.delete("web").await;
    world.gone("web").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.apply("web", "{tags: {team: a}}").await;
    world.ready("web").await;
    let role = world.account().roles[&format!("{}.web", world.namespace)].clone();
    assert_eq!(role.tags["team"], "a");
    nothing_foreign(&world, "web").await;
}

#[tokio::test]
async fn a_renamed_object_takes_over_the_name_that_the_old_one_frees() {
    let mut world = World::unrecorded("renamed").await;
    world.run(&Start::default());
    let spec = "{role: {name: fleet}}";
    world.apply("old", spec).await;
    world.ready("old").await;
    world.apply("new", spec).await;
    world.reason("new", "NotOwned").await;
    world.delete("old").await;
    world.gone("old").await;
    let freed = world.iam.last_call();
    world.ready("new").await;
    let account = world.account();
    let tags = &account.roles["fleet"].tags;
    assert_eq!(
        tags["sessionmanager.dev/owner"],
        format!("{}/new", world.namespace)
    );
    // At once, not at the next slow retry: its first pass begins with what the deletion ended with.
    let calls = world.iam.calls_since(freed);
    let ended = calls
        .iter()
        .filter_map(|call| call.ended_ms)
        .max()
        .unwrap_or_default();
    let begun = calls.first().map_or(ended, |call| call.started_ms);
    println!(
        "renamed: Ready {} ms after the old object was gone",
        ended - begun
    );
}

/// Not Ready for over a minute, created in IAM a moment before a crash, deleted straight after the
/// restart, while IAM does not show it yet: nothing is left behind.
#[tokio::test]
async fn what_an_earlier_process_created_a_moment_ago_is_deleted() {
    let mut world = World::quiet("orphan").await;
    world.iam.set_lag(Duration::from_secs(15));
    for action in ["CreateRole", "CreatePolicy", "CreateInstanceProfile"] {
        let fault = Fault::new(action, 1, FaultKind::ServiceFailure);
        world.iam.inject(fault.lasting(Duration::from_secs(62)));
    }
    world.run(&Start::default());
    world.apply("web", "{}").await;
    world.reason("web", "AwsUnavailable").await;
    let role = format!("{}.web", world.namespace);
    world
        .eventually("the role is created", async || {
            world.account().roles.contains_key(&role)
        })
        .await;
    world.kill().await;
    world.run(&Start::default());
    world.delete("web").await;
    world.gone("web").await;
    assert!(world.account().is_empty(), "{:?}", world.account());
}

/// Adopted under another path and in another case, in one pass: nothing is tried where it is not.
#[tokio::test]
async fn adoption_under_another_path_takes_one_pass() {
    use crate::support::iam::{LAMBDA_TRUST, tag};
    let mut world = World::unrecorded("elsewhere").await;
    let consent = format!("test/{}/web", world.namespace);
    let name = format!("{}.WEB", world.namespace);
    let create = world
        .someone()
        .create_role()
        .path("/legacy/")
        .role_name(&name);
    create
        .assume_role_policy_document(LAMBDA_TRUST)
        .tags(tag("sessionmanager.dev/adoptable-by", &consent))
        .send()
        .await
        .unwrap();
    world.run(&Start::default().flag("--allow-path=/legacy/"));
    world.apply("web", "{adoptionPolicy: WithConsent}").await;
    let status = world.ready("web").await.status.unwrap();
    assert_eq!(
        status.role.unwrap().arn,
        format!("arn:aws:iam::111122223333:role/legacy/{name}")
    );
    assert!(
        status
            .policy
            .unwrap()
            .arn
            .unwrap()
            .contains(":policy/legacy/")
    );
    let calls = world.iam.calls();
    let failed = calls.iter().filter(|c| {
        c.access_key_id == KEY
            && c.write
            && !["ok", "EntityAlreadyExists"].contains(&c.outcome.as_str())
    });
    assert_eq!(failed.count(), 0);
}

/// What someone does to an object, one after the other, each as soon as the one before is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Create,
    Edit,
    Delete,
    Replace,
}

const DEEDS: [Deed; 4] = [Deed::Create, Deed::Edit, Deed::Delete, Deed::Replace];

impl Deed {
    /// Does it, and waits until it is done.
    async fn play(self, world: &World, name: &str) {
        let exists = world.get(name).await.is_some();
        match self {
            Self::Create => drop(world.apply(name, "{tags: {team: a}}").await),
            Self::Edit => drop(
                world
                    .apply(name, "{tags: {team: b}, sessionLogs: {cloudWatch: {}}}")
                    .await,
            ),
            Self::Delete => {
                if exists {
                    world.delete(name).await;
                }
                world.gone(name).await;
                return;
            }
            // `kubectl replace --force`.
            Self::Replace => {
                if exists {
                    world.delete(name).await;
                    world.gone(name).await;
                }
                world.apply(name, "{tags: {team: c}}").await;
            }
        }
        world.ready(name).await;
    }
}

/// The account without what differs in any two runs.
fn comparable(world: &World) -> Value {
    let text = serde_json::to_string(&world.account()).unwrap();
    let mut account: Value = serde_json::from_str(&text.replace(&world.namespace, "NS")).unwrap();
    for kind in ["roles", "policies", "instance_profiles"] {
        for object in account[kind].as_object_mut().unwrap().values_mut() {
            object["id"] = Value::Null;
            object["tags"]["sessionmanager.dev/uid"] = Value::Null;
            if let Some(versions) = object.get_mut("versions") {
                *versions = Value::Null;
                object["default_version"] = Value::Null;
            }
        }
    }
    account
}

/// Every order of three deeds, each on an object of its own.
async fn every_order(world: &World) -> Value {
    let orders = DEEDS.iter().flat_map(|a| {
        DEEDS
            .iter()
            .flat_map(move |b| DEEDS.iter().map(move |c| [*a, *b, *c]))
    });
    let played = orders.map(async |order| {
        let name = format!("{order:?}")
            .to_lowercase()
            .replace(['[', ']', ' '], "")
            .replace(',', "-");
        for deed in order {
            deed.play(world, &name).await;
        }
        nothing_foreign(world, &name).await;
    });
    join_all(played).await;
    comparable(world)
}

/// Some ten minutes: `make propagation`.
#[tokio::test]
#[ignore = "make propagation"]
async fn every_order_of_three_deeds_ends_as_without_a_delay() {
    let mut world = World::quiet("orders").await;
    world.run(&Start::default().flag("--iam-requests-per-second=100"));
    let expected = every_order(&world).await;
    world.kill().await;
    for seconds in [2, 5, 15] {
        let mut world = World::quiet("orders").await;
        let lag = Duration::from_secs(seconds);
        world.iam.set_lag(lag);
        world.iam.set_write_lag(lag);
        world.run(&Start::default().flag("--iam-requests-per-second=100"));
        assert_eq!(every_order(&world).await, expected, "{seconds} s");
    }
}
