//! Deletions, on states that the real plan has made, held to IAM's rules.

use super::*;
use crate::ownership::{CLUSTER, OWNER, RETAINED_FROM, UID};
use crate::plan::tests::iam::Iam;
use crate::plan::tests::{converged, wanted};
use crate::resolve::desired::Desired;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/session-manager/team.web";
const POLICY_ARN: &str = "arn:aws:iam::111122223333:policy/session-manager/team.web";

/// A converged object that is on its way out.
struct Leaving {
    desired: Desired,
    state: Observed,
    recorded: Recorded,
    users: Usage,
}

impl Leaving {
    fn new(spec: &str) -> Self {
        let desired = wanted(spec);
        let (state, recorded) = converged(&desired);
        let policy_users = match state.policy {
            Some(_) => [PolicyUser::Role("team.web".into())].into(),
            None => BTreeSet::new(),
        };
        let role_in_profiles = state.instance_profile.iter().map(|p| p.name.clone());
        Self {
            users: Usage {
                role_in_profiles: role_in_profiles.collect(),
                policy_users,
            },
            desired,
            state,
            recorded,
        }
    }

    fn decide(&self, policy: DeletionPolicy) -> Deletion {
        let Desired {
            identity, names, ..
        } = &self.desired;
        plan_deletion(
            identity,
            names,
            &self.recorded,
            &self.state,
            &self.users,
            policy,
            NOW,
        )
    }

    fn plan(&self, policy: DeletionPolicy) -> Plan {
        match self.decide(policy) {
            Deletion::Delete(plan) | Deletion::Retain(plan) => plan,
            other => panic!("{other:?}"),
        }
    }

    /// What is left after a deletion, which keeps to IAM's rules.
    fn left(&self, policy: DeletionPolicy) -> Observed {
        let mut iam = Iam::new(&self.desired, self.state.clone());
        iam.simulate(&self.plan(policy)).unwrap();
        iam.state
    }
}

fn actions(plan: &Plan) -> Vec<Vec<&'static str>> {
    let stage = |stage: &Vec<Step>| stage.iter().map(Step::action).collect();
    plan.stages.iter().map(stage).collect()
}

#[test]
fn everything_goes_in_two_stages() {
    let mut leaving = Leaving::new("{}");
    let role = leaving.state.role.as_mut().unwrap();
    role.attached
        .insert("arn:aws:iam::aws:policy/Theirs".into());
    role.inline.insert("theirs".into(), None);
    let policy = leaving.state.policy.as_mut().unwrap();
    policy.versions.insert("v0".into());
    let plan = leaving.plan(DeletionPolicy::Delete);
    assert_eq!(
        actions(&plan),
        [
            vec![
                "RemoveRoleFromInstanceProfile",
                "DetachRolePolicy",
                "DetachRolePolicy",
                "DeleteRolePolicy",
                "DeletePolicyVersion",
            ],
            vec!["DeleteInstanceProfile", "DeleteRole", "DeletePolicy"],
        ]
    );
    assert_eq!(leaving.left(DeletionPolicy::Delete), Observed::default());
    // Gone is released.
    leaving.state = Observed::default();
    leaving.users = Usage::default();
    for policy in [
        DeletionPolicy::Delete,
        DeletionPolicy::DeleteUnused,
        DeletionPolicy::Retain,
    ] {
        assert_eq!(leaving.decide(policy), Deletion::Release);
    }
}

#[test]
fn every_kind_of_object_goes_completely() {
    for spec in [
        "{policy: {type: Inline}}",
        "{principal: HybridActivation}",
        "{additionalPolicyArns: ['arn:aws:iam::aws:policy/A']}",
    ] {
        assert_eq!(
            Leaving::new(spec).left(DeletionPolicy::Delete),
            Observed::default(),
            "{spec}"
        );
    }
}

/// What a crash has left of an earlier deletion, or of a creation.
#[test]
fn what_is_half_there_goes_too() {
    for kind in 0..3 {
        let mut leaving = Leaving::new("{}");
        let state = &mut leaving.state;
        match kind {
            0 => {
                state.role = None;
                state.instance_profile.as_mut().unwrap().roles.clear();
                leaving.users = Usage::default();
            }
            1 => {
                state.policy = None;
                state.role.as_mut().unwrap().attached.clear();
                leaving.users.policy_users.clear();
            }
            _ => {
                state.instance_profile = None;
                leaving.users.role_in_profiles.clear();
            }
        }
        assert_eq!(leaving.left(DeletionPolicy::Delete), Observed::default());
    }
}

