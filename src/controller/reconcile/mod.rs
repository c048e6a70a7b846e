//! One pass over one object: what the store has of it in, IAM and status brought forward, the time
//! of the next pass out. Does network IO through `iam` and `cluster`; decides nothing that the core
//! can decide.

mod converge;
mod delete;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use smr_api::{Drift, Pause, SessionManagerRoleStatus};
use smr_core::account::Account;
use smr_core::failure::Failure;
use smr_core::limits::Limits;
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::plan::Plan;
use smr_core::recent::IamName;
use smr_core::refusal::Decision;
use smr_core::step::Step;
use smr_core::summary::{
    Activity, Facts, Object as Summarized, Outcome, PausedBy, Summary, summarize,
};
use smr_core::wanted::{recorded_elsewhere, unclear_pause};
use tracing::{Instrument, debug, info, info_span, warn};

use super::cluster::{Cluster, WriteError};
use super::memory::{Memories, Memory, spread};
use super::object::Object;
use super::queue::{Priority, Queue};
use super::store::Store;
use crate::telemetry::health::Heartbeat;
use crate::telemetry::metrics::{Metrics, ReconcileResult};
use smr_api::Key;
use smr_iam::{Aws, Failed, Iam, Recent};

/// How often one pass looks at IAM again before it leaves the rest to the next.
const ROUNDS: u32 = 5;
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
    /// The edge to Kubernetes.
    pub cluster: Cluster,
    /// The objects.
    pub store: Store,
    /// Which objects get a pass, and when.
    pub queue: Queue<Key>,
    /// What is remembered between passes.
    pub memories: Memories,
    /// What was written to IAM in the last minute, for whichever object.
    pub recent: Recent,
    /// Numbers.
    pub metrics: Arc<Metrics>,
}

/// When the object's turn comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Only when it changes.
    Idle,
    /// After this long.
    After(Duration, Priority),
}

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended {
    next: Next,
    result: ReconcileResult,
}

impl Ended {
    const IDLE: Self = Self {
        next: Next::Idle,
        result: ReconcileResult::Success,
    };

    fn after(delay: Duration, priority: Priority) -> Self {
        Self {
            next: Next::After(delay, priority),
            result: ReconcileResult::RequeueAfter,
        }
    }
}

/// A pass that was broken off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// Kubernetes could not be written to.
    #[error(transparent)]
    Cluster(#[from] WriteError),
    /// This replica may not write to IAM any more.
    #[error("this replica may not write any more")]
    Stopped,
    /// Someone paused the object while the pass was under way.
    #[error("the object was paused")]
    Paused,
}

/// How far a plan was carried out.
enum Applied {
    Whole,
    /// Up to the stage of these; there is at least one.
    Failed(Vec<Failed>),
    /// Up to where someone paused the object.
    Paused,
}

impl Applied {
    /// The steps that failed.
    fn failed(&self) -> &[Failed] {
        match self {
            Self::Failed(failed) => failed,
            Self::Whole | Self::Paused => &[],
        }
    }

    /// The same; an error where the pass ends here.
    fn into_failed(self) -> Result<Vec<Failed>, Broken> {
        match self {
            Self::Whole => Ok(Vec::new()),
            Self::Failed(failed) => Ok(failed),
            Self::Paused => Err(Broken::Paused),
        }
    }
}

impl Context {
    /// One pass.
    pub async fn reconcile(&self, key: &Key, priority: Priority, heartbeat: &Heartbeat) -> Next {
        let span = info_span!("reconcile", namespace = key.namespace, name = key.name);
        let begun = std::time::Instant::now();
        let Some(object) = self.store.get(key) else {
            self.memories.forget(key);
            return Box::pin(self.left(key).instrument(span)).await;
        };
        let mut memory = self.memories.take(key, object.uid());
        let began_with = object.trigger();
        memory.begins(began_with.clone());
        let mut pass = Pass {
            context: self,
            request: object.reconcile_request().map(str::to_owned),
            object,
            memory: &mut memory,
            urgency: priority,
            heartbeat,
        };
        // On the heap: the future of a pass is large.
        let ended = match Box::pin(pass.run().instrument(span.clone())).await {
            Ok(ended) => ended,
            // The change that paused it brings the next pass.
            Err(Broken::Paused) => Ended::IDLE,
            Err(Broken::Cluster(WriteError::Gone)) => {
                self.store.remove_this(&pass.object);
                Ended::IDLE
            }
            Err(broken @ (Broken::Stopped | Broken::Cluster(WriteError::NotLeader(_)))) => {
                span.in_scope(|| debug!(%broken, "the pass was broken off"));
                Ended::after(memory.back_off(), priority)
            }
            Err(broken @ Broken::Cluster(WriteError::TimedOut | WriteError::Refused(_))) => {
                span.in_scope(|| warn!(error = %broken, "the pass was broken off"));
                Ended {
                    result: ReconcileResult::Error,
                    ..Ended::after(memory.back_off(), priority)
                }
            }
        };
        self.metrics.reconcile(ended.result, begun.elapsed());
        let Some(now) = self.store.get(key) else {
            return ended.next;
        };
        self.memories.put(key.clone(), memory);
        // Where a person's change first came in the answer to our own patch, the watch brings nothing
        // new, and nobody else queues it.
        if now.trigger() == began_with {
            ended.next
        } else {
            Next::After(Duration::ZERO, Priority::Edit)
        }
    }
}

