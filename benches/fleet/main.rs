//! Measures the controller on the real control plane and the IAM emulator: names of rows in (none:
//! all), a table on standard output and, where all rows ran, docs/benchmarks.md and its plot out.
//! Does IO.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A bench ends there.
#![allow(missing_docs)]
#![allow(clippy::cast_precision_loss)] // Figures have three digits.

mod fleet;
mod plot;
mod process;
mod report;
mod rows;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::io::Write as _;

use futures::future::join_all;
use report::{Figures, Point};

/// Rows that run alone, one after the other: they tell of CPU time, memory or latency.
const ALONE: [&str; 7] = [
    "emulator",
    "first",
    "hundred",
    "idle",
    "fleet-100",
    "fleet-1000",
    "fleet-5000",
];
/// Rows that wait for a budget most of the time: they run side by side.
const PACED: [&str; 4] = ["drift", "repairs", "thousand", "throttled"];

#[tokio::main]
async fn main() {
    // Cargo passes `--bench`; what is no flag names a row.
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let rows = || ALONE.into_iter().chain(PACED);
    if let Some(unknown) = asked.iter().find(|row| rows().all(|known| known != *row)) {
        let known: Vec<&str> = rows().collect();
        eprintln!(
            "there is no row '{unknown}': the rows are {}",
            known.join(", ")
        );
        std::process::exit(64);
    }
    let is_asked = |row: &&str| asked.is_empty() || asked.iter().any(|a| a == row);
    let (mut figures, mut points) = (Figures::default(), Vec::new());
    for row in ALONE.into_iter().filter(is_asked) {
        eprintln!("{row}");
        measure(row, &mut figures, &mut points).await;
    }
    eprintln!("{}", PACED.join(", "));
    let paced = PACED.into_iter().filter(is_asked).map(async |row| {
        let mut figures = Figures::default();
        measure(row, &mut figures, &mut Vec::new()).await;
        figures
    });
    for more in join_all(paced).await {
        figures.append(more);
    }
    if points.len() > 1 {
        rows::resync::per_object(&mut figures, &points);
    }
    let table = figures.table();
    // A closed pipe is nobody who wants to read it.
    let _ = writeln!(std::io::stdout(), "{}\n\n{table}", report::head());
    if asked.is_empty() {
        report::write(&table, &points);
    }
    if !figures.hold() {
        std::process::exit(1);
    }
}

async fn measure(row: &str, figures: &mut Figures, points: &mut Vec<Point>) {
    match row {
        "emulator" => rows::emulator::ceiling(figures).await,
        "first" => rows::creation::first(figures).await,
        "hundred" => rows::creation::hundred(figures).await,
        "idle" => rows::resync::idle(figures).await,
        "fleet-100" => rows::resync::fleet(100, figures, points).await,
        "fleet-1000" => rows::resync::fleet(1000, figures, points).await,
        "fleet-5000" => rows::resync::fleet(5000, figures, points).await,
        "drift" => rows::reaction::drift(figures).await,
        "repairs" => rows::reaction::edit_in_repairs(figures).await,
        "thousand" => rows::creation::thousand(figures).await,
        "throttled" => rows::creation::throttled(figures).await,
        _ => {}
    }
}
