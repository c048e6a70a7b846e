//! What the tests on the real control plane share: one control plane per test program, and for
//! each test a world of its own: namespace, IAM emulator (or another stand-in for IAM), and the
//! real program as a child process under its own ServiceAccount and RBAC. What a test changes for
//! others in the cluster it does in a cluster of its own ([`World::apart`]).
#![allow(dead_code)] // Each test program uses a part of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

pub mod asking;
pub mod credentials;
pub mod drift;
pub mod hand;
pub mod iam;
pub mod modes;
pub mod network;
pub mod pods;
pub mod reading;
pub mod rights;
pub mod scenarios;
mod start;
pub mod sweeps;
pub mod watcher;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use control_plane::ControlPlane;
use iam_emulator::{Config, Emulator, Server};
use kube::Api;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use serde_json::{Value, json};
use smr_api::{SessionManagerRole, SessionManagerRoleStatus};
use tokio::process::{Child, Command};

use iam::StandIn;
use pods::Cluster;
pub use start::Start;

/// The account of every world.
pub const ACCOUNT: &str = "111122223333";
/// Another account, that of [`OTHER_KEY`].
pub const OTHER_ACCOUNT: &str = "444455556666";
/// The controller's credentials.
pub const KEY: &str = "AKIACONTROLLER";
/// Credentials of someone else in the same account.
pub const SOMEONE: &str = "AKIASOMEONE";
/// Credentials of [`OTHER_ACCOUNT`].
pub const OTHER_KEY: &str = "AKIAOTHERACCOUNT";
/// Those of a second replica of the controller.
pub const SECOND_KEY: &str = "AKIASECONDREPLICA";
/// Those of a controller that is installed with the example overlay, as it stands there.
pub const EXAMPLE_KEY: &str = "AKIAEXAMPLE";
/// Which account an access key belongs to.
const CREDENTIALS: [(&str, &str); 5] = [
    (KEY, ACCOUNT),
    (EXAMPLE_KEY, ACCOUNT),
    (SECOND_KEY, ACCOUNT),
    (SOMEONE, ACCOUNT),
    (OTHER_KEY, OTHER_ACCOUNT),
];
/// Long enough for a busy machine of two cores, where the wait is for [`RECENT`] too.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// For how long after its own write the controller takes what was there before for a late reading.
pub const RECENT: Duration = Duration::from_mins(1);
/// Between two readings of what a test waits for.
const POLL: Duration = Duration::from_millis(50);

/// One test's world; its IAM is the emulator, where nothing else is said.
pub struct World<I = Server> {
    pub plane: Arc<ControlPlane>,
    pub namespace: String,
    pub iam: I,
    client: kube::Client,
    kubeconfig: PathBuf,
    controller: Option<Child>,
    log: PathBuf,
    /// Where the controller runs in Pods: the cluster, and the Deployment's name.
    pods: Option<(Arc<Cluster>, String)>,
}

impl World {
    /// A world without a running controller. Its calls are judged by the policy simulation.
    pub async fn quiet(name: &str) -> Self {
        Self::with(name, emulator(record()).await).await
    }

    /// The same, with paths, tags or flags that the simulated policy is not made for: its calls are
    /// not judged.
    pub async fn unrecorded(name: &str) -> Self {
        Self::with(name, emulator(None).await).await
    }

    /// A world with a running controller, as [`Start::default`] has it.
    pub async fn start(name: &str) -> Self {
        Self::quiet(name).await.running(&Start::default())
    }

    /// [`World::start`] for [`World::unrecorded`].
    pub async fn start_unrecorded(name: &str) -> Self {
        Self::unrecorded(name).await.running(&Start::default())
    }

    /// A world with a running controller, in a control plane that no other test uses and that ends
    /// with it.
    pub async fn apart(name: &str) -> Self {
        let plane = Arc::new(new_plane().await);
        let world = Self::at(plane, name, emulator(record()).await).await;
        world.running(&Start::default())
    }
}

/// A namespace that no other test has.
pub async fn new_namespace(plane: &ControlPlane, name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let namespace = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    plane
        .kubectl(&["create", "namespace", &namespace])
        .await
        .unwrap();
    namespace
}

/// Where calls are recorded, if they are.
pub fn record() -> Option<PathBuf> {
    std::env::var_os("IAM_EMULATOR_RECORD").map(PathBuf::from)
}

/// An empty account. `record`: where its calls are noted for the policy simulation.
pub async fn emulator(record: Option<PathBuf>) -> Server {
    let config = Config {
        account_id: ACCOUNT.to_owned(),
        credentials: CREDENTIALS
            .map(|(key, account)| (key.to_owned(), account.to_owned()))
            .into(),
        record,
        ..Config::default()
    };
    Emulator::start(config).await.unwrap()
}

impl<I: StandIn> World<I> {
    /// A world without a running controller, with this stand-in for IAM.
    pub async fn with(name: &str, iam: I) -> Self {
        Self::at(plane().await, name, iam).await
    }

