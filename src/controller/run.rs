//! The controller's life: elected, watching, working, stopping. In: settings and clients; out: how
//! it ended. Does network IO.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use jiff::Timestamp;
use kube::{Client, Config};
use smr_core::limits::Limits;
use smr_core::ports::Clock;
use smr_lease::{AtShutdown, Elector, Fence, LeaseConfig, LeaseError, Outcome};
use tokio::sync::watch::{self, Receiver};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::cluster::Cluster;
use super::memory::Memories;
use super::queue::{Priority, Queue};
use super::reconcile::{Context, Next};
use super::store::Store;
use super::sweep::{Sight, SweepMode, Sweeper};
use super::watch::{NOT_LISTED, Scope, Sink, Synced};
use crate::clock::SystemClock;
use crate::telemetry::health::{Health, HealthError, Heartbeat, Server};
use crate::telemetry::metrics::{Metrics, MetricsError};
use smr_api::Key;
use smr_iam::{Aws, BULK_TIMEOUT, Budget, Gate, Recent};

/// Work in flight gets this long after SIGTERM: an attempt's time-out, and a little.
const DRAIN: Duration = Duration::from_secs(7);
/// How often gauges are brought up to date, and what is not worth remembering is forgotten.
const GAUGES: Duration = Duration::from_secs(2);
/// A worker or sweep that ends no call for so long is stuck: twice the longest.
const STUCK: Duration = BULK_TIMEOUT.saturating_mul(2);

/// Everything that flags decide.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's limits.
    pub limits: Limits,
    /// `--watch-namespace`; empty: all.
    pub namespaces: Vec<String>,
    /// `--selector`
    pub selector: Option<String>,
    /// `--resync-interval`
    pub resync_interval: Duration,
    /// `--concurrency`
    pub concurrency: usize,
    /// `--iam-requests-per-second`
    pub requests_per_second: u32,
    /// `--sweep`
    pub sweep: SweepMode,
    /// `--metrics-addr`
    pub metrics_addr: SocketAddr,
    /// `--leader-elect`: the Lease, or none.
    pub lease: Option<LeaseConfig>,
}

/// How the controller can end other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The cluster's API can't be reached with the configuration that was found.
    #[error("no usable Kubernetes configuration (KUBECONFIG, ~/.kube/config or in-cluster): {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// Another replica leads now.
    #[error("the Lease was lost: another replica takes over")]
    LeaseLost,
    /// The election failed.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Health and metrics can't be served.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// Metrics can't be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A task came to an unexpected end: a mistake in this program.
    #[error("a task ended unexpectedly: {0}")]
    Task(#[from] JoinError),
}

/// Runs until `shutdown` resolves (SIGTERM) or leadership is lost.
pub async fn run(settings: Settings, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let metrics = Arc::new(Metrics::new()?);
    let health = Health::new();
    let server = Server::bind(settings.metrics_addr).await?;
    info!(address = %server.address(), "serving /metrics, /livez and /readyz");
    let stopping = CancellationToken::new();
    let serving = tokio::spawn(server.run(
        metrics.clone(),
        health.clone(),
        stopping.clone().cancelled_owned(),
    ));
    let config = crate::kubernetes::config().await;
    let config = config.map_err(|error| Box::new(kube::Error::InferConfig(error)))?;
    let client = Client::try_from(config.clone()).map_err(Box::new)?;
    let controller = Controller {
        settings,
        config,
        client,
        metrics,
        health,
        clock: Arc::new(SystemClock::new()),
        stopping: stopping.clone(),
    };
    let ended = controller.lead(shutdown).await;
    stopping.cancel();
    match serving.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the metrics server ended badly"),
        Err(error) => warn!(%error, "the metrics server ended badly"),
    }
    ended
}

struct Controller {
    settings: Settings,
    config: Config,
    client: Client,
    metrics: Arc<Metrics>,
    health: Health,
    clock: Arc<dyn Clock>,
    stopping: CancellationToken,
}

