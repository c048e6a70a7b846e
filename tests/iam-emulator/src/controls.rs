//! What a test reads of the emulator and sets on it. Values enter and leave; no IO but the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use tokio::time::Instant;

use crate::config::Quotas;
use crate::emulator::Emulator;
use crate::enforce::Enforced;
use crate::faults::Fault;
use crate::log::Call;
use crate::rate::Rate;
use crate::snapshot::Snapshot;
use crate::store::Role;

/// Changes of the emulator's manners; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How far behind reads are.
    pub lag_ms: Option<u64>,
    /// How far behind writes are.
    pub write_lag_ms: Option<u64>,
    /// How long every answer takes.
    pub latency_ms: Option<u64>,
    /// The token bucket of each account.
    #[serde(deserialize_with = "given")]
    pub rate: Option<Option<Rate>>,
    /// The most items on one page.
    pub page_size: Option<usize>,
    /// All quotas: those left out go back to IAM's defaults.
    pub quotas: Option<Quotas>,
    /// All callers that are held to policies.
    pub enforce: Option<Vec<Enforced>>,
}

#[expect(clippy::option_option, reason = "left out and null differ")]
fn given<'de, D, T>(deserializer: D) -> std::result::Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

impl Emulator {
    /// The log, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls_since(0)
    }

    /// The log after a number, in order.
    pub fn calls_since(&self, seq: u64) -> Vec<Call> {
        self.state().log.since(seq).to_vec()
    }

    /// One call, while the log has it.
    pub fn call(&self, seq: u64) -> Option<Call> {
        let state = self.state();
        let found = state.log.since(seq.checked_sub(1)?).first();
        found.filter(|call| call.seq == seq).cloned()
    }

    /// The number of the last call in the log; 0 before the first.
    pub fn last_call(&self) -> u64 {
        self.state().log.last()
    }

    /// How often each action was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.counts_since(0)
    }

    /// How often each action was called after a number of the log.
    pub fn counts_since(&self, seq: u64) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.state().log.since(seq) {
            *counts.entry(call.action.clone()).or_default() += 1;
        }
        counts
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.state().log.clear();
    }

    /// Orders a fault.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes back all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Lets reads see the store as it was so long ago, and policies too unless there is a write
    /// lag.
    pub fn set_lag(&self, lag: Duration) {
        self.state().history.set_lag(lag, Instant::now());
    }

    /// Asks of each write that it is possible in the store as it was so long ago as well: a
    /// `NoSuchEntity`, `EntityAlreadyExists`, `DeleteConflict` or `LimitExceeded` there is the
    /// answer, and nothing changes. Policies are judged on that store.
    pub fn set_write_lag(&self, lag: Duration) {
        self.state().history.set_write_lag(lag, Instant::now());
    }

    /// Lets every answer take so long.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Throttles each account, from a full bucket on.
    pub fn set_rate(&self, rate: Option<Rate>) {
        let mut state = self.state();
        state.rate = rate;
        state.buckets.clear();
    }

    /// Changes quotas: `set_quota(|quotas| quotas.roles = 3)`.
    pub fn set_quota(&self, change: impl FnOnce(&mut Quotas)) {
        change(&mut self.state().quotas);
    }

    /// The most items on one page, whatever callers ask for.
    pub fn set_page_size(&self, page_size: usize) {
        self.state().page_size = page_size;
    }

    /// Holds callers to policies, and no others than these.
    pub fn set_enforced(&self, enforced: Vec<Enforced>) {
        self.state().enforced = enforced;
    }

    /// Changes whatever the settings hold.
    pub fn set(&self, settings: Settings) {
        if let Some(lag) = settings.lag_ms {
            self.set_lag(Duration::from_millis(lag));
        }
        if let Some(lag) = settings.write_lag_ms {
            self.set_write_lag(Duration::from_millis(lag));
        }
        if let Some(latency) = settings.latency_ms {
            self.set_latency(Duration::from_millis(latency));
        }
        if let Some(rate) = settings.rate {
            self.set_rate(rate);
        }
        if let Some(page_size) = settings.page_size {
            self.set_page_size(page_size);
        }
        if let Some(quotas) = settings.quotas {
            self.set_quota(|held| *held = quotas);
        }
        if let Some(enforced) = settings.enforce {
            self.set_enforced(enforced);
        }
    }

    /// How often anything was written: while this stays, so does what every account holds.
    pub fn version(&self) -> u64 {
        self.state().history.version()
    }

    /// What the default account holds now, whatever the lag.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&self.config().account_id)
    }

    /// What an account holds now, whatever the lag.
    pub fn snapshot_of(&self, account_id: &str) -> Snapshot {
        let state = self.state();
        state
            .history
            .current()
            .get(account_id)
            .map(Snapshot::of)
            .unwrap_or_default()
    }

    /// What readers of the default account see now, which is behind by the lag.
    pub fn seen(&self) -> Snapshot {
        let state = self.state();
        let seen = state.history.seen(Instant::now());
        seen.get(&self.config().account_id)
            .map(Snapshot::of)
            .unwrap_or_default()
    }

    /// Says when a role of the default account was used last; false when there is no such role.
    pub fn set_last_used(&self, role: &str, unix_seconds: i64) -> bool {
        let mut state = self.state();
        let account_id = &self.config().account_id;
        let mut account = state
            .history
            .current()
            .get(account_id)
            .cloned()
            .unwrap_or_default();
        let Some(held) = account.role(role) else {
            return false;
        };
        let role = Role {
            last_used: Some(unix_seconds),
            ..Role::clone(held)
        };
        account.put_role(role);
        let store = state.history.current().insert(account_id.clone(), account);
        state.history.write(store, Instant::now());
        true
    }
}
