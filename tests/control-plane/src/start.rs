//! Starts and stops the servers. In: where the binaries are; out: running servers and kubeconfigs.
//! Starts processes and writes files in a temporary directory.
//!
//! A small shell watches over the servers: it ends them when its standard input closes, which
//! happens when this process drops its end, also by dying.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tempfile::{NamedTempFile, TempDir};

use crate::Error;

/// The administrator's bearer token; the servers listen on loopback only.
const ADMIN_TOKEN: &str = "administrator-of-a-test";
/// From the start of etcd until the API server is ready, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(3);
/// A port may be taken between looking for it and listening on it.
const TRIES: usize = 4;

/// Writes and what is asked for by or about whom it says here. All reads would be most of the log, as tests poll.
fn audit_policy(purpose: For) -> String {
    let besides = match purpose {
        For::Objects => "resources: [{group: coordination.k8s.io, resources: [leases]}]",
        For::Pods => "userGroups: [system:serviceaccounts]",
    };
    format!(
        "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  {besides}
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
"
    )
}

/// What the control plane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Objects only, and Leases of processes: nobody makes the Secrets and ConfigMaps that Pods need.
    Objects,
    /// Pods too.
    Pods,
}

/// Of kube-controller-manager, what deletes a namespace's contents.
pub(crate) const NAMESPACE_CONTROLLERS: &[&str] =
    &["namespace-controller", "garbage-collector-controller"];
/// What makes Pods of a Deployment and what they need, and what collects roles by their labels.
pub(crate) const POD_CONTROLLERS: &[&str] = &[
    "namespace-controller",
    "garbage-collector-controller",
    "deployment-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "disruption-controller",
    "clusterrole-aggregation-controller",
];

/// Ends its children when its input closes. The arguments are a directory to remove in the end,
/// and one command line for each server, run in the background. They are killed: nothing of theirs
/// is kept, and a kube-apiserver whose etcd is gone never ends by itself.
const WATCHDOG: &str = r#"
dir=$1; shift
for server in "$@"; do sh -c "exec $server" </dev/null & pids="$! $pids"; done
read -r _ || :
kill -KILL $pids 2>/dev/null
for pid in $pids; do wait "$pid" 2>/dev/null || :; done
[ -z "$dir" ] || rm -rf "$dir"
"#;

/// Running servers.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) binaries: PathBuf,
    pub(crate) dir: TempDir,
    pub(crate) api_port: u16,
    pub(crate) etcd_port: u16,
    pub(crate) admin_kubeconfig: PathBuf,
    servers: Mutex<Vec<Servers>>,
}

/// Servers under a watching shell. They end with this value, or with this process, however that ends.
#[derive(Debug)]
pub struct Servers(Child);

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends its children and then itself; nothing can be done about an error here.
        let _ = self.0.wait();
    }
}

