//! Faults that a test orders: which calls they meet, and what they do. Pure state, no IO; the clock
//! enters as a value.

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
    /// Only calls with this access key.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Calls that pass untouched first.
    #[serde(default)]
    pub skip: usize,
    /// Calls that then meet the fault, unless it lasts for a time.
    #[serde(default = "one")]
    pub count: usize,
    /// How long the fault lasts, in milliseconds from the first call that meets it: every call
    /// meets it until then, and `count` says nothing.
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
    /// The call takes effect, and the answer comes after so long.
    Slow {
        /// In milliseconds.
        ms: u64,
    },
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
            access_key_id: None,
            skip: 0,
            count,
            for_ms: None,
            kind,
        }
    }

    /// For every call of this time, measured from the first that meets the fault, instead of for a
    /// count of calls.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.for_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Only for calls with this access key.
    #[must_use]
    pub fn of_caller(mut self, access_key_id: impl Into<String>) -> Self {
        self.access_key_id = Some(access_key_id.into());
        self
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

    fn fits(&self, action: &str, params: &Params, caller: &str) -> bool {
        (self.access_key_id.as_ref()).is_none_or(|key| key == caller)
            && (self.action == "*" || self.action == action)
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

/// A fault, and when a call met it first.
#[derive(Debug)]
struct Ordered {
    fault: Fault,
    met: Option<Instant>,
}

impl Ordered {
    /// Whether no call meets it any more.
    fn is_over(&self, now: Instant) -> bool {
        match self.fault.for_ms.map(Duration::from_millis) {
            None => self.fault.count == 0,
            Some(time) => self
                .met
                .is_some_and(|met| now.saturating_duration_since(met) >= time),
        }
    }
}

/// Faults that still wait for calls, in the order in which they were ordered.
#[derive(Debug, Default)]
pub struct Faults(Vec<Ordered>);

impl Faults {
    /// Orders a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(Ordered { fault, met: None });
    }

    /// Takes back all orders.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What this call meets, if anything: the first fault that fits and lets nothing pass.
    pub fn take(
        &mut self,
        action: &str,
        params: &Params,
        caller: &str,
        now: Instant,
    ) -> Option<FaultKind> {
        self.0.retain(|ordered| !ordered.is_over(now));
        for Ordered { fault, met } in &mut self.0 {
            if !fault.fits(action, params, caller) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.count = fault.count.saturating_sub(1);
            met.get_or_insert(now);
            return Some(fault.kind.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn conflict(count: usize) -> Fault {
        let kind = FaultKind::Error {
            status: 409,
            code: "DeleteConflict".to_owned(),
            message: "Cannot delete entity, must detach all policies first.".to_owned(),
        };
        Fault::new("DeleteRole", count, kind)
    }

    fn meets(faults: &mut Faults, call: &str, now: Instant) -> bool {
        let (action, name) = call.split_once(' ').unwrap();
        let params = Params::parse(&format!("RoleName={name}"));
        faults.take(action, &params, "", now).is_some()
    }

    #[test]
    fn a_fault_that_lasts_meets_every_call_until_its_time_is_over() {
        let start = Instant::now();
        let mut faults = Faults::default();
        // A count of 0 and one of 1 say nothing here.
        for count in [0, 1] {
            faults.push(conflict(count).lasting(10 * SECOND));
            // The time begins with the first meeting, not with the order.
            let first = start + 100 * SECOND;
            for second in [0, 1, 9] {
                assert!(meets(&mut faults, "DeleteRole r", first + second * SECOND));
            }
            assert!(!meets(&mut faults, "DeleteRole r", first + 10 * SECOND));
            assert!(faults.0.is_empty(), "it is gone for good");
        }
    }

    #[test]
    fn calls_that_do_not_fit_and_calls_that_pass_first_do_not_begin_its_time() {
        let start = Instant::now();
        let mut faults = Faults::default();
        faults.push(conflict(1).named("r").after(1).lasting(10 * SECOND));
        assert!(!meets(&mut faults, "DeleteRole other", start));
        assert!(!meets(&mut faults, "TagRole r", start));
        assert!(
            !meets(&mut faults, "DeleteRole r", start),
            "it passes first"
        );
        let first = start + 60 * SECOND;
        assert!(meets(&mut faults, "DeleteRole r", first));
        assert!(meets(&mut faults, "DeleteRole r", first + 9 * SECOND));
        assert!(!meets(&mut faults, "DeleteRole r", first + 10 * SECOND));
    }

    #[test]
    fn a_fault_with_a_count_meets_so_many_calls_whenever_they_come() {
        let start = Instant::now();
        let mut faults = Faults::default();
        faults.push(conflict(2));
        faults.push(conflict(0));
        assert!(meets(&mut faults, "DeleteRole r", start));
        assert!(meets(&mut faults, "DeleteRole r", start + 3600 * SECOND));
        assert!(!meets(&mut faults, "DeleteRole r", start + 3600 * SECOND));
    }

    #[test]
    fn the_next_fault_follows_when_the_time_of_one_is_over() {
        let start = Instant::now();
        let mut faults = Faults::default();
        faults.push(conflict(1).lasting(SECOND));
        faults.push(Fault::new("*", 1, FaultKind::Throttle));
        let mut take = |now| faults.take("DeleteRole", &Params::default(), "", now);
        assert!(matches!(take(start), Some(FaultKind::Error { .. })));
        assert_eq!(take(start + SECOND), Some(FaultKind::Throttle));
        assert_eq!(take(start + SECOND), None);
    }

    #[test]
    fn json_orders_one_too() {
        let json = r#"{"action": "DeleteRole", "for_ms": 10000, "kind": "Throttle"}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        let ordered = Fault::new("DeleteRole", 1, FaultKind::Throttle).lasting(10 * SECOND);
        assert_eq!(fault, ordered);
    }
}
