//! The log of requests: who asked for what, when, and what came of it. Values only, no IO.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::resource::{Resource, Subresource, Verb};

/// More than so many are not kept: the oldest go first.
const KEPT: usize = 100_000;

/// One request, from its arrival on.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its place in the log, from 1. Clearing the log does not start anew.
    pub seq: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// When the server did what was asked, which is later for a request that was late.
    pub done_at: Option<Timestamp>,
    /// Whose client sent it.
    pub caller: String,
    /// What was asked.
    pub verb: Verb,
    /// Of which resource.
    pub resource: Resource,
    /// Of which part of the object.
    pub subresource: Option<Subresource>,
    /// In which namespace; empty where in all, or where there are none.
    pub namespace: String,
    /// Of which object.
    pub name: Option<String>,
    /// The query, as it was sent.
    pub query: String,
    /// The content type, which tells kinds of patches apart.
    pub content_type: String,
    /// What was sent with a write.
    pub body: Option<Value>,
    /// What the server decided, whether the caller got to know or not; none while it has not seen
    /// the request.
    pub code: Option<u16>,
    /// What the caller got.
    pub outcome: Outcome,
    /// Whether the object was changed.
    pub write: bool,
    /// The store's version after it.
    pub resource_version: u64,
    /// The object before the write.
    pub before: Option<Arc<Value>>,
    /// The object after the write; none where it is gone, or where nothing was changed.
    pub after: Option<Arc<Value>>,
}

/// What the caller of a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet, or nothing any more as it gave up.
    Pending,
    /// An answer with this HTTP status.
    Answered(u16),
    /// The connection failed before any effect.
    Refused,
    /// The connection failed after the effect.
    Lost,
    /// It waits for ever.
    Hung,
}

/// Requests in order.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<Request>,
    last: u64,
}

impl Log {
    /// Adds a request and says its number.
    pub(crate) fn push(&mut self, mut request: Request) -> u64 {
        self.last += 1;
        request.seq = self.last;
        self.requests.push_back(request);
        if self.requests.len() > KEPT {
            self.requests.pop_front();
        }
        self.last
    }

    /// The request of a number, while it is kept.
    pub(crate) fn get_mut(&mut self, seq: u64) -> Option<&mut Request> {
        let first = self.requests.front()?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.requests.get_mut(index)
    }

    /// The number of the last request; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Requests after a number, as far as they are kept.
    pub(crate) fn since(&self, seq: u64) -> impl Iterator<Item = &Request> {
        let first = self.requests.front().map_or(0, |request| request.seq);
        let skip = usize::try_from((seq + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.requests.iter().skip(skip)
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }
}
