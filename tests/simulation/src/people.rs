//! People and others, who do what the script says: an act enters, the two servers are changed. No IO.

use std::time::Duration;

use api_emulator::{Fault as ApiFault, FaultKind as ApiFaultKind, Resource, Verb};
use iam_emulator::{Fault, FaultKind, Rate, Snapshot};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use smr_api::{PAUSED_ANNOTATION, RECONCILE_ANNOTATION, SessionManagerRole};

use crate::asked::{Asked, Subject, sample, specs_in};
use crate::deeds::{Target, deeds};
use crate::link::Side;
use crate::oracle::Oracle;
use crate::script::{Act, ApiTrouble, IamTrouble};
use crate::world::{NAMESPACE, World};

/// The controller comes back from any trouble within this time: its longest pause and a little.
pub const RECOVERY: Duration = Duration::from_mins(14);
/// The name of an object, by its number.
fn name(object: usize) -> String {
    const FIRST: [&str; 4] = ["web", "db", "jump", "edge"];
    FIRST
        .get(object)
        .map_or_else(|| format!("host-{object}"), |name| (*name).to_owned())
}

impl World {
    /// Does it, and lets the witness look.
    pub async fn act(&self, act: &Act, objects: usize) {
        let line = match act {
            Act::Apply { object, spec } => self.apply(object % objects, *spec).await,
            Act::Delete { object, retain } => self.delete(object % objects, *retain).await,
            Act::Ask(object) => {
                let at = self.clock.now().to_string();
                let annotation = json!({ RECONCILE_ANNOTATION: at });
                self.annotate(object % objects, annotation).await
            }
            Act::Pause(object, on) => {
                let value = if *on { json!("true") } else { Value::Null };
                self.annotate(object % objects, json!({ PAUSED_ANNOTATION: value }))
                    .await
            }
            Act::Observe(object, on) => {
                let mode = if *on { json!("Observe") } else { Value::Null };
                self.merge(object % objects, json!({"spec": {"mode": mode}}))
                    .await
            }
            Act::Deed { object, deed } => self.deed(object % objects, *deed).await,
            Act::Iam(trouble, time) => {
                self.iam_trouble(*trouble, *time);
                Ok(())
            }
            Act::Api(trouble, time) => {
                self.api_trouble(*trouble, *time);
                Ok(())
            }
            Act::Kill(replica, pause) => {
                self.replica(*replica).kill(*pause);
                self.disturbed(*pause);
                Ok(())
            }
            Act::Stop(replica, pause) => {
                self.replica(*replica).stop(*pause);
                self.disturbed(*pause);
                Ok(())
            }
            Act::Cut(replica, side, time) => {
                if let Some(running) = self.replica(*replica).running() {
                    running.process.link.cut(*side, *time);
                    if *side == Side::Api {
                        self.api.cut(&running.process.name, true);
                        let (api, name, time) = (self.api.clone(), running.process.name, *time);
                        tokio::spawn(async move {
                            tokio::time::sleep(time).await;
                            api.cut(&name, false);
                        });
                    }
                }
                self.disturbed(*time);
                Ok(())
            }
            Act::Slow(replica, side, each_way, time) => {
                if let Some(link) = self.replica(*replica).link() {
                    link.slow(*side, *each_way, *time);
                }
                self.disturbed(*time);
                Ok(())
            }
            Act::Mishap(replica, skip, mishap) => {
                if let Some(link) = self.replica(*replica).link() {
                    link.order(*skip, *mishap);
                }
                Ok(())
            }
            Act::Clock(replica, seconds) => {
                self.replica(*replica).clock.set(*seconds);
                Ok(())
            }
            Act::BackUp => {
                self.back_up();
                Ok(())
            }
            Act::Restore => self.restore(),
        };
        let refused = line
            .err()
            .map(|why| format!(": refused, {why}"))
            .unwrap_or_default();
        self.witness.line(&format!("{act:?}{refused}"));
        self.witness.look();
    }

    /// The controller can't work until then, and comes back some time after.
    pub fn disturbed(&self, time: Duration) {
        let until = self.clock.elapsed() + time + RECOVERY;
        self.witness.oracle(|oracle| oracle.disturbed(until));
    }

