//! The difference between two documents in words. In: what was found and what should be; out: one
//! sentence for each difference. No IO.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Canonical, CanonicalStatement, Condition, Part, Word};

/// One sentence for each difference; none where both mean the same. `what` names the document,
/// such as `the policy`.
pub fn differences(what: &str, found: &str, wanted: &str) -> Vec<String> {
    // IAM mostly gives back what it was given, and most objects are in sync.
    if found == wanted {
        return Vec::new();
    }
    let wanted = match Canonical::parse(wanted) {
        Ok(wanted) => wanted,
        Err(error) => return vec![format!("{what} can't be compared: {error}")],
    };
    let found = match Canonical::parse(found) {
        Ok(found) => found,
        Err(error) => return vec![format!("{what} was {error}")],
    };
    if found.means_the_same(&wanted) {
        return Vec::new();
    }
    let mut sentences = Vec::new();
    if found.version != wanted.version {
        sentences.push(format!(
            "the Version of {what} was {}, should be {}",
            found.version, wanted.version
        ));
    }
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
        match counterpart {
            Some(at) => {
                let was = left.remove(at);
                compare(
                    &format!("statement {} of {what}", index + 1),
                    was,
                    should,
                    &mut sentences,
                );
            }
            // All of it is said in other statements.
            None if is_known(should) => {}
            None => missing.push(format!(
                "statement {} of {what} was missing: {}",
                index + 1,
                describe(should)
            )),
        }
    }
    sentences.extend(missing);
    let extra = left.into_iter().filter(|was| !is_known(was));
    sentences.extend(extra.map(|was| {
        format!(
            "{what} had a statement that should not be there: {}",
            describe(was)
        )
    }));
    // The same statement may be there twice.
    sentences.dedup();
    sentences
}

/// All that `should` says, and more.
fn says_more(was: &CanonicalStatement, should: &CanonicalStatement) -> bool {
    let (was, should) = (was.atoms(), should.atoms());
    was.len() > should.len() && should.iter().all(|atom| was.contains(atom))
}

/// The found statement that shares most with `should`; none where nothing is shared.
fn closest(should: &CanonicalStatement, found: &[&CanonicalStatement]) -> Option<usize> {
    let shared = |was: &CanonicalStatement| {
        let common = |a: &Part, b: &Part| a.values.intersection(&b.values).count();
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

fn compare(
    place: &str,
    was: &CanonicalStatement,
    should: &CanonicalStatement,
    out: &mut Vec<String>,
) {
    let about = list(&should.actions.values);
    let was_or_were = |values: &BTreeSet<Word>| if values.len() == 1 { "was" } else { "were" };
    if was.effect != should.effect {
        out.push(format!(
            "{place}: the effect was {}, should be {}",
            was.effect, should.effect
        ));
    }
    for (name, was, should) in [
        ("principal", &was.principals, &should.principals),
        ("action", &was.actions, &should.actions),
    ] {
        if was.not != should.not {
            out.push(format!(
                "{place}: had {}, should have {}",
                negatable(name, was),
                negatable(name, should)
            ));
            continue;
        }
        let missing: BTreeSet<_> = should.values.difference(&was.values).cloned().collect();
        let extra: BTreeSet<_> = was.values.difference(&should.values).cloned().collect();
        match (missing.is_empty(), extra.is_empty()) {
            (true, true) => {}
            (false, true) => out.push(format!(
                "{place}: {} {} missing",
                list(&missing),
                was_or_were(&missing)
            )),
            (true, false) => out.push(format!("{place}: had {} besides, should not", list(&extra))),
            (false, false) if extra.len() == 1 && missing.len() == 1 => out.push(format!(
                "{place}: the {name} was {}, should be {}",
                list(&extra),
                list(&missing)
            )),
            (false, false) => out.push(format!(
                "{place}: had {} instead of {}",
                list(&extra),
                list(&missing)
            )),
        }
    }
    if was.resources != should.resources {
        out.push(format!(
            "{place}: {about} {} on {}, should be on {}",
            was_or_were(&should.actions.values),
            resources(&was.resources),
            resources(&should.resources)
        ));
    }
    for condition in was.conditions.difference(&should.conditions) {
        match should
            .conditions
            .iter()
            .find(|c| c.operator == condition.operator && c.key == condition.key)
        {
            Some(wanted) => out.push(format!(
                "{place}: the condition {} {} was {}, should be {}",
                condition.operator,
                condition.key.shown,
                list(&condition.values),
                list(&wanted.values)
            )),
            None => out.push(format!(
                "{place}: had the condition {}, should not",
                condition_in_words(condition)
            )),
        }
    }
    for condition in should.conditions.difference(&was.conditions) {
        if !was
            .conditions
            .iter()
            .any(|c| c.operator == condition.operator && c.key == condition.key)
        {
            out.push(format!(
                "{place}: the condition {} was missing",
                condition_in_words(condition)
            ));
        }
    }
}

fn negatable(name: &str, part: &Part) -> String {
    format!(
        "{}{name} {}",
        if part.not { "all but " } else { "" },
        list(&part.values)
    )
}

fn resources(part: &Part) -> String {
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
