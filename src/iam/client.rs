//! The SDK's clients and the gate before every call: budget, fence, time-out, retry, metrics.
//! In: a call; out: its answer or a [`Failure`]. Does network IO.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::{BoxError, ProvideErrorMetadata, SdkError};
use smr_core::account::{Account, AccountError, Partition};
use smr_core::failure::{Failure, FailureClass};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::budget::{Budget, Priority};
use super::credentials::{Explained, Source};
use super::errors;
use crate::controller::lease::Fence;
use crate::telemetry::metrics::Metrics;

/// No attempt lasts longer. The SDK sets no read time-out by itself.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// No connection takes longer to make.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a call that surely had no effect is sent, and how long the pauses are.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What every call passes: the account's budget, the lease, the end of the program.
#[derive(Clone)]
pub struct Gate {
    budget: Budget,
    fence: Fence,
    stopping: CancellationToken,
    metrics: Arc<Metrics>,
    writes_in_flight: Arc<AtomicUsize>,
    read_only: bool,
}

impl Gate {
    /// A gate that no write passes, for those who only look.
    pub fn read_only(budget: Budget, metrics: Arc<Metrics>) -> Self {
        Self {
            read_only: true,
            ..Self::new(budget, Fence::always(), CancellationToken::new(), metrics)
        }
    }

    /// A gate that `stopping` closes for writes.
    pub fn new(
        budget: Budget,
        fence: Fence,
        stopping: CancellationToken,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            budget,
            fence,
            stopping,
            metrics,
            writes_in_flight: Arc::default(),
            read_only: false,
        }
    }

    /// Writes that were sent and not answered yet: while there are any, the Lease is not given back.
    pub fn writes_in_flight(&self) -> usize {
        self.writes_in_flight.load(Ordering::SeqCst)
    }

    /// Whether a write may be sent now.
    fn admits_write(&self) -> bool {
        !self.read_only
            && !self.stopping.is_cancelled()
            && self.fence.permit(ATTEMPT_TIMEOUT).is_ok()
    }
}

/// The clients of one account.
#[derive(Clone)]
pub struct Aws {
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    gate: Gate,
}

/// The account could not be told.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// STS did not answer as it should.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// The account can't be worked with.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// A [`Failure`] as an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CallFailed(pub Failure);

impl Aws {
    /// Clients from the SDK's own settings: environment, profile, IRSA, Pod Identity, endpoints.
    pub async fn from_environment(gate: Gate) -> Self {
        let region = aws_config::meta::region::RegionProviderChain::default_provider()
            .or_else(Region::new(Partition::Aws.iam_region()));
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .load()
            .await;
        let source = Source::from_env(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        Self::with(&config, source, gate)
    }

    /// Clients from a given configuration. Retries are ours, so that the budget sees every attempt.
    pub fn new(config: &SdkConfig, gate: Gate) -> Self {
        Self::with(config, Source::Other, gate)
    }

    fn with(config: &SdkConfig, source: Source, gate: Gate) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let mut builder = config
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(provider) = config.credentials_provider() {
            let explained = Explained::new(provider, source);
            builder.set_credentials_provider(Some(SharedCredentialsProvider::new(explained)));
        }
        let config = builder.build();
        let iam = aws_sdk_iam::config::Builder::from(&config)
            .interceptor(UserAgent)
            .build();
        let sts = aws_sdk_sts::config::Builder::from(&config)
            .interceptor(UserAgent)
            .build();
        Self {
            iam: aws_sdk_iam::Client::from_conf(iam),
            sts: aws_sdk_sts::Client::from_conf(sts),
            gate,
        }
    }

    /// Whose credentials these are.
    pub async fn caller(&self) -> Result<Account, IdentityError> {
        let iam = self.on_behalf_of("", Priority::Edit);
        let answer = iam
            .send("GetCallerIdentity", Access::Read, String::new(), || {
                self.sts.get_caller_identity().send()
            })
            .await
            .map_err(CallFailed)?;
        Ok(Account::of_caller(answer.arn().unwrap_or_default())?)
    }

    /// Calls for an object of `namespace`, as urgent as `priority`.
    pub fn on_behalf_of(&self, namespace: &str, priority: Priority) -> Iam {
        Iam {
            client: self.iam.clone(),
            gate: self.gate.clone(),
            namespace: namespace.to_owned(),
            priority,
        }
    }

    /// The gate of all calls.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }
}

/// IAM as one pass over one object uses it.
#[derive(Clone)]
pub struct Iam {
    pub(super) client: aws_sdk_iam::Client,
    gate: Gate,
    namespace: String,
    priority: Priority,
}

/// Whether a call changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Iam {
    /// Sends a call through the gate: the one retry policy.
    pub(super) async fn send<T, E, F>(
        &self,
        action: &'static str,
        access: Access,
        resource: String,
        call: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(action, access, &resource, &call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // A read has no effect, so it may be sent again whatever became of it.
            let harmless = access == Access::Read && failure.class == FailureClass::Unavailable;
            if !(harmless || failure.class.is_transient()) || attempt == ATTEMPTS {
                return Err(failure);
            }
            tokio::select! {
                () = tokio::time::sleep(pause(attempt)) => {}
                () = self.gate.stopping.cancelled() => return Err(failure),
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
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Gate {
            budget, metrics, ..
        } = &self.gate;
        let _token = budget.acquire(self.priority, &self.namespace).await;
        // Asked after the wait for the budget, right before sending.
        let _in_flight = match access {
            Access::Read => None,
            Access::Write if self.gate.admits_write() => {
                Some(InFlight::new(&self.gate.writes_in_flight))
            }
            Access::Write => {
                return Err(Failure {
                    class: FailureClass::NotLeader,
                    action: format!("iam:{action}"),
                    resource: resource.to_owned(),
                    code: Box::default(),
                    said: "this replica may not write any more".to_owned(),
                    way_out: None,
                });
            }
        };
        let begun = Instant::now();
        // On the heap: the SDK's futures are large, and a pass awaits several side by side.
        let answer = Box::pin(call()).await;
        let took = begun.elapsed();
        match answer {
            Ok(answer) => {
                budget.succeeded();
                metrics.iam_request(action, "ok", took);
                debug!(action, resource, ms = took.as_millis(), "IAM answered");
                Ok(answer)
            }
            Err(error) => {
                let mapped = errors::map(action, resource.to_owned(), &error, ATTEMPT_TIMEOUT);
                // A failure of AWS or of the network says nothing of the rate that IAM allows.
                match mapped.failure.class {
                    FailureClass::Throttled => budget.throttled(),
                    _ if mapped.answered => budget.succeeded(),
                    _ => {}
                }
                metrics.iam_request(action, mapped.outcome, took);
                let request_id =
                    aws_sdk_iam::operation::RequestId::request_id(&error).unwrap_or_default();
                debug!(
                    action,
                    resource,
                    outcome = mapped.outcome,
                    request_id,
                    ms = took.as_millis(),
                    "IAM refused"
                );
                Err(mapped.failure)
            }
        }
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

/// Puts `session-manager-role/<version>` before what the SDK says of itself. The header is not
/// part of the signature.
#[derive(Debug)]
struct UserAgent;

impl Intercept for UserAgent {
    fn name(&self) -> &'static str {
        "SessionManagerRoleUserAgent"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let sdk = headers.get("user-agent").unwrap_or_default();
        let ours = format!(
            "{}/{} {sdk}",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION")
        );
        headers.insert("user-agent", ours);
        Ok(())
    }
}
