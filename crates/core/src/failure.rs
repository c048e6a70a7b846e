//! What can go wrong in a call to AWS, as people and the retry policy see it. Values only; no IO.
//! The edge maps the SDK's errors to these; nothing here knows the SDK.

mod denied;
mod disclosure;
mod said;
mod scrub;
mod words;

use std::fmt;

use crate::kind::Kind;
use crate::step::Step;
use crate::writes::IamName;
use denied::Denied;
pub use denied::{Denial, PolicyKind};
pub use disclosure::{Tried, disclosed};
pub use said::Said;
use scrub::Own;

/// A call that did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind, which decides all that follows.
    pub class: FailureClass,
    /// Such as `iam:CreateRole`.
    pub action: String,
    /// The ARN it was tried on; empty where there is none.
    pub resource: String,
    /// AWS's error code, such as `AccessDenied`; empty where AWS gave none.
    pub code: Box<str>,
    /// What AWS said. It prints what people may read; only the log has all of it.
    pub said: Said,
    /// What a person can do, where the cause or the step says more than the class.
    pub way_out: Option<Box<str>>,
}

/// The kinds of failure. Each is handled in every match: a new one makes the compiler ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// Too many requests; surely without effect.
    Throttled,
    /// A change of the same object was under way, or IAM still replicates one; surely without effect.
    ConcurrentChange,
    /// 5xx, time-out or broken connection: a write may or may not have had its effect.
    Unavailable,
    /// The caller lacks a right.
    AccessDenied,
    /// No credentials, or they are expired or unknown.
    Credentials,
    /// The credentials are of a partition that this program does not know.
    Partition,
    /// A quota of the account.
    Quota,
    /// A document is over IAM's size limit.
    TooLarge,
    /// IAM does not take a document or another value.
    Refused,
    /// The name is taken.
    AlreadyExists,
    /// The object is not there.
    NotFound,
    /// A managed policy that the object or the operator asks for, but that is not the object's own,
    /// is not there.
    Missing,
    /// What is to be added does not fit: a profile has its one role, a policy its five versions.
    /// Often what was wanted is there already.
    NoRoom,
    /// Something else still depends on the object.
    InUse,
    /// This replica no longer leads; nothing was sent.
    NotLeader,
}

impl FailureClass {
    /// Every class, for tables.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 15] = [
        Self::Throttled,
        Self::ConcurrentChange,
        Self::Unavailable,
        Self::AccessDenied,
        Self::Credentials,
        Self::Partition,
        Self::Quota,
        Self::TooLarge,
        Self::Refused,
        Self::AlreadyExists,
        Self::NotFound,
        Self::Missing,
        Self::NoRoom,
        Self::InUse,
        Self::NotLeader,
    ];

    /// Whether the same call may be sent again at once: it surely had no effect, and the cause goes.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::ConcurrentChange)
    }
}

/// The longest text: Kubernetes refuses events of more than 1024 bytes.
const MESSAGE_MAX: usize = 1000;
/// The longest that AWS's own words are quoted, where there is room.
const QUOTED_MAX: usize = 600;

/// The longest code: twice the longest that AWS's services have.
const CODE_MAX: usize = 128;

/// What stands between the parts of a message.
const ROOM_FOR_MARKS: usize = " on : … . ".len();

/// Nobody has to act.
const RETRIES: &str = "The controller retries automatically";

/// What was tried on what, what people may read of AWS's words, what to do. Where it does not all fit,
/// AWS's words are cut, and neither the name of the object nor what to do.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way_out = self.way_out();
        let mut head = self.action.clone();
        if !self.resource.is_empty() {
            head.push_str(" on ");
            head.push_str(&self.resource);
        }
        let taken = head.len() + way_out.len() + ROOM_FOR_MARKS;
        let room = MESSAGE_MAX.saturating_sub(taken).min(QUOTED_MAX);
        let said = self.said.shown().trim().trim_end_matches('.');
        let (said, more) = if said.len() > room {
            (&said[..said.floor_char_boundary(room)], "…")
        } else {
            (said, "")
        };
        if said.is_empty() {
            write!(f, "{head}. {way_out}")
        } else {
            write!(f, "{head}: {said}{more}. {way_out}")
        }
    }
}

/// The code of a call that was not sent because another one failed: AWS has none of this name.
const NOT_SENT: &str = "NotSent";

impl Failure {
    /// The same as the reason why another call was not sent.
    #[must_use]
    pub fn of_a_call_not_sent(self) -> Self {
        Self {
            code: NOT_SENT.into(),
            ..self
        }
    }

