//! From whatever someone else did in IAM to what spec says, in at most two passes and then
//! without a write: the program's real edge with the real SDK on the emulator, in process. What
//! comes out is read from the emulator's store and held against spec by this test's own reading
//! of it, not by the controller's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use simulation::asked::{Asked, specs};
use simulation::deeds::{Deed, deeds};
use simulation::oracle::wanted;
use world::World;

/// Fixed seeds, so that what passes here passes everywhere; one for each thread of the test.
const SEEDS: [u64; 2] = [20_261_128, 20_261_129];
/// Combinations in all.
const CASES: u32 = 1000;

#[test]
fn a_thousand_combinations_of_what_others_do_converge_in_two_passes() {
    let share = CASES / u32::try_from(SEEDS.len()).unwrap();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let threads = SEEDS.map(|seed| scope.spawn(move || combinations(seed, share)));
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mut all = Tally::default();
    for tally in tallies {
        all.cases += tally.cases;
        all.without_drift += tally.without_drift;
        for (deed, taken) in tally.taken {
            *all.taken.entry(deed).or_default() += taken;
        }
    }
    // The test itself: that all of it was done, and most of it was seen.
    assert_eq!(all.cases, CASES);
    for deed in Deed::NAMES {
        let taken = all.taken.get(deed).copied().unwrap_or_default();
        assert!(taken >= 20, "{deed} was done {taken} times only");
    }
    assert!(all.without_drift < CASES / 5, "{}", all.without_drift);
}

/// What the cases were.
#[derive(Default)]
struct Tally {
    cases: u32,
    /// Cases in which nothing had to be put right.
    without_drift: u32,
    /// How often each kind of deed was done and taken by IAM.
    taken: BTreeMap<&'static str, u32>,
}

fn combinations(seed: u64, cases: u32) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let tally = std::cell::RefCell::new(Tally::default());
    let any = (specs(), prop::collection::vec(deeds(), 1..=6));
    let outcome = runner.run(&any, |(spec, deeds)| {
        let found = runtime.block_on(one(&spec, &deeds))?;
        let mut tally = tally.borrow_mut();
        tally.cases += 1;
        tally.without_drift += u32::from(!found.drifted);
        for deed in found.taken {
            *tally.taken.entry(deed).or_default() += 1;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    tally.into_inner()
}

struct Found {
    drifted: bool,
    taken: Vec<&'static str>,
}

async fn one(spec: &Asked, deeds: &[Deed]) -> Result<Found, TestCaseError> {
    let mut world = World::new(spec).await;
    let recorded = world.create().await;
    let mut taken = Vec::new();
    for deed in deeds {
        if deed.is_done(world.target()).await {
            taken.push(deed.name());
        }
    }
    let before = world.emulator.snapshot();
    let first = world.pass(&recorded).await;
    world.pass(&recorded).await;
    // The third has nothing to say and nothing to do.
    let done = world.writes();
    let left = world.pass(&recorded).await;
    prop_assert_eq!(world.writes(), done);
    prop_assert!(
        left.plan.is_empty() && left.drift.is_empty() && left.wait.is_none(),
        "left after two passes: {:?}\nthe first: {:?}",
        left,
        first
    );
    let (wanted, found) = (wanted::wanted(spec, &before), world.emulator.snapshot());
    prop_assert_eq!(wanted::read(spec, &found), Some(wanted));
    Ok(Found {
        drifted: !first.drift.is_empty(),
        taken,
    })
}
