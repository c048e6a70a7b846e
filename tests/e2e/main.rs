//! The program on a real control plane, in one test program: the AWS SDK is linked once, and all but
//! what [`support::World::apart`] is for share one control plane. Most tests wait for intervals and
//! windows of the program, so 'make e2e' runs a dozen at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod admission;
mod api_server;
mod chart;
mod crash;
mod credentials;
mod docs;
mod drift;
mod errors;
mod files;
mod identity;
mod install;
mod lifecycle;
mod manifests;
mod modes;
mod moto;
mod names;
mod namespace;
mod network;
mod ownership;
mod plan_cluster;
mod propagation;
mod refusals;
mod replicas;
mod requests;
mod sweep;
mod tenants;
mod tricks;
mod uninstall;
mod upgrade;
mod watch;
