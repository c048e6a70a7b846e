//! What status records.

use super::*;

const SPEC: &str = "{tags: {env: prod}, policy: {tags: {b: '1'}}, role: {tags: {c: '1'}}}";

#[test]
fn the_three_objects_are_on_record() {
    let world = World::new(SPEC);
    let status = world.ready();
    assert_eq!(status.account_id.as_deref(), Some("111122223333"));
    assert_eq!(status.partition.as_deref(), Some("aws"));
    let role = status.role.unwrap();
    assert_eq!(
        (role.name.as_str(), role.id.as_str(), role.arn.as_str()),
        (
            "team.web",
            "ID-Role",
            "arn:aws:iam::111122223333:role/session-manager/team.web"
        )
    );
    // Ours of ownership are not among those that a spec manages.
    assert_eq!(role.managed_tag_keys, ["c", "env"]);
    let policy = status.policy.unwrap();
    assert_eq!(policy.id.as_deref(), Some("ID-Policy"));
    assert_eq!(policy.version_id.as_deref(), Some("v1"));
    assert_eq!(policy.managed_tag_keys, ["b", "env"]);
    let profile = status.instance_profile.unwrap();
    assert_eq!(profile.id, "ID-InstanceProfile");
    assert_eq!(profile.managed_tag_keys, ["env"]);
    assert_eq!(status.counterparts, Some(world.counterparts.clone()));
}

/// An activation does not take the name alone: the path the role has belongs to it.
#[test]
fn what_an_activation_takes_is_on_record() {
    let of = |spec: &str| World::new(spec).ready().role.unwrap().activation_role;
    assert_eq!(of("{}"), None);
    assert_eq!(
        of("{principal: HybridActivation}").as_deref(),
        Some("session-manager/team.web")
    );
    assert_eq!(
        of("{principal: HybridActivation, role: {name: servers}}").as_deref(),
        Some("session-manager/servers")
    );
    let mut at_the_root = World::new("{principal: HybridActivation}");
    at_the_root.observed.role.as_mut().unwrap().arn =
        "arn:aws:iam::111122223333:role/team.web".into();
    let role = at_the_root.ready().role.unwrap();
    assert_eq!(role.activation_role.as_deref(), Some("team.web"));
}

/// A key or an attached policy is forgotten only once IAM is as the new spec says.
#[test]
fn what_may_still_be_there_stays_on_record() {
    let mut old = World::new(SPEC);
    old.attach("arn:aws:iam::aws:policy/Old");
    let before = old.ready();
    let mut new = World::new("{tags: {new: '1'}}");
    new.attach("arn:aws:iam::aws:policy/New");
    let throttled = failure(FailureClass::Throttled);
    let facts = Some(new.facts());
    for outcome in [
        Outcome::Failed {
            facts,
            activity: Activity::Updating,
            failure: &throttled,
            decision: final_decision(throttled.class),
        },
        Outcome::Waiting {
            facts,
            activity: Activity::Updating,
            drift: &[],
            message: "for IAM".into(),
        },
        Outcome::Refused {
            facts,
            // Of none of these three.
            refusals: &[],
        },
    ] {
        let status = summary(Some(&before), 2, 10, &outcome).status;
        let recorded = Recorded::of(Some(&status));
        assert_eq!(keys(recorded.role), ["c", "env", "new"], "{outcome:?}");
        assert_eq!(keys(recorded.policy), ["b", "env", "new"]);
        assert_eq!(keys(recorded.instance_profile), ["env", "new"]);
        assert_eq!(
            recorded.additional_policy_arns,
            ["arn:aws:iam::aws:policy/New", "arn:aws:iam::aws:policy/Old"]
        );
        let done = summary(Some(&status), 2, 20, &new.converged()).status;
        let recorded = Recorded::of(Some(&done));
        assert_eq!(keys(recorded.role), ["new"]);
        assert_eq!(keys(recorded.policy), ["new"]);
        assert_eq!(keys(recorded.instance_profile), ["new"]);
        assert_eq!(
            recorded.additional_policy_arns,
            ["arn:aws:iam::aws:policy/New"]
        );
    }
}

fn keys(recorded: Option<crate::plan::RecordedObject>) -> Vec<String> {
    recorded.unwrap().managed_tag_keys
}

