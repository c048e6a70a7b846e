//! Creation: what a first one costs, how fast many become Ready, and what an account that throttles
//! makes of it.

use std::time::{Duration, Instant};

use iam_emulator::Rate;

use super::{at_most, told};
use crate::fleet::{Fleet, Seen};
use crate::report::Figures;
use crate::support::sweeps::round_trips;

/// IAM calls that create one object: two in the first round trip, three in the second.
const CALLS_EACH: usize = 5;

/// One object in an empty account.
pub async fn first(figures: &mut Figures) {
    let mut fleet = Fleet::new("first").await;
    fleet.world.iam.set_latency(Duration::from_millis(50));
    fleet.run(&[]);
    fleet.create(0..1).await;
    fleet.ready(1).await;
    let mut calls = fleet.calls_since(0);
    calls.retain(|call| call.service == "iam" && call.write);
    let reads = fleet.calls_since(0).len() - calls.len();
    let trips = round_trips(&calls);
    figures.extend([
        at_most(
            "IAM calls for a first creation",
            CALLS_EACH,
            "",
            calls.len(),
            format!("{reads} other: who we are"),
        ),
        at_most("sequential round trips of that creation", 2, "", trips, ""),
    ]);
}

/// Many at once, where only latency counts.
pub async fn hundred(figures: &mut Figures) {
    let mut fleet = Fleet::new("hundred").await;
    fleet.world.iam.set_latency(Duration::from_millis(50));
    fleet.run(&["--iam-requests-per-second=500"]);
    let took = timed(&mut fleet, 100).await;
    figures.push(at_most(
        "100 new objects at 50 ms a call, 500 requests/s: until all are Ready",
        5.0,
        " s",
        took.as_secs_f64(),
        "ACK: 141 s",
    ));
}

/// A thousand under a budget.
pub async fn thousand(figures: &mut Figures) {
    let mut fleet = Fleet::new("thousand").await;
    fleet.run(&["--iam-requests-per-second=50"]);
    let took = timed(&mut fleet, 1000).await;
    let calls = Seen::of(&fleet.calls_since(0));
    let ideal = (1000 * CALLS_EACH) as f64 / 50.0;
    figures.push(at_most(
        "1,000 new objects under 50 requests/s",
        1.1 * ideal,
        " s",
        took.as_secs_f64(),
        format!("{} calls", calls.total()),
    ));
}

/// The same where the account gives a fifth of what we are told.
pub async fn throttled(figures: &mut Figures) {
    let mut fleet = Fleet::new("throttled").await;
    let rate = Rate {
        per_second: 10.0,
        burst: 20,
    };
    fleet.world.iam.set_rate(Some(rate));
    fleet.run(&["--iam-requests-per-second=50"]);
    let took = timed(&mut fleet, 1000).await;
    let calls = fleet.calls_since(0);
    let throttled = calls
        .iter()
        .filter(|call| call.outcome == "Throttling")
        .count();
    let ideal = (1000 * CALLS_EACH) as f64 / rate.per_second;
    let part = 100.0 * throttled as f64 / calls.len() as f64;
    figures.extend([
        at_most(
            "1,000 new objects on an account that throttles at 10/s while we are told 50/s",
            1.3 * ideal,
            " s",
            took.as_secs_f64(),
            format!("{} calls", calls.len()),
        ),
        at_most("throttled answers among these calls", 5.0, " %", part, ""),
        told("what 10 calls/s allow at best", format!("{ideal:.0} s")),
    ]);
}

/// Creates objects while the controller runs; from the first until the last is Ready.
async fn timed(fleet: &mut Fleet, count: usize) -> Duration {
    let begun = Instant::now();
    fleet.create(0..count).await;
    fleet.ready(count).await;
    begun.elapsed()
}
