//! From a Git commit to IAM, by a real Argo CD: what a person sees there at every step, and what IAM
//! then holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

#[path = "gitops/argo.rs"]
mod argo;
#[path = "gitops/changes.rs"]
mod changes;
#[path = "gitops/chart.rs"]
mod chart;
#[path = "gitops/many.rs"]
mod many;
#[path = "gitops/removal.rs"]
mod removal;
#[path = "gitops/repo.rs"]
mod repo;
#[path = "gitops/site.rs"]
mod site;
#[path = "gitops/states.rs"]
mod states;
#[path = "gitops/stays.rs"]
mod stays;
mod support;
#[path = "gitops/waves.rs"]
mod waves;
