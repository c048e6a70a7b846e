//! What a round decides, as a table: what IAM shows and what is known in, the decision in words out.
//! Whole passes, round by round, are in [`passes`]. Goals come from specs in YAML through the real resolve step.

mod passes;

use std::collections::BTreeSet;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use smr_api::SessionManagerRoleStatus;

use super::*;
use crate::difference::Differences;
use crate::failure::{Failure, FailureClass, Said};
use crate::kind::Kind;
use crate::limits::Limits;
use crate::ownership::{ADOPTABLE_BY, UID};
use crate::plan::tests::iam::Iam;
use crate::plan::{Recorded, plan};
use crate::refusal::{Explanation, Failed};
use crate::resolve::resolve;
use crate::resolve::validate::tests::{account, subject};
use crate::step::RoleStep;
use crate::summary::{Object, summarize};

fn at(second: i64) -> Moment {
    let at = Timestamp::from_second(1_795_593_600 + second).unwrap();
    Moment {
        wall: at,
        steady: at,
    }
}

/// One object, the process that works on it, and what IAM shows.
struct Scene {
    spec: &'static str,
    status: Option<SessionManagerRoleStatus>,
    generation: i64,
    is_begun: bool,
    carried: Carried,
    recent: RecentWrites,
    now: Moment,
}

impl Scene {
    /// Nothing was ever done for it, by a process that has run for long.
    fn new(spec: &'static str) -> Self {
        Self {
            spec,
            status: None,
            generation: 1,
            is_begun: false,
            carried: Carried::default(),
            recent: RecentWrites::new(at(-10_000).steady),
            now: at(0),
        }
    }

    /// Converged long ago; what IAM holds since.
    fn converged(spec: &'static str) -> (Self, Observed) {
        let mut scene = Self::new(spec);
        let goal = scene.goal(None);
        let state = created(&goal);
        let converged = Outcome::Converged {
            facts: Facts::of(&goal, &state),
            done: None,
            unlisted: &[],
        };
        let object = Object {
            generation: 1,
            status: None,
            reconcile_request: None,
        };
        scene.status = Some(summarize(object, at(-5000).wall, &converged).status);
        scene.is_begun = true;
        (scene, state)
    }

    fn goal(&self, live: Option<&Live>) -> Resolved {
        let spec = serde_saphyr::from_str(self.spec).unwrap();
        let (subject, limits) = (subject(), Limits::new("test"));
        let status = self.status.as_ref();
        resolve(&spec, &subject, status, &account(), &limits, live).unwrap()
    }

    fn known(&self) -> Known {
        let carried = self.carried.clone();
        Known::at_start(
            self.status.as_ref(),
            self.generation,
            self.is_begun,
            carried,
        )
    }

    /// The process writes to the role's name now.
    fn writes(&mut self, state: &Observed) {
        let step = Step::Role(RoleStep::Update {
            role: "team.web".to_owned(),
            description: String::new(),
            max_session_duration: 3600,
        });
        let now = self.now.steady;
        (self.recent).wrote(now, &account().id, &step, state, state);
    }

    /// The process began a moment ago.
    fn begun_just_now(mut self) -> Self {
        self.recent = RecentWrites::new(self.now.steady);
        self
    }

    /// What one round decides on this state.
    fn decides(&self, state: &Observed) -> String {
        self.decides_on(&settled(state.clone()), &mut self.known())
    }

    fn decides_on(&self, seen: &Seen, known: &mut Known) -> String {
        let goal = self.goal(known.live());
        let since = known.new_policy_for(seen, self.now.wall);
        let planned = plan(&goal.desired, &seen.state, &known.recorded, since);
        words(&decide(
            &goal,
            seen,
            &planned,
            known,
            &self.recent,
            self.now,
        ))
    }
}

fn settled(state: Observed) -> Seen {
    Seen {
        state,
        stale_parts: false,
    }
}

/// IAM once everything of `goal` is created.
fn created(goal: &Resolved) -> Observed {
    let mut state = Observed::default();
    let planned = plan(&goal.desired, &state, &Recorded::default(), None).unwrap();
    after(&mut state, goal, &planned.plan);
    state
}

fn after(state: &mut Observed, goal: &Resolved, plan: &Plan) {
    let mut iam = Iam::new(&goal.desired, std::mem::take(state));
    iam.simulate(plan).unwrap();
    *state = iam.state;
}

/// The decision, in a few words.
fn words(decision: &Decision) -> String {
    match decision {
        Decision::End(End { outcome, requeue }) => {
            let requeue = format!("{requeue:?}");
            let (requeue, _) = requeue.split_once('(').unwrap_or((&requeue, ""));
            format!("end: {}, {requeue}", said(outcome.as_ref()))
        }
        Decision::Learn(live) => {
            let path = live.path.as_deref().unwrap_or_default();
            format!("learn: live under {path}")
        }
        Decision::ReadAgain => "read again".to_owned(),
        Decision::Write(planned) => {
            let actions: Vec<&str> = planned.plan.steps().map(Step::action).collect();
            format!("write: {}", actions.join(" "))
        }
    }
}

