//! Events: one where something was done, or where a person's attention is newly needed.

use super::*;

fn told(events: &[Event]) -> Vec<(bool, &str)> {
    (events.iter())
        .map(|e| (e.warning, e.reason.as_str()))
        .collect()
}

#[test]
fn what_was_done_is_one_event() {
    let world = World::new("{}");
    let drift = [drift(
        "Role",
        "tags",
        "the tag a of the role was x, should be y",
    )];
    for (activity, reason, words) in [
        (
            Activity::Creating,
            "Created",
            "created arn:aws:iam::111122223333:role/session-manager/team.web",
        ),
        (Activity::Updating, "Updated", "to the changed spec"),
        (
            Activity::Repairing,
            "Repaired",
            "put right: the tag a of the role was x, should be y",
        ),
        (Activity::Deleting, "Deleted", "deleted arn:"),
    ] {
        let before = (activity != Activity::Creating).then(|| world.ready());
        let events = summary(before.as_ref(), 1, 10, &world.done(activity, &drift)).events;
        assert_eq!(told(&events), [(false, reason)]);
        assert!(events[0].note.contains(words), "{}", events[0].note);
    }
    // Found as it should be, for the first time or again.
    assert_eq!(
        told(&summary(None, 1, 10, &world.converged()).events),
        [(false, "Converged")]
    );
    assert_eq!(
        summary(Some(&world.ready()), 1, 10, &world.converged()).events,
        []
    );
}

/// After a restore from a backup everything is there, under the uid of the object before.
#[test]
fn a_restored_object_created_nothing() {
    let world = World::new("{}");
    let stamp = |object: &str| {
        let message = format!("the tag {UID} of the {object} was old, should be u");
        drift(object, "tags", &message)
    };
    let restored = [stamp("Role"), stamp("Policy")];
    let note = |drift: &[Difference]| {
        let events = summary(None, 1, 10, &world.done(Activity::Creating, drift)).events;
        (events[0].reason.as_str(), events[0].note.clone())
    };
    let (reason, text) = note(&restored);
    assert_eq!(reason, "Updated");
    assert_eq!(
        text,
        "arn:aws:iam::111122223333:role/session-manager/team.web and what belongs to it existed and are owned by this object, which was restored or created again. Updated: the tag sessionmanager.dev/uid of the Role was old, should be u; the tag sessionmanager.dev/uid of the Policy was old, should be u"
    );
    let missing = drift("InstanceProfile", "existence", "the profile was missing");
    assert_eq!(note(&[stamp("Role"), missing]).0, "Created");
}

#[test]
fn an_adoption_is_told_first() {
    let world = World::new("{}");
    let outcome = Outcome::Converged {
        facts: world.facts(),
        done: Some(Done {
            activity: Activity::Creating,
            drift: &[],
            adopted: &[Kind::Role, Kind::InstanceProfile],
        }),
        unlisted: &[],
    };
    let events = summary(None, 1, 10, &outcome).events;
    assert_eq!(told(&events), [(false, "Adopted"), (false, "Created")]);
    assert_eq!(
        events[0].note,
        "took over with consent: role, instance profile"
    );
}

/// A warning for each outcome that a person should see, once, under the condition's reason.
#[test]
fn what_goes_wrong_is_a_warning_once() {
    let world = World::new("{}");
    let ready = world.ready();
    every_outcome(&world, |name, reason, outcome| {
        let events = summary(Some(&ready), 1, 10, outcome).events;
        let expected: &[(bool, &str)] = match outcome {
            Outcome::Drifted { .. } => &[(true, "Drifted"), (true, "UnlistedAccess")],
            Outcome::Converged { unlisted, .. } if !unlisted.is_empty() => {
                &[(true, "UnlistedAccess")]
            }
            Outcome::Converged { .. }
            | Outcome::Started { .. }
            | Outcome::Waiting { .. }
            | Outcome::Paused { .. } => &[],
            Outcome::Refused { .. }
            | Outcome::Invalid { .. }
            | Outcome::WrongAccount { .. }
            | Outcome::Failed { .. }
            | Outcome::DeletionBlocked { .. } => &[(true, reason)],
        };
        assert_eq!(told(&events), expected, "{name}");
    });
}

