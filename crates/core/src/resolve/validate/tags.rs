//! Tags: those of spec and the operator's in, what goes on one IAM object out. No IO.

use std::collections::BTreeMap;

use smr_api::Tags;

use super::Problems;
use crate::limits::Limits;
use crate::ownership::{self, TAGS_MAX};

/// The operator's tags win over the object's own, which win over the shared ones.
pub(super) fn merged_tags(
    field: &str,
    shared: Option<&Tags>,
    own: Option<&Tags>,
    (limits, namespace): (&Limits, &str),
    problems: &mut Problems,
) -> Tags {
    let mut merged = shared.cloned().unwrap_or_default();
    merged.extend(own.cloned().unwrap_or_default());
    for (key, value) in limits.tags_of(namespace) {
        if merged.get(key).is_some_and(|mine| *mine != value) {
            problems.add(
                field,
                format!("the tag {key} is set by the operator (--tag {key}={value}): remove it from spec"),
            );
        }
        merged.insert(key.clone(), value);
    }
    // Those of ownership, and one place for consent to adoption, or for what a retained object was of.
    let room = TAGS_MAX - ownership::KEYS.len() - 1;
    if merged.len() > room {
        problems.add(field, format!("{} tags with spec.tags and the operator's, IAM leaves room for {room}: remove some", merged.len()));
    }
    merged
}

/// IAM tells keys of role tags apart without case.
pub(super) fn distinct_but_for_case(tags: &Tags, limits: &Limits, problems: &mut Problems) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for key in tags.keys() {
        let Some(other) = seen.insert(key.to_lowercase(), key) else {
            continue;
        };
        // Two of the operator's are refused as flags.
        let of_operator = [(key.as_str(), other), (other, key.as_str())]
            .into_iter()
            .find_map(|(key, spec)| Some((key, limits.tags.get(key)?, spec)));
        let problem = match of_operator {
            Some((key, value, spec)) => format!(
                "the key {spec} differs only by case from {key}, which the operator sets (--tag {key}={value}), and IAM can't tell them apart on a role: remove {spec} from spec"
            ),
            None => format!(
                "the keys {other} and {key} differ only by case, which IAM can't tell apart on a role: keep one of them"
            ),
        };
        problems.add("spec.role.tags", problem);
    }
}

/// Tags are rights where other policies test them: the operator may list the keys that spec may set.
pub(super) fn allowed_keys(
    field: &str,
    tags: Option<&Tags>,
    limits: &Limits,
    problems: &mut Problems,
) {
    let keys = tags.into_iter().flat_map(Tags::keys);
    for key in keys.filter(|key| !limits.allows_tag_key(key)) {
        problems.add(
            field,
            format!(
                "the tag key {key} is not allowed by this controller ({}): remove the tag, or ask the operator for --allow-tag-key {key}",
                limits.allowed_tag_keys.join(", ")
            ),
        );
    }
}