impl Context {
    /// The watch has nothing more of this object: it is gone, or `--selector` does not match it any
    /// more. In that case its status says who left it alone, as nothing else would.
    async fn left(&self, key: &Key) -> Next {
        let Some(selector) = &self.selector else {
            return Next::Idle;
        };
        match self.leave(key, selector).await {
            Ok(()) | Err(WriteError::Gone | WriteError::NotLeader(_)) => Next::Idle,
            Err(error @ (WriteError::TimedOut | WriteError::Refused(_))) => {
                debug!(%error, "the status of an object that is not selected any more was not written");
                Next::After(spread(SOON), Priority::Repair)
            }
        }
    }

    async fn leave(&self, key: &Key, selector: &str) -> Result<(), WriteError> {
        let Some(object) = self.cluster.read(key).await?.filter(Object::has_finalizer) else {
            return Ok(());
        };
        if self.cluster.is_selected(key, selector).await? {
            return Ok(());
        }
        let about = Summarized {
            generation: object.generation(),
            status: object.written_status(),
            reconcile_request: None,
        };
        let outcome = Outcome::Paused {
            by: PausedBy::Selector(selector),
            is_deleting: object.is_deleting(),
        };
        let Summary { status, .. } = summarize(about, Timestamp::now(), &outcome);
        if object.written_status() != Some(&status) {
            info!(selector, "the object's labels do not match any more");
            let cluster = &self.cluster;
            cluster.write_status_if_unchanged(&object, &status).await?;
        }
        Ok(())
    }

