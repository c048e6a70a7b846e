//! What a Lease says and what a candidate may do about it: records and monotonic moments enter,
//! decisions leave. No IO.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// The election's three durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Terms {
    pub(super) lease: Duration,
    pub(super) renew_deadline: Duration,
    pub(super) retry: Duration,
}

impl Terms {
    /// When a holder whose last successful renewal was sent at `sent` stops by itself.
    pub(super) fn gives_up_at(&self, sent: Instant) -> Instant {
        sent + self.renew_deadline
    }

    /// How much longer than `attempt` a holder's lease is good for; `None` when it is not.
    pub(super) fn spare(&self, sent: Instant, now: Instant, attempt: Duration) -> Option<Duration> {
        if now >= self.gives_up_at(sent) {
            return None;
        }
        (sent + self.lease)
            .checked_duration_since(now + attempt)
            .filter(|spare| !spare.is_zero())
    }
}

/// The part of a Lease that the election is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    /// Empty: nobody holds it.
    pub(super) holder: String,
    /// Zero: the record does not say.
    pub(super) duration: Duration,
    pub(super) acquired: Option<Timestamp>,
    pub(super) renewed: Option<Timestamp>,
    pub(super) transitions: i32,
}

impl Record {
    pub(super) fn read(spec: Option<&LeaseSpec>) -> Record {
        let seconds = spec
            .and_then(|spec| spec.lease_duration_seconds)
            .unwrap_or(0);
        Record {
            holder: spec
                .and_then(|spec| spec.holder_identity.clone())
                .unwrap_or_default(),
            duration: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
            acquired: spec
                .and_then(|spec| spec.acquire_time.as_ref())
                .map(|time| time.0),
            renewed: spec
                .and_then(|spec| spec.renew_time.as_ref())
                .map(|time| time.0),
            transitions: spec.and_then(|spec| spec.lease_transitions).unwrap_or(0),
        }
    }

    /// Writes the record over `spec`; fields that the election does not own stay.
    pub(super) fn write(self, spec: &mut LeaseSpec) {
        let Record {
            holder,
            duration,
            acquired,
            renewed,
            transitions,
        } = self;
        // Rounded up: others then wait longer, never shorter.
        let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
        spec.holder_identity = Some(holder);
        spec.lease_duration_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX).max(1));
        spec.acquire_time = acquired.map(MicroTime);
        spec.renew_time = renewed.map(MicroTime);
        spec.lease_transitions = Some(transitions);
    }
}

/// What a candidate may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// There is no Lease and nobody's is still running: create it with this record.
    Create(Record),
    /// The Lease is free, expired or our own: replace the version just read with this record.
    Replace(Record),
    /// Another holds it, at least until then.
    Held { holder: String, until: Instant },
}

/// One candidate's view of the Lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct View {
    identity: String,
    lease: Duration,
    /// The record last seen.
    seen: Option<Record>,
    /// Who else holds the Lease, and until when: counted from when its record was seen to change.
    other: Option<(String, Instant)>,
}

impl View {
    pub(super) fn new(identity: String, lease: Duration) -> View {
        View {
            identity,
            lease,
            seen: None,
            other: None,
        }
    }

    /// Takes in what a read returned (`None`: no such Lease) and decides. `now` must be a moment
    /// after the reply arrived; `wall` goes into the record and is never compared.
    pub(super) fn judge(
        &mut self,
        found: Option<Record>,
        now: Instant,
        wall: Timestamp,
    ) -> Decision {
        let exists = found.is_some();
        match (found, self.seen.take()) {
            (Some(record), before) => {
                self.seen = before;
                self.saw(record, now);
            }
            // Deleted under its holder, who may have renewed it just before: as a change.
            (None, Some(record)) => self.note_other(&record, now),
            (None, None) => {}
        }
        match &self.other {
            Some((holder, until)) if now < *until => Decision::Held {
                holder: holder.clone(),
                until: *until,
            },
            Some(_) | None if exists => Decision::Replace(self.ours(wall)),
            Some(_) | None => Decision::Create(self.ours(wall)),
        }
    }

    /// Notes a record that was read, or written by us. Another's holds until it expires or is
    /// given back; that a record of ours appears instead does not end it earlier.
    pub(super) fn saw(&mut self, record: Record, now: Instant) {
        if self.seen.as_ref() == Some(&record) {
            return;
        }
        if record.holder.is_empty() {
            self.other = None;
        }
        self.note_other(&record, now);
        self.seen = Some(record);
    }

    fn note_other(&mut self, record: &Record, now: Instant) {
        if !record.holder.is_empty() && record.holder != self.identity {
            let length = if record.duration.is_zero() {
                self.lease
            } else {
                record.duration
            };
            self.other = Some((record.holder.clone(), now + length));
        }
    }

    /// Our own record, following the one last seen.
    pub(super) fn ours(&self, wall: Timestamp) -> Record {
        let (acquired, transitions) = match &self.seen {
            Some(record) if record.holder == self.identity => {
                (record.acquired.or(Some(wall)), record.transitions)
            }
            Some(record) => (Some(wall), record.transitions.saturating_add(1)),
            None => (Some(wall), 0),
        };
        Record {
            holder: self.identity.clone(),
            duration: self.lease,
            acquired,
            renewed: Some(wall),
            transitions,
        }
    }

    /// The record that gives the Lease back: nobody's, and as short as the API allows.
    pub(super) fn released(&self, wall: Timestamp) -> Record {
        Record {
            holder: String::new(),
            duration: Duration::from_secs(1),
            ..self.ours(wall)
        }
    }
}
