//! What is granted beyond the spec comes first wherever people read of drift, and no cut hides it.

use super::*;
use crate::ownership::UID;
use crate::plan::Planned;

const SPEC: &str = "{
    tags: {a: '1', b: '1', c: '1', d: '1'},
    sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'},
    sessionLogs: {s3: {bucket: my-logs}, cloudWatch: {}}}";

const EXCESS: &str = "the policy had a statement that should not be there: Allow s3:* on *";

/// Converged, and then changed by someone.
fn found(world: &World, change: impl FnOnce(&mut Observed)) -> Planned {
    let mut state = world.observed.clone();
    change(&mut state);
    let recorded = Recorded::of(Some(&world.ready()));
    plan(&world.desired, &state, &recorded, None).unwrap()
}

fn with_any_s3(state: &mut Observed) {
    state.policy.as_mut().unwrap().document =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#
            .into();
}

fn repairing(planned: &Planned) -> Outcome<'_> {
    Outcome::Started {
        activity: Activity::Repairing,
        drift: &planned.drift,
    }
}

#[test]
fn a_policy_replaced_by_a_wider_one_is_reported_by_what_is_too_wide() {
    let world = World::new(SPEC);
    let planned = found(&world, with_any_s3);
    assert_eq!(planned.drift.len(), 7, "{:?}", planned.drift);
    let begun = summary(Some(&world.ready()), 1, 10, &repairing(&planned)).status;
    assert_eq!(begun.drift[0].message, EXCESS);
    let ready = (begun.conditions.iter())
        .find(|c| c.type_ == READY)
        .unwrap();
    let beginning = format!("putting right what was changed in IAM: {EXCESS}; ");
    assert!(ready.message.starts_with(&beginning), "{}", ready.message);
    let done = world.done(Activity::Repairing, &planned.drift);
    let done = summary(Some(&begun), 1, 20, &done);
    let note = &done.events[0].note;
    assert!(
        note.starts_with(&format!("put right: {EXCESS}; ")),
        "{note}"
    );
    for text in [
        &ready.message,
        note,
        &done.status.last_drift.unwrap().message,
    ] {
        assert!(text.contains(EXCESS), "{text}");
        assert!(text.ends_with("; and 2 more: 2 missing"), "{text}");
    }
    let drifted = Outcome::Drifted {
        facts: world.facts(),
        drift: &planned.drift,
        unlisted: &[],
    };
    let events = summary(Some(&world.ready()), 1, 10, &drifted).events;
    assert!(events[0].note.contains(&format!(": {EXCESS}; ")));
}

/// Everything at once: more than status holds, and of every kind.
#[test]
fn of_many_differences_the_most_important_are_shown_and_the_others_counted_by_kind() {
    let world = World::new(SPEC);
    let planned = found(&world, |state| {
        with_any_s3(state);
        let role = state.role.as_mut().unwrap();
        role.trust = role.trust.replace(
            r#"{"Service":"ec2.amazonaws.com"}"#,
            r#"{"Service":"ec2.amazonaws.com","AWS":"*"}"#,
        );
        role.description = "mine".into();
        role.max_session_duration = 43200;
        role.tags.retain(|key, _| key.contains('/'));
        role.tags.remove(UID);
        role.attached.clear();
        state
            .policy
            .as_mut()
            .unwrap()
            .tags
            .retain(|key, _| key.contains('/'));
        let profile = state.instance_profile.as_mut().unwrap();
        profile.roles.clear();
        profile.tags.retain(|key, _| key.contains('/'));
    });
    let kinds = planned.drift.iter().fold([0; 3], |mut kinds, d| {
        kinds[match d.importance {
            Importance::Excess(_) => 0,
            Importance::Missing => 1,
            Importance::Other => 2,
        }] += 1;
        kinds
    });
    assert_eq!((planned.drift.len(), kinds), (25, [2, 8, 15]));
    assert!(planned.drift.is_sorted_by_key(|d| d.importance));

    let begun = summary(Some(&world.ready()), 1, 10, &repairing(&planned)).status;
    let words: Vec<&str> = begun.drift.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(words.len(), 20);
    // Everyone may have the role, and then that much: the wider one first.
    assert_eq!(
        words[..2],
        [
            "statement 1 of the trust policy: had * besides, should not",
            EXCESS
        ]
    );
    let done = world.done(Activity::Repairing, &planned.drift);
    let done = summary(Some(&begun), 1, 20, &done);
    for text in [
        &begun.last_drift.unwrap().message,
        &done.events[0].note,
        &done.status.last_drift.unwrap().message,
    ] {
        assert!(text.contains(&words[..2].join("; ")), "{text}");
        assert!(
            text.ends_with("; and 20 more: 5 missing, 15 other"),
            "{text}"
        );
        assert!(text.len() <= 1024, "{}", text.len());
    }
}

/// Sentences that leave room for one only, and advice besides.
#[test]
fn what_there_is_no_room_for_is_counted() {
    let world = World::new("{}");
    let of = |importance, message: &str| Difference {
        importance,
        ..drift("Role", "existence", &message.repeat(90))
    };
    let excess = Importance::Excess(Width::UNKNOWN);
    let all = [
        of(excess, "first "),
        of(excess, "second "),
        of(Importance::Missing, "third "),
        of(Importance::Other, "fourth "),
    ];
    let begun = Outcome::Started {
        activity: Activity::Repairing,
        drift: &all,
    };
    let begun = summary(Some(&world.ready()), 1, 10, &begun).status;
    let done = world.done(Activity::Repairing, &all);
    let done = summary(Some(&begun), 1, 20, &done);
    let count = "; and 3 more: 1 granted beyond the spec, 1 missing, 1 other";
    for text in [
        &done.events[0].note,
        &done.status.last_drift.unwrap().message,
    ] {
        assert!(text.contains("first first "), "{text}");
        assert!(text.contains(count), "{text}");
        assert!(text.contains("Associate the instance profile"), "{text}");
        assert!(text.len() <= 1024, "{}", text.len());
    }
}
