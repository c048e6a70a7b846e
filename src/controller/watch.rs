//! The watch: events of the API server in, the store brought up to date and keys queued. Does
//! network IO through kube's watcher, which lists again and backs off by itself.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::watch::Sender;
use tracing::{info, warn};

use super::object::{Key, Object};
use super::queue::{Priority, Queue};
use super::store::{Change, Store};
use crate::telemetry::health::Heartbeat;
use crate::telemetry::metrics::Metrics;

/// What is watched.
#[derive(Clone, Debug)]
pub struct Scope {
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// Labels.
    pub selector: Option<String>,
}

/// Where events go.
pub struct Sink<'a> {
    /// The objects.
    pub store: Store,
    /// The keys to work on.
    pub queue: Queue<Key>,
    /// Counts what is queued.
    pub metrics: &'a Metrics,
    /// Told once the first list is complete.
    pub synced: Sender<bool>,
}

/// Watches until the task is dropped.
pub async fn run(client: Client, scope: &Scope, sink: Sink<'_>, heartbeat: &Heartbeat) {
    let api: Api<Object> = match &scope.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut config = watcher::Config::default();
    config.label_selector.clone_from(&scope.selector);
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut listed = BTreeSet::new();
    let mut tick = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        tokio::select! {
            _ = tick.tick() => heartbeat.beat(),
            event = events.try_next() => {
                heartbeat.beat();
                match event {
                    Ok(Some(event)) => take(event, scope, &sink, &mut listed),
                    Ok(None) => return,
                    Err(error) => {
                        let error = crate::kubernetes::cause(&error);
                        warn!(error, "cannot watch SessionManagerRoles; the controller retries");
                    }
                }
            }
        }
    }
}

fn take(event: watcher::Event<Object>, scope: &Scope, sink: &Sink, listed: &mut BTreeSet<Key>) {
    match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::InitApply(object) => {
            listed.insert(object.key());
            seen(object, sink);
        }
        watcher::Event::Apply(object) => seen(object, sink),
        watcher::Event::InitDone => {
            for gone in sink
                .store
                .keys(scope.namespace.as_deref())
                .iter()
                .filter(|key| !listed.contains(key))
            {
                forget(gone, sink);
            }
            info!(objects = listed.len(), "watching SessionManagerRoles");
            sink.synced.send_replace(true);
        }
        watcher::Event::Delete(object) => forget(&object.key(), sink),
    }
}

/// What is in sync as far as its status tells waits for the sweep.
fn seen(object: Object, sink: &Sink) {
    let key = object.key();
    let settled = object.is_settled();
    let waiting = object.is_deleting()
        || object
            .written_status()
            .is_none_or(|s| s.observed_generation != object.generation());
    let priority = match sink.store.put(object) {
        Change::New if settled => return,
        Change::Nothing => return,
        Change::New if !waiting => Priority::Repair,
        Change::New | Change::Woken => Priority::Edit,
    };
    sink.metrics.queue_added();
    sink.queue.add(key, priority);
}

/// The worker that next takes the key finds no object and forgets what it remembers of it.
fn forget(key: &Key, sink: &Sink) {
    sink.store.remove(key);
    sink.metrics.queue_added();
    sink.queue.add(key.clone(), Priority::Edit);
}
