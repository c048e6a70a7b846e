//! IAM's rules for names, paths, tags and numbers: a value enters, a refusal may leave. No IO.

use std::collections::BTreeSet;

use crate::config::Quotas;
use crate::store::Tags;
use crate::wire::{IamError, Result};

const NAME_PATTERN: &str = r"[\w+=,.@-]+";

/// A role's name.
pub fn role_name(value: &str) -> Result<()> {
    name("roleName", value, 64)
}

/// A policy's name.
pub fn policy_name(value: &str) -> Result<()> {
    name("policyName", value, 128)
}

/// An instance profile's name.
pub fn profile_name(value: &str) -> Result<()> {
    name("instanceProfileName", value, 128)
}

fn name(field: &str, value: &str, max: usize) -> Result<()> {
    length(field, value, 1, max)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    pattern(field, value.chars().all(allowed), NAME_PATTERN)
}

fn length(field: &str, value: &str, min: usize, max: usize) -> Result<()> {
    let length = value.chars().count();
    if length < min {
        return Err(IamError::constraint(
            field,
            &format!("Member must have length greater than or equal to {min}"),
        ));
    }
    if length > max {
        return Err(IamError::constraint(
            field,
            &format!("Member must have length less than or equal to {max}"),
        ));
    }
    Ok(())
}

fn pattern(field: &str, holds: bool, pattern: &str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(IamError::constraint(
        field,
        &format!("Member must satisfy regular expression pattern: {pattern}"),
    ))
}

/// The path of a role or an instance profile: `/`, or anything printable between two slashes.
pub fn path(value: &str) -> Result<()> {
    length("path", value, 1, 512)?;
    let printable = value.chars().all(|c| ('!'..='\u{7f}').contains(&c));
    let inside = value.len() > 2 && value.starts_with('/') && value.ends_with('/');
    pattern(
        "path",
        value == "/" || (inside && printable),
        r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)",
    )
}

/// The path of a policy, which is stricter: no empty segment, and fewer characters.
pub fn policy_path(value: &str) -> Result<()> {
    length("path", value, 1, 512)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".,+@=_-".contains(c);
    let segments = value.strip_prefix('/').and_then(|rest| {
        if rest.is_empty() {
            Some("")
        } else {
            rest.strip_suffix('/')
        }
    });
    let holds = segments.is_some_and(|inner| {
        inner.is_empty()
            || inner
                .split('/')
                .all(|segment| !segment.is_empty() && segment.chars().all(allowed))
    });
    pattern("path", holds, r"((/[A-Za-z0-9\.,\+@=_-]+)*)/")
}

/// The prefix of paths that a list asks for.
pub fn path_prefix(value: &str) -> Result<()> {
    length("pathPrefix", value, 1, 512)?;
    let printable = value.chars().all(|c| ('!'..='\u{7f}').contains(&c));
    pattern(
        "pathPrefix",
        value.starts_with('/') && printable,
        r"\u002F[\u0021-\u007F]*",
    )
}

/// A role's description.
pub fn role_description(value: &str) -> Result<()> {
    length("description", value, 0, 1000)?;
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
    pattern(
        "description",
        value.chars().all(allowed),
        r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
    )
}

/// A policy's description.
pub fn policy_description(value: &str) -> Result<()> {
    length("description", value, 0, 1000)
}

/// The longest session of a role.
pub fn max_session(seconds: i64) -> Result<()> {
    if seconds < 3600 {
        return Err(IamError::constraint(
            "maxSessionDuration",
            "Member must have value greater than or equal to 3600",
        ));
    }
    if seconds > 43200 {
        return Err(IamError::constraint(
            "maxSessionDuration",
            "Member must have value less than or equal to 43200",
        ));
    }
    Ok(())
}

/// Whether an ARN can name a managed policy at all.
pub fn policy_arn(value: &str) -> Result<()> {
    length("policyArn", value, 20, 2048)?;
    let not_valid = format!("ARN {value} is not valid.");
    if !value.starts_with("arn:") {
        return Err(IamError::validation(not_valid));
    }
    let is_policy = value
        .splitn(6, ':')
        .collect::<Vec<_>>()
        .as_slice()
        .get(2..)
        .is_some_and(|rest| matches!(rest, ["iam", "", _, name] if name.starts_with("policy/")));
    if is_policy {
        return Ok(());
    }
    Err(IamError::invalid_input(not_valid))
}

