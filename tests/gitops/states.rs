//! What Argo CD tells of roles that wait for a person, and its actions on them. Does network IO.

use crate::site::{Diff, Site, annotated, manifest};
use crate::support::Start;
use crate::support::iam::{LAMBDA_TRUST, tag};

#[tokio::test]
async fn a_name_that_is_taken_is_degraded_and_names_the_owner() {
    let site = Site::start("taken").await;
    let name = format!("{}.web", site.world.namespace);
    let theirs = [
        tag("sessionmanager.dev/cluster", "another"),
        tag("sessionmanager.dev/owner", "payments/web"),
    ];
    let someone = site.world.someone();
    let role = someone.create_role().role_name(&name);
    let role = role.set_tags(Some(theirs.to_vec()));
    let role = role.assume_role_policy_document(LAMBDA_TRUST);
    role.send().await.unwrap();
    let before = site.world.account().roles;
    let text = manifest("web", "{}");
    let commit = site
        .commit("Add a role", &[("web.yaml", Some(&text))])
        .await;
    site.until("Synced and Degraded", |v| {
        v.revision == commit && v.is("Synced", "Degraded")
    })
    .await;
    let message = site.until_role("web", "Degraded").await;
    let printed = site.argocd("get", &["--output", "tree=detailed"]).await;
    for said in [&message, &printed] {
        assert!(said.contains("NotOwned: the role arn:aws:iam::"), "{said}");
        assert!(
            said.contains("another cluster") && !said.contains("payments"),
            "{said}"
        );
    }
    assert_eq!(site.world.account().roles, before);
}

#[tokio::test]
async fn paused_is_suspended() {
    let site = Site::start("paused").await;
    let text = manifest("web", "{tags: {team: web}}");
    site.synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    let account = site.world.account();
    let paused = |spec| annotated("web", "{sessionmanager.dev/paused: 'true'}", spec);
    let text = paused("{tags: {team: web}}");
    let commit = site.commit("Pause", &[("web.yaml", Some(&text))]).await;
    let suspended = |commit: String| {
        move |v: &crate::site::View| v.revision == commit && v.is("Synced", "Suspended")
    };
    site.until("Synced and Suspended", suspended(commit)).await;
    // A change waits, and the tree says so.
    let text = paused("{tags: {team: ops}}");
    let commit = site
        .commit("Another team", &[("web.yaml", Some(&text))])
        .await;
    site.until("Suspended still", suspended(commit)).await;
    site.eventually("the change waits", async |site| {
        let (health, message) = site.health_of("web").await;
        health == "Suspended" && message.contains("spec of generation 2 waits")
    })
    .await;
    site.argocd("get", &["--output", "tree=detailed"]).await;
    assert_eq!(site.world.account(), account);
    let text = manifest("web", "{tags: {team: ops}}");
    site.synced("Go on", &[("web.yaml", Some(&text))]).await;
    let name = format!("{}.web", site.world.namespace);
    assert_eq!(site.world.account().roles[&name].tags["team"], "ops");
}

/// As a person clicks them. Git says nothing about the annotations, so Argo CD leaves them.
#[tokio::test]
async fn the_actions_pause_resume_and_ask_for_a_look() {
    // The stricter one: it sees every field that a sync would change.
    let site = Site::with("actions", Diff::Server, &Start::default()).await;
    let text = manifest("web", "{}");
    site.synced("Add a role", &[("web.yaml", Some(&text))])
        .await;
    let run = async |action: &str| {
        let role = ["--kind", "SessionManagerRole", "--resource-name", "web"];
        let arguments = [&["app", "actions", "run", &site.name, action], &role[..]].concat();
        site.argo.cli(&arguments).await.unwrap();
    };
    run("pause").await;
    site.until("Synced and Suspended", |v| v.is("Synced", "Suspended"))
        .await;
    site.refresh("normal").await;
    assert!(site.view().await.is("Synced", "Suspended"));
    run("resume").await;
    site.until("Synced and Healthy", |v| v.is("Synced", "Healthy"))
        .await;
    run("reconcile-now").await;
    site.eventually("the look is answered", async |site| {
        let status = site.world.get("web").await.and_then(|o| o.status);
        status.is_some_and(|s| s.last_handled_reconcile_at.is_some())
    })
    .await;
    site.refresh("normal").await;
    let view = site.view().await;
    assert_eq!(view.sync, "Synced", "{view:?}");
}
