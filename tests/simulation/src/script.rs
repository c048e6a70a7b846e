//! What happens in a story, as a list: a seed enters, acts in order leave. Values only; no IO.

use std::time::Duration;

use fastrand::Rng;

use crate::asked::PARTITIONS;
use crate::link::{Mishap, Side};

/// Something that happens at a moment. A number where an object or a replica is meant counts around.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Somebody creates an object, or changes its spec where it is there.
    Apply {
        /// Which object.
        object: usize,
        /// The seed of its spec.
        spec: u64,
    },
    /// Somebody deletes an object.
    Delete {
        /// Which object.
        object: usize,
        /// Keeping what is in IAM.
        retain: bool,
    },
    /// Somebody asks for a pass by annotation.
    Ask(usize),
    /// Somebody pauses an object, or lets it go on.
    Pause(usize, bool),
    /// Somebody sets the mode to Observe, or back.
    Observe(usize, bool),
    /// Others do something in IAM to what an object has there.
    Deed {
        /// Whose.
        object: usize,
        /// The seed of what is done.
        deed: u64,
    },
    /// IAM behaves badly for a time.
    Iam(IamTrouble, Duration),
    /// The API server behaves badly for a time.
    Api(ApiTrouble, Duration),
    /// A process is killed, and the next one comes after a pause.
    Kill(usize, Duration),
    /// A process is asked to stop, and the next one comes after a pause.
    Stop(usize, Duration),
    /// A replica can't reach one side for a time.
    Cut(usize, Side, Duration),
    /// A replica reaches one side slowly, this long each way, for a time.
    Slow(usize, Side, Duration, Duration),
    /// After so many more calls of a replica, one goes wrong.
    Mishap(usize, usize, Mishap),
    /// A machine's time of day is set so many seconds off.
    Clock(usize, i64),
    /// Somebody backs up what the API server holds.
    BackUp,
    /// Somebody restores the API server from the last back-up.
    Restore,
}

/// How IAM behaves badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IamTrouble {
    /// Every call is throttled.
    Throttles,
    /// Two calls a second are allowed, and no more.
    Slow,
    /// Every call fails.
    Down,
    /// Reads are behind by so many seconds.
    ReadsLag(u8),
    /// Writes are behind by so many seconds.
    WritesLag(u8),
    /// A policy takes the right to write away.
    Denies,
}

/// How the API server behaves badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiTrouble {
    /// It can't be reached at all.
    Down,
    /// Every request gets 500.
    Fails,
    /// Every write gets 429.
    Throttles,
    /// Events of watches come late.
    WatchesLag,
    /// All watches end.
    WatchesEnd,
    /// Older versions are gone: everybody has to list again.
    Compacts,
}

/// A whole story.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The seed that everything else comes from.
    pub seed: u64,
    /// The partition of the account.
    pub partition: &'static str,
    /// How many replicas there are.
    pub replicas: usize,
    /// How many objects there are names for.
    pub objects: usize,
    /// What happens when.
    pub acts: Vec<(Duration, Act)>,
}

fn seconds(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from * 1000..=to * 1000))
}

impl Script {
    /// Random life: people, others in IAM, and faults.
    pub fn life(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let partition = if rng.u8(..4) > 0 {
            PARTITIONS[0]
        } else {
            PARTITIONS[rng.usize(..PARTITIONS.len())]
        };
        let replicas = if rng.u8(..4) > 0 { 1 } else { rng.usize(2..=3) };
        let objects = rng.usize(1..=4);
        let mut acts: Vec<(Duration, Act)> = (0..objects)
            .map(|object| {
                let spec = rng.u64(..);
                (seconds(&mut rng, 0, 60), Act::Apply { object, spec })
            })
            .collect();
        let length = seconds(&mut rng, 300, 2400);
        for _ in 0..rng.usize(3..=25) {
            let at =
                Duration::from_millis(rng.u64(..u64::try_from(length.as_millis()).unwrap_or(1)));
            acts.push((at, any(&mut rng)));
        }
        acts.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            partition,
            replicas,
            objects,
            acts,
        }
    }
}

