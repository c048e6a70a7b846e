//! From any state of IAM to what any spec asks for, in at most two passes, with legal steps only.
//! The states are converged ones that someone has changed, plans broken off by a crash, and those
//! of another spec. The seed is fixed: what passes here passes everywhere.

mod any;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use smr_api::UnlistedPolicyAction;

use super::*;
use crate::canonical::Canonical;
use crate::ownership::ADOPTABLE_BY;
use crate::resolve::desired::PolicyHome;
use any::{changes, someone_does, spec, two_specs};

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(20_261_124),
        failure_persistence: None,
        max_global_rejects: 100_000,
        ..ProptestConfig::default()
    }
}

/// Whether IAM is as the spec says, judged without the plan. `others`: what was there before and
/// is not ours.
fn is_as_wanted(
    desired: &Desired,
    recorded: &Recorded,
    before: &Observed,
    state: &Observed,
) -> Result<(), TestCaseError> {
    let same = |found: &str, wanted: &str| {
        Canonical::parse(found).is_ok_and(|f| f.means_the_same(&Canonical::parse(wanted).unwrap()))
    };
    let tags = |kind: Kind,
                wanted: &smr_api::Tags,
                found: &smr_api::Tags,
                before: Option<&smr_api::Tags>,
                recorded: Option<&RecordedObject>| {
        let folded = |key: &String| match kind {
            Kind::Role => key.to_ascii_lowercase(),
            Kind::Policy | Kind::InstanceProfile => key.clone(),
        };
        let fold = |tags: &smr_api::Tags| -> BTreeMap<String, String> {
            tags.iter().map(|(k, v)| (folded(k), v.clone())).collect()
        };
        let managed: BTreeSet<String> = recorded
            .iter()
            .flat_map(|r| &r.managed_tag_keys)
            .map(folded)
            .collect();
        // Ours, and of what was there before all that we never set.
        let mut expected = before.map(fold).unwrap_or_default();
        expected.retain(|key, _| !managed.contains(key) && key != ADOPTABLE_BY);
        expected.extend(fold(wanted));
        prop_assert_eq!(fold(found), expected);
        Ok(())
    };
    let role = state.role.as_ref().unwrap();
    let role_before = before.role.as_ref();
    prop_assert!(same(&role.trust, &desired.role.trust));
    prop_assert_eq!(&role.description, &desired.role.description);
    prop_assert_eq!(role.max_session_duration, desired.role.max_session_duration);
    let boundary = desired
        .role
        .boundary
        .clone()
        .or_else(|| role_before.and_then(|r| r.boundary.clone()));
    prop_assert_eq!(&role.boundary, &boundary);
    tags(
        Kind::Role,
        &desired.role.tags,
        &role.tags,
        role_before.map(|r| &r.tags),
        recorded.role.as_ref(),
    )?;

    let (own, name) = (desired.policy_arn(), &desired.names.policy);
    let mut attached = desired.additional_policy_arns.clone();
    let mut inline = BTreeSet::new();
    if let (UnlistedPolicyAction::Report, Some(role)) = (desired.unlisted, role_before) {
        let listed = &recorded.additional_policy_arns;
        attached.extend(
            role.attached
                .iter()
                .filter(|a| !listed.contains(a) && **a != own)
                .cloned(),
        );
        inline.extend(role.inline.keys().filter(|n| *n != name).cloned());
    }
    match &desired.policy.home {
        PolicyHome::Managed { tags: wanted, .. } => {
            attached.insert(own);
            let policy = state.policy.as_ref().unwrap();
            prop_assert!(same(&policy.document, &desired.policy.document));
            tags(
                Kind::Policy,
                wanted,
                &policy.tags,
                before.policy.as_ref().map(|p| &p.tags),
                recorded.policy.as_ref(),
            )?;
        }
        PolicyHome::Inline => {
            inline.insert(name.clone());
            let document = role.inline[name].as_deref().unwrap();
            prop_assert!(same(document, &desired.policy.document));
            prop_assert_eq!(&state.policy, &None);
        }
    }
    prop_assert_eq!(&role.attached, &attached);
    prop_assert_eq!(role.inline.keys().cloned().collect::<BTreeSet<_>>(), inline);

    if let Some(wanted) = &desired.instance_profile {
        let profile = state.instance_profile.as_ref().unwrap();
        prop_assert_eq!(
            &profile.roles,
            &BTreeSet::from([desired.names.role.clone()])
        );
        let before = before.instance_profile.as_ref().map(|p| &p.tags);
        tags(
            Kind::InstanceProfile,
            &wanted.tags,
            &profile.tags,
            before,
            recorded.instance_profile.as_ref(),
        )?;
    } else {
        prop_assert_eq!(&state.instance_profile, &before.instance_profile);
    }
    Ok(())
}

/// Two passes, then nothing is left, and all is as the spec says.
fn converges(
    desired: &Desired,
    before: &Observed,
    start: Observed,
    recorded: &Recorded,
) -> Result<Observed, TestCaseError> {
    let mut iam = Iam::new(desired, start);
    for _ in 0..2 {
        let found = planned(desired, &iam.state, recorded);
        prop_assert_eq!(
            found.drift.is_empty(),
            found.plan.is_empty() && found.wait.is_none(),
            "words and steps go together: {:?}",
            found
        );
        iam.simulate(&found.plan).map_err(TestCaseError::fail)?;
    }
    let left = planned(desired, &iam.state, recorded);
    prop_assert!(
        left.plan.is_empty() && left.wait.is_none() && left.drift.is_empty(),
        "{:?}",
        left
    );
    is_as_wanted(desired, recorded, before, &iam.state)?;
    Ok(iam.state)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_others_change_is_put_right(desired in any::<bool>().prop_flat_map(spec), changes in changes()) {
        let (mut state, recorded) = converged(&desired);
        for change in changes {
            someone_does(&desired, &mut state, change);
        }
        converges(&desired, &state, state.clone(), &recorded)?;
    }

    #[test]
    fn one_spec_after_the_other((first, second) in two_specs(), changes in changes()) {
        let (mut state, recorded) = converged(&first);
        for change in changes {
            someone_does(&second, &mut state, change);
        }
        let state = converges(&second, &state, state.clone(), &recorded)?;
        // And back, with what status then knows.
        let status = converged_status(&second, &state, None);
        converges(&first, &state, state.clone(), &Recorded::of(Some(&status)))?;
    }

    /// A crash between any two calls leaves a state from which the next pass goes on.
    #[test]
    fn a_crash_anywhere(
        (first, second) in two_specs(),
        anew in any::<bool>(),
        changes in changes(),
        stages in 0..5_usize,
        half in prop::collection::vec(any::<bool>(), 12),
    ) {
        let (mut state, recorded) = if anew {
            (Observed::default(), Recorded::default())
        } else {
            converged(&first)
        };
        for change in changes {
            someone_does(&second, &mut state, change);
        }
        let mut iam = Iam::new(&second, state.clone());
        let plan = planned(&second, &iam.state, &recorded).plan;
        for stage in plan.stages.iter().take(stages) {
            iam.simulate_stage(stage).map_err(TestCaseError::fail)?;
        }
        if let Some(stage) = plan.stages.get(stages) {
            let done: Vec<Step> = stage.iter().zip(half).filter(|(_, done)| *done).map(|(step, _)| step.clone()).collect();
            if !done.is_empty() {
                iam.simulate_stage(&done).map_err(TestCaseError::fail)?;
            }
        }
        // Two passes for the rest, judged against what was there at first.
        let before = if state == Observed::default() { iam.state.clone() } else { state };
        converges(&second, &before, iam.state, &recorded)?;
    }
}
