//! The emulator's own HTTP endpoints, under `/_emulator/`: method, path and JSON enter, a status
//! and JSON leave. No IO.
//!
//! | request | what it does |
//! |---|---|
//! | `GET calls?since=<seq>` | the log after a number |
//! | `GET counts?since=<seq>` | how often each action was called after a number |
//! | `POST clear` | forgets the log |
//! | `POST faults` | orders a fault |
//! | `DELETE faults` | takes back all faults |
//! | `POST settings` | lags, latency, rate, page size, quotas, policies in force |
//! | `GET store?account=<id>` | what the account holds |
//! | `GET dump` | everything that all accounts hold, for `load` |
//! | `POST load` | replaces everything by a dump |
//! | `POST last-used` | `{"role": …, "unix_seconds": …}` |

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::controls::Settings;
use crate::dump::Dump;
use crate::emulator::Emulator;
use crate::faults::Fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LastUsed {
    role: String,
    unix_seconds: i64,
}

/// InSyncCache one request.
pub fn answer(
    emulator: &Emulator,
    method: &str,
    path: &str,
    query: &str,
    body: &str,
) -> (u16, Value) {
    let asked = |name: &str| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let since = asked("since")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let done = (200, json!({}));
    match (method, path) {
        ("GET", "calls") => (200, json!(emulator.calls_since(since))),
        ("GET", "counts") => (200, json!(emulator.counts_since(since))),
        ("POST", "clear") => {
            emulator.clear_calls();
            done
        }
        ("POST", "faults") => with(body, |fault: Fault| {
            emulator.inject(fault);
            done
        }),
        ("DELETE", "faults") => {
            emulator.clear_faults();
            done
        }
        ("POST", "settings") => with(body, |settings: Settings| {
            emulator.set(settings);
            done
        }),
        ("GET", "store") => {
            let account = asked("account").unwrap_or(&emulator.config().account_id);
            (200, json!(emulator.snapshot_of(account)))
        }
        ("GET", "dump") => (200, json!(emulator.dump())),
        ("POST", "load") => with(body, |dump: Dump| {
            emulator.load(dump);
            done
        }),
        ("POST", "last-used") => with(body, |used: LastUsed| {
            if emulator.set_last_used(&used.role, used.unix_seconds) {
                done
            } else {
                (404, json!({"error": format!("no role {}", used.role)}))
            }
        }),
        _ => (
            404,
            json!({"error": format!("no {method} /_emulator/{path}")}),
        ),
    }
}

fn with<T: DeserializeOwned>(body: &str, run: impl FnOnce(T) -> (u16, Value)) -> (u16, Value) {
    match serde_json::from_str(body) {
        Ok(value) => run(value),
        Err(error) => (400, json!({"error": error.to_string()})),
    }
}
