//! Everything that a server knows, and what time it is: requests enter, effects and answers leave.
//! No IO.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use crate::asked::Asked;
use crate::faults::Faults;
use crate::log::{Log, Outcome, Request};
use crate::reply::{Failure, Reply};
use crate::resource::{Resource, Verb};
use crate::server::Config;
use crate::store::Store;
use crate::{namespaces, read, write};

/// An object, where there is one.
type Kept = Option<Arc<Value>>;

/// Where the answer to a request that is on its way will be.
pub(crate) type Slot = Arc<OnceLock<Reply>>;

struct Late {
    seq: u64,
    asked: Asked,
    slot: Slot,
}

/// A connection; one that was closed or went silent is not the same any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) cuts: u64,
    pub(crate) restarts: u64,
    pub(crate) is_killed: bool,
}

/// What a request did.
pub(crate) struct Done {
    pub(crate) reply: Reply,
    /// The object before and after, where it was changed.
    pub(crate) change: Option<(Kept, Kept)>,
}

impl Done {
    pub(crate) fn answer(reply: impl Into<Reply>) -> Self {
        Self {
            reply: reply.into(),
            change: None,
        }
    }
}

/// The server's memory.
pub(crate) struct State {
    config: Config,
    start: Instant,
    now: Instant,
    store: Store,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    late: BTreeMap<(Instant, u64), Late>,
    killed: BTreeSet<String>,
    cut: BTreeSet<String>,
    cuts: BTreeMap<String, u64>,
    era: u64,
    restarts: u64,
    down_until: Option<Instant>,
    unserved: BTreeSet<Resource>,
    forbidden: BTreeSet<(String, Verb, Resource)>,
    holds: BTreeMap<Resource, Duration>,
    alarms: u64,
}

