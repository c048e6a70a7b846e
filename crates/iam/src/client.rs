//! The SDK's clients: whose credentials, in which account, on whose behalf. In: a call; out: its answer
//! or a [`Failure`]. Does network IO, all of it through the gate.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::{BoxError, ProvideErrorMetadata, SdkError};
use smr_core::account::Account;
use smr_core::failure::Failure;
use smr_core::fair::Priority;
use smr_core::ports::Progress;

use crate::errors::CallFailed;
use crate::gate::{ATTEMPT_TIMEOUT, Access, CallError, Calls, Gate, timeouts};
use crate::identity::{Doubt, Identity, IdentityError, KeyOfCall, OnlyProven};

/// The call to STS.
const WHO: &str = "GetCallerIdentity";
/// What AWS's logs know this program as.
const PROGRAM: &str = concat!("session-manager-role/", env!("CARGO_PKG_VERSION"));

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

impl Aws {
    /// Clients from a given configuration, with its time and its HTTP client. Retries are ours, so that
    /// the budget sees every attempt; and time-outs, so that nothing else ends one.
    pub fn new(config: &SdkConfig, gate: Gate) -> Self {
        let config = config
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(ATTEMPT_TIMEOUT))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
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
            progress: None,
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
}

/// IAM as one pass over one object uses it.
#[derive(Clone)]
pub struct Iam {
    pub(super) client: aws_sdk_iam::Client,
    aws: Aws,
    account: Account,
    calls: Calls,
}

impl Iam {
    /// The same, and the end of each attempt is progress.
    #[must_use]
    pub fn beating(mut self, progress: Arc<dyn Progress>) -> Self {
        self.calls.progress = Some(progress);
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
        let ours = format!("{PROGRAM} {sdk}");
        headers.insert("user-agent", ours);
        Ok(())
    }
}