impl Controller {
    /// Waits for the Lease where there is one, and works as long as it lasts.
    async fn lead(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let Some(config) = self.settings.lease.clone() else {
            self.metrics.leader(true);
            self.work(Fence::always(), shutdown).await?;
            return Ok(());
        };
        let identity = config.identity.clone();
        let (elector, fence) = Elector::new(self.client.clone(), config, self.clock.clone());
        let (drained, at_shutdown) = tokio::sync::oneshot::channel();
        let election = tokio::spawn(
            elector.run(async move { at_shutdown.await.unwrap_or(AtShutdown::LetExpire) }),
        );
        // A standby is ready: it can take over at any moment.
        self.health.set_ready();
        self.metrics.leader(false);
        info!(identity, "waiting for the Lease");
        tokio::pin!(shutdown);
        let how = tokio::select! {
            () = fence.acquired() => {
                info!(identity, "leading");
                self.metrics.leader(true);
                self.health.set_not_ready(NOT_LISTED);
                let how = self.work(fence, shutdown).await?;
                self.metrics.leader(false);
                how
            }
            () = &mut shutdown => AtShutdown::Release,
            () = fence.lost() => AtShutdown::LetExpire,
        };
        // The other end is gone only if the election has ended already.
        let _ = drained.send(how);
        match election.await?? {
            Outcome::Stopped => Ok(()),
            Outcome::Lost => Err(RunError::LeaseLost),
        }
    }

    /// Watches and works until told to stop or until the Lease is lost.
    async fn work(
        &self,
        fence: Fence,
        shutdown: impl Future<Output = ()>,
    ) -> Result<AtShutdown, RunError> {
        let Self {
            settings,
            client,
            metrics,
            health,
            stopping,
            clock,
            config: _,
        } = self;
        let budget = Budget::new(settings.requests_per_second);
        let gate = Gate::new(
            budget,
            Arc::new(fence.clone()),
            stopping.clone(),
            metrics.clone(),
        );
        let aws = Aws::new(&smr_iam::from_environment().await, gate.clone());
        let instance = settings
            .lease
            .as_ref()
            .map_or_else(|| "session-manager-role".to_owned(), |l| l.identity.clone());
        let store = Store::default();
        let queue: Queue<Key> = Queue::new();
        let context = Arc::new(Context {
            limits: settings.limits.clone(),
            resync_interval: settings.resync_interval,
            selector: settings.selector.clone(),
            aws,
            cluster: Cluster::new(client.clone(), fence.clone(), instance),
            store,
            queue: queue.clone(),
            memories: Memories::default(),
            // Until now another replica may have written.
            recent: Recent::new(clock.clone()),
            metrics: metrics.clone(),
        });
        let mut watches = self.watches(&context, &queue)?;
        let mut workers = self.workers(&context, &queue);
        let mut gauges = tokio::time::interval(GAUGES);
        tokio::pin!(shutdown);
        let lost = fence.lost();
        tokio::pin!(lost);
        let led_to_the_end = loop {
            tokio::select! {
                () = &mut shutdown => break true,
                () = &mut lost => break false,
                _ = gauges.tick() => {
                    metrics.objects(context.store.counts());
                    metrics.queue_depth(queue.ready());
                    context.memories.settle(Timestamp::now());
                    context.recent.lock().forget(context.recent.now());
                }
                Some(ended) = watches.join_next() => { ended?; }
                Some(ended) = workers.join_next() => { ended?; }
            }
        };
        health.set_not_ready("it is stopping");
        if led_to_the_end {
            info!("stopping: work in flight gets a few seconds");
        } else {
            error!("the Lease was lost: nothing more is written");
        }
        stopping.cancel();
        queue.shutdown();
        watches.shutdown().await;
        let drained = tokio::time::timeout(DRAIN, async {
            while workers.join_next().await.is_some() {}
        })
        .await
        .is_ok();
        workers.shutdown().await;
        let quiet = drained && gate.writes_in_flight() == 0;
        Ok(if quiet && led_to_the_end {
            AtShutdown::Release
        } else {
            AtShutdown::LetExpire
        })
    }

