//! The charts on a real API server, without Pods: what is refused before anything is sent, what is accepted, and
//! that the chart's default is the kustomize base.

use serde_json::{Value, json};

use crate::support::pods::{CHART, ROOT, file_of, helm, script, well};
use crate::support::{established, plane};

const CRD_CHART: &str = "deploy/crd-chart";

/// Renders the chart; what it says where it can't.
async fn template(values: &Value) -> Result<String, String> {
    let plane = plane().await;
    let file = file_of(values);
    let arguments = [
        "template",
        "session-manager-role",
        CHART,
        "--namespace",
        "session-manager-role",
        "--kube-version",
        "1.33",
        "--values",
        file.path().to_str().unwrap(),
    ];
    let output = helm(plane.admin_kubeconfig(), &arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

#[tokio::test]
async fn the_charts_pass_lint() {
    let kubeconfig = plane().await.admin_kubeconfig().to_owned();
    for arguments in [
        vec!["lint", "--strict", CHART, "--set", "clusterName=test"],
        vec!["lint", "--strict", CRD_CHART],
    ] {
        well(helm(&kubeconfig, &arguments));
    }
}

/// Each with words of the refusal: of the chart itself, or of its schema, which names the value.
#[tokio::test]
async fn wrong_values_are_refused_before_anything_is_sent() {
    let refused = [
        (
            json!({}),
            "clusterName is empty. Set it to the name of this cluster",
        ),
        (json!({ "clusterName": "a b" }), "/clusterName"),
        (json!({ "clusterName": "x".repeat(64) }), "/clusterName"),
        (json!({ "clustername": "a" }), "clustername"),
        (
            json!({ "limits": { "permissionBoundaryArn": "x" } }),
            "permissionBoundaryArn",
        ),
        (
            json!({ "aws": { "roleArn": "session-manager-role" } }),
            "/aws/roleArn",
        ),
        (json!({ "aws": { "region": "Frankfurt" } }), "/aws/region"),
        (
            json!({ "controller": { "resyncInterval": "60" } }),
            "/controller/resyncInterval",
        ),
        (
            json!({ "controller": { "concurrency": 0 } }),
            "/controller/concurrency",
        ),
        (
            json!({ "controller": { "sweep": "Auto" } }),
            "/controller/sweep",
        ),
        (
            json!({ "limits": { "defaultPath": "session-manager" } }),
            "/limits/defaultPath",
        ),
        (
            json!({ "limits": { "tags": { "a": 1 } } }),
            "/limits/tags/a",
        ),
        (
            json!({ "watch": { "namespaces": "web" } }),
            "/watch/namespaces",
        ),
        (
            json!({ "image": { "digest": "sha256:abc" } }),
            "/image/digest",
        ),
        (json!({ "metrics": { "port": "http" } }), "/metrics/port"),
        (
            json!({ "fullnameOverride": "Foo_Bar" }),
            "/fullnameOverride",
        ),
        (
            json!({ "watch": { "namespaces": ["Bad_NS"] } }),
            "/watch/namespaces/0",
        ),
        (json!({ "image": { "tag": ".foo" } }), "/image/tag"),
        (
            json!({ "crds": { "keep": false } }),
            "the admission policy would refuse it. Keep the CRD (crds.keep=true)",
        ),
        (
            json!({ "leaderElection": { "enabled": false } }),
            "replicas is 2 and leaderElection.enabled is false",
        ),
        (
            json!({ "aws": { "roleArn": "arn:aws:iam::111122223333:role/a" }, "serviceAccount": { "create": false } }),
            "serviceAccount.create is false",
        ),
    ];
    for (mut values, words) in refused {
        if values.get("clusterName").is_none()
            && words != "clusterName is empty. Set it to the name of this cluster"
        {
            values["clusterName"] = json!("test");
        }
        let error = template(&values).await.expect_err(words);
        assert!(error.contains(words), "{values}: {error}");
    }
}

/// Sets of values that people have; every object of each is accepted by the API server.
fn sets() -> Vec<(&'static str, Value)> {
    let digest = format!("sha256:{}", "a".repeat(64));
    vec![
        ("default", json!({})),
        (
            "digest and pull secret",
            json!({ "image": { "digest": digest }, "imagePullSecrets": [{ "name": "registry" }] }),
        ),
        (
            "namespaced",
            json!({ "watch": { "namespaces": ["default", "kube-public"] }, "rbac": { "aggregate": { "view": false } } }),
        ),
        (
            "without the CRD",
            json!({ "crds": { "enabled": false, "protect": false } }),
        ),
        (
            "proxy and CA",
            json!({ "controller": { "env": [{ "name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128" }] },
                "caBundle": { "configMap": "ca" }, "dnsPolicy": "Default",
                "hostAliases": [{ "ip": "10.0.0.9", "hostnames": ["sts.example.com"] }] }),
        ),
        (
            "hardened network",
            json!({ "networkPolicy": { "enabled": true, "egress": [{ "ports": [{ "port": 3128, "protocol": "TCP" }] }] },
                "priorityClassName": "system-cluster-critical", "aws": { "useFips": true } }),
        ),
        (
            "one replica",
            json!({ "replicas": 1, "leaderElection": { "enabled": false }, "podDisruptionBudget": { "enabled": false },
                "controller": { "observe": true } }),
        ),
        ("monitoring", json!({ "metrics": monitoring() })),
        (
            "names that read as numbers",
            json!({ "fullnameOverride": "123", "nameOverride": "456", "priorityClassName": "7",
                "caBundle": { "configMap": "8", "key": "9" }, "serviceAccount": { "name": "10" } }),
        ),
        (
            "labels that are the chart's own, and cleared defaults",
            json!({ "commonLabels": { "app.kubernetes.io/name": "x" }, "podLabels": { "app.kubernetes.io/instance": "y" },
                "podAnnotations": null, "commonAnnotations": null, "crds": { "annotations": null },
                "serviceAccount": { "annotations": null }, "limits": { "tags": null } }),
        ),
        ("everything", everything()),
    ]
}

fn monitoring() -> Value {
    let on = json!({ "enabled": true, "labels": { "release": "prometheus" } });
    json!({ "podMonitor": on, "serviceMonitor": on, "prometheusRule": on, "dashboard": on })
}

fn everything() -> Value {
    json!({
        "metrics": monitoring(), "clusterUid": "known", "takeOverClusterUid": "former",
        "aws": { "roleArn": "arn:aws:iam::111122223333:role/session-manager-role", "region": "eu-central-1",
            "endpointUrl": "https://iam.example.com", "useFips": true, "useDualStack": true },
        "limits": { "namePrefix": "smr-", "defaultPath": "/a/", "allowPaths": ["/b/", "/c,d/"],
            "permissionsBoundaryArn": "arn:aws:iam::111122223333:policy/session-manager-boundary",
            "allowAdditionalPolicies": ["arn:aws:iam::aws:policy/*"], "tags": { "team": "a,b" }, "allowTagKeys": ["team", "cost-*"],
            "ec2Principal": "ec2.amazonaws.com" },
        "watch": { "selector": "account=production" },
        "controller": { "observe": true, "extraArgs": ["--sweep=lists"], "logFormat": "text", "logLevel": "debug",
            "env": [{ "name": "A", "value": "b" }], "envFrom": [{ "configMapRef": { "name": "more", "optional": true } }] },
        "leaderElection": { "namespace": "default", "leaseDuration": "30s" },
        "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } },
        "affinity": { "nodeAffinity": {} }, "tolerations": [{ "operator": "Exists" }],
        "serviceAccount": { "name": "mine", "annotations": { "a": "b" } },
        "rbac": { "aggregate": { "edit": true, "admin": true } },
        "crds": { "annotations": { "a": "b" } },
        "statusProtection": { "enabled": true, "alsoAllow": ["system:serviceaccount:velero:velero-server"] },
        "argocd": { "customizations": true },
        "commonLabels": { "team": "platform" }, "commonAnnotations": { "c": "d" },
        "podLabels": { "e": "f" }, "podAnnotations": { "g": "h" },
        "volumes": [{ "name": "tmp", "emptyDir": {} }], "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
        "dnsConfig": { "nameservers": ["10.0.0.10"] }, "dnsPolicy": "None",
        "extraObjects": [{ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "extra",
            "namespace": "{{ .Release.Namespace }}" }, "data": { "cluster": "{{ .Values.clusterName }}" } }],
    })
}

/// The kinds of the Prometheus operator, which the chart's objects for monitoring are of.
async fn install_prometheus_operators_kinds(plane: &control_plane::ControlPlane) {
    let directory = script("hack/prometheus-operator-crds.sh", &[]);
    for kind in ["podmonitors", "servicemonitors", "prometheusrules"] {
        let file = format!("{}/monitoring.coreos.com_{kind}.yaml", directory.trim());
        plane
            .kubectl(&["apply", "--server-side", "-f", &file])
            .await
            .unwrap();
        established(plane, &format!("{kind}.monitoring.coreos.com")).await;
    }
}

#[tokio::test]
async fn every_set_of_values_is_accepted_by_the_api_server() {
    let plane = plane().await;
    install_prometheus_operators_kinds(&plane).await;
    for (name, mut values) in sets() {
        values["clusterName"] = json!("test");
        let rendered = template(&values)
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        std::fs::write(file.path(), rendered).unwrap();
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "-f",
            file.path().to_str().unwrap(),
        ];
        let applied = plane
            .kubectl(&apply)
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(applied.contains("deployment.apps/"), "{name}: {applied}");
    }
}

