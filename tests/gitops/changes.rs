//! A commit becomes a role, a change of it follows, an invalid one is refused, and what others change
//! comes back. Does network IO.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use iam_emulator::{Fault, FaultKind};
use smr_api::SessionManagerRole;

use crate::site::{Diff, Site, manifest};
use crate::support::iam::client;
use crate::support::watcher::as_spec_says;
use crate::support::{SOMEONE, Start};

/// The alias of a key works nowhere in IAM: a rule of the CRD says so.
const INVALID: &str = "{sessionEncryption: {kmsKeyArn: alias/session-manager}}";
/// How it says it.
const WORDS: &str =
    "spec.sessionEncryption.kmsKeyArn must be the key's ARN, such as arn:aws:kms:eu-central-1:";

/// The object that a manifest makes in the site's namespace.
fn object(site: &Site, manifest: &str) -> SessionManagerRole {
    let mut object: SessionManagerRole = serde_saphyr::from_str(manifest).unwrap();
    object.metadata.namespace = Some(site.world.namespace.clone());
    object
}

/// IAM refuses an action as it does for a while after many changes, until a test lifts that: what the
/// controller says meanwhile stays.
fn hold(action: &str) -> Fault {
    let kind = FaultKind::updates_awaiting_replication();
    Fault::new(action, 100_000, kind)
}

#[tokio::test]
async fn a_commit_becomes_a_role_and_is_never_healthy_before() {
    let site = Site::start("commit").await;
    site.world.iam.set_latency(Duration::from_millis(300));
    let text = manifest("web", "{tags: {team: web}, sessionLogs: {cloudWatch: {}}}");
    let role = object(&site, &text);
    // One call is refused until the test has seen that work goes on.
    site.world.iam.inject(hold("AttachRolePolicy"));
    let before = site.view().await.revision;
    let iam = site.world.iam.emulator().clone();
    let seen = site
        .watch(move |view| {
            let answered = iam.calls().iter().all(|c| !c.write || c.ended_ms.is_some());
            let done = answered && as_spec_says(&role, &iam.snapshot());
            let early = view.revision != before && view.health == "Healthy" && !done;
            assert!(!early, "Healthy, but IAM has {:?}", iam.snapshot());
        })
        .await;
    let commit = site
        .commit("Add a role", &[("web.yaml", Some(&text))])
        .await;
    site.until("Synced and Progressing", |v| v.is("Synced", "Progressing"))
        .await;
    // Argo CD compares again when the health changes, not when its words do.
    site.world.reason("web", "Creating").await;
    site.refresh("normal").await;
    site.eventually("Argo CD says what goes on", async |site| {
        let (health, message) = site.health_of("web").await;
        health == "Progressing" && message.starts_with("Creating: ")
    })
    .await;
    site.argocd("get", &["--output", "tree=detailed"]).await;
    site.world.iam.clear_faults();
    site.world.ask("web").await;
    site.until("Synced and Healthy", |v| {
        v.revision == commit && v.is("Synced", "Healthy")
    })
    .await;
    site.argocd("get", &["--output", "tree=detailed"]).await;
    seen.print("a commit becomes a role");
    // Which of Argo CD's steps between them are written one by one is its own business.
    let steps = seen.steps();
    let at = |step: &str| steps.iter().position(|s| s == step);
    assert_eq!(at("Synced Healthy"), Some(0), "{steps:?}");
    let progressing = at("Synced Progressing").expect("never Progressing");
    let healthy = |step: &String| step.ends_with(" Healthy");
    let again = steps.iter().rposition(healthy).unwrap();
    assert!(again > progressing, "{steps:?}");
    assert_eq!(steps.iter().filter(|s| healthy(s)).count(), 2, "{steps:?}");
}

#[tokio::test]
async fn a_change_follows_and_an_invalid_one_is_refused_in_words() {
    let site = Site::start("change").await;
    let text = manifest("web", "{tags: {team: web}}");
    site.synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    let text = manifest("web", "{tags: {team: ops}, sessionLogs: {cloudWatch: {}}}");
    site.synced("Logs, and another team", &[("web.yaml", Some(&text))])
        .await;
    let good = object(&site, &text);
    assert!(as_spec_says(&good, &site.world.account()));

    let invalid = manifest("web", INVALID);
    let commit = site
        .commit("Encrypt sessions", &[("web.yaml", Some(&invalid))])
        .await;
    let view = site
        .until("the sync has failed", |v| {
            v.revision == commit && v.phase == "Failed"
        })
        .await;
    let printed = site.argocd("get", &[]).await;
    for said in [&view.message, &printed] {
        assert!(said.contains(WORDS), "{said}");
    }
    assert!(view.is("OutOfSync", "Healthy"), "{view:?}");
    assert!(as_spec_says(&good, &site.world.account()));

    site.synced("Not like that", &[("web.yaml", Some(&text))])
        .await;
    assert!(as_spec_says(&good, &site.world.account()));

    // With the sample's retries the next one takes up what was committed meanwhile.
    site.retry_as_the_sample().await;
    let commit = site
        .commit("Encrypt after all", &[("web.yaml", Some(&invalid))])
        .await;
    let tries = site
        .until("it will try again", |v| {
            v.revision == commit && v.phase == "Running" && v.message.contains("Retrying attempt #")
        })
        .await;
    assert!(tries.message.contains(WORDS), "{tries:?}");
    let text = manifest("web", "{tags: {team: dev}}");
    let view = site
        .synced("Really not", &[("web.yaml", Some(&text))])
        .await;
    site.argocd("get", &["--show-operation"]).await;
    // By a retry of the same operation or by a new one, as it happens: Argo CD began both.
    assert_eq!(view.phase, "Succeeded", "{view:?}");
    assert!(as_spec_says(&object(&site, &text), &site.world.account()));
}

