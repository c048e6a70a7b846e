//! Who sees all that is done: each call to IAM and to the API server enters, right after it was done; lines of
//! the story and broken rules leave. No IO.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api_emulator::{ApiServer, Outcome, Request, Resource, Subresource};
use iam_emulator::{Call, Emulator};
use serde_json::Value;

use crate::clock::WorldClock;
use crate::edges::Process;
use crate::oracle::Oracle;

/// Sees every call of every replica, and what people do.
#[derive(Clone)]
pub struct Witness(Arc<Shared>);

struct Shared {
    clock: WorldClock,
    iam: Emulator,
    api: ApiServer,
    seen: Mutex<Seen>,
}

/// What is known of the story so far.
struct Seen {
    oracle: Oracle,
    /// None where nobody wants to read it.
    lines: Option<Vec<String>>,
    /// FNV-1a of all lines, read or not.
    hash: u64,
    broken: Vec<String>,
    /// Who held the Lease last.
    leader: Option<String>,
    /// Of IAM and of the objects, when they were looked at last.
    versions: (u64, u64),
}

/// More broken rules of one story help nobody.
const BROKEN: usize = 20;

impl Witness {
    /// A witness that keeps the story's lines, or only what is wrong in it.
    pub fn new(
        clock: WorldClock,
        iam: &Emulator,
        api: &ApiServer,
        oracle: Oracle,
        keeps: bool,
    ) -> Self {
        Self(Arc::new(Shared {
            clock,
            iam: iam.clone(),
            api: api.clone(),
            seen: Mutex::new(Seen {
                oracle,
                lines: keeps.then(Vec::new),
                hash: 0xcbf2_9ce4_8422_2325,
                broken: Vec::new(),
                leader: None,
                versions: (0, 0),
            }),
        }))
    }

    /// A replica has called IAM or STS.
    pub fn called_iam(&self, process: &Process, call: &Call) {
        let target: Vec<String> = (call.params.iter())
            .filter(|(name, _)| name.ends_with("Name") || name.ends_with("Arn"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let line = format!(
            "{} {} {} -> {}",
            process.name,
            call.action,
            target.join(" "),
            call.outcome
        );
        let now = self.0.clock.elapsed();
        let mut seen = self.seen();
        seen.line(self.0.clock, &line);
        let broken = seen.oracle.called(now, process, call);
        seen.broken(self.0.clock, &line, broken);
        if call.write {
            let leader = self.leader();
            let broken = seen.oracle.wrote_iam(
                now,
                process,
                call,
                leader.as_deref(),
                &self.0.iam.snapshot(),
                &self.0.api.list(Resource::Roles),
            );
            seen.broken(self.0.clock, &line, broken);
        }
    }

    /// A replica has called the API server.
    pub fn called_api(&self, process: &Process, request: &Request) {
        if request.body.is_none() {
            return;
        }
        let mut seen = self.seen();
        if request.resource == Resource::Leases {
            let leader = self.leader();
            if leader != seen.leader {
                let line = format!(
                    "the Lease is held by {}",
                    leader.as_deref().unwrap_or("nobody")
                );
                seen.line(self.0.clock, &line);
                seen.leader = leader;
            }
            return;
        }
        let line = format!(
            "{} {:?} {:?}{} {}/{} {}-> {}",
            process.name,
            request.verb,
            request.resource,
            if request.subresource == Some(Subresource::Status) {
                " status"
            } else {
                ""
            },
            request.namespace,
            request.name.as_deref().unwrap_or("-"),
            request.body.as_ref().map(said).unwrap_or_default(),
            outcome(request),
        );
        seen.line(self.0.clock, &line);
        let now = self.0.clock.elapsed();
        let (leader, roles) = (self.leader(), self.0.api.list(Resource::Roles));
        let broken = seen
            .oracle
            .wrote_api(now, process, request, leader.as_deref(), &roles);
        seen.broken(self.0.clock, &line, broken);
    }

    /// Somebody else has changed an object or IAM, or it is time to look at both.
    pub fn look(&self) {
        let now = self.0.clock.elapsed();
        let versions = (
            self.0.iam.version(),
            self.0.api.last_change(Resource::Roles),
        );
        let mut seen = self.seen();
        if versions != seen.versions {
            let snapshot = (versions.0 != seen.versions.0).then(|| self.0.iam.snapshot());
            seen.versions = versions;
            let roles = self.0.api.list(Resource::Roles);
            let broken = seen.oracle.looks(now, snapshot.as_ref(), &roles);
            seen.broken(self.0.clock, "", broken);
        }
        let broken = seen.oracle.waits(now);
        seen.broken(self.0.clock, "", broken);
    }

    /// What happened in the world, in words.
    pub fn line(&self, line: &str) {
        self.seen().line(self.0.clock, line);
    }

    /// A rule is broken.
    pub fn broken(&self, what: String) {
        self.seen().broken(self.0.clock, "", vec![what]);
    }

    /// Whether a rule is broken already.
    pub fn is_over(&self) -> bool {
        !self.seen().broken.is_empty()
    }

    /// Asks the oracle, or tells it something.
    pub fn oracle<T>(&self, ask: impl FnOnce(&mut Oracle) -> T) -> T {
        ask(&mut self.seen().oracle)
    }

    /// The story: its lines where they were kept, a number that stands for all of them, and what was wrong.
    pub fn told(&self) -> (Vec<String>, u64, Vec<String>) {
        let seen = self.seen();
        let lines = seen.lines.clone().unwrap_or_default();
        (lines, seen.hash, seen.broken.clone())
    }

    /// Who holds the Lease, by the API server's store.
    pub fn leader(&self) -> Option<String> {
        let lease = self.0.api.list(Resource::Leases).into_iter().next()?;
        let holder = lease["spec"]["holderIdentity"].as_str()?;
        (!holder.is_empty()).then(|| holder.to_owned())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn line(&mut self, clock: WorldClock, line: &str) {
        let at = clock.elapsed();
        let (s, ms) = (at.as_secs(), at.subsec_millis());
        let line = format!(
            "{:02}:{:02}:{:02}.{ms:03} {line}",
            s / 3600,
            s / 60 % 60,
            s % 60
        );
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    fn broken(&mut self, clock: WorldClock, at: &str, broken: Vec<String>) {
        for what in broken {
            let what = if at.is_empty() {
                what
            } else {
                format!("{what} [{at}]")
            };
            self.line(clock, &format!("BROKEN: {what}"));
            if self.broken.len() < BROKEN {
                self.broken.push(what);
            }
        }
    }
}

/// A written status or event in a few words.
fn said(body: &Value) -> String {
    let mut words = Vec::new();
    for condition in body["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
        let word = format!("{}={}({})", text("type"), text("status"), text("reason"));
        words.push(word);
        if text("type") == "Ready" && text("status") == "False" {
            words.push(format!("'{}'", text("message")));
        }
    }
    if let Some(generation) = body["status"]["observedGeneration"].as_i64() {
        words.push(format!("generation {generation}"));
    }
    if let (Some(reason), Some(note)) = (body["reason"].as_str(), body["note"].as_str()) {
        words.push(format!("{reason} '{note}'"));
    }
    if !body["metadata"]["finalizers"].is_null() {
        words.push(format!("finalizers {}", body["metadata"]["finalizers"]));
    }
    words.push(String::new());
    words.join(" ")
}

fn outcome(request: &Request) -> String {
    match request.outcome {
        Outcome::Answered(code) => code.to_string(),
        other => format!("{other:?} ({:?})", request.code),
    }
}
