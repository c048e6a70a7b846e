//! A commit becomes a role, a change of it follows, an invalid one is refused, and what others change
//! comes back. Does network IO.

use std::time::Duration;

use smr_api::SessionManagerRole;

use crate::site::{Site, manifest};
use crate::support::SOMEONE;
use crate::support::iam::client;
use crate::support::watcher::as_spec_says;

/// The object that a manifest makes in the site's namespace.
fn object(site: &Site, manifest: &str) -> SessionManagerRole {
    let mut object: SessionManagerRole = serde_yaml::from_str(manifest).unwrap();
    object.metadata.namespace = Some(site.world.namespace.clone());
    object
}

#[tokio::test]
async fn a_commit_becomes_a_role_and_is_never_healthy_before() {
    let site = Site::start("commit").await;
    site.world.iam.set_latency(Duration::from_millis(300));
    let text = manifest("web", "{tags: {team: web}, sessionLogs: {cloudWatch: {}}}");
    let role = object(&site, &text);
    let before = site.view().await.revision;
    let iam = site.world.iam.emulator().clone();
    let seen = site.watch(move |view| {
        let answered = iam.calls().iter().all(|c| !c.write || c.ended_ms.is_some());
        let done = answered && as_spec_says(&role, &iam.snapshot());
        let early = view.revision != before && view.health == "Healthy" && !done;
        assert!(!early, "Healthy, but IAM has {:?}", iam.snapshot());
    });
    site.synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    site.argocd("get", &[]).await;
    site.argocd("get", &["--output", "tree=detailed"]).await;
    seen.print("a commit becomes a role");
    let steps = [
        "Synced Healthy",
        "OutOfSync Missing",
        "Synced Progressing",
        "Synced Healthy",
    ];
    assert_eq!(seen.steps(), steps);
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

    // The alias of a key works nowhere in IAM: a rule of the CRD says so.
    let invalid = manifest("web", "{sessionEncryption: {kmsKeyArn: alias/sessions}}");
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
        let words = "must be the key's ARN, such as arn:aws:kms:";
        assert!(said.contains(words), "{said}");
        assert!(said.contains("spec.sessionEncryption.kmsKeyArn"), "{said}");
    }
    assert!(view.is("OutOfSync", "Healthy"), "{view:?}");
    assert!(as_spec_says(&good, &site.world.account()));

    site.synced("Not like that", &[("web.yaml", Some(&text))])
        .await;
    assert!(as_spec_says(&good, &site.world.account()));
}

#[tokio::test]
async fn a_spec_edited_by_hand_is_healed() {
    let site = Site::start("heal").await;
    let text = manifest("web", "{tags: {team: web}}");
    site.synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    let seen = site.watch(|_| ());
    site.world.patch("web", r#"{"tags":{"team":"mine"}}"#).await;
    let edited = site.world.get("web").await.unwrap().metadata.generation;
    let good = object(&site, &text);
    site.eventually("the spec is as Git says again", async |site| {
        let object = site.world.get("web").await.unwrap();
        object.spec == good.spec && object.metadata.generation > edited
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
    // Long enough for a person, and for Argo CD, to see it being repaired.
    site.world.iam.set_latency(Duration::from_millis(1500));
    let seen = site.watch(|_| ());
    let someone = client(&site.world.iam.endpoint(), SOMEONE);
    let name = format!("{}.web", site.world.namespace);
    let arn = &site.world.account().policies[&name].arn;
    let detach = someone
        .detach_role_policy()
        .role_name(&name)
        .policy_arn(arn);
    detach.send().await.unwrap();
    let message = site.until_role("web", "Progressing").await;
    assert!(message.contains("Repairing"), "{message}");
    site.argocd("get", &["--output", "tree=detailed"]).await;
    let iam = &site.world.iam;
    site.eventually("Healthy again", async |site| {
        let repaired = as_spec_says(&good, &iam.snapshot());
        site.view().await.health == "Healthy" && repaired
    })
    .await;
    seen.print("drift in IAM");
    let steps = ["Synced Healthy", "Synced Progressing", "Synced Healthy"];
    assert_eq!(seen.steps(), steps);
    assert_eq!(site.view().await.started, before.started, "it has synced");
}
