//! Refusal, adoption, the take-over of an earlier uid, and tags that come and go.

use super::*;
use crate::ownership::{ADOPTABLE_BY, CLUSTER_UID};
use crate::step::Target;

const EVERY_KIND: [Kind; 3] = [Kind::Role, Kind::Policy, Kind::InstanceProfile];

fn tags(state: &mut Observed, kind: Kind) -> &mut smr_api::Tags {
    match kind {
        Kind::Role => &mut state.role.as_mut().unwrap().tags,
        Kind::Policy => &mut state.policy.as_mut().unwrap().tags,
        Kind::InstanceProfile => &mut state.instance_profile.as_mut().unwrap().tags,
    }
}

/// Someone else's object of the name.
fn foreign(state: &mut Observed, kind: Kind) {
    tags(state, kind).retain(|key, _| !KEYS.contains(&key.as_str()));
}

#[test]
fn one_that_is_not_ours_stops_everything() {
    let desired = wanted("{}");
    for kind in EVERY_KIND {
        let (mut state, _) = converged(&desired);
        foreign(&mut state, kind);
        // There is work besides, and it is left.
        state.role.as_mut().unwrap().description = "changed".into();
        let refusals = plan(&desired, &state, &Recorded::default(), LONG_AGO).unwrap_err();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert_eq!(refusals[0].kind, kind);
        assert!(refusals[0].arn.ends_with("/session-manager/team.web"));
        let NotOurs::NotOwned { holder } = &refusals[0].why else {
            panic!("{refusals:?}")
        };
        assert!(holder.to_string().contains("no ownership tags"), "{holder}");
    }
}

#[test]
fn several_that_are_not_ours_are_all_named() {
    let desired = wanted("{}");
    let (mut state, recorded) = converged(&desired);
    for kind in EVERY_KIND {
        foreign(&mut state, kind);
    }
    state.policy.as_mut().unwrap().id = "another".into();
    let refusals = plan(&desired, &state, &recorded, LONG_AGO).unwrap_err();
    let kinds: Vec<Kind> = refusals.iter().map(|r| r.kind).collect();
    assert_eq!(kinds, EVERY_KIND);
    assert!(matches!(refusals[0].why, NotOurs::NotOwned { .. }));
    assert!(matches!(refusals[1].why, NotOurs::Replaced { .. }));
}

/// Objects of someone else, with consent to be taken over.
fn consenting(spec: &str) -> (Desired, Observed) {
    let desired = wanted(spec);
    let (mut state, _) = converged(&desired);
    for kind in EVERY_KIND {
        foreign(&mut state, kind);
        tags(&mut state, kind).insert(ADOPTABLE_BY.into(), "test/team/web".into());
        tags(&mut state, kind).insert("theirs".into(), "1".into());
    }
    (desired, state)
}

#[test]
fn adoption_stamps_first_and_takes_the_consent_last() {
    let (desired, mut state) = consenting("{adoptionPolicy: WithConsent, tags: {env: prod}}");
    state.role.as_mut().unwrap().description = "theirs".into();
    tags(&mut state, Kind::Role).insert("env".into(), "test".into());
    let found = planned(&desired, &state, &Recorded::default());
    assert_eq!(found.adopts, EVERY_KIND);
    assert_eq!(
        steps(&desired, &found.plan),
        [
            vec![
                "TagRole env=prod, OWNERSHIP",
                "TagPolicy OWNERSHIP",
                "TagInstanceProfile OWNERSHIP"
            ],
            vec![
                "UpdateRole team.web \"Session Manager role of SessionManagerRole team/web in cluster test\" 3600 s"
            ],
            vec![
                "UntagRole sessionmanager.dev/adoptable-by",
                "UntagPolicy sessionmanager.dev/adoptable-by",
                "UntagInstanceProfile sessionmanager.dev/adoptable-by",
            ],
        ]
    );
    let mut iam = Iam::new(&desired, state);
    iam.simulate(&found.plan).unwrap();
    assert_eq!(
        planned(&desired, &iam.state, &Recorded::default()),
        Planned::default()
    );
    for kind in EVERY_KIND {
        let tags = tags(&mut iam.state, kind);
        assert_eq!(tags.get("theirs").map(String::as_str), Some("1"));
        assert_eq!(tags.get("env").map(String::as_str), Some("prod"));
    }
}

