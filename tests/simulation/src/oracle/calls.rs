//! Rules of the writes to IAM: a call and IAM before and after it enter, broken rules leave. No IO.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use iam_emulator::{Call, Snapshot};
use smr_api::AdoptionPolicy;

use super::meaning::meaning;
use super::{Known, Oracle, OwnedName, PASS};
use crate::asked::{CLUSTER, CLUSTER_UID};
use crate::deeds::Kind;

/// What the SSM agent can't do without: no session otherwise.
const SESSIONS: &str = r#""Allow" null "ssmmessages:OpenDataChannel" "*" null"#;

/// The objects with the tags of our cluster.
pub fn owned(iam: &Snapshot) -> BTreeSet<OwnedName> {
    let ours = |tags: &std::collections::BTreeMap<String, String>| {
        tags.get("sessionmanager.dev/cluster")
            .is_some_and(|c| c == CLUSTER)
            && tags.contains_key("sessionmanager.dev/owner")
            && (tags.get("sessionmanager.dev/cluster-uid")).is_none_or(|uid| uid == CLUSTER_UID)
    };
    let roles = iam.roles.iter().filter(|(_, r)| ours(&r.tags));
    let policies = iam.policies.iter().filter(|(_, p)| ours(&p.tags));
    let profiles = iam.instance_profiles.iter().filter(|(_, p)| ours(&p.tags));
    let roles = roles.map(|(name, _)| (Kind::Role, name.clone()));
    let policies = policies.map(|(name, _)| (Kind::Policy, name.clone()));
    let profiles = profiles.map(|(name, _)| (Kind::Profile, name.clone()));
    roles.chain(policies).chain(profiles).collect()
}

fn tags<'a>(iam: &'a Snapshot, (kind, name): &OwnedName) -> Option<&'a BTreeMap<String, String>> {
    match kind {
        Kind::Role => iam.roles.get(name).map(|role| &role.tags),
        Kind::Policy => iam.policies.get(name).map(|policy| &policy.tags),
        Kind::Profile => iam.instance_profiles.get(name).map(|profile| &profile.tags),
    }
}

/// The owner that an object's tags name; `None` where there is no such object.
pub fn owner(iam: &Snapshot, name: &OwnedName) -> Option<String> {
    Some(
        tags(iam, name)?
            .get("sessionmanager.dev/owner")
            .cloned()
            .unwrap_or_default(),
    )
}

/// What a call changes: the last part of an ARN is a name.
fn targets(call: &Call) -> Vec<OwnedName> {
    let param = |key: &str| call.params.get(key).cloned();
    let of_arn = param("PolicyArn").and_then(|arn| arn.rsplit('/').next().map(str::to_owned));
    let mut all = Vec::new();
    match call.action.as_str() {
        // What is attached may be anybody's; the role is what changes.
        "AttachRolePolicy" | "DetachRolePolicy" | "PutRolePolicy" | "DeleteRolePolicy" => {
            all.extend(param("RoleName").map(|name| (Kind::Role, name)));
        }
        "AddRoleToInstanceProfile" | "RemoveRoleFromInstanceProfile" => {
            all.extend(param("InstanceProfileName").map(|name| (Kind::Profile, name)));
        }
        _ => {
            all.extend(param("RoleName").map(|name| (Kind::Role, name)));
            all.extend(param("InstanceProfileName").map(|name| (Kind::Profile, name)));
            all.extend(
                param("PolicyName")
                    .or(of_arn)
                    .map(|name| (Kind::Policy, name)),
            );
        }
    }
    all
}

/// Nothing is written to what is not ours: neither now, nor at the time when this pass may have proven it.
pub fn not_ours(oracle: &Oracle, now: Duration, call: &Call, before: &Snapshot) -> Vec<String> {
    let window = PASS + oracle.lag;
    let mut broken = Vec::new();
    for target in targets(call) {
        let Some(owner) = owner(before, &target) else {
            continue;
        };
        let proven = owned(before).contains(&target)
            && oracle
                .objects
                .values()
                .any(|known| known.subject.owner() == owner && known.has_name(&target.1));
        let lately = oracle
            .taken
            .get(&target)
            .is_some_and(|at| now.saturating_sub(*at) <= window);
        if !proven && !lately && !is_adopted(oracle, call, before, &target) {
            broken.push(format!(
                "{} on {} {}, which is not ours",
                call.action, target.0, target.1
            ));
        }
    }
    broken
}

