//! The controller's whole life in virtual time: the real `run()` between an API server of one object and
//! an IAM emulator, both in this process.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use http::{Method, Request, Response};
use iam_emulator::connector::Connector;
use iam_emulator::{Config, Emulator};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use serde_json::{Value, json};
use smr_core::limits::Limits;
use tokio::time::{Instant, sleep};
use tower::Layer;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A day that begins when the test does, on both clocks.
#[derive(Debug)]
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.0.elapsed()).unwrap();
        "2026-11-28T00:00:00Z".parse::<Timestamp>().unwrap() + elapsed
    }

    fn steady(&self) -> Timestamp {
        self.now()
    }
}

/// An API server that has one object, and a watch that brings nothing.
#[derive(Clone)]
struct ApiServer(Arc<Mutex<Held>>);

struct Held {
    object: Value,
    version: u64,
    events: Vec<String>,
}

impl ApiServer {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Held {
            object: json!({
                "apiVersion": "sessionmanager.dev/v1alpha1",
                "kind": "SessionManagerRole",
                "metadata": { "namespace": "team", "name": "web", "uid": "u", "generation": 1, "resourceVersion": "1" },
                "spec": {},
            }),
            version: 1,
            events: Vec::new(),
        })))
    }

    fn client(&self, metrics: &Metrics) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(metrics.api_requests().layer(service), "team")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        if query.contains("watch=true") {
            sleep(Duration::from_secs(50)).await;
            return Response::new(Body::empty());
        }
        let body = body.collect_bytes().await.unwrap();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = if path.contains("/events") {
            let event: Value = serde_json::from_slice(&body).unwrap();
            held.events
                .extend(event["reason"].as_str().map(str::to_owned));
            event
        } else if parts.method == Method::PATCH {
            let sent: Value = serde_json::from_slice(&body).unwrap();
            held.version += 1;
            let version = held.version.to_string();
            if path.ends_with("/status") {
                held.object["status"] = sent["status"].clone();
            } else {
                held.object["metadata"]["finalizers"] = sent["metadata"]["finalizers"].clone();
            }
            held.object["metadata"]["resourceVersion"] = version.into();
            held.object.clone()
        } else if path.ends_with("/namespaces/kube-system") {
            json!({
                "apiVersion": "meta.k8s.io/v1",
                "kind": "PartialObjectMetadata",
                "metadata": { "name": "kube-system", "uid": "cluster-uid-of-tests" },
            })
        } else if path.ends_with("/web") {
            held.object.clone()
        } else {
            json!({
                "apiVersion": "sessionmanager.dev/v1alpha1",
                "kind": "SessionManagerRoleList",
                "metadata": { "resourceVersion": held.version.to_string() },
                "items": [held.object],
            })
        };
        Response::new(Body::from(answer.to_string().into_bytes()))
    }

    fn object(&self) -> Value {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.object.clone()
    }

    fn events(&self) -> Vec<String> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.events.clone()
    }
}

fn account(emulator: &Emulator, key: &str) -> SdkConfig {
    let credentials = Credentials::new(key, "not-a-secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(Connector::new(emulator))
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

fn settings() -> Settings {
    Settings {
        limits: Limits::new("test"),
        observe: false,
        namespaces: Vec::new(),
        selector: None,
        resync_interval: 10 * MINUTE,
        concurrency: 16,
        requests_per_second: 10,
        sweep: SweepMode::Auto,
        lease: None,
    }
}

fn edges(server: &ApiServer, emulator: &Emulator) -> Edges {
    let metrics = Arc::new(Metrics::new().unwrap());
    let config = account(emulator, "AKIACONTROLLER");
    let (kube, watch) = (server.client(&metrics), server.client(&metrics));
    Edges {
        kube,
        watch: Box::new(move |_heartbeat| Ok(watch.clone())),
        aws: Box::pin(std::future::ready(config)),
        server: None,
        clock: Arc::new(Virtual(Instant::now())),
        metrics,
    }
}

fn alive() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_day_passes_in_virtual_time() {
    let (server, emulator) = (ApiServer::new(), Emulator::new(Config::default()));
    let someone = aws_sdk_iam::Client::new(&account(&emulator, "AKIASOMEONE"));
    let begun = Instant::now();
    let edges = edges(&server, &emulator);
    let metrics = edges.metrics.clone();
    let life = run(settings(), edges, sleep(24 * HOUR));
    let role = || emulator.snapshot().roles["team.web"].clone();
    let day = async {
        sleep(MINUTE).await;
        let ready = server.object()["status"]["conditions"].clone();
        assert_eq!(ready[0]["status"], "True", "{ready}");
        assert_eq!(server.events(), ["Created"]);
        sleep(5 * HOUR).await;
        let before = role();
        let change = someone.update_role().role_name("team.web");
        let change = change.description("by hand").max_session_duration(3600);
        change.send().await.unwrap();
        assert_ne!(role(), before);
        // The next sweep finds it.
        sleep(11 * MINUTE).await;
        assert_eq!(role(), before);
        assert_eq!(server.events(), ["Created", "Repaired"]);
        let writes = || emulator.calls().iter().filter(|call| call.write).count();
        let (calls, written) = (emulator.calls().len(), writes());
        sleep(18 * HOUR).await;
        assert_eq!(writes(), written, "nothing is written to what is in sync");
        let a_sweep = (emulator.calls().len() - calls) / 108;
        assert!(a_sweep <= 8, "{a_sweep} calls a sweep");
        shows_all(&metrics);
    };
    let (ended, ()) = tokio::join!(life, day);
    ended.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 24 * 3600, "it stops at once");
    tokio::task::yield_now().await;
    assert_eq!(alive(), 0);
}

/// A leader that has lived shows every metric. SMR_METRICS_PAGES is a directory to keep the page in.
fn shows_all(metrics: &Metrics) {
    let page = metrics.encode().unwrap();
    for metric in metrics.list() {
        // Nothing is not Ready any more.
        let shown = page.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind));
        let expected = metric.name != "smr_oldest_not_ready_seconds";
        assert_eq!(shown, expected, "{}\n{page}", metric.name);
    }
    for line in [
        "smr_resync_interval_seconds 600",
        "smr_iam_budget_rate 10",
        r#"smr_iam_budget_waiting{priority="resync"} 0"#,
        r#"smr_drift_total{field="description",object="Role"} 1"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    let sweeps = "smr_sweep_duration_seconds ";
    assert!(page.lines().any(|line| line.starts_with(sweeps)), "{page}");
    if let Some(pages) = std::env::var_os("SMR_METRICS_PAGES") {
        std::fs::write(std::path::Path::new(&pages).join("leader.prom"), page).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_outlives_a_run_that_is_dropped() {
    let (server, emulator) = (ApiServer::new(), Emulator::new(Config::default()));
    let mut life = Box::pin(run(
        settings(),
        edges(&server, &emulator),
        std::future::pending(),
    ));
    let ended = tokio::time::timeout(HOUR, &mut life).await;
    assert!(ended.is_err(), "it runs until its shutdown");
    assert!(alive() > 16, "workers, sweep and watch");
    drop(life);
    tokio::task::yield_now().await;
    assert_eq!(alive(), 0);
}
