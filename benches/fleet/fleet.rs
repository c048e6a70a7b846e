//! Many objects, the real controller, and what it does about them: counts at the IAM emulator, at
//! the API server's audit log and at the kernel. Does network IO.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use iam_emulator::Call;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;
use smr_api::SessionManagerRole;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::process;
use crate::support::{KEY, Start, World, is};

/// How many requests the bench itself has under way.
const AT_ONCE: usize = 16;
/// How long a fleet may take to do what is waited for.
const PATIENCE: Duration = Duration::from_mins(20);
/// How often is looked whether something has happened.
const GLANCE: Duration = Duration::from_millis(5);
/// The controller as the API server's audit log names it.
const CONTROLLER: &str = "system:serviceaccount:session-manager-role:session-manager-role";

/// A namespace full of objects.
pub struct Fleet {
    pub world: World,
    api: Api<SessionManagerRole>,
    ready: watch::Receiver<usize>,
    watching: JoinHandle<()>,
}

/// What was seen in a number of sweeps.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Calls to IAM and STS, by action.
    pub calls: BTreeMap<String, usize>,
    /// Calls among them that change IAM.
    pub writes: usize,
    /// Writes to the API server, those of the Lease aside.
    pub api_writes: usize,
    /// CPU time of the controller.
    pub cpu: Duration,
}

impl Seen {
    /// The calls alone.
    pub fn of(calls: &[Call]) -> Self {
        let mut seen = Self::default();
        for call in calls {
            *seen.calls.entry(call.action.clone()).or_default() += 1;
            seen.writes += usize::from(call.write);
        }
        seen
    }

    pub fn total(&self) -> usize {
        self.calls.values().sum()
    }
}

impl Fleet {
    /// A fleet without objects and without a controller.
    pub async fn new(name: &str) -> Self {
        let world = World::quiet(name).await;
        world.iam.set_quota(|quotas| {
            quotas.roles = 20_000;
            quotas.policies = 20_000;
            quotas.instance_profiles = 20_000;
        });
        let api = world.api();
        let (ready, watching) = count_ready(api.clone());
        Self {
            world,
            api,
            ready,
            watching,
        }
    }

    /// Starts the controller with the flags of a production run and these.
    pub fn run(&mut self, flags: &[&str]) {
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        self.world.run(&Start {
            flags: flags.collect(),
            rust_log: "info".to_owned(),
            ..Start::default()
        });
    }

    /// The same as the leader, which is how it runs in a cluster. Each has a Lease of its own name
    /// only in a namespace of its own, so the one of an earlier run is taken away first.
    pub async fn lead(&mut self, flags: &[&str]) {
        let lease = [
            "delete",
            "lease",
            "session-manager-role",
            "--ignore-not-found",
        ];
        let namespace = ["-n", "session-manager-role"];
        let arguments = [&lease[..], &namespace].concat();
        let deleted = self.world.plane.kubectl(&arguments).await;
        deleted.expect("the Lease of an earlier run goes");
        let elected = ["--leader-elect", "--lease-namespace=session-manager-role"];
        self.run(&[flags, &elected].concat());
    }

    /// Creates objects, of three kinds as in a fleet of several teams.
    pub async fn create(&self, numbers: Range<usize>) {
        let create = |number: usize| async move {
            let name = name(number);
            let object = json!({
                "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
                "metadata": { "name": &name }, "spec": spec(number),
            });
            let patch = PatchParams::apply("a-person");
            let created = self.api.patch(&name, &patch, &Patch::Apply(object)).await;
            created.expect("the API server takes it");
        };
        stream::iter(numbers)
            .for_each_concurrent(AT_ONCE, create)
            .await;
    }

    /// Waits until so many objects are Ready at their generation.
    pub async fn ready(&mut self, count: usize) {
        let enough = self.ready.wait_for(|ready| *ready >= count);
        let waited = tokio::time::timeout(PATIENCE, enough).await;
        let _ = waited.unwrap_or_else(|_| {
            let log = self.world.log();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            panic!(
                "{count} objects are never Ready; the log, newest first:\n{}",
                tail.join("\n")
            )
        });
    }

    /// Calls of the controller after a number of the emulator's log.
    pub fn calls_since(&self, seq: u64) -> Vec<Call> {
        let mut calls = self.world.iam.calls_since(seq);
        calls.retain(|call| call.access_key_id == KEY);
        calls
    }

    /// Waits for the first call of a sweep after a number of the emulator's log; its number.
    pub async fn next_sweep(&self, after: u64) -> u64 {
        let found = std::cell::Cell::new(None);
        let seen = std::cell::Cell::new(after);
        self.until("a sweep begins", async || {
            let calls = self.calls_since(seen.get());
            seen.set(calls.last().map_or(seen.get(), |call| call.seq));
            found.set(
                calls
                    .iter()
                    .find(|call| begins_sweep(call))
                    .map(|call| call.seq),
            );
            found.get().is_some()
        })
        .await;
        found.get().unwrap_or_default()
    }

