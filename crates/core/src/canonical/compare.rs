//! Two statements compared part by part. In: the found statement and the wanted one; out: one
//! sentence for each difference, and what it means for access. No IO.

use std::collections::BTreeSet;

use super::excess::Judge;
use super::words::{DocumentDifference, condition_in_words, list, of_extra, resources};
use super::{BulkItem, CanonicalStatement, Condition, Word};
use crate::difference::{Importance, Width};

/// A part of statements that holds a set of values.
#[derive(Clone, Copy)]
enum Field {
    Principal,
    Action,
}

impl Field {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Action => "action",
        }
    }

    fn of(self, statement: &CanonicalStatement) -> &BulkItem {
        match self {
            Self::Principal => &statement.principals,
            Self::Action => &statement.actions,
        }
    }

    /// The statement with these values only. "All but" stays as it is.
    fn only(self, statement: &CanonicalStatement, values: &BTreeSet<Word>) -> CanonicalStatement {
        let mut statement = statement.clone();
        let part = match self {
            Self::Principal => &mut statement.principals,
            Self::Action => &mut statement.actions,
        };
        if !part.not {
            part.values.clone_from(values);
        }
        statement
    }

    /// The statement with only those values that `other` has too; all where they share none.
    fn shared(
        self,
        statement: CanonicalStatement,
        other: &CanonicalStatement,
    ) -> CanonicalStatement {
        let (part, others) = (self.of(&statement), self.of(other));
        let shared: BTreeSet<_> = part.values.intersection(&others.values).cloned().collect();
        if shared.is_empty() || others.not {
            return statement;
        }
        self.only(&statement, &shared)
    }
}

/// Two statements, part by part. Each part is judged with the others as far as both share them.
pub(super) struct Comparison<'a> {
    place: String,
    was: &'a CanonicalStatement,
    should: &'a CanonicalStatement,
    judge: &'a Judge,
    /// What is granted beyond, in any part.
    excess: Option<Width>,
    differences: Vec<DocumentDifference>,
}

impl<'a> Comparison<'a> {
    pub(super) fn of(
        place: String,
        was: &'a CanonicalStatement,
        should: &'a CanonicalStatement,
        judge: &'a Judge,
    ) -> Vec<DocumentDifference> {
        let mut comparison = Self {
            place,
            was,
            should,
            judge,
            excess: judge.excess(Some(was), Some(should)),
            differences: Vec::new(),
        };
        if was.effect != should.effect {
            let sentence = format!("the effect was {}, should be {}", was.effect, should.effect);
            comparison.add(Some(was), Some(should), Importance::Missing, &sentence);
        }
        comparison.values(Field::Principal);
        comparison.values(Field::Action);
        comparison.resources();
        comparison.conditions();
        comparison.no_excess_is_lost()
    }

    fn add(
        &mut self,
        was: Option<&CanonicalStatement>,
        should: Option<&CanonicalStatement>,
        otherwise: Importance,
        sentence: &str,
    ) {
        let importance = match self.excess {
            Some(_) => self.judge.importance(was, should, otherwise),
            None => otherwise,
        };
        self.differences.push(DocumentDifference {
            importance,
            sentence: format!("{}: {sentence}", self.place),
        });
    }

