//! Faults that a test orders: which calls they meet, and what they do. Pure state, no IO.

use serde::{Deserialize, Serialize};

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
            kind,
        }
    }

    /// Only for calls that name this role, policy or instance profile.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
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
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Orders a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Takes back all orders.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What this call meets, if anything: the first fault that fits and lets nothing pass.
    pub fn take(&mut self, action: &str, params: &Params) -> Option<FaultKind> {
        let mut met = None;
        for fault in self.0.iter_mut().filter(|fault| fault.fits(action, params)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.count > 0 {
                fault.count -= 1;
                met = Some(fault.kind.clone());
                break;
            }
        }
        self.0.retain(|fault| fault.count > 0);
        met
    }
}
