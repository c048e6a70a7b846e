//! What a change of documents means for access, in words. In: the documents before and after; out:
//! what is gained and what is lost. No IO.
//!
//! An action that is allowed in the one by a wider resource, a wildcard or fewer conditions of the
//! other is no change. Statements that deny count the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::words::{condition_in_words, list};
use super::{Atom, Canonical, Part, Word};

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
    let mut joined: BTreeMap<(Direction, &Part, &Part, _), Vec<String>> = BTreeMap::new();
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

fn in_words(part: &Part) -> String {
    match (part.values.is_empty(), part.not) {
        (true, _) => String::new(),
        (false, true) => format!("all but {}", list(&part.values)),
        (false, false) => list(&part.values),
    }
}

/// Whether `wide` allows whatever `narrow` allows.
fn covers(wide: &Atom, narrow: &Atom) -> bool {
    wide.effect == narrow.effect
        && part_covers(&wide.action, &narrow.action)
        && part_covers(&wide.resource, &narrow.resource)
        && part_covers(&wide.principal, &narrow.principal)
        && wide.conditions.is_subset(&narrow.conditions)
}

/// A part that says "all but" is understood only where both say the same.
fn part_covers(wide: &Part, narrow: &Part) -> bool {
    if wide.not || narrow.not {
        return wide == narrow;
    }
    narrow.values.iter().all(|value| {
        wide.values
            .iter()
            .any(|pattern: &Word| matches(pattern.compared.as_bytes(), value.compared.as_bytes()))
    }) && (wide.values.is_empty() == narrow.values.is_empty())
}

/// `*` and `?` as IAM has them. What `text` has of them itself is only matched by as much.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if matches(rest, text) => true,
        (Some((b'*', _)), Some((_, tail))) => matches(pattern, tail),
        (Some((b'?', rest)), Some((c, tail))) if *c != b'*' => matches(rest, tail),
        (Some((p, rest)), Some((c, tail))) if p == c => matches(rest, tail),
        _ => false,
    }
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
}
