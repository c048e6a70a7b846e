//! Summaries of every outcome: conditions as kstatus reads them, facts, events, and that nothing
//! changes where nothing happened.

mod conditions;
mod events;
mod facts;
mod importance;
mod kstatus;
mod testdata;

use smr_api::{Drift, DriftField};

use super::*;
use crate::difference::{Importance, Width};
use crate::effect::simulate;
use crate::failure::{Said, Tried};
use crate::ownership::{Holder, UID};
use crate::plan::{Recorded, plan};
use crate::refusal::Explanation;
use crate::resolve::desired::desired;
use crate::resolve::validate::tests::{account, valid};
use crate::step::{PolicyStep, Reply, Step};

const READY: &str = ConditionType::Ready.as_str();
const RECONCILING: &str = ConditionType::Reconciling.as_str();
const STALLED: &str = ConditionType::Stalled.as_str();

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const PAUSED: Outcome<'static> = Outcome::Paused {
    by: PausedBy::Annotation,
    is_deleting: false,
};

fn wanted(spec: &str) -> Desired {
    desired(&valid(spec))
}

/// IAM after the plan for `desired` was carried out on `state`.
fn after(desired: &Desired, mut state: Observed) -> Observed {
    let recorded = Recorded::default();
    let found = plan(desired, &state, &recorded, None).unwrap();
    for step in found.plan.steps() {
        let reply = match step {
            Step::Policy(PolicyStep::CreateVersion { .. }) => Reply::Version("v2".into()),
            _ => Reply::Created {
                arn: step.arn(&desired.account, &desired.names),
                id: format!("ID-{}", step.kind()),
            },
        };
        simulate(&mut state, step, &reply);
    }
    state
}

/// Everything that an outcome borrows.
struct World {
    desired: Desired,
    observed: Observed,
    counterparts: Counterparts,
}

impl World {
    fn new(spec: &str) -> Self {
        let desired = wanted(spec);
        Self {
            observed: after(&desired, Observed::default()),
            desired,
            counterparts: Counterparts {
                session_key_policy: Some("{}".into()),
                ..Counterparts::default()
            },
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            desired: &self.desired,
            observed: &self.observed,
            counterparts: Some(&self.counterparts),
            mode: Mode::Enforce,
        }
    }

    /// The spec lists a further policy, and the role has it.
    fn attach(&mut self, arn: &str) {
        self.desired.additional_policy_arns.insert(arn.to_owned());
        let role = self.observed.role.as_mut().unwrap();
        role.attached.insert(arn.to_owned());
    }

    /// As in mode Observe.
    fn observed(&self) -> Facts<'_> {
        Facts {
            mode: Mode::Observe,
            ..self.facts()
        }
    }

    fn converged(&self) -> Outcome<'_> {
        Outcome::Converged {
            facts: self.facts(),
            done: None,
            unlisted: &[],
        }
    }

    fn done<'a>(&'a self, activity: Activity, drift: &'a [Difference]) -> Outcome<'a> {
        Outcome::Converged {
            facts: self.facts(),
            done: Some(Done {
                activity,
                drift,
                adopted: &[],
            }),
            unlisted: &[],
        }
    }

    /// The status of an object that converged at generation 1, second 0.
    fn ready(&self) -> SessionManagerRoleStatus {
        summary(None, 1, 0, &self.converged()).status
    }
}

fn summary(
    status: Option<&SessionManagerRoleStatus>,
    generation: i64,
    second: i64,
    outcome: &Outcome,
) -> Summary {
    let object = Object {
        generation,
        status,
        reconcile_request: None,
    };
    summarize(object, at(second), outcome)
}

fn drift(object: &str, field: &str, message: &str) -> Difference {
    Difference {
        importance: Importance::Other,
        kind: Kind::parse(object).unwrap(),
        field: DriftField::parse(field).unwrap(),
        message: message.into(),
    }
}

/// As status has them.
fn drifts(differences: &[Difference]) -> Vec<Drift> {
    differences.iter().map(Drift::from).collect()
}

