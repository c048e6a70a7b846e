//! The election's settings. In: names and a duration; out: what the election goes by, or why it can't
//! work. IO: the host's name.

use std::time::Duration;

use super::LeaseError;
use super::record::Terms;

/// Which Lease to hold, as whom, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// `holderIdentity`: must differ between any two processes, also of one host.
    pub identity: String,
    /// How long others wait after the last renewal that they saw; whole seconds in the record.
    pub lease_duration: Duration,
    /// A holder that could not renew for this long stops; less than the lease.
    pub renew_deadline: Duration,
    /// The pause between two attempts; less than the renew deadline.
    pub retry_period: Duration,
}

impl LeaseConfig {
    /// client-go's proportions for this lease duration (15 s: deadline 10 s, retry 2 s), with an
    /// identity of our own.
    pub fn new(namespace: String, name: String, lease_duration: Duration) -> LeaseConfig {
        LeaseConfig {
            namespace,
            name,
            identity: unique_identity(),
            lease_duration,
            renew_deadline: lease_duration * 2 / 3,
            retry_period: lease_duration * 2 / 15,
        }
    }

    pub(super) fn check(&self) -> Result<Terms, LeaseError> {
        let invalid = |why| Err(LeaseError::Invalid { why });
        if self.identity.is_empty() {
            return invalid("the identity of this replica is empty");
        }
        if self.lease_duration < Duration::from_secs(1) {
            return invalid("the lease duration is shorter than one second");
        }
        if self.renew_deadline >= self.lease_duration {
            return invalid("the renew deadline is not shorter than the lease duration");
        }
        if self.retry_period.is_zero() || self.retry_period >= self.renew_deadline {
            return invalid("the retry period is zero, or not shorter than the renew deadline");
        }
        Ok(self.terms())
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            lease: self.lease_duration,
            renew_deadline: self.renew_deadline,
            retry: self.retry_period,
        }
    }
}

/// Host name, process and 64 random bits: no two processes have the same.
pub(super) fn unique_identity() -> String {
    let host = std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .map(|host| host.trim().to_owned())
        .ok()
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| "smr".to_owned());
    format!(
        "{host}_{:08x}{:016x}",
        std::process::id(),
        fastrand::u64(..)
    )
}
