//! What has converged stays as it is: refreshes of both kinds, with both kinds of diff, find nothing to
//! do, and our controller has written nothing that Git owns. Does network IO.

use kube::ResourceExt;
use serde_json::json;

use crate::site::{Diff, Site, manifest, sample};
use crate::support::Start;

/// The roles of the sample repository, one that leaves everything to the defaults, and one that says
/// what those don't.
fn roles() -> [(&'static str, String); 4] {
    let rest = "{policy: {type: Managed, description: b}, role: {maxSessionDurationSeconds: 7200, tags: {a: b}}, \
         additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy', \
         'arn:aws:iam::aws:policy/AmazonSSMPatchAssociation'], mode: Enforce, deletionPolicy: Delete}";
    [
        ("production", sample("teams/web/production.yaml")),
        ("staging", sample("teams/web/staging.yaml")),
        ("plain", manifest("plain", "{}")),
        ("rest", manifest("rest", rest)),
    ]
}

const REFRESHES: usize = 20;

async fn stays_synced(name: &str, diff: Diff) {
    let site = Site::with(name, diff, &Start::permissive()).await;
    let roles = roles().map(|(name, text)| (name, format!("{name}.yaml"), text));
    let files: Vec<_> = (roles.iter())
        .map(|(_, file, text)| (file.as_str(), Some(text.as_str())))
        .collect();
    site.synced("Add roles", &files).await;
    let label = format!("name=\"{}\"", site.name);
    let before = site.view().await;
    let synced = site.argo.metric("argocd_app_sync_total", &label).await;
    assert!(synced >= 1, "the metric of syncs is not there");
    let writes = site.world.cluster_writes();
    let seen = site
        .watch(|view| {
            assert!(view.is("Synced", "Healthy"), "{view:?}");
        })
        .await;
    for number in 0..REFRESHES {
        let how = if number % 2 == 0 { "normal" } else { "hard" };
        site.refresh(how).await;
    }
    site.eventually("all refreshes were seen", async |_| {
        // Each is two versions: the annotation comes, and goes.
        seen.so_far().len() >= 2 * REFRESHES
    })
    .await;
    let after = site.view().await;
    assert!(after.is("Synced", "Healthy"), "{after:?}");
    assert_eq!((after.started, after.phase), (before.started, before.phase));
    assert_eq!(
        site.argo.metric("argocd_app_sync_total", &label).await,
        synced
    );
    assert_eq!(site.world.cluster_writes(), writes);
    for (name, ..) in &roles {
        owns_status_and_finalizer_only(&site, name).await;
    }
    println!("{name}: {REFRESHES} refreshes, no OutOfSync, no sync, no write of ours");
    // To the last moment.
    seen.so_far();
}

/// What the API server keeps of who wrote what.
async fn owns_status_and_finalizer_only(site: &Site, name: &str) {
    let object = site.world.get(name).await.unwrap();
    let ours = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        entry.manager.as_deref() == Some("session-manager-role")
    };
    let mut seen = 0;
    for entry in object.managed_fields().iter().filter(ours) {
        let mut fields = entry.fields_v1.clone().unwrap().0;
        if entry.subresource.as_deref() == Some("status") {
            fields.as_object_mut().unwrap().remove("f:status");
            assert_eq!(fields, json!({}), "{name}");
        } else {
            let finalizers = json!({ "f:metadata": { "f:finalizers": {
                ".": {}, "v:\"sessionmanager.dev/iam-cleanup\"": {} } } });
            assert_eq!(fields, finalizers, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 2, "{:?}", object.managed_fields());
}

#[tokio::test]
async fn synced_stays_synced_with_client_side_diff() {
    stays_synced("stays-client", Diff::Client).await;
}

#[tokio::test]
async fn synced_stays_synced_with_server_side_diff() {
    stays_synced("stays-server", Diff::Server).await;
}
