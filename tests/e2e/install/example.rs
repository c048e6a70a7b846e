//! The example overlay as it stands there: what a controller with its settings asks of IAM is what the policy
//! simulation judges by `deploy/iam/policy.json`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::NAME;
use crate::support::iam::{LAMBDA_TRUST, StandIn};
use crate::support::pods::{Cluster, ROOT, file_of};
use crate::support::rights::held;
use crate::support::{ACCOUNT, EXAMPLE_KEY, World, emulator, new_namespace, record, scenarios};

/// What `kubectl apply -k` would send, and where this machine's IAM and its keys are.
async fn rendered(cluster: &Cluster, iam: &str) -> Value {
    let overlay = format!("{ROOT}/deploy/kustomize/overlays/example");
    let arguments = ["create", "--dry-run=client", "-k", &overlay, "-o", "json"];
    let printed = cluster.plane.kubectl(&arguments).await.unwrap();
    let items = serde_json::Deserializer::from_str(&printed).into_iter();
    let mut items: Vec<Value> = items.map(Result::unwrap).collect();
    let mut deployments = items.iter_mut().filter(|i| i["kind"] == "Deployment");
    let deployment = deployments.next().expect("the overlay has a Deployment");
    let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
    let env = container["env"].as_array_mut().unwrap();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", iam),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", EXAMPLE_KEY),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        env.push(json!({ "name": name, "value": value }));
    }
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

#[tokio::test]
async fn the_example_overlay_works_with_the_policy_of_its_page() {
    let cluster = Arc::new(Cluster::start().await);
    cluster.has_crd().await;
    let iam = emulator(record()).await;
    let file = |name: &str| std::fs::read_to_string(format!("{ROOT}/deploy/iam/{name}.json"));
    let (policy, scp) = (file("policy").unwrap(), file("scp").unwrap());
    let role = format!("arn:aws:iam::{ACCOUNT}:role/session-manager-role");
    iam.set_enforced(vec![held(EXAMPLE_KEY, &policy, &scp, &role)]);
    let list = file_of(&rendered(&cluster, &StandIn::endpoint(&iam)).await);
    let apply = [
        "apply",
        "--server-side",
        "-f",
        list.path().to_str().unwrap(),
    ];
    cluster.plane.kubectl(&apply).await.unwrap();
    cluster.rolled_out(NAME, NAME).await;
    let namespace = new_namespace(&cluster.plane, "example").await;
    let world = World::in_pods(cluster, namespace, iam, NAME.to_owned());
    let someone = world.someone();
    let boundary = someone
        .create_policy()
        .policy_name("session-manager-boundary");
    let document = file("boundary").unwrap();
    boundary.policy_document(document).send().await.unwrap();

    scenarios::every_change_of_the_document(&world).await;
    scenarios::the_policy_type_changes_both_ways(&world).await;
    let name = format!("{}.web", world.namespace);
    let role = &world.account().roles[&name];
    assert!(role.boundary.is_some(), "the overlay's boundary");
    // What the role has beside its policy, and what someone else takes off or changes.
    world
        .apply("web", "{tags: {team: a}, role: {description: changed}}")
        .await;
    world.ready("web").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    let as_it_should_be = world.account();

    let trust = someone.update_assume_role_policy().role_name(&name);
    trust.policy_document(LAMBDA_TRUST).send().await.unwrap();
    let off = someone.delete_role_permissions_boundary().role_name(&name);
    off.send().await.unwrap();
    world.ask("web").await;
    world
        .eventually("all is repaired", async || {
            world.account() == as_it_should_be
        })
        .await;
    world.delete("web").await;
    world.gone("web").await;
    scenarios::retain_leaves_everything(&world).await;
    let retained = world.seen().await;
    assert_eq!(retained.roles.len(), 1);
}