/// What a key or an ARN in spec names may be another's: only what is in IAM as spec has it is ours to
/// remove later, and nothing that mode Observe has only read.
#[test]
fn what_was_never_set_is_not_on_record() {
    let mut old = World::new(SPEC);
    old.attach("arn:aws:iam::aws:policy/Old");
    let before = old.ready();
    let mut new = World::new("{tags: {env: prod, new: '1'}}");
    new.attach("arn:aws:iam::aws:policy/New");
    let mut refused = World {
        observed: old.observed.clone(),
        ..World::new("{tags: {env: prod, new: '1'}}")
    };
    refused.desired.additional_policy_arns = new.desired.additional_policy_arns.clone();
    let role = refused.observed.role.as_mut().unwrap();
    role.tags.insert("new".to_owned(), "of another".to_owned());
    let denied = failure(FailureClass::AccessDenied);
    for outcome in [
        Outcome::Drifted {
            facts: new.observed(),
            drift: &[],
            unlisted: &[],
        },
        Outcome::Converged {
            facts: new.observed(),
            done: None,
            unlisted: &[],
        },
        Outcome::Failed {
            facts: Some(refused.facts()),
            activity: Activity::Updating,
            failure: &denied,
            decision: final_decision(denied.class),
        },
    ] {
        let status = summary(Some(&before), 2, 10, &outcome).status;
        let recorded = Recorded::of(Some(&status));
        assert_eq!(keys(recorded.role), ["c", "env"], "{outcome:?}");
        assert_eq!(keys(recorded.policy), ["b", "env"]);
        assert_eq!(keys(recorded.instance_profile), ["env"]);
        let attached = recorded.additional_policy_arns;
        assert_eq!(attached, ["arn:aws:iam::aws:policy/Old"]);
        // Once it is written, it is.
        let done = summary(Some(&status), 2, 20, &new.converged()).status;
        let recorded = Recorded::of(Some(&done));
        assert_eq!(keys(recorded.role), ["env", "new"]);
        let attached = recorded.additional_policy_arns;
        assert_eq!(attached, ["arn:aws:iam::aws:policy/New"]);
    }
}

/// Ids stay on record when an object is gone, so that another one of its name is told from ours.
#[test]
fn what_is_gone_keeps_its_id_on_record() {
    let mut world = World::new(SPEC);
    let before = world.ready();
    world.observed = Observed::default();
    let throttled = failure(FailureClass::Throttled);
    let failed = Outcome::Failed {
        facts: Some(world.facts()),
        activity: Activity::Repairing,
        failure: &throttled,
        decision: final_decision(throttled.class),
    };
    let status = summary(Some(&before), 1, 10, &failed).status;
    assert_eq!(
        (status.role, status.policy, status.instance_profile),
        (before.role, before.policy, before.instance_profile)
    );
    // Nothing was ever there: no account to hold on to.
    let first = summary(None, 1, 10, &failed).status;
    assert_eq!((first.account_id, first.role), (None, None));
}

#[test]
fn the_policy_on_record_follows_its_type() {
    let managed = World::new("{}");
    let mut inline = World::new("{policy: {type: Inline}}");
    let first = inline.ready().policy.unwrap();
    assert_eq!(
        (first.name.as_str(), first.arn, first.id),
        ("team.web", None, None)
    );
    // Managed becomes inline: the managed one stays on record until it is gone.
    let before = managed.ready();
    inline.observed.policy.clone_from(&managed.observed.policy);
    let waiting = Outcome::Waiting {
        facts: Some(inline.facts()),
        activity: Activity::Updating,
        drift: &[],
        message: "for IAM".into(),
    };
    let during = summary(Some(&before), 2, 10, &waiting).status;
    assert_eq!(during.policy, before.policy);
    inline.observed.policy = None;
    let after = summary(Some(&during), 2, 20, &inline.converged()).status;
    assert_eq!(after.policy.as_ref().unwrap().arn, None);
    assert_eq!(Recorded::of(Some(&after)).policy, None);
    // And back.
    let back = summary(Some(&after), 3, 30, &managed.converged()).status;
    assert_eq!(back.policy, before.policy);
}

#[test]
fn a_hybrid_role_has_no_profile_on_record() {
    let world = World::new("{principal: HybridActivation}");
    assert_eq!(world.ready().instance_profile, None);
}

#[test]
fn a_request_is_answered_once_looked_at() {
    let world = World::new("{}");
    let object = Object {
        generation: 1,
        status: None,
        reconcile_request: Some("2026-01-01"),
    };
    let status = summarize(object, at(1), &world.converged()).status;
    assert_eq!(
        status.last_handled_reconcile_at.as_deref(),
        Some("2026-01-01")
    );
    // An annotation that is gone takes no answer back.
    let later = summary(Some(&status), 1, 2, &world.converged()).status;
    assert_eq!(later, status);
}

