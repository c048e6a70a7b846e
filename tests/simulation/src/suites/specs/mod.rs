//! Specs made of the CRD's own schema, then spoilt, with hostile texts in every field: seeds enter, a tally leaves.
//! No IO but threads.
//!
//! Each is refused by the API server with the field's name, or comes to rest: Ready with IAM as it asks, or Stalled
//! with a reason and nothing granted for it. No policy is ever wider than what spec names.

mod documents;
mod mutation;
mod panics;
mod shape;
mod tale;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Mutex;

use self::shape::Shape;
use super::{Failure, Tally, each};
use crate::story::{Told, alone};

/// How many objects one story has.
const OBJECTS: usize = 20;
/// How many specs each object is given, one after the other.
const ROUNDS: usize = 3;
/// Of at least so many specs the shares are judged.
const MANY: usize = 300;
/// What has to come of at least so many specs in a thousand: a suite that asks for nothing finds nothing.
const SHARES: [(&str, usize); 4] = [
    ("refused", 250),
    ("Ready", 200),
    ("InvalidSpec", 20),
    ("NotOwned", 5),
];

/// What came of all specs: how many of each kind.
type Counts = BTreeMap<String, usize>;

/// Plays at least so many specs, in stories of these seeds.
pub fn run(first: u64, specs: usize) -> Tally {
    panics::heed();
    let stories = specs.div_ceil(OBJECTS * ROUNDS);
    let seeds: Vec<u64> = (first..).take(stories).collect();
    let shape = Shape::of_the_crd();
    let all = Mutex::new(Counts::new());
    let mut tally = each(
        &seeds,
        |seed| format!("specs of seed {seed}"),
        |seed| {
            let (told, counts) = one(*seed, &shape, false);
            let mut all = all.lock().unwrap();
            for (kind, count) in counts {
                *all.entry(kind).or_default() += count;
            }
            told
        },
    );
    let counts = all.into_inner().unwrap();
    tally.failures.extend(too_few(&counts));
    tally
}

/// The story of one seed, with its lines.
pub fn story(seed: u64) -> Told {
    panics::heed();
    one(seed, &Shape::of_the_crd(), true).0
}

fn one(seed: u64, shape: &Shape, keeps: bool) -> (Told, Counts) {
    let shape = shape.clone();
    let played = alone(seed, move || async move {
        tale::tell(seed, &shape, keeps).await
    });
    let (mut told, counts) = played.unwrap_or_else(|why| (Told::of(Err(why)), Counts::new()));
    told.broken.extend(panics::of_story(seed));
    (told, counts)
}

/// Kinds that came too seldom.
fn too_few(counts: &Counts) -> Option<Failure> {
    let all: usize = counts.values().sum();
    let count = |kind: &str| counts.get(kind).copied().unwrap_or_default();
    let few: Vec<String> = (SHARES.iter())
        .filter(|(kind, least)| all >= MANY && count(kind) * 1000 < least * all)
        .map(|(kind, least)| {
            format!(
                "{} of {all} are {kind}; at least {least} in 1000 have to be",
                count(kind)
            )
        })
        .collect();
    (!few.is_empty()).then(|| Failure {
        case: "the specs of all seeds".to_owned(),
        broken: few,
    })
}
