//! Deletion in the real cluster: of objects that have become invalid, and of whole namespaces.

use crate::support::World;
use serde_json::json;

#[tokio::test]
async fn an_object_that_has_become_invalid_is_deleted_cleanly() {
    let world = World::start("invalid").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    // Valid for the API server, not for this controller.
    world
        .apply(
            "web",
            "{additionalPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']}",
        )
        .await;
    let message = world.reason("web", "InvalidSpec").await;
    assert!(
        message.starts_with("spec.additionalPolicyArns[0]: ")
            && message.contains("--allow-additional-policy"),
        "{message}"
    );
    world.delete("web").await;
    world.gone("web").await;
    assert!(world.account().is_empty());
}

#[tokio::test]
async fn deleting_the_namespace_ends() {
    // The controllers that delete work on every namespace of a cluster.
    let world = World::apart("ending").await;
    world.plane.start_namespace_controller().unwrap();
    for name in ["a", "b"] {
        world.apply(name, "{}").await;
        world.ready(name).await;
    }
    world
        .plane
        .kubectl(&["delete", "namespace", &world.namespace, "--wait=false"])
        .await
        .unwrap();
    world
        .eventually("the namespace is gone", async || {
            let spaces: kube::Api<k8s_openapi::api::core::v1::Namespace> =
                kube::Api::all(world.plane.client().unwrap());
            spaces.get_opt(&world.namespace).await.unwrap().is_none()
        })
        .await;
    assert!(world.account().is_empty(), "{:?}", world.account());
}

#[tokio::test]
async fn a_finalizer_of_someone_else_is_left_alone() {
    let world = World::start("finalizer").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    let patch = json!({ "metadata": { "finalizers": ["example.com/theirs", "sessionmanager.dev/iam-cleanup"] } });
    world
        .api()
        .patch(
            "web",
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Merge(patch),
        )
        .await
        .unwrap();
    world.delete("web").await;
    world
        .eventually("ours is off", async || {
            world.get("web").await.is_some_and(|o| {
                o.metadata.finalizers.as_deref() == Some(&["example.com/theirs".to_owned()])
            })
        })
        .await;
    assert!(world.account().is_empty());
    let patch = json!({ "metadata": { "finalizers": null } });
    world
        .api()
        .patch(
            "web",
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Merge(patch),
        )
        .await
        .unwrap();
    world.gone("web").await;
}
