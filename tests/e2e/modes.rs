//! What people ask for besides a role, on the real control plane and through kubectl.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::hand::{Change, On};
use crate::support::watcher::{Kstatus, kstatus};
use crate::support::{ACCOUNT, Start, World, is, modes, scenarios};
use iam_emulator::{Emulator, RoleSnapshot, Snapshot};

async fn permissive(name: &str) -> World {
    let mut world = World::unrecorded(name).await;
    world.run(&Start::permissive());
    world
}

/// Writes of the controller after a number of the log.
fn actions(world: &World, after: u64) -> Vec<String> {
    let writes = world.writes().into_iter().filter(|call| call.seq > after);
    writes.map(|call| call.action).collect()
}

fn mark(world: &World) -> u64 {
    world.iam.calls().last().map_or(0, |call| call.seq)
}

/// A first roll-out: whatever the specs say, nothing is written to AWS, at deletion neither.
#[tokio::test]
async fn with_the_flag_observe_every_object_is_observed() {
    let observing = Start::default().flag("--observe");
    let mut world = World::unrecorded("rollout").await.running(&observing);
    world.apply("web", "{}").await;
    let message = world.reason("web", "Drifted").await;
    assert!(message.contains("was missing"), "{message}");
    assert_eq!(world.get("web").await.unwrap().metadata.finalizers, None);
    assert!(world.account().is_empty());

    // Without the flag the same object becomes a role.
    world.terminate().await;
    world.run(&Start::default());
    world.ready("web").await;
    let before = world.account();
    assert!(!before.is_empty());

    world.terminate().await;
    let writes = world.writes().len();
    world.run(&observing);
    modes::change(&world, "web", &[Change::Description("x")]).await;
    let changed = world.account();
    let message = world.reason("web", "Drifted").await;
    assert!(message.contains("description"), "{message}");
    world.delete("web").await;
    world.gone("web").await;
    let event = world.event("web", "Retained").await;
    assert!(event.contains("stays as it is"), "{event}");
    assert_eq!(world.account(), changed);
    assert_eq!(world.writes().len(), writes, "{:?}", world.writes());
}

#[tokio::test]
async fn observe_tells_and_writes_nothing() {
    let world = World::start_unrecorded("observe").await;
    modes::observe_tells_and_writes_nothing(&world).await;
    // The creation, the one repair under Enforce, and nothing else, from first to last.
    let mut writes = actions(&world, 0);
    writes.sort();
    let expected = [
        "AddRoleToInstanceProfile",
        "AttachRolePolicy",
        "CreateInstanceProfile",
        "CreatePolicy",
        "CreateRole",
        "UpdateRole",
    ];
    assert_eq!(writes, expected);
    // What is told again at each look is counted once.
    let metrics = world.metrics().await;
    let counted = r#"smr_drift_total{field="maxSessionDurationSeconds",object="Role"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_pause_holds_everything() {
    let world = World::start_unrecorded("paused").await;
    modes::a_pause_holds_everything(&world).await;
}

#[tokio::test]
async fn a_change_behind_a_pause_is_in_progress_and_iam_is_not_even_read() {
    let world = World::start_unrecorded("pausedread").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world
        .annotate("web", "sessionmanager.dev/paused", Some("true"))
        .await;
    world
        .status_of("web", "paused", |s| is(s, "Paused", "True"))
        .await;
    let since = mark(&world);
    world.apply("web", "{role: {description: later}}").await;
    world.apply("other", "{}").await;
    world.ready("other").await;
    world.another_look().await;
    let name = format!("{}.web", world.namespace);
    let about = |call: &iam_emulator::Call| call.params.values().any(|v| v.ends_with(&name));
    let calls = world.iam.calls_since(since);
    assert!(!calls.is_empty() && !calls.iter().any(about), "{calls:?}");
    let waiting = world.get("web").await.unwrap();
    assert_eq!(kstatus(&waiting), Kstatus::InProgress);
}

