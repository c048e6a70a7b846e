//! Uninstalling on a real API server: every command of `docs/uninstall.md` in, what is left in the
//! cluster and in IAM out. Reads the page, runs kubectl, starts the program.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use control_plane::ControlPlane;
use iam_emulator::Snapshot;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::support::asking::shell;
use crate::support::{Start, World, emulator, established};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PAGE: &str = include_str!("../../docs/uninstall.md");
const INSTALL: &str = include_str!("../../docs/install.md");
const CRD: &str = "sessionmanagerroles.sessionmanager.dev";
const INSTALL_CONTROLLER: &str = "kubectl apply --server-side -k my-overlay";
const DELETE_CONTROLLER: &str = "kubectl delete -k my-overlay";
const REFUSED: &str = "deleting this CRD deletes every SessionManagerRole in the cluster";

/// A command of a page, and what it prints there.
struct Step {
    command: String,
    prints: String,
}

/// The commands below a heading, up to the next heading.
fn steps(page: &str, heading: &str) -> Vec<Step> {
    let is_heading = |line: &&str| line.starts_with('#');
    let section = page
        .lines()
        .skip_while(|line| !(is_heading(line) && line.trim_start_matches('#').trim() == heading))
        .skip(1)
        .take_while(|line| !is_heading(line));
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in section.map(str::trim) {
        match (line, line.strip_prefix("$ ")) {
            ("```console cluster", _) => inside = true,
            ("```", _) => inside = false,
            (_, Some(command)) if inside => steps.push(Step {
                command: command.to_owned(),
                prints: String::new(),
            }),
            (output, None) if inside => {
                let step = steps.last_mut().expect("output before a command");
                step.prints.extend([output, "\n"]);
            }
            _ => {}
        }
    }
    assert!(!steps.is_empty(), "no commands below '{heading}'");
    steps
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// One control plane for this file: its tests delete the CRD.
async fn plane() -> Arc<ControlPlane> {
    static OWN: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
    let new = async || {
        let plane = ControlPlane::start().await.unwrap();
        plane.start_namespace_controller().unwrap();
        Arc::new(plane)
    };
    OWN.get_or_init(new).await.clone()
}

/// One cluster for all: one test after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A checkout with an overlay, and a cluster where the controller is installed as docs/install.md says.
struct Site {
    world: World,
    checkout: TempDir,
    runs: bool,
    _turn: MutexGuard<'static, ()>,
}

/// Beside the manifests: the example's overlay, and one of a version that had the CRD in its base.
fn checkout() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for (name, path) in [
        ("crds", "crds"),
        ("deploy", "deploy"),
        ("teams", "tests/data/uninstall"),
    ] {
        symlink(Path::new(ROOT).join(path), dir.path().join(name)).unwrap();
    }
    let example = format!("{ROOT}/deploy/kustomize/overlays/example/kustomization.yaml");
    let overlay = std::fs::read_to_string(example).unwrap();
    assert!(overlay.contains("- ../../base\n"));
    let overlay = overlay.replace("- ../../base\n", "- ../deploy/kustomize/base\n");
    write("my-overlay/kustomization.yaml", &overlay);
    let old = overlay.replace("resources:\n", "resources:\n- ../crds\n");
    write("old-overlay/kustomization.yaml", &old);
    dir
}

/// Removes the objects and what protects them, whatever the test before left, without its controller.
async fn clear(checkout: &Path) {
    for line in [
        format!("kubectl annotate crd {CRD} --overwrite sessionmanager.dev/allow-deletion=true"),
        "kubectl get smr -A -o yaml | kubectl patch -f - --type merge -p '{\"metadata\":{\"finalizers\":null}}'".into(),
        "kubectl delete crd --all".into(),
        "kubectl delete -k deploy/admission".into(),
        // Installing again finds the rest as it is, but not what is on its way out.
        "kubectl get namespaces -o name --field-selector=status.phase=Terminating | xargs -r kubectl wait --for=delete --timeout=150s".into(),
    ] {
        // There may be nothing of it.
        let _ = shell(plane().await.as_ref(), checkout, &line).await;
    }
}

