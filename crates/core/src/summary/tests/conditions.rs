//! Conditions, for every outcome.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::*;

fn condition<'a>(status: &'a SessionManagerRoleStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.type_ == type_)
}

/// Design, section 3: reasons that may stand beside `Reconciling` and `Stalled`.
pub(super) const RECONCILING_REASONS: [&str; 6] = [
    "Creating",
    "Updating",
    "Repairing",
    "Deleting",
    "Throttled",
    "AwsUnavailable",
];
pub(super) const STALLED_REASONS: [&str; 10] = [
    "InvalidSpec",
    "NotOwned",
    "Replaced",
    "WrongAccount",
    "Drifted",
    "AccessDenied",
    "CredentialsUnavailable",
    "QuotaExceeded",
    "PolicyTooLarge",
    "DeletionBlocked",
];

#[test]
fn ready_false_always_says_whether_someone_has_to_act() {
    let world = World::new("{}");
    let mut seen = std::collections::BTreeSet::new();
    for before in [None, Some(world.ready())] {
        every_outcome(&world, |name, reason, outcome| {
            let found = summary(before.as_ref(), 7, 10, outcome).status;
            let ready = condition(&found, READY).unwrap();
            assert_eq!(ready.reason, reason, "{name}");
            let (reconciling, stalled) =
                (condition(&found, RECONCILING), condition(&found, STALLED));
            match ready.status.as_str() {
                "True" => {
                    assert_eq!(reason, "Converged", "{name}");
                    assert_eq!((reconciling, stalled), (None, None), "{name}");
                }
                "False" => {
                    let (beside, allowed) = match (reconciling, stalled) {
                        (Some(one), None) => (one, &RECONCILING_REASONS[..]),
                        (None, Some(one)) => (one, &STALLED_REASONS[..]),
                        both => panic!("{name}: {both:?}"),
                    };
                    assert!(allowed.contains(&reason), "{name}: {reason}");
                    assert_eq!(beside.status, "True");
                    assert_eq!(
                        (&beside.reason, &beside.message),
                        (&ready.reason, &ready.message)
                    );
                }
                other => panic!("{name}: {other}"),
            }
            assert_eq!(found.observed_generation, 7, "{name}");
            for c in &found.conditions {
                assert!(!c.message.is_empty(), "{name}: {c:?}");
                assert!(c.message.len() <= 1024, "{name}: {c:?}");
                if c.type_ != "UnlistedAccess" {
                    assert_eq!(c.observed_generation, Some(7), "{name}: {c:?}");
                }
            }
            seen.insert(reason.to_owned());
        });
    }
    // Every reason of the design comes up.
    for reason in RECONCILING_REASONS.iter().chain(&STALLED_REASONS) {
        assert!(seen.contains(*reason), "{reason}");
    }
}

/// No status write where nothing happened: whatever the outcome, told again it changes nothing,
/// not even a time.
#[test]
fn the_same_again_changes_nothing() {
    let world = World::new("{}");
    for before in [None, Some(world.ready())] {
        every_outcome(&world, |name, _, outcome| {
            let once = summary(before.as_ref(), 7, 10, outcome).status;
            let again = summary(Some(&once), 7, 500, outcome);
            assert_eq!(again.status, once, "{name}");
            if !matches!(outcome, Outcome::Converged { done: Some(_), .. }) {
                assert_eq!(again.events, [], "{name}");
            }
        });
    }
    let once = summary(None, 7, 10, &PAUSED).status;
    assert_eq!(summary(Some(&once), 7, 500, &PAUSED).status, once);
}

#[test]
fn a_transition_time_changes_with_the_status_only() {
    let world = World::new("{}");
    let time = |status: &SessionManagerRoleStatus| {
        condition(status, READY)
            .unwrap()
            .last_transition_time
            .0
            .as_second()
    };
    let ready = world.ready();
    assert_eq!(time(&ready), 0);
    let denied = failure(FailureClass::AccessDenied);
    let failed = Outcome::Failed {
        facts: None,
        activity: Activity::Updating,
        failure: &denied,
        decision: final_decision(denied.class),
    };
    let stalled = summary(Some(&ready), 1, 10, &failed).status;
    assert_eq!(time(&stalled), 10);
    // Another reason, but still False.
    let throttled = failure(FailureClass::Throttled);
    let failed = Outcome::Failed {
        facts: None,
        activity: Activity::Updating,
        failure: &throttled,
        decision: final_decision(throttled.class),
    };
    let reconciling = summary(Some(&stalled), 1, 20, &failed).status;
    assert_eq!(time(&reconciling), 10);
    assert_eq!(
        time(&summary(Some(&reconciling), 1, 30, &world.converged()).status),
        30
    );
    // The API server keeps whole seconds: fractions would come back as a difference.
    let object = Object {
        generation: 1,
        status: None,
        reconcile_request: None,
    };
    let half = Timestamp::from_millisecond(1_500).unwrap();
    let status = summarize(object, half, &world.converged()).status;
    assert_eq!(
        condition(&status, READY).unwrap().last_transition_time.0,
        at(1)
    );
}

