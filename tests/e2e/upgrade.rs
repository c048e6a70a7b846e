//! The upgrade: what a fleet made by an earlier version left, IAM and objects, enters; what this
//! version writes to IAM, to the objects and as events leaves. Reads the stored state, runs the
//! program.

mod make;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use control_plane::AuditEvent;
use iam_emulator::Dump;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde::de::DeserializeOwned;
use serde_json::Value;
use smr_api::{PAUSED_ANNOTATION, SessionManagerRole};
use smr_core::ownership::{CLUSTER_UID, OWNER};

use crate::support::{Start, World, emulator, new_plane};

/// The commit whose program made the fleet.
const STATE: &str = "236f6ec";
const NAMESPACE: &str = "fleet";
/// What the fleet was made with, and goes on with, besides the defaults of a test.
const FLAGS: [&str; 3] = [
    "--tag=operator=platform",
    "--allow-additional-policy=arn:aws:iam::aws:policy/*",
    "--allow-path=/team/",
];

fn start() -> Start {
    FLAGS
        .iter()
        .fold(Start::default(), |start, flag| start.flag(flag))
}

/// What is stored of a state.
fn directory(state: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/data/upgrade", state]
        .iter()
        .collect()
}

fn stored<T: DeserializeOwned>(name: &str) -> T {
    let path = directory(STATE).join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All objects as the API server serves them, less what changes with every write.
async fn served(world: &World) -> BTreeMap<String, Value> {
    let kind = ApiResource::erase::<SessionManagerRole>(&());
    let client = world.plane.client().unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(client, &world.namespace, &kind);
    let all = api.list(&ListParams::default()).await.unwrap();
    all.into_iter()
        .map(|mut object| {
            object.metadata.resource_version = None;
            let name = object.metadata.name.clone().unwrap();
            (name, serde_json::to_value(object).unwrap())
        })
        .collect()
}

/// All that a person or a pipeline judges by, but for the words.
fn verdict(object: &Value) -> Vec<[String; 4]> {
    let conditions = object["status"]["conditions"].as_array();
    let field = |condition: &Value, name: &str| condition[name].as_str().unwrap().to_owned();
    let mut all: Vec<_> = conditions
        .unwrap()
        .iter()
        .map(|c| ["type", "status", "reason", "lastTransitionTime"].map(|name| field(c, name)))
        .collect();
    all.sort();
    all
}

/// What the program has written so far.
#[derive(Debug, Default)]
struct Written {
    /// Calls of IAM, with what they are about, but for the next.
    iam: Vec<String>,
    /// What got the cluster's UID as a tag, and nothing else with it.
    stamps: Vec<String>,
    /// How often the status of each object.
    status: BTreeMap<String, usize>,
    /// How many events about each object, where one more of a series counts too.
    events: BTreeMap<String, usize>,
    /// Anything else in the cluster.
    other: Vec<String>,
}

impl Written {
    fn note(&mut self, event: &AuditEvent) {
        let object = &event.object;
        match (object.resource.as_str(), object.subresource.as_str()) {
            ("sessionmanagerroles", "status") => {
                *self.status.entry(object.name.clone()).or_default() += 1;
            }
            ("events", "") => {
                let (about, _) = object.name.rsplit_once('.').unwrap();
                *self.events.entry(about.to_owned()).or_default() += 1;
            }
            _ => self.other.push(format!("{} {object:?}", event.verb)),
        }
    }
}

/// The name of what a call tags with the cluster's UID alone.
fn stamped(call: &iam_emulator::Call) -> Option<String> {
    let is_key = |(name, value): (&String, &String)| name.ends_with(".Key").then(|| value.clone());
    let keys: Vec<String> = call.params.iter().filter_map(is_key).collect();
    let names = ["RoleName", "PolicyArn", "InstanceProfileName"];
    let name = names.into_iter().find_map(|name| call.params.get(name))?;
    (call.action.starts_with("Tag") && keys == [CLUSTER_UID])
        .then(|| format!("{} {name}", call.action))
}

/// A loaded fleet.
struct Fleet {
    world: World,
    before: BTreeMap<String, Value>,
}

impl Fleet {
    /// IAM and the objects as they were left, in a cluster with this version's CRD.
    async fn load() -> Self {
        let plane = Arc::new(new_plane().await);
        plane
            .kubectl(&["create", "namespace", NAMESPACE])
            .await
            .unwrap();
        let iam = emulator(None).await;
        iam.load(stored::<Dump>("iam.json"));
        let before: BTreeMap<String, Value> = stored("objects.json");
        for (name, object) in &before {
            plane
                .store(
                    "sessionmanager.dev/sessionmanagerroles",
                    NAMESPACE,
                    name,
                    object,
                )
                .await
                .unwrap();
        }
        let world = World::on(plane, NAMESPACE.to_owned(), iam).await;
        world
            .eventually("the stored objects are served", async || {
                served(&world).await.len() == before.len()
            })
            .await;
        // Nothing that the old CRD kept is lost in this one.
        assert_eq!(served(&world).await, before);
        Self { world, before }
    }

    fn written(&self) -> Written {
        let mut written = Written::default();
        for call in self.world.writes() {
            match stamped(&call) {
                Some(name) => written.stamps.push(name),
                None => (written.iam).push(format!("{} {:?}", call.action, call.params)),
            }
        }
        let events = self.world.plane.audit_events_in(NAMESPACE).unwrap();
        let by_program =
            |e: &&AuditEvent| e.is_write() && e.user.username.ends_with(":session-manager-role");
        (events.iter().filter(by_program)).for_each(|event| written.note(event));
        written
    }

    /// All that a working object has in IAM has the cluster's UID by now.
    fn is_stamped(&self) {
        let account = self.world.account();
        let mut all: Vec<_> = account.roles.values().map(|r| (&r.arn, &r.tags)).collect();
        all.extend(account.policies.values().map(|p| (&p.arn, &p.tags)));
        all.extend(
            account
                .instance_profiles
                .values()
                .map(|p| (&p.arn, &p.tags)),
        );
        let works = |owner: &str| {
            let object = owner
                .strip_prefix("fleet/")
                .and_then(|name| self.before.get(name));
            object.is_some_and(|object| {
                let paused = &object["metadata"]["annotations"][PAUSED_ANNOTATION] == "true";
                let observed = object["spec"]["mode"] == "Observe";
                let ready = verdict(object)
                    .iter()
                    .any(|c| c[0] == "Ready" && c[1] == "True");
                ready && !paused && !observed
            })
        };
        let mut count = 0;
        for (arn, tags) in all {
            if tags.get(OWNER).is_some_and(|owner| works(owner)) {
                assert!(tags.contains_key(CLUSTER_UID), "{arn}: {tags:?}");
                count += 1;
            }
        }
        assert!(count >= 20, "{count} of them");
    }

    fn is_paused(&self, name: &str) -> bool {
        let annotations = &self.before[name]["metadata"]["annotations"];
        annotations[PAUSED_ANNOTATION] == "true"
    }

    /// The controller wrote only the cluster-uid tag to IAM, every verdict is the same, and no event repeats.
    async fn goes_on(&self) -> Written {
        let written = self.written();
        let once: BTreeSet<&String> = written.stamps.iter().collect();
        assert_eq!(once.len(), written.stamps.len(), "{:#?}", written.stamps);
        println!(
            "{} objects: {} stamps, {} other writes to IAM; status {:?}; events {:?}",
            self.before.len(),
            written.stamps.len(),
            written.iam.len(),
            written.status,
            written.events
        );
        let log = self.world.log();
        assert!(written.iam.is_empty(), "{:#?}\n{log}", written.iam);
        assert!(written.other.is_empty(), "{:#?}\n{log}", written.other);
        let after = served(&self.world).await;
        for (name, before) in &self.before {
            let events = written.events.get(name).copied().unwrap_or_default();
            assert!(events <= 1, "{name}: {events} events\n{log}");
            assert_eq!(verdict(&after[name]), verdict(before), "{name}\n{log}");
        }
        written
    }
}

#[tokio::test]
async fn a_fleet_of_the_version_before_goes_on() {
    let mut fleet = Fleet::load().await;
    fleet.world.run(&start());
    // A young process takes what it misses for a late reading.
    fleet.world.settled().await;
    fleet.world.sweeps(3).await;
    let first = fleet.goes_on().await;
    for (name, count) in &first.status {
        assert!(*count <= 1, "{name}: {count} status writes");
    }

    // Each object once more, by a pass of its own: the answer is in the status.
    for name in fleet.before.keys() {
        let asked = fleet.world.ask(name).await;
        if !fleet.is_paused(name) {
            let answered = |s: &smr_api::SessionManagerRoleStatus| {
                s.last_handled_reconcile_at.as_ref() == Some(&asked)
            };
            fleet.world.status_of(name, "looked at", answered).await;
        }
    }
    fleet.world.sweeps(2).await;
    let second = fleet.goes_on().await;
    fleet.is_stamped();
    for name in fleet.before.keys() {
        let count = |written: &Written| written.status.get(name).copied().unwrap_or_default();
        let answers = usize::from(!fleet.is_paused(name));
        assert_eq!(
            count(&second) - count(&first),
            answers,
            "status writes of {name}\n{}",
            fleet.world.log()
        );
    }
}

/// The test above can fail: one more tag of the operator is written to IAM and changes the status.
#[tokio::test]
async fn a_write_too_many_is_seen() {
    let mut fleet = Fleet::load().await;
    fleet.world.run(&start().flag("--tag=one=more"));
    fleet
        .world
        .eventually("writes and events are counted", async || {
            let Written {
                iam,
                status,
                events,
                ..
            } = fleet.written();
            !(iam.is_empty() || status.is_empty() || events.is_empty())
        })
        .await;
}
