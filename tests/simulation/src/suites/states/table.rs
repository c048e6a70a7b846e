//! What has to come of a state, by the rules of ownership alone: a case enters with IAM before and after, what
//! is wrong leaves. Knows nothing of the controller's own judgement. No IO.

use iam_emulator::Snapshot;
use serde_json::Value;

use super::case::{Attached, Case, Held, History, Whose, Wish};
use crate::asked::{Asked, CLUSTER_UID};
use crate::deeds::Kind;
use crate::oracle::Known;

const KINDS: [Kind; 3] = [Kind::Role, Kind::Policy, Kind::Profile];

/// Whose an object is for the controller, and why not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is not there.
    Absent,
    Ours,
    Consented,
    /// It never was ours, or its tags were taken away.
    NotOwned,
    /// It has the name of one that was ours.
    Replaced,
}

/// What the object has to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Ready, and IAM as it says.
    Ready,
    /// Mode Observe: Ready where IAM is as it says, else Drifted.
    Told,
    /// Stalled for one of these reasons, with IAM untouched.
    Refused(&'static [&'static str]),
    /// The deletion is blocked, with IAM untouched.
    Blocked,
    /// What is ours is gone, and so is the object.
    Gone,
    /// Nothing was ours: the object is gone, and IAM untouched.
    Released,
}

/// A proof is the cluster, its UID or none, and the owner. With another uid than the object's it holds only for
/// the very object that status knows, or where status knows none.
fn standing(case: &Case, kind: Kind) -> Standing {
    let Some(whose) = case.of(kind) else {
        return Standing::Absent;
    };
    let is_replaced =
        matches!(case.history, History::OtherIds | History::OtherRole) && case.is_anew(kind);
    match whose {
        Whose::Ours | Whose::OursUnstamped => Standing::Ours,
        Whose::OldUid | Whose::OldUidUnstamped if !is_replaced => Standing::Ours,
        Whose::Consenting if case.details.adopts && case.wish != Wish::Deleting => {
            Standing::Consented
        }
        Whose::OldUid
        | Whose::OldUidUnstamped
        | Whose::AnotherObject
        | Whose::AnotherNamespace
        | Whose::AnotherCluster
        | Whose::AnotherClusterUid
        | Whose::Nobody
        | Whose::NoCluster
        | Whose::Retained
        | Whose::Consenting
        | Whose::ConsentingToAnother => {
            if is_replaced {
                Standing::Replaced
            } else {
                Standing::NotOwned
            }
        }
    }
}

fn is_ours(case: &Case, kind: Kind) -> bool {
    standing(case, kind) == Standing::Ours
}

fn is_foreign(case: &Case, kind: Kind) -> bool {
    matches!(
        standing(case, kind),
        Standing::NotOwned | Standing::Replaced
    )
}

/// Under another path it is found only when its name is to be taken.
fn is_policy_hidden(case: &Case) -> bool {
    case.is_at_root(Kind::Policy)
}

/// What has to come of a case.
pub fn expected(case: &Case) -> Expected {
    let has = |standing_: Standing| KINDS.iter().any(|kind| standing(case, *kind) == standing_);
    if case.wish == Wish::Deleting {
        let is_used = is_role_used(case) || is_policy_used(case);
        return match (has(Standing::Ours), is_used) {
            (false, _) => Expected::Released,
            (true, true) => Expected::Blocked,
            (true, false) => Expected::Gone,
        };
    }
    match (has(Standing::Replaced), has(Standing::NotOwned)) {
        (true, false) => Expected::Refused(&["Replaced"]),
        (false, true) => Expected::Refused(&["NotOwned"]),
        // Which of two wins is nowhere said.
        (true, true) => Expected::Refused(&["Replaced", "NotOwned"]),
        (false, false) if case.wish == Wish::Observe => Expected::Told,
        (false, false) => Expected::Ready,
    }
}

/// Our role is in an instance profile that is not ours.
fn is_role_used(case: &Case) -> bool {
    is_ours(case, Kind::Role)
        && match case.details.held {
            Held::RoleElsewhereToo => true,
            Held::Role => is_foreign(case, Kind::Profile),
            Held::Nothing | Held::Another => false,
        }
}

/// Our policy is attached to a role that is not ours.
fn is_policy_used(case: &Case) -> bool {
    is_ours(case, Kind::Policy)
        && match case.details.attached {
            Attached::ElsewhereToo => true,
            Attached::Here => is_foreign(case, Kind::Role),
            Attached::Nowhere => false,
        }
}