impl Script {
    /// Two or three replicas, cut off, slow, stopped and killed, with clocks that are set, while there is
    /// something to write.
    pub fn leadership(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let objects = 2;
        let mut acts = vec![(
            Duration::ZERO,
            Act::Apply {
                object: 0,
                spec: rng.u64(..),
            },
        )];
        let length = rng.u64(120_000..600_000);
        for _ in 0..rng.usize(6..=24) {
            let at = Duration::from_millis(rng.u64(..length));
            let (replica, time) = (rng.usize(..3), seconds(&mut rng, 1, 60));
            let act = match rng.u8(..12) {
                0 | 1 => Act::Cut(replica, Side::Api, time),
                2 => Act::Cut(replica, side(&mut rng), time),
                3 => Act::Slow(replica, Side::Api, seconds(&mut rng, 0, 6), time),
                4 => Act::Slow(replica, Side::Iam, seconds(&mut rng, 0, 4), time),
                5 => Act::Kill(replica, seconds(&mut rng, 0, 20)),
                6 => Act::Stop(replica, seconds(&mut rng, 0, 20)),
                7 => Act::Clock(replica, rng.i64(-7200..=7200)),
                8 => Act::Api(ApiTrouble::Down, seconds(&mut rng, 1, 20)),
                9 => Act::Mishap(replica, rng.usize(..20), mishap(&mut rng)),
                10 => Act::Deed {
                    object: rng.usize(..objects),
                    deed: rng.u64(..),
                },
                _ => Act::Apply {
                    object: rng.usize(..objects),
                    spec: rng.u64(..),
                },
            };
            acts.push((at, act));
        }
        acts.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            partition: PARTITIONS[0],
            replicas: rng.usize(2..=3),
            objects,
            acts,
        }
    }

    /// A long life with many objects: now and then people, others, and outages.
    pub fn long(seed: u64, objects: usize, hours: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut acts: Vec<(Duration, Act)> = (0..objects)
            .map(|object| {
                let spec = rng.u64(..);
                (seconds(&mut rng, 0, 600), Act::Apply { object, spec })
            })
            .collect();
        for hour in 1..hours {
            let begins = Duration::from_secs(hour * 3600);
            if hour % 8 == 0 {
                acts.push((begins + seconds(&mut rng, 0, 2400), Act::BackUp));
                let later = begins + Duration::from_hours(2);
                acts.push((later + seconds(&mut rng, 0, 2400), Act::Restore));
            }
            // Every other hour is quiet.
            for _ in 0..if hour % 2 == 0 { rng.usize(1..=8) } else { 0 } {
                let at = begins + seconds(&mut rng, 0, 2400);
                let object = rng.usize(..objects);
                let act = match rng.u8(..12) {
                    0..=2 => Act::Apply {
                        object,
                        spec: rng.u64(..),
                    },
                    3 => Act::Delete {
                        object,
                        retain: false,
                    },
                    4..=6 => Act::Deed {
                        object,
                        deed: rng.u64(..),
                    },
                    7 => Act::Iam(iam_trouble(&mut rng), seconds(&mut rng, 60, 1200)),
                    8 => Act::Api(api_trouble(&mut rng), seconds(&mut rng, 60, 600)),
                    9 => Act::Kill(0, seconds(&mut rng, 0, 30)),
                    10 => Act::Stop(0, seconds(&mut rng, 0, 30)),
                    _ => Act::Slow(
                        0,
                        side(&mut rng),
                        seconds(&mut rng, 0, 3),
                        seconds(&mut rng, 60, 600),
                    ),
                };
                acts.push((at, act));
            }
        }
        acts.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            partition: PARTITIONS[0],
            replicas: 1,
            objects,
            acts,
        }
    }
}

/// Anything that may happen.
fn any(rng: &mut Rng) -> Act {
    let object = rng.usize(..4);
    let time = seconds(rng, 1, 240);
    match rng.u8(..24) {
        0..=3 => Act::Apply {
            object,
            spec: rng.u64(..),
        },
        4 | 5 => Act::Delete {
            object,
            retain: rng.u8(..4) == 0,
        },
        6 => Act::Ask(object),
        7 => Act::Pause(object, rng.bool()),
        8 => Act::Observe(object, rng.u8(..3) == 0),
        9..=13 => Act::Deed {
            object,
            deed: rng.u64(..),
        },
        14..=16 => Act::Iam(iam_trouble(rng), time),
        17 | 18 => Act::Api(api_trouble(rng), time),
        19 => Act::Kill(object, seconds(rng, 0, 30)),
        20 => Act::Stop(object, seconds(rng, 0, 30)),
        21 => Act::Cut(object, side(rng), time),
        22 => Act::Slow(object, side(rng), seconds(rng, 0, 4), time),
        _ => Act::Mishap(object, rng.usize(..40), mishap(rng)),
    }
}

fn side(rng: &mut Rng) -> Side {
    if rng.bool() { Side::Iam } else { Side::Api }
}

fn mishap(rng: &mut Rng) -> Mishap {
    Mishap::ALL[rng.usize(..Mishap::ALL.len())]
}

fn iam_trouble(rng: &mut Rng) -> IamTrouble {
    match rng.u8(..6) {
        0 => IamTrouble::Throttles,
        1 => IamTrouble::Slow,
        2 => IamTrouble::Down,
        3 => IamTrouble::ReadsLag(rng.u8(1..=20)),
        4 => IamTrouble::WritesLag(rng.u8(1..=10)),
        _ => IamTrouble::Denies,
    }
}

fn api_trouble(rng: &mut Rng) -> ApiTrouble {
    match rng.u8(..6) {
        0 => ApiTrouble::Down,
        1 => ApiTrouble::Fails,
        2 => ApiTrouble::Throttles,
        3 => ApiTrouble::WatchesLag,
        4 => ApiTrouble::WatchesEnd,
        _ => ApiTrouble::Compacts,
    }
}
