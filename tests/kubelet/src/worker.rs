//! One Pod: its object as it changes in; a running container, its probes, restarts and end, and the Pod's status
//! out. Starts processes, writes files, asks the API server.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::watch::Receiver;

use crate::container::{self, Plan, SERVICE, SERVICE_PORT, Sources, endpoints};
use crate::image::Image;
use crate::node::Outlets;
use crate::probe::{Schedule, succeeds};
use crate::sandbox::{own_program, terminate_child};
use crate::{Error, io, json as json_error, volumes};

/// Between two starts of a container that ended.
const RESTART: Duration = Duration::from_secs(1);
/// How often a Pod's object and process are checked.
const TICK: Duration = Duration::from_millis(50);

/// What a Pod's worker works with.
pub struct Worker {
    pub client: Client,
    pub image: Image,
    /// Of this Pod alone.
    pub directory: PathBuf,
    /// Where its output goes: one file a Pod.
    pub log: PathBuf,
    pub outlets: Outlets,
}

/// How a container's run ended.
enum Ended {
    ByItself(ExitStatus),
    /// The liveness or startup probe failed too often.
    Unhealthy,
    /// The Pod is being deleted.
    Deleted,
}

/// What is reported of the container.
#[derive(Default)]
struct Report {
    started: bool,
    ready: bool,
    restarts: u32,
    last_exit: Option<i32>,
}

impl Worker {
    /// Until the Pod is gone.
    pub async fn run(self, pod: Receiver<Pod>) {
        let name = pod.borrow().metadata.name.clone().unwrap_or_default();
        let mut report = Report::default();
        loop {
            match self.run_once(&pod, &mut report).await {
                Ok(Ended::Deleted) => break,
                Ok(Ended::ByItself(status)) => {
                    report.last_exit = Some(status.code().unwrap_or(137));
                }
                Ok(Ended::Unhealthy) => report.last_exit = Some(137),
                Err(error) => {
                    eprintln!("test-kubelet: {name}: {error}");
                    self.waiting(&pod, &error).await;
                }
            }
            report = Report {
                restarts: report.restarts + 1,
                last_exit: report.last_exit,
                ..Report::default()
            };
            self.publish(&pod, &report, None).await;
            if sleep_or_deleted(&pod, RESTART).await {
                break;
            }
        }
        self.remove(&pod).await;
    }

    async fn run_once(&self, pod: &Receiver<Pod>, report: &mut Report) -> Result<Ended, Error> {
        let now = pod.borrow().clone();
        let spec = container::only(&now)?.clone();
        let (plan, number) = (
            self.plan(&now, &spec, report.restarts).await?,
            report.restarts,
        );
        let file = self.directory.join(format!("plan-{number}.json"));
        let text = serde_json::to_string(&plan).map_err(json_error("the plan"))?;
        std::fs::write(&file, text).map_err(io(file.display().to_string()))?;
        let mut child = self.spawn(&file)?;
        let ended = self
            .attend(&mut child, pod, &spec, &plan.inward.0, report)
            .await?;
        if !matches!(ended, Ended::ByItself(_)) {
            let grace = pod.borrow().metadata.deletion_grace_period_seconds;
            let grace = grace
                .or(now.spec.and_then(|s| s.termination_grace_period_seconds))
                .unwrap_or(30);
            stop(
                &mut child,
                Duration::from_secs(u64::try_from(grace).unwrap_or(0)),
            )
            .await?;
        }
        Ok(ended)
    }

