//! What people ask for by annotations and labels: a request for a look, a pause, and objects that the
//! controller's selector does not match any more.

use std::collections::BTreeSet;

use iam_emulator::{Fault, FaultKind};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use smr_api::{PAUSED_ANNOTATION, RECONCILE_ANNOTATION};

use crate::support::{Start, World, condition, is};

/// A call takes so long that a person can do something meanwhile, on a busy machine too: the test
/// waits until the call is under way.
const SLOW: FaultKind = FaultKind::Slow { ms: 4_000 };

/// Waits until a call of this action is under way.
async fn under_way(world: &World, action: &str) {
    let what = format!("{action} is under way");
    let is_called = async || world.iam.counts().contains_key(action);
    world.eventually(&what, is_called).await;
}

fn actions(world: &World) -> BTreeSet<String> {
    world.writes().into_iter().map(|call| call.action).collect()
}

/// Whoever waits for the answer to a request and then reads Ready must not read what was there before.
#[tokio::test]
async fn a_request_in_the_course_of_a_pass_is_answered_by_the_next_one() {
    let mut world = World::quiet("request").await;
    let seen = world.record(|_| {}).await;
    world.run(&Start::when_asked());
    world.iam.inject(Fault::new("AttachRolePolicy", 1, SLOW));
    // No pass after the first can read the role.
    world
        .iam
        .inject(Fault::new("GetRole", 1000, FaultKind::AccessDenied));
    world.apply("web", "{}").await;
    under_way(&world, "AttachRolePolicy").await;
    world
        .annotate("web", RECONCILE_ANNOTATION, Some("one"))
        .await;
    let answered = |status: &smr_api::SessionManagerRoleStatus| {
        status.last_handled_reconcile_at.as_deref() == Some("one")
    };
    let object = world.status_of("web", "answered", answered).await;
    seen.version(&object).await;
    let versions = seen.finish().await;
    let statuses: Vec<_> = versions.iter().filter_map(|v| v.status.as_ref()).collect();
    assert!(
        statuses.iter().any(|s| is(s, "Ready", "True")),
        "the first pass"
    );
    let wrong = statuses
        .iter()
        .find(|s| answered(s) && is(s, "Ready", "True"));
    assert!(wrong.is_none(), "{wrong:?}");
}

/// A pause ends a pass before its next stage of writes.
#[tokio::test]
async fn a_pause_in_the_course_of_a_pass_stops_the_writes_to_come() {
    let mut world = World::quiet("pausing").await;
    world.run(&Start::when_asked());
    world.iam.inject(Fault::new("CreateRole", 1, SLOW));
    world.apply("web", "{}").await;
    under_way(&world, "CreateRole").await;
    world.annotate("web", PAUSED_ANNOTATION, Some("true")).await;
    world
        .eventually("it is paused", async || {
            let object = world.get("web").await.unwrap();
            object.status.is_some_and(|s| is(&s, "Paused", "True"))
        })
        .await;
    let writes: BTreeSet<String> = actions(&world);
    assert_eq!(
        writes.iter().collect::<Vec<_>>(),
        ["CreateInstanceProfile", "CreatePolicy", "CreateRole"]
    );
    world.annotate("web", PAUSED_ANNOTATION, None).await;
    world.ready("web").await;
    assert_eq!(world.writes().len(), 5, "{:?}", world.writes());
}

/// What was meant as a pause is none of the controller's business to guess.
#[tokio::test]
async fn a_pause_that_is_neither_true_nor_false_is_answered_in_words() {
    let mut world = World::quiet("unclear").await;
    world.run(&Start::default());
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.annotate("web", PAUSED_ANNOTATION, Some("True")).await;
    let message = world.reason("web", "InvalidSpec").await;
    assert_eq!(
        message,
        "metadata.annotations[sessionmanager.dev/paused]: \"True\" is neither \"true\" nor \"false\", so the controller does nothing for this object, and does not delete it either, until you correct or remove the annotation"
    );
    world.iam.clear_calls();
    world.apply("web", "{tags: {a: b}}").await;
    let generation = world.get("web").await.unwrap().metadata.generation;
    world
        .status_of("web", "seen", |s| Some(s.observed_generation) == generation)
        .await;
    assert_eq!(world.writes(), []);
    world
        .annotate("web", PAUSED_ANNOTATION, Some("false"))
        .await;
    world.ready("web").await;
    assert!(!world.writes().is_empty());
}

#[tokio::test]
async fn a_deletion_that_waits_for_the_end_of_a_pause_says_so() {
    let world = World::start("waits").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.annotate("web", PAUSED_ANNOTATION, Some("true")).await;
    world.delete("web").await;
    let waits = |status: &smr_api::SessionManagerRoleStatus| {
        condition(status, "Paused")
            .is_some_and(|c| c.message.starts_with("the deletion of this object waits"))
    };
    world
        .eventually("the pause says that the deletion waits", async || {
            world
                .get("web")
                .await
                .unwrap()
                .status
                .is_some_and(|s| waits(&s))
        })
        .await;
    assert!(!world.account().is_empty());
    world.annotate("web", PAUSED_ANNOTATION, None).await;
    world.gone("web").await;
    assert!(world.account().is_empty());
}

async fn label(world: &World, value: Option<&str>) {
    let patch = json!({ "metadata": { "labels": { "team": value } } });
    world
        .api()
        .patch("web", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// Nobody works on it any more, so its status says that: a deletion would hang without a word.
#[tokio::test]
async fn an_object_that_leaves_the_selection_says_so_until_it_is_back() {
    let mut world = World::quiet("selected").await;
    world.run(&Start::default().flag("--selector=team=a"));
    world.apply("web", "{}").await;
    label(&world, Some("a")).await;
    world.ready("web").await;
    label(&world, Some("b")).await;
    let paused = |status: &smr_api::SessionManagerRoleStatus| {
        let paused = condition(status, "Paused");
        paused.is_some_and(|c| {
            c.message
                .contains("do not match the controller's --selector team=a")
        })
    };
    world.status_of("web", "left alone", paused).await;
    world.iam.clear_calls();
    world.delete("web").await;
    assert!(world.get("web").await.is_some());
    assert_eq!(world.iam.calls(), []);
    // Only once the label is back does it go.
    label(&world, Some("a")).await;
    world.gone("web").await;
    assert!(world.account().is_empty());
    let events = world.events("web").await;
    assert_eq!(
        events.iter().filter(|(r, _)| r == "Deleted").count(),
        1,
        "{events:?}"
    );
}