    /// Whether a write may have had its effect: it was sent, and nobody knows what became of it.
    pub fn may_have_had_effect(&self) -> bool {
        self.class == FailureClass::Unavailable && &*self.code != NOT_SENT
    }

    /// The same, with what only the step can tell: which statement AWS does not take, and that a
    /// policy which is not `own_policy` does not exist.
    #[must_use]
    pub fn of_step(mut self, step: &Step, own_policy: &str) -> Self {
        // Of a document AWS speaks with this code only: a tag, say, has nothing to do with a statement.
        if &*self.code == "MalformedPolicyDocument"
            && let Some((document, name)) = step.document()
            && let Some(number) = words::blamed_statement(document, self.said.full())
        {
            self.said = self.said.within(|said| {
                let said = said.trim().trim_end_matches('.');
                format!("{said} (statement {number} of the {name})")
            });
        }
        if self.class == FailureClass::NotFound
            && let Some(policy) = step.needs_policy()
            && self.said.full().contains(policy)
            && IamName::of_policy(policy) != IamName::new(Kind::Policy, own_policy)
        {
            self.class = FailureClass::Missing;
            self.way_out = Some(words::missing(step).into());
        }
        self
    }

    /// Which policy denied the call, as far as AWS says so.
    pub fn denial(&self) -> Denial {
        Denial::of(self.said.full())
    }

    /// Whether IAM's propagation of a recent write can be the cause at all. It never makes an explicit
    /// deny, nor does it change what a boundary or the organization allows.
    pub fn may_be_propagation(&self) -> bool {
        self.class != FailureClass::AccessDenied || self.denial().may_be_propagation()
    }

    /// While a recent write may explain the refusal: what was refused and how, without AWS's own
    /// words, and that nobody has to act yet.
    pub fn while_it_may_pass(&self) -> String {
        let Self {
            action, resource, ..
        } = self;
        let is_code = |code: &str| {
            code.len() <= CODE_MAX
                && code.starts_with(|c: char| c.is_ascii_alphabetic())
                && code.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.')
        };
        let code = match &*self.code {
            code if is_code(code) => code,
            // AWS has no such code; a proxy may put anything there, or nothing.
            _ => "an error",
        };
        let on = if resource.is_empty() {
            String::new()
        } else {
            format!(" on {resource}")
        };
        let by = match self.denial().by {
            Some(kind) if self.class == FailureClass::AccessDenied => {
                format!(" ({})", kind.in_words())
            }
            Some(_) | None => String::new(),
        };
        format!(
            "{action}{on}: AWS answered {code}{by}. A write of the last minute may explain this, as IAM takes time to propagate it. The controller retries every few seconds"
        )
    }

    /// Who can grant the missing right. The resource that AWS names is left out where it makes the
    /// message too long.
    fn way_out_of_denial(&self) -> String {
        let own = Own::of(&self.resource, None);
        let denied = Denied::of(&self.action, &own, self.said.full());
        let way_out = denied.way_out();
        let length = self.action.len() + self.resource.len() + denied.said().len() + way_out.len();
        if length + ROOM_FOR_MARKS > MESSAGE_MAX {
            denied.on_any_resource().way_out()
        } else {
            way_out
        }
    }

    /// What a person has to do, or that nobody has to.
    fn way_out(&self) -> String {
        match self.class {
            FailureClass::AccessDenied => self.way_out_of_denial(),
            FailureClass::Credentials => {
                let way_out = self.way_out.as_deref();
                way_out
                    .unwrap_or_else(|| words::credentials(self.said.shown()))
                    .to_owned()
            }
            FailureClass::Partition => {
                "Run the controller with credentials of one of these".to_owned()
            }
            FailureClass::Quota | FailureClass::NoRoom => words::quota(self.said.shown()),
            FailureClass::TooLarge => words::too_large(self.said.shown()).to_owned(),
            FailureClass::Refused => words::refused(self.said.shown()),
            FailureClass::InUse => "Remove in AWS what still uses it".to_owned(),
            FailureClass::AlreadyExists => words::TAKEN.to_owned(),
            FailureClass::Missing => {
                let way_out = self.way_out.as_deref();
                way_out.map_or_else(|| words::refused(""), str::to_owned)
            }
            FailureClass::Unavailable => match &self.way_out {
                Some(way_out) => format!("{way_out}. {RETRIES}"),
                None => RETRIES.to_owned(),
            },
            FailureClass::Throttled
            | FailureClass::ConcurrentChange
            | FailureClass::NotFound
            | FailureClass::NotLeader => RETRIES.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
