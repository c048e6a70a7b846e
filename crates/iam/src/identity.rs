//! Whose credentials the calls are signed with. In: the access key id of each call, and whose it is as
//! STS says; out: leave to send a call to IAM, or not. No IO: the client asks STS.
//!
//! Credentials can be exchanged while the program runs, for those of another account too. So no call
//! leaves for IAM with a key that STS has not named the account of, and an account that is proven is not
//! asked for again: one call to STS for each set of credentials.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_iam::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;
use smr_core::account::{Account, AccountError};
use smr_core::failure::{Failure, FailureClass, Said, Tried};
use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::errors::CallFailed;

/// The account could not be proven.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IdentityError {
    /// STS did not answer as it should.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// The account can't be worked with.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl IdentityError {
    /// As the failure of the call that it keeps from being sent.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Call(failed) => failed.0,
            Self::Account(error) => {
                // It quotes what STS named, which may be anything.
                let tried = Tried {
                    class: FailureClass::Partition,
                    action: "sts:GetCallerIdentity",
                    resource: "",
                    account: None,
                };
                Failure {
                    class: tried.class,
                    action: tried.action.to_owned(),
                    resource: String::new(),
                    code: Box::default(),
                    said: Said::by_aws(&tried, &error.to_string()),
                    way_out: None,
                }
            }
        }
    }
}

/// A call was not sent: whose key signed it is not known, or it is another account's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account of these credentials is not proven yet")]
pub(super) struct Unproven {
    access_key_id: String,
}

impl Unproven {
    /// Where an error of the SDK has it as its cause.
    pub(super) fn cause_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        causes.find_map(|cause| cause.downcast_ref())
    }
}

/// Why an account that is proven is asked for again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doubt<'a> {
    /// It is not, where one is proven.
    No,
    /// A call was signed with another key.
    Unproven(&'a Unproven),
    /// Nothing can be done with the account that is proven, so no call shows whether the credentials
    /// have been exchanged.
    MayBeExchanged,
}

/// How long an answer of STS is fresh where nothing but STS shows an exchange.
const FRESH: Duration = Duration::from_secs(30);

/// The last key that STS named the account of; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// With the time of the answer.
    proven: Mutex<Option<(Proven, Instant)>>,
    /// Held by who asks STS: the others wait for that answer, and what it was if it was none.
    asking: tokio::sync::Mutex<Option<Unanswered>>,
}

/// STS was asked in vain.
#[derive(Debug)]
pub(super) struct Unanswered {
    ended: Instant,
    error: IdentityError,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Proven {
    access_key_id: String,
    account: Account,
}

impl Identity {
    /// STS has named the account of this key.
    pub(super) fn prove(&self, access_key_id: String, account: Account) {
        let proven = Proven {
            access_key_id,
            account,
        };
        let mut last = self.0.proven.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((proven, Instant::now()));
    }

    /// The turn to ask STS.
    ///
    /// # Errors
    /// Someone else has asked meanwhile, in vain: in an outage each of many would wait as long again.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, IdentityError> {
        let came = Instant::now();
        let last = self.0.asking.lock().await;
        match last.as_ref().filter(|last| last.ended > came) {
            Some(last) => Err(last.error.clone()),
            None => Ok(Turn(last)),
        }
    }

    /// The account, unless `doubt` is still a reason to ask for it.
    pub(super) fn account_despite(&self, doubt: Doubt) -> Option<Account> {
        let (proven, asked) = self.proven()?;
        let is_in_sync = match doubt {
            Doubt::No => true,
            Doubt::Unproven(doubt) => proven.access_key_id == doubt.access_key_id,
            Doubt::MayBeExchanged => asked.elapsed() < FRESH,
        };
        is_in_sync.then_some(proven.account)
    }

    fn proven(&self) -> Option<(Proven, Instant)> {
        let proven = self.0.proven.lock();
        proven.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// While it is held nobody else asks STS.
pub(super) struct Turn<'a>(MutexGuard<'a, Option<Unanswered>>);

impl Turn<'_> {
    /// STS was asked in vain: those who wait need not ask again.
    pub(super) fn failed(&mut self, error: &IdentityError) {
        *self.0 = Some(Unanswered {
            ended: Instant::now(),
            error: error.clone(),
        });
    }
}

/// Lets calls leave that are signed for `account`, as far as that is proven.
#[derive(Debug)]
pub(super) struct OnlyProven {
    pub(super) identity: Identity,
    pub(super) account: Account,
}

impl Intercept for OnlyProven {
    fn name(&self) -> &'static str {
        "OnlyProvenCredentials"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let access_key_id = access_key_id(context);
        let expected = Proven {
            access_key_id,
            account: self.account.clone(),
        };
        if self
            .identity
            .proven()
            .is_some_and(|(proven, _)| proven == expected)
        {
            return Ok(());
        }
        Err(Box::new(Unproven {
            access_key_id: expected.access_key_id,
        }))
    }
}

/// Notes the key that one call to STS is signed with.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyOfCall(Arc<Mutex<String>>);

impl KeyOfCall {
    /// The key, once the call was sent.
    pub(super) fn access_key_id(&self) -> String {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner)).clone()
    }
}

impl Intercept for KeyOfCall {
    fn name(&self) -> &'static str {
        "KeyOfCall"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = access_key_id(context);
        Ok(())
    }
}

/// `AWS4-HMAC-SHA256 Credential=AKID/20261127/us-east-1/iam/aws4_request, ...`. Source: AWS general
/// reference, "Authenticating requests (AWS Signature Version 4)". Empty where nothing is signed.
fn access_key_id(context: &BeforeTransmitInterceptorContextRef<'_>) -> String {
    let header = context.request().headers().get("authorization");
    let (_, scope) = header
        .and_then(|header| header.split_once("Credential="))
        .unwrap_or_default();
    scope.split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
