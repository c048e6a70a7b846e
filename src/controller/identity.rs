//! The caller's account, asked of STS and kept for a while: credentials can change while the
//! program runs. Does network IO.

use std::time::Duration;

use smr_core::account::Account;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::iam::Aws;
use crate::iam::client::IdentityError;

/// The account that the credentials are of.
pub struct Identity {
    aws: Aws,
    kept_for: Duration,
    known: Mutex<Option<(Instant, Account)>>,
}

impl Identity {
    /// Asks again after `kept_for`.
    pub fn new(aws: Aws, kept_for: Duration) -> Self {
        Self {
            aws,
            kept_for,
            known: Mutex::new(None),
        }
    }

    /// The account; many who ask at once make one call.
    pub async fn current(&self) -> Result<Account, IdentityError> {
        let mut known = self.known.lock().await;
        if let Some((_, account)) = known
            .as_ref()
            .filter(|(at, _)| at.elapsed() < self.kept_for)
        {
            return Ok(account.clone());
        }
        let account = self.aws.caller().await?;
        *known = Some((Instant::now(), account.clone()));
        Ok(account)
    }
}
