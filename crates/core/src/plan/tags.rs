//! Tags: only keys that we set are managed. In: wanted and found tags; out: findings. No IO.

use smr_api::{DriftField, Tags};

use super::{Findings, Owned, Phase, RecordedObject};
use crate::difference::Importance;
use crate::kind::Kind;
use crate::ownership::{ADOPTABLE_BY, CLUSTER_UID, KEYS, Proof, RETAINED_FROM, TAGS_MAX};
use crate::step::{Step, Target};

pub(super) fn compare(
    kind: Kind,
    target: &Target,
    wanted: &Tags,
    found: &Tags,
    recorded: Option<&RecordedObject>,
    owned: Owned,
    findings: &mut Findings,
) {
    let mut set = to_set(kind, wanted, found, findings);
    if let Some(uid) = wanted.get(CLUSTER_UID)
        && spelled(kind, found, CLUSTER_UID).is_none()
    {
        set.insert(CLUSTER_UID.to_owned(), uid.clone());
        if owned == Owned::Proven(Proof::WithoutClusterUid) {
            findings.unstamped.push(kind);
        }
    }
    let mut gone: Vec<String> = recorded
        .into_iter()
        .flat_map(|r| &r.managed_tag_keys)
        .filter(|key| spelled(kind, wanted, key).is_none())
        .filter_map(|key| spelled(kind, found, key).map(|(spelled, _)| spelled.clone()))
        .collect();
    // Consent is used up once the stamp is on, and what was retained before is not any more.
    let used_up = [ADOPTABLE_BY, RETAINED_FROM].map(str::to_owned);
    let used_up = used_up.into_iter().filter(|key| found.contains_key(key));
    let used_up: Vec<String> = used_up.collect();
    for key in gone.iter().chain(&used_up) {
        findings.record(
            kind,
            DriftField::Tags,
            Importance::Other,
            format!(
                "the tag {key} of the {} was there, should not be any more",
                kind.in_words()
            ),
        );
    }
    let added = set
        .keys()
        .filter(|key| spelled(kind, found, key).is_none())
        .count();
    // Old and new ones together may be more than IAM takes: then the old ones make room.
    let no_room = found.len() + added > TAGS_MAX;
    let mut tag = |phase, tags: Tags| {
        if !tags.is_empty() {
            let target = target.clone();
            findings.step(phase, Step::Tag { target, tags });
        }
    };
    if owned.needs_stamp() {
        let stamp = |key: &String| !no_room || KEYS.contains(&key.as_str());
        let (first, rest) = set.into_iter().partition(|(key, _)| stamp(key));
        tag(Phase::Stamp, first);
        set = rest;
    }
    tag(Phase::Converge, set);
    let mut untag = |phase, keys: Vec<String>| {
        if !keys.is_empty() {
            let target = target.clone();
            findings.step(phase, Step::Untag { target, keys });
        }
    };
    if no_room {
        untag(Phase::Prepare, std::mem::take(&mut gone));
    }
    gone.extend(used_up);
    untag(Phase::Withdraw, gone);
}

/// The tags that are missing or have another value.
fn to_set(kind: Kind, wanted: &Tags, found: &Tags, findings: &mut Findings) -> Tags {
    let on = kind.in_words();
    let mut set = Tags::new();
    for (key, value) in wanted {
        let should = quoted(value);
        let message = match spelled(kind, found, key) {
            Some((_, same)) if same == value => continue,
            // It comes with whatever is written next, and is no difference.
            None if key == CLUSTER_UID => continue,
            Some((_, other)) => {
                let was = quoted(other);
                format!("the tag {key} of the {on} was {was}, should be {should}")
            }
            None => format!("the tag {key} of the {on} was missing, should be {should}"),
        };
        findings.record(kind, DriftField::Tags, Importance::Other, message);
        set.insert(key.clone(), value.clone());
    }
    set
}

/// IAM does not distinguish keys of role tags by case (IAM user guide, "Tags for IAM resources").
pub(crate) fn spelled<'a>(
    kind: Kind,
    tags: &'a Tags,
    key: &str,
) -> Option<(&'a String, &'a String)> {
    match kind {
        Kind::Role => tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)),
        Kind::Policy | Kind::InstanceProfile => tags.get_key_value(key),
    }
}

fn quoted(value: &str) -> String {
    if value.is_empty() {
        "empty".to_owned()
    } else {
        value.to_owned()
    }
}
