//! The chart's own life on a real API server, with Pods from the image: first installation, upgrade, rollback,
//! uninstallation, the ways back, and that the rights are what is used. The IAM is the emulator.

use std::collections::BTreeSet;
use std::sync::Arc;

use iam_emulator::Server;
use serde_json::{Value, json};

use crate::docs::less_the_age;
use crate::docs::pages::{Mark, blocks};
use crate::support::asking::shell;
use crate::support::iam::StandIn;
use crate::support::pods::{self, CHART, Cluster, ROOT, file_of, well};
use crate::support::{Start, World, emulator, new_namespace, record, scenarios};

/// Release, namespace, Deployment and ServiceAccount, as README has them.
const NAME: &str = "session-manager-role";
const CRD: &str = "sessionmanagerroles.sessionmanager.dev";

/// A cluster of its own with an empty account.
struct Site {
    cluster: Arc<Cluster>,
    iam: Server,
}

impl Site {
    async fn new() -> Self {
        Self {
            cluster: Arc::new(Cluster::start().await),
            iam: emulator(record()).await,
        }
    }

    /// `helm install` or `helm upgrade` of a chart as this release; what Helm prints, or what it says of a failure.
    fn helm(
        &self,
        verb: &str,
        release: &str,
        chart: &str,
        more: &Value,
        flags: &[&str],
    ) -> Result<String, String> {
        let mut values = pods::values(&Start::permissive(), &StandIn::endpoint(&self.iam));
        merge(&mut values, more);
        let file = file_of(&values);
        let mut arguments = vec![
            verb,
            release,
            chart,
            "--namespace",
            NAME,
            "--create-namespace",
            "--values",
        ];
        arguments.push(file.path().to_str().unwrap());
        arguments.extend(flags);
        let output = self.cluster.helm(&arguments);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(text(output.stderr))
        }
    }

    async fn kubectl(&self, line: &str) -> String {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.cluster.plane.kubectl(&arguments).await.unwrap()
    }

    /// CRD, objects and account, to tell whether they stay.
    async fn everything(&self) -> (String, String, iam_emulator::Snapshot) {
        let crd =
            format!("get crd {CRD} -o jsonpath={{.metadata.uid}}{{.metadata.deletionTimestamp}}");
        let objects = "get smr -A -o jsonpath={range.items[*]}{.metadata.uid}{.metadata.deletionTimestamp}{.spec}{end}";
        (
            self.kubectl(&crd).await,
            self.kubectl(objects).await,
            self.iam.emulator().snapshot(),
        )
    }

    /// No Pod of the release runs.
    async fn stopped(&self) {
        let pods = format!("get pods -n {NAME} -o name");
        self.cluster
            .eventually("the Pods are gone", async || {
                self.kubectl(&pods).await.trim().is_empty()
            })
            .await;
    }

    /// The controller works: an object asks for a look and gets it.
    async fn answers(&self, value: &str) {
        self.kubectl(&format!("annotate smr minimal -n demo --overwrite sessionmanager.dev/reconcile-requested-at={value}")).await;
        self.kubectl(&format!("wait smr minimal -n demo --for=jsonpath={{.status.lastHandledReconcileAt}}={value} --timeout=170s")).await;
    }
}

/// Helm's way: maps are merged, all else is replaced.
fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

async fn first_installation(site: &Site) {
    // The strictest level, and no more than two values of the reader's own besides what leads to the emulator.
    site.kubectl(&format!("create namespace {NAME}")).await;
    site.kubectl(&format!(
        "label namespace {NAME} pod-security.kubernetes.io/enforce=restricted"
    ))
    .await;
    let values = json!({ "aws": { "roleArn": pods::role_arn(NAME) } });
    let notes = site.helm("install", NAME, CHART, &values, &[]).unwrap();
    assert!(
        notes.contains("The controller of the cluster 'test' is installed"),
        "{notes}"
    );
    site.cluster.rolled_out(NAME, NAME).await;
    let account = site
        .kubectl(&format!(
            "get serviceaccount {NAME} -n {NAME} -o jsonpath={{.metadata.annotations}}"
        ))
        .await;
    assert!(account.contains("eks.amazonaws.com/role-arn"), "{account}");
    site.kubectl("create namespace demo").await;
    site.kubectl(&format!(
        "apply --server-side -n demo -k {ROOT}/deploy/samples"
    ))
    .await;
    site.kubectl("wait smr --all -n demo --for=condition=Ready --timeout=170s")
        .await;
    assert!(
        site.iam
            .emulator()
            .snapshot()
            .roles
            .contains_key("demo.web-fleet")
    );
    print_what_it_costs(site).await;
}

