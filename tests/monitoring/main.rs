//! Alerts, dashboard, kube-state-metrics' configuration and their documents, held against the program's own
//! list of metrics, the CRD and each other. UPDATE_DOCS=1 writes what is generated. Reads and writes files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

mod dashboard;
mod docs;
mod kube_state_metrics;
mod pages;
mod query;
mod rules;

use std::path::Path;

use serde_json::Value;
use session_manager_role::telemetry::metrics::{Listed, Metrics};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn metrics() -> Vec<Listed> {
    Metrics::new().unwrap().list()
}

/// The text at a pointer.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} in {value}"))
}

/// The elements at a pointer.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no list at {pointer} in {value}"))
}
