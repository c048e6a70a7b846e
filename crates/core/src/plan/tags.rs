//! Tags: only keys that we set are managed. In: wanted and found tags; out: findings. No IO.

use smr_api::Tags;

use super::{Findings, Owned, Phase, RecordedObject};
use crate::ownership::{ADOPTABLE_BY, Proof};
use crate::step::{Kind, Step, Target};

pub(super) fn compare(
    kind: Kind,
    target: &Target,
    wanted: &Tags,
    found: &Tags,
    recorded: Option<&RecordedObject>,
    owned: Owned,
    findings: &mut Findings,
) {
    let mut set = Tags::new();
    for (key, value) in wanted {
        match spelled(kind, found, key) {
            Some((_, same)) if same == value => {}
            Some((_, other)) => {
                findings.tell(
                    kind,
                    "tags",
                    format!(
                        "the tag {key} was {}, should be {}",
                        quoted(other),
                        quoted(value)
                    ),
                );
                set.insert(key.clone(), value.clone());
            }
            None => {
                findings.tell(
                    kind,
                    "tags",
                    format!("the tag {key} was missing, should be {}", quoted(value)),
                );
                set.insert(key.clone(), value.clone());
            }
        }
    }
    let mut gone: Vec<String> = recorded
        .into_iter()
        .flat_map(|r| &r.managed_tag_keys)
        .filter(|key| spelled(kind, wanted, key).is_none())
        .filter_map(|key| spelled(kind, found, key).map(|(spelled, _)| spelled.clone()))
        .collect();
    for key in &gone {
        findings.tell(
            kind,
            "tags",
            format!("the tag {key} was there, should not be any more"),
        );
    }
    if !set.is_empty() {
        let phase = match owned {
            Owned::Absent | Owned::Proven(Proof::Full) => Phase::Converge,
            Owned::Proven(Proof::EarlierUid) | Owned::Consented => Phase::Stamp,
        };
        findings.step(
            phase,
            Step::Tag {
                target: target.clone(),
                tags: set,
            },
        );
    }
    // Consent is used up once the stamp is on.
    if found.contains_key(ADOPTABLE_BY) {
        gone.push(ADOPTABLE_BY.to_owned());
    }
    if !gone.is_empty() {
        findings.step(
            Phase::Withdraw,
            Step::Untag {
                target: target.clone(),
                keys: gone,
            },
        );
    }
}

/// IAM does not distinguish keys of role tags by case (IAM user guide, "Tags for IAM resources").
fn spelled<'a>(kind: Kind, tags: &'a Tags, key: &str) -> Option<(&'a String, &'a String)> {
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
