//! The way to the API server: connections that fall silent, and a CRD that goes and comes back.

use std::time::{Duration, Instant};

use iam_emulator::{Fault, FaultKind};

use crate::support::{Start, World, established};

const CRD: &str = "sessionmanagerroles.sessionmanager.dev";

/// A connection that is dead without an end is noticed, where kube's own limit is five minutes.
#[tokio::test]
async fn a_watch_that_falls_silent_is_noticed() {
    let mut world = World::quiet("silent").await;
    let proxy = world.plane.proxy().await.unwrap();
    let kubeconfig = world
        .plane
        .service_account_kubeconfig_at("session-manager-role", "session-manager-role", proxy.port())
        .await
        .unwrap();
    world.run(&Start {
        kubeconfig: Some(kubeconfig),
        ..Start::when_asked()
    });
    world.apply("before", "{}").await;
    world.ready("before").await;
    proxy.silence();
    world.apply("after", "{}").await;
    world.ready("after").await;
}

/// An outage of AWS is no reason to restart: the loops end their attempts, if badly.
#[tokio::test]
async fn the_controller_is_alive_in_an_outage_of_aws() {
    let mut world = World::unrecorded("outage").await;
    world.run(&Start::default());
    world.apply("web", "{}").await;
    world.ready("web").await;
    let longer_than_stuck = Duration::from_secs(75);
    for action in [
        "GetAccountAuthorizationDetails",
        "ListRoles",
        "ListInstanceProfiles",
        "ListPolicies",
        "GetRole",
        "GetPolicy",
        "GetInstanceProfile",
        "CreateRole",
        "CreatePolicy",
        "CreateInstanceProfile",
    ] {
        let hang = Fault::new(action, 0, FaultKind::Hang).lasting(Duration::from_hours(1));
        world.iam.inject(hang);
    }
    world.apply("other", "{}").await;
    let message = world.reason("other", "AwsUnavailable").await;
    assert!(message.contains("no answer within 5 s"), "{message}");
    let begun = Instant::now();
    while begun.elapsed() < longer_than_stuck {
        let alive = world.served("/livez").await.unwrap();
        assert_eq!(alive, "ok\n");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    world.iam.clear_faults();
    world.ready("other").await;
}

/// Nobody knows whose credentials these are, and many ask at once: each waits for one answer only.
#[tokio::test]
async fn the_controller_is_alive_while_sts_hangs() {
    let mut world = World::unrecorded("sts").await;
    let hang = Fault::new("GetCallerIdentity", 0, FaultKind::Hang);
    world.iam.inject(hang.lasting(Duration::from_hours(1)));
    world.run(&Start::default());
    for number in 0..20 {
        world.apply(&format!("web-{number}"), "{}").await;
    }
    for number in 0..20 {
        world
            .reason(&format!("web-{number}"), "AwsUnavailable")
            .await;
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(90) {
        assert_eq!(world.served("/livez").await.unwrap(), "ok\n");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    world.iam.clear_faults();
    world.ready("web-0").await;
}

/// A watch that may go on goes on without a word, so its objects are listed anew.
#[tokio::test]
async fn rights_that_come_back_make_the_controller_ready_again() {
    let world = World::apart("rights").await;
    world.apply("a", "{}").await;
    world.ready("a").await;
    let binding = "session-manager-role";
    let delete = ["delete", "clusterrolebinding", binding];
    world.plane.kubectl(&delete).await.unwrap();
    world
        .eventually("the controller is not ready, and says why", async || {
            let answer = world.served("/readyz").await;
            answer.is_err_and(|e| e.to_string().contains("apply its ClusterRole and binding"))
        })
        .await;
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kustomize/base");
    let apply = ["apply", "--server-side", "-k", base];
    world.plane.kubectl(&apply).await.unwrap();
    world
        .eventually("the controller is ready again", async || {
            world.served("/readyz").await.is_ok()
        })
        .await;
    world.apply("b", "{}").await;
    world.ready("b").await;
}

/// Objects that went with the CRD are deleted in IAM, each with one event, and the controller is not
/// ready until the kind is back.
#[tokio::test]
async fn without_the_crd_the_controller_is_not_ready_and_says_why() {
    let world = World::apart("crd").await;
    for name in ["a", "b"] {
        world.apply(name, "{}").await;
        world.ready(name).await;
    }
    assert_eq!(world.served("/readyz").await.unwrap(), "ok\n");
    world
        .kubectl(&["delete", "crd", CRD, "--timeout=180s"])
        .await;
    world
        .eventually("the controller is not ready, and says why", async || {
            let answer = world.served("/readyz").await;
            answer.is_err_and(|error| {
                error
                    .to_string()
                    .contains("does not know the kind SessionManagerRole")
            })
        })
        .await;
    assert!(world.account().is_empty());
    // Sweeps go on meanwhile, and find nothing more to do for objects that are gone.
    let sweeps = async || {
        let text = world.metrics().await;
        let line = text
            .lines()
            .find(|l| l.starts_with("smr_sweep_timestamp_seconds "));
        line.unwrap_or_default().to_owned()
    };
    for _ in 0..2 {
        let last = sweeps().await;
        world
            .eventually("another sweep", async || sweeps().await != last)
            .await;
    }
    for name in ["a", "b"] {
        let events = world.events(name).await;
        let about = |reason: &str| events.iter().filter(|(r, _)| r == reason).count();
        assert_eq!((about("Deleted"), about("Released")), (1, 0), "{events:?}");
    }
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    world.kubectl(&["apply", "--server-side", "-k", crds]).await;
    established(&world.plane, CRD).await;
    let back = Instant::now();
    world
        .eventually("the controller is ready again", async || {
            world.served("/readyz").await.is_ok()
        })
        .await;
    // A pause of at most five seconds between two attempts; it was nearly a minute.
    assert!(
        back.elapsed() < Duration::from_secs(30),
        "{:?}",
        back.elapsed()
    );
    world.apply("c", "{}").await;
    world.ready("c").await;
}