fn said(outcome: Option<&Outcome>) -> String {
    let Some(outcome) = outcome else {
        return "silent".to_owned();
    };
    match outcome {
        Outcome::Converged { done: None, .. } => "Converged".to_owned(),
        Outcome::Converged {
            done: Some(done), ..
        } => format!("Converged after {:?}", done.activity),
        Outcome::Drifted { drift, .. } => format!("Drifted {}", drift.len()),
        Outcome::Waiting { activity, .. } => format!("Waiting {activity:?}"),
        Outcome::Refused { refusals, .. } => {
            let kinds: Vec<&str> = refusals.iter().map(|r| r.kind.as_str()).collect();
            format!("Refused {}", kinds.join(" "))
        }
        Outcome::Failed {
            failure, decision, ..
        } => format!("Failed {:?} {decision:?}", failure.class),
        other => format!("{other:?}"),
    }
}

fn without_role(mut state: Observed) -> Observed {
    state.role = None;
    state
}

fn foreign(mut state: Observed) -> Observed {
    if let Some(role) = &mut state.role {
        role.tags.clear();
    }
    state
}

/// The role only.
fn alone(state: Observed) -> Observed {
    Observed {
        role: state.role,
        ..Observed::default()
    }
}

/// Of an earlier object of the same name.
fn of_an_earlier_uid(mut state: Observed) -> Observed {
    let role = state.role.as_mut().unwrap();
    role.tags.insert(UID.to_owned(), "earlier".to_owned());
    role.id = "AROAEARLIER".to_owned();
    state
}

fn drifted(mut state: Observed) -> Observed {
    state.role.as_mut().unwrap().description = "changed".to_owned();
    state
}

const CREATION: &str = "write: CreateRole CreatePolicy CreateInstanceProfile AttachRolePolicy AddRoleToInstanceProfile";

#[test]
fn a_round_decides_on_what_it_sees() {
    let new = || Scene::new("{}");
    let (_, full) = Scene::converged("{}");
    let converged = || Scene::converged("{}").0;
    let with = |change: fn(&mut Scene)| {
        let mut scene = converged();
        change(&mut scene);
        scene
    };
    let observe = Scene::new("{mode: Observe}");
    let writing = {
        let mut scene = converged();
        scene.writes(&full);
        scene
    };
    let restarted = || {
        let mut scene = converged().begun_just_now();
        let status = scene.status.as_mut().unwrap();
        for condition in &mut status.conditions {
            condition.last_transition_time = Time(at(-10).wall);
        }
        scene
    };
    let freed = {
        let mut scene = new();
        let role = Step::Role(RoleStep::Delete {
            role: "team.web".to_owned(),
        });
        let (now, before) = (scene.now.steady, full.clone());
        let after = without_role(full.clone());
        (scene.recent).wrote(now, &account().id, &role, &before, &after);
        scene
    };
    let empty = Observed::default();
    for (name, scene, state, expected) in vec![
        ("first creation", new(), empty.clone(), CREATION),
        (
            "in sync",
            converged(),
            full.clone(),
            "end: Converged, InSync",
        ),
        (
            "status lost",
            new(),
            full.clone(),
            "learn: live under /session-manager/",
        ),
        (
            "drift",
            converged(),
            drifted(full.clone()),
            "write: UpdateRole",
        ),
        (
            "drift a moment after an own write",
            writing,
            drifted(full.clone()),
            "end: silent, Suspected",
        ),
        (
            "drift a moment after a restart and a change of Ready",
            restarted(),
            drifted(full.clone()),
            "end: silent, Soon",
        ),
        (
            "drift a moment after a restart, Ready for long",
            converged().begun_just_now(),
            drifted(full.clone()),
            "write: UpdateRole",
        ),
        (
            "absence a moment after a restart, Ready for long",
            converged().begun_just_now(),
            without_role(full.clone()),
            "end: silent, Soon",
        ),
        (
            "absence of what was recorded",
            converged(),
            without_role(full.clone()),
            "write: CreateRole AttachRolePolicy",
        ),
        (
            "a changed spec is no repair: nothing is suspected",
            with(|scene| {
                scene.generation = 2;
                scene.spec = "{role: {description: mine}}";
            })
            .begun_just_now(),
            full.clone(),
            "write: UpdateRole",
        ),
        (
            "a taken name",
            new(),
            alone(foreign(full.clone())),
            "end: Refused Role, Stalled",
        ),
        (
            "a name that was given up a moment ago",
            freed,
            alone(foreign(full.clone())),
            "end: Refused Role, Soon",
        ),
        (
            "made anew by someone else",
            converged(),
            of_an_earlier_uid(full.clone()),
            "end: Refused Role, Stalled",
        ),
        (
            "of an earlier uid, a moment after a restart",
            converged().begun_just_now(),
            of_an_earlier_uid(full.clone()),
            "end: silent, Soon",
        ),
        (
            "mode Observe, nothing there",
            observe,
            empty.clone(),
            "end: Drifted 3, Observed",
        ),
        (
            "mode Observe, in sync",
            with(|scene| scene.spec = "{mode: Observe}"),
            full.clone(),
            "end: Converged, Observed",
        ),
        (
            "mode Observe, a taken name",
            with(|scene| scene.spec = "{mode: Observe}"),
            foreign(full.clone()),
            "end: Refused Role, Stalled",
        ),
        (
            "the policy's type changes",
            with(|scene| {
                scene.generation = 2;
                scene.spec = "{policy: {type: Inline}}";
            }),
            full.clone(),
            "write: PutRolePolicy",
        ),
    ] {
        assert_eq!(scene.decides(&state), expected, "{name}");
    }
}