#[test]
fn retain_says_what_it_was_of_then_takes_our_tags_the_roles_last() {
    let leaving = Leaving::new("{tags: {env: prod}}");
    let plan = leaving.plan(DeletionPolicy::Retain);
    assert_eq!(
        actions(&plan),
        [
            vec!["TagPolicy", "TagInstanceProfile", "TagRole"],
            vec!["UntagPolicy", "UntagInstanceProfile"],
            vec!["UntagRole"]
        ]
    );
    let from = (RETAINED_FROM.to_owned(), "test/team/web".to_owned());
    for step in plan.steps() {
        match step {
            Step::Tag { tags, .. } => assert_eq!(*tags, [from.clone()].into()),
            Step::Untag { keys, .. } => assert_eq!(*keys, KEYS),
            _ => panic!("{step:?}"),
        }
    }
    let left = leaving.left(DeletionPolicy::Retain);
    let mut expected = leaving.state.clone();
    for tags in [
        &mut expected.role.as_mut().unwrap().tags,
        &mut expected.policy.as_mut().unwrap().tags,
        &mut expected.instance_profile.as_mut().unwrap().tags,
    ] {
        tags.retain(|key, _| key == "env");
        tags.insert(from.0.clone(), from.1.clone());
    }
    assert_eq!(left, expected);
    // After it nothing is ours, whoever else uses it meanwhile.
    let after = Leaving {
        state: left,
        ..leaving
    };
    assert_eq!(after.decide(DeletionPolicy::Retain), Deletion::Release);
    assert_eq!(after.decide(DeletionPolicy::Delete), Deletion::Release);
}

/// Who uses what we retain is none of our business.
#[test]
fn retain_is_never_blocked() {
    let mut leaving = Leaving::new("{}");
    leaving
        .users
        .policy_users
        .insert(PolicyUser::User("ann".into()));
    leaving.state.role.as_mut().unwrap().last_used = Some(NOW);
    assert!(matches!(
        leaving.decide(DeletionPolicy::Retain),
        Deletion::Retain(_)
    ));
}

#[test]
fn what_stands_in_the_way_is_named() {
    let mut leaving = Leaving::new("{}");
    leaving.users.role_in_profiles.insert("theirs".into());
    leaving.users.policy_users.extend([
        PolicyUser::Role("other".into()),
        PolicyUser::User("ann".into()),
        PolicyUser::Group("ops".into()),
    ]);
    let Deletion::Blocked(because) = leaving.decide(DeletionPolicy::Delete) else {
        panic!()
    };
    assert_eq!(
        because,
        [
            format!(
                "the role {ROLE_ARN} is in the instance profile theirs, which is not ours: take it out there"
            ),
            format!(
                "the policy {POLICY_ARN} is used by the role other, which is not ours: detach it there"
            ),
            format!(
                "the policy {POLICY_ARN} is used by the user ann, which is not ours: detach it there"
            ),
            format!(
                "the policy {POLICY_ARN} is used by the group ops, which is not ours: detach it there"
            ),
        ]
    );
}

#[test]
fn delete_unused_waits_a_day_after_the_last_use() {
    let mut leaving = Leaving::new("{}");
    let day = SignedDuration::from_hours(24);
    let second = SignedDuration::from_secs(1);
    for (ago, blocked) in [
        (SignedDuration::ZERO, true),
        (day - second, true),
        (day, false),
        (day * 30, false),
    ] {
        leaving.state.role.as_mut().unwrap().last_used = Some(NOW - ago);
        match leaving.decide(DeletionPolicy::DeleteUnused) {
            Deletion::Blocked(because) => {
                assert!(blocked, "{ago}");
                assert_eq!(because.len(), 1);
                assert!(
                    because[0].contains("used within the last 24 hours")
                        && because[0].contains("spec.deletionPolicy"),
                    "{because:?}"
                );
            }
            Deletion::Delete(_) => assert!(!blocked, "{ago}"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            leaving.decide(DeletionPolicy::Delete),
            Deletion::Delete(_)
        ));
    }
    leaving.state.role.as_mut().unwrap().last_used = None;
    assert_eq!(
        leaving.left(DeletionPolicy::DeleteUnused),
        Observed::default()
    );
}