#[test]
fn a_pause_tells_itself_and_nothing_else() {
    let world = World::new("{}");
    let ready = world.ready();
    let object = Object {
        generation: 2,
        status: Some(&ready),
        reconcile_request: Some("now"),
    };
    let Summary { mut status, events } = summarize(object, at(10), &PAUSED);
    assert_eq!(events, []);
    let paused = condition(&status, "Paused").unwrap().clone();
    assert_eq!(
        (paused.status.as_str(), paused.reason.as_str()),
        ("True", "Paused")
    );
    status.conditions.retain(|c| c.type_ != "Paused");
    // The generation stays unobserved and the request unanswered: kstatus sees InProgress.
    assert_eq!(status, ready);
    // A first status too: the API server's default must not become "generation 0 observed".
    let first = summary(None, 1, 10, &PAUSED).status;
    assert_eq!(first.observed_generation, -1);
    // The deletion that waits for its end is named, and why an unselected object is left alone.
    let message = |by, is_deleting| {
        let status = summary(Some(&ready), 1, 10, &Outcome::Paused { by, is_deleting }).status;
        condition(&status, "Paused").unwrap().message.clone()
    };
    assert!(message(PausedBy::Annotation, true).starts_with("the deletion of this object waits"));
    let unselected = message(PausedBy::Selector("team=a"), false);
    assert!(
        unselected.contains("do not match the controller's --selector team=a"),
        "{unselected}"
    );
    let unselected = message(PausedBy::Selector("team=a"), true);
    assert!(
        unselected.contains("the deletion of this object waits"),
        "{unselected}"
    );
    // It goes when the pause ends.
    let resumed = summary(Some(&first), 1, 20, &world.converged()).status;
    assert_eq!(condition(&resumed, "Paused"), None);
}

#[test]
fn unlisted_access_is_a_condition_while_it_lasts() {
    let world = World::new("{}");
    let unlisted = [
        "arn:aws:iam::aws:policy/X".to_owned(),
        "inline/y".to_owned(),
    ];
    let outcome = Outcome::Converged {
        facts: world.facts(),
        done: None,
        unlisted: &unlisted,
    };
    let found = summary(Some(&world.ready()), 1, 10, &outcome);
    assert_eq!(found.status.unlisted_policies, unlisted);
    let told = condition(&found.status, "UnlistedAccess").unwrap();
    assert_eq!(told.status, "True");
    for part in [
        "arn:aws:iam::aws:policy/X",
        "inline/y",
        "unlistedPolicyAction",
    ] {
        assert!(told.message.contains(part), "{}", told.message);
    }
    // It is no reason not to be ready, and it stays while something else is wrong.
    assert_eq!(condition(&found.status, READY).unwrap().status, "True");
    let caller = account();
    let wrong = Outcome::WrongAccount { caller: &caller };
    let later = summary(Some(&found.status), 1, 20, &wrong).status;
    assert!(condition(&later, "UnlistedAccess").is_some());
    let gone = summary(Some(&later), 1, 30, &world.converged()).status;
    assert_eq!(condition(&gone, "UnlistedAccess"), None);
    assert_eq!(gone.unlisted_policies, Vec::<String>::new());
}

#[test]
fn texts_are_bounded_and_whole() {
    let long = vec![drift("Role", "tags", &"ä€".repeat(2000)); 30];
    let world = World::new("{}");
    let started = Outcome::Started {
        activity: Activity::Repairing,
        drift: &long,
    };
    let ready = world.ready();
    let begun = summary(Some(&ready), 1, 10, &started).status;
    assert_eq!(begun.drift.len(), 20, "status.drift holds at most 20");
    assert!(begun.drift.iter().all(|d| d.message.len() <= 1024));
    assert!(begun.last_drift.as_ref().unwrap().message.len() <= 1024);
    let done = summary(Some(&begun), 1, 20, &world.done(Activity::Repairing, &long));
    // Kubernetes refuses an event whose note has more than 1024 bytes.
    for event in &done.events {
        assert!(event.note.len() <= 1024, "{} bytes", event.note.len());
        assert!(
            event.note.ends_with("…; and 29 more: 29 other"),
            "{}",
            event.note
        );
    }
}

