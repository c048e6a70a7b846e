//! The plan: what should be and what is in; ordered steps and the differences in words, or a
//! refusal, out. No IO. The only place that decides writes (deletion has its own, `deletion`).
//!
//! Nothing is planned for an object that is not proven ours, and while one of the three is not,
//! nothing is planned at all.

mod policy;
mod profile;
mod role;
mod tags;

pub(crate) use tags::spelled;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use smr_api::{DriftField, SessionManagerRoleStatus};

use crate::account::Arn;
use crate::canonical::DocumentDifference;
use crate::difference::{Difference, Differences, Importance};
use crate::kind::Kind;
use crate::observed::Observed;
use crate::ownership::{Holder, NotOurs, Ownership, Proof, prove};
use crate::resolve::desired::Desired;
use crate::step::Step;

/// The new policy is there at least this long before the other goes when `policy.type` changes:
/// IAM is eventually consistent.
pub const POLICY_OVERLAP: Duration = Duration::from_secs(30);
/// What stands before the name of an inline policy among the unlisted ones, and before no ARN.
pub const INLINE: &str = "inline/";

/// What status remembers of the IAM objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The role.
    pub role: Option<RecordedObject>,
    /// The managed policy.
    pub policy: Option<RecordedObject>,
    /// The instance profile.
    pub instance_profile: Option<RecordedObject>,
    /// Further managed policies that we attached.
    pub additional_policy_arns: Vec<String>,
}

/// One object as status remembers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedObject {
    /// The unique id.
    pub id: String,
    /// Keys of tags that we set, besides those of ownership.
    pub managed_tag_keys: Vec<String>,
}

impl Recorded {
    /// Reads status.
    pub fn of(status: Option<&SessionManagerRoleStatus>) -> Self {
        let Some(status) = status else {
            return Self::default();
        };
        let object = |id: &str, keys: &[String]| RecordedObject {
            id: id.to_owned(),
            managed_tag_keys: keys.to_vec(),
        };
        Self {
            role: status
                .role
                .as_ref()
                .map(|r| object(&r.id, &r.managed_tag_keys)),
            policy: status
                .policy
                .as_ref()
                .and_then(|p| Some(object(p.id.as_deref()?, &p.managed_tag_keys))),
            instance_profile: status
                .instance_profile
                .as_ref()
                .map(|p| object(&p.id, &p.managed_tag_keys)),
            additional_policy_arns: status
                .role
                .as_ref()
                .map(|r| r.attached_policy_arns.clone())
                .unwrap_or_default(),
        }
    }

    /// Whether an object of this kind was recorded.
    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Role => self.role.is_some(),
            Kind::Policy => self.policy.is_some(),
            Kind::InstanceProfile => self.instance_profile.is_some(),
        }
    }

    /// Nothing was ever recorded: a first creation, or a lost status.
    pub fn is_empty(&self) -> bool {
        self.role.is_none() && self.policy.is_none() && self.instance_profile.is_none()
    }
}

/// Ordered writes: stages one after the other, the steps of a stage side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// None of them is empty.
    pub stages: Vec<Vec<Step>>,
}

impl Plan {
    /// All steps in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.stages.iter().flatten()
    }

    /// Whether it makes an object that was not there.
    pub fn creates(&self) -> bool {
        self.steps().any(Step::creates)
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }
}

/// What to do, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The writes.
    pub plan: Plan,
    /// Each difference in words, the most important first; empty where IAM is as it should be.
    /// While `wait` runs, also what will go after it.
    pub drift: Differences,
    /// Policies on the role that nobody listed: ARNs, and `inline/NAME`.
    pub unlisted: Vec<String>,
    /// Objects that the plan takes over with consent.
    pub adopts: Vec<Kind>,
    /// Objects that only lack the cluster's UID, as they were made before there was such a tag. They get it
    /// without a word.
    pub unstamped: Vec<Kind>,
    /// Nothing to write now, but later: the policy of the former type goes after this time.
    pub wait: Option<Duration>,
}

impl Planned {
    /// Whether nothing differs but for the cluster's UID in the tags: this is written without a word.
    pub fn only_stamps(&self) -> bool {
        !self.unstamped.is_empty()
            && self.drift.is_empty()
            && self.adopts.is_empty()
            && self.wait.is_none()
    }
}

/// One of the three is not ours; nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub kind: Kind,
    /// Where it is.
    pub arn: String,
    /// Why it is not ours.
    pub why: NotOurs,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, arn, why } = self;
        let kind = kind.in_words();
        match why {
            NotOurs::NotOwned { holder } => {
                write!(f, "the {kind} {arn} exists and is not ours: {holder}")
            }
            NotOurs::Replaced { recorded, found } => write!(
                f,
                "the {kind} {arn} was deleted and made anew by someone else (its id was {recorded}, is {found}): delete it in AWS, or let it be adopted"
            ),
        }
    }
}

/// What is left when everything that is not ours is taken away.
pub fn without(refusals: &[Refusal], mut state: Observed) -> Observed {
    for refusal in refusals {
        match refusal.kind {
            Kind::Role => state.role = None,
            Kind::Policy => state.policy = None,
            Kind::InstanceProfile => state.instance_profile = None,
        }
    }
    state
}

/// When steps may run: a phase begins when the one before has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Ownership is stamped on what is taken over, before anything else is written to it.
    Stamp,
    /// What others need: creations, room for a version, the boundary, an empty profile.
    Prepare,
    /// To what should be.
    Converge,
    /// Further policies, once the own one is attached: where the role has no room for all, the own
    /// one must not be what is missing.
    Extend,
    /// What should not be any more.
    Withdraw,
    /// What could only go after that.
    Delete,
}

