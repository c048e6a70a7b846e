//! The difference between two documents in words. In: what was found and what should be; out: one
//! sentence for each difference, and what it means for access. No IO.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::compare::Comparison;
use super::excess::Judge;
use super::{BulkItem, Canonical, CanonicalStatement, Condition, Word};
use crate::difference::{Importance, Width};

/// One difference between two documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentDifference {
    /// What it means for access.
    pub importance: Importance,
    /// In words.
    pub sentence: String,
}

/// One sentence for each difference; none where both mean the same. `what` names the document,
/// such as `the policy`.
pub fn differences(what: &str, found: &str, wanted: &str) -> Vec<DocumentDifference> {
    // IAM mostly gives back what it was given, and most objects are in sync.
    if found == wanted {
        return Vec::new();
    }
    let not_understood = |sentence| DocumentDifference {
        importance: Importance::Excess(Width::UNKNOWN),
        sentence,
    };
    let wanted = match Canonical::parse(wanted) {
        Ok(wanted) => wanted,
        Err(error) => return vec![not_understood(format!("{what} can't be compared: {error}"))],
    };
    let found = match Canonical::parse(found) {
        Ok(found) => found,
        Err(error) => return vec![not_understood(format!("{what} was {error}"))],
    };
    if found.means_the_same(&wanted) {
        return Vec::new();
    }
    let mut differences = Vec::new();
    if found.version != wanted.version {
        differences.push(DocumentDifference {
            importance: Importance::Other,
            sentence: format!(
                "the Version of {what} was {}, should be {}",
                found.version, wanted.version
            ),
        });
    }
    statements(what, &found, &wanted, &mut differences);
    // The same statement may be there twice.
    differences.dedup();
    differences
}

/// Compares each wanted statement with the found one that is most like it.
fn statements(
    what: &str,
    found: &Canonical,
    wanted: &Canonical,
    differences: &mut Vec<DocumentDifference>,
) {
    let judge = Judge::new(found, wanted);
    let known: BTreeSet<_> = wanted
        .atoms()
        .intersection(&found.atoms())
        .cloned()
        .collect();
    let is_known = |s: &CanonicalStatement| s.atoms().iter().all(|atom| known.contains(atom));
    // Found statements that say exactly what a wanted one says are out of the question.
    let mut left: Vec<&CanonicalStatement> = (found.statements.iter())
        .filter(|was| {
            !wanted
                .statements
                .iter()
                .any(|should| should.atoms() == was.atoms())
        })
        .collect();
    let mut missing = Vec::new();
    let unlike_any = |should: &&CanonicalStatement| {
        !found
            .statements
            .iter()
            .any(|was| was.atoms() == should.atoms())
    };
    for (index, should) in wanted
        .statements
        .iter()
        .enumerate()
        .filter(|(_, s)| unlike_any(s))
    {
        let counterpart = if is_known(should) {
            left.iter().position(|was| says_more(was, should))
        } else {
            closest(should, &left)
        };
        let place = format!("statement {} of {what}", index + 1);
        match counterpart {
            Some(at) => {
                let was = left.remove(at);
                differences.append(&mut Comparison::of(place, was, should, &judge));
            }
            // All of it is said in other statements.
            None if is_known(should) => {}
            None => missing.push(DocumentDifference {
                importance: judge.importance(None, Some(should), Importance::Missing),
                sentence: format!("{place} was missing: {}", describe(should)),
            }),
        }
    }
    differences.extend(missing);
    let extra = left.into_iter().filter(|was| !is_known(was));
    differences.extend(extra.map(|was| DocumentDifference {
        importance: judge.importance(Some(was), None, of_extra(was)),
        sentence: format!(
            "{what} had a statement that should not be there: {}",
            describe(was)
        ),
    }));
}

/// What an extra part of a statement means where it grants nothing: a denial takes away what the
/// spec asks for, and what is allowed elsewhere as well changes nothing.
pub(super) fn of_extra(was: &CanonicalStatement) -> Importance {
    if was.denies() {
        Importance::Missing
    } else {
        Importance::Other
    }
}

/// All that `should` says, and more.
fn says_more(was: &CanonicalStatement, should: &CanonicalStatement) -> bool {
    let (was, should) = (was.atoms(), should.atoms());
    was.len() > should.len() && should.iter().all(|atom| was.contains(atom))
}

/// The found statement that shares most with `should`; none where nothing is shared.
fn closest(should: &CanonicalStatement, found: &[&CanonicalStatement]) -> Option<usize> {
    let shared = |was: &CanonicalStatement| {
        let common = |a: &BulkItem, b: &BulkItem| a.values.intersection(&b.values).count();
        // Actions and principals say what a statement is for; `*` is shared by most.
        4 * common(&was.actions, &should.actions)
            + 2 * common(&was.principals, &should.principals)
            + common(&was.resources, &should.resources)
    };
    (found.iter().enumerate())
        .map(|(at, was)| (shared(was), at))
        .filter(|(score, _)| *score >= 2)
        .max_by_key(|(score, at)| (*score, std::cmp::Reverse(*at)))
        .map(|(_, at)| at)
}

pub(super) fn resources(part: &BulkItem) -> String {
    match (part.values.is_empty(), part.not) {
        (true, _) => "nothing".to_owned(),
        (false, true) => format!("all but {}", list(&part.values)),
        (false, false) => list(&part.values),
    }
}

fn describe(statement: &CanonicalStatement) -> String {
    let mut text = format!(
        "{} {}",
        statement.effect,
        if statement.actions.not {
            "all but "
        } else {
            ""
        }
    );
    text.push_str(&list(&statement.actions.values));
    if !statement.resources.values.is_empty() {
        let _ = write!(text, " on {}", resources(&statement.resources));
    }
    if !statement.principals.values.is_empty() {
        let _ = write!(
            text,
            " for {}{}",
            if statement.principals.not {
                "all but "
            } else {
                ""
            },
            list(&statement.principals.values)
        );
    }
    if !statement.conditions.is_empty() {
        let all: Vec<String> = statement
            .conditions
            .iter()
            .map(condition_in_words)
            .collect();
        let _ = write!(text, " where {}", all.join(" and "));
    }
    text
}

pub(super) fn condition_in_words(condition: &Condition) -> String {
    format!(
        "{} {} {}",
        condition.operator,
        condition.key.shown,
        list(&condition.values)
    )
}

/// At most this many values are named, so that a sentence stays one.
const NAMED: usize = 6;

pub(super) fn list(values: &BTreeSet<Word>) -> String {
    let mut named: Vec<&str> = values
        .iter()
        .take(NAMED)
        .map(|w| w.shown.as_str())
        .collect();
    let rest = values.len().saturating_sub(NAMED);
    let more = format!("{rest} more");
    if rest > 0 {
        named.push(&more);
    }
    match named.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