/// Objects in YAML, by kind and name.
fn objects(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// Without what only one of the two ways has: Helm's labels and annotations, the Namespace (Helm makes it), and the
/// admission policy for the controller's namespace, which finds it by its name or by its label.
fn normal(mut objects: Vec<Value>) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for key in [
                    "app.kubernetes.io/version",
                    "app.kubernetes.io/managed-by",
                    "helm.sh/chart",
                    "helm.sh/resource-policy",
                ] {
                    map.remove(key);
                }
                // Every object of a release has it; those that are no part of the base are applied apart.
                if let Some(instance) = map.get("app.kubernetes.io/instance") {
                    assert_eq!(instance, "session-manager-role");
                }
                map.values_mut().for_each(strip);
                map.retain(|key, value| key != "annotations" || value != &json!({}));
            }
            Value::Array(all) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
    objects.retain(|object| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        object["kind"] != "Namespace" && !name.ends_with("namespace.sessionmanager.dev")
    });
    for object in &mut objects {
        strip(object);
        let is_crd_or_its_policy = object["apiVersion"]
            .as_str()
            .is_some_and(|v| v.contains("apiextensions") || v.contains("admissionregistration"));
        if is_crd_or_its_policy && let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("labels");
        }
        if let Some(env) = object.pointer_mut("/spec/template/spec/containers/0/env") {
            let named = env
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .find(|e| e["name"] == "SMR_CLUSTER_NAME");
            named.unwrap()["value"] = json!("");
        }
    }
    objects.sort_by_key(|o| format!("{} {}", o["kind"], o["metadata"]["name"]));
    objects
}

