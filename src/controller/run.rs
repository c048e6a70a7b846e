//! The controller's life: elected, watching, working, stopping. In: settings and clients; out: how
//! it ended. Does network IO.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, select_all};
use kube::Client;
use smr_api::{FIELD_MANAGER, Key};
use smr_core::limits::Limits;
use smr_core::ports::{Clock, MayWrite, ReadOnly};
use smr_lease::{AtShutdown, Elector, Fence, LeaseConfig, LeaseError, Outcome};
use tokio::sync::watch::{self, Receiver};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::cache::Store;
use super::cluster_uid::{self, NoClusterUid};
use super::pass::{Context, Next};
use super::publish::{Cluster, Publisher};
use super::queue::{Priority, Queue};
use super::state::Tracker;
use super::sweep::{Scope, SweepMode, Sweeper};
use super::watch::{NOT_LISTED, Sink, Synced, Watched};
use crate::telemetry::health::{Health, HealthError, Heartbeat, Server};
use crate::telemetry::metrics::{Metrics, MetricsError};
use smr_iam::{Aws, BULK_TIMEOUT, Budget, Gate, Recent, SdkConfig};

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
    /// `--observe`: every object is in mode Observe, and nothing is written to AWS.
    pub observe: bool,
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
    /// It is not known which cluster this is.
    #[error(transparent)]
    ClusterUid(#[from] NoClusterUid),
    /// A task came to an unexpected end: a mistake in this program.
    #[error("a task ended unexpectedly: {0}")]
    Task(#[from] JoinError),
}

/// What opens sockets and files, made by whoever runs the controller: a simulation has its own.
/// Randomness is the thread's `fastrand` generator, which the AWS SDK and kube use too.
pub struct Edges {
    /// To the API server, for everything but watches.
    pub kube: Client,
    /// To the API server, for one watch whose every answer is a beat: see [`super::watch::client`].
    pub watch: Box<dyn Fn(Heartbeat) -> kube::Result<Client> + Send + Sync>,
    /// The settings of the edge to AWS, asked for once this replica leads.
    pub aws: BoxFuture<'static, SdkConfig>,
    /// Where `/metrics`, `/livez` and `/readyz` are served, if anywhere.
    pub server: Option<Server>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What happens is counted here, by the clients too.
    pub metrics: Arc<Metrics>,
}

/// Runs until `shutdown` resolves (SIGTERM) or leadership is lost. Nothing that it began outlives it,
/// also where it is dropped.
pub async fn run(
    mut settings: Settings,
    edges: Edges,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let metrics = edges.metrics;
    metrics.settings(settings.resync_interval, settings.concurrency);
    let health = Health::new();
    let stopping = CancellationToken::new();
    let mut serving = JoinSet::new();
    if let Some(server) = edges.server {
        let stopped = stopping.clone().cancelled_owned();
        serving.spawn(server.run(metrics.clone(), health.clone(), stopped));
    }
    tokio::pin!(shutdown);
    if settings.limits.cluster.uid.is_none() {
        let uid = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            uid = cluster_uid::wait(&edges.kube) => uid?,
        };
        settings.limits.cluster.uid = Some(uid);
    }
    let controller = Controller {
        settings,
        kube: edges.kube,
        watch: edges.watch,
        metrics,
        health,
        clock: edges.clock,
        stopping: stopping.clone(),
    };
    let ended = controller.lead(edges.aws, shutdown).await;
    stopping.cancel();
    while let Some(served) = serving.join_next().await {
        match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "the metrics server ended badly"),
            Err(error) => warn!(%error, "the metrics server ended badly"),
        }
    }
    ended
}

struct Controller {
    settings: Settings,
    kube: Client,
    watch: Box<dyn Fn(Heartbeat) -> kube::Result<Client> + Send + Sync>,
    metrics: Arc<Metrics>,
    health: Health,
    clock: Arc<dyn Clock>,
    stopping: CancellationToken,
}

