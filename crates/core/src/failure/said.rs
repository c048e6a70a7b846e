//! What was said of a failure: AWS's text in, two texts out, one for people and one for the log. No IO.

use std::fmt;

use super::denied::Denied;
use super::disclosure::{Tried, disclosed, without_secrets};
use super::scrub::Own;

/// What was said of a failure. It prints, `{:?}` too, what people may read: AWS's own text leaves it
/// by [`Said::full`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Said(Box<Texts>);

#[derive(Clone, PartialEq, Eq)]
struct Texts {
    shown: String,
    full: String,
}

impl Said {
    /// AWS answered with this text.
    pub fn by_aws(tried: &Tried<'_>, text: &str) -> Self {
        Self::new(disclosed(tried, text), without_secrets(text).to_owned())
    }

    /// STS refused credentials with this text, for want of a right to `action`.
    pub fn by_sts_that_denied(action: &str, role: &str, text: &str) -> Self {
        let denied = Denied::of(action, &Own::of(role, None), text);
        Self::new(denied.in_short(), without_secrets(text).to_owned())
    }

    /// The program itself says so. Nothing is left out: do not quote AWS here.
    pub fn in_own_words(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(text.clone(), text)
    }

    /// The program's own sentence around these words.
    #[must_use]
    pub fn within(&self, sentence: impl Fn(&str) -> String) -> Self {
        Self::new(sentence(&self.0.shown), sentence(&self.0.full))
    }

    /// AWS's own text, for the log and for the program to read. People other than the operator must
    /// never see it: it names policies, accounts and the organization.
    pub fn full(&self) -> &str {
        &self.0.full
    }

    /// Whether people may not read all of it.
    pub fn is_reduced(&self) -> bool {
        self.0.shown != self.0.full
    }

    /// What people may read.
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    fn new(shown: String, full: String) -> Self {
        Self(Box::new(Texts { shown, full }))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Said").field(&self.shown()).finish()
    }
}
