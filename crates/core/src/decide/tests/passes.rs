//! Whole passes, round by round.

use super::*;

/// The looks of a first pass over an object.
fn first_look(scene: &Scene) -> Look {
    let goal = scene.goal(None);
    let mut known = scene.known();
    known.next_look(&goal, &scene.recent, scene.now).unwrap()
}

#[test]
fn only_a_first_creation_is_planned_without_a_reading() {
    let read = |anywhere: &[Kind]| Look::Read {
        after: Duration::ZERO,
        anywhere: anywhere.iter().copied().collect(),
    };
    let (converged, full) = Scene::converged("{}");
    let mut begun = Scene::new("{}");
    begun.is_begun = true;
    let mut written = Scene::new("{}");
    written.writes(&full);
    for (name, scene, expected) in [
        ("first", Scene::new("{}"), Look::Known(Box::default())),
        ("recorded", converged, read(&[])),
        ("begun by an earlier process", begun, read(&[])),
        ("written to a moment ago", written, read(&[])),
        ("mode Observe", Scene::new("{mode: Observe}"), read(&[])),
        (
            "to be adopted",
            Scene::new("{adoptionPolicy: WithConsent}"),
            read(&Kind::ALL),
        ),
    ] {
        assert_eq!(first_look(&scene), expected, "{name}");
    }
}

fn failed(class: FailureClass, decision: Remedy, step: Step) -> Failed {
    Failed {
        failure: Failure {
            class,
            action: format!("iam:{}", step.action()),
            resource: String::new(),
            code: "Code".into(),
            said: Said::in_own_words("said"),
            way_out: None,
        },
        step,
        explanation: Explanation::None,
        decision,
    }
}

/// A first creation that IAM refuses with this, as long as the pass goes on.
fn creation_refused(
    class: FailureClass,
    decision: Remedy,
) -> (String, Vec<Duration>, BTreeSet<Kind>) {
    let scene = Scene::new("{}");
    let goal = scene.goal(None);
    let mut known = scene.known();
    let (mut pauses, mut last) = (Vec::new(), BTreeSet::new());
    while let Some(look) = known.next_look(&goal, &scene.recent, scene.now) {
        if let Look::Read { after, anywhere } = look {
            pauses.push(after);
            last = anywhere;
        }
        let nothing = Observed::default();
        let planned = plan(&goal.desired, &nothing, &Recorded::default(), None).unwrap();
        known.begins(&planned);
        let step = planned.plan.steps().next().unwrap().clone();
        let failed = vec![failed(class, decision, step)];
        known.applied(
            &goal,
            &planned,
            &settled(nothing.clone()),
            nothing.clone(),
            failed,
        );
    }
    let end = known.give_up(&goal);
    let requeue = format!("{:?}", end.requeue);
    (
        format!("{}, {requeue}", said(end.outcome.as_ref())),
        pauses,
        last,
    )
}

#[test]
fn a_refusal_ends_the_pass_or_has_iam_read_again_a_few_times() {
    let (end, pauses, _) = creation_refused(FailureClass::AccessDenied, Remedy::Stall);
    assert_eq!(end, "Failed AccessDenied Stall, AfterFailure(Stall)");
    assert!(pauses.is_empty(), "no other look");
    let (end, pauses, anywhere) = creation_refused(FailureClass::AlreadyExists, Remedy::LookAgain);
    assert_eq!(end, "Failed AlreadyExists Stall, AfterFailure(Stall)");
    assert_eq!(pauses, [200, 400, 800, 1600].map(Duration::from_millis));
    assert_eq!(anywhere, [Kind::Role].into(), "a taken name is looked for");
    let (end, _, anywhere) = creation_refused(FailureClass::Unavailable, Remedy::LookAgain);
    assert_eq!(end, "Failed Unavailable Retry, AfterFailure(Retry)");
    assert_eq!(anywhere, BTreeSet::new());
}

#[test]
fn a_first_creation_ends_on_what_was_written() {
    let scene = Scene::new("{}");
    let goal = scene.goal(None);
    let mut known = scene.known();
    let mut decisions = Vec::new();
    while let Some(look) = known.next_look(&goal, &scene.recent, scene.now) {
        let Look::Known(seen) = look else {
            panic!("nothing is read: {look:?}")
        };
        let planned = plan(&goal.desired, &seen.state, &known.recorded, None);
        let decision = decide(&goal, &seen, &planned, &known, &scene.recent, scene.now);
        decisions.push(words(&decision));
        let Decision::Write(planned) = decision else {
            break;
        };
        known.begins(planned);
        let mut state = seen.state.clone();
        after(&mut state, &goal, &planned.plan);
        known.applied(&goal, planned, &seen, state, Vec::new());
    }
    assert_eq!(
        decisions,
        [CREATION, "end: Converged after Creating, InSync"]
    );
}

