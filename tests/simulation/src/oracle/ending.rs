//! How a story has to end: the world enters, what is not as it should be leaves. No IO.

use iam_emulator::Snapshot;

use super::calls::{own_names, owned, owner, tags};
use super::{Known, Oracle, OwnedName};
use crate::asked::Asked;
use crate::world::World;

/// Objects that are not at rest, each with why.
pub fn restless(world: &World) -> Vec<String> {
    let iam = world.iam.snapshot();
    world.witness.oracle(|oracle| all_restless(oracle, &iam))
}

fn all_restless(oracle: &Oracle, iam: &Snapshot) -> Vec<String> {
    let mut all: Vec<String> = oracle
        .objects()
        .filter_map(|known| why_restless(known, iam))
        .collect();
    // One of the same name may have come after it.
    let living: Vec<String> = oracle
        .objects()
        .filter(|known| known.is_there)
        .map(|known| known.subject.owner())
        .collect();
    // In mode Observe a deletion leaves IAM as it is.
    let observed = |known: &&Known| {
        known
            .asked()
            .is_some_and(|a| a.spec.mode == Some(smr_api::Mode::Observe))
    };
    let gone = oracle
        .objects()
        .filter(|known| !known.is_there && !observed(known));
    for known in gone.filter(|known| !living.contains(&known.subject.owner())) {
        for name in owned(iam) {
            if owner(iam, &name).is_some_and(|owner| owner == known.subject.owner())
                && known.has_name(&name.1)
                && !made_by_others(iam, &name)
            {
                all.push(format!(
                    "{} is gone, and its {} {} is there",
                    known.subject.owner(),
                    name.0,
                    name.1
                ));
            }
        }
    }
    all
}

/// Others forge the tags of ownership, but never the cluster's UID.
fn made_by_others(iam: &Snapshot, name: &OwnedName) -> bool {
    tags(iam, name).is_some_and(|tags| !tags.contains_key("sessionmanager.dev/cluster-uid"))
}

fn why_restless(known: &Known, iam: &Snapshot) -> Option<String> {
    let owner = known.subject.owner();
    if !known.is_there || known.is_paused {
        return None;
    }
    if known.is_deleting {
        return Some(format!("{owner} is still being deleted: {}", known.status));
    }
    let asked = known.asked()?;
    let ready = known.condition("Ready");
    let is_current = known.status["observedGeneration"] == known.generation;
    if asked.spec.mode == Some(smr_api::Mode::Observe) {
        let is_said = match ready {
            Some(("True", _)) => known.is_as_asked(),
            Some((_, "Drifted")) => !known.is_as_asked(),
            _ => false,
        };
        return (!is_said || !is_current).then(|| format!("{owner} (Observe): {}", known.status));
    }
    // Such as what a deletion before has retained.
    if ready.is_some_and(|(_, reason)| reason == "NotOwned") && is_taken(asked, iam) {
        return None;
    }
    let is_well = ready.is_some_and(|(is, _)| is == "True") && is_current && known.is_as_asked();
    (!is_well).then(|| {
        let iam = if known.is_as_asked() {
            "as it says"
        } else {
            "not as it says"
        };
        format!(
            "{owner} at generation {}: IAM is {iam}; {}",
            known.generation, known.status
        )
    })
}

/// Whether something that is not the object's own has one of its names.
fn is_taken(asked: &Asked, iam: &Snapshot) -> bool {
    let others =
        |name: &OwnedName| owner(iam, name).is_some_and(|owner| owner != asked.subject.owner());
    own_names(asked).iter().any(others)
}

/// Writes after all came to rest.
pub fn noises(world: &World, calls: u64, requests: u64) -> Vec<String> {
    let iam = world
        .iam
        .calls_since(calls)
        .into_iter()
        .filter(|call| call.write);
    let iam = iam.map(|call| format!("{} {:?}", call.action, call.params));
    let api = world.api.requests_since(requests).into_iter();
    let api = api.filter(|request| {
        request.body.is_some() && request.resource != api_emulator::Resource::Leases
    });
    let api = api.map(|request| {
        let name = request.name.unwrap_or_default();
        format!(
            "{} {:?} {:?} {name}",
            request.caller, request.verb, request.resource
        )
    });
    iam.chain(api).collect()
}

/// What of ours belongs to no object has to be counted as orphans.
pub fn remains(world: &World) -> Vec<String> {
    let iam = world.iam.snapshot();
    let living: Vec<String> = world
        .roles()
        .iter()
        .map(|role| {
            let text = |key: &str| {
                role["metadata"][key]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            format!("{}/{}", text("namespace"), text("name"))
        })
        .collect();
    let orphans: Vec<String> = owned(&iam)
        .iter()
        .filter(|name| owner(&iam, name).is_some_and(|owner| !living.contains(&owner)))
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    let Some(leader) = world.leader() else {
        return vec!["nobody leads".to_owned()];
    };
    // The account's details are read only where there is an object in sync.
    if living.is_empty() {
        return Vec::new();
    }
    let page = leader.metrics.encode().unwrap_or_default();
    let counted = page
        .lines()
        .find_map(|line| line.strip_prefix("smr_orphans "));
    let counted: usize = counted
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    if counted == orphans.len() {
        return Vec::new();
    }
    vec![format!(
        "{counted} orphans are counted, and there are {orphans:?}"
    )]
}
