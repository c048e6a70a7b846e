//! The chart's own life on a real API server, with Pods from the image: first installation, upgrade, rollback,
//! uninstallation, and the ways back. The IAM is the emulator.

mod example;
mod page;
mod rights;

use std::sync::Arc;

use iam_emulator::Server;
use serde_json::{Value, json};

use crate::support::iam::StandIn;
use crate::support::pods::{self, CHART, Cluster, ROOT, well};
use crate::support::{Start, emulator, new_namespace, record};

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
        let iam = emulator(record()).await;
        iam.hold_to(&Start::permissive());
        Self {
            cluster: Arc::new(Cluster::start().await),
            iam,
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
        let output = (self.cluster).install(verb, release, chart, NAME, &values, flags);
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

/// The budget lets one Pod go, and refuses the other until the Deployment has two again.
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
    site.cluster.evict(NAME, pods.remove(0)).await.unwrap();
    let refused = site
        .cluster
        .evict(NAME, pods.remove(0))
        .await
        .unwrap_err()
        .to_string();
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

/// A leader that can't work, such as one without rights, is not Ready; a drain may take it all the same.
#[tokio::test]
async fn a_pod_that_is_not_ready_does_not_block_a_drain() {
    let cluster = pods::cluster().await;
    let namespace = new_namespace(&cluster.plane, "unready").await;
    let values = json!({ "clusterName": "test", "replicas": 1, "leaderElection": { "enabled": false },
        "crds": { "enabled": false }, "rbac": { "create": false } });
    well(cluster.install("install", &namespace, CHART, &namespace, &values, &[]));
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
    // As `kubectl drain` does, again while the API server asks for it: it takes a Pod that was not ready only
    // if the Pod's status has not changed since.
    cluster
        .eventually("a drain takes it", async || {
            cluster.evict(&namespace, &pod).await.is_ok()
        })
        .await;
}
