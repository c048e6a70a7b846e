//! Renames in Kubernetes: an object that goes and a new one that asks for the same names in IAM. In:
//! the entries of a comparison; out: each such pair, what it costs and the ways out, in words. No IO.

use serde::Serialize;
use smr_api::{AdoptionPolicy, DeletionPolicy, Mode};
use smr_core::kind::Kind;
use smr_core::ownership::ADOPTABLE_BY;
use smr_core::resolve::Resolved;
use smr_core::resolve::desired::PolicyHome;

use super::entry::{Action, Entry, Verdict};
use smr_api::Key;

/// One object that becomes another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rename {
    pub from: Name,
    pub to: Name,
    /// What both ask for in IAM.
    pub shared: Vec<Shared>,
    /// What happens where nothing is done about it, each a sentence.
    pub costs: Vec<String>,
    /// How to do without that.
    pub ways_out: Vec<WayOut>,
}

/// An object in the cluster.
#[derive(Serialize)]
pub(super) struct Name {
    pub namespace: String,
    pub name: String,
}

/// An object in IAM.
#[derive(Serialize)]
pub(super) struct Shared {
    #[serde(skip)]
    pub kind: Kind,
    pub object: &'static str,
    pub name: String,
    pub arn: String,
}

/// One of several things that can be done.
#[derive(Serialize)]
pub(super) struct WayOut {
    pub summary: String,
    /// One after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Todo>,
}