#[tokio::test]
async fn a_request_is_answered_at_once() {
    let mut world = World::unrecorded("request").await;
    world.run(&Start::when_asked());
    world.apply("good", "{}").await;
    world.ready("good").await;
    world.apply("stalled", "{path: /elsewhere/}").await;
    world.reason("stalled", "InvalidSpec").await;
    for name in ["good", "stalled"] {
        let since = mark(&world);
        world.looked_at(name).await;
        let looked = world
            .iam
            .calls_since(since)
            .iter()
            .any(|c| c.action == "GetRole");
        assert_eq!(looked, name == "good");
    }
    let annotation = "sessionmanager.dev/reconcile-requested-at=by hand";
    world
        .kubectl(&["annotate", "smr", "stalled", "--overwrite", annotation])
        .await;
    world
        .status_of("stalled", "looked at", |s| {
            s.last_handled_reconcile_at.as_deref() == Some("by hand")
        })
        .await;
}

#[tokio::test]
async fn retain_leaves_everything_without_our_tags() {
    let world = World::start_unrecorded("retain").await;
    scenarios::retain_leaves_everything(&world).await;
    let writes: Vec<_> = world.writes().into_iter().map(|c| c.action).collect();
    let (creation, retention) = writes.split_at(5);
    // What it was of, on each of the three, and then our tags off.
    assert_eq!(retention.len(), 6, "{creation:?} {retention:?}");
    assert_eq!(retention.last().map(String::as_str), Some("UntagRole"));
}

#[tokio::test]
async fn what_is_in_use_is_deleted_once_it_is_unused() {
    let world = World::start_unrecorded("unused").await;
    world.apply("web", "{deletionPolicy: DeleteUnused}").await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let hours_ago = |hours: u64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(now.as_secs() - hours * 3600).unwrap()
    };
    assert!(world.iam.set_last_used(&name, hours_ago(23)));
    let before = world.account();
    world
        .kubectl(&["delete", "smr", "web", "--wait=false"])
        .await;
    let message = world.reason("web", "DeletionBlocked").await;
    let words = [
        "was used within the last 24 hours",
        "spec.deletionPolicy to Delete",
        &name,
    ];
    for word in words {
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(world.event("web", "DeletionBlocked").await, message);
    assert_eq!(world.account(), before, "something is half deleted");
    assert!(world.iam.set_last_used(&name, hours_ago(25)));
    world.ask("web").await;
    world.gone("web").await;
    assert!(world.account().is_empty());

    // One that was never used goes at once, and one in use where spec says Delete.
    world.apply("never", "{deletionPolicy: DeleteUnused}").await;
    world.apply("delete", "{}").await;
    for name in ["never", "delete"] {
        world.ready(name).await;
    }
    let used = format!("{}.delete", world.namespace);
    assert!(world.iam.set_last_used(&used, hours_ago(0)));
    world
        .kubectl(&["delete", "smr", "--all", "--timeout=180s"])
        .await;
    assert!(world.account().is_empty());
}

#[tokio::test]
async fn unlisted_policies_are_told_or_removed() {
    let world = World::start_unrecorded("unlisted").await;
    modes::unlisted_policies_are_told_or_removed(&world).await;
    let removals: Vec<String> = (actions(&world, 0).into_iter())
        .filter(|action| action.starts_with("De"))
        .collect();
    assert_eq!(removals.len(), 2, "{removals:?}");
}

#[tokio::test]
async fn additional_policies_come_and_go() {
    let world = permissive("additional").await;
    modes::additional_policies_come_and_go(&world).await;
    let mut writes = actions(&world, 0).split_off(5);
    writes.sort();
    assert_eq!(writes, ["AttachRolePolicy", "DetachRolePolicy"]);
}

#[tokio::test]
async fn hybrid_regions_narrow_the_trust() {
    let world = World::start_unrecorded("regions").await;
    modes::hybrid_regions_narrow_the_trust(&world).await;
}

