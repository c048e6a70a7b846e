//! Our chart by Argo CD: it renders the same each time, so that what is synced stays synced. (Nothing runs the
//! Deployment's Pods here, so the Application never becomes Healthy.) Does network IO.

use std::path::Path;
use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::argo::{ArgoCd, argo_cd};
use crate::repo::Repo;
use crate::site::{View, applications, turn};

const NAME: &str = "chart";
const PATIENCE: Duration = Duration::from_mins(3);

async fn annotate(argo: &ArgoCd, how: &str) {
    let patch = json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": how } } });
    applications(argo)
        .patch(NAME, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// Waits for a version of the Application.
async fn until(argo: &ArgoCd, what: &str, wanted: impl Fn(&View, &Value) -> bool) -> View {
    let begun = Instant::now();
    loop {
        let object = applications(argo).get(NAME).await.unwrap();
        let view = View::of(&object);
        let annotations = json!(object.metadata.annotations);
        if wanted(&view, &annotations) {
            return view;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "never: {what}\n{view:?}\n{}\n{}",
            object.data["status"],
            argo.logs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_chart_is_synced_and_twenty_refreshes_find_no_difference() {
    let _turn = turn().await;
    let argo = argo_cd().await;
    let repo = Repo::new();
    repo.add(
        NAME,
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/chart"),
    );
    let application = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": { "name": NAME },
        "spec": {
            "project": "default",
            "source": {
                "repoURL": repo.url(), "targetRevision": "main", "path": NAME,
                "helm": { "releaseName": "gitops", "valuesObject": { "clusterName": "test" } },
            },
            "destination": { "server": argo.destination(), "namespace": "gitops-chart" },
            "syncPolicy": {
                "automated": { "prune": true, "selfHeal": true },
                "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"],
                "retry": { "limit": 0 },
            },
        },
    });
    applications(argo)
        .patch(
            NAME,
            &PatchParams::apply("a-person"),
            &Patch::Apply(application),
        )
        .await
        .unwrap();
    let synced = until(argo, "Synced", |v, _| {
        v.sync == "Synced" && v.phase == "Succeeded"
    })
    .await;
    for number in 0..20 {
        annotate(argo, if number % 2 == 0 { "normal" } else { "hard" }).await;
        let is_done =
            |_: &View, annotations: &Value| annotations.get("argocd.argoproj.io/refresh").is_none();
        let view = until(argo, "the refresh is done", is_done).await;
        assert_eq!(view.sync, "Synced", "{view:?}");
        assert_eq!(view.started, synced.started, "it was synced again");
    }
}
