//! Faults that a test orders: which calls they meet, and what they do. Pure state, no IO.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::wire::{IamError, Params};

/// A fault for the next calls that it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The action, or `*` for every one.
    pub action: String,
    /// Only calls that name this role, policy or instance profile.
    #[serde(default)]
    pub name: Option<String>,
    /// Calls that pass untouched first.
    #[serde(default)]
    pub skip: usize,
    /// Calls that then meet the fault.
    #[serde(default = "one")]
    pub count: usize,
    /// It ends so long after its first call, however few calls met it.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// What happens.
    pub kind: FaultKind,
}

fn one() -> usize {
    1
}

/// What a fault does to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// 400 `Throttling`, no effect.
    Throttle,
    /// 500 `ServiceFailure`, no effect.
    ServiceFailure,
    /// The call takes effect, and the connection closes with no answer.
    LostReply,
    /// No effect, and no answer ever.
    Hang,
    /// The call takes effect, and no answer ever comes.
    HangAfterEffect,
    /// 403 `AccessDenied`, in AWS's words.
    AccessDenied,
    /// 403 `InvalidClientTokenId`: the access key is not known (any more).
    UnrecognizedClient,
    /// Any other answer, with no effect.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
        /// The message.
        message: String,
    },
}

impl Fault {
    /// A fault that meets the next `count` calls of an action.
    pub fn new(action: impl Into<String>, count: usize, kind: FaultKind) -> Self {
        Self {
            action: action.into(),
            name: None,
            skip: 0,
            count,
            for_ms: None,
            kind,
        }
    }

    /// Only for calls that name this role, policy or instance profile.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A fault that meets every call of an action, from the first one on and for so long.
    pub fn lasting(action: impl Into<String>, time: Duration, kind: FaultKind) -> Self {
        Self {
            for_ms: Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            ..Self::new(action, usize::MAX, kind)
        }
    }

    /// Lets the first `skip` calls pass.
    #[must_use]
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    fn fits(&self, action: &str, params: &Params) -> bool {
        (self.action == "*" || self.action == action)
            && self
                .name
                .as_ref()
                .is_none_or(|name| names(params).any(|held| held == name))
    }
}

impl FaultKind {
    /// The transient kind of `LimitExceeded`: IAM is still replicating earlier updates.
    pub fn updates_awaiting_replication() -> Self {
        Self::Error {
            status: 409,
            code: "LimitExceeded".to_owned(),
            message: "The request was rejected because there are too many updates awaiting \
                      replication. Please try again."
                .to_owned(),
        }
    }

    /// The lasting kind of `LimitExceeded`, such as `RolesPerAccount` and 1000.
    pub fn quota(name: &str, limit: usize) -> Self {
        let error = IamError::quota(name, limit);
        Self::Error {
            status: error.status,
            code: error.code.into(),
            message: error.message,
        }
    }

    /// Two calls changed the same object at once.
    pub fn concurrent_modification() -> Self {
        Self::Error {
            status: 409,
            code: "ConcurrentModification".to_owned(),
            message: "The request was rejected because multiple requests to change this object \
                      were submitted simultaneously. Wait a few minutes and submit your request \
                      again."
                .to_owned(),
        }
    }
}

/// The names that a call gives, of whichever kind of object.
fn names(params: &Params) -> impl Iterator<Item = &str> {
    let plain = ["RoleName", "PolicyName", "InstanceProfileName"]
        .into_iter()
        .filter_map(|name| params.get(name));
    let arn = params
        .get("PolicyArn")
        .and_then(|arn| arn.rsplit('/').next());
    plain.chain(arn)
}

/// Faults that still wait for calls, in the order in which they were ordered.
#[derive(Debug, Default)]
pub struct Faults(Vec<Ordered>);

#[derive(Debug)]
struct Ordered {
    fault: Fault,
    /// When the first call met it.
    begun: Option<Instant>,
}

impl Ordered {
    fn is_over(&self, now: Instant) -> bool {
        let lasts = self.fault.for_ms.map(Duration::from_millis);
        let over = (self.begun.zip(lasts)).is_some_and(|(begun, lasts)| now >= begun + lasts);
        over || self.fault.count == 0
    }
}

impl Faults {
    /// Orders a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(Ordered { fault, begun: None });
    }

    /// Takes back all orders.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What this call meets, if anything: the first fault that fits and lets nothing pass.
    pub fn take(&mut self, action: &str, params: &Params, now: Instant) -> Option<FaultKind> {
        self.0.retain(|ordered| !ordered.is_over(now));
        let fits = |ordered: &&mut Ordered| ordered.fault.fits(action, params);
        for Ordered { fault, begun } in self.0.iter_mut().filter(fits) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else {
                fault.count = fault.count.saturating_sub(1);
                begun.get_or_insert(now);
                return Some(fault.kind.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_fault_meets_all_calls_from_the_first_one_on() {
        let begun = Instant::now();
        let at = |second| begun + Duration::from_secs(second);
        let mut faults = Faults::default();
        let lasts = Duration::from_secs(10);
        faults.push(Fault::lasting("DeleteRole", lasts, FaultKind::Throttle).after(1));
        let params = Params::parse("RoleName=r");
        let mut meets = |action, second| faults.take(action, &params, at(second)).is_some();
        assert!(!meets("GetRole", 0));
        assert!(!meets("DeleteRole", 1), "it lets one pass");
        assert!(meets("DeleteRole", 5));
        assert!(meets("DeleteRole", 14));
        assert!(!meets("DeleteRole", 15));
        assert!(!meets("DeleteRole", 5), "it is over");
    }
}
