//! The watch: events of the API server in, the store brought up to date and keys queued. Does
//! network IO through kube's watcher, which lists again after an error.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::client::ClientBuilder;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config};
use tokio::sync::watch::Sender;
use tower::util::MapResultLayer;
use tracing::{info, warn};

use super::cache::{Change, Object, Store};
use super::queue::{Priority, Queue};
use super::state::spread;
use crate::telemetry::health::Heartbeat;
use crate::telemetry::metrics::{ApiRequests, Metrics};
use smr_api::Key;

/// The API server ends a watch after so many seconds, and kube's watcher takes one for dead that is
/// silent 5 s longer: a dead connection is noticed within a minute.
const WATCH_SECONDS: u32 = 50;
/// A list has no time-out of its own: nothing is waited for longer on the connections of a watch.
const READ_TIMEOUT: Duration = Duration::from_secs(55);
/// A watch that ends no attempt for so long is stuck: twice the longest.
pub const STUCK: Duration = Duration::from_mins(2);
/// The longest pause before a watch that failed begins anew: the CRD may be back by then.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Of a watch that has not listed its objects yet.
pub const NOT_LISTED: &str = "the SessionManagerRoles are not listed yet";

/// What is watched.
#[derive(Clone, Debug)]
pub struct Watched {
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// Labels.
    pub selector: Option<String>,
}

/// Whether the objects are known, or why not.
pub type Synced = Result<(), String>;

/// Where events go.
pub struct Sink<'a> {
    /// The objects.
    pub store: Store,
    /// The keys to work on.
    pub queue: Queue<Key>,
    /// Counts what is queued.
    pub metrics: &'a Metrics,
    /// Ok once the first list is complete, and for as long as the API server knows the kind.
    pub synced: Sender<Synced>,
}

/// A client for one watch: each answer of the API server, good or bad, is a beat of the heart, and so
/// is the end of a wait for one.
///
/// # Errors
/// The configuration is not usable.
pub fn client(
    mut config: Config,
    heartbeat: Heartbeat,
    requests: &ApiRequests,
) -> kube::Result<Client> {
    config.read_timeout = Some(READ_TIMEOUT);
    let beats = MapResultLayer::new(move |answer| {
        heartbeat.beat();
        answer
    });
    let client = ClientBuilder::try_from(config)?;
    Ok(client.with_layer(&beats).with_layer(requests).build())
}

/// Watches until the task is dropped.
pub async fn run(client: Client, scope: &Watched, sink: Sink<'_>) {
    let api: Api<Object> = match &scope.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    config.label_selector.clone_from(&scope.selector);
    let mut pause = Duration::ZERO;
    loop {
        tokio::time::sleep(pause).await;
        let events = watcher(api.clone(), config.clone());
        let mut events = events.backoff(Pauses::default()).boxed();
        let mut listed = BTreeSet::new();
        loop {
            match events.try_next().await {
                Ok(Some(event)) => take(event, scope, &sink, &mut listed),
                Ok(None) => return,
                // kube's watcher would go on without a word once it may again: only a new list says
                // that the objects are known.
                Err(error) if failed(&error, &sink) => break,
                Err(_) => {}
            }
        }
        pause = spread(LONGEST_PAUSE);
    }
}

/// The objects that are known stay so: an API server that is away for a while deletes nothing. Whether
/// something has to be installed or granted.
fn failed(error: &watcher::Error, sink: &Sink) -> bool {
    let missing = missing(error);
    let cause = (missing.clone()).unwrap_or_else(|| crate::kubernetes::cause(error));
    warn!(
        error = cause,
        "cannot watch SessionManagerRoles; the controller retries"
    );
    let is_missing = missing.is_some();
    if let Some(why) = missing {
        set(&sink.synced, Err(why));
    }
    is_missing
}

/// Wakes whoever waits only where something changes.
fn set(synced: &Sender<Synced>, now: Synced) {
    synced.send_if_modified(|before| {
        let is_new = *before != now;
        *before = now;
        is_new
    });
}

/// What somebody has to install or to grant.
fn missing(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return None;
    };
    match status.code {
        403 => Some("the API server does not let the controller list and watch SessionManagerRoles: apply its ClusterRole and binding".to_owned()),
        404 => Some("the API server does not know the kind SessionManagerRole: apply the CRD sessionmanagerroles.sessionmanager.dev ('smr crd' prints it)".to_owned()),
        _ => None,
    }
}

/// kube's pauses between attempts, and none of them long.
#[derive(Default)]
struct Pauses(DefaultBackoff);

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(LONGEST_PAUSE))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0.reset();
    }
}

fn take(event: watcher::Event<Object>, scope: &Watched, sink: &Sink, listed: &mut BTreeSet<Key>) {
    match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::InitApply(object) => {
            listed.insert(object.key());
            seen(object, sink, Store::replace);
        }
        watcher::Event::Apply(object) => seen(object, sink, Store::put),
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
            set(&sink.synced, Ok(()));
        }
        watcher::Event::Delete(object) => forget(&object.key(), sink),
    }
}

/// What is in sync as far as its status tells waits for the sweep.
fn seen(object: Object, sink: &Sink, put: impl FnOnce(&Store, Object) -> Change) {
    let key = object.key();
    let waiting = object.is_deleting()
        || object
            .written_status()
            .is_none_or(|s| s.observed_generation != object.generation());
    let priority = match put(&sink.store, object) {
        Change::New { settled: true } | Change::Nothing => return,
        Change::New { settled: false } if !waiting => Priority::Repair,
        Change::New { settled: false } | Change::Woken => Priority::Edit,
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
