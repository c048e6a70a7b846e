//! One test's place: a world (namespace, IAM, our controller), a Git repository, and an Application of
//! the real Argo CD that syncs the one into the other. Commits in; what a person sees out. Does
//! network IO and runs programs.

use std::any::Any;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::watcher;
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use crate::argo::{ArgoCd, NAMESPACE, argo_cd};
use crate::repo::{Change, FOLDER, Repo};
use crate::support::watcher::versions;
use crate::support::{Start, World};

/// Long enough for two hundred roles on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_mins(6);

/// Sites run beside each other, but for one that counts what all of Argo CD does.
static TURN: RwLock<()> = RwLock::const_new(());

/// A turn beside the others'.
pub async fn turn() -> impl Any {
    TURN.read().await
}

/// The Applications of an Argo CD.
pub fn applications(argo: &ArgoCd) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let client = argo.plane.client().unwrap();
    Api::namespaced_with(client, NAMESPACE, &ApiResource::from_gvk(&kind))
}

/// How an Application compares.
#[derive(Clone, Copy)]
pub enum Diff {
    /// As Argo CD does where nothing is said.
    Client,
    /// `ServerSideDiff=true`, and `ServerSideApply=true` beside it.
    Server,
}

pub struct Site {
    pub world: World,
    pub repo: Repo,
    pub argo: &'static ArgoCd,
    /// The Application's name, and that of the world's namespace.
    pub name: String,
    _turn: Box<dyn Any>,
}

/// What the list of Applications shows of one, and its operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub sync: String,
    pub health: String,
    /// The commit that it was compared with.
    pub revision: String,
    /// When the last operation started.
    pub started: String,
    pub phase: String,
    pub message: String,
}

impl View {
    pub fn of(object: &DynamicObject) -> Self {
        let status = &object.data["status"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            sync: text(&status["sync"]["status"]),
            health: text(&status["health"]["status"]),
            revision: text(&status["sync"]["revision"]),
            started: text(&status["operationState"]["startedAt"]),
            phase: text(&status["operationState"]["phase"]),
            message: text(&status["operationState"]["message"]),
        }
    }

    pub fn is(&self, sync: &str, health: &str) -> bool {
        self.sync == sync && self.health == health
    }
}

/// Every view of an Application since the watch began, and when it came.
pub struct Seen {
    views: Arc<Mutex<Vec<(Duration, View)>>>,
    task: JoinHandle<()>,
}

impl Seen {
    pub fn so_far(&self) -> Vec<(Duration, View)> {
        assert!(
            !self.task.is_finished(),
            "what was looked at broke a promise"
        );
        self.views.lock().unwrap().clone()
    }

    /// Sync and health, without repetitions, as text.
    pub fn steps(&self) -> Vec<String> {
        let all = self.so_far().into_iter();
        let mut steps: Vec<String> = all
            .map(|(_, v)| format!("{} {}", v.sync, v.health))
            .collect();
        steps.dedup();
        steps
    }

