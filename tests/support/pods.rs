//! A cluster whose Deployments run: the real control plane with the controllers that make Pods, the test kubelet,
//! and the image with this program. And Helm, which installs into it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Instant;

use control_plane::ControlPlane;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::OnceCell;

use super::iam::StandIn;
use super::{ACCOUNT, PATIENCE, Start, World, emulator, new_namespace, record};
use iam_emulator::Server;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The controller's chart.
pub const CHART: &str = "deploy/chart";
/// A control plane with a node.
pub struct Cluster {
    pub plane: Arc<ControlPlane>,
    logs: PathBuf,
    crd: OnceCell<()>,
}

/// The one that tests share.
pub async fn cluster() -> Arc<Cluster> {
    static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();
    let new = async || Arc::new(Cluster::start().await);
    SHARED.get_or_init(new).await.clone()
}

impl Cluster {
    /// One that no other test uses.
    pub async fn start() -> Self {
        let image = image();
        let plane = ControlPlane::start_for_pods().await.unwrap();
        let directory = plane.directory().join("node");
        let program = Path::new(env!("CARGO_BIN_EXE_smr")).with_file_name("test-kubelet");
        assert!(
            program.is_file(),
            "{} is not there: run 'cargo build -p session-manager-role -p test-kubelet', as 'make e2e' does",
            program.display()
        );
        let quoted = |path: &Path| format!("'{}'", path.display());
        let command = format!(
            "{} run --kubeconfig {} --api-port {} --image {} --directory {} >{} 2>&1",
            quoted(&program),
            quoted(plane.admin_kubeconfig()),
            plane.port(),
            quoted(&image),
            quoted(&directory),
            quoted(&plane.directory().join("test-kubelet.log")),
        );
        plane.add(&command).unwrap();
        Self {
            logs: directory.join("logs"),
            plane: Arc::new(plane),
            crd: OnceCell::const_new(),
        }
    }

    /// Installs the CRD's chart, once.
    pub async fn has_crd(&self) {
        let install = async || {
            let arguments = [
                "install",
                "session-manager-role-crds",
                "deploy/crd-chart",
                "--namespace",
                "session-manager-role-crds",
                "--create-namespace",
            ];
            well(self.helm(&arguments));
            super::established(&self.plane, "sessionmanagerroles.sessionmanager.dev").await;
        };
        self.crd.get_or_init(install).await;
    }

    /// What all Pods whose names begin so have logged.
    pub fn logs(&self, prefix: &str) -> String {
        let mut all = String::new();
        let files = std::fs::read_dir(&self.logs).into_iter().flatten();
        for file in files.map(Result::unwrap) {
            if file.file_name().to_string_lossy().starts_with(prefix) {
                all += &std::fs::read_to_string(file.path()).unwrap_or_default();
            }
        }
        all
    }

    /// What the program in each running Pod serves at /metrics, through the sockets of its probes.
    pub async fn metrics(&self) -> Vec<String> {
        let mut all = Vec::new();
        let pods = std::fs::read_dir(self.logs.with_file_name("pods")).unwrap();
        for socket in pods.map(|pod| pod.unwrap().path().join("probe-0")) {
            let Ok(mut stream) = UnixStream::connect(&socket).await else {
                continue;
            };
            let request = b"GET /metrics HTTP/1.0\r\n\r\n";
            let mut answer = String::new();
            if stream.write_all(request).await.is_ok()
                && stream.read_to_string(&mut answer).await.is_ok()
            {
                all.push(answer);
            }
        }
        all
    }

    /// Runs Helm as the administrator.
    pub fn helm(&self, arguments: &[&str]) -> Output {
        helm(self.plane.admin_kubeconfig(), arguments)
    }

    /// Installs a chart, or upgrades its release.
    pub fn install(
        &self,
        verb: &str,
        release: &str,
        chart: &str,
        namespace: &str,
        values: &Value,
        flags: &[&str],
    ) -> Output {
        let file = file_of(values);
        let values = file.path().to_str().unwrap();
        let common = [
            verb,
            release,
            chart,
            "--namespace",
            namespace,
            "--create-namespace",
            "--values",
            values,
        ];
        self.helm(&[&common, flags].concat())
    }

