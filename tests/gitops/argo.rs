//! A real Argo CD beside the control plane: nothing in; a running Redis, repo-server, application
//! controller and API server out, set up as Argo CD ships them and with what `deploy/argocd` adds.
//! Starts processes, which end with this one, however that ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use control_plane::{ControlPlane, Servers, free_ports};
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::asking::http_get;
use crate::support::{PATIENCE, established, plane};

/// Where Applications live.
pub const NAMESPACE: &str = "argocd";
/// A port may be taken between looking for it and listening on it.
const TRIES: usize = 3;

/// A running Argo CD.
pub struct ArgoCd {
    pub plane: Arc<ControlPlane>,
    binary: PathBuf,
    dir: PathBuf,
    controller_metrics: u16,
    server: u16,
    _servers: Servers,
}

/// The one of this test program.
pub async fn argo_cd() -> &'static ArgoCd {
    static RUNNING: tokio::sync::OnceCell<ArgoCd> = tokio::sync::OnceCell::const_new();
    RUNNING
        .get_or_init(|| async {
            let built = std::env::var_os("SMR_ARGO_CD_BIN");
            let built =
                PathBuf::from(built.expect("SMR_ARGO_CD_BIN is not set: run this through make"));
            let plane = plane().await;
            // Argo CD deletes in the foreground, which ends with the garbage collector.
            plane.start_namespace_controller().unwrap();
            install(&plane, &built).await;
            let mut why = String::new();
            for _ in 0..TRIES {
                match start(&plane, &built).await {
                    Ok(argo) => return argo,
                    Err(error) => why = error,
                }
            }
            panic!("Argo CD did not become ready:\n{why}");
        })
        .await
}

/// What the installation manifests of Argo CD hold, less what a cluster would run; then ours.
async fn install(plane: &ControlPlane, built: &std::path::Path) {
    let manifests = built.join("manifests");
    let apply = async |arguments: &[&str]| {
        let all = [&["apply", "--server-side", "-n", NAMESPACE], arguments].concat();
        plane.kubectl(&all).await.unwrap();
    };
    plane
        .kubectl(&["create", "namespace", NAMESPACE])
        .await
        .unwrap();
    apply(&["-k", manifests.join("crds").to_str().unwrap()]).await;
    apply(&["-k", manifests.join("config").to_str().unwrap()]).await;
    // As docs/gitops.md has it.
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/argocd/argocd-cm.yaml");
    let patch = ["patch", "configmap", "argocd-cm", "-n", NAMESPACE];
    let patch = [&patch[..], &["--type", "merge", "--patch-file", ours]].concat();
    plane.kubectl(&patch).await.unwrap();
    for kind in ["applications", "appprojects"] {
        established(plane, &format!("{kind}.argoproj.io")).await;
    }
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(&file, settings(plane).to_string()).unwrap();
    let file = file.path().to_str().unwrap();
    apply(&["--field-manager=settings", "-f", file]).await;
}

/// The key that Argo CD's installer makes, the cluster under the address it has here, and a project
/// that allows everything.
fn settings(plane: &ControlPlane) -> Value {
    let kubeconfig = Kubeconfig::read_from(plane.admin_kubeconfig()).unwrap();
    let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
    let user = serde_json::to_value(&kubeconfig.auth_infos[0].auth_info).unwrap();
    let certificate = std::fs::read(cluster.certificate_authority.as_ref().unwrap()).unwrap();
    let connection = json!({
        "bearerToken": user["token"],
        "tlsClientConfig": { "caData": k8s_openapi::ByteString(certificate) },
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "argocd-secret" },
            "stringData": { "server.secretkey": "not-a-secret" },
        },
        {
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "cluster", "labels": { "argocd.argoproj.io/secret-type": "cluster" } },
            "stringData": {
                "name": "here", "server": cluster.server, "config": connection.to_string(),
            },
        },
        {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
            "metadata": { "name": "default" },
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{ "server": "*", "namespace": "*" }],
                "clusterResourceWhitelist": [{ "group": "*", "kind": "*" }],
            },
        },
    ]})
}