    pub fn print(&self, what: &str) {
        let mut text = format!("{what}:\n");
        let mut last = None;
        for (at, view) in self.so_far() {
            let shown = (view.sync, view.health, view.phase);
            if last.as_ref() != Some(&shown) {
                let (sync, health, phase) = &shown;
                writeln!(
                    text,
                    "  {:>6} ms  {sync} {health} ({phase})",
                    at.as_millis()
                )
                .unwrap();
                last = Some(shown);
            }
        }
        print!("{text}");
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The text of a manifest.
pub fn manifest(name: &str, spec: &str) -> String {
    annotated(name, "{}", spec)
}

/// The text of a manifest with annotations.
pub fn annotated(name: &str, annotations: &str, spec: &str) -> String {
    format!(
        "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\n\
         metadata: {{name: {name}, annotations: {annotations}}}\nspec: {spec}\n"
    )
}

/// The text of a file of the sample repository.
pub fn sample(file: &str) -> String {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples/gitops");
    std::fs::read_to_string(samples.join(file)).unwrap()
}

impl Site {
    /// With the controller running, and an Application that has synced nothing yet.
    pub async fn start(name: &str) -> Self {
        Self::with(name, Diff::Client, &Start::default()).await
    }

    /// The same, and no other site is at work meanwhile.
    pub async fn alone(name: &str, start: &Start) -> Self {
        let turn = Box::new(TURN.write().await);
        Self::at(name, Diff::Client, start, turn).await
    }

    pub async fn with(name: &str, diff: Diff, start: &Start) -> Self {
        let turn = Box::new(TURN.read().await);
        Self::at(name, diff, start, turn).await
    }

    async fn at(name: &str, diff: Diff, start: &Start, turn: Box<dyn Any>) -> Self {
        let argo = argo_cd().await;
        let mut world = World::quiet(name).await;
        world.run(start);
        let site = Self {
            name: world.namespace.clone(),
            world,
            repo: Repo::new(),
            argo,
            _turn: turn,
        };
        let options: &[&str] = match diff {
            Diff::Client => &[],
            Diff::Server => &["ServerSideApply=true"],
        };
        let compare = match diff {
            Diff::Client => "ServerSideDiff=false",
            Diff::Server => "ServerSideDiff=true",
        };
        let application = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {
                "name": site.name,
                "annotations": { "argocd.argoproj.io/compare-options": compare },
            },
            "spec": {
                "project": "default",
                "source": { "repoURL": site.repo.url(), "targetRevision": "main", "path": FOLDER },
                "destination": { "server": argo.destination(), "namespace": site.world.namespace },
                "syncPolicy": {
                    "automated": { "prune": true, "selfHeal": true },
                    "syncOptions": options,
                    "retry": { "limit": 0 },
                },
            },
        });
        site.api()
            .patch(
                &site.name,
                &PatchParams::apply("a-person"),
                &Patch::Apply(application),
            )
            .await
            .unwrap();
        site.until("Synced and Healthy with nothing", |v| {
            v.is("Synced", "Healthy")
        })
        .await;
        site
    }

    pub fn api(&self) -> Api<DynamicObject> {
        applications(self.argo)
    }

