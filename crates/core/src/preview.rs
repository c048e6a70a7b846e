//! What the controller will do with an object: what it would look at in, what it would decide out.
//! No IO. It calls what the controller calls, in the same order.

use smr_api::{Mode, Tags};

use crate::account::Account;
use crate::decide::presumes_empty;
use crate::effect::simulate;
use crate::observed::Observed;
use crate::ownership::KEYS;
use crate::plan::{POLICY_OVERLAP, Plan, Planned, Recorded, RecordedObject, Refusal, plan};
use crate::resolve::desired::PolicyHome;
use crate::resolve::{Resolved, other_account};
use crate::step::{PolicyStep, ProfileStep, Reply, RoleStep, Step};

/// What the controller will do.
#[derive(Clone, Debug, PartialEq)]
pub enum Preview {
    /// It takes these steps; none where IAM is as the spec says.
    Steps {
        /// Now.
        planned: Planned,
        /// Once IAM has spread the change: what a change of `policy.type` leaves behind goes.
        later: Plan,
        /// What IAM holds in the end.
        after: Box<Observed>,
    },
    /// Mode Observe: it tells these differences and writes nothing.
    Tells(Planned),
    /// One of the three is not ours: it stops there.
    Refuses {
        /// Which, and why.
        refusals: Vec<Refusal>,
        /// Where nothing was recorded, the creations that come before IAM says so.
        before: Vec<Step>,
    },
    /// The object found in IAM lies in another account.
    ElsewhereFound(Account),
}

/// What the controller will do about `wanted` where IAM holds `observed`.
pub fn preview(wanted: &Resolved, observed: &Observed, recorded: &Recorded) -> Preview {
    let desired = &wanted.desired;
    if let Some(other) = other_account(&desired.account, observed) {
        return Preview::ElsewhereFound(other);
    }
    match plan(desired, observed, recorded, None) {
        Ok(planned) if wanted.valid.mode == Mode::Observe => Preview::Tells(planned),
        Ok(mut planned) => {
            if presumes_empty(wanted, recorded) {
                planned.plan = as_first_created(wanted, observed, recorded, planned.plan);
            }
            let after = after(wanted, observed, &planned.plan);
            let later = match planned.wait {
                Some(_) => later(wanted, &after, recorded),
                None => Plan::default(),
            };
            Preview::Steps {
                after: Box::new(self::after(wanted, &after, &later)),
                later,
                planned,
            }
        }
        Err(refusals) => Preview::Refuses {
            before: if presumes_empty(wanted, recorded) {
                presumed_creations(wanted, observed)
            } else {
                Vec::new()
            },
            refusals,
        },
    }
}

/// A first creation is planned on an empty account: those that do not exist come into being before
/// IAM says that another does.
fn presumed_creations(wanted: &Resolved, observed: &Observed) -> Vec<Step> {
    let Ok(planned) = plan(
        &wanted.desired,
        &Observed::default(),
        &Recorded::default(),
        None,
    ) else {
        return Vec::new();
    };
    let is_absent = |step: &Step| match step {
        Step::Role(RoleStep::Create { .. }) => observed.role.is_none(),
        Step::Policy(PolicyStep::Create { .. }) => observed.policy.is_none(),
        Step::InstanceProfile(ProfileStep::Create { .. }) => observed.instance_profile.is_none(),
        _ => false,
    };
    let first = planned.plan.stages.into_iter().next().unwrap_or_default();
    first.into_iter().filter(is_absent).collect()
}

/// A first creation of which some exist already (adopted, or ours with a lost status): creations
/// come first, then what IAM's refusals have shown to be there is looked at.
fn as_first_created(
    wanted: &Resolved,
    observed: &Observed,
    recorded: &Recorded,
    planned: Plan,
) -> Plan {
    let first = Plan {
        stages: vec![presumed_creations(wanted, observed)],
    };
    if *observed == Observed::default() || first.steps().next().is_none() {
        return planned;
    }
    let created = after(wanted, observed, &first);
    match plan(&wanted.desired, &created, recorded, None) {
        Ok(rest) => Plan {
            stages: first.stages.into_iter().chain(rest.plan.stages).collect(),
        },
        Err(_) => planned,
    }
}

/// The steps that wait until IAM has spread the first ones.
fn later(wanted: &Resolved, after: &Observed, recorded: &Recorded) -> Plan {
    // What was created is recorded by then.
    let object = |id: &String, known: Option<&RecordedObject>| RecordedObject {
        id: id.clone(),
        managed_tag_keys: known
            .map(|k| k.managed_tag_keys.clone())
            .unwrap_or_default(),
    };
    let recorded = Recorded {
        role: (after.role.as_ref()).map(|r| object(&r.id, recorded.role.as_ref())),
        policy: (after.policy.as_ref()).map(|p| object(&p.id, recorded.policy.as_ref())),
        instance_profile: (after.instance_profile.as_ref())
            .map(|p| object(&p.id, recorded.instance_profile.as_ref())),
        additional_policy_arns: recorded.additional_policy_arns.clone(),
    };
    plan(&wanted.desired, after, &recorded, Some(POLICY_OVERLAP))
        .map(|planned| planned.plan)
        .unwrap_or_default()
}

/// IAM and status once an object has converged in an account that was empty.
pub fn converged(wanted: &Resolved) -> (Observed, Recorded) {
    let desired = &wanted.desired;
    let nothing = Observed::default();
    let state = match plan(desired, &nothing, &Recorded::default(), None) {
        Ok(planned) => after(wanted, &nothing, &planned.plan),
        Err(_) => nothing,
    };
    let object = |id: &String, tags: &Tags| RecordedObject {
        id: id.clone(),
        managed_tag_keys: tags
            .keys()
            .filter(|k| !KEYS.contains(&k.as_str()))
            .cloned()
            .collect(),
    };
    let policy_tags = match &desired.policy.home {
        PolicyHome::Managed { tags, .. } => tags.clone(),
        PolicyHome::Inline => Tags::new(),
    };
    let profile_tags = desired
        .instance_profile
        .as_ref()
        .map(|p| p.tags.clone())
        .unwrap_or_default();
    let recorded = Recorded {
        role: state
            .role
            .as_ref()
            .map(|r| object(&r.id, &desired.role.tags)),
        policy: state.policy.as_ref().map(|p| object(&p.id, &policy_tags)),
        instance_profile: (state.instance_profile.as_ref()).map(|p| object(&p.id, &profile_tags)),
        additional_policy_arns: desired.additional_policy_arns.iter().cloned().collect(),
    };
    (state, recorded)
}

/// IAM once `steps` are carried out.
fn after(wanted: &Resolved, observed: &Observed, steps: &Plan) -> Observed {
    let mut state = observed.clone();
    let (account, names) = (&wanted.desired.account, &wanted.desired.names);
    for step in steps.steps() {
        let reply = if step.creates() {
            Reply::Created {
                arn: step.arn(account, names),
                id: "new".to_owned(),
            }
        } else if matches!(step, Step::Policy(PolicyStep::CreateVersion { .. })) {
            Reply::Version("new".to_owned())
        } else {
            Reply::Done
        };
        simulate(&mut state, step, &reply);
    }
    state
}

#[cfg(test)]
mod tests;