    fn values(&mut self, field: Field) {
        let (whole_was, whole_should) = (self.was, self.should);
        let (was, should) = (field.of(whole_was), field.of(whole_should));
        let name = field.in_words();
        if was.not != should.not {
            let sentence = format!(
                "had {}, should have {}",
                negatable(name, was),
                negatable(name, should)
            );
            let (was, should) = (Some(whole_was), Some(whole_should));
            self.add(was, should, Importance::Missing, &sentence);
            return;
        }
        let missing: BTreeSet<_> = should.values.difference(&was.values).cloned().collect();
        let extra: BTreeSet<_> = was.values.difference(&should.values).cloned().collect();
        let had = field.only(whole_was, &extra);
        let lacked = field.only(whole_should, &missing);
        match (missing.is_empty(), extra.is_empty()) {
            (true, true) => {}
            (false, true) => {
                let sentence = format!("{} {} missing", list(&missing), was_or_were(&missing));
                // "All but" allows what it does not name.
                let had = Some(&had).filter(|_| was.not);
                self.add(had, Some(&lacked), Importance::Missing, &sentence);
            }
            (true, false) => {
                let sentence = format!("had {} besides, should not", list(&extra));
                let lacked = Some(&lacked).filter(|_| was.not);
                self.add(Some(&had), lacked, of_extra(whole_was), &sentence);
            }
            (false, false) => {
                let sentence = if extra.len() == 1 && missing.len() == 1 {
                    format!(
                        "the {name} was {}, should be {}",
                        list(&extra),
                        list(&missing)
                    )
                } else {
                    format!("had {} instead of {}", list(&extra), list(&missing))
                };
                self.add(Some(&had), Some(&lacked), Importance::Missing, &sentence);
            }
        }
    }

    /// Both statements with the principals and actions that they share.
    fn shared(&self) -> (CanonicalStatement, CanonicalStatement) {
        let shared = |of: &CanonicalStatement, with: &CanonicalStatement| {
            Field::Action.shared(Field::Principal.shared(of.clone(), with), with)
        };
        (shared(self.was, self.should), shared(self.should, self.was))
    }

    fn resources(&mut self) {
        if self.was.resources == self.should.resources {
            return;
        }
        let sentence = format!(
            "{} {} on {}, should be on {}",
            list(&self.should.actions.values),
            was_or_were(&self.should.actions.values),
            resources(&self.was.resources),
            resources(&self.should.resources)
        );
        let (was, should) = self.shared();
        let was = CanonicalStatement {
            conditions: should.conditions.clone(),
            ..was
        };
        self.add(Some(&was), Some(&should), Importance::Missing, &sentence);
    }

    fn conditions(&mut self) {
        let (was, should) = (self.was, self.should);
        let same_test = |a: &Condition, b: &Condition| a.operator == b.operator && a.key == b.key;
        for condition in was.conditions.difference(&should.conditions) {
            let wanted = should.conditions.iter().find(|c| same_test(c, condition));
            let sentence = match wanted {
                Some(wanted) => format!(
                    "the condition {} {} was {}, should be {}",
                    condition.operator,
                    condition.key.shown,
                    list(&condition.values),
                    list(&wanted.values)
                ),
                None => format!(
                    "had the condition {}, should not",
                    condition_in_words(condition)
                ),
            };
            self.condition(wanted, Some(condition), &sentence);
        }
        for condition in should.conditions.difference(&was.conditions) {
            if !was.conditions.iter().any(|c| same_test(c, condition)) {
                let sentence = format!(
                    "the condition {} was missing",
                    condition_in_words(condition)
                );
                self.condition(Some(condition), None, &sentence);
            }
        }
    }

    /// One condition in place of another, or of none.
    fn condition(&mut self, wanted: Option<&Condition>, found: Option<&Condition>, sentence: &str) {
        let (was, should) = self.shared();
        let mut conditions = should.conditions.clone();
        if let Some(wanted) = wanted {
            conditions.remove(wanted);
        }
        conditions.extend(found.cloned());
        let was = CanonicalStatement {
            conditions,
            resources: should.resources.clone(),
            ..was
        };
        self.add(Some(&was), Some(&should), Importance::Missing, sentence);
    }

    /// What each part on its own does not show, all together say.
    fn no_excess_is_lost(mut self) -> Vec<DocumentDifference> {
        let is_excess = |d: &DocumentDifference| matches!(d.importance, Importance::Excess(_));
        if let Some(excess) = self.excess
            && !self.differences.iter().any(is_excess)
        {
            for difference in &mut self.differences {
                difference.importance = Importance::Excess(excess);
            }
        }
        self.differences
    }
}

fn was_or_were(values: &BTreeSet<Word>) -> &'static str {
    if values.len() == 1 { "was" } else { "were" }
}

fn negatable(name: &str, part: &BulkItem) -> String {
    format!(
        "{}{name} {}",
        if part.not { "all but " } else { "" },
        list(&part.values)
    )
}