/// How the tag keys of a kind of object are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCase {
    /// Roles: keys that differ only by case are the same key.
    Ignored,
    /// Policies and instance profiles.
    Matters,
}

impl KeyCase {
    fn fold(self, key: &str) -> String {
        match self {
            Self::Ignored => key.to_lowercase(),
            Self::Matters => key.to_owned(),
        }
    }
}

/// The tags of one request, on their own.
pub fn tags(tags: &Tags, case: KeyCase) -> Result<()> {
    if tags.len() > 50 {
        return Err(IamError::constraint(
            "tags",
            "Member must have length less than or equal to 50",
        ));
    }
    let mut seen = BTreeSet::new();
    for (key, value) in tags {
        tag_key(key)?;
        length("tags.member.value", value, 0, 256)?;
        pattern(
            "tags.member.value",
            value.chars().all(is_tag_char),
            TAG_VALUE_PATTERN,
        )?;
        if !seen.insert(case.fold(key)) {
            return Err(IamError::invalid_input(match case {
                KeyCase::Ignored => {
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive."
                }
                KeyCase::Matters => "Duplicate tag keys found.",
            }));
        }
    }
    Ok(())
}

const TAG_KEY_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
const TAG_VALUE_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*";

/// One tag key.
pub fn tag_key(key: &str) -> Result<()> {
    length("tags.member.key", key, 1, 128)?;
    pattern(
        "tags.member.key",
        key.chars().all(is_tag_char),
        TAG_KEY_PATTERN,
    )?;
    if key.to_lowercase().starts_with("aws:") {
        return Err(IamError::invalid_input(
            "aws: prefixed tag key names are not allowed for external use.",
        ));
    }
    Ok(())
}

fn is_tag_char(c: char) -> bool {
    let separator = matches!(
        c,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    );
    c.is_alphanumeric() || separator || "_.:/=+-@".contains(c)
}

/// Sets tags over those that are there. A key keeps the case that it is set with last.
pub fn merge_tags(held: &Tags, new: Tags, case: KeyCase, quotas: &Quotas) -> Result<Tags> {
    let mut merged = held.clone();
    for (key, value) in new {
        let folded = case.fold(&key);
        match merged
            .iter_mut()
            .find(|(held, _)| case.fold(held) == folded)
        {
            Some(tag) => *tag = (key, value),
            None => merged.push((key, value)),
        }
    }
    if merged.len() > quotas.tags {
        return Err(IamError::quota("TagsPerResource", quotas.tags));
    }
    Ok(merged)
}

/// Removes tags; a key that is not there is no error.
pub fn remove_tags(held: &Tags, keys: &[&str], case: KeyCase) -> Result<Tags> {
    for key in keys {
        length("tagKeys.member", key, 1, 128)?;
    }
    let gone: BTreeSet<String> = keys.iter().map(|key| case.fold(key)).collect();
    Ok(held
        .iter()
        .filter(|(key, _)| !gone.contains(&case.fold(key)))
        .cloned()
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_two_patterns() {
        for good in ["/", "/a/", "/a/b.c/"] {
            assert!(path(good).is_ok() && policy_path(good).is_ok(), "{good}");
        }
        for bad in ["", "a/", "/a", "/a b/"] {
            assert!(path(bad).is_err() && policy_path(bad).is_err(), "{bad}");
        }
        assert!(path("/a//b/").is_ok() && policy_path("/a//b/").is_err());
        assert!(path("/a!/").is_ok() && policy_path("/a!/").is_err());
    }

    #[test]
    fn role_tag_keys_are_one_whatever_their_case() {
        let quotas = Quotas::default();
        let held = vec![("Team".to_owned(), "a".to_owned())];
        let new = vec![("team".to_owned(), "b".to_owned())];
        let role = merge_tags(&held, new.clone(), KeyCase::Ignored, &quotas).unwrap();
        assert_eq!(role, new);
        assert_eq!(
            merge_tags(&held, new, KeyCase::Matters, &quotas)
                .unwrap()
                .len(),
            2
        );
        assert!(
            remove_tags(&held, &["TEAM"], KeyCase::Ignored)
                .unwrap()
                .is_empty()
        );
    }
}