fn failure(class: FailureClass) -> Failure {
    Failure {
        class,
        action: "iam:CreateRole".into(),
        resource: "arn:aws:iam::111122223333:role/r".into(),
        code: "Code".into(),
        said: Said::in_own_words("no"),
        way_out: None,
    }
}

const ACTIVITIES: [Activity; 4] = [
    Activity::Creating,
    Activity::Updating,
    Activity::Repairing,
    Activity::Deleting,
];

/// What becomes of a failure of this class that nothing explains.
fn final_decision(class: FailureClass) -> Remedy {
    Remedy::of_write(class, Explanation::None).after_looking(class, Explanation::None)
}

fn refusal(why: NotOurs) -> Refusal {
    Refusal {
        kind: Kind::Role,
        arn: "arn:aws:iam::111122223333:role/session-manager/team.web".into(),
        why,
    }
}

/// Calls `each` with every outcome but `Paused`: its name, and the reason it must give.
fn every_outcome(world: &World, mut each: impl FnMut(&str, &str, &Outcome)) {
    let drift = [drift("Role", "description", "the role's description was a")];
    let unlisted = ["arn:aws:iam::aws:policy/X".to_owned()];
    each("Converged", "Converged", &world.converged());
    let beside = Outcome::Converged {
        facts: world.facts(),
        done: None,
        unlisted: &unlisted,
    };
    each("Converged, unlisted", "Converged", &beside);
    let drifted = Outcome::Drifted {
        facts: world.facts(),
        drift: &drift,
        unlisted: &unlisted,
    };
    each("Drifted", "Drifted", &drifted);
    for activity in ACTIVITIES {
        let reason = activity.reason();
        let started = Outcome::Started {
            activity,
            drift: &drift,
        };
        each("Started", reason.as_str(), &started);
        let waiting = Outcome::Waiting {
            facts: None,
            activity,
            drift: &[],
            message: "for IAM".into(),
        };
        each("Waiting", reason.as_str(), &waiting);
        for class in FailureClass::ALL {
            let failure = failure(class);
            let failed = Outcome::Failed {
                facts: Some(world.facts()),
                activity,
                failure: &failure,
                decision: final_decision(failure.class),
            };
            let expected = match class {
                FailureClass::Throttled => "Throttled",
                FailureClass::Unavailable => "AwsUnavailable",
                FailureClass::AccessDenied => "AccessDenied",
                FailureClass::Credentials | FailureClass::Partition => "CredentialsUnavailable",
                FailureClass::Quota | FailureClass::NoRoom => "QuotaExceeded",
                FailureClass::TooLarge => "PolicyTooLarge",
                FailureClass::Refused | FailureClass::Missing => "InvalidSpec",
                FailureClass::InUse => "DeletionBlocked",
                FailureClass::AlreadyExists => "NotOwned",
                FailureClass::ConcurrentChange
                | FailureClass::NotFound
                | FailureClass::NotLeader => reason.as_str(),
            };
            each(&format!("Failed {class:?}"), expected, &failed);
        }
    }
    let refused = |why| [refusal(why)];
    let not_owned = refused(NotOurs::NotOwned {
        holder: Holder::TagsRemoved,
    });
    let replaced = refused(NotOurs::Replaced {
        recorded: "AROA1".into(),
        found: "AROA2".into(),
    });
    for (reason, refusals) in [("NotOwned", &not_owned), ("Replaced", &replaced)] {
        let outcome = Outcome::Refused {
            facts: None,
            refusals,
        };
        each("Refused", reason, &outcome);
    }
    let problems = [Invalid {
        field: "spec.path".into(),
        problem: "is wrong".into(),
    }];
    let invalid = Outcome::Invalid {
        problems: &problems,
    };
    each("Invalid", "InvalidSpec", &invalid);
    let caller = account();
    let wrong = Outcome::WrongAccount { caller: &caller };
    each("WrongAccount", "WrongAccount", &wrong);
    let because = ["the role is used".to_owned()];
    let blocked = Outcome::DeletionBlocked { because: &because };
    each("DeletionBlocked", "DeletionBlocked", &blocked);
}