    /// What the controller does in so many sweeps, from the beginning of the next one.
    pub async fn over(&self, sweeps: usize) -> Seen {
        let first = self.next_sweep(self.world.iam.last_call()).await;
        let (cpu, api_writes) = (self.cpu(), self.api_writes());
        let mut last = first;
        for _ in 0..sweeps {
            last = self.next_sweep(last).await;
        }
        let cpu = self.cpu().saturating_sub(cpu);
        let mut calls = self.calls_since(first - 1);
        calls.retain(|call| call.seq < last);
        Seen {
            cpu,
            api_writes: self.api_writes() - api_writes,
            ..Seen::of(&calls)
        }
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {what}\n{}",
                self.world.log()
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until the controller asks nothing of IAM for two seconds: a sweep and what it found
    /// are done.
    pub async fn quiet(&self) {
        let still = Duration::from_secs(2);
        let since = std::cell::Cell::new((self.world.iam.last_call(), Instant::now()));
        self.until("the controller is quiet", async || {
            let last = self.world.iam.last_call();
            if since.get().0 != last {
                since.set((last, Instant::now()));
            }
            since.get().1.elapsed() > still
        })
        .await;
    }

    /// The name of an object's role, policy and profile in IAM.
    pub fn iam_name(&self, number: usize) -> String {
        format!("{}.{}", self.world.namespace, name(number))
    }

    /// A person changes the tags of an object, which is a write to each of the three: how long until
    /// its status says that IAM has it.
    pub async fn edit(&self, number: usize) -> Duration {
        let name = name(number);
        let value = format!("edited {}", fastrand::u64(..));
        let patch = Patch::Merge(json!({ "spec": { "tags": { "edited": value } } }));
        let begun = Instant::now();
        let edited = self.api.patch(&name, &PatchParams::default(), &patch).await;
        let generation = edited.expect("the API server takes it").metadata.generation;
        self.until("the edit is applied", async || {
            let now = self.api.get(&name).await.expect("the object is there");
            now.status.is_some_and(|status| {
                Some(status.observed_generation) == generation && is(&status, "Ready", "True")
            })
        })
        .await;
        begun.elapsed()
    }

    /// Writes of the controller to the API server so far, those of its Lease aside.
    pub fn api_writes(&self) -> usize {
        let events = self.world.plane.audit_events().expect("the audit log");
        let own = |event: &&control_plane::AuditEvent| {
            event.user.username == CONTROLLER
                && event.is_write()
                && event.object.resource != "leases"
        };
        events.iter().filter(own).count()
    }

    pub fn pid(&self) -> u32 {
        self.world.pid()
    }

    pub fn cpu(&self) -> Duration {
        process::cpu(self.pid())
    }

    pub fn memory(&self) -> process::Memory {
        process::memory(self.pid())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// A sweep lists the instance profiles first, from the first page on.
pub fn begins_sweep(call: &Call) -> bool {
    call.action == "ListInstanceProfiles" && !call.params.contains_key("Marker")
}

/// The name of an object.
pub fn name(number: usize) -> String {
    format!("web-{number}")
}

/// Plain ones, ones with tags, and ones whose sessions are logged.
fn spec(number: usize) -> serde_json::Value {
    match number % 3 {
        0 => json!({}),
        1 => json!({ "tags": { "team": "a", "cost-centre": "4711" } }),
        _ => json!({
            "sessionLogs": {
                "s3": { "bucket": "session-logs", "keyPrefix": "web" },
                "cloudWatch": {},
            },
        }),
    }
}

/// Counts, in a watch, the objects that are Ready at their generation.
fn count_ready(api: Api<SessionManagerRole>) -> (watch::Receiver<usize>, JoinHandle<()>) {
    let (sender, receiver) = watch::channel(0);
    let task = tokio::spawn(async move {
        let mut ready = std::collections::BTreeSet::new();
        let mut objects = watcher(api, watcher::Config::default())
            .default_backoff()
            .touched_objects()
            .boxed();
        // A watch that failed begins anew by itself.
        while let Some(version) = objects.next().await {
            let Ok(object) = version else { continue };
            let name = object.metadata.name.clone().unwrap_or_default();
            let is_ready = object.status.as_ref().is_some_and(|status| {
                Some(status.observed_generation) == object.metadata.generation
                    && is(status, "Ready", "True")
            });
            if is_ready && object.metadata.deletion_timestamp.is_none() {
                ready.insert(name);
            } else {
                ready.remove(&name);
            }
            sender.send_replace(ready.len());
        }
    });
    (receiver, task)
}
