//! One pass over one object: what the store has of it in, IAM and status brought forward, the time
//! of the next pass out. Does network IO through `iam` and `publish`; decides nothing that the core
//! can decide.

mod apply;
mod converge;
mod delete;

use std::sync::Arc;
use std::time::Duration;

use smr_api::{Key, Mode, Pause, SessionManagerRoleStatus};
use smr_core::account::Account;
use smr_core::decide::Requeue;
use smr_core::failure::Failure;
use smr_core::limits::Limits;
use smr_core::ports::Clock;
use smr_core::refusal::Remedy;
use smr_core::resolve::validate::Invalid;
use smr_core::resolve::{recorded_elsewhere, unclear_pause};
use smr_core::summary::{Activity, Outcome, PausedBy};
use smr_iam::{Aws, Iam, Recent};
use tokio::time::Instant;
use tracing::{Instrument, debug, info_span, warn};

use super::cache::{Object, Store};
use super::publish::{Publisher, WriteError};
use super::queue::{Priority, Queue};
use super::state::{ObjectState, Tracker, spread};
use crate::telemetry::health::Heartbeat;
use crate::telemetry::metrics::{Metrics, ReconcileResult};

/// How soon a reading that may be stale, or a suspicion, is read again.
const SOON: Duration = Duration::from_secs(2);

/// What all passes share.
pub struct Context {
    /// The operator's limits.
    pub limits: Limits,
    /// `--resync-interval`
    pub resync_interval: Duration,
    /// `--selector`
    pub selector: Option<String>,
    /// The edge to AWS.
    pub aws: Aws,
    /// The only writer of status, events and finalizer.
    pub publisher: Publisher,
    /// The objects.
    pub store: Store,
    /// Which objects get a pass, and when.
    pub queue: Queue<Key>,
    /// What is remembered between passes.
    pub tracker: Tracker,
    /// What was written to IAM in the last minute, for whichever object.
    pub recent: Recent,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Numbers.
    pub metrics: Arc<Metrics>,
}

/// When the object's turn comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Only when it changes.
    AwaitChange,
    /// After this long.
    After(Duration, Priority),
}

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PassResult {
    next: Next,
    counted: ReconcileResult,
}

impl PassResult {
    const AWAIT_CHANGE: Self = Self {
        next: Next::AwaitChange,
        counted: ReconcileResult::Success,
    };

    fn after(delay: Duration, priority: Priority) -> Self {
        Self {
            next: Next::After(delay, priority),
            counted: ReconcileResult::RequeueAfter,
        }
    }

    fn counted(self, counted: ReconcileResult) -> Self {
        Self { counted, ..self }
    }
}

/// Why a pass ends before its decision.
#[derive(Debug, thiserror::Error)]
enum PassError {
    /// Kubernetes could not be written to.
    #[error(transparent)]
    Cluster(#[from] WriteError),
    /// This replica may not write to IAM any more.
    #[error("this replica may not write any more")]
    Stopped,
    /// Someone paused the object while the pass was under way.
    #[error("the object was paused")]
    Paused,
    /// The spec asks for what can't be or is not allowed.
    #[error("the spec has {} problems", .0.len())]
    Invalid(Vec<Invalid>),
    /// The controller's credentials are of this account, the IAM objects of another.
    #[error("the IAM objects are in another account")]
    WrongAccount(Account),
    /// A reading failed.
    #[error("{0}")]
    Unread(Failure),
}

impl Context {
    /// One pass.
    pub async fn reconcile(&self, key: &Key, priority: Priority, heartbeat: &Heartbeat) -> Next {
        let span = info_span!("reconcile", namespace = key.namespace, name = key.name);
        let begun = Instant::now();
        let Some(object) = self.store.get(key) else {
            self.tracker.forget(key);
            return Box::pin(self.left(key).instrument(span)).await;
        };
        let mut state = self.tracker.take(key, object.uid());
        let began_with = object.trigger();
        state.begins(began_with.clone());
        let mut pass = Pass {
            context: self,
            request: object.reconcile_request().map(str::to_owned),
            object,
            state: &mut state,
            urgency: priority,
            heartbeat,
        };
        // On the heap: the future of a pass is large.
        let result = Box::pin(pass.run(priority).instrument(span)).await;
        self.metrics.reconcile(result.counted, begun.elapsed());
        let Some(now) = self.store.get(key) else {
            return result.next;
        };
        self.tracker.put(key.clone(), state);
        // Where a person's change first came in the answer to our own patch, the watch brings nothing
        // new, and nobody else queues it.
        if now.trigger() == began_with {
            result.next
        } else {
            Next::After(Duration::ZERO, Priority::Edit)
        }
    }