/// The API server is asked what a sync would do, and its refusal is there before one begins.
#[tokio::test]
async fn with_server_side_diff_an_invalid_change_is_refused_before_the_sync() {
    let site = Site::with("refused", Diff::Server, &Start::default()).await;
    let text = manifest("web", "{tags: {team: web}}");
    let view = site
        .synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    let account = site.world.account();
    let (invalid, other) = (manifest("web", INVALID), manifest("other", "{}"));
    let files = [
        ("web.yaml", Some(invalid.as_str())),
        ("other.yaml", Some(other.as_str())),
    ];
    site.commit("Encrypt sessions", &files).await;
    site.eventually("the comparison has failed", async |site| {
        let application = site.api().get(&site.name).await.unwrap();
        let conditions = application.data["status"]["conditions"].to_string();
        conditions.contains("ComparisonError") && conditions.contains(WORDS)
    })
    .await;
    let printed = site.argocd("get", &[]).await;
    assert!(printed.contains(WORDS), "{printed}");
    // Nor does anything else of that commit come.
    site.refresh("normal").await;
    assert_eq!(site.view().await.started, view.started, "it has synced");
    assert!(site.world.get("other").await.is_none());
    assert_eq!(site.world.account(), account);

    let text = manifest("web", "{tags: {team: ops}}");
    site.synced("Not like that", &[("web.yaml", Some(&text))])
        .await;
    for text in [text, other] {
        assert!(as_spec_says(&object(&site, &text), &site.world.account()));
    }
}

#[tokio::test]
async fn a_spec_edited_by_hand_is_healed() {
    let site = Site::start("heal").await;
    let text = manifest("web", "{tags: {team: web}}");
    site.synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    let seen = site.watch(|_| ()).await;
    let generation = async || {
        let object = site.world.get("web").await.unwrap();
        object.metadata.generation.unwrap()
    };
    let before = generation().await;
    site.world.patch("web", r#"{"tags":{"team":"mine"}}"#).await;
    let good = object(&site, &text);
    site.eventually("the spec is as Git says again", async |site| {
        let object = site.world.get("web").await.unwrap();
        // The edit is one generation, and its end another.
        object.spec == good.spec && object.metadata.generation >= Some(before + 2)
    })
    .await;
    site.until("Synced and Healthy again", |v| v.is("Synced", "Healthy"))
        .await;
    site.world.ready("web").await;
    assert!(as_spec_says(&good, &site.world.account()));
    seen.print("a spec edited by hand");
    let left = |step: &String| step.starts_with("OutOfSync");
    assert!(seen.steps().iter().any(left), "{:?}", seen.steps());
}

#[tokio::test]
async fn drift_in_iam_is_repaired_while_the_application_stays_synced() {
    let site = Site::start("drift").await;
    let text = manifest("web", "{tags: {team: web}}");
    site.synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    let before = site.view().await;
    let good = object(&site, &text);
    site.world.settled().await;
    site.world.iam.inject(hold("AttachRolePolicy"));
    let iam = site.world.iam.emulator().clone();
    let noticed = AtomicBool::new(false);
    let seen = site
        .watch(move |view| {
            // Until the controller has looked, nobody knows of it.
            if view.health == "Progressing" {
                noticed.store(true, Ordering::Relaxed);
            }
            let repaired = as_spec_says(&good, &iam.snapshot());
            let early = noticed.load(Ordering::Relaxed) && view.health == "Healthy" && !repaired;
            assert!(!early, "Healthy, but IAM has {:?}", iam.snapshot());
        })
        .await;
    let someone = client(&site.world.iam.endpoint(), SOMEONE);
    let name = format!("{}.web", site.world.namespace);
    let arn = &site.world.account().policies[&name].arn;
    let detach = someone
        .detach_role_policy()
        .role_name(&name)
        .policy_arn(arn);
    detach.send().await.unwrap();
    site.world.reason("web", "Repairing").await;
    site.until("Synced and Progressing", |v| v.is("Synced", "Progressing"))
        .await;
    site.refresh("normal").await;
    site.eventually("Argo CD says what goes on", async |site| {
        let (health, message) = site.health_of("web").await;
        health == "Progressing" && message.contains("Repairing")
    })
    .await;
    site.argocd("get", &["--output", "tree=detailed"]).await;
    site.world.iam.clear_faults();
    site.world.ask("web").await;
    let steps = ["Synced Healthy", "Synced Progressing", "Synced Healthy"];
    site.eventually("Healthy again, and nothing else between", async |_| {
        seen.steps() == steps
    })
    .await;
    seen.print("drift in IAM");
    assert_eq!(site.view().await.started, before.started, "it has synced");
}
