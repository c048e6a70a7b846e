//! The gate before every call: budget, fence, time-out, retry, metrics. In: a call; out: its answer, a
//! [`Failure`], or that it was not sent. Waits for the budget, and has the call do its network IO.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use smr_api::labels::CallOutcome;
use smr_core::failure::{Failure, FailureClass, Said};
use smr_core::fair::Priority;
use smr_core::ports::{CallObserver, MayWrite, Progress};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::LOG;
use crate::budget::Budget;
use crate::connection::CONNECT_TIMEOUT;
use crate::errors::{self, Mapped};
use crate::identity::Unproven;

/// No attempt lasts longer. The SDK sets no read time-out by itself.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// But a read of many objects at once, to which no write is bound.
pub const BULK_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call that surely had no effect is sent, and how long the pauses are.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What every call passes: the account's budget, the lease, the end of the program.
#[derive(Clone)]
pub struct Gate {
    budget: Budget,
    may_write: Arc<dyn MayWrite>,
    stopping: CancellationToken,
    observer: Arc<dyn CallObserver>,
    writes_in_flight: Arc<AtomicUsize>,
}

impl Gate {
    /// A gate that writes pass while `may_write` lets them, until `stopping` closes it for them.
    pub fn new(
        budget: Budget,
        may_write: Arc<dyn MayWrite>,
        stopping: CancellationToken,
        observer: Arc<dyn CallObserver>,
    ) -> Self {
        Self {
            budget,
            may_write,
            stopping,
            observer,
            writes_in_flight: Arc::default(),
        }
    }

    /// Writes that were sent and not answered yet: while there are any, the Lease is not given back.
    pub fn writes_in_flight(&self) -> usize {
        self.writes_in_flight.load(Ordering::SeqCst)
    }

    /// The account's budget of calls.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether a write may be sent now.
    fn admits_write(&self) -> bool {
        !self.stopping.is_cancelled() && self.may_write.may_write(ATTEMPT_TIMEOUT)
    }
}

/// Whether a call changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// Of many objects in one call.
    BulkRead,
    Write,
}

impl Access {
    /// How often a call that surely had no effect is sent.
    const fn attempts(self) -> u32 {
        match self {
            Self::Read | Self::Write => ATTEMPTS,
            Self::BulkRead => 2,
        }
    }

    /// No attempt lasts longer.
    const fn timeout(self) -> Duration {
        match self {
            Self::Read | Self::Write => ATTEMPT_TIMEOUT,
            Self::BulkRead => BULK_TIMEOUT,
        }
    }

    /// A read has no effect, so it may be sent again whatever became of it.
    const fn is_harmless(self) -> bool {
        match self {
            Self::Read | Self::BulkRead => true,
            Self::Write => false,
        }
    }
}

/// The time-outs of a call: the SDK sets none on an answer by itself.
pub(super) fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build()
}

/// The settings of a call that reads a page of a thousand: AWS takes its time for that.
pub(super) fn bulk() -> aws_sdk_iam::config::Builder {
    aws_sdk_iam::Config::builder().timeout_config(timeouts(BULK_TIMEOUT))
}

/// A call that came to nothing.
pub(super) enum CallError {
    /// It failed.
    Failed(Failure),
    /// It was not sent.
    Unproven(Unproven),
}

impl CallError {
    pub(super) fn into_failure(self, action: &str, resource: String) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Unproven(doubt) => Failure {
                // The next pass works with the new ones.
                class: FailureClass::ConcurrentChange,
                action: format!("iam:{action}"),
                resource,
                code: Box::default(),
                said: Said::in_own_words(format!("not sent: {doubt}")),
                way_out: None,
            },
        }
    }
}

/// On whose behalf calls are made, and through which gate.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) gate: Gate,
    pub(super) namespace: String,
    pub(super) priority: Priority,
    pub(super) progress: Option<Arc<dyn Progress>>,
}

