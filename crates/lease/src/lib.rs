//! Leader election on a coordination.k8s.io Lease, with client-go's semantics: a client and a
//! configuration enter, a [`Fence`] and an outcome leave. IO: get, create and update of the Lease.
//!
//! Another's lease is judged on our own monotonic clock, from when its record was last seen to
//! change; wall clocks are written for people and never compared. Our own is counted from before
//! a renewal was sent, so that a holder always stops before anyone else may start.

mod config;
mod fence;
mod record;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Api, ObjectMeta, PostParams};
use smr_api::FIELD_MANAGER;
use smr_core::ports::Clock;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

pub use self::config::LeaseConfig;
use self::fence::Standing;
pub use self::fence::{Fence, NotLeader};
use self::record::{Decision, Record, Terms, View};

/// Where the log says that lines come from: one filter is for the whole program, whatever its crates.
const LOG: &str = "session_manager_role::lease";
/// The longest that one call about the Lease may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What can go wrong with the election.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The configuration can't work. The only error that ends the election.
    #[error("leader election: {why}")]
    Invalid {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A call got no answer in time; tried again.
    #[error("{verb} of the Lease: no answer within {} ms", .after.as_millis())]
    TimedOut {
        /// The call.
        verb: &'static str,
        /// Its time-out.
        after: Duration,
    },
    /// A call was refused; tried again.
    #[error("{verb} of the Lease: {reason}")]
    Api {
        /// The call.
        verb: &'static str,
        /// The API server's answer or the transport's error.
        reason: Box<kube::Error>,
    },
}

/// How an election ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This replica led and does so no more: the process should exit.
    Lost,
    /// Stopped by the shutdown future.
    Stopped,
}

/// What becomes of a held Lease at shutdown. The caller knows whether a write is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtShutdown {
    /// Nothing is in flight: give it back, so that another takes over at once.
    Release,
    /// Something may be: let it expire.
    LetExpire,
}

/// One candidate.
#[derive(Debug)]
pub struct Elector {
    api: Api<Lease>,
    config: LeaseConfig,
    clock: Arc<dyn Clock>,
    standing: watch::Sender<Standing>,
}

impl Elector {
    /// A candidate that has not started, and the fence that follows it. The time of day goes into
    /// the Lease, for people.
    pub fn new(
        client: kube::Client,
        config: LeaseConfig,
        clock: Arc<dyn Clock>,
    ) -> (Elector, Fence) {
        let (standing, receiver) = watch::channel(Standing::Standby);
        let fence = Fence::elected(config.terms(), receiver);
        let api = Api::namespaced(client, &config.namespace);
        (
            Elector {
                api,
                config,
                clock,
                standing,
            },
            fence,
        )
    }

    /// Takes part in the election until leadership was lost or `shutdown` resolves. The Lease is
    /// renewed until then, so `shutdown` should resolve after the work has drained, and says
    /// whether the Lease may be given back. The fence is shut when this returns; where the future
    /// is dropped instead, at the renew deadline.
    ///
    /// Refused, late and conflicting calls are retried, never returned.
    pub async fn run<S>(self, shutdown: S) -> Result<Outcome, LeaseError>
    where
        S: Future<Output = AtShutdown>,
    {
        let Elector {
            api,
            config,
            clock,
            standing,
        } = self;
        let name = config.name.clone();
        Election::new(Kubernetes { api, name }, config, clock, standing)?
            .run(shutdown)
            .await
    }
}

/// The three calls that the election makes.
trait Leases {
    async fn get(&self) -> kube::Result<Option<Lease>>;
    async fn create(&self, lease: &Lease) -> kube::Result<Lease>;
    /// Guarded by the resourceVersion in `lease`.
    async fn replace(&self, lease: &Lease) -> kube::Result<Lease>;
}

struct Kubernetes {
    api: Api<Lease>,
    name: String,
}

fn post_params() -> PostParams {
    PostParams {
        dry_run: false,
        field_manager: Some(FIELD_MANAGER.to_owned()),
    }
}

impl Leases for Kubernetes {
    async fn get(&self) -> kube::Result<Option<Lease>> {
        self.api.get_opt(&self.name).await
    }

    async fn create(&self, lease: &Lease) -> kube::Result<Lease> {
        self.api.create(&post_params(), lease).await
    }

    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        self.api.replace(&self.name, &post_params(), lease).await
    }
}

