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

/// Refuses that our finalizer is removed, in one namespace.
fn holding(namespace: &str) -> String {
    format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: hold-{namespace}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {{apiGroups: [sessionmanager.dev], apiVersions: [v1alpha1], operations: [UPDATE], resources: [sessionmanagerroles]}}
  validations:
    - expression: '!has(oldObject.metadata.finalizers) || (has(object.metadata.finalizers) && size(object.metadata.finalizers) >= size(oldObject.metadata.finalizers))'
      message: a finalizer is held
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: hold-{namespace}}}
spec:
  policyName: hold-{namespace}
  validationActions: [Deny]
  matchResources:
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
"
    )
}

/// What is deleted is gone in the next pass: that is no news, and no sign that nothing was ours.
#[tokio::test]
async fn a_deletion_whose_end_is_refused_is_told_once() {
    let world = World::start("held").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.yaml");
    std::fs::write(&file, holding(&world.namespace)).unwrap();
    let file = file.to_str().unwrap();
    world.plane.kubectl(&["apply", "-f", file]).await.unwrap();
    // The API server takes a moment until it enforces a policy.
    let probe = r#"{"metadata":{"finalizers":null}}"#;
    world
        .eventually("the policy is enforced", async || {
            let patch = [
                "patch",
                "smr",
                "web",
                "-n",
                &world.namespace,
                "--type=merge",
                "--dry-run=server",
                "-p",
                probe,
            ];
            world.plane.kubectl(&patch).await.is_err()
        })
        .await;
    world.delete("web").await;
    let removals = || {
        let events = world.plane.audit_events_in(&world.namespace).unwrap();
        let ours = events
            .iter()
            .filter(|e| e.user.username.contains("session-manager-role"));
        ours.filter(|e| e.is_write() && e.response.code == 422)
            .count()
    };
    world
        .eventually("the finalizer was held three times", async || {
            removals() >= 3
        })
        .await;
    world.plane.kubectl(&["delete", "-f", file]).await.unwrap();
    world.gone("web").await;
    let events = world.events("web").await;
    let about = |reason: &str| events.iter().filter(|(r, _)| r == reason).count();
    assert_eq!((about("Deleted"), about("Released")), (1, 0), "{events:?}");
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