#[test]
fn without_the_objects_own_consent_there_is_no_adoption() {
    let (_, state) = consenting("{adoptionPolicy: WithConsent}");
    assert!(plan(&wanted("{}"), &state, &Recorded::default(), None).is_err());
}

/// A crash after the stamp: what is left is the consent, and a plan never goes without its words.
#[test]
fn a_consent_that_is_used_up_goes_and_is_told() {
    let desired = wanted("{adoptionPolicy: WithConsent}");
    let (mut state, recorded) = converged(&desired);
    tags(&mut state, Kind::Policy).insert(ADOPTABLE_BY.into(), "test/team/web".into());
    let found = planned(&desired, &state, &recorded);
    assert_eq!(
        steps(&desired, &found.plan),
        [["UntagPolicy sessionmanager.dev/adoptable-by"]]
    );
    assert_eq!(
        sentences(&found),
        [
            "Policy tags: the tag sessionmanager.dev/adoptable-by of the policy was there, should not be any more"
        ]
    );
    assert_eq!(found.adopts, []);
}

#[test]
fn a_restored_object_stamps_its_new_uid_before_anything_else() {
    let desired = wanted("{}");
    for kind in EVERY_KIND {
        let (mut state, recorded) = converged(&desired);
        tags(&mut state, kind).insert(UID.into(), "earlier".into());
        state.role.as_mut().unwrap().description = "changed".into();
        state.instance_profile.as_mut().unwrap().roles.clear();
        let policy = state.policy.as_mut().unwrap();
        policy.document = r#"{"Version":"2012-10-17","Statement":[]}"#.into();
        let found = planned(&desired, &state, &recorded);
        let Step::Tag { target, tags } = &found.plan.stages[0][0] else {
            panic!("{found:?}")
        };
        assert_eq!(tags.keys().collect::<Vec<_>>(), [UID]);
        assert!(
            matches!(
                (kind, target),
                (Kind::Role, Target::Role(_))
                    | (Kind::Policy, Target::Policy(_))
                    | (Kind::InstanceProfile, Target::InstanceProfile(_))
            ),
            "{target:?}"
        );
        assert_eq!(found.plan.stages[0].len(), 1);
        assert_eq!(found.adopts, [], "it was ours all along");
        let mut iam = Iam::new(&desired, state);
        iam.simulate(&found.plan).unwrap();
        assert!(planned(&desired, &iam.state, &recorded).plan.is_empty());
    }
}

#[test]
fn keys_that_left_the_spec_go_and_those_of_others_stay() {
    let (mut state, recorded) = converged(&wanted("{tags: {a: '1', b: '1', C: '1'}}"));
    for kind in EVERY_KIND {
        tags(&mut state, kind).insert("theirs".into(), "1".into());
    }
    // b is ours no more, a has another value, C is spelled in another way.
    let desired = wanted("{tags: {a: '2', c: '1'}}");
    let found = planned(&desired, &state, &recorded);
    assert_eq!(
        steps(&desired, &found.plan),
        [
            vec![
                // A role's tag C is the same tag.
                "TagRole a=2",
                "TagPolicy a=2, c=1",
                "TagInstanceProfile a=2, c=1",
            ],
            vec![
                "UntagRole b",
                "UntagPolicy C, b",
                "UntagInstanceProfile C, b",
            ],
        ]
    );
    let mut iam = Iam::new(&desired, state);
    iam.simulate(&found.plan).unwrap();
    for kind in EVERY_KIND {
        let tags = tags(&mut iam.state, kind);
        assert!(tags.contains_key("theirs") && !tags.contains_key("b"));
    }
    assert_eq!(planned(&desired, &iam.state, &recorded), Planned::default());
}

