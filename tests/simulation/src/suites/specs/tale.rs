//! One story of specs: a seed enters; what came of each spec, and the rules that were broken, leave. No IO.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use api_emulator::Resource;
use fastrand::Rng;
use iam_emulator::Snapshot;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use smr_api::SessionManagerRole;

use super::mutation::{Change, mutate};
use super::shape::{Shape, Who};
use super::{Counts, OBJECTS, ROUNDS, documents, verdict};
use crate::asked::PARTITIONS;
use crate::oracle::{Known, Setting};
use crate::people::RECOVERY;
use crate::story::{Told, pass_time, told};
use crate::world::{NAMESPACE, World};

/// More that is wrong in one story helps nobody.
const WRONG: usize = 20;

/// One object, and what it was given last.
struct Subject {
    who: Who,
    /// The spec as it was sent, and how it was made.
    sent: Value,
    changes: Vec<Change>,
    /// What the API server said to it.
    refusal: Option<String>,
    /// All it had in IAM when it was at rest last.
    had: Snapshot,
}

struct Tale<'a> {
    seed: u64,
    world: &'a World,
    shape: &'a Shape,
    subjects: Vec<Subject>,
    /// What IAM had before all objects.
    others: Snapshot,
    counts: Counts,
    /// What is wrong; the story goes on.
    wrong: RefCell<Vec<String>>,
}

/// Plays the story.
pub async fn tell(seed: u64, shape: &Shape, keeps: bool) -> (Told, Counts) {
    let mut rng = Rng::with_seed(seed);
    let setting = Setting::shipped(PARTITIONS[rng.usize(..PARTITIONS.len())]);
    let partition = setting.partition;
    let mut world = World::new(setting, keeps).await;
    let others = world.iam.snapshot();
    world.start();
    pass_time(&world, Duration::from_secs(5)).await;
    let subject = |number: usize| Subject {
        who: Who {
            name: format!("s{number}"),
            partition,
        },
        sent: Value::Null,
        changes: Vec::new(),
        refusal: None,
        had: Snapshot::default(),
    };
    let mut tale = Tale {
        seed,
        world: &world,
        shape,
        subjects: (0..OBJECTS).map(subject).collect(),
        others,
        counts: Counts::new(),
        wrong: RefCell::default(),
    };
    tale.plays(&mut rng).await;
    let mut told = told(&world);
    let named = |subject: &&Subject| {
        let owner = format!("{NAMESPACE}/{} ", subject.who.name);
        told.broken.iter().any(|what| what.contains(&owner))
    };
    let named: Vec<String> = tale
        .subjects
        .iter()
        .filter(named)
        .map(Subject::said)
        .collect();
    told.broken.extend(named);
    told.broken.extend(tale.wrong.take());
    (told, tale.counts)
}

impl Subject {
    fn said(&self) -> String {
        let Self {
            who, sent, changes, ..
        } = self;
        let Who { name, partition } = who;
        format!("{name} in {partition}, {changes:?}: {sent}")
    }
}