/// What a pass is about, given what the last one told.
#[test]
fn what_a_pass_is_about() {
    let world = World::new("{}");
    let ready = world.ready();
    assert_eq!(Activity::of(None, 1), Activity::Creating);
    assert_eq!(Activity::of(Some(&ready), 1), Activity::Repairing);
    assert_eq!(Activity::of(Some(&ready), 2), Activity::Updating);
    let bare = SessionManagerRoleStatus::default();
    let mut half = world.ready();
    half.policy = None;
    every_outcome(&world, |name, reason, outcome| {
        let of = |before: &SessionManagerRoleStatus| {
            Activity::of(Some(&summary(Some(before), 1, 10, outcome).status), 1)
        };
        let records = matches!(
            outcome,
            Outcome::Converged { .. } | Outcome::Drifted { .. } | Outcome::Failed { .. }
        );
        if !records {
            assert_eq!(of(&bare), Activity::Creating, "{name}: nothing ever was");
            assert_eq!(
                of(&half),
                Activity::Creating,
                "{name}: not all of it ever was"
            );
        }
        let expected = match reason {
            "Converged" | "Repairing" | "Drifted" | "NotOwned" | "Replaced" => Activity::Repairing,
            "Creating" => Activity::Creating,
            _ => Activity::Updating,
        };
        assert_eq!(of(&ready), expected, "{name} {reason}");
    });
}

/// A repair that is held up is still one when it goes on: the last words tell what had drifted.
#[test]
fn a_repair_that_is_held_up_stays_one() {
    let world = World::new("{}");
    let drift = [drift("Role", "description", "the role's description was a")];
    let started = Outcome::Started {
        activity: Activity::Repairing,
        drift: &drift,
    };
    let begun = summary(Some(&world.ready()), 1, 10, &started).status;
    for class in FailureClass::ALL {
        let failure = failure(class);
        let failed = Outcome::Failed {
            facts: Some(world.facts()),
            activity: Activity::Repairing,
            failure: &failure,
            decision: final_decision(failure.class),
        };
        let held_up = summary(Some(&begun), 1, 20, &failed).status;
        assert_eq!(
            Activity::of(Some(&held_up), 1),
            Activity::Repairing,
            "{class:?}"
        );
        // A changed spec makes an update of it, and what had drifted from the former one is moot.
        assert_eq!(
            Activity::of(Some(&held_up), 2),
            Activity::Updating,
            "{class:?}"
        );
        let updating = Outcome::Started {
            activity: Activity::Updating,
            drift: &drift,
        };
        let updated = summary(Some(&held_up), 2, 30, &updating).status;
        assert_eq!(updated.drift, []);
        assert_eq!(Activity::of(Some(&updated), 2), Activity::Updating);
        // Goes on, and is done.
        let again = summary(Some(&held_up), 1, 40, &started).status;
        let last = again.last_drift.unwrap();
        assert_eq!((last.time.0, last.repaired), (at(10), false));
    }
}

/// A retry that fails as before writes nothing and tells nothing, though each begins anew.
#[test]
fn a_retry_that_fails_as_before_changes_nothing() {
    let world = World::new("{}");
    let drift = [drift("Role", "description", "the role's description was a")];
    for activity in ACTIVITIES {
        let started = Outcome::Started {
            activity,
            drift: &drift,
        };
        for class in FailureClass::ALL {
            let failure = failure(class);
            let failed = Outcome::Failed {
                facts: Some(world.facts()),
                activity,
                failure: &failure,
                decision: final_decision(failure.class),
            };
            let begun = summary(Some(&world.ready()), 1, 10, &started).status;
            let once = summary(Some(&begun), 1, 20, &failed).status;
            let again = summary(Some(&once), 1, 30, &started);
            assert_eq!(again.status, once, "{activity:?} {class:?}");
            let again = summary(Some(&once), 1, 40, &failed);
            assert_eq!(
                (again.status, again.events),
                (once, vec![]),
                "{activity:?} {class:?}"
            );
        }
    }
}

