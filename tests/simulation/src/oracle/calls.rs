//! Rules of the writes to IAM: a call and IAM before and after it enter, broken rules leave. No IO.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use iam_emulator::{Call, Snapshot};
use smr_api::AdoptionPolicy;

use super::meaning::meaning;
use super::{Known, Oracle, OwnedName, PASS};
use crate::asked::{Asked, CLUSTER, CLUSTER_UID};
use crate::deeds::Kind;

/// What the SSM agent can't do without: no session otherwise.
const SESSIONS: &str = r#""Allow" null "ssmmessages:OpenDataChannel" "*" null"#;

/// How long both policies stay where the type of the policy changes; less would be access lost for a while.
const OVERLAP: Duration = Duration::from_secs(25);

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

/// The objects that a spec asks for, whoever has their names.
pub fn own_names(asked: &Asked) -> [OwnedName; 3] {
    let [role, policy, profile] = asked.names();
    [
        (Kind::Role, role),
        (Kind::Policy, policy),
        (Kind::Profile, profile),
    ]
}

/// The tags of an object, where there is one.
pub fn tags<'a>(
    iam: &'a Snapshot,
    (kind, name): &OwnedName,
) -> Option<&'a BTreeMap<String, String>> {
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
        let lately = oracle.lost_within(&target, now, window);
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
    let lately = |target: &OwnedName| oracle.lost_within(target, now, PASS);
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

/// The policies of a role that let instances with it have sessions: ARNs, and names of inline ones.
fn granting<'a>(iam: &'a Snapshot, role: &str) -> Vec<&'a String> {
    let Some(role) = iam.roles.get(role) else {
        return Vec::new();
    };
    let policies = iam.policies.values();
    let attached = policies
        .filter(|policy| role.attached.contains(&policy.arn))
        .map(|policy| (&policy.arn, &policy.document));
    attached
        .chain(&role.inline)
        .filter(|(_, document)| meaning(document).contains(SESSIONS))
        .map(|(name, _)| name)
        .collect()
}

/// Whether instances with this role can have sessions.
fn grants(iam: &Snapshot, role: &str) -> bool {
    !granting(iam, role).is_empty()
}

/// The policy that a call puts on a role.
pub fn placed(call: &Call) -> impl Iterator<Item = (String, String)> {
    let what = match call.action.as_str() {
        "AttachRolePolicy" => call.params.get("PolicyArn"),
        "PutRolePolicy" => call.params.get("PolicyName"),
        _ => None,
    };
    let role = call.params.get("RoleName");
    role.cloned().zip(what.cloned()).into_iter()
}

/// A policy goes only when another one has had the time to come into force: IAM takes some.
pub fn too_early(
    oracle: &Oracle,
    now: Duration,
    call: &Call,
    before: &Snapshot,
    after: &Snapshot,
) -> Option<String> {
    let removes = ["DetachRolePolicy", "DeleteRolePolicy"].contains(&call.action.as_str());
    let role = call.params.get("RoleName").filter(|_| removes)?;
    let mut living = oracle
        .objects
        .values()
        .filter(|known| known.is_there && !known.is_deleting);
    living.find(|known| known.asked().is_some_and(|asked| asked.names()[0] == *role))?;
    let left = granting(after, role);
    if left.len() == granting(before, role).len() {
        return None;
    }
    let since = |policy: &&String| oracle.placed_at.get(&(role.clone(), (*policy).clone()));
    // What others have put there is their business.
    let placed = left.iter().map(since).collect::<Option<Vec<_>>>()?;
    let first = placed.into_iter().min()?;
    let ago = now.saturating_sub(*first);
    (ago < OVERLAP).then(|| {
        format!(
            "{} from role {role}, {} s after the policy that takes its place",
            call.action,
            ago.as_secs()
        )
    })
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
