//! The controller's whole life in virtual time: the real `run()` between an API emulator and an IAM emulator,
//! both in this process. `tests/simulation` does the same under faults.

use api_emulator::{ApiServer, Resource};
use aws_config::{BehaviorVersion, Region};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use iam_emulator::connector::Connector;
use iam_emulator::{Config, Emulator};
use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, PostParams};
use serde_json::Value;
use smr_api::{SessionManagerRole, SessionManagerRoleSpec};
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

/// An API server that has one object.
struct Cluster(ApiServer);

impl Cluster {
    async fn new() -> Self {
        let server = ApiServer::new(api_emulator::Config::default());
        let people: Api<SessionManagerRole> = Api::namespaced(server.client("people"), "default");
        let new = SessionManagerRole::new("web", SessionManagerRoleSpec::default());
        people.create(&PostParams::default(), &new).await.unwrap();
        Self(server)
    }

    fn client(&self, metrics: &Metrics) -> Client {
        let edge = self.0.edge("controller");
        Client::new(metrics.api_requests().layer(edge), "default")
    }

    fn object(&self) -> Value {
        self.0.get(Resource::Roles, "default", "web").unwrap()
    }

    fn events(&self) -> Vec<String> {
        let events = self.0.list(Resource::Events);
        let reasons = events.iter().filter_map(|event| event["reason"].as_str());
        reasons.map(str::to_owned).collect()
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

fn edges(server: &Cluster, emulator: &Emulator) -> Edges {
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
    let (server, emulator) = (Cluster::new().await, Emulator::new(Config::default()));
    let someone = aws_sdk_iam::Client::new(&account(&emulator, "AKIASOMEONE"));
    let begun = Instant::now();
    let edges = edges(&server, &emulator);
    let metrics = edges.metrics.clone();
    let life = run(settings(), edges, sleep(24 * HOUR));
    let role = || emulator.snapshot().roles["default.web"].clone();
    let day = async {
        sleep(MINUTE).await;
        let ready = server.object()["status"]["conditions"].clone();
        assert_eq!(ready[0]["status"], "True", "{ready}");
        assert_eq!(server.events(), ["Created"]);
        sleep(5 * HOUR).await;
        let before = role();
        let change = someone.update_role().role_name("default.web");
        let change = change.description("by hand").max_session_duration(3600);
        change.send().await.unwrap();
        assert_ne!(role(), before);
        // The next sweep finds it.
        sleep(11 * MINUTE).await;
        assert_eq!(role(), before);
        // Kubernetes keeps an event for an hour.
        assert_eq!(server.events(), ["Repaired"]);
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
    let (server, emulator) = (Cluster::new().await, Emulator::new(Config::default()));
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