impl Site {
    async fn start() -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
        let checkout = checkout();
        clear(checkout.path()).await;
        let namespaces = "kubectl apply --server-side -f teams/namespaces.yaml".to_owned();
        let install = steps(INSTALL, "Without Helm")
            .into_iter()
            .map(|step| step.command);
        for line in install.chain([namespaces]) {
            shell(plane().await.as_ref(), checkout.path(), &line)
                .await
                .unwrap();
        }
        let plane = plane().await;
        established(&plane, CRD).await;
        let world = World::on(plane, "web".to_owned(), emulator(None).await).await;
        let mut site = Self {
            world,
            checkout,
            runs: false,
            _turn: turn,
        };
        site.protected().await;
        site.run_controller().await;
        site.apply_roles().await;
        site
    }

    /// The Deployment's pods: they come with it, with a token of its ServiceAccount.
    async fn run_controller(&mut self) {
        let name = "session-manager-role";
        let plane = &self.world.plane;
        plane.service_account_kubeconfig(name, name).await.unwrap();
        self.world
            .run(&Start::default().flag("--watch-namespace=data"));
        self.runs = true;
    }

    /// They go with it.
    async fn stop_controller(&mut self) {
        self.world.terminate().await;
        self.runs = false;
    }

    async fn shell(&self, line: &str) -> Result<String, String> {
        shell(plane().await.as_ref(), self.checkout.path(), line).await
    }

    async fn must(&self, line: &str) -> String {
        let answer = self.shell(line).await;
        answer.unwrap_or_else(|said| panic!("{line}\n{said}\n{}", self.world.log()))
    }

    async fn apply_roles(&self) {
        self.must("kubectl apply --server-side -f teams/roles.yaml")
            .await;
        self.must("kubectl wait --for=condition=Ready smr --all -A --timeout=150s")
            .await;
    }

    /// Waits until the policies are in force.
    async fn protected(&self) {
        let delete = format!("kubectl delete crd {CRD} --dry-run=server");
        self.world
            .eventually("the CRD is protected", async || {
                self.shell(&delete)
                    .await
                    .is_err_and(|said| said.contains(REFUSED))
            })
            .await;
    }

    /// Does what a section of the page says. What the page shows is what is printed.
    async fn follow(&mut self, heading: &str) {
        for Step { command, prints } in steps(PAGE, heading) {
            let answer = self.shell(&command).await;
            let refused = prints.starts_with("Error");
            assert_eq!(
                answer.is_err(),
                refused,
                "{command}\n{answer:?}\n{}",
                self.world.log()
            );
            let printed = answer.unwrap_or_else(|said| said);
            if !prints.is_empty() {
                assert_eq!(words(&printed), words(&prints), "{command}");
            }
            match (command.as_str(), self.runs) {
                (DELETE_CONTROLLER, true) => self.stop_controller().await,
                (INSTALL_CONTROLLER, false) => self.run_controller().await,
                _ => {}
            }
        }
    }

    /// What has to stay: the CRD, the objects with their finalizers, and IAM to the last byte.
    async fn everything(&self) -> (String, String, Snapshot) {
        let crd = "{.metadata.uid} {.metadata.deletionTimestamp} {.spec}";
        let objects = "{range .items[*]}{.metadata.uid} {.metadata.deletionTimestamp} {.metadata.generation} {.metadata.finalizers} {.spec}{\"\\n\"}{end}";
        (
            self.must(&format!("kubectl get crd {CRD} -o jsonpath='{crd}'"))
                .await,
            self.must(&format!("kubectl get smr -A -o jsonpath='{objects}'"))
                .await,
            self.world.account(),
        )
    }

    /// Nothing of the installation is in the cluster.
    async fn nothing_installed(&self) {
        for kind in [
            "crd",
            "validatingadmissionpolicies,validatingadmissionpolicybindings",
            "deployments -A",
            "clusterroles,clusterrolebindings -l app.kubernetes.io/name=session-manager-role",
            "namespaces -l app.kubernetes.io/name=session-manager-role",
        ] {
            let found = self.must(&format!("kubectl get {kind}")).await;
            assert_eq!(found.trim(), "No resources found", "{kind}");
        }
    }

    /// Waits until something is gone from the cluster.
    async fn gone(&self, what: &str) {
        let get = format!("kubectl get {what}");
        self.world
            .eventually(&format!("{what} is gone"), async || {
                self.shell(&get)
                    .await
                    .is_err_and(|said| said.contains("NotFound"))
            })
            .await;
    }
}

