//! Sync waves: what comes after a role waits until IAM has it, and does not come where it can't have it.
//! Does network IO.

use std::time::Duration;

use crate::site::{Site, annotated};
use crate::support::KEY;
use crate::support::iam::LAMBDA_TRUST;

fn wave(name: &str, wave: &str) -> String {
    let annotation = format!("{{argocd.argoproj.io/sync-wave: '{wave}'}}");
    annotated(name, &annotation, "{}")
}

#[tokio::test]
async fn a_wave_waits_for_the_roles_of_the_one_before() {
    let site = Site::start("waves").await;
    site.world.iam.set_latency(Duration::from_millis(300));
    let (first, second) = (wave("first", "0"), wave("second", "1"));
    let files = [
        ("a.yaml", Some(second.as_str())),
        ("b.yaml", Some(first.as_str())),
    ];
    site.synced("Two waves", &files).await;
    let writes = |role: &str| {
        let name = format!("{}.{role}", site.world.namespace);
        let calls = site.world.iam.calls().into_iter();
        calls
            .filter(move |c| c.write && c.access_key_id == KEY)
            .filter(move |c| c.params.values().any(|value| value.ends_with(&name)))
            .collect::<Vec<_>>()
    };
    let ended = writes("first").iter().map(|c| c.ended_ms.unwrap()).max();
    let began = writes("second").iter().map(|c| c.started_ms).min();
    assert!(ended.is_some() && ended < began, "{ended:?} {began:?}");
}

#[tokio::test]
async fn a_role_that_waits_for_a_person_fails_the_sync() {
    let site = Site::start("held").await;
    let name = format!("{}.first", site.world.namespace);
    let role = site.world.someone().create_role().role_name(name);
    let role = role.assume_role_policy_document(LAMBDA_TRUST);
    role.send().await.unwrap();
    let (first, second) = (wave("first", "0"), wave("second", "1"));
    let files = [
        ("a.yaml", Some(second.as_str())),
        ("b.yaml", Some(first.as_str())),
    ];
    let commit = site.commit("Two waves", &files).await;
    site.until("the sync has failed", |v| {
        v.revision == commit && v.phase == "Failed" && v.is("OutOfSync", "Degraded")
    })
    .await;
    let printed = site.argocd("get", &["--show-operation"]).await;
    assert!(printed.contains("NotOwned: the role "), "{printed}");
    assert!(site.world.get("second").await.is_none());
}

#[tokio::test]
async fn a_paused_role_holds_the_sync() {
    let site = Site::start("holds").await;
    let options = "{argocd.argoproj.io/sync-wave: '0', sessionmanager.dev/paused: 'true'}";
    let (first, second) = (annotated("first", options, "{}"), wave("second", "1"));
    let files = [
        ("a.yaml", Some(second.as_str())),
        ("b.yaml", Some(first.as_str())),
    ];
    let commit = site.commit("Two waves", &files).await;
    site.until_role("first", "Suspended").await;
    // Of an Application with a role that is not there yet, that one is told.
    site.until("the sync waits", |v| {
        v.revision == commit && v.phase == "Running" && v.is("OutOfSync", "Missing")
    })
    .await;
    // Nor does a commit get past the sync that waits.
    let resumed = wave("first", "0");
    let commit = site.commit("Resume", &[("b.yaml", Some(&resumed))]).await;
    site.until("the commit is seen", |v| v.revision == commit)
        .await;
    site.refresh("normal").await;
    assert_eq!(site.view().await.phase, "Running");
    assert!(site.world.get("second").await.is_none());
    let paused = "sessionmanager.dev/paused";
    let first = site.world.get("first").await.unwrap();
    assert!(first.metadata.annotations.unwrap().contains_key(paused));
    // As the action Resume does.
    site.world.annotate("first", paused, None).await;
    site.until("both are there", |v| {
        v.revision == commit && v.is("Synced", "Healthy") && v.phase == "Succeeded"
    })
    .await;
    site.world.ready("second").await;
}