#[tokio::test]
async fn the_kustomize_base_is_the_charts_default() {
    let plane = plane().await;
    let mut kustomized = String::new();
    for directory in ["crds", "deploy/admission", "deploy/kustomize/base"] {
        let path = format!("{ROOT}/{directory}");
        kustomized += &plane.kubectl(&["kustomize", &path]).await.unwrap();
        kustomized += "\n---\n";
    }
    let rendered = template(&json!({ "clusterName": "test" })).await.unwrap();
    let (base, chart) = (normal(objects(&kustomized)), normal(objects(&rendered)));
    let text = |objects: &[Value]| serde_json::to_string_pretty(objects).unwrap();
    if base != chart {
        let (base, chart) = (text(&base), text(&chart));
        let diff = similar::TextDiff::from_lines(&base, &chart);
        panic!("{}", diff.unified_diff().header("kustomize", "chart"));
    }
}

/// The chart's policy for writers of status is the one of `deploy/admission`, but for names and who else may write.
#[tokio::test]
async fn the_charts_writers_of_status_are_those_of_the_manifest() {
    let path = format!("{ROOT}/deploy/admission/status-writers");
    let plane = plane().await;
    let manifest = plane.kubectl(&["kustomize", &path]).await.unwrap();
    let values = json!({ "clusterName": "test", "statusProtection": { "enabled": true } });
    let rendered = template(&values).await.unwrap();
    let policy = |yaml: &str| {
        let all = objects(yaml);
        let of_status = |o: &&Value| {
            let name = o["metadata"]["name"].as_str().unwrap_or_default();
            name.contains("status") && o["kind"] == "ValidatingAdmissionPolicy"
        };
        let spec = all.iter().find(of_status).unwrap()["spec"].clone();
        let text = spec.to_string().replace('\'', "\\\"");
        // Only the chart has a value to name more writers.
        let value = "the chart's value statusProtection.alsoAllow".replace('\'', "\\\"");
        let in_manifest =
            "the writers of the ValidatingAdmissionPolicy status-writers.sessionmanager.dev";
        text.replace(
            "session-manager-role-status.sessionmanager.dev",
            "status-writers.sessionmanager.dev",
        )
        .replace(&value, in_manifest)
    };
    assert_eq!(policy(&rendered), policy(&manifest));
}