impl Controller {
    /// Waits for the Lease where there is one, and works as long as it lasts.
    async fn lead(
        self,
        aws: BoxFuture<'static, SdkConfig>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        let Some(config) = self.settings.lease.clone() else {
            self.metrics.leader(true);
            self.work(Fence::always(), aws, shutdown).await?;
            return Ok(());
        };
        let identity = config.identity.clone();
        let (elector, fence) = Elector::new(self.kube.clone(), config, self.clock.clone());
        let (drained, at_shutdown) = tokio::sync::oneshot::channel();
        let mut election = JoinSet::new();
        election
            .spawn(elector.run(async move { at_shutdown.await.unwrap_or(AtShutdown::LetExpire) }));
        // A standby is ready: it can take over at any moment.
        self.health.set_ready();
        self.metrics.leader(false);
        info!(identity, "waiting for the Lease");
        tokio::pin!(shutdown);
        let how = tokio::select! {
            biased;
            () = &mut shutdown => AtShutdown::Release,
            () = fence.acquired() => {
                info!(identity, "leading");
                self.metrics.leader(true);
                self.health.set_not_ready(NOT_LISTED);
                let how = self.work(fence, aws, shutdown).await?;
                self.metrics.leader(false);
                how
            }
            () = fence.lost() => AtShutdown::LetExpire,
        };
        // The other end is gone only if the election has ended already.
        let _ = drained.send(how);
        match election.join_next().await.transpose()?.transpose()? {
            Some(Outcome::Stopped) | None => Ok(()),
            Some(Outcome::Lost) => Err(RunError::LeaseLost),
        }
    }

    /// Watches and works until told to stop or until the Lease is lost.
    async fn work(
        &self,
        fence: Fence,
        aws: BoxFuture<'static, SdkConfig>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<AtShutdown, RunError> {
        let Self {
            settings,
            metrics,
            health,
            stopping,
            ..
        } = self;
        let budget = Budget::new(settings.requests_per_second);
        // With --observe no pass writes to AWS; if one did, its write would stop here.
        let may_write: Arc<dyn MayWrite> = if settings.observe {
            Arc::new(ReadOnly)
        } else {
            Arc::new(fence.clone())
        };
        let gate = Gate::new(budget, may_write, stopping.clone(), metrics.clone());
        let queue: Queue<Key> = Queue::new();
        let aws = Aws::new(&aws.await, gate.clone());
        let context = Arc::new(self.context(aws, &fence, queue.clone()));
        let mut watches = self.watches(&context, &queue)?;
        let mut workers = self.workers(&context, &queue);
        let mut gauges = tokio::time::interval(GAUGES);
        tokio::pin!(shutdown);
        let lost = fence.lost();
        tokio::pin!(lost);
        let led_to_the_end = loop {
            tokio::select! {
                biased;
                () = &mut lost => break false,
                () = &mut shutdown => break true,
                _ = gauges.tick() => {
                    metrics.objects(&context.store.counts(), context.clock.now().as_second());
                    metrics.budget(gate.budget().rate(), gate.budget().waiting());
                    metrics.queue_depth(queue.ready());
                    context.tracker.forget_old(context.clock.now());
                    context.recent.lock().forget(context.clock.steady());
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

    /// What all passes share.
    fn context(&self, aws: Aws, fence: &Fence, queue: Queue<Key>) -> Context {
        let settings = &self.settings;
        let lease = settings.lease.as_ref();
        let instance = lease.map_or_else(|| FIELD_MANAGER.to_owned(), |l| l.identity.clone());
        let cluster = Cluster::new(self.kube.clone(), fence.clone(), instance);
        let (store, clock, metrics) = (Store::new(settings.observe), &self.clock, &self.metrics);
        Context {
            limits: settings.limits.clone(),
            resync_interval: settings.resync_interval,
            selector: settings.selector.clone(),
            aws,
            publisher: Publisher::new(cluster, store.clone(), clock.clone(), metrics.clone()),
            store,
            queue,
            tracker: Tracker::default(),
            // Until now another replica may have written.
            recent: Recent::new(clock.clone()),
            clock: clock.clone(),
            metrics: metrics.clone(),
        }
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
            let client = (self.watch)(heartbeat)?;
            let (metrics, store, queue) =
                (self.metrics.clone(), context.store.clone(), queue.clone());
            let scope = Watched {
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
        let scope = Scope {
            namespaces: self.settings.namespaces.clone(),
            selects: self.settings.selector.is_some(),
        };
        let heartbeat = self.health.heartbeat("sweep", STUCK);
        heartbeat.rest();
        let (mode, first_lists) = (self.settings.sweep, all.clone());
        let sweeper = Sweeper::new(context.clone(), queue.clone(), mode, scope, heartbeat);
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
            Next::AwaitChange => work.done(),
            Next::After(delay, priority) => work.again_after(delay, priority),
        }
    }
}

#[cfg(test)]
mod tests;
