//! The SDK's clients and the gate before every call: budget, fence, time-out, retry, metrics.
//! In: a call; out: its answer or a [`Failure`]. Does network IO.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::{BoxError, ProvideErrorMetadata, SdkError};
use smr_core::account::{Account, Partition};
use smr_core::failure::{Failure, FailureClass};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::budget::{Budget, Priority};
use super::credentials::{Explained, Source};
use super::errors;
use super::identity::{Doubt, Identity, IdentityError, KeyOfCall, OnlyProven, Unproven};
use crate::controller::lease::Fence;
use crate::telemetry::health::Heartbeat;
use crate::telemetry::metrics::Metrics;

/// No attempt lasts longer. The SDK sets no read time-out by itself.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// But a read of many objects at once, to which no write is bound.
pub const BULK_TIMEOUT: Duration = Duration::from_secs(30);
/// No connection takes longer to make.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a call that surely had no effect is sent, and how long the pauses are.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The call to STS.
const WHO: &str = "GetCallerIdentity";

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

/// Access to AWS with one source of credentials.
#[derive(Clone)]
pub struct Aws {
    config: aws_sdk_iam::Config,
    /// The client for the account that was worked in last.
    iam: Arc<Mutex<Option<(Account, aws_sdk_iam::Client)>>>,
    sts: aws_sdk_sts::Client,
    pub(super) identity: Identity,
    gate: Gate,
}

/// A [`Failure`] as an error.
#[derive(Clone, Debug, thiserror::Error)]
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
            config: iam,
            iam: Arc::default(),
            sts: aws_sdk_sts::Client::from_conf(sts),
            identity: Identity::default(),
            gate,
        }
    }

    /// Whose credentials these are. STS is asked once for each set of credentials.
    pub async fn account(&self) -> Result<Account, IdentityError> {
        match self.identity.account_despite(Doubt::No) {
            Some(account) => Ok(account),
            None => self.ask(Doubt::No).await,
        }
    }

    /// The same where nothing can be done in the account that is known: the credentials may have been
    /// exchanged since STS was asked, and no call to IAM shows it.
    pub async fn account_by_now(&self) -> Result<Account, IdentityError> {
        match self.identity.account_despite(Doubt::MayBeExchanged) {
            Some(account) => Ok(account),
            None => self.ask(Doubt::MayBeExchanged).await,
        }
    }

    /// Asks STS, where nobody else has meanwhile.
    async fn ask(&self, doubt: Doubt<'_>) -> Result<Account, IdentityError> {
        let mut turn = self.identity.turn().await?;
        if let Some(account) = self.identity.account_despite(doubt) {
            return Ok(account);
        }
        let asked = self.ask_sts().await;
        if let Err(error) = &asked {
            turn.failed(error);
        }
        asked
    }

    async fn ask_sts(&self) -> Result<Account, IdentityError> {
        let key = KeyOfCall::default();
        let call = || {
            let request = self.sts.get_caller_identity().customize();
            request.interceptor(key.clone()).send()
        };
        let calls = self.calls("", Priority::Edit);
        let answer = calls.send(WHO, Access::Read, "", &call).await;
        let answer = answer.map_err(|error| CallFailed(error.into_failure(WHO, String::new())))?;
        let account = Account::of_caller(answer.arn().unwrap_or_default())?;
        self.identity.prove(key.access_key_id(), account.clone());
        Ok(account)
    }

    /// Calls in `account` for an object of `namespace`, as urgent as `priority`. They leave only with
    /// credentials that are proven to be of that account.
    pub fn on_behalf_of(&self, account: &Account, namespace: &str, priority: Priority) -> Iam {
        Iam {
            client: self.client(account),
            aws: self.clone(),
            account: account.clone(),
            calls: self.calls(namespace, priority),
        }
    }

    fn calls(&self, namespace: &str, priority: Priority) -> Calls {
        Calls {
            gate: self.gate.clone(),
            namespace: namespace.to_owned(),
            priority,
            heartbeat: None,
        }
    }

    fn client(&self, account: &Account) -> aws_sdk_iam::Client {
        let mut last = self.iam.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = last.as_ref().filter(|(of, _)| of == account) {
            return client.clone();
        }
        let only_proven = OnlyProven {
            identity: self.identity.clone(),
            account: account.clone(),
        };
        let config = self.config.to_builder().interceptor(only_proven).build();
        let client = aws_sdk_iam::Client::from_conf(config);
        *last = Some((account.clone(), client.clone()));
        client
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
    aws: Aws,
    account: Account,
    calls: Calls,
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

/// The settings of a call that reads a page of a thousand: AWS takes its time for that.
pub(super) fn bulk() -> aws_sdk_iam::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(BULK_TIMEOUT)
        .build();
    aws_sdk_iam::Config::builder().timeout_config(timeouts)
}

impl Iam {
    /// The same, and the end of each call is one of this heart's beats.
    #[must_use]
    pub fn beating(mut self, heartbeat: Heartbeat) -> Self {
        self.calls.heartbeat = Some(heartbeat);
        self
    }

    /// Sends a call, once its credentials are proven to be of the account.
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
        let doubt = match self.calls.send(action, access, &resource, &call).await {
            Ok(answer) => return Ok(answer),
            Err(CallError::Failed(failure)) => return Err(failure),
            Err(CallError::Unproven(doubt)) => doubt,
        };
        let account = match self.aws.ask(Doubt::Unproven(&doubt)).await {
            Ok(account) => account,
            Err(error) => return Err(error.into_failure().of_a_call_not_sent()),
        };
        if account == self.account {
            let again = self.calls.send(action, access, &resource, &call).await;
            return again.map_err(|error| error.into_failure(action, resource));
        }
        Err(CallError::Unproven(doubt).into_failure(action, resource))
    }
}

/// A call that came to nothing.
enum CallError {
    /// It failed.
    Failed(Failure),
    /// It was not sent.
    Unproven(Unproven),
}

impl CallError {
    fn into_failure(self, action: &str, resource: String) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Unproven(doubt) => Failure {
                // The next pass works with the new ones.
                class: FailureClass::ConcurrentChange,
                action: format!("iam:{action}"),
                resource,
                code: Box::default(),
                said: format!("not sent: {doubt}"),
                way_out: None,
            },
        }
    }
}

/// On whose behalf calls are made, and through which gate.
#[derive(Clone)]
struct Calls {
    gate: Gate,
    namespace: String,
    priority: Priority,
    heartbeat: Option<Heartbeat>,
}

impl Calls {
    /// Sends a call through the gate: the one retry policy.
    async fn send<T, E, F>(
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
                () = tokio::time::sleep(pause(attempt)) => {}
                () = self.gate.stopping.cancelled() => return Err(CallError::Failed(failure)),
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
            budget, metrics, ..
        } = &self.gate;
        // To wait for a permit is no attempt: it may take any time.
        let waiting = self.heartbeat.as_ref().map(Heartbeat::waiting);
        let _token = budget.acquire(self.priority, &self.namespace).await;
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
                    said: "this replica may not write any more".to_owned(),
                    way_out: None,
                }));
            }
        };
        let begun = Instant::now();
        // On the heap: the SDK's futures are large, and a pass awaits several side by side.
        let answer = Box::pin(call()).await;
        let took = begun.elapsed();
        self.heartbeat.iter().for_each(Heartbeat::beat);
        match answer {
            Ok(answer) => {
                budget.succeeded();
                metrics.iam_request(action, "ok", took);
                debug!(action, resource, ms = took.as_millis(), "IAM answered");
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
                Err(CallError::Failed(mapped.failure))
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
