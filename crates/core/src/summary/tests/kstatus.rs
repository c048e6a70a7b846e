//! What kstatus (Argo CD, Flux, `kubectl wait` by its rules) makes of the summary, after any
//! sequence of outcomes. Its rules are written here as its own code has them.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// kstatus' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kstatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

/// sigs.k8s.io/cli-utils, pkg/kstatus/status: the generic properties, then `Ready`.
fn kstatus(status: &SessionManagerRoleStatus, generation: i64, deleting: bool) -> Kstatus {
    if deleting {
        return Kstatus::Terminating;
    }
    if status.observed_generation != generation {
        return Kstatus::InProgress;
    }
    for condition in status.conditions.iter().filter(|c| c.status == "True") {
        match condition.type_.as_str() {
            "Reconciling" => return Kstatus::InProgress,
            "Stalled" => return Kstatus::Failed,
            _ => {}
        }
    }
    match status.conditions.iter().find(|c| c.type_ == "Ready") {
        Some(ready) if ready.status != "True" => Kstatus::InProgress,
        Some(_) | None => Kstatus::Current,
    }
}

/// Design, section 3, by the reason of `Ready`.
fn expected(reason: &str) -> Kstatus {
    match reason {
        "Converged" => Kstatus::Current,
        "Creating" | "Updating" | "Repairing" | "Deleting" | "Throttled" | "AwsUnavailable" => {
            Kstatus::InProgress
        }
        _ => Kstatus::Failed,
    }
}

/// The status after the outcome of that number (of all, by turns).
fn after_outcome(
    world: &World,
    number: usize,
    before: &SessionManagerRoleStatus,
    generation: i64,
) -> SessionManagerRoleStatus {
    let mut count = 0;
    every_outcome(world, |_, _, _| count += 1);
    let (mut at, mut found) = (0, None);
    every_outcome(world, |_, _, outcome| {
        if at == number % count {
            found = Some(summary(Some(before), generation, 10, outcome).status);
        }
        at += 1;
    });
    found.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(20_261_125),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn kstatus_agrees_after_any_outcomes(
        steps in prop::collection::vec((any::<usize>(), any::<bool>(), any::<bool>()), 1..6)
    ) {
        let world = World::new("{}");
        let mut generation = 1;
        // What the API server puts there: the CRD's default.
        let mut status = SessionManagerRoleStatus { observed_generation: -1, ..Default::default() };
        prop_assert_eq!(kstatus(&status, generation, false), Kstatus::InProgress);
        for (number, edited, paused) in steps {
            let seen = kstatus(&status, generation, false);
            if edited {
                generation += 1;
                prop_assert_eq!(kstatus(&status, generation, false), Kstatus::InProgress);
            }
            if paused {
                // A pause changes nothing of it, and a change that waits behind it stays in progress.
                status = summary(Some(&status), generation, 10, &PAUSED).status;
                let expected = if edited { Kstatus::InProgress } else { seen };
                prop_assert_eq!(kstatus(&status, generation, false), expected);
            }
            let next = after_outcome(&world, number, &status, generation);
            // The outcome's reason, or where work begins again, what held it up.
            let ready = next.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
            prop_assert_eq!(kstatus(&next, generation, false), expected(&ready.reason), "{:?}", next);
            prop_assert_eq!(kstatus(&next, generation, true), Kstatus::Terminating);
            status = next;
        }
    }
}
