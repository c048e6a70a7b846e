//! Two replicas: one works, the other takes over, and they never write at the same time.

use std::path::PathBuf;

use crate::support::asking::http_get;
use crate::support::{KEY, PATIENCE, SECOND_KEY, Start, World, signal};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::{Value, json};
use tokio::process::Child;

/// The name of the Lease and of the Role about it.
const LEASE: &str = "session-manager-role";
/// How often a standby looks at the Lease until one that nobody renews has expired: 15 s, every 2 s,
/// and once more before and after.
const LOOKS_PER_LEASE: usize = 15 / 2 + 2;

/// Two programs with credentials of their own, so that the emulator's log tells their calls apart, and
/// with a Lease of their own.
struct Pair {
    world: World,
    leader: Child,
    standby: Child,
    standby_key: &'static str,
}

/// The shipped right to the Lease, in this world's namespace.
async fn allow_lease(world: &World) {
    for kind in ["role", "rolebinding"] {
        let name = format!("{LEASE}-leader-election");
        let shipped = ["get", kind, &name, "-n", LEASE, "-o", "json"];
        let shipped = world.plane.kubectl(&shipped).await.unwrap();
        let mut object: Value = serde_json::from_str(&shipped).unwrap();
        object["metadata"] = json!({ "name": name, "namespace": world.namespace });
        let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
        std::fs::write(&file, object.to_string()).unwrap();
        let file = file.path().to_str().unwrap();
        world.kubectl(&["create", "-f", file]).await;
    }
}

impl Pair {
    /// Starts one, waits until it leads, starts the other and waits until that one has seen the Lease.
    async fn start(leader_kubeconfig: Option<PathBuf>, world: World) -> Self {
        allow_lease(&world).await;
        let start = Start::default()
            .flag("--leader-elect")
            .flag(&format!("--lease-namespace={}", world.namespace));
        let first = Start {
            kubeconfig: leader_kubeconfig,
            ..start.clone()
        };
        let second = Start {
            access_key: SECOND_KEY.into(),
            ..start
        };
        let leader = world.spawn(&first, &log(&world, "first"));
        world.apply("web", "{}").await;
        world.ready("web").await;
        let standby = world.spawn(&second, &log(&world, "second"));
        Self {
            world,
            leader,
            standby,
            standby_key: SECOND_KEY,
        }
    }

    /// How often the two have read the Lease.
    fn looks(&self) -> usize {
        let events = self.world.plane.audit_events_in(&self.world.namespace);
        let events = events.unwrap().into_iter();
        events
            .filter(|event| event.object.resource == "leases" && event.verb == "get")
            .filter(|event| event.user.username.contains("session-manager-role"))
            .count()
    }

    /// Who holds the Lease.
    async fn holder(&self) -> String {
        let client = self.world.plane.client().unwrap();
        let leases: Api<Lease> = Api::namespaced(client, &self.world.namespace);
        let spec = leases.get(LEASE).await.unwrap().spec.unwrap();
        spec.holder_identity.unwrap_or_default()
    }

    /// Waits until someone else than `before` holds the Lease; how often it was read meanwhile. That
    /// the machine is busy makes it less.
    async fn taken_over_from(&self, before: &str) -> usize {
        let looks = self.looks();
        self.world
            .eventually("the standby holds the Lease", async || {
                let holder = self.holder().await;
                !holder.is_empty() && holder != before
            })
            .await;
        self.looks() - looks
    }

    fn writes_of(&self, key: &str) -> Vec<iam_emulator::Call> {
        self.world
            .iam
            .calls()
            .into_iter()
            .filter(|c| c.write && c.access_key_id == key)
            .collect()
    }

    /// Keeps making work for whoever leads, in the cluster and in IAM, until the standby has written.
    async fn standby_writes(&self) {
        let name = format!("{}.web", self.world.namespace);
        let count = std::cell::Cell::new(0);
        self.world
            .eventually("the standby has written", async || {
                count.set(count.get() + 1);
                let spoil = self.world.someone().update_role().role_name(&name);
                let spoil = spoil.description("spoiled").max_session_duration(3600);
                let _ = spoil.send().await;
                let edit = format!("{{role: {{description: 'edit {}'}}}}", count.get());
                self.world.apply("web", &edit).await;
                !self.writes_of(self.standby_key).is_empty()
            })
            .await;
    }

    /// No write of the old leader after the other's first.
    fn never_overlap(&self) {
        let first = self
            .writes_of(self.standby_key)
            .first()
            .expect("the standby never wrote")
            .started_ms;
        let late: Vec<_> = self
            .writes_of(KEY)
            .into_iter()
            .filter(|c| c.started_ms >= first)
            .collect();
        assert!(
            late.is_empty(),
            "the old leader wrote after the other had taken over: {late:?}"
        );
    }
}

