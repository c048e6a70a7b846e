//! The three kinds of IAM object that the controller keeps. Values only; no IO.

use std::fmt;

/// One of the three IAM objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The role.
    Role,
    /// The managed policy.
    Policy,
    /// The instance profile.
    InstanceProfile,
}

impl Kind {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Role, Self::Policy, Self::InstanceProfile];

    /// As it stands in `status.drift[].object` and as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::Policy => "Policy",
            Self::InstanceProfile => "InstanceProfile",
        }
    }

    /// Reads [`Self::as_str`] back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// As it stands in a sentence.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Policy => "policy",
            Self::InstanceProfile => "instance profile",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
