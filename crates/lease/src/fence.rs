//! The fence before every write: the moment of the last renewal enters, permits leave.
//! No IO besides the monotonic clock.

use std::time::Duration;

use smr_core::ports::MayWrite;
use tokio::sync::watch;
use tokio::time::Instant;

use super::record::Terms;

/// Why a write may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLeader {
    /// This replica does not hold the lease.
    #[error("this replica does not hold the lease")]
    NotHeld,
    /// The lease may end before the attempt does.
    #[error("the lease may end before an attempt of {} ms does", .attempt.as_millis())]
    EndsTooSoon {
        /// The time-out of the attempt that was asked for.
        attempt: Duration,
    },
}

/// Where the elector stands; written by it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not leading yet.
    Standby,
    /// Leading since a renewal that was sent at this moment.
    Leading(Instant),
    /// Lost or stopped; it does not lead again.
    Ended,
}

/// Handed to whoever sends IAM or status writes: asked right before each attempt.
#[derive(Clone, Debug)]
pub struct Fence(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Always,
    Elected {
        terms: Terms,
        standing: watch::Receiver<Standing>,
    },
}

impl Fence {
    /// A fence that is always open: a single replica without leader election.
    pub fn always() -> Fence {
        Fence(Inner::Always)
    }

    pub(super) fn elected(terms: Terms, standing: watch::Receiver<Standing>) -> Fence {
        Fence(Inner::Elected { terms, standing })
    }

    /// Whether a write that takes at most `attempt_timeout` may be sent now: only while the
    /// lease, counted from when the last successful renewal was sent, outlives it, and the renew
    /// deadline has not passed. Judged on the monotonic clock at each call, so that a process
    /// that was stopped for longer than its lease is refused at once when it continues.
    pub fn permit(&self, attempt_timeout: Duration) -> Result<(), NotLeader> {
        match &self.0 {
            Inner::Always => Ok(()),
            Inner::Elected { terms, standing } => match *standing.borrow() {
                Standing::Leading(sent) => terms
                    .spare(sent, Instant::now(), attempt_timeout)
                    .map(|_| ())
                    .ok_or(NotLeader::EndsTooSoon {
                        attempt: attempt_timeout,
                    }),
                Standing::Standby | Standing::Ended => Err(NotLeader::NotHeld),
            },
        }
    }

    /// Resolves once this replica leads; never, if the elector ends before.
    pub async fn acquired(&self) {
        let Inner::Elected { standing, .. } = &self.0 else {
            return;
        };
        let leads = |standing: &Standing| matches!(standing, Standing::Leading(_));
        if standing.clone().wait_for(leads).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves once this replica, having led, does so no more, or the elector has ended. It
    /// does not rely on the elector: the renew deadline is watched here too.
    pub async fn lost(&self) {
        let Inner::Elected { terms, standing } = &self.0 else {
            return std::future::pending().await;
        };
        let mut standing = standing.clone();
        loop {
            let current = *standing.borrow_and_update();
            let ended = match current {
                Standing::Ended => return,
                Standing::Standby => standing.changed().await.is_err(),
                Standing::Leading(sent) => {
                    let deadline = terms.gives_up_at(sent);
                    match tokio::time::timeout_at(deadline, standing.changed()).await {
                        Ok(changed) => changed.is_err(),
                        Err(_elapsed) => true,
                    }
                }
            };
            if ended {
                return;
            }
        }
    }
}

impl MayWrite for Fence {
    fn may_write(&self, attempt: Duration) -> bool {
        self.permit(attempt).is_ok()
    }
}
