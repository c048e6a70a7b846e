//! Faults that a test orders: requests enter, what they meet leaves. No IO.

use std::time::Duration;

use tokio::time::Instant;

use crate::asked::Asked;
use crate::resource::{Resource, Verb};

/// A fault, and which requests meet it: those that fit all that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Only requests of this verb.
    pub verb: Option<Verb>,
    /// Only requests for this resource.
    pub resource: Option<Resource>,
    /// Only requests of this caller.
    pub caller: Option<String>,
    /// Only requests for an object of this name.
    pub name: Option<String>,
    /// Requests that pass untouched first.
    pub skip: usize,
    /// Requests that then meet the fault, unless it lasts for a time.
    pub count: usize,
    /// How long the fault lasts, from the first request that meets it; `count` then says nothing.
    pub for_time: Option<Duration>,
    /// What happens.
    pub kind: FaultKind,
}

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The effect at once, the answer after so long.
    Slow(Duration),
    /// The request is on its way for so long: effect and answer then, even where the caller waits
    /// for it no more.
    Late(Duration),
    /// An answer with no effect.
    Error {
        /// The HTTP status.
        code: u16,
        /// The reason, such as `InternalError`.
        reason: String,
        /// The message.
        message: String,
    },
    /// 429, no effect.
    TooManyRequests {
        /// In seconds.
        retry_after: u32,
    },
    /// The connection closes, no effect.
    Refused,
    /// The effect, and the connection closes with no answer.
    LostReply,
    /// No effect, and no answer ever.
    Hang,
    /// The effect, and no answer ever.
    HangAfterEffect,
    /// A watch that opens and never says anything; meets watches only.
    HalfOpenWatch,
}

impl Fault {
    /// A fault that meets the next `count` requests, whatever they are.
    pub fn new(count: usize, kind: FaultKind) -> Self {
        Self {
            verb: None,
            resource: None,
            caller: None,
            name: None,
            skip: 0,
            count,
            for_time: None,
            kind,
        }
    }

    /// Only for requests of this verb for this resource.
    #[must_use]
    pub fn on(mut self, verb: Verb, resource: Resource) -> Self {
        (self.verb, self.resource) = (Some(verb), Some(resource));
        self
    }

    /// Only for requests of this caller.
    #[must_use]
    pub fn of_caller(mut self, caller: impl Into<String>) -> Self {
        self.caller = Some(caller.into());
        self
    }

    /// Only for requests for an object of this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets the first `skip` requests pass.
    #[must_use]
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    /// For every request of this time, from the first that meets the fault, instead of a count.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.for_time = Some(time);
        self
    }

    fn fits(&self, asked: &Asked) -> bool {
        self.verb.is_none_or(|verb| asked.verb == verb)
            && self
                .resource
                .is_none_or(|resource| asked.resource == resource)
            && self
                .caller
                .as_ref()
                .is_none_or(|caller| asked.caller == *caller)
            && self
                .name
                .as_ref()
                .is_none_or(|name| asked.name.as_ref() == Some(name))
            && (self.kind != FaultKind::HalfOpenWatch || asked.verb == Verb::Watch)
    }
}

/// A fault, and when a request met it first.
#[derive(Debug)]
struct Ordered {
    fault: Fault,
    met: Option<Instant>,
}

impl Ordered {
    fn is_over(&self, now: Instant) -> bool {
        match self.fault.for_time {
            None => self.fault.count == 0,
            Some(time) => (self.met).is_some_and(|met| now.saturating_duration_since(met) >= time),
        }
    }
}

/// Faults that still wait for requests, in the order in which they were ordered.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Ordered>);

impl Faults {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push(Ordered { fault, met: None });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What this request meets, if anything: the first fault that fits and lets nothing pass.
    pub(crate) fn take(&mut self, asked: &Asked, now: Instant) -> Option<FaultKind> {
        self.0.retain(|ordered| !ordered.is_over(now));
        for Ordered { fault, met } in &mut self.0 {
            if !fault.fits(asked) {
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