#[test]
fn only_new_unlisted_access_is_an_event() {
    let world = World::new("{}");
    let outcome = |unlisted| Outcome::Converged {
        facts: world.facts(),
        done: None,
        unlisted,
    };
    let (one, both) = (["a".to_owned()], ["a".to_owned(), "b".to_owned()]);
    let first = summary(Some(&world.ready()), 1, 10, &outcome(&one));
    assert_eq!(told(&first.events), [(true, "UnlistedAccess")]);
    assert_eq!(
        summary(Some(&first.status), 1, 20, &outcome(&one)).events,
        []
    );
    let second = summary(Some(&first.status), 1, 20, &outcome(&both));
    assert_eq!(told(&second.events), [(true, "UnlistedAccess")]);
    assert_eq!(
        summary(Some(&second.status), 1, 30, &outcome(&one)).events,
        []
    );
}

#[test]
fn several_that_are_not_ours_are_all_told() {
    let holder = Holder::TagsRemoved;
    let refusals = [
        refusal(NotOurs::NotOwned { holder }),
        Refusal {
            kind: Kind::InstanceProfile,
            ..refusal(NotOurs::Replaced {
                recorded: "AIPA1".into(),
                found: "AIPA2".into(),
            })
        },
    ];
    let message = |refusals| {
        let outcome = Outcome::Refused {
            facts: None,
            refusals,
        };
        summary(None, 1, 10, &outcome).events.remove(0).note
    };
    let one = message(&refusals[..1]);
    assert!(
        one.ends_with("is not ours: its ownership tags sessionmanager.dev/cluster and sessionmanager.dev/owner were changed or removed: put them back, or delete it in AWS. Nothing is written to it"),
        "{one}"
    );
    let both = message(&refusals);
    assert!(both.contains("its id was AIPA1, is AIPA2"), "{both}");
    assert!(both.ends_with("Nothing is written to them"), "{both}");
}

const PROFILE: &str = "Associate the instance profile with running instances again";
const COUNTERPARTS: &str = "apply status.counterparts again";

/// After a re-creation, event and status say what no controller can do, and only what there is to do.
#[test]
fn a_re_creation_says_what_is_left_to_people() {
    let gone = |kind: &str| drift(kind, "existence", &format!("the {kind} was missing"));
    let (role, profile, policy) = (gone("Role"), gone("InstanceProfile"), gone("Policy"));
    let long = drift("Policy", "document", &"x".repeat(3000));
    let hybrid = "{principal: HybridActivation}";
    for (spec, counterparts, drift, has_profile, has_counterparts) in [
        ("{}", true, vec![role.clone()], true, true),
        ("{}", false, vec![role.clone()], true, false),
        ("{}", true, vec![profile], true, false),
        ("{}", true, vec![policy], false, false),
        // However much is told besides.
        ("{}", true, vec![long, role.clone()], true, true),
        (hybrid, true, vec![role.clone()], false, true),
        (hybrid, false, vec![role.clone()], false, false),
    ] {
        let world = World::new(spec);
        let facts = Facts {
            counterparts: counterparts.then_some(&world.counterparts),
            ..world.facts()
        };
        for activity in [Activity::Repairing, Activity::Updating] {
            let started = Outcome::Started {
                activity,
                drift: &drift,
            };
            let begun = summary(Some(&world.ready()), 1, 10, &started).status;
            let done = Outcome::Converged {
                facts,
                done: Some(Done {
                    activity,
                    drift: &drift,
                    adopted: &[],
                }),
                unlisted: &[],
            };
            let found = summary(Some(&begun), 1, 20, &done);
            let mut texts = vec![found.events[0].note.clone()];
            if activity == Activity::Repairing {
                texts.push(found.status.last_drift.unwrap().message);
            }
            for text in texts {
                let said = (
                    text.contains(PROFILE),
                    text.to_lowercase().contains(COUNTERPARTS),
                );
                assert_eq!(
                    said,
                    (has_profile, has_counterparts),
                    "{spec} {activity:?}: {text}"
                );
                assert!(text.len() <= 1024);
            }
        }
    }
    // At the first creation there is nothing to do again.
    let world = World::new("{}");
    let events = summary(None, 1, 10, &world.done(Activity::Creating, &[role])).events;
    assert!(!events[0].note.contains(PROFILE), "{}", events[0].note);
}