impl Calls {
    /// Sends a call through the gate: the one retry policy.
    pub(super) async fn send<T, E, F>(
        &self,
        action: &'static str,
        access: Access,
        resource: &str,
        call: &impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(action, access, resource, call).await {
                Ok(answer) => return Ok(answer),
                Err(CallError::Failed(failure)) => failure,
                Err(unproven @ CallError::Unproven(_)) => return Err(unproven),
            };
            let harmless = access.is_harmless() && failure.class == FailureClass::Unavailable;
            if !(harmless || failure.class.is_transient()) || attempt == access.attempts() {
                return Err(CallError::Failed(failure));
            }
            tokio::select! {
                biased;
                () = self.gate.stopping.cancelled() => return Err(CallError::Failed(failure)),
                () = tokio::time::sleep(pause(attempt)) => {}
            }
            attempt += 1;
        }
    }

    async fn attempt<T, E, F>(
        &self,
        action: &'static str,
        access: Access,
        resource: &str,
        call: &impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Gate {
            budget, observer, ..
        } = &self.gate;
        // To wait for a permit is no attempt: it may take any time.
        let waiting = self.progress.as_deref().map(Waiting::begin);
        let asked = Instant::now();
        let _token = budget.acquire(self.priority, &self.namespace).await;
        observer.budget_waited(asked.elapsed());
        drop(waiting);
        // Asked after the wait for the budget, right before sending.
        let _in_flight = match access {
            Access::Read | Access::BulkRead => None,
            Access::Write if self.gate.admits_write() => {
                Some(InFlight::new(&self.gate.writes_in_flight))
            }
            Access::Write => {
                return Err(CallError::Failed(Failure {
                    class: FailureClass::NotLeader,
                    action: format!("iam:{action}"),
                    resource: resource.to_owned(),
                    code: Box::default(),
                    said: Said::in_own_words("this replica may not write any more"),
                    way_out: None,
                }));
            }
        };
        let begun = Instant::now();
        // On the heap: the SDK's futures are large, and a pass awaits several side by side.
        let answer = Box::pin(call()).await;
        let took = begun.elapsed();
        self.progress
            .iter()
            .for_each(|progress| progress.attempt_ended());
        match answer {
            Ok(answer) => {
                budget.succeeded();
                observer.call_ended(action, CallOutcome::Ok, took);
                debug!(target: LOG, action, resource, ms = took.as_millis(), "IAM answered");
                Ok(answer)
            }
            Err(error) => {
                if let Some(doubt) = Unproven::cause_of(&error) {
                    return Err(CallError::Unproven(doubt.clone()));
                }
                let mapped = errors::map(action, resource.to_owned(), &error, access.timeout());
                // A failure of AWS or of the network says nothing of the rate that IAM allows.
                match mapped.failure.class {
                    FailureClass::Throttled => budget.throttled(),
                    _ if mapped.answered => budget.succeeded(),
                    _ => {}
                }
                observer.call_ended(action, mapped.outcome, took);
                let request_id =
                    aws_sdk_iam::operation::RequestId::request_id(&error).unwrap_or_default();
                log_refusal(action, &mapped, request_id, took);
                Err(CallError::Failed(mapped.failure))
            }
        }
    }
}

/// The only place that writes AWS's full text anywhere: what people read of a failure has no policy's
/// ARN and no id of the organization, and the operator needs them.
fn log_refusal(action: &str, mapped: &Mapped, request_id: &str, took: Duration) {
    let Failure { resource, said, .. } = &mapped.failure;
    debug!(
        target: LOG,
        action,
        resource,
        outcome = mapped.outcome.as_str(),
        request_id,
        ms = took.as_millis(),
        "IAM refused"
    );
    if said.is_reduced() {
        let said = said.full();
        info!(target: LOG, action, resource, request_id, said, "AWS refused a call");
    }
}

/// A call that waits for the budget, until this is dropped.
struct Waiting<'a>(&'a dyn Progress);

impl<'a> Waiting<'a> {
    fn begin(progress: &'a dyn Progress) -> Self {
        progress.wait_began();
        Self(progress)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.wait_ended();
    }
}

/// Counts a write from before it is sent until it is answered or given up.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Doubles with each attempt; half of it is chance, so that many do not come back at once.
fn pause(attempt: u32) -> Duration {
    let full = FIRST_PAUSE * 2_u32.pow(attempt - 1);
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}