/// An account without the tags of ours.
fn less_our_tags(account: &Snapshot) -> Value {
    fn strip(value: &mut Value) {
        if let Value::Object(object) = value {
            object.retain(|key, _| !key.starts_with("sessionmanager.dev/"));
            object.values_mut().for_each(strip);
        }
    }
    let mut value = serde_json::to_value(account).unwrap();
    strip(&mut value);
    value
}

fn is_owned(account: &Snapshot, role: &str) -> bool {
    account.roles[role]
        .tags
        .contains_key("sessionmanager.dev/owner")
}

#[tokio::test]
async fn without_the_controller_crd_objects_and_iam_stay_and_it_comes_back_to_them() {
    let mut site = Site::start().await;
    site.follow("Before you begin").await;
    let before = site.everything().await;
    let writes = site.world.writes().len();
    site.follow("Keep the objects").await;
    assert!(!site.runs, "the page does not delete the controller");
    assert_eq!(site.everything().await, before);
    site.protected().await;

    site.follow("Install the controller again").await;
    assert!(site.runs, "the page does not install the controller");
    // It works, and found everything as it had left it.
    site.must("kubectl annotate smr --all -A sessionmanager.dev/reconcile-requested-at=now")
        .await;
    for object in ["fleet -n web", "hybrid -n data"] {
        site.must(&format!(
            "kubectl wait --for=jsonpath='{{.status.lastHandledReconcileAt}}'=now smr {object} --timeout=150s"
        ))
        .await;
    }
    assert_eq!(site.world.account(), before.2);
    assert_eq!(site.world.writes().len(), writes);
}

#[tokio::test]
async fn the_roles_stay_without_our_tags() {
    let mut site = Site::start().await;
    let before = site.world.account();
    site.follow("Keep the roles").await;
    site.nothing_installed().await;
    let after = site.world.account();
    assert_eq!(less_our_tags(&after), less_our_tags(&before));
    for role in ["web.fleet", "data.hybrid"] {
        assert!(is_owned(&before, role) && !is_owned(&after, role), "{role}");
    }
}

#[tokio::test]
async fn everything_goes() {
    let mut site = Site::start().await;
    site.follow("Delete everything").await;
    site.nothing_installed().await;
    assert!(
        site.world.account().is_empty(),
        "{:?}",
        site.world.account()
    );
}

#[tokio::test]
async fn the_policies_refuse_what_would_take_objects_along() {
    let mut site = Site::start().await;
    let before = site.everything().await;
    site.follow("The CRD is protected").await;
    site.must("kubectl apply --server-side -f teams/things.yaml")
        .await;
    let delete = format!("kubectl delete crd {CRD}");
    for line in [
        "kubectl delete -k crds",
        "kubectl replace --force -f crds/sessionmanagerroles.sessionmanager.dev.yaml",
        "kubectl delete crd --all",
        "kubectl delete --raw /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        &format!("kubectl annotate crd {CRD} sessionmanager.dev/allow-deletion=false; {delete}"),
        &format!(
            "kubectl annotate crd {CRD} --overwrite sessionmanager.dev/allow-deletion=; {delete}"
        ),
    ] {
        let answer = site.shell(line).await;
        let refused = answer.as_ref().is_err_and(|said| said.contains(REFUSED));
        assert!(refused, "{line}: {answer:?}");
    }
    assert_eq!(site.everything().await, before);
    site.gone("crd things.example.com").await;

    let misplaced =
        "sed s/web/session-manager-role/ teams/roles.yaml | kubectl apply --server-side -f -";
    let said = site.shell(misplaced).await.unwrap_err();
    assert!(
        said.contains("this is the controller's own namespace"),
        "{said}"
    );
}

