//! What a failed call means for the pass. In: the failure, the step, and whether a recent own write
//! explains it; out: retry, read again, wait or stall. No IO. The one table of this.
//!
//! A refusal is judged by the call, never by the clock alone: a write that AWS refused is not an own
//! write. What a recent own write explains is waited out; propagation never causes an explicit deny,
//! nor a denial by a permissions boundary or by a policy of the organization.

use crate::failure::{Failure, FailureClass};
use crate::kind::Kind;
use crate::step::Step;
use crate::writes::{IamName, Write};

/// What the pass does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Stop at once: this replica may not write any more.
    Stop,
    /// A person has to act.
    Stall,
    /// Try again with back-off: nobody has to act.
    Retry,
    /// Read IAM again in this pass and plan on that.
    LookAgain,
    /// A recent own write explains it: try again every few seconds until the window has passed.
    Wait,
}

/// Why a refusal may be about what was there before a recent write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// Nothing explains it.
    None,
    /// A recent write of this process does.
    OwnWrite,
    /// An earlier process may have written: this one is too young to know.
    EarlierProcess,
}

/// A step that did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// Which.
    pub step: Step,
    /// How.
    pub failure: Failure,
    /// What may explain it.
    pub explanation: Explanation,
    /// What to do about it.
    pub decision: Remedy,
}

impl Failed {
    /// What to do about it once reading again has not helped.
    pub fn after_looking(&self) -> Remedy {
        (self.decision).after_looking(self.failure.class, self.explanation)
    }
}

impl Remedy {
    /// What to do about a failed write.
    pub fn of_write(class: FailureClass, explanation: Explanation) -> Self {
        match class {
            FailureClass::NotLeader => Self::Stop,
            FailureClass::Throttled | FailureClass::ConcurrentChange => Self::Retry,
            // It may have had its effect: only a reading tells.
            FailureClass::Unavailable => Self::LookAgain,
            FailureClass::AccessDenied
            | FailureClass::Missing
            | FailureClass::InUse
            | FailureClass::Quota
            | FailureClass::NotFound
            | FailureClass::AlreadyExists
            | FailureClass::NoRoom
                if explanation == Explanation::OwnWrite =>
            {
                Self::Wait
            }
            FailureClass::AccessDenied
            | FailureClass::Missing
            | FailureClass::InUse
            | FailureClass::Quota
                if explanation == Explanation::EarlierProcess =>
            {
                Self::Wait
            }
            // The reading that was planned on is not how it is. What an earlier process wrote can only
            // be read.
            FailureClass::NotFound | FailureClass::AlreadyExists | FailureClass::NoRoom => {
                Self::LookAgain
            }
            FailureClass::AccessDenied
            | FailureClass::Missing
            | FailureClass::InUse
            | FailureClass::Quota
            | FailureClass::Credentials
            | FailureClass::Partition
            | FailureClass::TooLarge
            | FailureClass::Refused => Self::Stall,
        }
    }

    /// What to do about a failed read: no propagation makes one fail.
    pub fn of_read(class: FailureClass) -> Self {
        match Self::of_write(class, Explanation::None) {
            Self::LookAgain => Self::Retry,
            other => other,
        }
    }

    /// What is left of [`Self::LookAgain`] once readings have not helped.
    #[must_use]
    pub fn after_looking(self, class: FailureClass, explanation: Explanation) -> Self {
        match (self, class) {
            (Self::LookAgain, _) if explanation != Explanation::None => Self::Wait,
            // The name is held by something that IAM does not show, or what is to be added does not
            // fit although IAM shows room for it.
            (Self::LookAgain, FailureClass::AlreadyExists | FailureClass::NoRoom) => Self::Stall,
            // What a reading shows and a write does not find is on its way out.
            (Self::LookAgain, _) => Self::Retry,
            (other, _) => other,
        }
    }
}

/// Whether a recent write to the concerned name explains a refusal of this class.
pub fn explains(class: FailureClass, write: Write) -> bool {
    match class {
        FailureClass::NotFound | FailureClass::Missing => {
            matches!(write, Write::Created | Write::MaybeCreated | Write::Added)
        }
        // Conditions of the controller's IAM policy test tags and the boundary.
        FailureClass::AccessDenied => matches!(
            write,
            Write::Created | Write::MaybeCreated | Write::Tagged | Write::Bounded
        ),
        FailureClass::InUse => matches!(write, Write::Removed | Write::NewDefault),
        FailureClass::AlreadyExists => {
            matches!(write, Write::Deleted | Write::Created | Write::MaybeCreated)
        }
        FailureClass::NoRoom => matches!(write, Write::Removed | Write::Deleted),
        FailureClass::Quota => {
            matches!(write, Write::Removed | Write::Untagged | Write::Deleted)
        }
        FailureClass::Throttled
        | FailureClass::ConcurrentChange
        | FailureClass::Unavailable
        | FailureClass::Credentials
        | FailureClass::Partition
        | FailureClass::TooLarge
        | FailureClass::Refused
        | FailureClass::NotLeader => false,
    }
}

/// Which names a refusal is about: those that the call writes, less those that AWS's words rule out.
pub fn concerned(step: &Step, failure: &Failure) -> Vec<IamName> {
    if failure.class == FailureClass::Missing {
        return step
            .needs_policy()
            .map(IamName::of_policy)
            .into_iter()
            .collect();
    }
    let mut all: Vec<IamName> = step.writes().into_iter().map(|(name, _)| name).collect();
    all.dedup();
    let named = (failure.class == FailureClass::NotFound)
        .then(|| kind_not_found(failure.said.full()))
        .flatten();
    if let Some(kind) = named
        && all.iter().any(|name| name.kind == kind)
    {
        all.retain(|name| name.kind == kind);
    }
    all
}

/// What kind of object AWS does not find: "The role with name X cannot be found.", "Instance Profile
/// X cannot be found.", "Policy ARN does not exist or is not attachable."
fn kind_not_found(said: &str) -> Option<Kind> {
    let said = said.to_ascii_lowercase();
    [
        ("instance profile ", Kind::InstanceProfile),
        ("role with name ", Kind::Role),
        ("policy arn:", Kind::Policy),
        ("scope arn:", Kind::Policy),
    ]
    .into_iter()
    .find(|(words, _)| said.contains(words))
    .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests;
