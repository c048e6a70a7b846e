//! What a change of documents means for access, in words. In: the documents before and after; out:
//! what is gained and what is lost. No IO.
//!
//! An action that is allowed in the one by a wider resource, a wildcard or fewer conditions of the
//! other is no change. Statements that deny count the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::words::{condition_in_words, list};
use super::{Atom, BulkItem, Canonical, Condition, Word};

/// Whether access comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It was not there.
    Gains,
    /// It will not be there.
    Loses,
}

/// Actions that are gained or lost on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessChange {
    /// Gained or lost.
    pub change: Direction,
    /// Such as `s3:PutObject`.
    pub actions: Vec<String>,
    /// An ARN or `*`; empty in trust policies.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Who; only in trust policies.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub principal: String,
    /// What has to hold, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

impl fmt::Display for AccessChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.change {
            Direction::Gains => "gains ",
            Direction::Loses => "loses ",
        })?;
        match self.actions.as_slice() {
            [] => f.write_str("nothing")?,
            [one] => f.write_str(one)?,
            [all @ .., last] => write!(f, "{} and {last}", all.join(", "))?,
        }
        if !self.resource.is_empty() {
            write!(f, " on {}", self.resource)?;
        }
        if !self.principal.is_empty() {
            write!(f, " by {}", self.principal)?;
        }
        if !self.conditions.is_empty() {
            write!(f, " where {}", self.conditions.join(" and "))?;
        }
        Ok(())
    }
}

/// The difference in access between two sets of documents. Documents that can't be understood
/// grant nothing.
pub fn access_changes<'a>(
    before: impl IntoIterator<Item = &'a str>,
    after: impl IntoIterator<Item = &'a str>,
) -> Vec<AccessChange> {
    let (before, after) = (atoms(before), atoms(after));
    let mut changes = told(&after, &before, Direction::Gains);
    changes.append(&mut told(&before, &after, Direction::Loses));
    changes
}

fn atoms<'a>(documents: impl IntoIterator<Item = &'a str>) -> BTreeSet<Atom> {
    documents
        .into_iter()
        .filter_map(|text| Canonical::parse(text).ok())
        .flat_map(|document| document.atoms())
        .collect()
}

/// Those of `these` that none of `others` covers, joined where only the action differs.
fn told(
    these: &BTreeSet<Atom>,
    others: &BTreeSet<Atom>,
    direction: Direction,
) -> Vec<AccessChange> {
    let mut joined: BTreeMap<(Direction, &BulkItem, &BulkItem, _), Vec<String>> = BTreeMap::new();
    for atom in these
        .iter()
        .filter(|atom| !others.iter().any(|other| covers(other, atom)))
    {
        let direction = match (atom.effect.as_str(), direction) {
            ("Deny", Direction::Gains) => Direction::Loses,
            ("Deny", Direction::Loses) => Direction::Gains,
            (_, direction) => direction,
        };
        joined
            .entry((direction, &atom.resource, &atom.principal, &atom.conditions))
            .or_default()
            .push(in_words(&atom.action));
    }
    joined
        .into_iter()
        .map(
            |((change, resource, principal, conditions), actions)| AccessChange {
                change,
                actions,
                resource: in_words(resource),
                principal: in_words(principal),
                conditions: conditions.iter().map(condition_in_words).collect(),
            },
        )
        .collect()
}

fn in_words(part: &BulkItem) -> String {
    match (part.values.is_empty(), part.not) {
        (true, _) => String::new(),
        (false, true) => format!("all but {}", list(&part.values)),
        (false, false) => list(&part.values),
    }
}

/// Whether `wide` says all that `narrow` says.
pub(super) fn covers(wide: &Atom, narrow: &Atom) -> bool {
    wide.effect == narrow.effect
        && part_covers(&wide.action, &narrow.action)
        && part_covers(&wide.resource, &narrow.resource)
        && part_covers(&wide.principal, &narrow.principal)
        && wide
            .conditions
            .iter()
            .all(|wide| narrow.conditions.iter().any(|n| is_implied(wide, n)))
}

/// A part that says "all but" is understood only where both say the same.
fn part_covers(wide: &BulkItem, narrow: &BulkItem) -> bool {
    if wide.not || narrow.not {
        return wide == narrow;
    }
    narrow.values.iter().all(|value| {
        wide.values
            .iter()
            .any(|pattern: &Word| matches(pattern.compared.as_bytes(), value.compared.as_bytes()))
    }) && (wide.values.is_empty() == narrow.values.is_empty())
}

/// Whether `wide` holds wherever `narrow` holds: the same test with at least its values, or at most
/// where a value is what must not be.
fn is_implied(wide: &Condition, narrow: &Condition) -> bool {
    if wide.operator != narrow.operator || wide.key != narrow.key {
        return false;
    }
    let (more, fewer) = if wide.operator.contains("Not") {
        (&narrow.values, &wide.values)
    } else {
        (&wide.values, &narrow.values)
    };
    let are_patterns = ["Like", "ArnEquals", "ArnNotEquals"]
        .iter()
        .any(|operator| wide.operator.contains(operator));
    fewer.iter().all(|value| {
        let is_matched = |more: &Word| matches(more.compared.as_bytes(), value.compared.as_bytes());
        more.contains(value) || (are_patterns && more.iter().any(is_matched))
    })
}

