//! What the edges ask of others: what time is it, may I write, a call has ended. Traits only; no IO.
//! With them the edge to AWS knows neither the Lease nor the metrics, and a test gives its own time.

use std::fmt::Debug;

use jiff::Timestamp;

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