/// The policy that is shipped allows each call: a denial says that the controller wanted what it may not. Where
/// IAM lags, its conditions see older tags, and what was taken from us lately has others.
pub fn denied(oracle: &Oracle, now: Duration, call: &Call) -> Option<String> {
    let lately = |target: &OwnedName| {
        let at = oracle.taken.get(target);
        at.is_some_and(|at| now.saturating_sub(*at) <= PASS)
    };
    let is_explained = !oracle.lag.is_zero() || targets(call).iter().any(lately);
    (!is_explained).then(|| {
        format!(
            "the policy that is shipped denies {} {:?}",
            call.action, call.params
        )
    })
}

/// Nothing is written for an object that is paused or in mode Observe.
pub fn left_alone(oracle: &Oracle, now: Duration, call: &Call, before: &Snapshot) -> Vec<String> {
    let alone = |known: &&super::Known| {
        known.is_there
            && known.is_left_alone()
            && now.saturating_sub(known.steady_since) > PASS + oracle.lag
    };
    let mut broken = Vec::new();
    for target in targets(call) {
        let owner = owner(before, &target);
        for known in oracle.objects.values().filter(alone) {
            let is_its = owner.as_ref().map_or_else(
                || known.has_name(&target.1),
                |owner| *owner == known.subject.owner(),
            );
            if is_its {
                let whose = known.subject.owner();
                broken.push(format!(
                    "{} for {whose}, which is paused or in mode Observe",
                    call.action
                ));
            }
        }
    }
    broken
}

/// Both sides consent to a take-over, and this call stamps it.
fn is_adopted(oracle: &Oracle, call: &Call, before: &Snapshot, target: &OwnedName) -> bool {
    let stamps = ["TagRole", "TagPolicy", "TagInstanceProfile"];
    let consent = tags(before, target).and_then(|tags| tags.get("sessionmanager.dev/adoptable-by"));
    let asks = |known: &Known| {
        let mut asked = known.asked().into_iter();
        asked.any(|asked| asked.spec.adoption_policy == Some(AdoptionPolicy::WithConsent))
    };
    let mut living = oracle.objects.values().filter(|known| known.is_there);
    stamps.contains(&call.action.as_str())
        && living.any(|known| {
            let named = format!("{CLUSTER}/{}", known.subject.owner());
            consent == Some(&named) && asks(known) && known.has_name(&target.1)
        })
}

/// Whether instances with this role can have sessions.
fn grants(iam: &Snapshot, role: &str) -> bool {
    let Some(role) = iam.roles.get(role) else {
        return false;
    };
    let attached = iam
        .policies
        .values()
        .filter(|p| role.attached.contains(&p.arn));
    let documents = attached.map(|p| &p.document).chain(role.inline.values());
    documents
        .map(|text| meaning(text))
        .any(|says| says.contains(SESSIONS))
}

/// No write of ours takes sessions from a role, or a role from its profile, but in a deletion.
pub fn access_lost(
    oracle: &Oracle,
    call: &Call,
    before: &Snapshot,
    after: &Snapshot,
) -> Vec<String> {
    let mut broken = Vec::new();
    let living = oracle
        .objects
        .values()
        .filter(|known| known.is_there && !known.is_deleting);
    for asked in living.filter_map(super::Known::asked) {
        let [role, _, profile] = asked.names();
        let held = |iam: &Snapshot| {
            let profile = iam.instance_profiles.get(&profile);
            profile
                .and_then(|p| p.role.clone())
                .is_some_and(|held| held == role)
        };
        if grants(before, &role) && !grants(after, &role) {
            broken.push(format!("{} takes sessions from role {role}", call.action));
        }
        if !asked.hybrid() && held(before) && !held(after) {
            broken.push(format!(
                "{} takes role {role} from its profile",
                call.action
            ));
        }
    }
    broken
}
