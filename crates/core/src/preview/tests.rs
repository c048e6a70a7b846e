use super::*;
use crate::account::Partition;
use crate::limits::Limits;
use crate::names::ObjectRef;
use crate::observed::ObservedInstanceProfile;
use crate::resolve::resolve;

fn wanted_of(spec: &str) -> Resolved {
    let spec = serde_saphyr::from_str(spec).unwrap();
    let subject = ObjectRef {
        namespace: "team".into(),
        name: "web".into(),
        uid: "u".into(),
    };
    let account = Account {
        id: "111122223333".into(),
        partition: Partition::Aws,
    };
    resolve(&spec, &subject, None, &account, &Limits::new("prod"), None).unwrap()
}

#[test]
fn nothing_is_left_once_it_has_converged() {
    let wanted = wanted_of("{sessionLogs: {cloudWatch: {}}}");
    let (state, recorded) = converged(&wanted);
    let Preview::Steps {
        planned,
        later,
        after,
    } = preview(&wanted, &state, &recorded)
    else {
        panic!()
    };
    assert_eq!(*after, state);
    assert!(planned.plan.is_empty() && later.is_empty());
}

#[test]
fn a_change_of_the_policys_type_has_a_second_part() {
    let (before, recorded) = converged(&wanted_of("{}"));
    let inline = wanted_of("{policy: {type: Inline}}");
    let Preview::Steps {
        planned,
        later,
        after,
    } = preview(&inline, &before, &recorded)
    else {
        panic!()
    };
    let actions = |plan: &Plan| plan.steps().map(Step::action).collect::<Vec<_>>();
    assert_eq!(actions(&planned.plan), ["PutRolePolicy"]);
    assert_eq!(actions(&later), ["DetachRolePolicy", "DeletePolicy"]);
    assert!(after.policy.is_none());
}

#[test]
fn a_refusal_of_a_first_creation_comes_after_creations() {
    let wanted = wanted_of("{}");
    let observed = Observed {
        instance_profile: Some(ObservedInstanceProfile {
            arn: "arn:aws:iam::111122223333:instance-profile/team.web".into(),
            id: "AIPA".into(),
            name: "team.web".into(),
            tags: crate::Tags::new(),
            created: None,
            roles: [].into(),
        }),
        ..Observed::default()
    };
    let Preview::Refuses { refusals, before } = preview(&wanted, &observed, &Recorded::default())
    else {
        panic!()
    };
    assert_eq!(refusals.len(), 1);
    let actions: Vec<_> = before.iter().map(Step::action).collect();
    assert_eq!(actions, ["CreateRole", "CreatePolicy"]);
    let observe = wanted_of("{mode: Observe}");
    let Preview::Refuses { before, .. } = preview(&observe, &observed, &Recorded::default()) else {
        panic!()
    };
    assert!(before.is_empty());
}

#[test]
fn observe_tells_and_writes_nothing() {
    let wanted = wanted_of("{mode: Observe}");
    let Preview::Tells(planned) = preview(&wanted, &Observed::default(), &Recorded::default())
    else {
        panic!()
    };
    assert!(!planned.drift.is_empty());
}

#[test]
fn another_account_is_seen() {
    let wanted = wanted_of("{}");
    let (mut observed, _) = converged(&wanted);
    if let Some(role) = &mut observed.role {
        role.arn = "arn:aws:iam::444455556666:role/session-manager/team.web".into();
    }
    assert!(matches!(
        preview(&wanted, &observed, &Recorded::default()),
        Preview::ElsewhereFound(other) if other.id == "444455556666"
    ));
}

#[test]
fn tags_that_leave_spec_are_seen_to_go() {
    let (state, recorded) = converged(&wanted_of("{tags: {a: b}}"));
    let Preview::Steps { planned, .. } = preview(&wanted_of("{}"), &state, &recorded) else {
        panic!()
    };
    let actions: Vec<_> = planned.plan.steps().map(Step::action).collect();
    assert_eq!(
        actions,
        ["UntagRole", "UntagPolicy", "UntagInstanceProfile"]
    );
}

#[test]
fn an_adopted_role_is_stamped_before_what_is_missing_is_created() {
    let spec = "{adoptionPolicy: WithConsent}";
    let (mut state, _) = converged(&wanted_of(spec));
    state.policy = None;
    state.instance_profile = None;
    if let Some(role) = &mut state.role {
        role.attached.clear();
        role.tags = [(
            "sessionmanager.dev/adoptable-by".to_owned(),
            "prod/team/web".to_owned(),
        )]
        .into();
    }
    let Preview::Steps { planned, .. } = preview(&wanted_of(spec), &state, &Recorded::default())
    else {
        panic!()
    };
    let stages: Vec<Vec<_>> = planned
        .plan
        .stages
        .iter()
        .map(|s| s.iter().map(Step::action).collect())
        .collect();
    assert_eq!(
        stages,
        [
            vec!["TagRole"],
            vec!["CreatePolicy", "CreateInstanceProfile"],
            vec!["AttachRolePolicy", "AddRoleToInstanceProfile"],
            vec!["UntagRole"],
        ]
    );
}
