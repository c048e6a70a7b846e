//! What AWS documents about IAM, as a table of behaviours, each checked through the real SDK.
//!
//! The emulator has to pass all of it. `CONFORMANCE_ENDPOINT` runs the same table on another
//! stand-in, and `CONFORMANCE_DEVIATIONS` names the file that says which rows that one gets
//! wrong, and why: a row that passes though listed fails the test as much as one that fails
//! though not listed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use iam_emulator::{Config, Emulator};

#[path = "conformance/attachments.rs"]
mod attachments;
#[path = "conformance/documents.rs"]
mod documents;
#[path = "conformance/listings.rs"]
mod listings;
#[path = "conformance/policies.rs"]
mod policies;
#[path = "conformance/profiles.rs"]
mod profiles;
#[path = "conformance/roles.rs"]
mod roles;
#[path = "conformance/support.rs"]
mod support;
#[path = "conformance/tagging.rs"]
mod tagging;
#[path = "conformance/trust.rs"]
mod trust;

use support::{Aws, Row};

/// Longer than any row takes, shorter than anyone's patience.
const PATIENCE: Duration = Duration::from_mins(3);

fn table() -> impl Iterator<Item = &'static Row> {
    [
        roles::ROWS,
        trust::ROWS,
        attachments::ROWS,
        policies::ROWS,
        documents::ROWS,
        profiles::ROWS,
        tagging::ROWS,
        listings::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// Runs every row; leaves the id and the reason of those that do not hold.
async fn run(endpoint: &str) -> BTreeMap<&'static str, String> {
    let mut failures = BTreeMap::new();
    for (number, row) in table().enumerate() {
        let aws = Aws::new(endpoint, number).await;
        let outcome = tokio::time::timeout(PATIENCE, (row.check)(aws)).await;
        let failure = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(failure)) => support::in_words(failure.as_ref()),
            Err(_) => "no answer".to_owned(),
        };
        failures.insert(row.id, failure);
    }
    failures
}

#[test]
fn the_table_is_well_formed() {
    let mut ids = BTreeSet::new();
    for row in table() {
        assert!(ids.insert(row.id), "{} is there twice", row.id);
        assert!(row.says.ends_with('.'), "{}: a sentence", row.id);
        assert!(!row.source.is_empty(), "{}: where AWS says so", row.id);
    }
    assert!(ids.len() >= 150, "only {} rows", ids.len());
}

#[tokio::test]
async fn the_emulator_does_what_aws_documents() {
    let server = Emulator::start(Config::default()).await.unwrap();
    let failures = run(&server.endpoint()).await;
    println!(
        "{} of {} rows hold",
        table().count() - failures.len(),
        table().count()
    );
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn another_stand_in_deviates_exactly_as_listed() {
    let Ok(endpoint) = std::env::var("CONFORMANCE_ENDPOINT") else {
        println!("CONFORMANCE_ENDPOINT is not set: nothing to run");
        return;
    };
    let listed: BTreeMap<String, String> = match std::env::var("CONFORMANCE_DEVIATIONS") {
        Ok(path) => serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(),
        Err(_) => BTreeMap::new(),
    };
    let failures = run(&endpoint).await;
    let rows: BTreeSet<&str> = table().map(|row| row.id).collect();
    println!(
        "{} of {} rows hold at {endpoint}",
        rows.len() - failures.len(),
        rows.len()
    );

    let unlisted: BTreeMap<_, _> = failures
        .iter()
        .filter(|(id, _)| !listed.contains_key(**id))
        .collect();
    let outdated: Vec<_> = listed
        .keys()
        .filter(|id| !failures.contains_key(id.as_str()))
        .collect();
    assert!(
        unlisted.is_empty() && outdated.is_empty(),
        "rows that fail though not listed: {unlisted:#?}\n\
         listed, but they hold or are no rows: {outdated:#?}"
    );
}