/// `*` and `?` as IAM has them. What `text` has of them itself is only matched by as much. Someone
/// else may have written the pattern: the effort grows with the product of the two lengths, no more.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    // Behind the last `*`, and what of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(here) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, here));
            }
            Some(p) if p == c || (*p == b'?' && *c != b'*') => {
                at += 1;
                here += 1;
            }
            Some(_) | None => {
                let Some((behind, taken)) = star else {
                    return false;
                };
                star = Some((behind, taken + 1));
                (at, here) = (behind, taken + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|p| *p == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(action: &str, resource: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{action},"Resource":{resource}}}]}}"#
        )
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        access_changes([before], [after])
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn gains_and_losses_are_told() {
        let before = allow(r#"["logs:PutLogEvents","logs:CreateLogStream"]"#, r#""*""#);
        let after = allow(
            r#"["s3:PutObject"]"#,
            r#"["arn:aws:s3:::a/*","arn:aws:s3:::b/*"]"#,
        );
        assert_eq!(
            told(&before, &after),
            [
                "gains s3:PutObject on arn:aws:s3:::a/*",
                "gains s3:PutObject on arn:aws:s3:::b/*",
                "loses logs:CreateLogStream and logs:PutLogEvents on *",
            ]
        );
        assert_eq!(told(&before, &before), [""; 0]);
    }

    #[test]
    fn what_a_wider_statement_allows_is_no_change() {
        let wide = allow(r#""logs:*""#, r#""*""#);
        let narrow = allow(
            r#""logs:PutLogEvents""#,
            r#""arn:aws:logs:*:1:log-group:g:*""#,
        );
        assert_eq!(told(&wide, &narrow), ["loses logs:* on *"]);
        assert_eq!(told(&narrow, &wide), ["gains logs:* on *"]);
        let conditional = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"k","Condition":{"StringLike":{"kms:ViaService":"s3.*"}}}}"#;
        assert_eq!(
            told(&allow(r#""kms:Decrypt""#, r#""k""#), conditional),
            ["loses kms:Decrypt on k"]
        );
        assert_eq!(
            told(&allow(r#""x:y""#, r#""k""#), conditional),
            [
                "gains kms:Decrypt on k where StringLike kms:ViaService s3.*",
                "loses x:y on k"
            ]
        );
    }

    #[test]
    fn order_and_splitting_of_statements_are_no_change() {
        let one = allow(r#"["a:b","a:c"]"#, r#""*""#);
        let two = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"A:C","Resource":["*"]},{"Effect":"Allow","Action":"a:b","Resource":"*"}]}"#;
        assert_eq!(told(&one, two), [""; 0]);
    }

    #[test]
    fn who_may_assume_the_role_is_told() {
        let trust = |service: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}}}"#
            )
        };
        assert_eq!(
            told(&trust("lambda.amazonaws.com"), &trust("ec2.amazonaws.com")),
            [
                "gains sts:AssumeRole by ec2.amazonaws.com",
                "loses sts:AssumeRole by lambda.amazonaws.com"
            ]
        );
    }

    #[test]
    fn patterns_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a*b", true),
            ("a*", "*", false),
            ("?", "*", false),
            ("?", "?", true),
            ("a?c", "abc", true),
            ("a*c", "abcabc", true),
            ("a*b*c", "axbxbx", false),
            ("*ab", "aab", true),
            ("a**", "a", true),
            ("a", "ab", false),
            ("ab", "a", false),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{pattern} {text}");
        }
        // Tried in every way, this takes longer than anyone lives.
        assert!(!matches(
            "*a".repeat(1000).as_bytes(),
            format!("{}b", "a".repeat(2000)).as_bytes()
        ));
    }

    #[test]
    fn a_condition_that_lets_less_through_is_no_gain() {
        let with = |condition: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{condition}}}}}"#
            )
        };
        for (wide, narrow) in [
            (
                r#"{"StringLike":{"k":"*"}}"#,
                r#"{"StringLike":{"k":"s-*"}}"#,
            ),
            (
                r#"{"StringEquals":{"k":["a","b"]}}"#,
                r#"{"StringEquals":{"k":"a"}}"#,
            ),
            (
                r#"{"StringNotLike":{"k":"a-x"}}"#,
                r#"{"StringNotLike":{"k":"a-*"}}"#,
            ),
            (
                r#"{"ArnEquals":{"k":"arn:aws:ssm:*:1:*"}}"#,
                r#"{"ArnEquals":{"k":"arn:aws:ssm:eu-central-1:1:*"}}"#,
            ),
            (
                r#"{"StringLike":{"k":"*"}}"#,
                r#"{"StringLike":{"k":"*"},"Bool":{"l":"true"}}"#,
            ),
        ] {
            let (wide, narrow) = (with(wide), with(narrow));
            let directions = |before: &str, after: &str| -> Vec<Direction> {
                (access_changes([before], [after]).iter())
                    .map(|change| change.change)
                    .collect()
            };
            assert_eq!(directions(&wide, &narrow), [Direction::Loses], "{narrow}");
            assert_eq!(directions(&narrow, &wide), [Direction::Gains], "{wide}");
        }
        for (one, other) in [
            // In these, a value is no pattern.
            (
                r#"{"StringEquals":{"k":"*"}}"#,
                r#"{"StringEquals":{"k":"a"}}"#,
            ),
            (r#"{"StringLike":{"k":"a"}}"#, r#"{"StringLike":{"l":"a"}}"#),
            (
                r#"{"StringLike":{"k":"a"}}"#,
                r#"{"StringNotLike":{"k":"a"}}"#,
            ),
        ] {
            let changes = access_changes([with(one).as_str()], [with(other).as_str()]);
            assert_eq!(changes.len(), 2, "{one} {other}");
        }
    }
}
