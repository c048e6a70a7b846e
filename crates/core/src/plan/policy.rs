//! The own policy, managed or inline, and the change between the two without a moment without
//! access. In: wanted and found; out: findings. No IO.

use smr_api::DriftField;
use std::time::Duration;

use super::{Findings, Owned, POLICY_OVERLAP, Phase, Recorded, tags};
use crate::canonical::{Canonical, DocumentDifference, differences, excess};
use crate::difference::Importance;
use crate::kind::Kind;
use crate::observed::{Observed, ObservedPolicy};
use crate::resolve::desired::{Desired, PolicyHome};
use crate::step::{PolicyStep, RoleStep, Step, Target};

/// IAM's limit of versions of one managed policy.
const VERSIONS_MAX: usize = 5;

/// Whether the managed policy of the own name concerns us at all.
pub(super) fn is_looked_at(desired: &Desired, observed: &Observed, recorded: &Recorded) -> bool {
    match desired.policy.home {
        PolicyHome::Managed { .. } => true,
        PolicyHome::Inline => {
            let attached = observed
                .role
                .as_ref()
                .is_some_and(|role| role.attached.contains(&desired.policy_arn()));
            recorded.policy.is_some() || attached
        }
    }
}

pub(super) fn compare(
    desired: &Desired,
    observed: &Observed,
    recorded: &Recorded,
    owned: Owned,
    new_policy_since: Option<Duration>,
    findings: &mut Findings,
) {
    let before = findings.steps.values().map(Vec::len).sum::<usize>();
    match &desired.policy.home {
        PolicyHome::Managed { description, tags } => {
            managed(
                desired,
                observed,
                recorded,
                owned,
                description,
                tags,
                findings,
            );
        }
        PolicyHome::Inline => inline(desired, observed, findings),
    }
    let in_place =
        before == findings.steps.values().map(Vec::len).sum::<usize>() && observed.role.is_some();
    let mut former = Findings::default();
    former_type(desired, observed, recorded, owned, &mut former);
    if former.steps.is_empty() {
        return;
    }
    findings.drift.append(&mut former.drift);
    match new_policy_since {
        Some(since) if in_place && since >= POLICY_OVERLAP => {
            for (phase, steps) in former.steps {
                findings.steps.entry(phase).or_default().extend(steps);
            }
        }
        Some(since) if in_place => findings.wait = Some(POLICY_OVERLAP.saturating_sub(since)),
        Some(_) | None => findings.wait = Some(POLICY_OVERLAP),
    }
}

fn managed(
    desired: &Desired,
    observed: &Observed,
    recorded: &Recorded,
    owned: Owned,
    description: &str,
    wanted_tags: &smr_api::Tags,
    findings: &mut Findings,
) {
    let names = &desired.names;
    let arn = desired.policy_arn();
    match &observed.policy {
        None => {
            findings.record(
                Kind::Policy,
                DriftField::Existence,
                Importance::Missing,
                format!("the policy {arn} was missing"),
            );
            findings.step(
                Phase::Prepare,
                Step::Policy(PolicyStep::Create {
                    path: names.path.clone(),
                    name: names.policy.clone(),
                    document: desired.policy.document.clone(),
                    description: description.to_owned(),
                    tags: wanted_tags.clone(),
                }),
            );
        }
        Some(found) => {
            document(desired, found, findings);
            let target = Target::Policy(found.arn.clone());
            tags::compare(
                Kind::Policy,
                &target,
                wanted_tags,
                &found.tags,
                recorded.policy.as_ref(),
                owned,
                findings,
            );
        }
    }
    if !observed
        .role
        .as_ref()
        .is_some_and(|role| role.attached.contains(&arn))
    {
        if observed.role.is_some() {
            findings.record(
                Kind::Role,
                DriftField::AttachedPolicies,
                Importance::Missing,
                format!("the policy {arn} was not attached to the role, should be"),
            );
        }
        findings.step(
            Phase::Converge,
            Step::Role(RoleStep::AttachPolicy {
                role: names.role.clone(),
                policy_arn: arn,
            }),
        );
    }
}