#[test]
fn a_plan_that_leaves_work_has_iam_read_again() {
    let (scene, full) = Scene::converged("{}");
    let goal = scene.goal(None);
    let mut known = scene.known();
    let drifted = drifted(full);
    let planned = plan(&goal.desired, &drifted, &known.recorded, None).unwrap();
    known.begins(&planned);
    known.applied(
        &goal,
        &planned,
        &settled(drifted.clone()),
        drifted.clone(),
        Vec::new(),
    );
    let Some(Look::Known(seen)) = known.next_look(&goal, &scene.recent, scene.now) else {
        panic!()
    };
    assert_eq!(scene.decides_on(&seen, &mut known), "read again");
    let look = known.next_look(&goal, &scene.recent, scene.now);
    assert!(matches!(look, Some(Look::Read { .. })), "{look:?}");
}

#[test]
fn a_reading_holds_as_long_as_the_names_do() {
    for (path, is_read_again) in [("/session-manager/", false), ("/elsewhere/", true)] {
        let mut scene = Scene::new("{adoptionPolicy: WithConsent}");
        let (_, mut state) = Scene::converged("{}");
        let role = state.role.as_mut().unwrap();
        role.arn = format!("arn:aws:iam::111122223333:role{path}team.web");
        role.tags = [(ADOPTABLE_BY.to_owned(), "test/team/web".to_owned())].into();
        state.policy = None;
        state.instance_profile = None;
        let limits = {
            let mut limits = Limits::new("test");
            limits.allowed_paths = vec![path.to_owned()];
            limits
        };
        let goal = |live: Option<&Live>| {
            let spec = serde_saphyr::from_str(scene.spec).unwrap();
            resolve(&spec, &subject(), None, &account(), &limits, live).unwrap()
        };
        let mut known = scene.known();
        let first = goal(None);
        known.next_look(&first, &scene.recent, scene.now).unwrap();
        let seen = settled(state);
        let decision = scene.decides_on(&seen, &mut known);
        assert_eq!(decision, format!("learn: live under {path}"));
        known.learn(first.live(&seen.state), &first, seen);
        let again = goal(known.live());
        let look = known.next_look(&again, &scene.recent, scene.now).unwrap();
        assert_eq!(matches!(look, Look::Read { .. }), is_read_again, "{path}");
        scene.generation += 1;
    }
}

/// The policy's type has changed, and the new one is in place beside the former.
fn switched() -> (Scene, Observed, Resolved) {
    let (mut scene, mut state) = Scene::converged("{}");
    scene.generation = 2;
    scene.spec = "{policy: {type: Inline}}";
    let goal = scene.goal(None);
    let planned = plan(&goal.desired, &state, &scene.known().recorded, None).unwrap();
    after(&mut state, &goal, &planned.plan);
    (scene, state, goal)
}

#[test]
fn the_former_policy_waits_for_its_end_across_passes() {
    let (mut scene, state, _) = switched();
    assert_eq!(scene.decides(&state), "end: Waiting Updating, Overlap");
    let wait = Requeue::Overlap(Duration::from_secs(30));
    scene.carried.ends(&wait, scene.now.wall);
    scene.now = at(29);
    scene.carried.ends(&wait, scene.now.wall);
    assert_eq!(
        scene.decides(&state),
        "end: Waiting Updating, Overlap",
        "its time does not begin again"
    );
    scene.now = at(30);
    assert_eq!(
        scene.decides(&state),
        "write: DetachRolePolicy DeletePolicy"
    );
}

/// Somebody may have detached the new policy a moment after the controller attached it: then a reading
/// without it looks like a stale one.
#[test]
fn a_reading_with_stale_parts_is_no_proof() {
    let (mut scene, mut state, goal) = switched();
    scene.carried.new_policy_since = Some(scene.now.wall);
    scene.now = at(30);
    let in_part = |state: &Observed| Seen {
        state: state.clone(),
        stale_parts: true,
    };
    assert_eq!(
        scene.decides_on(&in_part(&state), &mut scene.known()),
        "end: Waiting Updating, Overlap",
        "the former policy stays"
    );
    let goes = plan(
        &goal.desired,
        &state,
        &scene.known().recorded,
        Some(Duration::from_mins(1)),
    );
    after(&mut state, &goal, &goes.unwrap().plan);
    assert_eq!(
        scene.decides_on(&in_part(&state), &mut scene.known()),
        "end: silent, Soon",
        "the spec is not said to be reached"
    );
    assert_eq!(scene.decides(&state), "end: Converged, InSync");
    // What is published already stays so.
    scene.generation = 1;
    scene.spec = "{}";
    let (_, full) = Scene::converged("{}");
    assert_eq!(
        scene.decides_on(&in_part(&full), &mut scene.known()),
        "end: Converged, StaleParts"
    );
}