    fn objects(&self) -> Api<SessionManagerRole> {
        Api::namespaced(self.people.clone(), NAMESPACE)
    }

    /// The object as the API server holds it.
    fn found(&self, object: usize) -> Option<Value> {
        self.api.get(Resource::Roles, NAMESPACE, &name(object))
    }

    async fn apply(&self, object: usize, spec: u64) -> Result<(), String> {
        let partition = self.witness.oracle(|oracle| oracle.partition());
        let asked = sample(&specs_in(partition), spec);
        self.applied(object, asked).await
    }

    /// Creates the object with this spec, or changes it to that.
    pub async fn applied(&self, object: usize, asked: Asked) -> Result<(), String> {
        let subject = Subject::new(NAMESPACE, &name(object), "");
        let asked = asked.of(&subject);
        let Some(found) = self.found(object) else {
            let new = SessionManagerRole::new(&name(object), asked.spec);
            let created = self.objects().create(&PostParams::default(), &new).await;
            return created.map(drop).map_err(said);
        };
        let mut live: SessionManagerRole =
            serde_json::from_value(found).map_err(|error| error.to_string())?;
        let old = Asked {
            spec: live.spec.clone(),
            ..asked.clone()
        };
        let mode = live.spec.mode;
        live.spec = old.edited(asked).spec;
        live.spec.mode = mode;
        let replaced = self
            .objects()
            .replace(&name(object), &PostParams::default(), &live)
            .await;
        replaced.map(drop).map_err(said)
    }

    /// What the object asks for now.
    pub fn asked(&self, object: usize) -> Option<Asked> {
        let name = name(object);
        self.witness.oracle(|oracle| {
            let mut there = oracle
                .objects()
                .filter(|known| known.subject.name == name && known.is_there);
            there.next().and_then(|known| known.asked().cloned())
        })
    }

    /// Deletes the object; with `retain` what it has in IAM is to stay.
    pub async fn delete(&self, object: usize, retain: bool) -> Result<(), String> {
        if retain {
            self.merge(object, json!({"spec": {"deletionPolicy": "Retain"}}))
                .await?;
        }
        let deleted = self
            .objects()
            .delete(&name(object), &DeleteParams::default())
            .await;
        deleted.map(drop).map_err(said)
    }

    async fn annotate(&self, object: usize, annotations: Value) -> Result<(), String> {
        self.merge(object, json!({"metadata": {"annotations": annotations}}))
            .await
    }

    async fn merge(&self, object: usize, patch: Value) -> Result<(), String> {
        let params = PatchParams::default();
        let patched = self
            .objects()
            .patch(&name(object), &params, &Patch::Merge(patch))
            .await;
        patched.map(drop).map_err(said)
    }

    /// Others do something to what the object has in IAM.
    async fn deed(&self, object: usize, seed: u64) -> Result<(), String> {
        let Some(asked) = self.asked(object) else {
            return Err("there is no such object".to_owned());
        };
        let deed = sample(&deeds(), seed);
        let created = Snapshot::default();
        let target = Target {
            asked: &asked,
            someone: &self.someone,
            emulator: &self.iam,
            created: &created,
        };
        let done = deed.is_done(target).await;
        self.witness.line(&format!("others: {deed:?}"));
        if done {
            Ok(())
        } else {
            Err("IAM did not take it".to_owned())
        }
    }

    /// All objects are as they were at the last back-up; whoever watches has to list anew.
    fn restore(&self) -> Result<(), String> {
        let backup = self.backup().ok_or("there is no back-up")?;
        self.api.restore(&backup);
        self.disturbed(Duration::ZERO);
        let now = self.clock.elapsed();
        self.witness.oracle(|oracle| oracle.restored(now));
        Ok(())
    }

    /// IAM shows what is written so late from now on.
    pub fn reads_lag(&self, lag: Duration) {
        self.witness.oracle(|oracle| oracle.lags(lag));
        self.iam.set_lag(lag);
    }