#[test]
fn drift_is_told_repaired_and_remembered() {
    let world = World::new("{}");
    let drift = [drift("Role", "description", "the role's description was a")];
    let started = Outcome::Started {
        activity: Activity::Repairing,
        drift: &drift,
    };
    let begun = summary(Some(&world.ready()), 1, 10, &started).status;
    assert_eq!(begun.drift, drifts(&drift));
    let last = begun.last_drift.clone().unwrap();
    assert_eq!(
        (last.time.0, last.message.as_str(), last.repaired),
        (at(10), "the role's description was a", false)
    );
    let done = world.done(Activity::Repairing, &drift);
    let repaired = summary(Some(&begun), 1, 20, &done).status;
    assert_eq!(repaired.drift, []);
    let last = repaired.last_drift.clone().unwrap();
    assert_eq!((last.time.0, last.repaired), (at(10), true));
    // A crash before the last word: the next look finds all put right.
    let later = summary(Some(&begun), 1, 20, &world.converged()).status;
    assert!(later.last_drift.unwrap().repaired);
    // The next one is another drift, even in the same words.
    let again = summary(Some(&repaired), 1, 30, &started).status;
    let last = again.last_drift.unwrap();
    assert_eq!((last.time.0, last.repaired), (at(30), false));
}

/// Mode Observe: when others undo their change, nobody has repaired anything.
#[test]
fn drift_in_mode_observe_is_remembered_as_not_repaired() {
    let world = World::new("{}");
    let told = [drift("Role", "description", "the role's description was a")];
    let drifted = |drift| Outcome::Drifted {
        facts: world.facts(),
        drift,
        unlisted: &[],
    };
    let seen = summary(Some(&world.ready()), 1, 10, &drifted(&told)).status;
    assert_eq!(seen.drift, drifts(&told));
    let other = [drift("Role", "description", "the role's description was b")];
    let changed = summary(Some(&seen), 1, 20, &drifted(&other)).status;
    assert_eq!(changed.last_drift.as_ref().unwrap().time.0, at(20));
    let gone = summary(Some(&changed), 1, 30, &world.converged()).status;
    assert_eq!(gone.drift, []);
    let last = gone.last_drift.unwrap();
    assert_eq!(
        (last.time.0, last.message.as_str(), last.repaired),
        (at(20), "the role's description was b", false)
    );
}

/// A repair that takes two passes is told in full in the end, and what is left of it meanwhile.
#[test]
fn a_repair_that_waits_tells_what_is_left_and_then_all_of_it() {
    let world = World::new("{}");
    let all = [
        drift("Policy", "existence", "the policy was missing"),
        drift("Policy", "type", "the inline policy was there"),
    ];
    let waiting = |activity, drift| Outcome::Waiting {
        facts: Some(world.facts()),
        activity,
        drift,
        message: "for IAM".into(),
    };
    let begun = Outcome::Started {
        activity: Activity::Repairing,
        drift: &all,
    };
    let begun = summary(Some(&world.ready()), 1, 10, &begun).status;
    let left = summary(
        Some(&begun),
        1,
        11,
        &waiting(Activity::Repairing, &all[1..]),
    )
    .status;
    assert_eq!(left.drift, drifts(&all[1..]));
    assert_eq!(Activity::of(Some(&left), 1), Activity::Repairing);
    let done = world.done(Activity::Repairing, &all);
    let last = summary(Some(&left), 1, 50, &done)
        .status
        .last_drift
        .unwrap();
    assert_eq!(
        (last.message.as_str(), last.repaired),
        ("the policy was missing; the inline policy was there", true)
    );
    // A change of spec is no drift, however long it waits.
    let edited = summary(
        Some(&world.ready()),
        2,
        10,
        &waiting(Activity::Updating, &all[1..]),
    );
    assert_eq!(
        (edited.status.drift, edited.status.last_drift),
        (vec![], None)
    );
}

/// What mode Observe told is put right by the change to Enforce, which is a change of spec.
#[test]
fn what_was_observed_is_repaired_once_spec_lets_it() {
    let world = World::new("{}");
    let told = [drift("Role", "description", "the role's description was a")];
    let drifted = Outcome::Drifted {
        facts: world.facts(),
        drift: &told,
        unlisted: &[],
    };
    let seen = summary(Some(&world.ready()), 1, 10, &drifted).status;
    let done = world.done(Activity::Updating, &told);
    let last = summary(Some(&seen), 2, 20, &done)
        .status
        .last_drift
        .unwrap();
    assert_eq!((last.time.0, last.repaired), (at(10), true));
}

#[test]
fn in_sync_is_what_status_says_of_this_generation() {
    let world = World::new("{}");
    let ready = world.ready();
    assert_eq!(in_sync_since(Some(&ready), 1), Some(at(0)));
    assert_eq!(in_sync_since(Some(&ready), 2), None);
    let begun = Outcome::Started {
        activity: Activity::Repairing,
        drift: &[],
    };
    let begun = summary(Some(&ready), 1, 10, &begun).status;
    assert_eq!(in_sync_since(Some(&begun), 1), None);
    assert_eq!(in_sync_since(None, 1), None);
}
