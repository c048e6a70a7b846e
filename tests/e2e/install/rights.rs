//! Who may do what in the cluster: the controller what it uses, and tenants what the aggregated roles say. The audit log
//! and RBAC's own answers in; a test panics where they differ.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{NAME, Site};
use crate::support::pods::{self, CHART, Cluster, well};
use crate::support::{Start, World, new_namespace, scenarios};

/// Group, resource and verb of everything that a set of rules grants.
fn granted(roles: &Value) -> BTreeSet<String> {
    let list = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = BTreeSet::new();
    for rule in roles["items"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|role| role["rules"].as_array().unwrap())
    {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                all.extend(
                    list(&rule["verbs"])
                        .iter()
                        .map(|verb| format!("{group} {resource} {verb}")),
                );
            }
        }
    }
    all
}

/// The same of everything that a ServiceAccount has asked for; a refusal for want of rights panics.
fn used(cluster: &Cluster, account: &str) -> BTreeSet<String> {
    let events = cluster.plane.audit_events().unwrap().into_iter();
    let mut all = BTreeSet::new();
    for event in events.filter(|e| e.user.username == account && !e.object.resource.is_empty()) {
        assert_ne!(event.response.code, 403, "{event:?}");
        let mut resource = event.object.resource.clone();
        if !event.object.subresource.is_empty() {
            resource = format!("{resource}/{}", event.object.subresource);
        }
        all.insert(format!("{} {resource} {}", event.object.group, event.verb));
    }
    all
}

/// What an object's life asks of the cluster, the same event twice included.
async fn a_life(world: &World) {
    scenarios::creation(world).await;
    scenarios::every_field_that_can_change(world).await;
    let role = format!("{}.managed", world.namespace);
    for _ in 0..2 {
        world
            .someone()
            .update_role()
            .role_name(&role)
            .description("changed")
            .send()
            .await
            .unwrap();
        world
            .eventually("it is repaired", async || {
                world.account().roles[&role].description.as_deref() != Some("changed")
            })
            .await;
        world.looked_at("managed").await;
    }
    world
        .kubectl(&["delete", "smr", "--all", "--timeout=170s"])
        .await;
    assert!(world.account().roles.is_empty());
}

#[tokio::test]
async fn the_controller_uses_every_right_that_it_has_in_all_namespaces() {
    let site = Site::new().await;
    site.helm("install", NAME, CHART, &json!({}), &[]).unwrap();
    site.cluster.rolled_out(NAME, NAME).await;
    let namespace = new_namespace(&site.cluster.plane, "rights").await;
    let world = World::in_pods(site.cluster.clone(), namespace, site.iam, NAME.to_owned());
    a_life(&world).await;
    let label =
        format!("app.kubernetes.io/instance={NAME},!rbac.authorization.k8s.io/aggregate-to-view");
    let roles = world
        .plane
        .kubectl(&[
            "get",
            "clusterroles,roles",
            "-A",
            "-l",
            &label,
            "-o",
            "json",
        ])
        .await;
    let roles = granted(&serde_json::from_str(&roles.unwrap()).unwrap());
    assert_eq!(
        used(
            &site.cluster,
            &format!("system:serviceaccount:{NAME}:{NAME}")
        ),
        roles
    );
}

#[tokio::test]
async fn the_controller_uses_every_right_that_it_has_in_one_namespace() {
    let world = World::installed("one-namespace", &Start::permissive()).await;
    a_life(&world).await;
    let namespace = &world.namespace;
    let label = format!(
        "app.kubernetes.io/instance={namespace},!rbac.authorization.k8s.io/aggregate-to-view"
    );
    let get = async |kind: &str| -> Value {
        let found = world
            .plane
            .kubectl(&["get", kind, "-A", "-l", &label, "-o", "json"])
            .await;
        serde_json::from_str(&found.unwrap()).unwrap()
    };
    assert_eq!(get("clusterroles").await["items"], json!([]));
    let roles = granted(&get("roles").await);
    let account = format!("system:serviceaccount:{namespace}-system:{namespace}-{NAME}");
    assert_eq!(used(pods::cluster().await.as_ref(), &account), roles);
}

/// What a tenant may do by the cluster's own roles.
#[tokio::test]
async fn tenants_get_what_the_aggregated_roles_say() {
    let cluster = pods::cluster().await;
    cluster.has_crd().await;
    let namespace = new_namespace(&cluster.plane, "tenants").await;
    let values = json!({ "clusterName": "test", "replicas": 0, "crds": { "enabled": false }, "rbac": { "aggregate": { "edit": true } } });
    well(cluster.install("install", &namespace, CHART, &namespace, &values, &[]));
    for role in ["view", "edit"] {
        let binding = [
            "create",
            "rolebinding",
            role,
            "--clusterrole",
            role,
            "--user",
            role,
            "-n",
            &namespace,
        ];
        cluster.plane.kubectl(&binding).await.unwrap();
    }
    let may = async |user: &str, ask: &[&str]| {
        let common = ["auth", "can-i", "--as", user, "-n", &namespace];
        let output = cluster.plane.kubectl_output(&[&common, ask].concat()).await;
        output.unwrap().status.success()
    };
    cluster
        .eventually("'edit' may create", async || {
            may("edit", &["create", "smr"]).await
        })
        .await;
    cluster
        .eventually("'view' may read", async || {
            may("view", &["list", "smr"]).await
        })
        .await;
    for verb in ["create", "patch", "delete"] {
        assert!(may("edit", &[verb, "smr"]).await, "{verb}");
        assert!(!may("view", &[verb, "smr"]).await, "{verb}");
    }
    let status = ["patch", "smr", "--subresource=status"];
    assert!(!may("edit", &status).await);
}
