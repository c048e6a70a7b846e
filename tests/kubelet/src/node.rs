//! The node: an API server's Pods in, a worker for each out. Binds Pods that no node has, and watches by
//! polling.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::image::Image;
use crate::worker::Worker;
use crate::{Error, forward, io};

/// Its name.
const NODE: &str = "test-node";
/// Between two looks at the Pods.
const POLL: Duration = Duration::from_millis(150);

/// What the node is started with.
#[derive(Args)]
pub struct Settings {
    /// The administrator's
    #[arg(long)]
    kubeconfig: PathBuf,
    /// Port of the API server on 127.0.0.1
    #[arg(long)]
    api_port: u16,
    /// The image that every Pod runs: a directory with oci/ and root/
    #[arg(long)]
    image: PathBuf,
    /// Where Pods and their logs are kept; short, as sockets are in it
    #[arg(long)]
    directory: PathBuf,
}

/// Sockets that lead to what listens on this machine, made as they are needed.
#[derive(Clone)]
pub struct Outlets {
    directory: PathBuf,
    api_server: PathBuf,
    made: Arc<Mutex<BTreeMap<SocketAddr, PathBuf>>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Outlets {
    fn new(directory: PathBuf, api_server: SocketAddr) -> Result<Self, Error> {
        let mut outlets = Self {
            directory,
            api_server: PathBuf::new(),
            made: Arc::default(),
            tasks: Arc::default(),
        };
        outlets.api_server = outlets.to(api_server)?;
        Ok(outlets)
    }

    pub fn api_server(&self) -> &Path {
        &self.api_server
    }

    /// The socket that leads to this address.
    pub fn to(&self, address: SocketAddr) -> Result<PathBuf, Error> {
        let poisoned = || Error::Unsupported("a worker panicked".to_owned());
        let mut made = self.made.lock().map_err(|_| poisoned())?;
        if let Some(socket) = made.get(&address) {
            return Ok(socket.clone());
        }
        let socket = self.directory.join(format!("out-{}", address.port()));
        let listener = UnixListener::bind(&socket).map_err(io(socket.display().to_string()))?;
        self.tasks
            .lock()
            .map_err(|_| poisoned())?
            .spawn(forward::inward(listener, address));
        made.insert(address, socket.clone());
        Ok(socket)
    }
}

/// Runs Pods until it is killed: what it started then ends too.
pub fn run(settings: &Settings) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.map_err(io("the runtime"))?.block_on(work(settings))
}

async fn work(settings: &Settings) -> Result<ExitCode, Error> {
    let kubeconfig = Kubeconfig::read_from(&settings.kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let image = Image::open(&settings.image)?;
    let make = |path: &Path| std::fs::create_dir_all(path).map_err(io(path.display().to_string()));
    let (pods_at, logs) = (
        settings.directory.join("pods"),
        settings.directory.join("logs"),
    );
    make(&pods_at)?;
    make(&logs)?;
    let outlets = Outlets::new(
        settings.directory.clone(),
        SocketAddr::from(([127, 0, 0, 1], settings.api_port)),
    )?;
    register(&client).await?;
    let mut known: BTreeMap<String, watch::Sender<Pod>> = BTreeMap::new();
    let mut workers = JoinSet::new();
    loop {
        // An API server that is away for a moment changes nothing.
        let pods = Api::<Pod>::all(client.clone())
            .list(&ListParams::default())
            .await;
        for pod in pods.into_iter().flatten() {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            if let Some(known) = known.get(&uid) {
                known.send_replace(pod);
                continue;
            }
            match pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
                None => bind(&client, &pod).await,
                Some(NODE) => {
                    let name = pod.metadata.name.clone().unwrap_or_default();
                    let number = known.len();
                    let worker = Worker {
                        client: client.clone(),
                        image: image.clone(),
                        directory: pods_at.join(number.to_string()),
                        log: logs.join(format!("{name}.log")),
                        outlets: outlets.clone(),
                    };
                    let (sender, receiver) = watch::channel(pod);
                    known.insert(uid, sender);
                    make(&worker.directory)?;
                    workers.spawn(worker.run(receiver));
                }
                Some(_) => {}
            }
        }
        while workers.try_join_next().is_some() {}
        tokio::time::sleep(POLL).await;
    }
}

async fn register(client: &Client) -> Result<(), Error> {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": NODE, "labels": { "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux" } },
    });
    let api: Api<Node> = Api::all(client.clone());
    api.patch(
        NODE,
        &PatchParams::apply("test-kubelet"),
        &Patch::Apply(node),
    )
    .await?;
    let ready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady" }] } });
    api.patch_status(NODE, &PatchParams::default(), &Patch::Merge(ready))
        .await?;
    Ok(())
}

/// What the scheduler does. Someone else's answer, or a Pod that is gone, needs nothing.
async fn bind(client: &Client, pod: &Pod) {
    let (Some(namespace), Some(name)) = (&pod.metadata.namespace, &pod.metadata.name) else {
        return;
    };
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name },
        "target": { "apiVersion": "v1", "kind": "Node", "name": NODE },
    });
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let parameters = PostParams::default();
    let _: kube::Result<Value> = api
        .create_subresource("binding", name, &parameters, &binding)
        .await;
}