    /// Commits, and tells Argo CD of it, as a webhook does.
    pub async fn commit(&self, message: &str, changes: &[Change<'_>]) -> String {
        let commit = self.repo.commit(message, changes);
        self.annotate("argocd.argoproj.io/refresh", Some("normal"))
            .await;
        commit
    }

    /// Commits, and waits until Argo CD and our controller have done all of it.
    pub async fn synced(&self, message: &str, changes: &[Change<'_>]) -> View {
        let commit = self.commit(message, changes).await;
        self.until("Synced and Healthy at the commit", |v| {
            // An operation is still Running for a moment when its objects are Synced.
            v.revision == commit && v.is("Synced", "Healthy") && v.phase != "Running"
        })
        .await
    }

    /// Asks for a comparison now, and waits for it.
    pub async fn refresh(&self, how: &str) {
        self.annotate("argocd.argoproj.io/refresh", Some(how)).await;
        self.eventually("the refresh is done", async |site| {
            let application = site.api().get(&site.name).await.unwrap();
            let annotations = application.metadata.annotations.unwrap_or_default();
            !annotations.contains_key("argocd.argoproj.io/refresh")
        })
        .await;
    }

    /// Sets an annotation of the Application, or takes it off.
    pub async fn annotate(&self, key: &str, value: Option<&str>) {
        let patch = json!({ "metadata": { "annotations": { key: value } } });
        self.api()
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// From now on a sync that fails is tried again, as the sample repository has it. (Until then it
    /// fails at once, so that a test need not wait for the last try.)
    pub async fn retry_as_the_sample(&self) {
        let set: Value = serde_saphyr::from_str(&sample("argocd/apps/teams.yaml")).unwrap();
        let retry = &set["spec"]["template"]["spec"]["syncPolicy"]["retry"];
        assert!(retry.is_object(), "{set}");
        let patch = json!({ "spec": { "syncPolicy": { "retry": retry } } });
        self.api()
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Deletes the Application with all that it has synced.
    pub async fn delete_cascading(&self) {
        let patch = json!({ "metadata": {
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        } });
        let api = self.api();
        api.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        api.delete(&self.name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Waits until the Application is gone.
    pub async fn gone(&self) {
        self.eventually("the Application is gone", async |site| {
            site.api().get_opt(&site.name).await.unwrap().is_none()
        })
        .await;
    }

    pub async fn view(&self) -> View {
        View::of(&self.api().get(&self.name).await.unwrap())
    }

    /// Waits until the Application looks like this.
    pub async fn until(&self, what: &str, wanted: impl Fn(&View) -> bool) -> View {
        let found = std::cell::RefCell::new(View::default());
        self.eventually(what, async |site| {
            *found.borrow_mut() = site.view().await;
            wanted(&found.borrow())
        })
        .await;
        found.into_inner()
    }

    /// Polls until it holds; panics with what everyone says where it never does.
    pub async fn eventually(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self).await {
            if begun.elapsed() > PATIENCE {
                let application = [
                    "get",
                    "application",
                    "-n",
                    NAMESPACE,
                    &self.name,
                    "-o",
                    "yaml",
                ];
                let application = self.argo.plane.kubectl(&application).await;
                let objects = self.world.kubectl(&["get", "smr", "-o", "yaml"]).await;
                panic!(
                    "never: {what}\n{}\n{objects}\n{}",
                    application.unwrap_or_else(|error| error.to_string()),
                    self.argo.logs(),
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Health and message that Argo CD tells of one of the Application's roles.
    pub async fn health_of(&self, role: &str) -> (String, String) {
        let application = self.argo.api(&self.name).await;
        let resources = application["status"]["resources"].as_array().cloned();
        let resource = (resources.unwrap_or_default().into_iter()).find(|r| r["name"] == role);
        let health = resource.map(|r| r["health"].clone()).unwrap_or_default();
        let text = |key: &str| health[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("message"))
    }

    /// Reason and message of the events that Argo CD shows of one of the Application's roles.
    pub async fn events_of(&self, role: &str) -> Vec<(String, String)> {
        let object = self.world.get(role).await.unwrap();
        let uid = object.metadata.uid.unwrap();
        let path = format!(
            "{}/events?resourceName={role}&resourceNamespace={}&resourceUID={uid}",
            self.name, self.world.namespace,
        );
        let events = self.argo.api(&path).await["items"].as_array().cloned();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (events.unwrap_or_default().iter())
            .map(|event| (text(&event["reason"]), text(&event["message"])))
            .collect()
    }

    /// Waits until Argo CD tells this health of a role; its message.
    pub async fn until_role(&self, role: &str, health: &str) -> String {
        let found = std::cell::RefCell::new(String::new());
        self.eventually(&format!("{role} is {health}"), async |site| {
            let (is, message) = site.health_of(role).await;
            *found.borrow_mut() = message;
            is == health
        })
        .await;
        found.into_inner()
    }

    /// What `argocd app …` prints, with the Application's name; also for those who read the log of a
    /// run.
    pub async fn argocd(&self, command: &str, flags: &[&str]) -> String {
        let arguments: Vec<&str> = ["app"].into_iter().chain(command.split(' ')).collect();
        let all = [&arguments[..], &[&self.name], flags].concat();
        let printed = self.argo.cli(&all).await.unwrap();
        println!("$ argocd {}\n{printed}", all.join(" "));
        printed
    }

    /// Watches the Application from now on, and shows each version to `look`.
    pub async fn watch(&self, look: impl Fn(&View) + Send + 'static) -> Seen {
        let views = Arc::new(Mutex::new(Vec::new()));
        let (sink, begun) = (views.clone(), Instant::now());
        let only = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut objects = versions(self.api(), only).await;
        let task = tokio::spawn(async move {
            while let Some(object) = objects.next().await {
                let view = View::of(&object);
                look(&view);
                sink.lock().unwrap().push((begun.elapsed(), view));
            }
        });
        Seen { views, task }
    }
}