/// Where one of the three is not ours, the others go and it stays as it is, but for our policy on
/// our role and our role in our profile.
#[test]
fn only_what_is_ours_goes() {
    let theirs = |tags: &mut Tags| {
        tags.insert(OWNER.into(), "other/web".into());
    };

    let mut policy = Leaving::new("{}");
    theirs(&mut policy.state.policy.as_mut().unwrap().tags);
    let left = policy.left(DeletionPolicy::Delete);
    assert_eq!(left.policy, policy.state.policy);
    assert_eq!((left.role, left.instance_profile), (None, None));
    let retained = policy.plan(DeletionPolicy::Retain);
    assert_eq!(
        actions(&retained),
        [
            vec!["TagInstanceProfile", "TagRole"],
            vec!["UntagInstanceProfile"],
            vec!["UntagRole"]
        ]
    );

    // Our role in a profile of theirs stands in the way, and so does our policy on a role of theirs.
    let mut profile = Leaving::new("{}");
    theirs(&mut profile.state.instance_profile.as_mut().unwrap().tags);
    let Deletion::Blocked(because) = profile.decide(DeletionPolicy::Delete) else {
        panic!()
    };
    assert!(
        because[0].contains("is in the instance profile team.web, which is not ours"),
        "{because:?}"
    );
    profile
        .state
        .instance_profile
        .as_mut()
        .unwrap()
        .roles
        .clear();
    profile.users.role_in_profiles.clear();
    let left = profile.left(DeletionPolicy::Delete);
    assert_eq!(left.instance_profile, profile.state.instance_profile);
    assert_eq!((left.role, left.policy), (None, None));

    let mut role = Leaving::new("{}");
    theirs(&mut role.state.role.as_mut().unwrap().tags);
    let Deletion::Blocked(because) = role.decide(DeletionPolicy::Delete) else {
        panic!()
    };
    assert!(
        because[0].contains("is used by the role team.web"),
        "{because:?}"
    );
    role.state.role.as_mut().unwrap().attached.clear();
    role.users.policy_users.clear();
    let left = role.left(DeletionPolicy::Delete);
    assert_eq!(left.role, role.state.role);
    assert_eq!((left.policy, left.instance_profile), (None, None));
}

#[test]
fn an_object_of_another_cluster_or_without_tags_is_not_ours() {
    for change in [
        |tags: &mut Tags| {
            tags.insert(CLUSTER.into(), "other".into());
        },
        Tags::clear,
    ] {
        let mut leaving = Leaving::new("{}");
        let state = &mut leaving.state;
        change(&mut state.role.as_mut().unwrap().tags);
        change(&mut state.policy.as_mut().unwrap().tags);
        change(&mut state.instance_profile.as_mut().unwrap().tags);
        // Even where adoption is asked for: who leaves takes nothing over.
        let consent = crate::ownership::ADOPTABLE_BY.to_owned();
        let role = state.role.as_mut().unwrap();
        role.tags.insert(consent, "test/team/web".into());
        assert_eq!(leaving.decide(DeletionPolicy::Delete), Deletion::Release);
    }
}

/// The id in status is another one, and so is the uid: someone made it anew.
#[test]
fn what_was_replaced_is_not_ours_and_what_was_restored_is() {
    for (id, uid, ours) in [
        ("another", "another", false),
        ("another", "", true),
        ("", "another", true),
    ] {
        let mut leaving = Leaving::new("{}");
        leaving.state.policy = None;
        leaving.state.instance_profile = None;
        leaving.users = Usage::default();
        let role = leaving.state.role.as_mut().unwrap();
        if !id.is_empty() {
            role.id = id.into();
        }
        if !uid.is_empty() {
            role.tags.insert(UID.into(), uid.into());
        }
        let decision = leaving.decide(DeletionPolicy::Delete);
        assert_eq!(
            matches!(decision, Deletion::Delete(_)),
            ours,
            "{id} {uid}: {decision:?}"
        );
    }
}