    /// One watch for each namespace, or one for all; once each has listed its objects, the
    /// controller is ready and sweeps.
    fn watches(
        &self,
        context: &Arc<Context>,
        queue: &Queue<Key>,
    ) -> Result<JoinSet<()>, Box<kube::Error>> {
        let mut tasks = JoinSet::new();
        let namespaces = if self.settings.namespaces.is_empty() {
            vec![None]
        } else {
            self.settings.namespaces.iter().cloned().map(Some).collect()
        };
        let mut all = Vec::new();
        for namespace in namespaces {
            let (synced, seen) = watch::channel(Err(NOT_LISTED.to_owned()));
            all.push(seen);
            let heartbeat = self.health.heartbeat("watch", super::watch::STUCK);
            let client = super::watch::client(self.config.clone(), heartbeat)?;
            let (metrics, store, queue) =
                (self.metrics.clone(), context.store.clone(), queue.clone());
            let scope = Scope {
                namespace,
                selector: self.settings.selector.clone(),
            };
            tasks.spawn(async move {
                let sink = Sink {
                    store,
                    queue,
                    metrics: &metrics,
                    synced,
                };
                super::watch::run(client, &scope, sink).await;
            });
        }
        let sight = Sight {
            namespaces: self.settings.namespaces.clone(),
            selects: self.settings.selector.is_some(),
        };
        let heartbeat = self.health.heartbeat("sweep", STUCK);
        heartbeat.rest();
        let (mode, first_lists) = (self.settings.sweep, all.clone());
        let sweeper = Sweeper::new(context.clone(), queue.clone(), mode, sight, heartbeat);
        tasks.spawn(async move {
            if are_listed(first_lists).await {
                sweeper.run().await;
            }
        });
        tasks.spawn(readiness(all, self.health.clone()));
        Ok(tasks)
    }

    /// A quarter of the workers takes nothing but people's changes, so that these never wait behind
    /// repairs that wait for the budget.
    fn workers(&self, context: &Arc<Context>, queue: &Queue<Key>) -> JoinSet<()> {
        let concurrency = self.settings.concurrency;
        let mut tasks = JoinSet::new();
        for number in 0..concurrency.max(1) {
            let least = if number < concurrency / 4 {
                Priority::Edit
            } else {
                Priority::Resync
            };
            let heartbeat = self.health.heartbeat("worker", STUCK);
            tasks.spawn(worker(context.clone(), queue.clone(), least, heartbeat));
        }
        tasks
    }
}

/// Whether all watches have listed their objects once; false where one has ended.
async fn are_listed(watches: Vec<Receiver<Synced>>) -> bool {
    for mut watch in watches {
        if watch.wait_for(Result::is_ok).await.is_err() {
            return false;
        }
    }
    true
}

/// The controller is ready while every watch knows its objects.
async fn readiness(mut watches: Vec<Receiver<Synced>>, health: Health) {
    loop {
        let synced = (watches.iter_mut()).map(|watch| watch.borrow_and_update().clone());
        let synced: Vec<Synced> = synced.collect();
        let all: Synced = synced.into_iter().collect();
        match all {
            Ok(()) => health.set_ready(),
            Err(why) => health.set_not_ready(why),
        }
        let changes = watches.iter_mut().map(|watch| Box::pin(watch.changed()));
        if select_all(changes).await.0.is_err() {
            return;
        }
    }
}

async fn worker(context: Arc<Context>, queue: Queue<Key>, least: Priority, heartbeat: Heartbeat) {
    loop {
        heartbeat.rest();
        let Some(work) = queue.next_up_to(least).await else {
            return;
        };
        heartbeat.beat();
        context.metrics.queue_taken(work.waited());
        let _active = context.metrics.active_worker();
        let reconciled = context.reconcile(work.key(), work.priority(), &heartbeat);
        match reconciled.await {
            Next::Idle => work.done(),
            Next::After(delay, priority) => work.again_after(delay, priority),
        }
    }
}