impl State {
    pub(crate) fn new(config: Config, start: Instant) -> Self {
        let mut state = Self {
            config,
            start,
            now: start,
            store: Store::default(),
            faults: Faults::default(),
            log: Log::default(),
            late: BTreeMap::new(),
            killed: BTreeSet::new(),
            cut: BTreeSet::new(),
            cuts: BTreeMap::new(),
            era: 0,
            restarts: 0,
            down_until: None,
            unserved: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            holds: BTreeMap::new(),
            alarms: 0,
        };
        namespaces::found(&mut state);
        state
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// A number for each resource, another one whenever its watches have something to look at.
    pub(crate) fn marks(&self) -> [u64; 4] {
        Resource::ALL.map(|resource| self.store.last_change(resource) + self.alarms)
    }

    /// Wakes all watches.
    pub(crate) fn alarm(&mut self) {
        self.alarms += 1;
    }

    /// The moment of what is being done.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// The time of day of that moment.
    pub(crate) fn time(&self) -> Timestamp {
        let passed = self.now.saturating_duration_since(self.start);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.config
            .epoch
            .saturating_add(passed)
            .unwrap_or(Timestamp::MAX)
    }

    /// That, in whole seconds, as objects have it.
    pub(crate) fn stamp(&self) -> String {
        self.time().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub(crate) fn era(&self) -> u64 {
        self.era
    }

    pub(crate) fn end_watches(&mut self) {
        self.era += 1;
    }

    pub(crate) fn kill(&mut self, caller: &str) {
        self.killed.insert(caller.to_owned());
    }

    pub(crate) fn is_killed(&self, caller: &str) -> bool {
        self.killed.contains(caller)
    }

    pub(crate) fn cut(&mut self, caller: &str, on: bool) {
        if !on {
            self.cut.remove(caller);
        } else if self.cut.insert(caller.to_owned()) {
            *self.cuts.entry(caller.to_owned()).or_default() += 1;
        }
    }

    /// How often the caller was cut off so far.
    pub(crate) fn cuts_of(&self, caller: &str) -> u64 {
        self.cuts.get(caller).copied().unwrap_or_default()
    }

    /// The connection of a caller, as it is now.
    pub(crate) fn line(&self, caller: &str) -> Line {
        Line {
            cuts: self.cuts_of(caller),
            restarts: self.restarts,
            is_killed: self.is_killed(caller),
        }
    }

    /// Whether the caller's requests do not get here.
    pub(crate) fn is_unreachable(&self, caller: &str) -> bool {
        self.cut.contains(caller) || self.down_until.is_some_and(|until| self.now < until)
    }

    pub(crate) fn go_down(&mut self, time: Duration) {
        self.late.clear();
        self.restarts += 1;
        self.down_until = Some(self.now + time);
        self.end_watches();
    }

    pub(crate) fn serve(&mut self, resource: Resource, on: bool) {
        if on {
            self.unserved.remove(&resource);
        } else {
            self.unserved.insert(resource);
        }
    }

    pub(crate) fn is_served(&self, resource: Resource) -> bool {
        !self.unserved.contains(&resource)
    }

    pub(crate) fn forbid(&mut self, caller: &str, verb: Verb, resource: Resource, on: bool) {
        let rule = (caller.to_owned(), verb, resource);
        if on {
            self.forbidden.insert(rule);
        } else {
            self.forbidden.remove(&rule);
        }
    }

    pub(crate) fn hold_watches(&mut self, resource: Resource, time: Duration) {
        self.holds.insert(resource, time);
    }

    /// How much later changes are told.
    pub(crate) fn hold(&self, resource: Resource) -> Duration {
        self.holds.get(&resource).copied().unwrap_or_default()
    }

    /// When the next thing happens that nobody asks for any more.
    pub(crate) fn next_late(&self) -> Option<Instant> {
        let late = self.late.first_key_value().map(|((due, _), _)| *due);
        [late, self.store.next_end()].into_iter().flatten().min()
    }

    /// Does what has been due until now, in order.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some(due) = self.next_late().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            if self.store.next_end().is_some_and(|end| end <= due) {
                self.store.end_next();
            } else if let Some((_, late)) = self.late.pop_first() {
                let reply = self.execute(late.seq, &late.asked);
                // Whoever waited may have gone.
                drop(late.slot.set(reply));
            }
        }
        self.now = self.now.max(now);
    }

    /// A request that is on its way for so long.
    pub(crate) fn send_later(&mut self, seq: u64, asked: Asked, time: Duration) -> Slot {
        let slot = Slot::default();
        let late = Late {
            seq,
            asked,
            slot: slot.clone(),
        };
        self.late.insert((self.now + time, seq), late);
        self.alarm();
        slot
    }

    /// Notes a request as it arrives.
    pub(crate) fn arrived(&mut self, asked: &Asked) -> u64 {
        let body = asked
            .verb
            .is_write()
            .then(|| serde_json::from_slice(&asked.body).ok());
        let request = Request {
            seq: 0,
            at: self.time(),
            done_at: None,
            caller: asked.caller.clone(),
            verb: asked.verb,
            resource: asked.resource,
            subresource: asked.subresource,
            namespace: asked.namespace.clone(),
            name: asked.name.clone(),
            query: asked.query.clone(),
            content_type: asked.content_type.clone(),
            body: body.flatten(),
            code: None,
            outcome: Outcome::Pending,
            write: false,
            resource_version: self.store.version(),
            before: None,
            after: None,
        };
        self.log.push(request)
    }

    pub(crate) fn outcome(&mut self, seq: u64, outcome: Outcome) {
        if let Some(request) = self.log.get_mut(seq) {
            request.outcome = outcome;
        }
    }

    /// Does what is asked, and notes it.
    pub(crate) fn execute(&mut self, seq: u64, asked: &Asked) -> Reply {
        let done = match self.refusal(asked) {
            Some(failure) => Done::answer(failure),
            None if asked.verb.is_write() => write::perform(self, asked),
            None => Done::answer(read::perform(self, asked)),
        };
        namespaces::settle(self);
        let (done_at, version) = (self.time(), self.store.version());
        if let Some(request) = self.log.get_mut(seq) {
            request.done_at = Some(done_at);
            request.code = Some(done.reply.code);
            request.resource_version = version;
            request.write = done.change.is_some();
            (request.before, request.after) = done.change.unwrap_or_default();
        }
        done.reply
    }

    /// What is refused before anyone looks at it.
    pub(crate) fn refusal(&self, asked: &Asked) -> Option<Failure> {
        if !self.is_served(asked.resource) {
            return Some(Failure::not_served());
        }
        let rule = (asked.caller.clone(), asked.verb, asked.resource);
        self.forbidden.contains(&rule).then(|| not_allowed(asked))
    }
}

fn not_allowed(asked: &Asked) -> Failure {
    let scope = match asked.namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    let below = asked.subresource.map_or("", |_| "/status");
    let why = format!(
        "User \"{}\" cannot {} resource \"{}{below}\" in API group \"{}\" {scope}",
        asked.caller,
        asked.verb.name(),
        asked.resource.plural(),
        asked.resource.group(),
    );
    Failure::forbidden(
        asked.resource,
        asked.name.as_deref().unwrap_or_default(),
        &why,
    )
}