/// What others change is put right with one call, which never takes the tag away in between.
#[test]
fn a_changed_value_never_loses_the_tag() {
    let desired = wanted("{tags: {a: '1'}}");
    let (mut state, recorded) = converged(&desired);
    tags(&mut state, Kind::Role).insert("a".into(), String::new());
    let found = planned(&desired, &state, &recorded);
    assert_eq!(steps(&desired, &found.plan), [["TagRole a=1"]]);
    assert_eq!(
        sentences(&found),
        ["Role tags: the tag a of the role was empty, should be 1"]
    );
}

/// Fifty tags on an object are IAM's limit: where old and new ones don't fit together, the old
/// ones go first.
#[test]
fn all_tags_can_be_exchanged_at_once() {
    let many = |prefix: &str| {
        let all: Vec<String> = (0..45).map(|n| format!("{prefix}{n}: x")).collect();
        format!("{{tags: {{{}}}}}", all.join(", "))
    };
    for earlier in [false, true] {
        let (mut state, recorded) = converged(&wanted(&many("old")));
        if earlier {
            tags(&mut state, Kind::Role).insert(UID.into(), "earlier".into());
        }
        let desired = wanted(&many("new"));
        let mut iam = Iam::new(&desired, state);
        iam.simulate(&planned(&desired, &iam.state, &recorded).plan)
            .unwrap();
        assert_eq!(planned(&desired, &iam.state, &recorded), Planned::default());
        assert_eq!(tags(&mut iam.state, Kind::Role).len(), 49);
    }
}

/// What may be adopted under another path is not attached or stamped where the other objects are.
#[test]
fn what_may_be_adopted_has_to_be_under_the_path() {
    let (desired, mut state) = consenting("{adoptionPolicy: WithConsent}");
    let policy = state.policy.as_mut().unwrap();
    policy.arn = policy.arn.replace("/session-manager/", "/legacy/");
    let refusals = plan(&desired, &state, &Recorded::default(), LONG_AGO).unwrap_err();
    assert_eq!(refusals.len(), 1);
    let text = refusals[0].to_string();
    assert!(text.contains("under the path /legacy/"), "{text}");
    assert!(text.contains("spec.path /legacy/"), "{text}");
}

/// What was made before there was a cluster's UID in the tags gets it with whatever is written next, or alone; neither is
/// a difference.
#[test]
fn a_missing_cluster_uid_is_put_on_without_a_word() {
    let desired = wanted("{tags: {env: prod}}");
    let (mut state, recorded) = converged(&desired);
    for kind in EVERY_KIND {
        tags(&mut state, kind).remove(CLUSTER_UID);
    }
    let found = planned(&desired, &state, &recorded);
    assert!(found.only_stamps() && found.drift.is_empty());
    assert_eq!(found.unstamped, EVERY_KIND);
    let stamp = |action: &str| format!("{action} sessionmanager.dev/cluster-uid");
    assert_eq!(
        steps(&desired, &found.plan),
        [["TagRole", "TagPolicy", "TagInstanceProfile"].map(stamp)]
    );
    let mut iam = Iam::new(&desired, state.clone());
    iam.simulate(&found.plan).unwrap();
    assert_eq!(planned(&desired, &iam.state, &recorded), Planned::default());
    // Beside a difference it rides along, in one call.
    tags(&mut state, Kind::Role).insert("env".into(), "test".into());
    let found = planned(&desired, &state, &recorded);
    assert!(!found.only_stamps());
    assert_eq!(found.drift.len(), 1);
    assert_eq!(
        steps(&desired, &found.plan)[0][0],
        "TagRole env=prod, sessionmanager.dev/cluster-uid"
    );
}
