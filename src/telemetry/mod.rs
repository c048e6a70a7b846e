//! What operators see: logs, metrics and health. What happened enters, text leaves.
//! IO: standard error, and the HTTP server of `--metrics-addr`.

pub mod health;
pub mod logs;
pub mod metrics;
