//! The objects that the health script for Argo CD and kstatus are tested on: one for each state that
//! the summary can write, rendered by the summary itself. IO: reads the files in
//! `deploy/argocd/`, writes them where `SMR_WRITE_TESTDATA` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use smr_api::{
    DeletionPolicy, FINALIZER, PAUSED_ANNOTATION, RECONCILE_ANNOTATION, SessionManagerRole,
    SessionManagerRoleSpec,
};

use super::conditions::{RECONCILING_REASONS, STALLED_REASONS};
use super::*;
use crate::deletion::{Deletion, PolicyUser, Usage, plan_deletion};
use crate::limits::Limits;
use crate::resolve::validate::tests::{against_creation, subject};

const ROLE: &str = "arn:aws:iam::111122223333:role/session-manager/team.web";
const POLICY: &str = "arn:aws:iam::111122223333:policy/session-manager/team.web";
/// When the first pass was, in seconds: 2026-11-25T08:00:00Z.
const BEGUN: i64 = 1_795_593_600;

/// An object as `kubectl get -o yaml` shows it, but for what no test looks at.
struct State {
    spec: &'static str,
    generation: i64,
    status: SessionManagerRoleStatus,
    annotations: BTreeMap<String, String>,
    deleting: bool,
}

impl State {
    /// As the API server makes it of `spec`.
    fn new(spec: &'static str) -> Self {
        Self {
            spec,
            generation: 1,
            status: SessionManagerRoleStatus {
                observed_generation: -1,
                ..Default::default()
            },
            annotations: BTreeMap::new(),
            deleting: false,
        }
    }

    fn converged(world: &World) -> Self {
        Self::new("{}").told(&Outcome::Converged {
            facts: facts(world),
            done: None,
            unlisted: &[],
        })
    }

    /// After a pass that came to this.
    fn told(mut self, outcome: &Outcome) -> Self {
        let before = (self.status.observed_generation >= 0 || !self.status.conditions.is_empty())
            .then_some(&self.status);
        let second = BEGUN + 60 * self.generation;
        self.status = summary(before, self.generation, second, outcome).status;
        self
    }

    /// Someone has changed spec.
    fn edited(mut self) -> Self {
        self.spec = "{tags: {team: web}}";
        self.generation += 1;
        self
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    fn paused(self) -> Self {
        self.annotated(PAUSED_ANNOTATION, "true").told(&PAUSED)
    }

    /// Someone has deleted it: a generation more, as the API server has it.
    fn deleted(mut self) -> Self {
        self.deleting = true;
        self.generation += 1;
        self
    }

    fn yaml(&self) -> String {
        let spec: SessionManagerRoleSpec = serde_saphyr::from_str(self.spec).unwrap();
        let mut object = SessionManagerRole::new("web", spec);
        let at = |minute| Time(at(BEGUN + 60 * minute));
        object.metadata.namespace = Some(subject().namespace);
        object.metadata.uid = Some(subject().uid);
        object.metadata.generation = Some(self.generation);
        object.metadata.creation_timestamp = Some(at(0));
        object.metadata.finalizers = Some(vec![FINALIZER.into()]);
        if self.deleting {
            object.metadata.deletion_timestamp = Some(at(self.generation));
            object.metadata.deletion_grace_period_seconds = Some(0);
        }
        if !self.annotations.is_empty() {
            object.metadata.annotations = Some(self.annotations.clone());
        }
        object.status = Some(self.status.clone());
        smr_manifest::to_yaml(&object).unwrap()
    }
}

/// An empty spec needs no counterparts.
fn facts(world: &World) -> Facts<'_> {
    Facts {
        counterparts: None,
        ..world.facts()
    }
}

fn started(activity: Activity, drift: &[Difference]) -> Outcome<'_> {
    Outcome::Started { activity, drift }
}

