//! `policy.type` both ways: the new one first, the former one only after the overlap.

use super::*;

const MANAGED: &str = "{}";
const INLINE: &str = "{policy: {type: Inline}}";

/// Converged as `from`, then the spec asks for `to`.
fn changed(from: &str, to: &str) -> (Desired, Observed, Recorded) {
    let (state, recorded) = converged(&wanted(from));
    (wanted(to), state, recorded)
}

fn is_in_place(desired: &Desired, state: &Observed) -> (bool, bool) {
    let role = state.role.as_ref().unwrap();
    (
        role.attached.contains(&desired.policy_arn()) && state.policy.is_some(),
        role.inline.contains_key(&desired.names.policy),
    )
}

#[test]
fn the_new_one_comes_first_and_the_former_goes_after_the_overlap() {
    for (from, to, told, first, last) in [
        (
            MANAGED,
            INLINE,
            "Policy type: the managed policy arn:aws:iam::111122223333:policy/session-manager/team.web was there beside the inline one, should not be",
            vec![vec!["PutRolePolicy team.web team.web POLICY"]],
            vec![
                vec![
                    "DetachRolePolicy team.web arn:aws:iam::111122223333:policy/session-manager/team.web",
                ],
                vec!["DeletePolicy arn:aws:iam::111122223333:policy/session-manager/team.web"],
            ],
        ),
        (
            INLINE,
            MANAGED,
            "Policy type: the inline policy team.web was there beside the managed one, should not be",
            vec![
                vec![
                    "CreatePolicy /session-manager/team.web POLICY \"Session Manager permissions of SessionManagerRole team/web in cluster test\", tags OWNERSHIP",
                ],
                vec![
                    "AttachRolePolicy team.web arn:aws:iam::111122223333:policy/session-manager/team.web",
                ],
            ],
            vec![vec!["DeleteRolePolicy team.web team.web"]],
        ),
    ] {
        let (desired, state, recorded) = changed(from, to);
        // However long something is remembered to be in place: it is not, so it comes first.
        for since in [None, LONG_AGO] {
            let found = plan(&desired, &state, &recorded, since).unwrap();
            assert_eq!(steps(&desired, &found.plan), first);
            assert_eq!(found.wait, Some(POLICY_OVERLAP));
        }
        let mut iam = Iam::new(&desired, state);
        iam.simulate(&planned(&desired, &iam.state, &recorded).plan)
            .unwrap();
        assert_eq!(is_in_place(&desired, &iam.state), (true, true));
        // Both are there: nothing is written until the overlap has passed, and it is told.
        for (since, wait) in [(None, 30), (Some(0), 30), (Some(10), 20), (Some(29), 1)] {
            let since = since.map(Duration::from_secs);
            let found = plan(&desired, &iam.state, &recorded, since).unwrap();
            assert!(found.plan.is_empty(), "{since:?}: {found:?}");
            assert_eq!(found.wait, Some(Duration::from_secs(wait)), "{since:?}");
            assert_eq!(sentences(&found), [told], "{since:?}");
        }
        let found = plan(&desired, &iam.state, &recorded, Some(POLICY_OVERLAP)).unwrap();
        assert_eq!(steps(&desired, &found.plan), last);
        assert_eq!(found.wait, None);
        assert_eq!(sentences(&found), [told]);
        iam.simulate(&found.plan).unwrap();
        assert_eq!(
            is_in_place(&desired, &iam.state),
            (to == MANAGED, to == INLINE)
        );
        assert_eq!(planned(&desired, &iam.state, &recorded), Planned::default());
    }
}

#[test]
fn the_former_managed_policy_takes_its_versions_with_it() {
    let (desired, mut state, recorded) = changed(MANAGED, INLINE);
    let policy = state.policy.as_mut().unwrap();
    policy.versions = ["v2", "v3", "v10"].map(str::to_owned).into();
    policy.default_version = "v10".into();
    let mut iam = Iam::new(&desired, state);
    iam.simulate(&planned(&desired, &iam.state, &recorded).plan)
        .unwrap();
    let found = planned(&desired, &iam.state, &recorded);
    assert_eq!(found.plan.stages.len(), 2);
    iam.simulate(&found.plan).unwrap();
    assert_eq!(iam.state.policy, None);
}

/// A new policy that has to be put right first starts the overlap anew.
#[test]
fn a_new_policy_that_is_not_as_it_should_be_keeps_the_former_one() {
    let (desired, state, recorded) = changed(MANAGED, INLINE);
    let mut iam = Iam::new(&desired, state);
    iam.simulate(&planned(&desired, &iam.state, &recorded).plan)
        .unwrap();
    let role = iam.state.role.as_mut().unwrap();
    role.inline
        .insert("team.web".into(), Some(r#"{"Statement":[]}"#.into()));
    let found = planned(&desired, &iam.state, &recorded);
    assert_eq!(
        steps(&desired, &found.plan),
        [["PutRolePolicy team.web team.web POLICY"]]
    );
    assert_eq!(found.wait, Some(POLICY_OVERLAP));
}

/// With an inline policy, a managed one of that name is somebody else's business, unless it is a
/// former one of ours or hangs on our role.
#[test]
fn a_foreign_managed_policy_of_the_name_does_not_disturb_an_inline_one() {
    let desired = wanted(INLINE);
    let (mut state, recorded) = converged(&desired);
    let mut foreign = converged(&wanted(MANAGED)).0.policy.unwrap();
    foreign.tags.clear();
    state.policy = Some(foreign);
    assert_eq!(planned(&desired, &state, &recorded), Planned::default());
}

/// With a lost status, what hangs on our role and is ours by its tags is a former policy of ours;
/// what hangs there and is not ours stops everything.
#[test]
fn a_former_managed_policy_is_known_by_where_it_hangs() {
    let (desired, state, _) = changed(MANAGED, INLINE);
    let mut iam = Iam::new(&desired, state.clone());
    for _ in 0..2 {
        let found = planned(&desired, &iam.state, &Recorded::default());
        iam.simulate(&found.plan).unwrap();
    }
    assert_eq!(iam.state.policy, None);
    let mut foreign = state;
    foreign.policy.as_mut().unwrap().tags.clear();
    let refusals = plan(&desired, &foreign, &Recorded::default(), LONG_AGO).unwrap_err();
    assert_eq!(refusals[0].kind, Kind::Policy);
}

/// Consent is to being adopted: a former policy that is not stamped yet is stamped before it goes.
#[test]
fn a_former_policy_under_consent_is_stamped_before_it_goes() {
    let (_, mut state, recorded) = changed(MANAGED, INLINE);
    let desired = wanted("{policy: {type: Inline}, adoptionPolicy: WithConsent}");
    let policy = state.policy.as_mut().unwrap();
    policy.tags = [(
        crate::ownership::ADOPTABLE_BY.to_owned(),
        "test/team/web".to_owned(),
    )]
    .into();
    let mut iam = Iam::new(&desired, state);
    for _ in 0..2 {
        let found = planned(&desired, &iam.state, &recorded);
        iam.simulate(&found.plan).unwrap();
    }
    assert_eq!(iam.state.policy, None);
}