fn document(desired: &Desired, found: &ObservedPolicy, findings: &mut Findings) {
    let wanted = &desired.policy.document;
    let sentences = differences("the policy", &found.document, wanted);
    if sentences.is_empty() {
        return;
    }
    findings.record_all(Kind::Policy, DriftField::Document, sentences);
    let delete = |version: &String| {
        Step::Policy(PolicyStep::DeleteVersion {
            policy_arn: found.arn.clone(),
            version: version.clone(),
        })
    };
    if found.versions.len() >= VERSIONS_MAX
        && let Some(oldest) = found.oldest_spare_version()
    {
        findings.step(Phase::Prepare, delete(oldest));
    }
    findings.step(
        Phase::Converge,
        Step::Policy(PolicyStep::CreateVersion {
            policy_arn: found.arn.clone(),
            document: wanted.clone(),
        }),
    );
    // A version that allows more is not left lying about for someone to make the default again.
    let narrows = match (Canonical::parse(&found.document), Canonical::parse(wanted)) {
        (Ok(was), Ok(will_be)) => was.is_narrowed_by(&will_be),
        (Err(_), _) | (_, Err(_)) => true,
    };
    if narrows {
        findings.step(Phase::Withdraw, delete(&found.default_version));
    }
}

fn inline(desired: &Desired, observed: &Observed, findings: &mut Findings) {
    let name = &desired.names.policy;
    let wanted = &desired.policy.document;
    let put = Step::Role(RoleStep::PutPolicy {
        role: desired.names.role.clone(),
        policy: name.clone(),
        document: wanted.clone(),
    });
    let Some(role) = &observed.role else {
        findings.step(Phase::Converge, put);
        return;
    };
    let sentences = match role.inline.get(name).and_then(Option::as_deref) {
        None => vec![DocumentDifference {
            importance: Importance::Missing,
            sentence: format!("the inline policy {name} was missing"),
        }],
        Some(document) => differences("the inline policy", document, wanted),
    };
    if !sentences.is_empty() {
        findings.record_all(Kind::Policy, DriftField::Document, sentences);
        findings.step(Phase::Converge, put);
    }
}

/// What is left of the other type: an inline policy of the own name, or the managed one that was
/// ours (its ownership is proven: otherwise there would be no plan).
fn former_type(
    desired: &Desired,
    observed: &Observed,
    recorded: &Recorded,
    owned: Owned,
    findings: &mut Findings,
) {
    let names = &desired.names;
    match &desired.policy.home {
        PolicyHome::Managed { .. } => {
            let role = observed.role.as_ref();
            if let Some(document) = role.and_then(|role| role.inline.get(&names.policy)) {
                findings.record(
                    Kind::Policy,
                    DriftField::Type,
                    beside(document.as_deref(), desired),
                    format!(
                        "the inline policy {} was there beside the managed one, should not be",
                        names.policy
                    ),
                );
                findings.step(
                    Phase::Withdraw,
                    Step::Role(RoleStep::DeletePolicy {
                        role: names.role.clone(),
                        policy: names.policy.clone(),
                    }),
                );
            }
        }
        PolicyHome::Inline => {
            let Some(policy) = observed
                .policy
                .as_ref()
                .filter(|_| is_looked_at(desired, observed, recorded))
            else {
                return;
            };
            former_managed(desired, observed, policy, owned, findings);
        }
    }
}

/// The managed policy goes: from the role, then its versions, then itself.
fn former_managed(
    desired: &Desired,
    observed: &Observed,
    policy: &ObservedPolicy,
    owned: Owned,
    findings: &mut Findings,
) {
    let policy_arn = &policy.arn;
    let is_attached =
        (observed.role.as_ref()).is_some_and(|role| role.attached.contains(policy_arn));
    let importance = if is_attached {
        beside(Some(&policy.document), desired)
    } else {
        Importance::Other
    };
    findings.record(
        Kind::Policy,
        DriftField::Type,
        importance,
        format!("the managed policy {policy_arn} was there beside the inline one, should not be"),
    );
    if owned.needs_stamp() {
        let stamp = Step::Tag {
            target: Target::Policy(policy_arn.clone()),
            tags: desired.identity.tags(),
        };
        findings.step(Phase::Stamp, stamp);
    }
    if is_attached {
        let detach = RoleStep::DetachPolicy {
            role: desired.names.role.clone(),
            policy_arn: policy_arn.clone(),
        };
        findings.step(Phase::Withdraw, Step::Role(detach));
    }
    let spare = (policy.versions.iter()).filter(|v| **v != policy.default_version);
    for version in spare {
        let delete = PolicyStep::DeleteVersion {
            policy_arn: policy_arn.clone(),
            version: version.clone(),
        };
        findings.step(Phase::Withdraw, Step::Policy(delete));
    }
    let delete = PolicyStep::Delete {
        policy_arn: policy_arn.clone(),
    };
    findings.step(Phase::Delete, Step::Policy(delete));
}

/// What it means that the role has this document beside the wanted one.
fn beside(document: Option<&str>, desired: &Desired) -> Importance {
    excess(document, &desired.policy.document).map_or(Importance::Other, Importance::Excess)
}
