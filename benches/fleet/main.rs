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

use report::{Figure, Point};

/// The rows by name, in the order in which they run.
const ROWS: [&str; 8] = [
    "emulator",
    "first",
    "hundred",
    "fleets",
    "drift",
    "repairs",
    "thousand",
    "throttled",
];

#[tokio::main]
async fn main() {
    // Cargo passes `--bench`; what is no flag names a row.
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    if let Some(unknown) = asked.iter().find(|row| !ROWS.contains(&row.as_str())) {
        eprintln!(
            "there is no row '{unknown}': the rows are {}",
            ROWS.join(", ")
        );
        std::process::exit(64);
    }
    let (mut figures, mut points) = (Vec::new(), Vec::new());
    for row in ROWS {
        if asked.is_empty() || asked.iter().any(|a| a == row) {
            eprintln!("{row}");
            let measured = measure(row, &mut points).await;
            for figure in &measured {
                eprintln!("  {figure}");
            }
            figures.extend(measured);
        }
    }
    let table = report::table(&figures);
    // A closed pipe is nobody who wants to read it.
    let _ = writeln!(std::io::stdout(), "{}\n\n{table}", report::head());
    if asked.is_empty() {
        report::write(&table, &points);
    }
    if figures.iter().any(|figure| figure.holds == Some(false)) {
        std::process::exit(1);
    }
}

async fn measure(row: &str, points: &mut Vec<Point>) -> Vec<Figure> {
    match row {
        "emulator" => rows::emulator::ceiling().await,
        "first" => rows::creation::first().await,
        "hundred" => rows::creation::hundred().await,
        "fleets" => rows::resync::fleets(points).await,
        "drift" => rows::reaction::drift().await,
        "repairs" => rows::reaction::edit_in_repairs().await,
        "thousand" => rows::creation::thousand().await,
        "throttled" => rows::creation::throttled().await,
        _ => Vec::new(),
    }
}
