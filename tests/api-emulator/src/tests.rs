//! The emulator against its own list, and what it has besides: faults, time and the log.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use smr_api::SessionManagerRole;
use tokio::time::{Instant, sleep, timeout};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A server with a namespace, and a caller's client.
async fn space(server: &ApiServer, name: &str) -> kube::Client {
    let client = server.client("a-person");
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let request = http::Request::post("/api/v1/namespaces").body(object.to_string().into_bytes());
    client.request_text(request.unwrap()).await.unwrap();
    client
}

#[tokio::test(start_paused = true)]
async fn every_sentence_holds() {
    let server = ApiServer::new(Config::default());
    let all = behaviours();
    let mut broken = Vec::new();
    for (number, behaviour) in all.iter().enumerate() {
        let namespace = format!("space-{number}");
        let client = space(&server, &namespace).await;
        if let Err(why) = behaviour.holds(client, &namespace).await {
            broken.push(format!("{}: {why}", behaviour.name));
        }
    }
    println!("{} behaviours", all.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(all.len() >= 80, "{}", all.len());
}

#[tokio::test(start_paused = true)]
async fn no_sentence_holds_where_nothing_is_served() {
    let mut holding = Vec::new();
    for behaviour in behaviours() {
        let server = ApiServer::new(Config::default());
        let client = space(&server, "space").await;
        for resource in Resource::ALL {
            server.serve(resource, false);
        }
        if behaviour.holds(client, "space").await.is_ok() {
            holding.push(behaviour.name);
        }
    }
    let expected = [
        "a kind that nobody serves is not found",
        "a plural that a group does not have is not found",
    ];
    assert_eq!(holding, expected);
}

/// A server, and roles as one caller sees them.
fn world() -> (ApiServer, Api<SessionManagerRole>) {
    let server = ApiServer::new(Config::default());
    let api = Api::namespaced(server.client("one"), "default");
    (server, api)
}

fn role(name: &str) -> SessionManagerRole {
    serde_json::from_value(json!({
        "apiVersion": "sessionmanager.dev/v1alpha1",
        "kind": "SessionManagerRole",
        "metadata": { "name": name },
        "spec": {},
    }))
    .unwrap()
}

async fn make(api: &Api<SessionManagerRole>, name: &str) -> kube::Result<SessionManagerRole> {
    api.create(&PostParams::default(), &role(name)).await
}

fn there(server: &ApiServer, name: &str) -> bool {
    server.get(Resource::Roles, "default", name).is_some()
}

fn on_create(kind: FaultKind) -> Fault {
    Fault::new(1, kind).on(Verb::Create, Resource::Roles)
}

#[tokio::test(start_paused = true)]
async fn a_late_request_has_its_effect_though_nobody_waits_any_more() {
    let (server, api) = world();
    server.order(on_create(FaultKind::Late(20 * SECOND)));
    let begun = server.time();
    assert!(timeout(5 * SECOND, make(&api, "a")).await.is_err());
    assert!(!there(&server, "a"), "it is on its way");
    sleep(14 * SECOND).await;
    assert!(!there(&server, "a"));
    // What comes later is done later, whenever anyone looks.
    sleep(100 * SECOND).await;
    make(&api, "b").await.unwrap();
    assert!(there(&server, "a"));
    let log = server.requests();
    let late = log.iter().find(|r| r.code == Some(201)).unwrap();
    assert_eq!(late.outcome, Outcome::Pending);
    assert_eq!(late.done_at.unwrap().duration_since(begun).as_secs(), 20);
    let changes = server.changes();
    let names: Vec<_> = changes.iter().filter_map(|c| c.after.as_ref()).collect();
    assert_eq!(names[names.len() - 1]["metadata"]["name"], "b");
    assert_eq!(names[names.len() - 2]["metadata"]["name"], "a");
}

#[tokio::test(start_paused = true)]
async fn a_late_request_is_answered_where_someone_waits() {
    let (server, api) = world();
    server.order(on_create(FaultKind::Late(3 * SECOND)));
    let begun = Instant::now();
    make(&api, "a").await.unwrap();
    assert_eq!(begun.elapsed(), 3 * SECOND);
    server.order(on_create(FaultKind::Slow(3 * SECOND)));
    let slow = async { make(&api, "b").await.unwrap() };
    let look = async {
        sleep(SECOND).await;
        assert!(there(&server, "b"), "the effect is at once");
    };
    tokio::join!(slow, look);
    assert_eq!(begun.elapsed(), 6 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn answers_get_lost_and_connections_fail() {
    let (server, api) = world();
    server.order(on_create(FaultKind::Refused));
    assert!(make(&api, "a").await.is_err());
    assert!(!there(&server, "a"));
    server.order(on_create(FaultKind::LostReply));
    assert!(make(&api, "a").await.is_err());
    assert!(there(&server, "a"));
    server.order(on_create(FaultKind::Hang));
    assert!(timeout(1000 * SECOND, make(&api, "b")).await.is_err());
    assert!(!there(&server, "b"));
    server.order(on_create(FaultKind::HangAfterEffect));
    assert!(timeout(1000 * SECOND, make(&api, "b")).await.is_err());
    assert!(there(&server, "b"));
    server.order(on_create(FaultKind::TooManyRequests { retry_after: 2 }));
    let Err(kube::Error::Api(status)) = make(&api, "c").await else {
        panic!("it is refused");
    };
    assert_eq!(
        (status.code, status.reason.as_str()),
        (429, "TooManyRequests")
    );
    let outcomes: Vec<_> = server
        .requests()
        .iter()
        .map(|r| (r.outcome, r.write))
        .collect();
    let expected = [
        (Outcome::Refused, false),
        (Outcome::Lost, true),
        (Outcome::Hung, false),
        (Outcome::Hung, true),
        (Outcome::Answered(429), false),
    ];
    assert_eq!(outcomes, expected);
    server.clear_requests();
    make(&api, "d").await.unwrap();
    let log = server.requests();
    assert_eq!(
        (log.len(), log[0].seq, log[0].name.as_deref()),
        (1, 6, None)
    );
    assert_eq!(log[0].after.as_ref().unwrap()["metadata"]["name"], "d");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_killed_or_cut_off_is_alone() {
    let (server, api) = world();
    let other: Api<SessionManagerRole> = Api::namespaced(server.client("other"), "default");
    server.cut("one", true);
    assert!(make(&api, "a").await.is_err());
    make(&other, "a").await.unwrap();
    server.cut("one", false);
    make(&api, "b").await.unwrap();
    server.kill("one");
    assert!(timeout(1000 * SECOND, make(&api, "c")).await.is_err());
    assert!(!there(&server, "c"));
    server.forbid("other", Verb::Create, Resource::Roles, true);
    let Err(kube::Error::Api(status)) = make(&other, "c").await else {
        panic!("it is refused");
    };
    assert_eq!(status.code, 403);
    server.forbid("other", Verb::Create, Resource::Roles, false);
    server.restart(10 * SECOND);
    assert!(make(&other, "c").await.is_err());
    sleep(10 * SECOND).await;
    make(&other, "c").await.unwrap();
    server.serve(Resource::Roles, false);
    let Err(kube::Error::Api(status)) = make(&other, "d").await else {
        panic!("it is not served");
    };
    assert_eq!(status.code, 404);
}

type Told = kube::Result<WatchEvent<SessionManagerRole>>;

async fn watch(api: &Api<SessionManagerRole>, from: &str) -> impl Stream<Item = Told> + use<> {
    let params = WatchParams::default().timeout(290);
    api.watch(&params, from).await.unwrap()
}

/// What a watch tells within so long, in short; `.` stands for silence, and nothing for its end.
async fn told(watch: &mut (impl Stream<Item = Told> + Unpin), time: Duration) -> String {
    match timeout(time, watch.next()).await {
        Err(_) => ".".to_owned(),
        Ok(None) => String::new(),
        Ok(Some(Err(error))) => error.to_string(),
        Ok(Some(Ok(event))) => match event {
            WatchEvent::Added(role) => format!("+{}", role.metadata.name.unwrap()),
            WatchEvent::Modified(role) => format!("~{}", role.metadata.name.unwrap()),
            WatchEvent::Deleted(role) => format!("-{}", role.metadata.name.unwrap()),
            WatchEvent::Bookmark(_) => "bookmark".to_owned(),
            WatchEvent::Error(status) => status.code.to_string(),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_told_where_it_stands_each_minute_and_ends_in_time() {
    let (server, api) = world();
    let begun = Instant::now();
    let mut watch = pin!(watch(&api, &server.resource_version().to_string()).await);
    make(&api, "a").await.unwrap();
    assert_eq!(told(&mut watch, SECOND).await, "+a");
    for seconds in [60, 120, 180, 240, 288] {
        assert_eq!(told(&mut watch, 100 * SECOND).await, "bookmark");
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
    assert_eq!(told(&mut watch, 100 * SECOND).await, "");
    assert_eq!(begun.elapsed().as_secs(), 290);
    // Where nothing happened since its beginning, there is nothing to say.
    let api: Api<SessionManagerRole> = Api::namespaced(server.client("two"), "default");
    let mut idle = pin!(self::watch(&api, &server.resource_version().to_string()).await);
    assert_eq!(told(&mut idle, 1000 * SECOND).await, "");
    assert_eq!(begun.elapsed().as_secs(), 580);
}

#[tokio::test(start_paused = true)]
async fn events_are_held_and_keep_their_order() {
    let (server, api) = world();
    let mut watch = pin!(watch(&api, &server.resource_version().to_string()).await);
    server.hold_watches(Resource::Roles, 20 * SECOND);
    make(&api, "a").await.unwrap();
    sleep(5 * SECOND).await;
    make(&api, "b").await.unwrap();
    assert_eq!(told(&mut watch, 14 * SECOND).await, ".");
    assert_eq!(told(&mut watch, 2 * SECOND).await, "+a");
    server.hold_watches(Resource::Roles, Duration::ZERO);
    assert_eq!(told(&mut watch, Duration::ZERO).await, "+b");
}

#[tokio::test(start_paused = true)]
async fn watches_end_fall_silent_or_are_too_old() {
    let (server, api) = world();
    let from = server.resource_version().to_string();
    let mut first = pin!(watch(&api, &from).await);
    server.drop_watches();
    assert_eq!(told(&mut first, SECOND).await, "");
    let mut second = pin!(watch(&api, &from).await);
    server.cut("one", true);
    server.cut("one", false);
    make(&api, "a").await.unwrap();
    assert_eq!(told(&mut second, 1000 * SECOND).await, ".");
    server.compact();
    let mut third = pin!(watch(&api, &from).await);
    assert_eq!(told(&mut third, SECOND).await, "410");
    assert_eq!(told(&mut third, SECOND).await, "");
    server.order(Fault::new(1, FaultKind::HalfOpenWatch));
    let mut fourth = pin!(watch(&api, &server.resource_version().to_string()).await);
    make(&api, "b").await.unwrap();
    assert_eq!(told(&mut fourth, 1000 * SECOND).await, ".");
    let mut fifth = pin!(watch(&api, &server.resource_version().to_string()).await);
    server.order(on_create(FaultKind::Late(10 * SECOND)));
    assert!(timeout(SECOND, make(&api, "c")).await.is_err());
    assert_eq!(
        told(&mut fifth, 10 * SECOND).await,
        "+c",
        "a late effect wakes it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_restored_store_is_as_it_was_and_its_versions_grow() {
    let (server, api) = world();
    make(&api, "a").await.unwrap();
    let snapshot = server.snapshot();
    make(&api, "b").await.unwrap();
    let params = PatchParams::default();
    let patch = Patch::Merge(json!({ "spec": { "mode": "Observe" } }));
    api.patch("a", &params, &patch).await.unwrap();
    let before = server.resource_version();
    server.restore(&snapshot);
    assert!(there(&server, "a") && !there(&server, "b"));
    let role = server.get(Resource::Roles, "default", "a").unwrap();
    assert_eq!(role["spec"], json!({}));
    assert!(server.resource_version() > before);
    let mut watch = pin!(watch(&api, &before.to_string()).await);
    assert_eq!(told(&mut watch, SECOND).await, "410");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_with_what_is_in_it() {
    let server = ApiServer::new(Config::default());
    let client = space(&server, "team").await;
    let api: Api<SessionManagerRole> = Api::namespaced(client.clone(), "team");
    let mut held = role("held");
    held.metadata.finalizers = Some(vec!["example.com/held".to_owned()]);
    api.create(&PostParams::default(), &held).await.unwrap();
    make(&api, "free").await.unwrap();
    let request = http::Request::delete("/api/v1/namespaces/team").body(Vec::new());
    client.request_text(request.unwrap()).await.unwrap();
    let left = server.list(Resource::Roles);
    assert_eq!(left.len(), 1);
    assert!(left[0]["metadata"]["deletionTimestamp"].is_string());
    let namespace = server.get(Resource::Namespaces, "", "team").unwrap();
    assert_eq!(namespace["status"]["phase"], "Terminating");
    let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    api.patch("held", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert!(server.get(Resource::Namespaces, "", "team").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_year_passes_and_events_do_not_stay() {
    let (server, api) = world();
    let client = server.client("one");
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": { "name": "e", "namespace": "default" },
        "eventTime": "2026-01-02T03:04:05.000006Z", "type": "Normal", "reason": "r", "action": "a",
        "reportingController": "c", "reportingInstance": "i", "regarding": { "namespace": "default" },
    });
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    let request = http::Request::post(path)
        .body(event.to_string().into_bytes())
        .unwrap();
    client.request_text(request).await.unwrap();
    sleep(3599 * SECOND).await;
    assert_eq!(server.list(Resource::Events).len(), 1);
    sleep(SECOND).await;
    assert_eq!(server.list(Resource::Events).len(), 0);
    sleep(Duration::from_hours(24 * 365)).await;
    make(&api, "a").await.unwrap();
    let made = server.get(Resource::Roles, "default", "a").unwrap();
    assert_eq!(
        made["metadata"]["creationTimestamp"],
        "2027-01-01T01:00:00Z"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_does_not_outlive_its_connection() {
    let (server, api) = world();
    server.order(Fault::new(2, FaultKind::Slow(10 * SECOND)));
    let cut = async {
        sleep(SECOND).await;
        server.cut("one", true);
        server.cut("one", false);
    };
    let (waited, ()) = tokio::join!(timeout(100 * SECOND, make(&api, "a")), cut);
    assert!(waited.is_err() && there(&server, "a"));
    let restart = async {
        sleep(SECOND).await;
        server.restart(SECOND);
    };
    let (answer, ()) = tokio::join!(make(&api, "b"), restart);
    assert!(answer.is_err() && there(&server, "b"));
}