    /// Asks for a Pod's eviction, as a drain does.
    pub async fn evict(&self, namespace: &str, pod: &str) -> Result<String, control_plane::Error> {
        let metadata = json!({ "name": pod, "namespace": namespace });
        let body = file_of(
            &json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata }),
        );
        let raw = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
        let body = body.path().to_str().unwrap();
        self.plane
            .kubectl(&["create", "--raw", &raw, "-f", body])
            .await
    }

    /// Waits until all replicas of a Deployment are ready, as `kubectl rollout status` has it.
    pub async fn rolled_out(&self, namespace: &str, deployment: &str) {
        let arguments = [
            "rollout",
            "status",
            &format!("deployment/{deployment}"),
            "-n",
            namespace,
            "--timeout=180s",
        ];
        if let Err(error) = self.plane.kubectl(&arguments).await {
            let pods = self
                .plane
                .kubectl(&["describe", "pods", "-n", namespace])
                .await;
            let kubelet = std::fs::read_to_string(self.plane.directory().join("test-kubelet.log"));
            panic!(
                "{error}\n{}\n{}\n{}",
                pods.unwrap_or_default(),
                self.logs(deployment),
                kubelet.unwrap_or_default()
            );
        }
    }

    /// Polls until it holds.
    pub async fn eventually(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(begun.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(super::POLL).await;
        }
    }
}

/// Runs Helm with a kubeconfig; its caches and settings are of this run only.
pub fn helm(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let program = std::env::var_os("SMR_HELM").expect("SMR_HELM is not set: run this through make, or set it to what 'hack/go-tool.sh helm' prints");
    let home = tempfile::tempdir().unwrap();
    Command::new(program)
        .args(arguments)
        .current_dir(ROOT)
        .env_clear()
        .env("HOME", home.path())
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap()
}

/// What Helm printed; panics with what it said of a failure.
pub fn well(output: Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a script of this project; what it printed.
pub fn script(name: &str, arguments: &[&str]) -> String {
    well(
        Command::new(Path::new(ROOT).join(name))
            .args(arguments)
            .output()
            .unwrap(),
    )
}

/// The image with this very program, assembled once.
fn image() -> PathBuf {
    static ONCE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let assemble = || {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image");
        let output = to.to_str().unwrap();
        script(
            "hack/image.sh",
            &[
                "--strip",
                "--binary",
                env!("CARGO_BIN_EXE_smr"),
                "--output",
                output,
            ],
        );
        to
    };
    ONCE.get_or_init(assemble).clone()
}

/// The chart's values for a controller that is started so, beside an IAM on this machine.
pub fn values(start: &Start, iam: &str) -> Value {
    let mut values = json!({
        "clusterName": "test",
        "aws": { "endpointUrl": iam, "region": "us-east-1" },
        "controller": { "env": [
            { "name": "AWS_ACCESS_KEY_ID", "value": start.access_key },
            { "name": "AWS_SECRET_ACCESS_KEY", "value": "not-a-secret" },
            { "name": "AWS_EC2_METADATA_DISABLED", "value": "true" },
        ] },
    });
    let mut extra = Vec::new();
    for flag in &start.flags {
        match flag.split_once('=') {
            Some(("--resync-interval", value)) => {
                values["controller"]["resyncInterval"] = json!(value);
            }
            Some(("--allow-additional-policy", value)) => {
                values["limits"]["allowAdditionalPolicies"] = json!([value]);
            }
            _ => extra.push(flag.clone()),
        }
    }
    values["controller"]["extraArgs"] = json!(extra);
    values
}

/// ARN of a role in the tests' account.
pub fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// Values in a file, for `--values`.
pub fn file_of(values: &Value) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    std::fs::write(file.path(), values.to_string()).unwrap();
    file
}

impl World {
    /// A world whose controller Helm has installed, for this namespace alone, and that runs in Pods.
    pub async fn installed(name: &str, start: &Start) -> Self {
        let cluster = cluster().await;
        cluster.has_crd().await;
        let iam = emulator(record()).await;
        let namespace = new_namespace(&cluster.plane, name).await;
        iam.hold_to(start);
        let mut values = values(start, &StandIn::endpoint(&iam));
        values["watch"] = json!({ "namespaces": [namespace] });
        values["crds"] = json!({ "enabled": false });
        let system = format!("{namespace}-system");
        well(cluster.install("install", &namespace, CHART, &system, &values, &[]));
        let deployment = format!("{namespace}-session-manager-role");
        cluster.rolled_out(&system, &deployment).await;
        Self::in_pods(cluster, namespace, iam, deployment)
    }

    /// A world beside a controller that Helm has installed: the Deployment's name.
    pub fn in_pods(
        cluster: Arc<Cluster>,
        namespace: String,
        iam: Server,
        deployment: String,
    ) -> Self {
        Self {
            client: cluster.plane.client().unwrap(),
            plane: cluster.plane.clone(),
            namespace,
            iam,
            kubeconfig: cluster.plane.admin_kubeconfig().to_owned(),
            controller: None,
            log: PathBuf::new(),
            pods: Some((cluster, deployment)),
        }
    }
}