/// What held up another generation, or other drift, or stood there before a pause, says nothing
/// of what begins now.
#[test]
fn what_begins_is_told_where_it_is_new() {
    let world = World::new("{}");
    let one = [drift("Role", "description", "the role's description was a")];
    let other = [drift("Role", "description", "the role's description was b")];
    let denied = failure(FailureClass::AccessDenied);
    let failed = Outcome::Failed {
        facts: Some(world.facts()),
        activity: Activity::Repairing,
        failure: &denied,
        decision: final_decision(denied.class),
    };
    let started = |drift| Outcome::Started {
        activity: Activity::Repairing,
        drift,
    };
    let begun = summary(Some(&world.ready()), 1, 10, &started(&one)).status;
    let held_up = summary(Some(&begun), 1, 20, &failed).status;
    let reason = |generation, before, outcome: &Outcome| {
        let status = summary(Some(before), generation, 30, outcome).status;
        condition(&status, READY).unwrap().reason.clone()
    };
    assert_eq!(reason(1, &held_up, &started(&one)), "AccessDenied");
    assert_eq!(reason(1, &held_up, &started(&other)), "Repairing");
    assert_eq!(reason(2, &held_up, &started(&one)), "Repairing");
    let paused = summary(Some(&held_up), 1, 25, &PAUSED).status;
    let resumed = summary(Some(&paused), 1, 30, &started(&one)).status;
    assert_eq!(condition(&resumed, "Paused"), None);
    assert_eq!(condition(&resumed, READY).unwrap().reason, "Repairing");
    // A crash after the repair: the next pass finds nothing to do.
    let done = summary(Some(&held_up), 1, 40, &world.converged()).status;
    assert!(done.last_drift.unwrap().repaired);
}

/// kstatus' rules for a custom resource (sigs.k8s.io/cli-utils, pkg/kstatus/status), and what we
/// mean: done, going on, or waiting for a person.
#[test]
fn the_summary_agrees_with_kstatus() {
    let world = World::new("{}");
    let kstatus = |status: &SessionManagerRoleStatus, generation: i64| {
        let is =
            |type_: &str, value: &str| condition(status, type_).is_some_and(|c| c.status == value);
        if status.observed_generation != generation {
            "InProgress"
        } else if is(STALLED, "True") {
            "Failed"
        } else if is(RECONCILING, "True") || is(READY, "False") {
            "InProgress"
        } else {
            "Current"
        }
    };
    let before = world.ready();
    every_outcome(&world, |name, reason, outcome| {
        let expected = match reason {
            "Converged" => "Current",
            reason if RECONCILING_REASONS.contains(&reason) => "InProgress",
            reason => {
                assert!(STALLED_REASONS.contains(&reason), "{name}: {reason}");
                "Failed"
            }
        };
        for (before, generation) in [(None, 1), (Some(&before), 1), (Some(&before), 2)] {
            let status = summary(before, generation, 10, outcome).status;
            assert_eq!(kstatus(&status, generation), expected, "{name}");
            // A newer generation is not done before it was looked at.
            assert_eq!(kstatus(&status, generation + 1), "InProgress", "{name}");
        }
    });
    let paused = summary(Some(&before), 2, 10, &PAUSED).status;
    assert_eq!(
        kstatus(&paused, 2),
        "InProgress",
        "a change waits behind the pause"
    );
}

/// Whatever was told before, and whenever: the same cause gives the same text.
#[test]
fn the_same_cause_gives_the_same_message() {
    let world = World::new("{}");
    let ready = world.ready();
    let mut befores = vec![None, Some(ready.clone())];
    every_outcome(&world, |_, _, outcome| {
        befores.push(Some(summary(Some(&ready), 7, 10, outcome).status));
    });
    // A retry of what is held up is the exception, which has a test of its own.
    every_outcome(&world, |name, _, outcome| {
        if matches!(outcome, Outcome::Started { .. }) {
            return;
        }
        let message = |before: Option<&SessionManagerRoleStatus>, second| {
            let status = summary(before, 7, second, outcome).status;
            condition(&status, READY).unwrap().message.clone()
        };
        for (second, before) in (1..).zip(&befores) {
            assert_eq!(
                message(before.as_ref(), second * 1000),
                message(None, 0),
                "{name}"
            );
        }
    });
}