#[tokio::test]
async fn an_overlay_of_a_version_with_the_crd_in_the_base_takes_nothing_along() {
    let mut site = Site::start().await;
    site.must("kubectl delete -k deploy/admission").await;
    site.must("kubectl apply --server-side -k old-overlay")
        .await;
    let before = site.everything().await;
    site.follow("Upgrade from a version with the CRD in the base")
        .await;
    site.protected().await;
    assert_eq!(site.everything().await, before);

    let said = site
        .shell("kubectl delete -k old-overlay")
        .await
        .unwrap_err();
    assert!(said.contains(REFUSED), "{said}");
    site.stop_controller().await;
    site.gone("namespace session-manager-role").await;
    assert_eq!(site.everything().await, before);
}

#[tokio::test]
async fn a_namespace_deleted_without_a_controller_waits_and_its_roles_can_stay() {
    let mut site = Site::start().await;
    site.follow("Keep the objects").await;
    let before = site.world.account();
    site.must("kubectl delete namespace web --wait=false").await;
    site.must(
        "kubectl wait --for=condition=NamespaceFinalizersRemaining namespace web --timeout=150s",
    )
    .await;
    assert_eq!(site.world.account(), before);
    site.follow("A deletion that waits").await;
    site.gone("namespace web").await;
    let after = site.world.account();
    assert_eq!(less_our_tags(&after), less_our_tags(&before));
    assert!(!is_owned(&after, "web.fleet") && is_owned(&after, "data.hybrid"));
}

#[tokio::test]
async fn a_crd_deleted_without_a_controller_waits_and_its_roles_can_stay() {
    let mut site = Site::start().await;
    site.must("kubectl delete smr --all -n data").await;
    site.follow("Keep the objects").await;
    let before = site.world.account();
    site.must(&format!(
        "kubectl annotate crd {CRD} sessionmanager.dev/allow-deletion=true"
    ))
    .await;
    site.must(&format!("kubectl delete crd {CRD} --wait=false"))
        .await;
    site.must("kubectl wait --for=jsonpath='{.metadata.deletionTimestamp}' smr fleet -n web --timeout=150s")
        .await;
    assert_eq!(site.world.account(), before);
    site.follow("A deletion that waits").await;
    site.gone(&format!("crd {CRD}")).await;
    let after = site.world.account();
    assert_eq!(less_our_tags(&after), less_our_tags(&before));
    assert!(!is_owned(&after, "web.fleet"));
}

#[tokio::test]
async fn an_object_let_go_by_hand_finds_its_role_again() {
    let mut site = Site::start().await;
    site.follow("Keep the objects").await;
    let before = site.world.account();
    site.must("kubectl delete smr fleet -n web --wait=false")
        .await;
    site.follow("Let an object go by hand").await;
    site.gone("smr fleet -n web").await;
    assert_eq!(site.world.account(), before);

    site.follow("Install the controller again").await;
    site.apply_roles().await;
    let after = site.world.account();
    assert_eq!(less_our_tags(&after), less_our_tags(&before));
    let uid =
        |account: &Snapshot| account.roles["web.fleet"].tags["sessionmanager.dev/uid"].clone();
    assert_ne!(uid(&after), uid(&before));
}
