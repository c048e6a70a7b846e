//! A reading of one IAM object soon after own writes to it. In: what was read, what is expected, and
//! the states that own writes replaced; out: what to plan on. No IO; time enters as a value.
//!
//! A reading that differs from what is expected may be late, but only if it shows what was there
//! before a recent own write, or an earlier incarnation of the object. Such a part is taken from
//! what is expected; anything else is real. IAM's replicas answer each call for themselves, so each
//! part that IAM reads by a call of its own is judged for itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::observed::{ObservedInstanceProfile, ObservedPolicy, ObservedRole};

use super::is_recent;

/// What is expected of one name, and what was there before recent own writes.
#[derive(Clone, Debug)]
pub(super) struct Past<T> {
    expected: Option<T>,
    former: Vec<(Timestamp, Option<T>)>,
}

impl<T> Default for Past<T> {
    fn default() -> Self {
        Self {
            expected: None,
            former: Vec::new(),
        }
    }
}

/// An IAM object of which parts may be read late.
pub(super) trait Late: Clone {
    /// Its unique id.
    fn id(&self) -> &str;
    /// `read`, with each part taken from `expected` that is as it was in a former state. All are
    /// readings of the same object.
    fn merge(expected: &Self, read: &Self, parts: &mut Parts<'_, Self>) -> Self;
}

impl<T: Late> Past<T> {
    /// An own write has changed IAM.
    pub(super) fn wrote(&mut self, now: Timestamp, before: Option<T>, after: Option<T>) {
        self.former.push((now, before));
        self.expected = after;
    }

    /// Forgets states that are too old to be read; whether any is left.
    pub(super) fn forget(&mut self, now: Timestamp) -> bool {
        self.former.retain(|(at, _)| is_recent(*at, now));
        !self.former.is_empty()
    }

    /// What to plan on, and whether some of it was not read.
    pub(super) fn settle(&self, now: Timestamp, read: Option<&T>) -> (Option<T>, bool) {
        let former: Vec<Option<&T>> = (self.former.iter())
            .filter(|(at, _)| is_recent(*at, now))
            .map(|(_, state)| state.as_ref())
            .collect();
        let expected = self.expected.as_ref();
        let is_late = match (expected, read) {
            (None, None) => false,
            (Some(_), None) => former.iter().any(Option::is_none),
            (Some(expected), Some(read)) if expected.id() == read.id() => {
                let same = former.into_iter().flatten();
                let mut parts = Parts {
                    former: same.filter(|f| f.id() == read.id()).collect(),
                    late: false,
                };
                let merged = T::merge(expected, read, &mut parts);
                return (Some(merged), parts.late);
            }
            (_, Some(read)) => former.iter().flatten().any(|f| f.id() == read.id()),
        };
        let state = if is_late { expected } else { read };
        (state.cloned(), is_late)
    }
}

/// The former states of one object, and whether a part was as in one of them.
pub(super) struct Parts<'a, T> {
    former: Vec<&'a T>,
    late: bool,
}

impl<T> Parts<'_, T> {
    /// `read`, or `expected` where `read` is how it was before an own write.
    fn part<P: PartialEq>(&mut self, expected: P, read: P, of: impl Fn(&T) -> P) -> P {
        if read == expected || !self.former.iter().any(|state| of(state) == read) {
            return read;
        }
        self.late = true;
        expected
    }

    /// As [`Self::part`], each key for itself: what one call adds or removes is one key.
    fn keys<V: Clone + PartialEq>(
        &mut self,
        expected: &BTreeMap<String, V>,
        read: &BTreeMap<String, V>,
        of: impl Fn(&T) -> &BTreeMap<String, V>,
    ) -> BTreeMap<String, V> {
        let all: BTreeSet<&String> = expected.keys().chain(read.keys()).collect();
        all.into_iter()
            .filter_map(|key| {
                let was = |state: &T| of(state).get(key).cloned();
                let value = self.part(expected.get(key).cloned(), read.get(key).cloned(), was)?;
                Some((key.clone(), value))
            })
            .collect()
    }

    /// As [`Self::part`], each member for itself.
    fn members(
        &mut self,
        expected: &BTreeSet<String>,
        read: &BTreeSet<String>,
        of: impl Fn(&T) -> &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let all: BTreeSet<&String> = expected.union(read).collect();
        all.into_iter()
            .filter(|member| {
                let (expected, read) = (expected.contains(*member), read.contains(*member));
                self.part(expected, read, |state| of(state).contains(*member))
            })
            .cloned()
            .collect()
    }
}

impl Late for ObservedRole {
    fn id(&self) -> &str {
        &self.id
    }

    fn merge(expected: &Self, read: &Self, parts: &mut Parts<'_, Self>) -> Self {
        // What GetRole answers is one part, but for what others change by using the role, and what a
        // Create call's answer does not hold.
        let core = |role: &Self| Self {
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            last_used: None,
            created: None,
            ..role.clone()
        };
        Self {
            attached: parts.members(&expected.attached, &read.attached, |r| &r.attached),
            inline: parts.keys(&expected.inline, &read.inline, |r| &r.inline),
            last_used: read.last_used,
            created: read.created,
            ..parts.part(core(expected), core(read), core)
        }
    }
}

impl Late for ObservedPolicy {
    fn id(&self) -> &str {
        &self.id
    }

    fn merge(expected: &Self, read: &Self, parts: &mut Parts<'_, Self>) -> Self {
        let core = |p: &Self| (p.arn.clone(), p.name.clone(), p.tags.clone());
        let default = |p: &Self| (p.default_version.clone(), p.document.clone());
        let (arn, name, tags) = parts.part(core(expected), core(read), core);
        let (default_version, document) = parts.part(default(expected), default(read), default);
        Self {
            arn,
            id: read.id.clone(),
            name,
            tags,
            created: read.created,
            default_version,
            document,
            versions: parts.members(&expected.versions, &read.versions, |p| &p.versions),
        }
    }
}

impl Late for ObservedInstanceProfile {
    fn id(&self) -> &str {
        &self.id
    }

    fn merge(expected: &Self, read: &Self, parts: &mut Parts<'_, Self>) -> Self {
        let core = |profile: &Self| Self {
            roles: BTreeSet::new(),
            created: None,
            ..profile.clone()
        };
        Self {
            // One role at most: another one takes its place.
            roles: parts.part(expected.roles.clone(), read.roles.clone(), |p| {
                p.roles.clone()
            }),
            created: read.created,
            ..parts.part(core(expected), core(read), core)
        }
    }
}