/// A case, and what came of it.
pub struct Scene<'a> {
    /// The case.
    pub case: &'a Case,
    /// The object's spec.
    pub asked: &'a Asked,
    /// IAM as the controller found it.
    pub before: &'a Snapshot,
    /// IAM as it is now.
    pub after: &'a Snapshot,
    /// The object, as long as it is there.
    pub known: Option<&'a Known>,
    /// Reasons of all its events.
    pub events: &'a [String],
}

/// What the object does not say yet, or says wrongly.
pub fn unsaid(scene: &Scene<'_>) -> Vec<String> {
    scene.unsaid()
}

/// Everything that is wrong.
pub fn all_wrong(scene: &Scene<'_>) -> Vec<String> {
    scene.wrong()
}

impl Scene<'_> {
    fn unsaid(&self) -> Vec<String> {
        let expected = expected(self.case);
        let Some(known) = self.known else {
            let is_to_go = matches!(expected, Expected::Gone | Expected::Released);
            return wrong(is_to_go, || "the object is gone".to_owned());
        };
        let ready = known.condition("Ready");
        let is = |status: &str, reason: &str| ready == Some((status, reason));
        let is_stalled =
            |reason| is("False", reason) && known.condition("Stalled") == Some(("True", reason));
        let is_current = known.status["observedGeneration"] == known.generation;
        let is_said = is_current
            && match expected {
                Expected::Ready => is("True", "Converged") && known.is_as_asked(),
                Expected::Told if known.is_as_asked() => is("True", "Converged"),
                Expected::Told => is_stalled("Drifted"),
                Expected::Refused(reasons) => {
                    reasons.iter().any(|reason| is_stalled(reason))
                        || (self.may_be_missed() && is_stalled("Drifted"))
                }
                Expected::Blocked => is_stalled("DeletionBlocked"),
                Expected::Gone | Expected::Released => false,
            };
        wrong(is_said, || {
            let is = if known.is_as_asked() { "" } else { "not " };
            format!(
                "it should be {expected:?}; IAM is {is}as it says; {}",
                known.status
            )
        })
    }

    /// Mode Observe takes no name: what has the policy's under another path need not be found.
    fn may_be_missed(&self) -> bool {
        let is_alone = !is_foreign(self.case, Kind::Role) && !is_foreign(self.case, Kind::Profile);
        self.case.wish == Wish::Observe && is_policy_hidden(self.case) && is_alone
    }

    fn wrong(&self) -> Vec<String> {
        let mut all = self.unsaid();
        all.extend(self.touched());
        match expected(self.case) {
            Expected::Ready => all.extend(self.not_taken_over()),
            Expected::Gone => all.extend(self.left()),
            Expected::Told | Expected::Refused(_) | Expected::Blocked | Expected::Released => {}
        }
        all.extend(self.unannounced());
        all
    }

    /// What is not ours is as it was, and all is where nothing may be written.
    fn touched(&self) -> Vec<String> {
        let (before, after) = (self.before, self.after);
        match expected(self.case) {
            Expected::Ready | Expected::Gone => {
                let of = [before, after].map(|iam| self.foreign(iam));
                Self::changed(&of[0], &of[1])
            }
            Expected::Refused(_) if self.case.wish == Wish::Enforce => {
                let is_late = is_policy_hidden(self.case);
                if !is_late && self.case.history != History::Never {
                    return Self::changed(before, after);
                }
                // A name is taken by then: what has the others is known only when they are to be taken. What
                // is there stays as it is; where the policy alone is not ours, ours were put right before.
                let mut found = after.clone();
                found
                    .roles
                    .retain(|name, _| before.roles.contains_key(name));
                found
                    .policies
                    .retain(|name, _| before.policies.contains_key(name));
                (found.instance_profiles)
                    .retain(|name, _| before.instance_profiles.contains_key(name));
                if is_late {
                    let of = [before, &found].map(|iam| self.foreign(iam));
                    Self::changed(&of[0], &of[1])
                } else {
                    Self::changed(before, &found)
                }
            }
            Expected::Told | Expected::Refused(_) | Expected::Blocked | Expected::Released => {
                Self::changed(before, after)
            }
        }
    }

    fn changed(before: &Snapshot, after: &Snapshot) -> Vec<String> {
        wrong(before == after, || {
            format!("IAM is not as it was: {after:?} instead of {before:?}")
        })
    }

    /// What is not ours. In which instance profiles a role is, is said of these.
    fn foreign(&self, iam: &Snapshot) -> Snapshot {
        let names = self.asked.names();
        let is_foreign = |kind: Kind, name: &String| {
            *name != names[kind as usize] || is_foreign(self.case, kind)
        };
        let mut iam = iam.clone();
        iam.roles.retain(|name, _| is_foreign(Kind::Role, name));
        iam.policies
            .retain(|name, _| is_foreign(Kind::Policy, name));
        (iam.instance_profiles).retain(|name, _| is_foreign(Kind::Profile, name));
        for role in iam.roles.values_mut() {
            role.instance_profiles.clear();
        }
        iam
    }

    /// What was taken over is the same object, with our stamps and without a consent.
    fn not_taken_over(&self) -> Vec<String> {
        let [role, policy, profile] = self.asked.names();
        let status = self.known.map_or(&Value::Null, |known| &known.status);
        let read = |iam: &Snapshot| {
            let role = iam.roles.get(&role).map(|r| (r.id.clone(), r.tags.clone()));
            let policy = iam.policies.get(&policy);
            let policy = policy.map(|p| (p.id.clone(), p.tags.clone()));
            let profile = iam.instance_profiles.get(&profile);
            [
                role,
                policy,
                profile.map(|p| (p.id.clone(), p.tags.clone())),
            ]
        };
        let kinds = ["role", "policy", "instanceProfile"];
        let mut all = Vec::new();
        for ((kind, before), after) in kinds
            .into_iter()
            .zip(read(self.before))
            .zip(read(self.after))
        {
            let Some((id, tags)) = after else {
                all.push(format!("there is no {kind}"));
                continue;
            };
            let tag = |key: &str| tags.get(&format!("sessionmanager.dev/{key}")).cloned();
            let is_same = before.is_none_or(|(before, _)| before == id);
            all.extend(wrong(is_same, || format!("the {kind} was made anew")));
            let is_stamped = tag("cluster-uid").is_some_and(|uid| uid == CLUSTER_UID)
                && tag("uid").is_some_and(|uid| uid == self.asked.subject.uid)
                && tag("adoptable-by").is_none();
            all.extend(wrong(is_stamped, || {
                format!("the {kind} has the tags {tags:?}")
            }));
            let is_recorded = status[kind]["id"] == id;
            all.extend(wrong(is_recorded, || {
                format!("status does not know the {kind} {id}")
            }));
        }
        all
    }

    /// What is ours is gone.
    fn left(&self) -> Vec<String> {
        let [role, policy, profile] = self.asked.names();
        let after = self.after;
        let is_left = [
            (Kind::Role, after.roles.contains_key(&role)),
            (Kind::Policy, after.policies.contains_key(&policy)),
            (
                Kind::Profile,
                after.instance_profiles.contains_key(&profile),
            ),
        ];
        let left = is_left.into_iter().filter(|(_, is_left)| *is_left);
        let ours = left.filter(|(kind, _)| is_ours(self.case, *kind));
        ours.map(|(kind, _)| format!("the {kind} is left"))
            .collect()
    }

    /// The events that have to be there, and those that must not.
    fn unannounced(&self) -> Vec<String> {
        let has = |reason: &str| self.events.iter().any(|event| event == reason);
        let mut kinds = KINDS.iter();
        let adopts = kinds.any(|kind| standing(self.case, *kind) == Standing::Consented);
        let (needs, never): (&[&str], &[&str]) = match expected(self.case) {
            Expected::Ready if adopts => (&["Adopted"], &[]),
            Expected::Ready => (&[], &["Adopted"]),
            Expected::Refused([reason]) if !self.may_be_missed() => {
                (std::slice::from_ref(reason), &["Adopted", "Repaired"])
            }
            Expected::Told | Expected::Refused(_) => (&[], &["Adopted", "Repaired"]),
            Expected::Blocked => (&["DeletionBlocked"], &["Deleted", "Released"]),
            Expected::Gone => (&["Deleted"], &[]),
            Expected::Released => (&["Released"], &["Deleted"]),
        };
        let missing = needs.iter().filter(|reason| !has(reason));
        let wrong = never.iter().filter(|reason| has(reason));
        let missing = missing.map(|reason| format!("there is no event {reason}"));
        let wrong = wrong.map(|reason| format!("there is an event {reason}"));
        missing.chain(wrong).collect()
    }
}

fn wrong(is_right: bool, what: impl FnOnce() -> String) -> Vec<String> {
    if is_right { Vec::new() } else { vec![what()] }
}