impl Tale<'_> {
    async fn plays(&mut self, rng: &mut Rng) {
        for round in 0..ROUNDS {
            for number in 0..OBJECTS {
                self.gives(rng, number).await;
            }
            if !self.comes(RECOVERY, verdict::restless).await {
                return;
            }
            self.judges(round);
        }
        self.is_quiet().await;
        self.ends().await;
    }

    fn broken(&self, subject: Option<&Subject>, what: &str) {
        let of = subject.map_or_else(String::new, |subject| format!(" [{}]", subject.said()));
        let mut wrong = self.wrong.borrow_mut();
        if wrong.len() < WRONG {
            wrong.push(format!("seed {}: {what}{of}", self.seed));
        }
    }

    fn objects(&self) -> Api<DynamicObject> {
        let kind = ApiResource::erase::<SessionManagerRole>(&());
        Api::namespaced_with(self.world.people.clone(), NAMESPACE, &kind)
    }

    fn found(&self, name: &str) -> Option<Value> {
        self.world.api.get(Resource::Roles, NAMESPACE, name)
    }

    /// Gives an object another spec; creates it where it is not there.
    async fn gives(&mut self, rng: &mut Rng, number: usize) {
        let name = self.subjects[number].who.name.clone();
        let found = self.found(&name);
        let who = if rng.u8(..24) == 0 {
            // Names that another one may have.
            self.subjects[rng.usize(..OBJECTS)].who.clone()
        } else {
            self.subjects[number].who.clone()
        };
        let mut spec = match &found {
            None => self.shape.good(rng, &who),
            Some(found) if rng.bool() => found["spec"].clone(),
            Some(found) => self.shape.edited(rng, &who, &found["spec"]),
        };
        self.subjects[number].changes = mutate(self.shape, rng, &who, &mut spec);
        self.subjects[number].sent = spec.clone();
        let refusal = self
            .sends(&name, found.as_ref(), spec, rng.u8(..3) == 0)
            .await;
        self.world.witness.look();
        let now = self.found(&name);
        let subject = &self.subjects[number];
        if refusal.is_some()
            && now.as_ref().map(|o| &o["spec"]) != found.as_ref().map(|o| &o["spec"])
        {
            self.broken(Some(subject), "it is refused, and kept all the same");
        }
        if refusal.is_none() && now.is_none() {
            self.broken(Some(subject), "it is accepted, and not kept");
        }
        self.subjects[number].refusal = refusal;
    }

    /// What the API server says, where it refuses.
    async fn sends(
        &self,
        name: &str,
        found: Option<&Value>,
        spec: Value,
        merges: bool,
    ) -> Option<String> {
        let object = |mut whole: Value| -> DynamicObject {
            whole["spec"] = spec.clone();
            serde_json::from_value(whole).unwrap()
        };
        let (api, params) = (self.objects(), PostParams::default());
        let answer = match found {
            None => {
                let new = json!({
                    "apiVersion": "sessionmanager.dev/v1alpha1",
                    "kind": "SessionManagerRole",
                    "metadata": { "name": name },
                });
                api.create(&params, &object(new)).await
            }
            Some(_) if merges => {
                let patch = Patch::Merge(json!({ "spec": spec }));
                api.patch(name, &PatchParams::default(), &patch).await
            }
            Some(found) => api.replace(name, &params, &object(found.clone())).await,
        };
        match answer {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => {
                for what in verdict::refusal(self.shape, &status) {
                    self.broken(self.subject(name), &what);
                }
                Some(status.message.clone())
            }
            Err(error) => {
                self.broken(self.subject(name), &format!("no answer: {error}"));
                Some(error.to_string())
            }
        }
    }

    fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects
            .iter()
            .find(|subject| subject.who.name == name)
    }

    /// The objects that are there, as the oracle knows them, by name.
    fn known(&self) -> BTreeMap<String, Known> {
        self.world.witness.oracle(|oracle| {
            let there = oracle.objects().filter(|known| known.is_there);
            there
                .map(|known| (known.subject.name.clone(), known.clone()))
                .collect()
        })
    }

    /// All are at rest: whether they are so as they should.
    fn judges(&mut self, round: usize) {
        let (known, iam) = (self.known(), self.world.iam.snapshot());
        for number in 0..OBJECTS {
            let subject = &self.subjects[number];
            let kind = match (&subject.refusal, known.get(&subject.who.name)) {
                (Some(_), _) => "refused".to_owned(),
                (None, Some(known)) => verdict::name(known),
                (None, None) => "gone".to_owned(),
            };
            if let Some(known) = known.get(&subject.who.name) {
                self.judge(subject, known, &iam);
                let had = verdict::of(&iam, &known.subject.uid);
                self.subjects[number].had = had;
            }
            self.world
                .witness
                .line(&format!("round {round}: s{number} is {kind}"));
            *self.counts.entry(kind).or_default() += 1;
        }
        let objects: Vec<Known> = known.into_values().collect();
        for what in documents::widened(&iam, &self.others, &objects) {
            let of = objects
                .iter()
                .find(|known| what.contains(&format!("{}:", known.subject.owner())));
            let subject = of.and_then(|known| self.subject(&known.subject.name));
            self.broken(subject, &what);
        }
        self.events_are_clean();
    }

    fn judge(&self, subject: &Subject, known: &Known, iam: &Snapshot) {
        let mut wrong = verdict::said(self.shape, known);
        let has = verdict::of(iam, &known.subject.uid);
        let reason = verdict::name(known);
        let message = verdict::message(&known.status, "Ready");
        // What IAM itself refuses, or what has a name already, is found when other parts are there: these stay
        // until the object goes.
        let is_found_late = reason == "NotOwned" || message.starts_with("iam:");
        let is_refused = matches!(reason.as_str(), "InvalidSpec" | "Drifted");
        if is_refused && !is_found_late && has != subject.had {
            wrong.push(format!(
                "{reason} ({message}), and IAM was changed from {:?} to {has:?}",
                subject.had
            ));
        }
        for what in wrong {
            self.broken(Some(subject), &what);
        }
    }

    fn events_are_clean(&self) {
        for event in self.world.api.list(Resource::Events) {
            let name = event["regarding"]["name"].as_str().unwrap_or_default();
            for what in verdict::hidden(&event["note"], name) {
                self.broken(self.subject(name), &what);
            }
        }
        let requests = self.world.api.requests_since(0).into_iter();
        let bad = requests.filter(|request| {
            request.caller.starts_with("replica")
                && matches!(request.code, Some(400 | 413 | 422 | 500))
        });
        for request in bad.take(3) {
            let body = request.body.unwrap_or_default();
            self.broken(
                None,
                &format!(
                    "the API server refuses the controller: {:?} {body}",
                    request.code
                ),
            );
        }
    }

    /// Whether nothing is wrong with any object in time.
    async fn comes(&self, within: Duration, wrong: fn(&Known) -> Option<String>) -> bool {
        let world = self.world;
        let until = world.clock.elapsed() + within;
        loop {
            world.witness.look();
            if world.witness.is_over() {
                return false;
            }
            let all: Vec<(String, String)> = self
                .known()
                .into_iter()
                .filter_map(|(name, known)| Some((name, wrong(&known)?)))
                .collect();
            if all.is_empty() {
                return true;
            }
            if world.clock.elapsed() >= until {
                for (name, what) in all {
                    self.broken(self.subject(&name), &what);
                }
                return false;
            }
            pass_time(world, Duration::from_secs(5)).await;
        }
    }

    /// Once all is at rest, nothing more is written.
    async fn is_quiet(&self) {
        let world = self.world;
        pass_time(world, Duration::from_mins(3)).await;
        let (calls, requests) = (world.iam.last_call(), world.api.last_request());
        pass_time(world, Duration::from_mins(4)).await;
        let calls = world.iam.calls_since(calls).into_iter();
        for call in calls
            .filter(|call| call.write && call.outcome == "ok")
            .take(3)
        {
            self.broken(
                None,
                &format!("not quiet: {} {:?}", call.action, call.params),
            );
        }
        let requests = world.api.requests_since(requests).into_iter();
        let noises =
            requests.filter(|r| r.body.is_some() && r.write && r.resource != Resource::Leases);
        for request in noises.take(3) {
            let body = request.body.unwrap_or_default();
            self.broken(
                None,
                &format!("not quiet: {:?} {:?} {body}", request.verb, request.name),
            );
        }
    }

    /// All can be deleted, whatever their specs were; those without IAM objects of their own first.
    async fn ends(&self) {
        let before = self.known();
        let observed = before.values().filter(|known| verdict::observes(known));
        let observed: Vec<String> = observed.map(|known| known.subject.uid.clone()).collect();
        for owners in [false, true] {
            for (name, known) in self.known() {
                if owners || verdict::name(&known) == "NotOwned" {
                    let deleted = self.objects().delete(&name, &DeleteParams::default()).await;
                    if let Err(error) = deleted {
                        self.broken(
                            self.subject(&name),
                            &format!("it can't be deleted: {error}"),
                        );
                    }
                }
            }
            let remains = |known: &Known| {
                known
                    .is_deleting
                    .then(|| format!("it is still being deleted: {}", known.status))
            };
            if !self.comes(RECOVERY, remains).await {
                return;
            }
        }
        let iam = self.world.iam.snapshot();
        let left = documents::widened(&iam, &self.others, &[]).into_iter();
        let kept = |what: &String| {
            let mut retained = iam
                .roles
                .keys()
                .chain(iam.policies.keys())
                .chain(iam.instance_profiles.keys());
            retained
                .any(|name| what.contains(name.as_str()) && documents::stays(&iam, name, &observed))
        };
        for what in left.filter(|what| !kept(what)).take(3) {
            self.broken(None, &format!("after all deletions: {what}"));
        }
    }
}