    /// The watch has nothing more of this object: it is gone, or `--selector` does not match it any
    /// more.
    async fn left(&self, key: &Key) -> Next {
        let Some(selector) = &self.selector else {
            return Next::AwaitChange;
        };
        match self.publisher.left_selection(key, selector).await {
            Ok(()) | Err(WriteError::Gone | WriteError::NotLeader(_)) => Next::AwaitChange,
            Err(error @ (WriteError::TimedOut | WriteError::Refused(_))) => {
                debug!(%error, "the status of an object that is not selected any more was not written");
                Next::After(spread(SOON), Priority::Repair)
            }
        }
    }
}

/// One pass over one object.
struct Pass<'a> {
    context: &'a Context,
    object: Object,
    /// The request that this pass answers: one that comes in its course was made after IAM was read.
    request: Option<String>,
    state: &'a mut ObjectState,
    urgency: Priority,
    /// Of the worker.
    heartbeat: &'a Heartbeat,
}

impl Pass<'_> {
    async fn run(&mut self, priority: Priority) -> PassResult {
        let begun = self.pass().await;
        let ended = match begun {
            Ok(result) => return result,
            Err(error) => self.broken_off(error).await,
        };
        match ended {
            Ok(result) => result,
            // The change that paused it brings the next pass.
            Err(PassError::Paused) => PassResult::AWAIT_CHANGE,
            Err(PassError::Cluster(WriteError::Gone)) => {
                self.context.store.remove_this(&self.object);
                PassResult::AWAIT_CHANGE
            }
            Err(error @ (PassError::Stopped | PassError::Cluster(WriteError::NotLeader(_)))) => {
                debug!(%error, "the pass was broken off");
                PassResult::after(self.state.back_off(), priority)
            }
            Err(error) => {
                warn!(%error, "the pass was broken off");
                PassResult::after(self.state.back_off(), priority).counted(ReconcileResult::Error)
            }
        }
    }

    async fn pass(&mut self) -> Result<PassResult, PassError> {
        match self.object.pause() {
            Pause::No => {}
            Pause::Yes => {
                self.publish(&Outcome::Paused {
                    by: PausedBy::Annotation,
                    is_deleting: self.object.is_deleting(),
                })
                .await?;
                return Ok(PassResult::AWAIT_CHANGE);
            }
            Pause::Unclear(value) => {
                let problems = [unclear_pause(&value)];
                self.publish(&Outcome::Invalid {
                    problems: &problems,
                })
                .await?;
                return Ok(PassResult::AWAIT_CHANGE);
            }
        }
        if !self.object.is_deleting() {
            let account = self.account().await?;
            return self.converge(&account).await;
        }
        if !self.object.has_finalizer() {
            return Ok(PassResult::AWAIT_CHANGE);
        }
        if self.object.mode == Mode::Observe {
            return self.leave_as_it_is().await;
        }
        let account = self.account().await?;
        self.delete(&account).await
    }

    /// Publishes why a pass could not get to a decision, where that is the object's or AWS's.
    async fn broken_off(&mut self, error: PassError) -> Result<PassResult, PassError> {
        let requeue = match error {
            PassError::Invalid(problems) => {
                let problems = problems.as_slice();
                self.publish(&Outcome::Invalid { problems }).await?;
                Requeue::Stalled
            }
            PassError::WrongAccount(caller) => {
                self.publish(&Outcome::WrongAccount { caller: &caller })
                    .await?;
                Requeue::Stalled
            }
            PassError::Unread(failure) => {
                let decision = Remedy::of_read(failure.class);
                self.conclude(&Outcome::Failed {
                    facts: None,
                    activity: self.activity(),
                    failure: &failure,
                    decision,
                })
                .await?;
                Requeue::AfterFailure(decision)
            }
            PassError::Cluster(_) | PassError::Stopped | PassError::Paused => return Err(error),
        };
        self.requeue(&requeue)
    }

    fn activity(&self) -> Activity {
        if self.object.is_deleting() {
            Activity::Deleting
        } else {
            Activity::of(self.status(), self.object.generation())
        }
    }

    /// The account to work in.
    async fn account(&self) -> Result<Account, PassError> {
        let aws = &self.context.aws;
        let mut account = aws.account().await;
        if (account.as_ref()).is_ok_and(|a| recorded_elsewhere(self.status(), a).is_some()) {
            account = aws.account_by_now().await;
        }
        let account = account.map_err(|error| PassError::Unread(error.into_failure()))?;
        match recorded_elsewhere(self.status(), &account) {
            Some(_) => Err(PassError::WrongAccount(account)),
            None => Ok(account),
        }
    }

    /// IAM on behalf of the object.
    fn iam(&self, account: &Account) -> Iam {
        let namespace = &self.object.key().namespace;
        let iam = (self.context.aws).on_behalf_of(account, namespace, self.urgency);
        iam.beating(Arc::new(self.heartbeat.clone()))
    }

    fn status(&self) -> Option<&SessionManagerRoleStatus> {
        self.object.written_status()
    }

    async fn publish(&mut self, outcome: &Outcome<'_>) -> Result<(), PassError> {
        let (request, last_event) = (self.request.as_deref(), &mut self.state.last_event);
        (self.context.publisher)
            .publish(&mut self.object, request, outcome, last_event)
            .await?;
        Ok(())
    }

    /// Publishes what a pass ends with; a replica that may not write any more publishes nothing.
    async fn conclude(&mut self, outcome: &Outcome<'_>) -> Result<(), PassError> {
        if let Outcome::Failed {
            failure, decision, ..
        } = outcome
        {
            warn!(%failure, code = failure.code, ?decision, "a call to AWS failed");
            if *decision == Remedy::Stop {
                return Err(PassError::Stopped);
            }
        }
        self.publish(outcome).await
    }

    async fn add_finalizer(&mut self) -> Result<(), PassError> {
        (self.context.publisher)
            .add_finalizer(&mut self.object)
            .await?;
        Ok(())
    }

    /// When the object's turn comes again.
    fn requeue(&mut self, requeue: &Requeue) -> Result<PassResult, PassError> {
        debug!(?requeue, "the pass ended");
        let state = &mut *self.state;
        Ok(match requeue {
            Requeue::InSync | Requeue::Observed => {
                state.succeeded();
                PassResult::AWAIT_CHANGE
            }
            Requeue::StaleParts => {
                state.succeeded();
                PassResult::after(SOON * 2, Priority::Resync).counted(ReconcileResult::Success)
            }
            Requeue::OnChange => PassResult::AWAIT_CHANGE,
            Requeue::Soon | Requeue::Suspected(_) => PassResult::after(SOON, Priority::Repair),
            Requeue::Overlap(wait) => PassResult::after(*wait, Priority::Edit),
            Requeue::Propagation => PassResult::after(state.wait(), Priority::Edit),
            Requeue::Stalled => PassResult::after(state.stalled(), Priority::Repair),
            Requeue::BackOff => PassResult::after(state.back_off(), Priority::Repair),
            Requeue::AfterFailure(remedy) => match remedy {
                Remedy::Stop => return Err(PassError::Stopped),
                Remedy::Wait => PassResult::after(state.wait(), Priority::Repair),
                Remedy::Stall => PassResult::after(state.stalled(), Priority::Repair)
                    .counted(ReconcileResult::Error),
                Remedy::Retry | Remedy::LookAgain => {
                    PassResult::after(state.back_off(), Priority::Repair)
                        .counted(ReconcileResult::Error)
                }
            },
        })
    }
}