/// How one round of calls ended.
enum Round {
    /// The Lease is ours; the write was sent at this moment.
    Ours(Instant),
    /// Another holds it, at least until then.
    Held(Instant),
    /// Someone wrote between our read and our write.
    Conflict,
}

/// The election over any kind of Lease store.
struct Election<L> {
    leases: L,
    config: LeaseConfig,
    clock: Arc<dyn Clock>,
    terms: Terms,
    view: View,
    standing: watch::Sender<Standing>,
    /// The Lease as our last write left it, while nothing speaks against it.
    written: Option<Lease>,
    /// What was last told, so that it is told once.
    told: String,
}

impl<L: Leases> Election<L> {
    fn new(
        leases: L,
        config: LeaseConfig,
        clock: Arc<dyn Clock>,
        standing: watch::Sender<Standing>,
    ) -> Result<Self, LeaseError> {
        let terms = config.check()?;
        let view = View::new(config.identity.clone(), terms.lease);
        Ok(Election {
            leases,
            config,
            clock,
            terms,
            view,
            standing,
            written: None,
            told: String::new(),
        })
    }

    async fn run<S>(mut self, shutdown: S) -> Result<Outcome, LeaseError>
    where
        S: Future<Output = AtShutdown>,
    {
        let at_shutdown = tokio::select! {
            biased;
            at_shutdown = shutdown => Some(at_shutdown),
            () = self.lead() => None,
        };
        let before = self.standing.send_replace(Standing::Ended);
        let Some(at_shutdown) = at_shutdown else {
            return Ok(Outcome::Lost);
        };
        match (before, at_shutdown) {
            (Standing::Leading(_), AtShutdown::Release) => match self.release().await {
                Ok(()) => {
                    tracing::info!(target: LOG, lease = self.config.name, "released the lease");
                }
                Err(error) => tracing::warn!(target: LOG, %error, "the lease is left to expire"),
            },
            (Standing::Standby | Standing::Ended, _) | (_, AtShutdown::LetExpire) => {}
        }
        Ok(Outcome::Stopped)
    }

    /// Acquires, then renews; returns when leadership was lost.
    async fn lead(&mut self) {
        let mut sent = self.acquire().await;
        let identity = &self.config.identity;
        tracing::info!(target: LOG, lease = self.config.name, identity, "became the leader");
        let mut next = sent + self.terms.retry;
        loop {
            let deadline = self.terms.gives_up_at(sent);
            sleep_until(next.min(deadline)).await;
            let started = Instant::now();
            if started >= deadline {
                tracing::error!(target: LOG, "the lease could not be renewed in time: this replica stops");
                return;
            }
            match timeout_at(deadline, self.round()).await {
                Ok(Ok(Round::Ours(renewed))) => {
                    sent = renewed;
                    self.standing.send_replace(Standing::Leading(sent));
                    self.told.clear();
                }
                Ok(Ok(Round::Held(_))) => {
                    tracing::error!(target: LOG, "another replica holds the lease: this one stops");
                    return;
                }
                Ok(Ok(Round::Conflict)) => {}
                Ok(Err(error)) => self.warn(&error),
                Err(_elapsed) => {}
            }
            next = started + self.terms.retry;
        }
    }

    /// Tries until the Lease is ours; the moment when the write that got it was sent.
    async fn acquire(&mut self) -> Instant {
        loop {
            let started = Instant::now();
            // A little less than the period, so that replicas don't march in step.
            let mut next = started + self.terms.retry.mul_f64(0.8 + fastrand::f64() * 0.2);
            match self.round().await {
                // A process that was stopped meanwhile may be too late already: then again.
                Ok(Round::Ours(sent)) if Instant::now() < self.terms.gives_up_at(sent) => {
                    self.standing.send_replace(Standing::Leading(sent));
                    self.told.clear();
                    return sent;
                }
                Ok(Round::Held(until)) => next = next.min(until),
                Ok(Round::Ours(_) | Round::Conflict) => {}
                Err(error) => self.warn(&error),
            }
            sleep_until(next).await;
        }
    }