/// Nor does what was written on such a reading make a proof of it.
#[test]
fn what_is_written_on_a_reading_with_stale_parts_is_read_once_more() {
    let (mut scene, state) = Scene::converged("{}");
    scene.generation = 2;
    scene.spec = "{role: {description: other}}";
    let goal = scene.goal(None);
    let mut known = scene.known();
    let read = Seen {
        state: state.clone(),
        stale_parts: true,
    };
    let planned = plan(&goal.desired, &state, &known.recorded, None).unwrap();
    known.begins(&planned);
    let mut written = state;
    after(&mut written, &goal, &planned.plan);
    known.applied(&goal, &planned, &read, written, Vec::new());
    let Some(Look::Known(seen)) = known.next_look(&goal, &scene.recent, scene.now) else {
        panic!("it is known");
    };
    assert_eq!(scene.decides_on(&seen, &mut known), "end: silent, Soon");
}

#[test]
fn what_is_in_sync_is_known_until_the_pass_writes() {
    let (scene, full) = Scene::converged("{}");
    let seen = settled(full);
    let mut known = scene.known();
    let long = known.new_policy_for(&seen, scene.now.wall);
    assert_eq!(long, Some(Duration::from_secs(5000)));
    known.begins(&Planned::default());
    assert_eq!(known.new_policy_for(&seen, scene.now.wall), None);
}

#[test]
fn a_repair_that_takes_more_than_one_pass_is_published_as_one() {
    let (mut scene, full) = Scene::converged("{}");
    let goal = scene.goal(None);
    let mut known = scene.known();
    let drifted = drifted(full.clone());
    let planned = plan(&goal.desired, &drifted, &known.recorded, None).unwrap();
    known.begins(&planned);
    let step = planned.plan.steps().next().unwrap().clone();
    let refused = failed(FailureClass::Throttled, Remedy::Retry, step);
    known.applied(
        &goal,
        &planned,
        &settled(drifted.clone()),
        full.clone(),
        vec![refused],
    );
    let end = known.give_up(&goal);
    assert_eq!(said(end.outcome.as_ref()), "Failed Throttled Retry");
    let requeue = end.requeue.clone();
    known.carried.ends(&requeue, scene.now.wall);
    scene.carried = known.carried;
    assert_eq!(
        scene.decides(&full),
        "end: Converged after Repairing, InSync"
    );
    scene.carried.ends(&Requeue::InSync, scene.now.wall);
    assert!(scene.carried.is_blank());
}

/// The API server took the status of a creation, and its answer was lost.
#[test]
fn a_creation_whose_publication_was_lost_is_no_repair() {
    let (mut scene, full) = Scene::converged("{}");
    scene.carried.unpublished = Some(Unpublished {
        activity: Activity::Creating,
        drift: Differences::default(),
    });
    let goal = scene.goal(None);
    assert_eq!(
        scene.decides(&full),
        "end: Converged after Creating, InSync"
    );
    // But a repair since then is published as one, without what was created before.
    let mut known = scene.known();
    let drifted = drifted(full.clone());
    let planned = plan(&goal.desired, &drifted, &known.recorded, None).unwrap();
    known.begins(&planned);
    known.applied(
        &goal,
        &planned,
        &settled(drifted.clone()),
        full.clone(),
        Vec::new(),
    );
    let seen = settled(full);
    assert_eq!(
        scene.decides_on(&seen, &mut known),
        "end: Converged after Repairing, InSync"
    );
    let repaired = known.carried.unpublished.unwrap();
    assert_eq!(repaired.drift.len(), planned.drift.len());
}

#[test]
fn an_old_condition_is_older_than_the_window() {
    let condition = |second: i64| Condition {
        type_: "Ready".to_owned(),
        status: "True".to_owned(),
        reason: "Converged".to_owned(),
        message: String::new(),
        observed_generation: Some(1),
        last_transition_time: Time(at(second).wall),
    };
    for (second, is_open) in [(-59, true), (-61, false)] {
        let status = SessionManagerRoleStatus {
            conditions: vec![condition(second)],
            ..Default::default()
        };
        let window = restart_window(Some(&status), at(0).wall);
        assert_eq!(window.is_some(), is_open, "{second}");
        assert!(window.is_none_or(|left| left < SignedDuration::from_secs(60)));
    }
}