async fn start(plane: &Arc<ControlPlane>, built: &std::path::Path) -> Result<ArgoCd, String> {
    let dir = tempfile::Builder::new()
        .prefix("smr-argo-cd-")
        .tempdir()
        .unwrap();
    // From here on the watching shell removes it.
    let dir = dir.keep();
    for name in ["tmp", "home", "config"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    let ports = free_ports().unwrap();
    let [
        redis,
        repo,
        repo_metrics,
        controller_metrics,
        server,
        server_metrics,
    ] = ports;
    let binary = built.join("argocd");
    // What would be below /tmp and /app otherwise.
    // Argo CD renders charts by the `helm` on its PATH.
    let helm = PathBuf::from(
        std::env::var_os("SMR_HELM").expect("SMR_HELM is not set: run this through make"),
    );
    let path = format!(
        "{}:{}",
        helm.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let at = dir.display();
    let component = |name: &str, flags: &str| {
        format!(
            "env -i PATH='{path}' HOME='{at}/home' TMPDIR='{at}/tmp' ARGOCD_BINARY_NAME={name} \
             ARGOCD_GPG_ENABLED=false ARGOCD_GNUPGHOME='{at}/config' ARGOCD_SSH_DATA_PATH='{at}/config' \
             ARGOCD_TLS_DATA_PATH='{at}/config' ARGOCD_ASK_PASS_SOCK='{at}/ask-pass.sock' \
             '{}' --redis 127.0.0.1:{redis} {flags} >'{at}/{name}.log' 2>&1",
            binary.display(),
        )
    };
    let cluster = format!(
        "--kubeconfig '{}' --namespace {NAMESPACE} --repo-server 127.0.0.1:{repo} --repo-server-plaintext",
        plane.admin_kubeconfig().display()
    );
    let commands = [
        format!(
            "'{}' -addr 127.0.0.1:{redis} >'{at}/redis.log' 2>&1",
            built.join("redis").display()
        ),
        component(
            "argocd-repo-server",
            &format!(
                "--loglevel warn --disable-tls --address 127.0.0.1 --port {repo} --metrics-address 127.0.0.1 --metrics-port {repo_metrics}"
            ),
        ),
        // It looks when an object changes or when it is asked to, as after a push; its own interval
        // would only blur what is counted.
        component(
            "argocd-application-controller",
            &format!(
                "{cluster} --metrics-port {controller_metrics} --app-resync 3600 --app-resync-jitter 0"
            ),
        ),
        component(
            "argocd-server",
            &format!(
                "{cluster} --loglevel warn --insecure --disable-auth --address 127.0.0.1 --port {server} \
                 --metrics-address 127.0.0.1 --metrics-port {server_metrics} --staticassets '{at}/home'"
            ),
        ),
    ];
    let servers = Servers::start(Some(&dir), &commands).unwrap();
    let argo = ArgoCd {
        plane: plane.clone(),
        binary,
        dir,
        controller_metrics,
        server,
        _servers: servers,
    };
    let begun = Instant::now();
    for port in [repo_metrics, controller_metrics, server] {
        while http_get(port, "/healthz").await.is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(argo.logs());
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    Ok(argo)
}

impl ArgoCd {
    /// The cluster, as Applications name it.
    pub fn destination(&self) -> String {
        format!("https://127.0.0.1:{}", self.plane.port())
    }

    /// Runs the `argocd` of a person; what it printed, or what it said of the failure.
    pub async fn cli(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.binary)
            .args(arguments)
            .args(["--server", &format!("127.0.0.1:{}", self.server)])
            .arg("--plaintext")
            .env_clear()
            .env("HOME", self.dir.join("home"))
            .env("ARGOCD_BINARY_NAME", "argocd")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// What Argo CD's API answers below an Application's name. Of the Application itself it tells the
    /// health of its resources too, which the object in the cluster lacks.
    pub async fn api(&self, path: &str) -> Value {
        let answer = http_get(self.server, &format!("/api/v1/applications/{path}")).await;
        serde_json::from_str(&answer.unwrap()).unwrap()
    }

    /// The sum of the application controller's counts of a metric whose labels contain `label`.
    pub async fn metric(&self, name: &str, label: &str) -> u64 {
        let all = http_get(self.controller_metrics, "/metrics").await.unwrap();
        all.lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name) && line.contains(label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// What a component has logged.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(format!("{name}.log"))).unwrap_or_default()
    }

    /// The ends of the logs.
    pub fn logs(&self) -> String {
        let tail = |name: &str| {
            let text = self.log(name);
            let lines: Vec<&str> = text.lines().rev().take(15).collect();
            let lines: Vec<&str> = lines.into_iter().rev().collect();
            format!("--- {name}\n{}\n", lines.join("\n"))
        };
        [
            "redis",
            "argocd-repo-server",
            "argocd-application-controller",
            "argocd-server",
        ]
        .map(tail)
        .concat()
    }
}
