//! Tenants share one account's budget: who has much to do keeps nobody else waiting. And an account
//! that gives less than we are told is not pressed.

use crate::support::{KEY, Start, World, is};
use iam_emulator::{Call, Rate};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use smr_api::SessionManagerRole;

/// Objects of the tenant that edits in a loop.
const MANY: usize = 60;
/// Calls that an edit of one object takes: seven to look, one to write, and some to spare.
const AN_EDIT: usize = 12;

fn calls_of<'a>(calls: &'a [Call], namespace: &str) -> Vec<&'a Call> {
    let prefix = format!("{namespace}.");
    let about = |call: &&Call| {
        call.access_key_id == KEY
            && (call.params.values())
                .any(|v| v.rsplit('/').next().unwrap_or(v).starts_with(&prefix))
    };
    calls.iter().filter(about).collect()
}

/// Counted in calls, not in seconds: what the other tenant is given while one edit waits.
#[tokio::test]
async fn a_tenant_that_edits_in_a_loop_starves_nobody() {
    let mut world = World::unrecorded("busy").await;
    let small = format!("{}-small", world.namespace);
    world.kubectl(&["create", "namespace", &small]).await;
    let flags = |rate: usize| {
        Start::default()
            .flag(&format!("--watch-namespace={small}"))
            .flag(&format!("--iam-requests-per-second={rate}"))
            .flag("--resync-interval=1h")
    };
    let client = world.plane.client().unwrap();
    let busy_api = world.api();
    let small_api: Api<SessionManagerRole> = Api::namespaced(client, &small);
    let describe = async |api: &Api<SessionManagerRole>, name: &str, text: String| {
        let spec = json!({ "role": { "description": text } });
        let patch = Patch::Merge(json!({ "spec": spec }));
        let edited = api.patch(name, &PatchParams::default(), &patch).await;
        edited.unwrap().metadata.generation.unwrap()
    };
    let create = async |api: &Api<SessionManagerRole>, name: &str| {
        let object = json!({
            "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
            "metadata": { "name": name }, "spec": {},
        });
        let patch = Patch::Apply(object);
        api.patch(name, &PatchParams::apply("a-person"), &patch)
            .await
            .unwrap();
    };
    let done = async |api: &Api<SessionManagerRole>, name: &str, generation: i64| {
        let status = api.get(name).await.unwrap().status;
        status.is_some_and(|s| s.observed_generation >= generation && is(&s, "Ready", "True"))
    };

    world.run(&flags(500));
    let names: Vec<String> = (0..MANY).map(|number| format!("web-{number}")).collect();
    for name in &names {
        create(&busy_api, name).await;
    }
    create(&small_api, "web").await;
    for name in &names {
        world.ready(name).await;
    }
    world
        .eventually("the small tenant's is Ready", async || {
            done(&small_api, "web", 1).await
        })
        .await;
    world.kill().await;

    // At a rate at which the loop alone would take all there is for a minute.
    let started = world.iam.last_call();
    world.run(&flags(10));
    world
        .eventually("the controller has swept", async || {
            let calls = world.iam.calls_since(started);
            calls
                .iter()
                .any(|call| call.action == "ListInstanceProfiles")
        })
        .await;
    for name in &names {
        describe(&busy_api, name, "edited".to_owned()).await;
    }
    let before = world.iam.last_call();
    world
        .eventually("the loop is at work", async || {
            calls_of(&world.iam.calls_since(before), &world.namespace).len() > 20
        })
        .await;
    let mark = world.iam.last_call();
    let generation = describe(&small_api, "web", "edited too".to_owned()).await;
    let accepted = world.iam.last_call();
    world
        .eventually("the small tenant's edit is applied", async || {
            done(&small_api, "web", generation).await
        })
        .await;
    // From when the edit was there to its last call: what the test itself takes counts for nobody.
    let calls = world.iam.calls_since(mark);
    let own = calls_of(&calls, &small);
    let last = own.last().expect("the edit took no call").seq;
    let others = calls_of(&calls, &world.namespace).into_iter();
    let others: Vec<_> = others
        .filter(|call| (accepted..=last).contains(&call.seq))
        .collect();
    assert!(own.len() <= AN_EDIT, "{}", own.len());
    // The passes that were under way when it came have a worker each; after that it is one call for
    // one call.
    let fair = 16 * AN_EDIT / 2 + own.len();
    assert!(
        others.len() <= fair,
        "{} beside {}",
        others.len(),
        own.len()
    );
    assert!(others.len() < MANY * AN_EDIT / 4, "{}", others.len());
}

/// Convergence where the account throttles at a fifth of what we are told.
#[tokio::test]
async fn an_account_that_throttles_is_not_pressed() {
    const OBJECTS: usize = 20;
    let mut world = World::unrecorded("throttled").await;
    world.iam.set_rate(Some(Rate {
        per_second: 2.0,
        burst: 2,
    }));
    for number in 0..OBJECTS {
        world.apply(&format!("web-{number}"), "{}").await;
    }
    // All of it at once: how fast the machine is does not decide whether the account throttles.
    world.run(&Start::default().flag("--resync-interval=1h"));
    for number in 0..OBJECTS {
        world.ready(&format!("web-{number}")).await;
    }
    let calls = world.iam.calls();
    let throttled = calls.iter().filter(|c| c.outcome == "Throttling").count();
    // Most of it is found out in the first seconds; a thousand objects take it to a few percent
    // ('make bench').
    assert!(
        throttled > 0 && throttled * 2 < calls.len(),
        "{throttled} of {}",
        calls.len()
    );
    assert_eq!(world.account().roles.len(), OBJECTS);
    // Throttling is nothing that a person has to act on.
    for number in 0..OBJECTS {
        let events = world.events(&format!("web-{number}")).await;
        assert!(
            events.iter().all(|(reason, _)| reason != "Stalled"),
            "{events:?}"
        );
    }
}
