//! What the tests on the real control plane share: one control plane per test program, and for
//! each test a world of its own: namespace, IAM emulator (or another stand-in for IAM), and the
//! real program as a child process under its own ServiceAccount and RBAC.
#![allow(dead_code)] // Each test program uses a part of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

pub mod asking;
pub mod drift;
pub mod hand;
pub mod iam;
pub mod modes;
pub mod reading;
pub mod scenarios;
pub mod watcher;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use control_plane::ControlPlane;
use iam_emulator::Server;
use kube::Api;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use serde_json::{Value, json};
use smr_api::{SessionManagerRole, SessionManagerRoleStatus};
use tokio::process::{Child, Command};

use iam::StandIn;

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
/// Which account an access key belongs to.
const CREDENTIALS: [(&str, &str); 4] = [
    (KEY, ACCOUNT),
    (SECOND_KEY, ACCOUNT),
    (SOMEONE, ACCOUNT),
    (OTHER_KEY, OTHER_ACCOUNT),
];
/// Long enough for a busy machine of two cores.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// One test's world; its IAM is the emulator, where nothing else is said.
pub struct World<I = Server> {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    pub iam: I,
    kubeconfig: PathBuf,
    controller: Option<Child>,
    log: PathBuf,
}

/// How the program is started.
#[derive(Clone)]
pub struct Start {
    pub flags: Vec<String>,
    pub access_key: String,
    pub kubeconfig: Option<PathBuf>,
    /// What is logged: `RUST_LOG`.
    pub rust_log: String,
}

impl Default for Start {
    fn default() -> Self {
        let flags = [
            "--resync-interval=1s",
            "--iam-settling-time=0s",
            "--iam-requests-per-second=500",
        ];
        Self {
            flags: flags.map(str::to_owned).to_vec(),
            access_key: KEY.to_owned(),
            kubeconfig: None,
            rust_log: "info,session_manager_role=debug".to_owned(),
        }
    }
}

impl Start {
    /// The default, and AWS's own policies may be added.
    pub fn permissive() -> Self {
        Self::default().flag("--allow-additional-policy=arn:aws:iam::aws:policy/*")
    }

    /// The same, and IAM is looked at when a test asks for it, and not before.
    pub fn when_asked() -> Self {
        Self::permissive().flag("--resync-interval=1h")
    }

    /// The default and this flag, which takes the place of a default of its name.
    pub fn flag(mut self, flag: &str) -> Self {
        let name = flag.split('=').next().unwrap_or_default();
        let defaults = Self::default().flags;
        (self.flags).retain(|f| !(defaults.contains(f) && f.split('=').next() == Some(name)));
        self.flags.push(flag.to_owned());
        self
    }
}

impl World {
    /// A world without a running controller.
    pub async fn quiet(name: &str) -> Self {
        Self::with(name, iam::emulator().await).await
    }

    /// A world with a running controller that looks every second and believes what it reads.
    pub async fn start(name: &str) -> Self {
        let mut world = Self::quiet(name).await;
        world.run(&Start::default());
        world
    }
}

impl<I: StandIn> World<I> {
    /// A world without a running controller, with this stand-in for IAM.
    pub async fn with(name: &str, iam: I) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let plane = plane().await;
        let namespace = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        plane
            .kubectl(&["create", "namespace", &namespace])
            .await
            .unwrap();
        Self::on(plane, namespace, iam).await
    }

    /// The same on any control plane where this namespace exists and the controller's manifests are
    /// applied.
    pub async fn on(plane: &'static ControlPlane, namespace: String, iam: I) -> Self {
        let kubeconfig = plane
            .service_account_kubeconfig("session-manager-role", "session-manager-role")
            .await
            .unwrap();
        let log = std::env::temp_dir().join(format!("smr-{}-{namespace}.log", std::process::id()));
        Self {
            plane,
            namespace,
            iam,
            kubeconfig,
            controller: None,
            log,
        }
    }

    /// Starts the program; it must not be running.
    pub fn run(&mut self, start: &Start) {
        assert!(self.controller.is_none(), "the controller runs already");
        let child = self.spawn(start, &self.log);
        self.controller = Some(child);
    }

    /// Starts the program as one of several.
    pub fn spawn(&self, start: &Start, log: &Path) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        Command::new(env!("CARGO_BIN_EXE_smr"))
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
            .kill_on_drop(true)
            .spawn()
            .unwrap()
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

    /// What the program has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn api(&self) -> Api<SessionManagerRole> {
        Api::namespaced(self.plane.client().unwrap(), &self.namespace)
    }

    /// Creates or replaces an object with this spec in YAML, as `kubectl apply --server-side` does.
    pub async fn apply(&self, name: &str, spec: &str) -> SessionManagerRole {
        self.try_apply(name, spec).await.unwrap()
    }

    pub async fn try_apply(&self, name: &str, spec: &str) -> kube::Result<SessionManagerRole> {
        let spec: Value = serde_yaml::from_str(spec).unwrap();
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
        let client = self.plane.client().unwrap();
        let api: Api<DynamicObject> = Api::namespaced_with(client, &self.namespace, &kind);
        let mut object = api.get(name).await?;
        object.data["spec"] = serde_yaml::from_str(spec).unwrap();
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
            Api::namespaced_with(self.plane.client().unwrap(), &self.namespace, &kind);
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
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

impl World {
    /// Waits until the controller has looked at everything once more without writing, so that a
    /// test can say "and nothing more happened". Relies on the resync interval of a second.
    pub async fn another_look(&self) {
        let seen = self.iam.calls().last().map_or(0, |call| call.seq);
        self.eventually("the controller looks again", async || {
            let looks = self
                .iam
                .calls_since(seen)
                .iter()
                .filter(|c| c.action == "GetAccountAuthorizationDetails" && c.ended_ms.is_some())
                .count();
            looks >= 2
        })
        .await;
    }

    /// Writes to IAM that the controller has sent.
    pub fn writes(&self) -> Vec<iam_emulator::Call> {
        self.iam
            .calls()
            .into_iter()
            .filter(|call| call.write && call.access_key_id == KEY)
            .collect()
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
pub async fn plane() -> &'static ControlPlane {
    static READY: tokio::sync::OnceCell<&'static ControlPlane> = tokio::sync::OnceCell::const_new();
    READY
        .get_or_init(|| async {
            let plane = ControlPlane::shared().await.unwrap();
            let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
            let base = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kustomize/base");
            for directory in [crds, base] {
                let apply = ["apply", "--server-side", "-k", directory];
                plane.kubectl(&apply).await.unwrap();
            }
            established(plane, "sessionmanagerroles.sessionmanager.dev").await;
            plane
        })
        .await
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

/// Sequential round trips in a list of calls: calls that overlap in time share one.
pub fn round_trips(calls: &[iam_emulator::Call]) -> usize {
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by_key(|call| call.started_ms);
    let mut trips = 0;
    let mut busy_until = None;
    for call in calls {
        let ended = call.ended_ms.unwrap_or(u64::MAX);
        if busy_until.is_none_or(|until| call.started_ms >= until) {
            trips += 1;
            busy_until = Some(ended);
        } else {
            busy_until = busy_until.max(Some(ended));
        }
    }
    trips
}