#[test]
fn stale_parts_end_a_pass_without_a_word_or_have_it_read_again() {
    let (scene, full) = Scene::converged("{}");
    let stale = |state: Observed| Seen {
        state,
        stale_parts: true,
    };
    let decides = |state| scene.decides_on(&stale(state), &mut scene.known());
    assert_eq!(decides(full.clone()), "end: Converged, StaleParts");
    assert_eq!(decides(foreign(full)), "end: silent, Soon");
}

#[test]
fn what_is_suspected_is_repaired_when_it_is_read_a_second_time() {
    let (mut scene, full) = Scene::converged("{}");
    scene.writes(&full);
    let drifted = settled(drifted(full.clone()));
    let goal = scene.goal(None);
    let known = scene.known();
    let planned = plan(&goal.desired, &drifted.state, &known.recorded, None);
    let decision = decide(&goal, &drifted, &planned, &known, &scene.recent, scene.now);
    let Decision::End(End { requeue, .. }) = decision else {
        panic!("{decision:?}")
    };
    scene.carried.ends(&requeue, scene.now.wall);
    assert_eq!(scene.decides(&drifted.state), "write: UpdateRole");
    // Another difference is another suspicion.
    let mut other = full;
    other.role.as_mut().unwrap().trust = "{}".to_owned();
    assert_eq!(scene.decides(&other), "end: silent, Suspected");
}

/// What is created is judged, also where it is created again; what exists is not.
#[test]
fn names_and_path_are_judged_before_a_creation_and_not_after() {
    for spec in ["{role: {name: blue.web}}", "{path: /not-allowed/}"] {
        let first = Scene::new(spec).decides(&Observed::default());
        assert!(first.starts_with("end: Invalid"), "{spec}: {first}");
        let (scene, full) = Scene::converged(spec);
        assert_eq!(scene.decides(&full), "end: Converged, InSync", "{spec}");
        let changed = scene.decides(&drifted(full.clone()));
        assert_eq!(changed, "write: UpdateRole", "{spec}");
        let again = scene.decides(&without_role(full));
        assert!(again.starts_with("end: Invalid"), "{spec}: {again}");
    }
    let observed = Scene::new("{mode: Observe, role: {name: blue.web}}");
    let observed = observed.decides(&Observed::default());
    assert_eq!(observed, "end: Drifted 3, Observed");
}

/// Under which path something is made again is IAM's word, or the flags', and not that of status.
#[test]
fn a_path_that_only_status_tells_is_not_created_under() {
    let (mut scene, full) = Scene::converged("{}");
    let elsewhere = |arn: &mut String| *arn = arn.replace("/session-manager/", "/elsewhere/");
    let status = scene.status.as_mut().unwrap();
    elsewhere(&mut status.role.as_mut().unwrap().arn);
    elsewhere(status.policy.as_mut().unwrap().arn.as_mut().unwrap());
    elsewhere(&mut status.instance_profile.as_mut().unwrap().arn);
    let mut known = scene.known();
    let nothing = settled(Observed::default());
    assert_eq!(scene.decides_on(&nothing, &mut known), "learn: live under ");
    known.learn(Live::default(), &scene.goal(None), nothing.clone());
    assert_eq!(
        scene.goal(known.live()).desired.names.path,
        "/session-manager/"
    );
    assert_eq!(scene.decides_on(&nothing, &mut known), CREATION);

    // What a flag allowed before, and what IAM still has there, is gone on with.
    let mut there = without_role(full);
    elsewhere(&mut there.policy.as_mut().unwrap().arn);
    elsewhere(&mut there.instance_profile.as_mut().unwrap().arn);
    let there = settled(there);
    let mut known = scene.known();
    assert_eq!(
        scene.decides_on(&there, &mut known),
        "learn: live under /elsewhere/"
    );
    let live = scene.goal(None).live(&there.state);
    known.learn(live, &scene.goal(None), there.clone());
    let decided = scene.decides_on(&there, &mut known);
    assert!(decided.starts_with("write: CreateRole"), "{decided}");
    assert_eq!(scene.goal(known.live()).desired.names.path, "/elsewhere/");
}