    /// One round: as holder a write over our last one, else read, judge, write.
    async fn round(&mut self) -> Result<Round, LeaseError> {
        if let Some(lease) = self.written.take() {
            let record = self.view.ours(self.clock.now());
            if let Some(sent) = self.replace(lease, record).await? {
                return Ok(Round::Ours(sent));
            }
        }
        let found = call("get", self.leases.get()).await?;
        let record = found
            .as_ref()
            .map(|lease| Record::read(lease.spec.as_ref()));
        let sent = match (
            self.view.judge(record, Instant::now(), self.clock.now()),
            found,
        ) {
            (Decision::Held { holder, until }, _) => {
                if self.is_news(&holder) {
                    tracing::info!(target: LOG, lease = self.config.name, holder, "another replica leads");
                }
                return Ok(Round::Held(until));
            }
            (Decision::Replace(record), Some(lease)) => self.replace(lease, record).await?,
            (Decision::Create(record) | Decision::Replace(record), _) => {
                self.create(record).await?
            }
        };
        Ok(sent.map_or(Round::Conflict, Round::Ours))
    }

    /// Writes our record over `lease`; `None`: that version is not the current one any more.
    async fn replace(
        &mut self,
        mut lease: Lease,
        record: Record,
    ) -> Result<Option<Instant>, LeaseError> {
        record.write(lease.spec.get_or_insert_default());
        let sent = Instant::now();
        self.note(call("update", self.leases.replace(&lease)).await, sent)
    }

    /// Creates the Lease; `None`: someone else just did.
    async fn create(&mut self, record: Record) -> Result<Option<Instant>, LeaseError> {
        let mut spec = LeaseSpec::default();
        record.write(&mut spec);
        let metadata = ObjectMeta {
            name: Some(self.config.name.clone()),
            namespace: Some(self.config.namespace.clone()),
            ..ObjectMeta::default()
        };
        let sent = Instant::now();
        let lease = Lease {
            metadata,
            spec: Some(spec),
        };
        self.note(call("create", self.leases.create(&lease)).await, sent)
    }

    fn note(
        &mut self,
        answer: Result<Lease, LeaseError>,
        sent: Instant,
    ) -> Result<Option<Instant>, LeaseError> {
        match answer {
            Ok(lease) => {
                self.view
                    .saw(Record::read(lease.spec.as_ref()), Instant::now());
                self.written = Some(lease);
                Ok(Some(sent))
            }
            Err(error) if error.is_outdated() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the Lease back if it still is ours. The fence is shut already.
    async fn release(&mut self) -> Result<(), LeaseError> {
        if let Some(lease) = self.written.take() {
            let record = self.view.released(self.clock.now());
            if self.replace(lease, record).await?.is_some() {
                return Ok(());
            }
        }
        // A renewal of ours may have been under way.
        let Some(lease) = call("get", self.leases.get()).await? else {
            return Ok(());
        };
        let record = Record::read(lease.spec.as_ref());
        if record.holder != self.config.identity {
            return Ok(());
        }
        self.view.saw(record, Instant::now());
        let record = self.view.released(self.clock.now());
        self.replace(lease, record).await.map(|_| ())
    }

    fn warn(&mut self, error: &LeaseError) {
        if self.is_news(&error.to_string()) {
            tracing::warn!(target: LOG, lease = self.config.name, %error, "leader election");
        }
    }

    /// Whether this was not the last thing told: what stays the same is logged once.
    fn is_news(&mut self, what: &str) -> bool {
        let news = self.told != what;
        if news {
            what.clone_into(&mut self.told);
        }
        news
    }
}

impl LeaseError {
    /// Whether a write met another version than it was meant for: to be read again.
    fn is_outdated(&self) -> bool {
        match self {
            LeaseError::Invalid { .. } | LeaseError::TimedOut { .. } => false,
            LeaseError::Api { verb, reason } => match reason.as_ref() {
                kube::Error::Api(status) => {
                    status.code == 409 || (*verb == "update" && status.is_not_found())
                }
                _ => false,
            },
        }
    }
}

async fn call<T>(
    verb: &'static str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, LeaseError> {
    match timeout(ATTEMPT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(reason)) => Err(LeaseError::Api {
            verb,
            reason: Box::new(reason),
        }),
        Err(_elapsed) => Err(LeaseError::TimedOut {
            verb,
            after: ATTEMPT,
        }),
    }
}