#[tokio::test]
async fn a_boundary_is_spec_s_or_the_operators_and_never_removed() {
    let mut world = World::unrecorded("boundary").await;
    let name = format!("{}.web", world.namespace);
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:policy/{name}");
    for name in ["cap", "other"] {
        let create = world.someone().create_policy().policy_name(name);
        let create = create.policy_document(crate::support::iam::READ_S3);
        create.send().await.unwrap();
    }
    let spec = |name: &str| format!(r#"{{"role":{{"permissionsBoundaryArn":"{}"}}}}"#, arn(name));
    // Not managed: one that someone puts on stays.
    world.run(&Start::default());
    world.apply("web", "{}").await;
    world.ready("web").await;
    assert_eq!(world.account().roles[&name].boundary, None);
    modes::change(
        &world,
        "web",
        &[Change::Boundary("arn:aws:iam::ACCOUNT:policy/other")],
    )
    .await;
    world.looked_at("web").await;
    assert_eq!(world.account().roles[&name].boundary, Some(arn("other")));
    // Asked for, and no longer: it stays.
    world.patch("web", &spec("cap")).await;
    world.ready("web").await;
    assert_eq!(world.account().roles[&name].boundary, Some(arn("cap")));
    world.patch("web", r#"{"role":null}"#).await;
    world.ready("web").await;
    assert_eq!(world.account().roles[&name].boundary, Some(arn("cap")));
    world.patch("web", &spec("other")).await;
    world.ready("web").await;
    world.kill().await;
    // The operator's: any other value is refused, and the same is not.
    let flag = format!("--permissions-boundary-arn={}", arn("cap"));
    world.run(&Start::default().flag(&flag));
    let message = world.reason("web", "InvalidSpec").await;
    assert!(
        message.contains("spec.role.permissionsBoundaryArn"),
        "{message}"
    );
    assert!(message.contains(&arn("cap")), "{message}");
    assert_eq!(world.account().roles[&name].boundary, Some(arn("other")));
    for good in [spec("cap"), r#"{"role":null}"#.to_owned()] {
        world.patch("web", &good).await;
        world.ready("web").await;
        assert_eq!(world.account().roles[&name].boundary, Some(arn("cap")));
    }
    let never = "DeleteRolePermissionsBoundary".to_owned();
    assert!(!actions(&world, 0).contains(&never));
}

/// What each call about tags of one object says: tags set, keys taken.
fn tag_calls(world: &World, after: u64) -> Vec<String> {
    let calls = world.writes().into_iter().filter(|call| call.seq > after);
    let mut all: Vec<String> = calls
        .map(|call| {
            let mut words = vec![call.action.clone()];
            for (key, value) in &call.params {
                if let Some(place) = key.strip_suffix(".Key") {
                    words.push(format!(
                        "{value}={}",
                        call.params[&format!("{place}.Value")]
                    ));
                } else if key.starts_with("TagKeys") {
                    words.push(value.clone());
                }
            }
            words.join(" ")
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn tags_come_change_and_go_without_a_moment_without() {
    let mut world = World::unrecorded("tags").await;
    world.run(&Start::default().flag("--tag=cost=center"));
    let name = format!("{}.web", world.namespace);
    world
        .apply("web", "{tags: {team: a}, role: {tags: {only: role}}}")
        .await;
    world.ready("web").await;
    modes::change(
        &world,
        "web",
        &[
            Change::Tag(On::Role, "theirs", "x"),
            Change::Tag(On::Policy, "team2", "x"),
        ],
    )
    .await;
    let own = |tags: &BTreeMap<String, String>| {
        let mut tags = tags.clone();
        tags.retain(|key, _| !key.starts_with("sessionmanager.dev/"));
        serde_json::to_string(&tags).unwrap()
    };
    let steps = [
        // A changed value is one call that sets it: never a moment without the tag.
        (
            r#"{"tags":{"team":"b"}}"#,
            vec![
                "TagInstanceProfile team=b",
                "TagPolicy team=b",
                "TagRole team=b",
            ],
            r#"{"cost":"center","only":"role","team":"b","theirs":"x"}"#,
        ),
        // That of the one object wins.
        (
            r#"{"role":{"tags":{"team":"c"}}}"#,
            vec!["TagRole team=c"],
            r#"{"cost":"center","only":"role","team":"c","theirs":"x"}"#,
        ),
        (
            r#"{"role":{"tags":{"team":null,"only":null,"new":"n"}}}"#,
            vec!["TagRole new=n team=b", "UntagRole only"],
            r#"{"cost":"center","new":"n","team":"b","theirs":"x"}"#,
        ),
        (
            r#"{"tags":null,"role":null}"#,
            vec![
                "UntagInstanceProfile team",
                "UntagPolicy team",
                "UntagRole new team",
            ],
            r#"{"cost":"center","theirs":"x"}"#,
        ),
    ];
    for (patch, writes, role) in steps {
        let since = mark(&world);
        world.patch("web", patch).await;
        world.ready("web").await;
        assert_eq!(tag_calls(&world, since), writes, "{patch}");
        assert_eq!(own(&world.account().roles[&name].tags), role, "{patch}");
    }
    let account = world.account();
    assert_eq!(
        own(&account.policies[&name].tags),
        r#"{"cost":"center","team2":"x"}"#
    );
    // The operator's can't be overridden.
    world.patch("web", r#"{"tags":{"cost":"mine"}}"#).await;
    let message = world.reason("web", "InvalidSpec").await;
    assert!(
        message.contains(
            "the tag cost is set by the operator (--tag cost=center): remove it from spec"
        ),
        "{message}"
    );
}

/// Whether the role can open a session, as IAM would evaluate it, whichever part of IAM has heard
/// of our last writes and whichever is behind by the lag.
fn can_work(name: &str, views: &[Snapshot; 2]) -> bool {
    let allows = |document: &str| document.contains("ssmmessages:OpenDataChannel");
    let role = |view: &Snapshot, has: &dyn Fn(&RoleSnapshot) -> bool| {
        view.roles.get(name).is_some_and(has)
    };
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/session-manager/{name}");
    let attached = |view| role(view, &|role| role.attached.contains(&arn));
    let policy = |view: &Snapshot| view.policies.get(name).is_some_and(|p| allows(&p.document));
    let inline = |view| {
        role(view, &|role| {
            role.inline.get(name).is_some_and(|d| allows(d))
        })
    };
    views.iter().all(|one| {
        views.iter().all(|other| {
            views
                .iter()
                .all(|third| (attached(one) && policy(other)) || inline(third))
        })
    })
}

/// Looks all the time; panics at a moment without access. Stopped by the sender it gives back.
fn guard(
    emulator: Emulator,
    name: String,
) -> (
    tokio::sync::oneshot::Sender<()>,
    tokio::task::JoinHandle<usize>,
) {
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let mut looks = 0;
        while stopped.try_recv().is_err() {
            let views = [emulator.snapshot(), emulator.seen()];
            assert!(
                can_work(&name, &views),
                "a moment without access: {views:?}"
            );
            looks += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        looks
    });
    (stop, task)
}

#[tokio::test]
async fn the_policy_type_changes_both_ways_without_a_moment_without_access() {
    let mut world = World::unrecorded("type").await;
    world.iam.set_lag(Duration::from_secs(10));
    world.run(&Start::default());
    let name = format!("{}.web", world.namespace);
    world.apply("web", "{}").await;
    world.ready("web").await;
    let spread = async || {
        world
            .eventually("IAM has spread all of it", async || {
                world.iam.seen() == world.account()
            })
            .await;
    };
    spread().await;
    let (stop, guard) = guard(world.iam.emulator().clone(), name.clone());
    world.patch("web", r#"{"policy":{"type":"Inline"}}"#).await;
    world.ready("web").await;
    spread().await;
    let account = world.account();
    assert!(account.policies.is_empty() && account.roles[&name].inline.contains_key(&name));
    world.patch("web", r#"{"policy":{"type":"Managed"}}"#).await;
    world.ready("web").await;
    spread().await;
    let account = world.account();
    assert!(account.policies.contains_key(&name) && account.roles[&name].inline.is_empty());
    assert!(
        !guard.is_finished(),
        "a moment without access: {:?}",
        guard.await
    );
    stop.send(()).unwrap();
    let writes = world.writes().len();
    let looks = guard.await.unwrap();
    assert!(looks > writes, "{looks} looks beside {writes} writes");
    // The change is an edit, and no drift.
    let status = world.get("web").await.unwrap().status.unwrap();
    assert_eq!(status.last_drift, None);
}
