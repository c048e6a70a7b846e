//! What the edges ask of others: what time is it, may I write, a call has ended. Traits only; no IO.
//! With them the edge to AWS knows neither the Lease nor the metrics, and a test gives its own time.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use smr_api::labels::CallOutcome;

/// The one source of time.
pub trait Clock: Debug + Send + Sync {
    /// The time of day, for what people and AWS read. It may be set back.
    fn now(&self) -> Timestamp;

    /// A time that never goes back, to tell how long ago something was.
    fn steady(&self) -> Timestamp;

    /// Both.
    fn moment(&self) -> Moment {
        Moment {
            wall: self.now(),
            steady: self.steady(),
        }
    }
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of day.
    pub wall: Timestamp,
    /// The time that never goes back, by which writes are recent.
    pub steady: Timestamp,
}

/// Leave to write, asked right before each attempt.
pub trait MayWrite: Debug + Send + Sync {
    /// Whether a write that takes at most `attempt` may be sent now.
    fn may_write(&self, attempt: Duration) -> bool;
}

/// No write is ever sent: the commands that only read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnly;

impl MayWrite for ReadOnly {
    fn may_write(&self, _attempt: Duration) -> bool {
        false
    }
}

/// Who counts the calls to AWS.
pub trait CallObserver: Debug + Send + Sync {
    /// One attempt of a call has ended: the API's name of the action, how it ended, how long it took.
    fn call_ended(&self, action: &'static str, outcome: CallOutcome, took: Duration);

    /// An attempt has waited so long for the budget of calls, and is sent now.
    fn budget_waited(&self, waited: Duration);
}

/// Nobody counts: a command that ends before anybody could ask.
#[derive(Clone, Copy, Debug)]
pub struct Uncounted;

impl CallObserver for Uncounted {
    fn call_ended(&self, _action: &'static str, _outcome: CallOutcome, _took: Duration) {}

    fn budget_waited(&self, _waited: Duration) {}
}

/// Whoever checks that a loop is not stuck.
pub trait Progress: Debug + Send + Sync {
    /// An attempt has ended, good or bad.
    fn attempt_ended(&self);

    /// A call begins to wait for the budget, which may take any time.
    fn wait_began(&self);

    /// That call waits no longer.
    fn wait_ended(&self);
}