/// For whoever reads the log of a run. The program is a debug build here.
async fn print_what_it_costs(site: &Site) {
    let times = "{range .items[*]}{.status.containerStatuses[0].state.running.startedAt} {.status.conditions[?(@.type==\"Ready\")].lastTransitionTime}\n{end}";
    let path = format!("jsonpath={times}");
    let arguments = ["get", "pods", "-n", NAME, "-o", &path];
    let printed = site.cluster.plane.kubectl(&arguments).await.unwrap();
    for line in printed.lines().filter(|line| !line.is_empty()) {
        let (started, ready) = line.split_once(' ').unwrap();
        let [started, ready] = [started, ready].map(|t| t.parse::<jiff::Timestamp>().unwrap());
        println!(
            "from its start until it is Ready, probes included: {:#}",
            ready - started
        );
    }
    let metrics = site.cluster.metrics().await;
    assert_eq!(metrics.len(), 2);
    for page in metrics {
        let memory = page
            .lines()
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        let memory: f64 = memory.expect("no memory in /metrics").parse().unwrap();
        println!("memory of a replica: {:.1} MiB", memory / 1024.0 / 1024.0);
    }
}

/// As kubelet and eviction API have it: a leader that is not Ready can be drained, and the other takes over.
async fn a_drain_takes_one_at_a_time(site: &Site) {
    let pods = site
        .kubectl(&format!(
            "get pods -n {NAME} -o jsonpath={{.items[*].metadata.name}}"
        ))
        .await;
    let mut pods: Vec<&str> = pods.split(' ').collect();
    assert_eq!(pods.len(), 2);
    let budget = format!(
        "get poddisruptionbudget {NAME} -n {NAME} -o jsonpath={{.status.disruptionsAllowed}}"
    );
    site.cluster
        .eventually("the budget allows one", async || {
            site.kubectl(&budget).await == "1"
        })
        .await;
    let evict = async |pod: &str| {
        let body = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod, "namespace": NAME } });
        let file = file_of(&body);
        let raw = format!("/api/v1/namespaces/{NAME}/pods/{pod}/eviction");
        let arguments = ["create", "--raw", &raw, "-f", file.path().to_str().unwrap()];
        site.cluster.plane.kubectl(&arguments).await
    };
    evict(pods.remove(0)).await.unwrap();
    let refused = evict(pods.remove(0)).await.unwrap_err().to_string();
    assert!(refused.contains("disruption budget"), "{refused}");
    site.cluster.rolled_out(NAME, NAME).await;
    site.answers("after-the-drain").await;
}

/// A chart whose CRD has one more field.
fn newer_chart() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .args(["-R", &format!("{ROOT}/{CHART}/.")])
        .arg(dir.path())
        .status();
    assert!(copied.unwrap().success());
    let crd = dir.path().join("files/crd.yaml");
    let text = std::fs::read_to_string(&crd).unwrap();
    let field = "              additionalPolicyArns:\n";
    let newer = text.replacen(
        field,
        &format!("              aNewField:\n                type: string\n{field}"),
        1,
    );
    assert_ne!(newer, text);
    std::fs::write(crd, newer).unwrap();
    dir
}

async fn upgrade_and_rollback(site: &Site) {
    let chart = newer_chart();
    let served = "explain smr.spec.aNewField";
    assert!(
        site.cluster
            .plane
            .kubectl(&served.split(' ').collect::<Vec<_>>())
            .await
            .is_err()
    );
    let values = json!({ "controller": { "logLevel": "debug" } });
    site.helm(
        "upgrade",
        NAME,
        chart.path().to_str().unwrap(),
        &values,
        &[],
    )
    .unwrap();
    let known = async || {
        site.cluster
            .plane
            .kubectl(&served.split(' ').collect::<Vec<_>>())
            .await
            .is_ok()
    };
    site.cluster
        .eventually("the new field is served", known)
        .await;
    site.cluster.rolled_out(NAME, NAME).await;
    well(
        site.cluster
            .helm(&["rollback", NAME, "1", "--namespace", NAME]),
    );
    site.cluster.rolled_out(NAME, NAME).await;
    let level =
        "-o jsonpath={.spec.template.spec.containers[0].env[?(@.name==\"SMR_LOG_LEVEL\")].value}";
    assert_eq!(
        site.kubectl(&format!("get deployment {NAME} -n {NAME} {level}"))
            .await,
        "info"
    );
    site.answers("after-the-rollback").await;
}

