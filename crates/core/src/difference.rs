//! Differences between IAM and the spec, by importance. In: differences as they are found; out: the
//! same, what is granted beyond the spec first. No IO. The only place that orders them.

use std::ops::Deref;

use smr_api::{Drift, DriftField};

use crate::kind::Kind;

/// How far a grant reaches, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Every action, every resource, everyone.
    Everything,
    /// All actions of one service, everyone in one account.
    Whole,
    /// Those that match a pattern.
    Several,
    /// One.
    Single,
}

/// How much a grant allows. The widest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Width {
    /// What may be done. In trust policies, by whom: whoever has the role may do all that it may.
    pub actions: Extent,
    /// To what. In trust policies, by whom.
    pub on: Extent,
    /// Whether conditions have to hold.
    pub is_conditional: bool,
}

impl Width {
    /// Of what nobody has read, such as the document of someone else's policy.
    pub const UNKNOWN: Self = Self {
        actions: Extent::Everything,
        on: Extent::Everything,
        is_conditional: false,
    };
}

/// What a difference means for access. The most important comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Something is granted beyond the spec.
    Excess(Width),
    /// Something that the spec asks for is not there, or not allowed.
    Missing,
    /// Everything else, such as tags and descriptions.
    Other,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it means for access.
    pub importance: Importance,
    /// Of which of the three.
    pub kind: Kind,
    /// What of it differs.
    pub field: DriftField,
    /// What was found and what should be, in words.
    pub message: String,
}

impl Difference {
    /// Whether both are of the same thing, in the same words.
    fn is_the_same(&self, other: &Self) -> bool {
        (self.kind, self.field, &self.message) == (other.kind, other.field, &other.message)
    }
}

impl From<&Difference> for Drift {
    fn from(difference: &Difference) -> Self {
        Self {
            object: difference.kind.as_str().to_owned(),
            field: difference.field.as_str().to_owned(),
            message: difference.message.clone(),
        }
    }
}

/// Differences, the most important first; equally important ones in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences(Vec<Difference>);

impl Differences {
    /// Adds those that are not among them yet.
    pub fn add(&mut self, more: &[Difference]) {
        for difference in more {
            if !self.iter().any(|known| known.is_the_same(difference)) {
                self.0.push(difference.clone());
            }
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|difference| difference.importance);
    }
}

impl FromIterator<Difference> for Differences {
    fn from_iter<I: IntoIterator<Item = Difference>>(all: I) -> Self {
        let mut differences = Self(all.into_iter().collect());
        differences.sort();
        differences
    }
}

impl Deref for Differences {
    type Target = [Difference];

    fn deref(&self) -> &[Difference] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Extent::{Everything, Several, Single, Whole};
    use super::*;

    fn difference(importance: Importance, message: &str) -> Difference {
        Difference {
            importance,
            kind: Kind::Role,
            field: DriftField::Tags,
            message: message.into(),
        }
    }

    fn excess(actions: Extent, on: Extent) -> Importance {
        Importance::Excess(Width {
            actions,
            on,
            is_conditional: false,
        })
    }

    fn words(differences: &Differences) -> Vec<&str> {
        differences.iter().map(|d| d.message.as_str()).collect()
    }

    #[test]
    fn what_is_granted_beyond_comes_first_the_widest_before_the_others() {
        let conditional = Importance::Excess(Width {
            is_conditional: true,
            ..Width::UNKNOWN
        });
        let expected = [
            (Importance::Excess(Width::UNKNOWN), "unknown"),
            (conditional, "* on * where"),
            (excess(Everything, Single), "* on one"),
            (excess(Whole, Everything), "s3:* on *"),
            (excess(Whole, Several), "s3:* on some"),
            (excess(Several, Everything), "s3:Get* on *"),
            (excess(Single, Everything), "s3:GetObject on *"),
            (excess(Single, Single), "s3:GetObject on one"),
            (Importance::Missing, "missing"),
            (Importance::Other, "a tag"),
        ];
        let expected: Vec<Difference> = expected
            .map(|(importance, message)| difference(importance, message))
            .into();
        for turn in 0..expected.len() {
            let mut all = expected.clone();
            all.rotate_left(turn);
            let sorted: Differences = all.into_iter().collect();
            assert_eq!(*sorted, *expected, "{turn}");
        }
    }

    #[test]
    fn what_is_known_is_not_added_again_and_the_order_holds() {
        let mut all = Differences::default();
        all.add(&[
            difference(Importance::Other, "a tag"),
            difference(Importance::Missing, "a statement"),
        ]);
        all.add(&[
            difference(Importance::Missing, "a statement"),
            difference(Importance::Missing, "another"),
            difference(excess(Whole, Everything), "s3:*"),
        ]);
        assert_eq!(words(&all), ["s3:*", "a statement", "another", "a tag"]);
    }
}
