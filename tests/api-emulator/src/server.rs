//! The server's handle: requests, orders of a test and questions enter; answers, the store and the
//! log leave. No IO.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use tokio::sync::watch::{Receiver, Sender};
use tokio::time::Instant;

use crate::edge::Edge;
use crate::faults::Fault;
use crate::log::Request;
use crate::resource::{Resource, Verb};
use crate::state::State;
use crate::store::{Change, Snapshot};

/// What a server starts with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The time of day at its creation.
    pub epoch: Timestamp,
    /// The UID of the namespace kube-system.
    pub kube_system_uid: String,
    /// No list has more objects on a page, where pages are asked for.
    pub page_size: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            epoch: Timestamp::constant(1_767_225_600, 0),
            kube_system_uid: "00000000-0000-4000-8000-00000000c1c5".to_owned(),
            page_size: 500,
        }
    }
}

/// An API server; its clones are handles on one store. Made inside of a tokio runtime, whose clock
/// it goes by.
#[derive(Clone)]
pub struct ApiServer(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    bells: BTreeMap<Resource, Sender<u64>>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiServer")
    }
}

impl ApiServer {
    /// A server with the namespaces default and kube-system.
    pub fn new(config: Config) -> Self {
        let bells = Resource::ALL.map(|resource| (resource, Sender::new(0)));
        Self(Arc::new(Shared {
            state: Mutex::new(State::new(config, Instant::now())),
            bells: bells.into(),
        }))
    }

    /// A client of its own for a caller.
    pub fn client(&self, caller: &str) -> Client {
        Client::new(self.edge(caller), "default")
    }

    /// What such a client sends its requests to.
    pub fn edge(&self, caller: &str) -> Edge {
        Edge::new(self.clone(), caller)
    }

    /// Does what is due, then this (bells and marks are both in the order of [`Resource::ALL`]); whoever watches what has changed is woken.
    pub(crate) fn with<T>(&self, deed: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.marks();
        state.advance(Instant::now());
        let result = deed(&mut state);
        let after = state.marks();
        drop(state);
        for (bell, (old, new)) in self.0.bells.values().zip(before.iter().zip(&after)) {
            if old != new {
                bell.send_modify(|rung| *rung += 1);
            }
        }
        result
    }

    /// Rings when something of a resource changes, and at every order.
    pub(crate) fn bell(&self, resource: Resource) -> Option<Receiver<u64>> {
        self.0.bells.get(&resource).map(Sender::subscribe)
    }

    /// Orders a fault.
    pub fn order(&self, fault: Fault) {
        self.with(|state| state.faults.push(fault));
    }

    /// Takes back all faults that were ordered.
    pub fn clear_faults(&self) {
        self.with(|state| state.faults.clear());
    }

    /// The log.
    pub fn requests(&self) -> Vec<Request> {
        self.with(|state| state.log.all())
    }

    /// The number of the last request; 0 before the first.
    pub fn last_request(&self) -> u64 {
        self.with(|state| state.log.last())
    }

    /// One request, while it is kept.
    pub fn request(&self, seq: u64) -> Option<Request> {
        self.with(|state| {
            let found = state.log.since(seq.checked_sub(1)?).next();
            found.filter(|request| request.seq == seq).cloned()
        })
    }

    /// Requests after a number, in order, as far as they are kept.
    pub fn requests_since(&self, seq: u64) -> Vec<Request> {
        self.with(|state| state.log.since(seq).cloned().collect())
    }

    /// Empties the log.
    pub fn clear_requests(&self) {
        self.with(|state| state.log.clear());
    }

    /// The latest changes of the store, in order; what was compacted is not among them.
    pub fn changes(&self) -> Vec<Change> {
        self.with(|state| state.store().changes())
    }

    /// The store's version.
    pub fn resource_version(&self) -> u64 {
        self.with(|state| state.store().version())
    }

    /// The time of day.
    pub fn time(&self) -> Timestamp {
        self.with(|state| state.time())
    }

    /// An object, without a request. The namespace of what lies in none is empty.
    pub fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Value> {
        let place = (namespace.to_owned(), name.to_owned());
        self.with(|state| state.store().get(resource, &place).map(|o| (**o).clone()))
    }

    /// All objects of a resource, without a request, by namespace and name.
    pub fn list(&self, resource: Resource) -> Vec<Arc<Value>> {
        self.with(|state| {
            let all = state.store().objects(resource);
            all.map(|(_, object)| object.clone()).collect()
        })
    }

    /// The version of the last change of a resource: while this stays, so do its objects.
    pub fn last_change(&self, resource: Resource) -> u64 {
        self.with(|state| state.store().last_change(resource))
    }

    /// From now on requests of this caller have no effect and no answer, and its watches say nothing.
    /// What it has sent before and is still on its way arrives.
    pub fn kill(&self, caller: &str) {
        self.order_all(|state| state.kill(caller));
    }

    /// While a caller is cut off, its requests fail at once; its open watches say nothing any more.
    pub fn cut(&self, caller: &str, on: bool) {
        self.order_all(|state| state.cut(caller, on));
    }

    /// Watches tell changes of this resource so much later than they happen, in their order.
    /// `Duration::ZERO` ends it: what was held goes out at once.
    pub fn hold_watches(&self, resource: Resource, time: Duration) {
        self.order_all(|state| state.hold_watches(resource, time));
    }

    /// All watches end, as when the server restarts.
    pub fn drop_watches(&self) {
        self.order_all(State::end_watches);
    }

    /// Older versions are forgotten: a watch from one gets 410, and so does a list that goes on from
    /// one.
    pub fn compact(&self) {
        self.order_all(|state| state.store_mut().compact());
    }

    /// Watches end, and requests are refused for so long. What is on its way is lost.
    pub fn restart(&self, down: Duration) {
        self.order_all(|state| state.go_down(down));
    }

    /// All objects as they are now.
    pub fn snapshot(&self) -> Snapshot {
        self.with(|state| state.store().snapshot())
    }

    /// All objects are as they were then. Versions go on growing, watches end, older versions are
    /// forgotten.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.order_all(|state| {
            let now = state.now();
            state.store_mut().restore(snapshot, now);
            state.end_watches();
        });
    }

    /// Whether a resource is served; one that is not is unknown to requests, and its watches end. Its
    /// objects stay.
    pub fn serve(&self, resource: Resource, on: bool) {
        self.order_all(|state| state.serve(resource, on));
    }

    /// Whether a caller may not do this (403).
    pub fn forbid(&self, caller: &str, verb: Verb, resource: Resource, on: bool) {
        self.with(|state| state.forbid(caller, verb, resource, on));
    }

    fn order_all(&self, deed: impl FnOnce(&mut State)) {
        self.with(|state| {
            deed(state);
            state.alarm();
        });
    }
}
