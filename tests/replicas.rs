//! Two replicas: one works, the other takes over, and they never write at the same time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::DeleteParams;
use support::{KEY, SECOND_KEY, Start, World, signal};
use tokio::process::Child;

const LEASE: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_secs(2);

/// Two programs with credentials of their own, so that the emulator's log tells their calls apart.
struct Pair {
    world: World,
    leader: Child,
    standby: Child,
    standby_key: &'static str,
}

impl Pair {
    /// Starts one, waits until it leads, starts the other.
    async fn start(leader_kubeconfig: Option<PathBuf>, world: World) -> Self {
        forget_lease(&world).await;
        let start = Start::default()
            .flag("--leader-elect")
            .flag("--lease-namespace=session-manager-role");
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

    fn writes_of(&self, key: &str) -> Vec<iam_emulator::Call> {
        self.world
            .iam
            .calls()
            .into_iter()
            .filter(|c| c.write && c.access_key_id == key)
            .collect()
    }

    /// Keeps making work until the standby has written.
    async fn standby_writes(&self) {
        let name = format!("{}.web", self.world.namespace);
        self.world
            .eventually("the standby has written", async || {
                let someone = self.world.someone();
                let untag = someone
                    .untag_role()
                    .role_name(&name)
                    .tag_keys("sessionmanager.dev/uid");
                let spoil = someone
                    .update_role()
                    .role_name(&name)
                    .description("spoiled")
                    .max_session_duration(3600);
                let _ = (untag, spoil.send().await);
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

async fn forget_lease(world: &World) {
    let leases: Api<Lease> = Api::namespaced(world.plane.client().unwrap(), "session-manager-role");
    let _ = leases
        .delete("session-manager-role", &DeleteParams::default())
        .await;
}

/// One Lease for all: one test after the other.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn after_sigkill_the_other_takes_over_within_a_lease_and_a_retry() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let world = World::quiet("takeover").await;
    let mut pair = Pair::start(None, world).await;
    pair.world.another_look().await;
    assert_eq!(pair.writes_of(SECOND_KEY), [], "the standby wrote");
    let killed = Instant::now();
    pair.leader.kill().await.unwrap();
    pair.standby_writes().await;
    let took = killed.elapsed();
    // One second for the look itself (--resync-interval 1s).
    assert!(took <= LEASE + RETRY + Duration::from_secs(3), "{took:?}");
    pair.never_overlap();
    pair.standby.kill().await.unwrap();
}

#[tokio::test]
async fn a_leader_cut_off_from_the_api_server_stops_before_the_other_starts() {
    let _turn = ONE_AT_A_TIME.lock().await;
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
    // It has stopped by itself, and says so by its exit status.
    let status = tokio::time::timeout(Duration::from_secs(30), pair.leader.wait())
        .await
        .expect("the old leader still runs")
        .unwrap();
    assert!(!status.success());
    pair.standby.kill().await.unwrap();
}

#[tokio::test]
async fn a_leader_stopped_for_longer_than_its_lease_writes_nothing_when_it_goes_on() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let world = World::quiet("sigstop").await;
    let mut pair = Pair::start(None, world).await;
    signal(&pair.leader, "STOP").await;
    pair.standby_writes().await;
    signal(&pair.leader, "CONT").await;
    let status = tokio::time::timeout(Duration::from_secs(30), pair.leader.wait())
        .await
        .expect("the old leader still runs")
        .unwrap();
    assert!(!status.success());
    pair.never_overlap();
    pair.standby.kill().await.unwrap();
}

#[tokio::test]
async fn sigterm_gives_the_lease_back() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let world = World::quiet("handover").await;
    let mut pair = Pair::start(None, world).await;
    let asked = Instant::now();
    signal(&pair.leader, "TERM").await;
    pair.standby_writes().await;
    assert!(
        asked.elapsed() < LEASE,
        "the standby waited for the lease to expire: {:?}",
        asked.elapsed()
    );
    assert!(pair.leader.wait().await.unwrap().success());
    pair.never_overlap();
    pair.standby.kill().await.unwrap();
}
