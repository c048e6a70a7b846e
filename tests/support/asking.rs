//! What a person asks of the cluster and of the program: kubectl, a look now, the metrics. Runs programs
//! and does network IO.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use control_plane::ControlPlane;
use serde_json::Value;
use smr_api::{RECONCILE_ANNOTATION, SessionManagerRole};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::iam::StandIn;
use super::{PATIENCE, SOMEONE, World, is};

impl<I: StandIn> World<I> {
    /// Runs kubectl in the world's namespace, as an administrator.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        let all = [arguments, &["-n", &self.namespace]].concat();
        self.plane.kubectl(&all).await.unwrap()
    }

    /// The cluster's UID: that of the namespace kube-system.
    pub async fn cluster_uid(&self) -> String {
        let path = "jsonpath={.metadata.uid}";
        self.kubectl(&["get", "namespace", "kube-system", "-o", path])
            .await
    }

    /// Changes a part of the spec, as `kubectl patch` does; it must be JSON.
    pub async fn patch(&self, name: &str, spec: &str) {
        let patch = format!(r#"{{"spec":{spec}}}"#);
        self.kubectl(&["patch", "smr", name, "--type=merge", "-p", &patch])
            .await;
    }

    /// What `smr plan -o json` says of manifests, with the cluster's administrator as the person who
    /// plans.
    pub async fn plan(&self, manifests: &str, flags: &[&str]) -> Value {
        let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(&file, manifests).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_smr"))
            .args(["plan", "--cluster-name=test", "-o", "json", "-f"])
            .arg(file.path())
            .args(flags)
            .env_clear()
            .env("KUBECONFIG", self.plane.admin_kubeconfig())
            .env("AWS_ENDPOINT_URL", self.iam.endpoint())
            .env("AWS_ACCESS_KEY_ID", SOMEONE)
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .await
            .unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Asks for a look now; the value that the answer will have.
    pub async fn ask(&self, name: &str) -> String {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let value = format!("look {}", ASKED.fetch_add(1, Ordering::Relaxed));
        self.annotate(name, RECONCILE_ANNOTATION, Some(&value))
            .await;
        value
    }

    /// Asks for a look now, and waits until it has been answered and the work is done, well or not.
    pub async fn looked_at(&self, name: &str) -> SessionManagerRole {
        let asked = self.ask(name).await;
        self.status_of(name, "looked at", |s| {
            s.last_handled_reconcile_at.as_ref() == Some(&asked) && !is(s, "Reconciling", "True")
        })
        .await
    }

    /// How often the program has written to the API server about this world.
    pub fn cluster_writes(&self) -> usize {
        let ours = |event: &&control_plane::AuditEvent| {
            event.is_write() && event.user.username.contains("session-manager-role")
        };
        self.plane
            .audit_events_in(&self.namespace)
            .unwrap()
            .iter()
            .filter(ours)
            .count()
    }

    /// What the running program serves at /metrics.
    pub async fn metrics(&self) -> String {
        self.served("/metrics").await.unwrap()
    }

    /// What the running program serves at a path, where that is a 200.
    pub async fn served(&self, path: &str) -> std::io::Result<String> {
        let log = self.log();
        let said = log
            .lines()
            .rev()
            .find(|line| line.contains("serving /metrics"));
        let address = said.and_then(|line| line.rsplit("address=").next());
        let address = address.expect("no address of /metrics in the log").trim();
        let (_, port) = address.rsplit_once(':').unwrap();
        http_get(port.parse().unwrap(), path).await
    }
}

/// What a server of this machine answers, where that is a 200: anything else is an error with its text.
pub async fn http_get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 OK") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(answer)),
    }
}

/// Runs a line of a shell in a directory as the cluster's administrator; what it printed, or how it
/// failed.
pub async fn shell(plane: &ControlPlane, directory: &Path, line: &str) -> Result<String, String> {
    let path = std::env::var("PATH").unwrap();
    let running = Command::new("bash")
        .args(["-euo", "pipefail", "-c", line])
        .current_dir(directory)
        .env("PATH", format!("{}:{path}", plane.binaries().display()))
        .env("KUBECONFIG", plane.admin_kubeconfig())
        // Where kubectl keeps what it has discovered.
        .env("HOME", std::env::temp_dir())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, running)
        .await
        .map_err(|_| format!("did not return: {line}"))?
        .unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let printed = text(&output.stdout) + &text(&output.stderr);
    if output.status.success() {
        Ok(printed)
    } else {
        Err(printed)
    }
}