type States = Vec<(&'static str, State)>;

/// Every state, by the name of its file.
fn states() -> States {
    let world = World::new("{}");
    [
        converging(&world),
        drifting(&world),
        failing(),
        standing_aside(&world),
        pausing(&world),
        leaving(&world),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn converging(world: &World) -> States {
    let new = || State::new("{}");
    let converged = || State::converged(world);
    let creating = started(Activity::Creating, &[]);
    let updating = started(Activity::Updating, &[]);
    let unlisted = ["arn:aws:iam::aws:policy/AdministratorAccess".to_owned()];
    let beside = Outcome::Converged {
        facts: facts(world),
        done: None,
        unlisted: &unlisted,
    };
    let problems = against_creation("{path: /other/}", &Limits::new("test"));
    let invalid = Outcome::Invalid {
        problems: &problems,
    };
    vec![
        ("created", new()),
        ("creating", new().told(&creating)),
        ("converged", converged()),
        ("unlisted_access", new().told(&beside)),
        ("edited", converged().edited()),
        ("updating", converged().edited().told(&updating)),
        ("invalid_spec", State::new("{path: /other/}").told(&invalid)),
    ]
}

fn drifting(world: &World) -> States {
    let converged = State::converged(world);
    let mut changed = world.observed.clone();
    changed.role.as_mut().unwrap().description = "changed by hand".into();
    let recorded = Recorded::of(Some(&converged.status));
    let found = plan(&world.desired, &changed, &recorded, None).unwrap();
    let drifted = Outcome::Drifted {
        facts: facts(world),
        drift: &found.drift,
        unlisted: &[],
    };
    vec![
        (
            "repairing",
            converged.told(&started(Activity::Repairing, &found.drift)),
        ),
        ("drifted", State::new("{mode: Observe}").told(&drifted)),
    ]
}

/// A call that failed, in AWS's own words.
fn failing() -> States {
    use FailureClass::{AccessDenied, Credentials, Quota, Throttled, TooLarge, Unavailable};
    const CREATE: &str = "iam:CreateRole";
    [
        ("throttled", call(Throttled, CREATE, ROLE, "Rate exceeded")),
        (
            "aws_unavailable",
            call(
                Unavailable,
                CREATE,
                ROLE,
                "The request has failed due to a temporary failure of the server.",
            ),
        ),
        (
            "access_denied",
            call(AccessDenied, CREATE, ROLE, &denied(CREATE)),
        ),
        (
            "credentials_unavailable",
            call(
                Credentials,
                CREATE,
                ROLE,
                "The security token included in the request is expired",
            ),
        ),
        (
            "quota_exceeded",
            call(
                Quota,
                CREATE,
                ROLE,
                "Cannot exceed quota for RolesPerAccount: 1000",
            ),
        ),
        (
            "policy_too_large",
            call(
                TooLarge,
                "iam:CreatePolicy",
                POLICY,
                "Cannot exceed quota for PolicySize: 6144",
            ),
        ),
    ]
    .into_iter()
    .map(|(name, failure)| {
        let outcome = failed(Activity::Creating, &failure);
        (name, State::new("{}").told(&outcome))
    })
    .collect()
}

fn call(class: FailureClass, action: &str, resource: &str, text: &str) -> Failure {
    let tried = Tried {
        class,
        action,
        resource,
        account: None,
    };
    Failure {
        class,
        action: action.into(),
        resource: resource.into(),
        code: Box::default(),
        said: Said::by_aws(&tried, text),
        way_out: None,
    }
}

fn denied(action: &str) -> String {
    format!(
        "User: arn:aws:sts::111122223333:assumed-role/session-manager-role/1 is not authorized to perform: {action} on resource: {ROLE} because no identity-based policy allows the {action} action"
    )
}

fn failed(activity: Activity, failure: &Failure) -> Outcome<'_> {
    Outcome::Failed {
        facts: None,
        activity,
        failure,
        decision: final_decision(failure.class),
    }
}

/// IAM with a role of another cluster in the place of ours.
fn taken(world: &World) -> Observed {
    let mut taken = world.observed.clone();
    taken.role.as_mut().unwrap().tags = [
        ("sessionmanager.dev/cluster", "staging"),
        ("sessionmanager.dev/owner", "team/web"),
        ("sessionmanager.dev/uid", "of-another-object"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    taken
}

fn not_owned(world: &World) -> State {
    let refusals = plan(&world.desired, &taken(world), &Recorded::default(), None).unwrap_err();
    State::new("{}").told(&Outcome::Refused {
        facts: None,
        refusals: &refusals,
    })
}

fn standing_aside(world: &World) -> States {
    let converged = State::converged(world);
    let recorded = Recorded::of(Some(&converged.status));
    let mut anew = taken(world);
    anew.role.as_mut().unwrap().id = "ID-Another".into();
    let refusals = plan(&world.desired, &anew, &recorded, None).unwrap_err();
    let replaced = Outcome::Refused {
        facts: None,
        refusals: &refusals,
    };
    let caller = elsewhere();
    let wrong_account = Outcome::WrongAccount { caller: &caller };
    vec![
        ("not_owned", not_owned(world)),
        ("not_owned_edited", not_owned(world).edited()),
        ("replaced", converged.told(&replaced)),
        (
            "wrong_account",
            State::converged(world).told(&wrong_account),
        ),
    ]
}

fn elsewhere() -> Account {
    Account {
        id: "999999999999".into(),
        ..account()
    }
}

fn pausing(world: &World) -> States {
    let converged = || State::converged(world);
    let mut resumed = converged().paused();
    resumed.annotations.clear();
    vec![
        ("paused", converged().paused()),
        (
            "paused_not_seen",
            converged().annotated(PAUSED_ANNOTATION, "true"),
        ),
        ("paused_edited", converged().edited().paused()),
        ("paused_created", State::new("{}").paused()),
        ("paused_not_owned", not_owned(world).paused()),
        ("resumed_not_seen", resumed),
        (
            "not_paused",
            converged().annotated(PAUSED_ANNOTATION, "false"),
        ),
    ]
}

fn leaving(world: &World) -> States {
    const DELETE: &str = "iam:DeleteRole";
    let leaving = || State::converged(world).deleted();
    let users = Usage {
        role_in_profiles: ["team.web".to_owned()].into(),
        policy_users: [PolicyUser::Role("someone-elses".into())].into(),
    };
    let Desired {
        identity, names, ..
    } = &world.desired;
    let recorded = Recorded::of(Some(&leaving().status));
    let decided = plan_deletion(
        identity,
        names,
        &recorded,
        &world.observed,
        &users,
        DeletionPolicy::Delete,
        at(BEGUN),
    );
    let Deletion::Blocked(because) = decided else {
        panic!("{decided:?}")
    };
    let throttled = call(FailureClass::Throttled, DELETE, ROLE, "Rate exceeded");
    let denied = call(FailureClass::AccessDenied, DELETE, ROLE, &denied(DELETE));
    let caller = elsewhere();
    let told = |outcome: &Outcome| leaving().told(outcome);
    vec![
        ("deletion_not_seen", leaving()),
        ("not_owned_deletion_not_seen", not_owned(world).deleted()),
        ("deleting", told(&started(Activity::Deleting, &[]))),
        (
            "deletion_throttled",
            told(&failed(Activity::Deleting, &throttled)),
        ),
        (
            "deletion_blocked",
            told(&Outcome::DeletionBlocked { because: &because }),
        ),
        (
            "deletion_access_denied",
            told(&failed(Activity::Deleting, &denied)),
        ),
        (
            "deletion_wrong_account",
            told(&Outcome::WrongAccount { caller: &caller }),
        ),
        (
            "deletion_paused",
            State::converged(world).paused().deleted(),
        ),
    ]
}

/// Before and after each action.
fn actions() -> States {
    let world = World::new("{}");
    let converged = || State::converged(&world);
    let paused = || converged().annotated("example.com/note", "kept").paused();
    let mut resumed = paused();
    resumed.annotations.remove(PAUSED_ANNOTATION);
    vec![
        ("converged", converged()),
        (
            "converged_requested",
            converged().annotated(RECONCILE_ANNOTATION, "0001-01-01T00:00:00Z"),
        ),
        (
            "converged_paused",
            converged().annotated(PAUSED_ANNOTATION, "true"),
        ),
        ("paused", paused()),
        ("paused_resumed", resumed),
        ("deleting", converged().deleted()),
    ]
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/argocd/resource_customizations/sessionmanager.dev/SessionManagerRole")
}

/// Compares the files of a directory with what they should be, or writes them.
fn agree(directory: &Path, states: &[(&str, State)]) {
    let wanted: BTreeMap<String, String> = states
        .iter()
        .map(|(name, state)| (format!("{name}.yaml"), state.yaml()))
        .collect();
    assert_eq!(wanted.len(), states.len(), "a name stands there twice");
    if std::env::var_os("SMR_WRITE_TESTDATA").is_some() {
        for (name, text) in &wanted {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
    let found: BTreeMap<String, String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect();
    assert!(
        found == wanted,
        "{} is stale: SMR_WRITE_TESTDATA=1 cargo test -p smr-core testdata (files that should not be there stay)",
        directory.display()
    );
}

#[test]
fn testdata_is_what_the_summary_writes() {
    agree(&directory().join("testdata"), &states());
    agree(&directory().join("actions/testdata"), &actions());
}

/// Design, section 3: every condition and every reason has an object.
#[test]
fn testdata_has_every_condition_and_reason() {
    let told: BTreeSet<(String, String)> = states()
        .into_iter()
        .flat_map(|(_, state)| state.status.conditions)
        .filter(|c| c.status == "True")
        .map(|c| (c.type_, c.reason))
        .collect();
    let of = |type_: &str, reasons: &[&str]| {
        let pair = |reason: &&str| (type_.to_owned(), (*reason).to_owned());
        reasons.iter().map(pair).collect::<Vec<_>>()
    };
    let wanted: BTreeSet<(String, String)> = [
        of(READY, &["Converged"]),
        of(RECONCILING, &RECONCILING_REASONS),
        of(STALLED, &STALLED_REASONS),
        of("Paused", &["Paused"]),
        of("UnlistedAccess", &["UnlistedAccess"]),
    ]
    .concat()
    .into_iter()
    .collect();
    assert_eq!(told, wanted);
}
