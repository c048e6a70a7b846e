//! The controller's sweeps and round trips, as the emulator's log of calls shows them: a world enters, whole sweeps
//! leave. Nothing here depends on where between two sweeps a test begins. Polls.

use iam_emulator::Call;

use super::iam::StandIn;
use super::{KEY, RECENT, World};

/// The first call of each sweep; a pass over one object never makes it.
fn begins_sweep(call: &Call) -> bool {
    call.action == "ListInstanceProfiles"
        && call.access_key_id == KEY
        && !call.params.contains_key("Marker")
}

impl World {
    /// Waits for as many whole sweeps that begin from now on. The controller's calls from the first
    /// call of each to the first call of the next.
    pub async fn sweeps(&self, count: usize) -> Vec<Vec<Call>> {
        let before = self.iam.last_call();
        let begun = || {
            let calls = self.iam.calls_since(before);
            calls.iter().filter(|call| begins_sweep(call)).count()
        };
        self.eventually(&format!("{count} whole sweeps"), async || begun() > count)
            .await;
        let mut sweeps: Vec<Vec<Call>> = Vec::new();
        for call in self.iam.calls_since(before) {
            if begins_sweep(&call) {
                sweeps.push(Vec::new());
            }
            if let Some(sweep) = sweeps.last_mut().filter(|_| call.access_key_id == KEY) {
                sweep.push(call);
            }
        }
        sweeps.truncate(count);
        sweeps
    }

    /// Waits until the controller has swept once more from beginning to end, so that a test can say
    /// "and nothing more happened".
    pub async fn another_look(&self) {
        self.sweeps(1).await;
    }

    /// Writes to IAM that the controller has sent.
    pub fn writes(&self) -> Vec<Call> {
        self.iam
            .calls()
            .into_iter()
            .filter(|call| call.write && call.access_key_id == KEY)
            .collect()
    }
}

impl<I: StandIn> World<I> {
    /// Waits until none of the controller's writes is recent: from then on it takes every reading as
    /// it is, and what someone else does to IAM shows in the next pass. Time is the rule here, so
    /// time is what is waited for. The controller must have nothing left to write.
    pub async fn settled(&self) {
        tokio::time::sleep(RECENT + std::time::Duration::from_secs(1)).await;
    }
}

/// Sequential round trips in a list of calls: calls that overlap in time share one.
pub fn round_trips(calls: &[Call]) -> usize {
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by_key(|call| call.started_ms);
    let mut trips = 0;
    let mut busy_until = None;
    for call in calls {
        let ended = call.ended_ms.unwrap_or(u64::MAX);
        if busy_until.is_none_or(|until| call.started_ms >= until) {
            trips += 1;
            busy_until = Some(ended);
        } else {
            busy_until = busy_until.max(Some(ended));
        }
    }
    trips
}