async fn uninstall_and_the_ways_back(site: &Site) {
    let before = site.everything().await;
    let uninstall = |release: &str| {
        well(
            site.cluster
                .helm(&["uninstall", release, "--namespace", NAME]),
        )
    };
    let said = uninstall(NAME);
    assert!(said.contains(CRD), "it does not say what stays: {said}");
    site.stopped().await;
    assert_eq!(site.everything().await, before);

    // Under the same name.
    site.helm("install", NAME, CHART, &json!({}), &[]).unwrap();
    site.cluster.rolled_out(NAME, NAME).await;
    site.answers("under-the-same-name").await;
    uninstall(NAME);
    site.stopped().await;

    // Under another, Helm asks whose the CRD is.
    let refused = site
        .helm("install", "other", CHART, &json!({}), &[])
        .unwrap_err();
    assert!(refused.contains("meta.helm.sh/release-name"), "{refused}");
    site.helm("install", "other", CHART, &json!({}), &["--take-ownership"])
        .unwrap();
    site.cluster
        .rolled_out(NAME, &format!("other-{NAME}"))
        .await;
    site.answers("under-another-name").await;
    uninstall("other");
    site.stopped().await;
    assert_eq!(site.everything().await, before);
}

/// What kustomize installed becomes a release.
async fn takeover_of_a_kustomize_install(site: &Site) {
    site.kubectl(&format!(
        "apply --server-side --force-conflicts -k {ROOT}/deploy/admission"
    ))
    .await;
    site.kubectl(&format!(
        "apply --server-side --force-conflicts -k {ROOT}/deploy/kustomize/base"
    ))
    .await;
    let values = json!({ "controller": { "logLevel": "warn" } });
    let flags = ["--take-ownership", "--force-conflicts"];
    site.helm("install", NAME, CHART, &values, &flags).unwrap();
    site.cluster.rolled_out(NAME, NAME).await;
    site.answers("taken-over").await;
}

#[tokio::test]
async fn a_release_from_its_installation_to_its_end() {
    let site = Site::new().await;
    first_installation(&site).await;
    a_drain_takes_one_at_a_time(&site).await;
    upgrade_and_rollback(&site).await;
    uninstall_and_the_ways_back(&site).await;
    takeover_of_a_kustomize_install(&site).await;
}

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

/// A leader that can't work, such as one without rights, is not Ready; a drain may take it all the same.
#[tokio::test]
async fn a_pod_that_is_not_ready_does_not_block_a_drain() {
    let cluster = pods::cluster().await;
    let namespace = new_namespace(&cluster.plane, "unready").await;
    let values = file_of(
        &json!({ "clusterName": "test", "replicas": 1, "leaderElection": { "enabled": false },
        "crds": { "enabled": false }, "rbac": { "create": false } }),
    );
    let flags = [
        "install",
        &namespace,
        CHART,
        "--namespace",
        &namespace,
        "--values",
        values.path().to_str().unwrap(),
    ];
    well(cluster.helm(&flags));
    let get = async |what: &str, path: &str| {
        let path = format!("jsonpath={path}");
        let arguments = ["get", what, "-n", &namespace, "-o", &path];
        cluster.plane.kubectl(&arguments).await.unwrap_or_default()
    };
    let ready = "{.items[0].metadata.name} {.items[0].status.containerStatuses[0].started} {.items[0].status.containerStatuses[0].ready}";
    cluster
        .eventually("it runs and is not ready", async || {
            get("pods", ready).await.ends_with(" true false")
        })
        .await;
    let budget = "{.items[0].status.currentHealthy} {.items[0].status.expectedPods} {.items[0].status.disruptionsAllowed}";
    cluster
        .eventually("the budget allows nothing", async || {
            get("poddisruptionbudgets", budget).await == "0 1 0"
        })
        .await;
    let pod = get("pods", "{.items[0].metadata.name}").await;
    let body = file_of(
        &json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod, "namespace": namespace } }),
    );
    let raw = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
    let evict = ["create", "--raw", &raw, "-f", body.path().to_str().unwrap()];
    cluster.plane.kubectl(&evict).await.unwrap();
}