/// Something that a person does.
#[derive(Serialize)]
pub(super) struct Todo {
    pub summary: String,
    /// Command lines that do it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl From<&Key> for Name {
    fn from(key: &Key) -> Self {
        Self {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

/// What becomes of the IAM objects when the former object is deleted.
#[derive(Clone, Copy)]
enum Deletion {
    /// They go.
    Deletes,
    /// They go once the role is not used any more.
    DeletesUnused,
    /// They stay, without an owner.
    Retains,
    /// They stay as they are, the former object's name on them.
    Leaves,
}

impl Deletion {
    fn of(wanted: &Resolved) -> Self {
        match (wanted.valid.mode, wanted.valid.deletion_policy) {
            (Mode::Observe, _) => Self::Leaves,
            (Mode::Enforce, DeletionPolicy::Delete) => Self::Deletes,
            (Mode::Enforce, DeletionPolicy::DeleteUnused) => Self::DeletesUnused,
            (Mode::Enforce, DeletionPolicy::Retain) => Self::Retains,
        }
    }
}

/// Every pair of an object that goes and one that is created with a name of its own in IAM.
pub(super) fn all(entries: &[Entry], cluster: &str) -> Vec<Rename> {
    let with = |is: fn(Action) -> bool| {
        entries
            .iter()
            .filter(move |entry| is(entry.action()))
            .filter_map(|entry| match &entry.verdict {
                Verdict::Planned(outlook) => Some((&entry.key, outlook.wanted.as_deref()?)),
                Verdict::Invalid(_) | Verdict::Paused | Verdict::WrongAccount { .. } => None,
            })
    };
    let mut renames = Vec::new();
    for from in with(|action| matches!(action, Action::Delete | Action::Release)) {
        for to in with(|action| action == Action::Create) {
            let shared = shared(from.1, to.1);
            if !shared.is_empty() {
                renames.push(rename(from, to, shared, cluster));
            }
        }
    }
    renames
}

/// Kind, name and ARN of what an object asks for.
fn parts(wanted: &Resolved) -> Vec<Shared> {
    let desired = &wanted.desired;
    let (names, account) = (&desired.names, &desired.account);
    let part = |kind: Kind, name: &String, arn| Shared {
        kind,
        object: kind.as_str(),
        name: name.clone(),
        arn,
    };
    let mut parts = vec![part(Kind::Role, &names.role, names.role_arn(account))];
    if matches!(desired.policy.home, PolicyHome::Managed { .. }) {
        let arn = names.policy_arn(account);
        parts.push(part(Kind::Policy, &names.policy, arn));
    }
    if desired.instance_profile.is_some() {
        let arn = names.instance_profile_arn(account);
        parts.push(part(Kind::InstanceProfile, &names.instance_profile, arn));
    }
    parts
}

/// What both ask for. Names in IAM are not distinguished by case; what lies below another path is
/// another object.
fn shared(from: &Resolved, to: &Resolved) -> Vec<Shared> {
    if from.desired.names.path != to.desired.names.path {
        return Vec::new();
    }
    let asked = parts(to);
    let is_asked = |part: &Shared| {
        asked
            .iter()
            .any(|other| other.kind == part.kind && other.name.eq_ignore_ascii_case(&part.name))
    };
    parts(from).into_iter().filter(is_asked).collect()
}

fn rename(
    from: (&Key, &Resolved),
    to: (&Key, &Resolved),
    shared: Vec<Shared>,
    cluster: &str,
) -> Rename {
    let (was, will_be) = (from.1, to.1);
    let (from, to) = (Name::from(from.0), Name::from(to.0));
    let deletion = Deletion::of(was);
    let left: Vec<String> = (parts(was).into_iter())
        .filter(|part| !shared.iter().any(|s| s.kind == part.kind))
        .map(|part| part.arn)
        .collect();
    let hand_over = hand_over(&from, &to, will_be, &shared, &left, deletion, cluster);
    let ways_out = match deletion {
        Deletion::Deletes | Deletion::DeletesUnused => vec![
            WayOut {
                summary: format!(
                    "Keep the name {from} in Kubernetes. The names in IAM do not depend on it."
                ),
                steps: Vec::new(),
            },
            hand_over,
        ],
        Deletion::Retains | Deletion::Leaves => vec![hand_over],
    };
    Rename {
        costs: costs(&from, &to, was, &shared, deletion),
        from,
        to,
        shared,
        ways_out,
    }
}

fn costs(
    from: &Name,
    to: &Name,
    was: &Resolved,
    shared: &[Shared],
    deletion: Deletion,
) -> Vec<String> {
    let what = list(shared.iter().map(in_words));
    let has = |kind: Kind| shared.iter().any(|part| part.kind == kind);
    let (them, stay) = match shared {
        [_] => ("it", "stays"),
        _ => ("them", "stay"),
    };
    let when = match deletion {
        Deletion::Retains | Deletion::Leaves => {
            return vec![format!(
                "The {what} {stay} in IAM. {to} is NotOwned until you hand {them} over to it."
            )];
        }
        Deletion::Deletes => format!("when {from} is deleted"),
        Deletion::DeletesUnused => format!(
            "once {from} is deleted and the role has not been used for 24 hours (spec.deletionPolicy: DeleteUnused)"
        ),
    };
    let mut costs = vec![format!(
        "The controller deletes the {what} {when}, and then creates {them} again for {to}. Until then {to} is NotOwned."
    )];
    if has(Kind::Role) {
        costs.push(
            "In between there is no role: no session can be started, and no session log is written."
                .to_owned(),
        );
    }
    if was.desired.instance_profile.is_some() && (has(Kind::Role) || has(Kind::InstanceProfile)) {
        costs.push(
            "Running instances lose Session Manager until you associate the instance profile with them again."
                .to_owned(),
        );
    }
    if has(Kind::Role) {
        costs.push(
            "The new role has another unique id: apply bucket policies and key policies that name it (status.counterparts) again."
                .to_owned(),
        );
    }
    costs
}

/// The IAM objects stay, and the new object takes them over.
fn hand_over(
    from: &Name,
    to: &Name,
    will_be: &Resolved,
    shared: &[Shared],
    left: &[String],
    deletion: Deletion,
    cluster: &str,
) -> WayOut {
    let say = |summary: String| Todo {
        summary,
        commands: Vec::new(),
    };
    let mut steps = Vec::new();
    match deletion {
        Deletion::Deletes | Deletion::DeletesUnused => steps.push(say(format!(
            "Set spec.deletionPolicy: Retain on {from} and apply that, before you rename."
        ))),
        Deletion::Retains | Deletion::Leaves => {}
    }
    if will_be.valid.adoption_policy != AdoptionPolicy::WithConsent {
        steps.push(say(format!(
            "Set spec.adoptionPolicy: WithConsent on {to}, then apply the rename."
        )));
    }
    let tag = format!("Key={ADOPTABLE_BY},Value={cluster}/{to}");
    let not_earlier = match deletion {
        Deletion::Leaves => String::new(),
        Deletion::Deletes | Deletion::DeletesUnused | Deletion::Retains => {
            format!(" Not earlier: the controller removes the tag from what {from} owns.")
        }
    };
    steps.push(Todo {
        summary: format!("Once {from} is gone, consent in AWS.{not_earlier}"),
        commands: shared.iter().map(|part| consent(part, &tag)).collect(),
    });
    steps.push(Todo {
        summary: format!("Request a reconcile of {to}. Without it the controller retries within 12 minutes."),
        commands: vec![format!(
            "kubectl annotate --overwrite -n {} sessionmanagerrole/{} sessionmanager.dev/reconcile-requested-at=\"$(date)\"",
            to.namespace, to.name
        )],
    });
    if !left.is_empty() {
        steps.push(say(format!(
            "Delete in AWS what {to} does not take over: {}.",
            left.join(", ")
        )));
    }
    WayOut {
        summary: format!(
            "Hand the {} over to {to}. Nothing in IAM is deleted, and sessions go on.",
            kinds(shared)
        ),
        steps,
    }
}

/// Such as `role and policy`.
pub(super) fn kinds(shared: &[Shared]) -> String {
    list(shared.iter().map(|part| part.kind.in_words().to_owned()))
}

fn consent(part: &Shared, tag: &str) -> String {
    let Shared {
        kind, name, arn, ..
    } = part;
    match kind {
        Kind::Role => format!("aws iam tag-role --role-name {name} --tags {tag}"),
        Kind::Policy => format!("aws iam tag-policy --policy-arn {arn} --tags {tag}"),
        Kind::InstanceProfile => {
            format!("aws iam tag-instance-profile --instance-profile-name {name} --tags {tag}")
        }
    }
}

fn in_words(part: &Shared) -> String {
    format!("{} {}", part.kind.in_words(), part.name)
}

fn list(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    match all.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
