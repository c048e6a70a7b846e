//! Writes of status to an API server that knows of other writers. No IO.

use api_emulator::{ApiServer, Config, Resource};
use kube::api::{DeleteParams, PostParams};
use smr_api::SessionManagerRoleSpec;

use super::*;

const NAME: &str = "web";

struct Scene {
    server: ApiServer,
    people: Api<SessionManagerRole>,
    cluster: Cluster,
}

impl Scene {
    fn new() -> Self {
        let server = ApiServer::new(Config::default());
        let client = server.client("controller");
        Self {
            people: Api::namespaced(server.client("people"), "default"),
            cluster: Cluster::new(client, Fence::always(), "replica".to_owned()),
            server,
        }
    }

    async fn create(&self) -> Object {
        let new = SessionManagerRole::new(NAME, SessionManagerRoleSpec::default());
        self.people
            .create(&PostParams::default(), &new)
            .await
            .unwrap();
        self.read().await
    }

    async fn read(&self) -> Object {
        let key = Key {
            namespace: "default".to_owned(),
            name: NAME.to_owned(),
        };
        self.cluster.read(&key).await.unwrap().unwrap()
    }

    fn status(&self) -> serde_json::Value {
        let live = self.server.get(Resource::Roles, "default", NAME);
        live.unwrap()["status"]["observedGeneration"].clone()
    }
}

fn status() -> SessionManagerRoleStatus {
    SessionManagerRoleStatus {
        observed_generation: 7,
        ..SessionManagerRoleStatus::default()
    }
}

/// The API server would take it: a patch of status is not refused because of another uid.
#[tokio::test(start_paused = true)]
async fn a_status_is_never_written_to_another_object_of_the_name() {
    let scene = Scene::new();
    let old = scene.create().await;
    scene
        .people
        .delete(NAME, &DeleteParams::default())
        .await
        .unwrap();
    let gone = scene.cluster.write_status(&old, &status()).await;
    assert!(matches!(gone, Err(WriteError::Gone)), "{gone:?}");
    scene.create().await;
    let other = scene.cluster.write_status(&old, &status()).await;
    assert!(matches!(other, Err(WriteError::Gone)), "{other:?}");
    assert_ne!(scene.status(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_status_is_written_whoever_has_changed_the_object_meanwhile() {
    let scene = Scene::new();
    let object = scene.create().await;
    let patch = Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }));
    scene
        .people
        .patch(NAME, &PatchParams::default(), &patch)
        .await
        .unwrap();
    let written = scene
        .cluster
        .write_status(&object, &status())
        .await
        .unwrap();
    assert_eq!(written.uid(), object.uid());
    assert_eq!(scene.status(), 7);
    // But not where nobody may have.
    let refused = scene
        .cluster
        .write_status_if_unchanged(&object, &status())
        .await;
    assert!(matches!(refused, Err(WriteError::Refused(error)) if is_conflict(&error)));
}