    /// The same, where IAM's own checks are as late.
    pub fn writes_lag(&self, lag: Duration) {
        self.witness.oracle(|oracle| oracle.lags(lag));
        self.iam.set_write_lag(lag);
    }

    fn iam_trouble(&self, trouble: IamTrouble, time: Duration) {
        self.disturbed(time);
        let every = |kind| Fault::new("*", 1, kind).lasting(time);
        let later = |undo: fn(&iam_emulator::Emulator)| {
            let iam = self.iam.clone();
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                undo(&iam);
            });
        };
        match trouble {
            IamTrouble::Throttles => self.fail_for_replicas(&every(FaultKind::Throttle)),
            IamTrouble::Down => self.fail_for_replicas(&every(FaultKind::ServiceFailure)),
            IamTrouble::Denies => {
                // From the first call that meets it on, each fault lasts so long.
                let until = self.clock.elapsed() + Duration::from_hours(1);
                self.witness.oracle(|oracle| oracle.denies(until));
                for action in [
                    "TagRole",
                    "AttachRolePolicy",
                    "CreatePolicyVersion",
                    "DeleteRole",
                ] {
                    let fault = Fault::new(action, 1, FaultKind::AccessDenied).lasting(time);
                    self.fail_for_replicas(&fault);
                }
            }
            IamTrouble::Slow => {
                let rate = Rate {
                    per_second: 2.0,
                    burst: 4,
                };
                self.iam.set_rate(Some(rate));
                later(|iam| iam.set_rate(None));
            }
            IamTrouble::ReadsLag(seconds) => {
                self.reads_lag(Duration::from_secs(seconds.into()));
                later(|iam| iam.set_lag(Duration::ZERO));
            }
            IamTrouble::WritesLag(seconds) => {
                self.writes_lag(Duration::from_secs(seconds.into()));
                later(|iam| iam.set_write_lag(Duration::ZERO));
            }
        }
    }

    /// Others than the replicas' calls are not met: who they are is known by then.
    fn fail_for_replicas(&self, fault: &Fault) {
        for number in 0..self.replicas() {
            if let Some(running) = self.replica(number).running() {
                self.iam
                    .inject(fault.clone().of_caller(&running.process.access_key));
            }
        }
    }

    fn api_trouble(&self, trouble: ApiTrouble, time: Duration) {
        self.disturbed(time);
        let fails = |code, reason: &str| ApiFaultKind::Error {
            code,
            reason: reason.to_owned(),
            message: "the server is not well".to_owned(),
        };
        let callers = (0..self.replicas()).filter_map(|number| self.replica(number).running());
        let callers: Vec<String> = callers.map(|running| running.process.name).collect();
        let order = |verb: Option<Verb>, kind: &ApiFaultKind| {
            for caller in &callers {
                self.api.order(ApiFault {
                    verb,
                    caller: Some(caller.clone()),
                    for_time: Some(time),
                    ..ApiFault::new(1, kind.clone())
                });
            }
        };
        match trouble {
            ApiTrouble::Down => self.api.restart(time),
            ApiTrouble::Fails => order(None, &fails(500, "InternalError")),
            ApiTrouble::Throttles => order(
                Some(Verb::Patch),
                &ApiFaultKind::TooManyRequests { retry_after: 1 },
            ),
            ApiTrouble::WatchesLag => {
                self.api
                    .hold_watches(Resource::Roles, time.min(Duration::from_secs(20)));
                let api = self.api.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    api.hold_watches(Resource::Roles, Duration::ZERO);
                });
            }
            ApiTrouble::WatchesEnd => self.api.drop_watches(),
            ApiTrouble::Compacts => self.api.compact(),
        }
    }

    /// All troubles are over.
    pub fn calm(&self) {
        self.iam.clear_faults();
        self.iam.set_rate(None);
        self.iam.set_lag(Duration::ZERO);
        self.iam.set_write_lag(Duration::ZERO);
        self.api.clear_faults();
        self.api.hold_watches(Resource::Roles, Duration::ZERO);
        self.witness.oracle(Oracle::calm);
        self.witness.line("all troubles are over");
    }
}

fn said(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
