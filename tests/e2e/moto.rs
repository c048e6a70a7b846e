//! The second opinion: an object's life on the real control plane, with moto for IAM, which is not
//! ours. `tests/moto/run.sh` starts moto and says where it is in `SMR_MOTO_ENDPOINT`.
//!
//! `tests/moto/scenarios.yaml` lists the scenes that can't be played on moto, and why: one that
//! can though listed fails the test as much as one that can't though not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use crate::support::iam::StandIn;
use crate::support::{Start, World, modes, scenarios};
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};

/// A moto server.
struct Moto {
    endpoint: String,
    /// Rows of the table of drift that it refuses.
    refused: BTreeSet<String>,
}

impl StandIn for Moto {
    fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    fn plays(&self, row: &str) -> bool {
        !self.refused.contains(row)
    }
}

type Scene = fn(World<Moto>) -> LocalBoxFuture<'static, ()>;

/// Scenes by their names.
macro_rules! scenes {
    ($($room:ident: $($name:ident),*;)*) => {
        [$($((stringify!($name), |world| Box::pin(async move { _ = $room::$name(&world).await; }))),*),*]
    };
}

const SCENES: [(&str, Scene); 15] = scenes![
    scenarios: creation, every_field_that_can_change, the_policy_type_changes_both_ways,
        deletion_leaves_nothing, retain_leaves_everything, foreign_objects_stay,
        a_foreign_role_in_another_case_stays, what_others_use_blocks_deletion;
    modes: every_drift, what_means_the_same, observe_tells_and_writes_nothing,
        a_pause_holds_everything, unlisted_policies_are_told_or_removed,
        additional_policies_come_and_go, hybrid_regions_narrow_the_trust;
];

/// Begins the list's entries that are rows of the table of drift, and not scenes.
const ROW: &str = "drift, ";

/// As many worlds at a time: each runs a controller of its own.
const AT_A_TIME: usize = 3;

/// Plays a scene in a world of its own; whether it went as it should.
async fn play(moto: Moto, name: &'static str, scene: Scene) -> (&'static str, bool) {
    let world = format!("moto-{}", name.replace('_', "-"));
    let playing = async {
        let mut world = World::with(&world, moto).await;
        world.run(&Start::for_a_table());
        scene(world).await;
    };
    // A scene that panics leaves nothing that another one uses.
    let begun = Instant::now();
    let well = AssertUnwindSafe(playing).catch_unwind().await.is_ok();
    let outcome = if well { "was played" } else { "failed" };
    println!("{name} {outcome} in {:.1?}", begun.elapsed());
    (name, well)
}

#[tokio::test]
#[ignore = "needs moto: 'make moto' runs it"]
async fn life_on_moto_goes_as_on_the_emulator_but_as_listed() {
    let endpoint = std::env::var("SMR_MOTO_ENDPOINT").expect("SMR_MOTO_ENDPOINT is not set");
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moto/scenarios.yaml");
    let listed: BTreeMap<String, String> =
        serde_saphyr::from_str(&std::fs::read_to_string(list).unwrap()).unwrap();
    let (rows, listed): (BTreeSet<&str>, BTreeSet<&str>) =
        (listed.keys().map(String::as_str)).partition(|name| name.starts_with(ROW));
    let moto = || Moto {
        endpoint: endpoint.clone(),
        refused: rows.iter().map(|row| row[ROW.len()..].to_owned()).collect(),
    };
    let outcomes: Vec<_> = futures::stream::iter(SCENES)
        .map(|(name, scene)| play(moto(), name, scene))
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    let failed: BTreeSet<&str> = outcomes
        .iter()
        .filter(|(_, well)| !well)
        .map(|(name, _)| *name)
        .collect();
    println!(
        "{} of {} scenes can be played on moto",
        outcomes.len() - failed.len(),
        outcomes.len()
    );
    assert_eq!(
        failed, listed,
        "failed scenes (left) are not those that {list} lists (right)"
    );
}
