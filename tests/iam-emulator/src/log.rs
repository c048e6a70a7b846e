//! The log of calls: who asked for what, when, and what came of it. Values only, no IO.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One call, from its arrival on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its place in the log, from 1. Clearing the log does not start anew.
    pub seq: u64,
    /// `iam` or `sts`.
    pub service: String,
    /// The action, such as `CreateRole`.
    pub action: String,
    /// Its parameters as they were sent, without `Action` and `Version`.
    pub params: BTreeMap<String, String>,
    /// The access key id of the caller; empty when the call was not signed.
    pub access_key_id: String,
    /// The caller's user agent.
    pub user_agent: String,
    /// When it arrived, in milliseconds since the emulator's start.
    pub started_ms: u64,
    /// When it was over, on the same clock. None while it is not.
    pub ended_ms: Option<u64>,
    /// When it arrived, in milliseconds of Unix time.
    pub unix_ms: u64,
    /// Whether the action changes anything.
    pub write: bool,
    /// `ok`, the error code, or `pending`; for the faults without an answer `LostReply`, `Hang`
    /// and `HangAfterEffect`.
    pub outcome: String,
}

/// Calls in order.
#[derive(Debug, Default)]
pub struct Log {
    calls: Vec<Call>,
    cleared: u64,
}

impl Log {
    /// Adds a call and says its number.
    pub fn push(&mut self, mut call: Call) -> u64 {
        call.seq = self.last() + 1;
        let seq = call.seq;
        self.calls.push(call);
        seq
    }

    /// Writes what came of a call.
    pub fn mark(&mut self, seq: u64, outcome: String) {
        if let Some(call) = self.get_mut(seq) {
            call.outcome = outcome;
        }
    }

    /// Writes when a call was over.
    pub fn end(&mut self, seq: u64, ended_ms: u64) {
        if let Some(call) = self.get_mut(seq) {
            call.ended_ms = Some(ended_ms);
        }
    }

    /// Calls after a number, in order.
    pub fn since(&self, seq: u64) -> &[Call] {
        let skip = usize::try_from(seq.saturating_sub(self.cleared)).unwrap_or(usize::MAX);
        self.calls.get(skip..).unwrap_or_default()
    }

    /// The number of the last call, also where it is forgotten.
    pub fn last(&self) -> u64 {
        self.cleared + self.calls.len() as u64
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.cleared = self.last();
        self.calls.clear();
    }

    fn get_mut(&mut self, seq: u64) -> Option<&mut Call> {
        let index = usize::try_from(seq.checked_sub(self.cleared + 1)?).ok()?;
        self.calls.get_mut(index)
    }
}
