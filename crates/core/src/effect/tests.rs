//! Each step on a state where it makes a difference.

use super::*;
use crate::plan::tests::{converged, wanted};
use crate::step::{PolicyStep, ProfileStep, RoleStep};

fn state() -> Observed {
    converged(&wanted("{tags: {env: prod}}")).0
}

/// The state after one step, and the one expected: the state before, changed.
fn check(step: &Step, reply: &Reply, expected: impl FnOnce(&mut Observed)) {
    let before = state();
    let mut after = before.clone();
    simulate(&mut after, step, reply);
    let mut wanted = before.clone();
    expected(&mut wanted);
    assert_ne!(wanted, before, "{step:?}: the expectation is no change");
    assert_eq!(after, wanted, "{step:?}");
}

fn role(state: &mut Observed) -> &mut ObservedRole {
    state.role.as_mut().unwrap()
}

fn policy(state: &mut Observed) -> &mut ObservedPolicy {
    state.policy.as_mut().unwrap()
}

fn profile(state: &mut Observed) -> &mut ObservedInstanceProfile {
    state.instance_profile.as_mut().unwrap()
}

const NAME: &str = "team.web";
const ARN: &str = "arn:aws:iam::111122223333:policy/session-manager/team.web";

#[test]
fn what_changes_a_role() {
    let (done, name) = (&Reply::Done, || NAME.to_owned());
    let attach = Step::Role(RoleStep::AttachPolicy {
        role: name(),
        policy_arn: "x".into(),
    });
    check(&attach, done, |s| {
        role(s).attached.insert("x".into());
    });
    let detach = Step::Role(RoleStep::DetachPolicy {
        role: name(),
        policy_arn: ARN.into(),
    });
    check(&detach, done, |s| role(s).attached.clear());
    let put = Step::Role(RoleStep::PutPolicy {
        role: name(),
        policy: "p".into(),
        document: "{}".into(),
    });
    check(&put, done, |s| {
        role(s).inline.insert("p".into(), Some("{}".into()));
    });
    let trust = Step::Role(RoleStep::UpdateTrust {
        role: name(),
        trust: "{}".into(),
    });
    check(&trust, done, |s| role(s).trust = "{}".into());
    let update = Step::Role(RoleStep::Update {
        role: name(),
        description: "d".into(),
        max_session_duration: 7200,
    });
    check(&update, done, |s| {
        role(s).description = "d".into();
        role(s).max_session_duration = 7200;
    });
    let boundary = Step::Role(RoleStep::PutBoundary {
        role: name(),
        boundary: "b".into(),
    });
    check(&boundary, done, |s| role(s).boundary = Some("b".into()));
    let delete = Step::Role(RoleStep::Delete { role: name() });
    check(&delete, done, |s| s.role = None);
}

#[test]
fn what_changes_a_policy() {
    let version = Step::Policy(PolicyStep::CreateVersion {
        policy_arn: ARN.into(),
        document: "{}".into(),
    });
    check(&version, &Reply::Version("v2".into()), |s| {
        policy(s).versions.insert("v2".into());
        policy(s).default_version = "v2".into();
        policy(s).document = "{}".into();
    });
    let gone = Step::Policy(PolicyStep::DeleteVersion {
        policy_arn: ARN.into(),
        version: "v1".into(),
    });
    check(&gone, &Reply::Done, |s| policy(s).versions.clear());
    let delete = Step::Policy(PolicyStep::Delete {
        policy_arn: ARN.into(),
    });
    check(&delete, &Reply::Done, |s| s.policy = None);
}

