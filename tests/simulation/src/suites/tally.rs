//! Many stories side by side: a list of cases and how one is played enter, what came of all leaves. No IO but
//! threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::story::Told;

/// A case in which a rule was broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which case, and how to play it again.
    pub case: String,
    /// The rules that were broken.
    pub broken: Vec<String>,
}

/// What came of a suite.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many cases there were.
    pub cases: usize,
    /// The virtual time of all.
    pub lasted: Duration,
    /// The calls to IAM of all.
    pub calls: u64,
    /// The real time, on all threads.
    pub took: Duration,
    /// What went wrong, in the order of the cases.
    pub failures: Vec<Failure>,
}

/// Plays each case, on as many threads as there are cores.
pub fn each<C: Sync>(
    cases: &[C],
    name: impl Fn(&C) -> String + Sync,
    play: impl Fn(&C) -> Told + Sync,
) -> Tally {
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let told: Mutex<Vec<(usize, Told)>> = Mutex::new(Vec::with_capacity(cases.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(place) else {
                        return;
                    };
                    let played = play(case);
                    told.lock().unwrap().push((place, played));
                }
            });
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort_by_key(|(place, _)| *place);
    let mut tally = Tally {
        cases: told.len(),
        took: begun.elapsed(),
        ..Tally::default()
    };
    for (place, told) in told {
        tally.lasted += told.lasted;
        tally.calls += told.calls;
        if !told.broken.is_empty() {
            tally.failures.push(Failure {
                case: name(&cases[place]),
                broken: told.broken,
            });
        }
    }
    tally
}