impl Servers {
    /// Starts one server for each command line of the shell, all at once. The directory goes with
    /// them.
    pub fn start(dir: Option<&Path>, servers: &[String]) -> Result<Self, Error> {
        Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(dir.unwrap_or(Path::new("")))
            .args(servers)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(|reason| Error::Io {
                what: "sh".to_owned(),
                reason,
            })
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

pub(crate) async fn start(purpose: For) -> Result<Running, Error> {
    let binaries = binaries()?;
    let mut last = None;
    for _ in 0..TRIES {
        match try_start(&binaries, purpose).await {
            Ok(running) => return Ok(running),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(Error::NotReady {
        what: "the control plane",
        log: String::new(),
    }))
}

/// `SMR_CONTROL_PLANE_BIN` (set by make), or `KUBEBUILDER_ASSETS`.
fn binaries() -> Result<PathBuf, Error> {
    let set = ["SMR_CONTROL_PLANE_BIN", "KUBEBUILDER_ASSETS"]
        .iter()
        .find_map(std::env::var_os);
    let Some(dir) = set.map(PathBuf::from) else {
        return Err(Error::NotBuilt("SMR_CONTROL_PLANE_BIN".into()));
    };
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        let binary = dir.join(name);
        if !binary.is_file() {
            return Err(Error::NotBuilt(binary));
        }
    }
    Ok(dir)
}

async fn try_start(binaries: &Path, purpose: For) -> Result<Running, Error> {
    let dir = tempfile::Builder::new()
        .prefix("smr-control-plane-")
        .tempdir()
        .map_err(io("a temporary directory"))?;
    let at = |name: &str| dir.path().join(name);
    let key = rcgen::KeyPair::generate()?;
    write(&at("sa.key"), &key.serialize_pem())?;
    write(&at("sa.pub"), &key.public_key_pem())?;
    write(
        &at("tokens"),
        &format!("{ADMIN_TOKEN},administrator,administrator,system:masters\n"),
    )?;
    write(&at("audit-policy.yaml"), &audit_policy(purpose))?;
    let without = match purpose {
        For::Objects => "--disable-admission-plugins=ServiceAccount",
        For::Pods => "",
    };
    let [client_port, peer_port, api_port] = free_ports()?;
    let quoted = |path: PathBuf| format!("'{}'", path.display());
    let log = |name: &str| format!(">{} 2>&1", quoted(at(&format!("{name}.log"))));
    let etcd = format!(
        "{} --data-dir {} --unsafe-no-fsync --log-level error \
         --listen-client-urls http://127.0.0.1:{client_port} --advertise-client-urls http://127.0.0.1:{client_port} \
         --listen-peer-urls http://127.0.0.1:{peer_port} --initial-advertise-peer-urls http://127.0.0.1:{peer_port} \
         --initial-cluster default=http://127.0.0.1:{peer_port} {}",
        quoted(binaries.join("etcd")),
        quoted(at("etcd")),
        log("etcd"),
    );
    let apiserver = format!(
        "{} --etcd-servers http://127.0.0.1:{client_port} --bind-address=127.0.0.1 --secure-port {api_port} --cert-dir {} \
         --token-auth-file {} --service-account-issuer https://kubernetes.default.svc --service-account-key-file {} \
         --service-account-signing-key-file {} --authorization-mode=RBAC --service-cluster-ip-range=10.0.0.0/24 \
         {without} --audit-policy-file {} --audit-log-path {} {}",
        quoted(binaries.join("kube-apiserver")),
        quoted(at("certs")),
        quoted(at("tokens")),
        quoted(at("sa.pub")),
        quoted(at("sa.key")),
        quoted(at("audit-policy.yaml")),
        quoted(at("audit.log")),
        log("kube-apiserver"),
    );
    let mut servers = Servers::start(Some(dir.path()), &[etcd, apiserver])?;
    wait_for_certificate(&at("certs/apiserver.crt"), &mut servers, dir.path()).await?;
    let mut running = Running {
        binaries: binaries.to_owned(),
        api_port,
        etcd_port: client_port,
        admin_kubeconfig: PathBuf::new(),
        servers: Mutex::new(vec![servers]),
        dir,
    };
    running.admin_kubeconfig = running.write_kubeconfig("administrator", ADMIN_TOKEN, api_port)?;
    running.wait_until_ready().await?;
    Ok(running)
}

impl Running {
    pub(crate) async fn admin_config(&self) -> Result<Config, Error> {
        let kubeconfig = Kubeconfig::read_from(&self.admin_kubeconfig)?;
        Ok(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    pub(crate) fn write_kubeconfig(
        &self,
        user: &str,
        token: &str,
        port: u16,
    ) -> Result<PathBuf, Error> {
        let certificate = self.dir.path().join("certs/apiserver.crt");
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": {
                "server": format!("https://127.0.0.1:{port}"), "certificate-authority": certificate } }],
            "users": [{ "name": user, "user": { "token": token } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": user } }],
            "current-context": "test",
        });
        let path = self.dir.path().join(format!("{user}.kubeconfig"));
        write(&path, &kubeconfig.to_string())?;
        Ok(path)
    }

    async fn wait_until_ready(&self) -> Result<(), Error> {
        let config = self.admin_config().await?;
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            let request = kube::Client::try_from(config.clone())?;
            let answer =
                tokio::time::timeout(Duration::from_secs(5), request.apiserver_version()).await;
            let ready = match answer {
                Ok(Ok(_)) => self.is_ready().await,
                Ok(Err(_)) | Err(_) => false,
            };
            if ready {
                return Ok(());
            }
            let ended = self
                .servers
                .lock()
                .is_ok_and(|mut all| all.iter_mut().any(Servers::has_ended));
            if ended {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Error::NotReady {
            what: "kube-apiserver",
            log: logs(self.dir.path()),
        })
    }

    /// `/readyz` says more than an answer: its post-start hooks have made the default RBAC.
    async fn is_ready(&self) -> bool {
        let mut command = tokio::process::Command::new(self.binaries.join("kubectl"));
        command
            .arg("--kubeconfig")
            .arg(&self.admin_kubeconfig)
            .args(["get", "--raw", "/readyz"]);
        command
            .kill_on_drop(true)
            .output()
            .await
            .is_ok_and(|output| output.status.success())
    }

    pub(crate) fn start_controllers(&self, controllers: &[&str]) -> Result<(), Error> {
        let binary = self.binaries.join("kube-controller-manager");
        if !binary.is_file() {
            return Err(Error::NotBuilt(binary));
        }
        let [port] = free_ports()?;
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let command = format!(
            "'{}' --kubeconfig '{}' --controllers={} --leader-elect=false --use-service-account-credentials=false \
             --root-ca-file '{}' --bind-address=127.0.0.1 --secure-port={port} --cert-dir '{}' >'{}' 2>&1",
            binary.display(),
            self.admin_kubeconfig.display(),
            controllers.join(","),
            at("certs/apiserver.crt"),
            at("kcm-certs"),
            at("kube-controller-manager.log"),
        );
        self.add(&command)
    }

    /// A further process that ends with the control plane.
    pub(crate) fn add(&self, command: &str) -> Result<(), Error> {
        let started = Servers::start(None, &[command.to_owned()])?;
        if let Ok(mut servers) = self.servers.lock() {
            servers.insert(0, started);
        }
        Ok(())
    }
}

async fn wait_for_certificate(path: &Path, servers: &mut Servers, dir: &Path) -> Result<(), Error> {
    let begun = Instant::now();
    while begun.elapsed() < START_TIMEOUT && !servers.has_ended() {
        if path.is_file() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Error::NotReady {
        what: "kube-apiserver",
        log: logs(dir),
    })
}

/// Free ports of 127.0.0.1. The kernel chooses; all are held until all are chosen, so that they differ.
pub fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io("a free port"))?;
        *port = listener.local_addr().map_err(io("a free port"))?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn logs(dir: &Path) -> String {
    let tail = |name: &str| {
        let text = std::fs::read_to_string(dir.join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    };
    format!("{}\n{}", tail("etcd.log"), tail("kube-apiserver.log"))
}

/// At once: a program that another test has started may read the file now.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let write = || {
        let new = NamedTempFile::new_in(path.parent().unwrap_or(path))?;
        std::fs::write(&new, text)?;
        new.persist(path).map_err(|failed| failed.error)
    };
    write().map_err(io(&path.display().to_string()))?;
    Ok(())
}

fn io(what: &str) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.to_owned();
    move |reason| Error::Io { what, reason }
}