    fn spawn(&self, plan: &Path) -> Result<Child, Error> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log);
        let log = log.map_err(io(self.log.display().to_string()))?;
        let errors = log.try_clone().map_err(io("the Pod's log"))?;
        // unshare(1) becomes the sandbox: the process is the same.
        Command::new("unshare")
            .args(["--mount", "--net", "--uts", "--ipc"])
            .arg(own_program()?)
            .arg("sandbox")
            .arg(plan)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(io("unshare"))
    }

    /// What this Pod's container is to run as, with a root directory of its own for each run.
    async fn plan(&self, pod: &Pod, spec: &Container, number: u32) -> Result<Plan, Error> {
        let root = self.directory.join(format!("root-{number}"));
        self.image.unpack(&root)?;
        let identity = container::identity(pod, spec, &self.image)?;
        let sources = Sources {
            client: &self.client,
            pod,
        };
        let group = identity.groups.first().copied().unwrap_or(identity.group);
        let mounts =
            volumes::mounts(&sources, spec, &self.directory.join("volumes"), group).await?;
        let env = container::environment(&self.client, pod, spec, &self.image).await?;
        let service = format!("{SERVICE}:{SERVICE_PORT}")
            .parse()
            .map_err(|_| Error::Unsupported(SERVICE.to_owned()))?;
        let mut outward = vec![(service, self.outlets.api_server().to_owned())];
        for endpoint in endpoints(&env) {
            outward.push((endpoint, self.outlets.to(endpoint)?));
        }
        let port = spec
            .ports
            .iter()
            .flatten()
            .next()
            .and_then(|port| u16::try_from(port.container_port).ok());
        Ok(Plan {
            hostname: pod.metadata.name.clone().unwrap_or_default(),
            root,
            read_only: identity.read_only,
            command: container::command(spec, &self.image),
            env,
            user: identity.user,
            group: identity.group,
            groups: identity.groups,
            no_new_privileges: identity.no_new_privileges,
            mounts,
            outward,
            inward: (
                self.directory.join(format!("probe-{number}")),
                port.unwrap_or(0),
            ),
        })
    }

    /// Probes until the container ends, fails or has to go.
    async fn attend(
        &self,
        child: &mut Child,
        pod: &Receiver<Pod>,
        spec: &Container,
        socket: &Path,
        report: &mut Report,
    ) -> Result<Ended, Error> {
        let running = Timestamp::now();
        let mut startup = Probing::new(spec.startup_probe.clone());
        let mut liveness = Probing::new(spec.liveness_probe.clone());
        let mut readiness = Probing::new(spec.readiness_probe.clone());
        self.publish(pod, report, Some(running)).await;
        loop {
            if let Some(status) = child.try_wait().map_err(io("the sandbox"))? {
                return Ok(Ended::ByItself(status));
            }
            if is_deleted(pod) {
                return Ok(Ended::Deleted);
            }
            let before = (report.started, report.ready);
            if !report.started {
                match startup.state(socket).await {
                    State::Well => report.started = true,
                    State::Unknown => {}
                    State::Failed => return Ok(Ended::Unhealthy),
                }
            } else if matches!(liveness.state(socket).await, State::Failed) {
                return Ok(Ended::Unhealthy);
            }
            if report.started {
                match readiness.state(socket).await {
                    State::Well => report.ready = true,
                    State::Unknown => {}
                    State::Failed => report.ready = false,
                }
            }
            if before != (report.started, report.ready) {
                self.publish(pod, report, Some(running)).await;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// The status of a Pod whose container runs since then, or waits for its next start.
    async fn publish(&self, pod: &Receiver<Pod>, report: &Report, running: Option<Timestamp>) {
        let state = match running {
            Some(since) => json!({ "running": { "startedAt": since.to_string() } }),
            None => json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
        };
        self.write(pod, report, &state).await;
    }

    async fn waiting(&self, pod: &Receiver<Pod>, error: &Error) {
        let state = json!({ "waiting": { "reason": "CreateContainerConfigError", "message": error.to_string() } });
        self.write(pod, &Report::default(), &state).await;
    }

    async fn write(&self, pod: &Receiver<Pod>, report: &Report, state: &Value) {
        let now = pod.borrow().clone();
        let Ok(spec) = container::only(&now) else {
            return;
        };
        let condition = |type_: &str, holds: bool| {
            json!({ "type": type_, "status": if holds { "True" } else { "False" },
                "lastTransitionTime": Timestamp::now().to_string() })
        };
        let last = report
            .last_exit
            .map(|code| json!({ "terminated": { "exitCode": code } }));
        let status = json!({ "status": {
            "phase": "Running",
            "podIP": "127.0.0.1", "podIPs": [{ "ip": "127.0.0.1" }], "hostIP": "127.0.0.1",
            "conditions": [
                condition("PodScheduled", true), condition("Initialized", true),
                condition("ContainersReady", report.ready), condition("Ready", report.ready),
            ],
            "containerStatuses": [{
                "name": spec.name, "image": spec.image, "imageID": self.image.digest,
                "ready": report.ready, "started": report.started, "restartCount": report.restarts,
                "state": state, "lastState": last.unwrap_or_else(|| json!({})),
            }],
        } });
        // One that is gone needs none.
        let _ = self
            .api(&now)
            .patch_status(&name(&now), &PatchParams::default(), &Patch::Merge(status))
            .await;
    }

    fn api(&self, pod: &Pod) -> Api<Pod> {
        Api::namespaced(
            self.client.clone(),
            pod.metadata.namespace.as_deref().unwrap_or_default(),
        )
    }

    /// Tells the API server that nothing of it runs any more.
    async fn remove(&self, pod: &Receiver<Pod>) {
        let now = pod.borrow().clone();
        let at_once = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: now.metadata.uid.clone(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let _ = self.api(&now).delete(&name(&now), &at_once).await;
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn name(pod: &Pod) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}

fn is_deleted(pod: &Receiver<Pod>) -> bool {
    pod.borrow().metadata.deletion_timestamp.is_some()
}

/// Whether the Pod has to go before the time is over.
async fn sleep_or_deleted(pod: &Receiver<Pod>, time: Duration) -> bool {
    let mut pod = pod.clone();
    let gone = pod.wait_for(|pod| pod.metadata.deletion_timestamp.is_some());
    tokio::time::timeout(time, gone).await.is_ok()
}

/// SIGTERM, and SIGKILL after the grace period.
async fn stop(child: &mut Child, grace: Duration) -> Result<(), Error> {
    terminate_child(child);
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        child.kill().await.map_err(io("the sandbox"))?;
    }
    Ok(())
}

/// What a probe says so far.
enum State {
    Well,
    Unknown,
    Failed,
}

/// A probe between its tries.
struct Probing {
    probe: Option<Probe>,
    next: tokio::time::Instant,
    failures: u32,
}

impl Probing {
    fn new(probe: Option<Probe>) -> Self {
        Self {
            probe,
            next: tokio::time::Instant::now(),
            failures: 0,
        }
    }

    /// Tries where it is time. A container without the probe is well.
    async fn state(&mut self, socket: &Path) -> State {
        let Some(probe) = &self.probe else {
            return State::Well;
        };
        if tokio::time::Instant::now() < self.next {
            return State::Unknown;
        }
        let schedule = Schedule::of(probe);
        let well = succeeds(probe, socket).await;
        self.next = tokio::time::Instant::now() + schedule.period;
        if well {
            self.failures = 0;
            return State::Well;
        }
        self.failures += 1;
        if self.failures >= schedule.failures {
            State::Failed
        } else {
            State::Unknown
        }
    }
}