    /// Something else held a name of these objects and holds it no longer.
    fn wake_those_waiting_for(&self, freed: &Names) {
        let freed = IamName::all_of(freed);
        for object in self.store.waiting_for_a_name() {
            let (subject, spec) = (object.subject(), object.spec.as_ref().ok());
            let names = Names::resolve(&subject, spec, object.written_status(), &self.limits, None);
            if IamName::all_of(&names)
                .iter()
                .any(|name| freed.contains(name))
            {
                debug!(owner = subject.owner(), "a name that it waits for is free");
                self.metrics.queue_added();
                self.queue.add(object.key(), Priority::Edit);
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
    memory: &'a mut Memory,
    urgency: Priority,
    /// Of the worker.
    heartbeat: &'a Heartbeat,
}

impl Pass<'_> {
    /// IAM on behalf of the object.
    fn iam(&self, account: &Account) -> Iam {
        let namespace = &self.object.key().namespace;
        let iam = (self.context.aws).on_behalf_of(account, namespace, self.urgency);
        iam.beating(Arc::new(self.heartbeat.clone()))
    }

    async fn run(&mut self) -> Result<Ended, Broken> {
        match self.object.pause() {
            Pause::No => {}
            Pause::Yes => {
                let paused = Outcome::Paused {
                    by: PausedBy::Annotation,
                    is_deleting: self.object.is_deleting(),
                };
                self.tell(&paused).await?;
                return Ok(Ended::IDLE);
            }
            Pause::Unclear(value) => {
                let problem = unclear_pause(&value);
                self.tell(&Outcome::Invalid {
                    problems: &[problem],
                })
                .await?;
                return Ok(Ended::IDLE);
            }
        }
        if self.object.is_deleting() {
            if !self.object.has_finalizer() {
                return Ok(Ended::IDLE);
            }
            return self.delete().await;
        }
        self.converge().await
    }

    /// The account to work in; `Err` where the pass ends here.
    async fn account(&mut self, activity: Activity) -> Result<Result<Account, Ended>, Broken> {
        let aws = &self.context.aws;
        let mut account = aws.account().await;
        if (account.as_ref()).is_ok_and(|a| recorded_elsewhere(self.status(), a).is_some()) {
            account = aws.account_by_now().await;
        }
        let account = match account {
            Ok(account) => account,
            Err(error) => {
                let failure = error.into_failure();
                return self.read_failed(activity, &failure).await.map(Err);
            }
        };
        if recorded_elsewhere(self.status(), &account).is_some() {
            self.tell(&Outcome::WrongAccount { caller: &account })
                .await?;
            return Ok(Err(Ended::after(self.memory.stalled(), Priority::Repair)));
        }
        Ok(Ok(account))
    }

    /// Writes status where it differs, tells events, and takes the API server's answer as the
    /// newest reading.
    async fn tell(&mut self, outcome: &Outcome<'_>) -> Result<(), Broken> {
        let before = self.object.written_status();
        let about = Summarized {
            generation: self.object.generation(),
            status: before,
            reconcile_request: self.request.as_deref(),
        };
        let Summary { status, events } = summarize(about, Timestamp::now(), outcome);
        if before != Some(&status) {
            let known = before.map_or_else(Vec::new, |status| status.drift.clone());
            let written = self
                .context
                .cluster
                .write_status(&self.object, &status)
                .await?;
            self.adopt_reading(written);
            for drift in status.drift.iter().filter(|drift| !known.contains(drift)) {
                self.found(drift);
            }
        }
        for event in &events {
            info!(reason = event.reason, note = event.note, "event");
            let told = &mut self.memory.told;
            self.context.cluster.tell(&self.object, event, told).await;
        }
        Ok(())
    }

    /// A difference that was not told before.
    fn found(&self, drift: &Drift) {
        let Drift {
            object,
            field,
            message,
        } = drift;
        info!(object, field, message, "drift");
        let metrics = &self.context.metrics;
        metrics.drift(label(object), label(field));
    }

    fn adopt_reading(&mut self, object: Object) {
        self.context.store.refresh(object.clone());
        // The pass goes on with the spec it began with: status tells of that generation.
        let spec = Object {
            spec: self.object.spec.clone(),
            metadata: kube::api::ObjectMeta {
                generation: self.object.metadata.generation,
                ..object.metadata
            },
            deletion_policy: self.object.deletion_policy,
            mode: self.object.mode,
            status: object.status,
        };
        self.object = spec;
    }

    /// Carries a plan out on `state`. Objects that wait for a name that it frees get a pass. Between
    /// its stages someone may pause the object.
    async fn apply(
        &mut self,
        iam: &Iam,
        account: &Account,
        names: &Names,
        plan: &Plan,
        state: &mut Observed,
    ) -> Applied {
        let recent = &self.context.recent;
        for steps in &plan.stages {
            let newest = self.context.store.get(&self.object.key());
            if newest.is_some_and(|o| o.uid() == self.object.uid() && o.pause() != Pause::No) {
                return Applied::Paused;
            }
            let applied = (iam.apply_stage(account, names, steps, state, recent)).await;
            if steps.iter().any(Step::frees_a_name) {
                self.context.wake_those_waiting_for(names);
            }
            if let Err(failed) = applied {
                for failed in &failed {
                    let action = failed.step.action();
                    debug!(failure = %failed.failure, decision = ?failed.decision, action, "a step failed");
                }
                return Applied::Failed(failed);
            }
        }
        Applied::Whole
    }

    /// A read failed: the pass ends.
    async fn read_failed(
        &mut self,
        activity: Activity,
        failure: &Failure,
    ) -> Result<Ended, Broken> {
        let decision = Decision::of_read(failure.class);
        self.failed(None, activity, failure, decision).await
    }

    /// A call failed, and the pass ends.
    async fn failed(
        &mut self,
        facts: Option<Facts<'_>>,
        activity: Activity,
        failure: &Failure,
        decision: Decision,
    ) -> Result<Ended, Broken> {
        warn!(%failure, code = failure.code, ?decision, "a call to AWS failed");
        let (delay, result) = match decision {
            Decision::Stop => return Err(Broken::Stopped),
            Decision::Stall => (self.memory.stalled(), ReconcileResult::Error),
            Decision::Wait => (self.memory.wait(), ReconcileResult::RequeueAfter),
            Decision::Retry | Decision::LookAgain => {
                (self.memory.back_off(), ReconcileResult::Error)
            }
        };
        self.tell(&Outcome::Failed {
            facts,
            activity,
            failure,
            decision,
        })
        .await?;
        Ok(Ended {
            result,
            ..Ended::after(delay, Priority::Repair)
        })
    }

    fn status(&self) -> Option<&SessionManagerRoleStatus> {
        self.object.written_status()
    }

    /// Converged: from now on the sweep watches over it.
    fn content(&mut self) -> Ended {
        self.memory.converged();
        Ended::IDLE
    }
}

/// Pauses between rounds of one pass double from a tenth of a second.
async fn between_rounds(round: u32) {
    if round > 0 {
        tokio::time::sleep(Duration::from_millis(100) * 2_u32.pow(round)).await;
    }
}

/// Metric labels are bounded: the objects and fields that the core's plan names.
fn label(name: &str) -> &'static str {
    const KNOWN: [&str; 15] = [
        "Role",
        "Policy",
        "InstanceProfile",
        "existence",
        "trustPolicy",
        "description",
        "maxSessionDurationSeconds",
        "permissionsBoundary",
        "tags",
        "attachedPolicies",
        "inlinePolicies",
        "document",
        "type",
        "role",
        "id",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or("other")
}
