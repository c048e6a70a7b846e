//! The suites: each plays many stories and counts what is wrong. A size enters, a tally leaves. No IO but
//! threads.

mod crash;
mod life;
mod long;
mod specs;
mod states;
mod tally;

use std::time::Duration;

pub use self::life::shortest;
pub use self::long::in_sync;
pub use self::specs::story as specs_story;
pub use self::states::one as state;
use self::tally::each;
pub use self::tally::{Failure, Tally};
use crate::script::Script;
use crate::story::play;

/// How many stories are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Enough to see whether a fault in the program is caught at all.
    Quick,
    /// What every test of a change plays.
    Test,
    /// As many as a night allows.
    Long,
}

/// A kind of stories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Every crash point.
    Crash,
    /// Whatever IAM is found in.
    States,
    /// Mutated specs.
    Specs,
    /// Random life.
    Life,
    /// A long life.
    Long,
    /// Who leads.
    Leadership,
    /// The same story twice.
    Twice,
}

impl Suite {
    /// All of them, the dearest last.
    pub const ALL: [Self; 7] = [
        Self::Twice,
        Self::Life,
        Self::Leadership,
        Self::Specs,
        Self::Long,
        Self::States,
        Self::Crash,
    ];

    /// What it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash-points",
            Self::States => "live-states",
            Self::Specs => "mutated-specs",
            Self::Life => "random-life",
            Self::Long => "long-life",
            Self::Leadership => "leadership",
            Self::Twice => "same-story-twice",
        }
    }

    /// What is played, for people.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Crash => {
                "each call to IAM and each write to the API server of each operation fails in each of five ways; IAM is late"
            }
            Self::States => {
                "IAM is found in a state: which objects are there, whose, with which content, in which mode"
            }
            Self::Specs => {
                "specs made of the CRD's schema and spoilt, with hostile values in every string, 60 a story"
            }
            Self::Life => "people, others in IAM and faults at random, one to three replicas",
            Self::Long => "many objects for a day or a week, with outages and edits",
            Self::Leadership => {
                "two or three replicas, cut off, slow, stopped and killed, with clocks that are set"
            }
            Self::Twice => "the same seed gives the same story, byte for byte",
        }
    }

    /// Plays it. The first seed of those that take one is `first`.
    pub fn run(self, size: Size, first: u64) -> Tally {
        let seeds = |quick, test, long| {
            let stories = match size {
                Size::Quick => quick,
                Size::Test => test,
                Size::Long => long,
            };
            first..first + stories
        };
        match self {
            Self::Crash => crash::run(match size {
                Size::Quick => 10,
                Size::Test | Size::Long => 1,
            }),
            Self::States => states::run(match size {
                Size::Quick => 10,
                Size::Test | Size::Long => 1,
            }),
            Self::Specs => specs::run(
                first,
                match size {
                    Size::Quick => 300,
                    Size::Test => 1_000,
                    Size::Long => 10_000,
                },
            ),
            Self::Life => life::life(seeds(60, 300, 10_000)),
            Self::Leadership => life::leadership(seeds(60, 300, 2_000)),
            Self::Long => match size {
                Size::Quick => long::run(&[first], 6, 8),
                Size::Test => long::run(&[first], 50, 24),
                Size::Long => long::run(&[first], 100, 168),
            },
            Self::Twice => twice(&seeds(2, 20, 200).collect::<Vec<_>>()),
        }
    }
}

/// Plays each seed two times, and compares all that was told.
fn twice(seeds: &[u64]) -> Tally {
    each(
        seeds,
        |seed| format!("seed {seed}"),
        |seed| {
            let script = Script::life(*seed);
            let (mut once, again) = (play(&script, true), play(&script, true));
            let lines = once.lines.iter().zip(&again.lines);
            if let Some((one, other)) = lines.clone().find(|(one, other)| one != other) {
                once.broken
                    .push(format!("one story says {one:?}, the other {other:?}"));
            } else if once.lines.len() != again.lines.len() {
                once.broken
                    .push("one story is longer than the other".to_owned());
            }
            once.lasted += again.lasted;
            once.calls += again.calls;
            once
        },
    )
}

/// Virtual hours that a minute of real time plays.
pub fn hours_a_minute(tally: &Tally) -> f64 {
    let hours = tally.lasted.as_secs_f64() / 3600.0;
    hours / (tally.took.max(Duration::from_millis(1)).as_secs_f64() / 60.0)
}
