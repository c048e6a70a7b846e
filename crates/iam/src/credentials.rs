//! The SDK's credential chain, with causes that a person can act on. A provider and the environment
//! in, the same provider with our own errors out. Does the provider's IO, and no other.
//!
//! The SDK's errors do not say which file or which agent was asked; the environment does.

mod words;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use smr_core::account::Partition;
use smr_core::failure::Said;
use tokio::time::Instant;

/// Shorter than an attempt of a call, so that it is known what did not answer.
const LOAD_TIMEOUT: Duration = Duration::from_secs(4);
/// For so long a failure answers for all who ask: calls that waited for one load do not load again
/// one after the other, within their own time-outs.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// The SDK's own settings: environment, profile, IRSA, Pod Identity, endpoints. Where there are no
/// credentials, what people read names the place where they should be.
pub async fn from_environment() -> SdkConfig {
    let region = aws_config::meta::region::RegionProviderChain::default_provider()
        .or_else(Region::new(Partition::Aws.iam_region()));
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .load()
        .await;
    let source = Source::from_env(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    with(&config, source)
}

/// The same configuration, whose credentials' errors people can read.
pub fn explained(config: &SdkConfig) -> SdkConfig {
    with(config, Source::Other)
}

fn with(config: &SdkConfig, source: Source) -> SdkConfig {
    let mut builder = config.to_builder();
    if let Some(provider) = config.credentials_provider() {
        let explained = Explained::new(provider, source);
        builder.set_credentials_provider(Some(SharedCredentialsProvider::new(explained)));
    }
    builder.build()
}

/// Why there are no credentials: the same cause gives the same text. No token, no name of a session,
/// no request id, nothing of others' accounts or of the organization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{said}")]
pub(super) struct NoCredentials {
    /// What failed.
    pub said: Said,
    /// What a person can do.
    pub way_out: String,
}

/// Where the SDK's chain finds credentials, in the order in which it looks for them, as far as the
/// environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// IRSA: a token in a file is exchanged at STS.
    WebIdentity {
        /// `AWS_ROLE_ARN`
        role: String,
        /// `AWS_WEB_IDENTITY_TOKEN_FILE`
        token_file: String,
    },
    /// Pod Identity, or what else serves credentials over HTTP.
    Agent {
        /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`, or the relative one.
        uri: String,
        /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`
        token_file: String,
    },
    /// Keys, a profile, the instance, or nothing.
    Other,
}

impl Source {
    /// What the environment sets.
    pub(super) fn from_env(read: impl Fn(&str) -> Option<String>) -> Self {
        let web_identity = (read("AWS_ROLE_ARN"), read("AWS_WEB_IDENTITY_TOKEN_FILE"));
        if let (Some(role), Some(token_file)) = web_identity {
            return Self::WebIdentity { role, token_file };
        }
        let uri = read("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            .or_else(|| read("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
        match uri {
            Some(uri) => Self::Agent {
                // Behind a ? there may be what nobody is to read.
                uri: uri.split('?').next().unwrap_or_default().to_owned(),
                token_file: read("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").unwrap_or_default(),
            },
            None => Self::Other,
        }
    }
}

/// A provider whose every error has a [`NoCredentials`] as its source.
#[derive(Debug)]
pub(super) struct Explained {
    provider: SharedCredentialsProvider,
    source: Source,
    failed: Arc<Mutex<Option<(Instant, NoCredentials)>>>,
}

impl Explained {
    pub(super) fn new(provider: SharedCredentialsProvider, source: Source) -> Self {
        Self {
            provider,
            source,
            failed: Arc::default(),
        }
    }

    async fn load(&self) -> Result<Credentials, NoCredentials> {
        if let Some((at, why)) = &*self.failed.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < FAILURE_KEPT
        {
            return Err(why.clone());
        }
        let loading = self.provider.provide_credentials();
        let why = match tokio::time::timeout(LOAD_TIMEOUT, loading).await {
            Ok(Ok(credentials)) => return Ok(credentials),
            Ok(Err(error)) => words::explain(&error, &self.source),
            Err(_elapsed) => words::timed_out(LOAD_TIMEOUT, &self.source),
        };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some((Instant::now(), why.clone()));
        Err(why)
    }
}

impl ProvideCredentials for Explained {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.load().await.map_err(CredentialsError::provider_error)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests;