    async fn at(plane: Arc<ControlPlane>, name: &str, iam: I) -> Self {
        let namespace = new_namespace(&plane, name).await;
        Self::on(plane, namespace, iam).await
    }

    /// The same on any control plane where this namespace exists and the controller's manifests are
    /// applied.
    pub async fn on(plane: Arc<ControlPlane>, namespace: String, iam: I) -> Self {
        let kubeconfig = plane
            .service_account_kubeconfig("session-manager-role", "session-manager-role")
            .await
            .unwrap();
        let log = std::env::temp_dir().join(format!("smr-{}-{namespace}.log", std::process::id()));
        Self {
            client: plane.client().unwrap(),
            plane,
            namespace,
            iam,
            kubeconfig,
            controller: None,
            log,
            pods: None,
        }
    }

    /// Starts the program; it must not be running.
    pub fn run(&mut self, start: &Start) {
        let runs = self.controller.is_some() || self.pods.is_some();
        assert!(!runs, "the controller runs already");
        let child = self.spawn(start, &self.log);
        self.controller = Some(child);
    }

    /// With the program started.
    pub fn running(mut self, start: &Start) -> Self {
        self.run(start);
        self
    }

    /// Starts the program as one of several.
    pub fn spawn(&self, start: &Start, log: &Path) -> Child {
        self.iam.hold_to(start);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let mut command = Command::new(&start.program);
        command
            .args(["run", "--cluster-name=test", "--metrics-addr=127.0.0.1:0"])
            .arg(format!("--watch-namespace={}", self.namespace))
            .args(&start.flags)
            .env_clear()
            .env(
                "KUBECONFIG",
                start.kubeconfig.as_ref().unwrap_or(&self.kubeconfig),
            )
            .env("AWS_ENDPOINT_URL", self.iam.endpoint())
            .env("AWS_ACCESS_KEY_ID", &start.access_key)
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("RUST_LOG", &start.rust_log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        for (name, value) in &start.env {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        command.spawn().unwrap()
    }

    /// The number of the program's process.
    pub fn pid(&self) -> u32 {
        let controller = self.controller.as_ref().expect("no controller runs");
        controller.id().expect("the program has ended")
    }

    /// SIGKILL, and waits until the process is gone.
    pub async fn kill(&mut self) {
        self.controller
            .take()
            .expect("no controller runs")
            .kill()
            .await
            .unwrap();
    }

    /// SIGTERM; the exit status and how long it took.
    pub async fn terminate(&mut self) -> (std::process::ExitStatus, Duration) {
        let mut child = self.controller.take().expect("no controller runs");
        signal(&child, "TERM").await;
        let begun = Instant::now();
        (child.wait().await.unwrap(), begun.elapsed())
    }

    /// Waits until the program has ended on its own; the exit status.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        let mut child = self.controller.take().expect("no controller runs");
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        ended.expect("the program does not end").unwrap()
    }

    /// What the program has logged.
    pub fn log(&self) -> String {
        if let Some((cluster, deployment)) = &self.pods {
            return cluster.logs(deployment);
        }
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn api(&self) -> Api<SessionManagerRole> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates or replaces an object with this spec in YAML, as `kubectl apply --server-side` does.
    pub async fn apply(&self, name: &str, spec: &str) -> SessionManagerRole {
        self.try_apply(name, spec).await.unwrap()
    }

    pub async fn try_apply(&self, name: &str, spec: &str) -> kube::Result<SessionManagerRole> {
        let spec: Value = serde_saphyr::from_str(spec).unwrap();
        let object = json!({
            "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
            "metadata": { "name": name }, "spec": spec,
        });
        self.api()
            .patch(
                name,
                &PatchParams::apply("a-person").force(),
                &Patch::Apply(object),
            )
            .await
    }

    /// Replaces a spec as a whole, as `kubectl edit` and `kubectl replace` do.
    pub async fn try_replace(&self, name: &str, spec: &str) -> kube::Result<()> {
        let kind = ApiResource::erase::<SessionManagerRole>(&());
        let client = self.client.clone();
        let api: Api<DynamicObject> = Api::namespaced_with(client, &self.namespace, &kind);
        let mut object = api.get(name).await?;
        object.data["spec"] = serde_saphyr::from_str(spec).unwrap();
        api.replace(name, &PostParams::default(), &object).await?;
        Ok(())
    }

    pub async fn annotate(&self, name: &str, key: &str, value: Option<&str>) {
        let patch = json!({ "metadata": { "annotations": { key: value } } });
        self.api()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    pub async fn get(&self, name: &str) -> Option<SessionManagerRole> {
        self.api().get_opt(name).await.unwrap()
    }

    /// Asks for deletion and returns at once.
    pub async fn delete(&self, name: &str) {
        self.api()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Waits until the object is gone.
    pub async fn gone(&self, name: &str) {
        self.eventually(&format!("{name} is gone"), async || {
            self.get(name).await.is_none()
        })
        .await;
    }

    /// Waits until the object's status at its generation fulfils `wanted`.
    pub async fn status_of(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&SessionManagerRoleStatus) -> bool,
    ) -> SessionManagerRole {
        let found = std::cell::RefCell::new(None);
        self.eventually(&format!("{name} is {what}"), async || {
            let Some(object) = self.get(name).await else {
                return false;
            };
            let fits = object.status.as_ref().is_some_and(|s| {
                Some(s.observed_generation) == object.metadata.generation && wanted(s)
            });
            *found.borrow_mut() = Some(object);
            fits
        })
        .await;
        found.into_inner().unwrap()
    }

    /// Waits until the object is Ready at its generation.
    pub async fn ready(&self, name: &str) -> SessionManagerRole {
        self.status_of(name, "Ready", |status| is(status, "Ready", "True"))
            .await
    }

    /// Waits until `Ready` has this reason; the condition's message.
    pub async fn reason(&self, name: &str, reason: &str) -> String {
        let object = self
            .status_of(name, reason, |s| {
                condition(s, "Ready").is_some_and(|c| c.reason == reason)
            })
            .await;
        condition(object.status.as_ref().unwrap(), "Ready")
            .unwrap()
            .message
            .clone()
    }

    /// Waits for an event with this reason about the object; its note.
    pub async fn event(&self, name: &str, reason: &str) -> String {
        let found = std::cell::RefCell::new(None);
        self.eventually(&format!("an event {reason} about {name}"), async || {
            *found.borrow_mut() = self
                .events(name)
                .await
                .into_iter()
                .find(|(r, _)| r == reason);
            found.borrow().is_some()
        })
        .await;
        found.into_inner().unwrap().1
    }

    /// Reason and note of all events about the object.
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        let kind = kube::discovery::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(
            "events.k8s.io",
            "v1",
            "Event",
        ));
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let all = api.list(&ListParams::default()).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.into_iter()
            .filter(|event| event.data["regarding"]["name"] == name)
            .map(|event| (text(&event.data["reason"]), text(&event.data["note"])))
            .collect()
    }

    /// Polls until it holds; panics with the program's log where it never does.
    pub async fn eventually(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            if begun.elapsed() > PATIENCE {
                let log = self.log();
                let tail: Vec<&str> = log.lines().rev().take(60).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                let objects = self
                    .plane
                    .kubectl(&["get", "smr", "-n", &self.namespace, "-o", "yaml"])
                    .await;
                panic!("never: {what}\n{objects:?}\n{}", tail.join("\n"));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl<I> Drop for World<I> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// Sends a signal by name to a child.
pub async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("the process has ended").to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .await
            .unwrap()
            .success()
    );
}

pub fn condition<'a>(
    status: &'a SessionManagerRoleStatus,
    type_: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    status.conditions.iter().find(|c| c.type_ == type_)
}

pub fn is(status: &SessionManagerRoleStatus, type_: &str, value: &str) -> bool {
    condition(status, type_).is_some_and(|c| c.status == value)
}

/// The control plane of this test program, with the CRD and the controller's own RBAC.
pub async fn plane() -> Arc<ControlPlane> {
    static READY: tokio::sync::OnceCell<Arc<ControlPlane>> = tokio::sync::OnceCell::const_new();
    let new = async || Arc::new(new_plane().await);
    READY.get_or_init(new).await.clone()
}

/// One for a test that needs its own.
pub async fn new_plane() -> ControlPlane {
    plane_of(Path::new(env!("CARGO_MANIFEST_DIR"))).await
}

/// One with the manifests of another checkout. (Before the CRD was apart, the base had it.)
pub async fn plane_of(checkout: &Path) -> ControlPlane {
    let plane = ControlPlane::start().await.unwrap();
    let directories = ["crds", "deploy/kustomize/base"].map(|part| checkout.join(part));
    let applied = |directory: &PathBuf| directory.join("kustomization.yaml").exists();
    for directory in directories.into_iter().filter(applied) {
        let apply = ["apply", "--server-side", "-k", directory.to_str().unwrap()];
        plane.kubectl(&apply).await.unwrap();
    }
    established(&plane, "sessionmanagerroles.sessionmanager.dev").await;
    plane
}

/// Waits until the API server serves a CRD's kind. (`kubectl wait` fails on one so new that it has no
/// conditions.)
pub async fn established(plane: &ControlPlane, crd: &str) {
    let begun = Instant::now();
    loop {
        let crd = plane.kubectl(&["get", "crd", crd, "-o", "json"]).await;
        let crd: Value = serde_json::from_str(&crd.unwrap()).unwrap();
        let conditions = crd["status"]["conditions"].as_array();
        let is = |c: &Value| c["type"] == "Established" && c["status"] == "True";
        if conditions.is_some_and(|all| all.iter().any(is)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not established: {crd}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