fn log(world: &World, which: &str) -> PathBuf {
    std::env::temp_dir().join(format!(
        "smr-{}-{}-{which}.log",
        std::process::id(),
        world.namespace
    ))
}

/// The metrics of the replica with this log, once it serves them.
async fn metrics(log: &std::path::Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let served = log.lines().find(|line| line.contains("serving /metrics"));
    let Some((_, port)) = served.and_then(|line| line.trim().rsplit_once(':')) else {
        return String::new();
    };
    http_get(port.parse().unwrap(), "/metrics").await.unwrap()
}

/// An alert on a value that nobody keeps would never end.
#[tokio::test]
async fn a_standby_has_no_series_of_what_only_a_leader_knows() {
    const LEADERS: [&str; 6] = [
        "smr_sweep_timestamp_seconds",
        "smr_sweep_duration_seconds",
        "smr_sweep_degraded",
        "smr_objects",
        "smr_iam_budget_rate",
        "smr_iam_budget_waiting",
    ];
    const OTHERS: [&str; 2] = ["smr_orphans", "smr_oldest_not_ready_seconds"];
    let leads = |text: &str| {
        text.contains("leader_election_master_status{name=\"session-manager-role\"} 1")
    };
    let world = World::quiet("series").await;
    let mut pair = Pair::start(None, world).await;
    let (first, second) = (log(&pair.world, "first"), log(&pair.world, "second"));
    pair.world
        .eventually("the leader has all series", async || {
            let text = metrics(&first).await;
            leads(&text) && LEADERS.iter().all(|name| text.contains(name))
        })
        .await;
    pair.world
        .eventually("the standby serves metrics", async || {
            metrics(&second).await.contains("process_cpu_seconds_total")
        })
        .await;
    let text = metrics(&second).await;
    assert!(!leads(&text), "{text}");
    for name in LEADERS.iter().chain(&OTHERS) {
        assert!(!text.contains(name), "a standby has {name}: {text}");
    }
    signal(&pair.leader, "TERM").await;
    assert!(pair.leader.wait().await.unwrap().success());
    pair.world
        .eventually("the new leader has all series", async || {
            let text = metrics(&second).await;
            leads(&text) && LEADERS.iter().all(|name| text.contains(name))
        })
        .await;
    pair.standby.kill().await.unwrap();
}

#[tokio::test]
async fn after_sigkill_the_other_takes_over_within_a_lease_and_a_retry() {
    let world = World::quiet("takeover").await;
    let mut pair = Pair::start(None, world).await;
    pair.world.another_look().await;
    assert_eq!(pair.writes_of(SECOND_KEY), [], "the standby wrote");
    let leader = pair.holder().await;
    pair.leader.kill().await.unwrap();
    let looks = pair.taken_over_from(&leader).await;
    assert!(looks <= LOOKS_PER_LEASE + 1, "{looks} looks at the Lease");
    pair.standby_writes().await;
    pair.never_overlap();
    pair.standby.kill().await.unwrap();
}

#[tokio::test]
async fn a_leader_cut_off_from_the_api_server_stops_before_the_other_starts() {
    let world = World::quiet("cutoff").await;
    let proxy = world.plane.proxy().await.unwrap();
    let kubeconfig = world
        .plane
        .service_account_kubeconfig_at("session-manager-role", "session-manager-role", proxy.port())
        .await
        .unwrap();
    let mut pair = Pair::start(Some(kubeconfig), world).await;
    proxy.cut();
    pair.standby_writes().await;
    pair.never_overlap();
    // It stops without anyone's doing, and says so by its exit status.
    let status = tokio::time::timeout(PATIENCE, pair.leader.wait())
        .await
        .expect("the old leader still runs")
        .unwrap();
    assert!(!status.success());
    pair.standby.kill().await.unwrap();
}

#[tokio::test]
async fn a_leader_stopped_for_longer_than_its_lease_writes_nothing_when_it_goes_on() {
    let world = World::quiet("sigstop").await;
    let mut pair = Pair::start(None, world).await;
    signal(&pair.leader, "STOP").await;
    pair.standby_writes().await;
    signal(&pair.leader, "CONT").await;
    let status = tokio::time::timeout(PATIENCE, pair.leader.wait())
        .await
        .expect("the old leader still runs")
        .unwrap();
    assert!(!status.success());
    pair.never_overlap();
    pair.standby.kill().await.unwrap();
}

#[tokio::test]
async fn sigterm_gives_the_lease_back() {
    let world = World::quiet("handover").await;
    let mut pair = Pair::start(None, world).await;
    let leader = pair.holder().await;
    signal(&pair.leader, "TERM").await;
    assert!(pair.leader.wait().await.unwrap().success());
    let looks = pair.taken_over_from(&leader).await;
    // One that was given back is free at the next look; an expired one would be after a lease of them.
    assert!(looks <= 3, "{looks} looks at the Lease");
    pair.standby_writes().await;
    pair.never_overlap();
    pair.standby.kill().await.unwrap();
}