/// What a tenant may do by the cluster's own roles.
#[tokio::test]
async fn tenants_get_what_the_aggregated_roles_say() {
    let cluster = pods::cluster().await;
    cluster.has_crd().await;
    let namespace = new_namespace(&cluster.plane, "tenants").await;
    let values = file_of(
        &json!({ "clusterName": "test", "replicas": 0, "crds": { "enabled": false }, "rbac": { "aggregate": { "edit": true } } }),
    );
    let flags = [
        "install",
        &namespace,
        CHART,
        "--namespace",
        &namespace,
        "--values",
        values.path().to_str().unwrap(),
    ];
    well(cluster.helm(&flags));
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
    let may = async |user: &str, verb: &str| {
        let ask = ["auth", "can-i", verb, "smr", "--as", user, "-n", &namespace];
        cluster
            .plane
            .kubectl_output(&ask)
            .await
            .unwrap()
            .status
            .success()
    };
    cluster
        .eventually("'edit' may create", async || may("edit", "create").await)
        .await;
    cluster
        .eventually("'view' may read", async || may("view", "list").await)
        .await;
    for verb in ["create", "patch", "delete"] {
        assert!(may("edit", verb).await, "{verb}");
        assert!(!may("view", verb).await, "{verb}");
    }
    let status = [
        "auth",
        "can-i",
        "patch",
        "smr",
        "--subresource=status",
        "--as",
        "edit",
        "-n",
        &namespace,
    ];
    assert!(
        !cluster
            .plane
            .kubectl_output(&status)
            .await
            .unwrap()
            .status
            .success()
    );
}

/// A folder where the page's commands run, and a Helm that leads to the emulator.
fn desk(site: &Site) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["deploy", "crds"] {
        std::os::unix::fs::symlink(format!("{ROOT}/{folder}"), dir.path().join(folder)).unwrap();
    }
    let mut values = pods::values(&Start::default(), &StandIn::endpoint(&site.iam));
    values.as_object_mut().unwrap().remove("clusterName");
    std::fs::write(dir.path().join("emulator.json"), values.to_string()).unwrap();
    let helm = dir.path().join("helm");
    let script = "#!/bin/sh\ncase $1 in install|upgrade) exec \"$SMR_HELM\" \"$@\" --values emulator.json ;; *) exec \"$SMR_HELM\" \"$@\" ;; esac\n";
    std::fs::write(&helm, script).unwrap();
    std::fs::set_permissions(&helm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    dir
}

/// What a reader does in the first ten minutes, and after. The times are printed.
#[tokio::test]
async fn the_installation_goes_as_its_page_says() {
    const PAGE: &str = "docs/install.md";
    let site = Site {
        cluster: Arc::new(Cluster::start().await),
        // Of the page's cluster, not of the one whose calls the policy simulation judges.
        iam: emulator(None).await,
    };
    // The boundary that the page has made.
    let boundary =
        crate::support::iam::client(&StandIn::endpoint(&site.iam), crate::support::SOMEONE);
    let policy = boundary
        .create_policy()
        .policy_name("session-manager-boundary");
    policy
        .policy_document(crate::support::iam::READ_S3)
        .send()
        .await
        .unwrap();
    let desk = desk(&site);
    let begun = std::time::Instant::now();
    let mut count = 0;
    for block in blocks(PAGE) {
        if !block.marks.contains(&Mark::Helm) {
            continue;
        }
        for command in &block.commands {
            let line = format!("PATH={}:$PATH; {}", desk.path().display(), command.text);
            let answer = shell(&site.cluster.plane, desk.path(), &line).await;
            let printed = answer.unwrap_or_else(|said| {
                panic!(
                    "{}: {}\n{said}\n{}",
                    block.place,
                    command.text,
                    site.cluster.logs(NAME)
                )
            });
            if !command.prints.is_empty() {
                assert_eq!(
                    less_the_age(&printed),
                    less_the_age(&command.prints),
                    "{}",
                    block.place
                );
            }
            let first = command.text.lines().next().unwrap_or_default();
            println!("{:>5.1} s  {first}", begun.elapsed().as_secs_f64());
            count += 1;
        }
    }
    assert!(count >= 14, "{count} commands: is this the page?");
    let account = site.iam.emulator().snapshot();
    assert!(account.roles["demo.minimal"].boundary.is_some());
}