/// Differences as they are found: each sentence with the steps that end it.
#[derive(Default)]
struct Findings {
    steps: BTreeMap<Phase, Vec<Step>>,
    drift: Vec<Difference>,
    unlisted: Vec<String>,
    unstamped: Vec<Kind>,
    wait: Option<Duration>,
}

impl Findings {
    fn record(
        &mut self,
        kind: Kind,
        field: DriftField,
        importance: Importance,
        message: impl Into<String>,
    ) {
        self.drift.push(Difference {
            importance,
            kind,
            field,
            message: message.into(),
        });
    }

    fn record_all(&mut self, kind: Kind, field: DriftField, differences: Vec<DocumentDifference>) {
        for difference in differences {
            self.record(kind, field, difference.importance, difference.sentence);
        }
    }

    fn step(&mut self, phase: Phase, step: Step) {
        self.steps.entry(phase).or_default().push(step);
    }
}

/// Compares what should be with what is.
///
/// `new_policy_since`: for how long the policy of the wanted type is known to be in place, which
/// matters while `policy.type` changes; `None` where it is not known.
pub fn plan(
    desired: &Desired,
    observed: &Observed,
    recorded: &Recorded,
    new_policy_since: Option<Duration>,
) -> Result<Planned, Vec<Refusal>> {
    let proofs = prove_all(desired, observed, recorded)?;
    let mut findings = Findings::default();
    role::compare(desired, observed, recorded, proofs.role, &mut findings);
    policy::compare(
        desired,
        observed,
        recorded,
        proofs.policy,
        new_policy_since,
        &mut findings,
    );
    profile::compare(
        desired,
        observed,
        recorded,
        proofs.instance_profile,
        &mut findings,
    );
    Ok(Planned {
        plan: Plan {
            stages: findings.steps.into_values().collect(),
        },
        drift: findings.drift.into_iter().collect(),
        unlisted: findings.unlisted,
        adopts: proofs.adopts(),
        unstamped: findings.unstamped,
        wait: findings.wait,
    })
}

/// That an object may be written to; made only here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owned {
    /// It does not exist: the Create call itself stamps it.
    Absent,
    /// Proven by its tags.
    Proven(Proof),
    /// Both sides consent: stamped first.
    Consented,
}

impl Owned {
    /// Whether the tags of ownership have to be put on before any other write.
    fn needs_stamp(self) -> bool {
        match self {
            Self::Absent | Self::Proven(Proof::Full | Proof::WithoutClusterUid) => false,
            Self::Proven(Proof::EarlierUid) | Self::Consented => true,
        }
    }
}

struct Proofs {
    role: Owned,
    policy: Owned,
    instance_profile: Owned,
}

impl Proofs {
    fn adopts(&self) -> Vec<Kind> {
        [
            (Kind::Role, self.role),
            (Kind::Policy, self.policy),
            (Kind::InstanceProfile, self.instance_profile),
        ]
        .into_iter()
        .filter(|(_, owned)| *owned == Owned::Consented)
        .map(|(kind, _)| kind)
        .collect()
    }
}

fn path_of(arn: &str) -> Option<&str> {
    Arn::parse(arn).map(|arn| arn.path)
}

fn prove_all(
    desired: &Desired,
    observed: &Observed,
    recorded: &Recorded,
) -> Result<Proofs, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut judge = |kind: Kind,
                     found: Option<(&str, &str, &smr_api::Tags)>,
                     recorded: Option<&RecordedObject>| {
        let Some((arn, id, tags)) = found else {
            return Owned::Absent;
        };
        match prove(
            &desired.identity,
            desired.adoption,
            recorded.map(|r| r.id.as_str()),
            id,
            tags,
        ) {
            Ownership::Ours(proof) => Owned::Proven(proof),
            Ownership::Adoptable => match path_of(arn).filter(|path| *path != desired.names.path) {
                None => Owned::Consented,
                Some(path) => {
                    refusals.push(Refusal {
                        kind,
                        arn: arn.to_owned(),
                        why: NotOurs::NotOwned {
                            holder: Holder::OtherPath {
                                found: path.to_owned(),
                                wanted: desired.names.path.clone(),
                            },
                        },
                    });
                    Owned::Absent
                }
            },
            Ownership::NotOurs(why) => {
                refusals.push(Refusal {
                    kind,
                    arn: arn.to_owned(),
                    why,
                });
                Owned::Absent
            }
        }
    };
    let role = observed
        .role
        .as_ref()
        .map(|r| (r.arn.as_str(), r.id.as_str(), &r.tags));
    let policy = observed
        .policy
        .as_ref()
        .map(|p| (p.arn.as_str(), p.id.as_str(), &p.tags));
    let profile = (observed.instance_profile.as_ref())
        .filter(|_| desired.instance_profile.is_some())
        .map(|p| (p.arn.as_str(), p.id.as_str(), &p.tags));
    let proofs = Proofs {
        role: judge(Kind::Role, role, recorded.role.as_ref()),
        // With an inline policy a managed one of that name matters only if it is a former one of ours.
        policy: judge(
            Kind::Policy,
            policy.filter(|_| policy::is_looked_at(desired, observed, recorded)),
            recorded.policy.as_ref(),
        ),
        instance_profile: judge(
            Kind::InstanceProfile,
            profile,
            recorded.instance_profile.as_ref(),
        ),
    };
    if refusals.is_empty() {
        Ok(proofs)
    } else {
        Err(refusals)
    }
}

#[cfg(test)]
pub(crate) mod tests;