#[test]
fn what_changes_an_instance_profile() {
    let out = Step::InstanceProfile(ProfileStep::RemoveRole {
        profile: NAME.into(),
        role: NAME.into(),
    });
    check(&out, &Reply::Done, |s| profile(s).roles.clear());
    let into = Step::InstanceProfile(ProfileStep::AddRole {
        profile: NAME.into(),
        role: "x".into(),
    });
    check(&into, &Reply::Done, |s| {
        profile(s).roles.insert("x".into());
    });
    let delete = Step::InstanceProfile(ProfileStep::Delete {
        profile: NAME.into(),
    });
    check(&delete, &Reply::Done, |s| s.instance_profile = None);
}

#[test]
fn tags_go_where_they_are_put() {
    type Tags = fn(&mut Observed) -> &mut smr_api::Tags;
    let every: [(Target, Tags); 3] = [
        (Target::Role(NAME.into()), |s| &mut role(s).tags),
        (Target::Policy(ARN.into()), |s| &mut policy(s).tags),
        (Target::InstanceProfile(NAME.into()), |s| {
            &mut profile(s).tags
        }),
    ];
    for (target, tags) in every {
        let set = [
            ("a".to_owned(), "1".to_owned()),
            ("env".to_owned(), "test".to_owned()),
        ];
        let tag = Step::Tag {
            target: target.clone(),
            tags: set.clone().into(),
        };
        check(&tag, &Reply::Done, |s| tags(s).extend(set));
        let untag = Step::Untag {
            target: target.clone(),
            keys: vec!["env".into(), "none".into()],
        };
        check(&untag, &Reply::Done, |s| {
            tags(s).remove("env");
        });
        // IAM keeps the spelling that a role's key has; elsewhere it is another key.
        let case = Step::Tag {
            target: target.clone(),
            tags: [("ENV".to_owned(), "x".to_owned())].into(),
        };
        check(&case, &Reply::Done, |s| {
            let key = if matches!(target, Target::Role(_)) {
                "env"
            } else {
                "ENV"
            };
            tags(s).insert(key.into(), "x".into());
        });
    }
}

/// The ids that IAM gave are what status records.
#[test]
fn what_is_created_is_as_the_reply_names_it() {
    let tags: smr_api::Tags = [("a".to_owned(), "1".to_owned())].into();
    let created = Reply::Created {
        arn: "arn".into(),
        id: "ID".into(),
    };
    let mut found = Observed::default();
    for step in [
        Step::Role(RoleStep::Create {
            path: "/".into(),
            name: "r".into(),
            trust: "{}".into(),
            description: "d".into(),
            max_session_duration: 7200,
            boundary: Some("b".into()),
            tags: tags.clone(),
        }),
        Step::Policy(PolicyStep::Create {
            path: "/".into(),
            name: "p".into(),
            document: "{}".into(),
            description: "d".into(),
            tags: tags.clone(),
        }),
        Step::InstanceProfile(ProfileStep::Create {
            path: "/".into(),
            name: "i".into(),
            tags: tags.clone(),
        }),
    ] {
        let before = found.clone();
        // Without an id nothing is known, and the next reading tells.
        simulate(&mut found, &step, &Reply::Done);
        assert_eq!(found, before);
        simulate(&mut found, &step, &created);
        assert_ne!(found, before);
    }
    let expected = Observed {
        role: Some(ObservedRole {
            arn: "arn".into(),
            id: "ID".into(),
            name: "r".into(),
            trust: "{}".into(),
            description: "d".into(),
            max_session_duration: 7200,
            boundary: Some("b".into()),
            tags: tags.clone(),
            last_used: None,
            created: None,
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
        }),
        policy: Some(ObservedPolicy {
            arn: "arn".into(),
            id: "ID".into(),
            name: "p".into(),
            tags: tags.clone(),
            created: None,
            default_version: "v1".into(),
            document: "{}".into(),
            versions: ["v1".to_owned()].into(),
        }),
        instance_profile: Some(ObservedInstanceProfile {
            arn: "arn".into(),
            id: "ID".into(),
            name: "i".into(),
            tags,
            created: None,
            roles: BTreeSet::new(),
        }),
    };
    assert_eq!(found, expected);
}
