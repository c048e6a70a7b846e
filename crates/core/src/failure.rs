//! What can go wrong in a call to AWS, as people and the retry policy see it. Values only; no IO.
//! The edge maps the SDK's errors to these; nothing here knows the SDK.

mod words;

use std::fmt;

use crate::step::Step;

/// A call that did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind, which decides all that follows.
    pub class: FailureClass,
    /// Such as `iam:CreateRole`.
    pub action: String,
    /// The ARN it was tried on; empty where there is none.
    pub resource: String,
    /// What AWS said, without request ids.
    pub said: String,
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
    /// Something else still depends on the object.
    InUse,
    /// This replica no longer leads; nothing was sent.
    NotLeader,
}

/// What to do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Send the same call again after a pause: it had no effect.
    Resend,
    /// Read what IAM holds now and plan again.
    LookAgain,
    /// Try again later, nobody has to act.
    BackOff,
    /// A person has to act.
    Stall,
    /// Stop at once and quietly.
    Stop,
}

impl FailureClass {
    /// What to do about it in the course of one pass.
    pub const fn remedy(self) -> Remedy {
        match self {
            Self::Throttled | Self::ConcurrentChange => Remedy::Resend,
            // A write is never resent blindly: it may have had its effect.
            Self::Unavailable | Self::AlreadyExists | Self::NotFound => Remedy::LookAgain,
            Self::InUse
            | Self::AccessDenied
            | Self::Credentials
            | Self::Partition
            | Self::Quota
            | Self::TooLarge
            | Self::Refused => Remedy::Stall,
            Self::NotLeader => Remedy::Stop,
        }
    }
}

/// The longest text: Kubernetes refuses events of more than 1024 bytes.
const MESSAGE_MAX: usize = 1000;
/// The longest that AWS's own words are quoted, where there is room.
const QUOTED_MAX: usize = 600;

/// What was tried on what, what AWS said, what to do. Where it does not all fit, AWS's words are
/// cut, and neither the name of the object nor what to do.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way_out = self.way_out();
        let mut head = self.action.clone();
        if !self.resource.is_empty() {
            head.push_str(" on ");
            head.push_str(&self.resource);
        }
        let taken = head.len() + way_out.len() + ": … . ".len();
        let room = MESSAGE_MAX.saturating_sub(taken).min(QUOTED_MAX);
        let said = self.said.trim().trim_end_matches('.');
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

impl Failure {
    /// The same, with what only the step can tell: which statement AWS does not take.
    #[must_use]
    pub fn of_step(mut self, step: &Step) -> Self {
        if self.class == FailureClass::Refused
            && let Some((document, name)) = step.document()
            && let Some(number) = words::blamed_statement(document, &self.said)
        {
            let said = self.said.trim().trim_end_matches('.');
            self.said = format!("{said} (statement {number} of the {name})");
        }
        self
    }

    /// What a person has to do, or that nobody has to.
    fn way_out(&self) -> String {
        match self.class {
            FailureClass::AccessDenied => words::missing_right(&self.action, &self.said),
            FailureClass::Credentials => words::credentials(&self.said).to_owned(),
            FailureClass::Partition => {
                "Run the controller with credentials of one of these".to_owned()
            }
            FailureClass::Quota => words::quota(&self.said),
            FailureClass::TooLarge => words::too_large(&self.said).to_owned(),
            FailureClass::Refused => words::refused(&self.said).to_owned(),
            FailureClass::InUse => "Remove in AWS what still uses it".to_owned(),
            FailureClass::Throttled
            | FailureClass::ConcurrentChange
            | FailureClass::Unavailable
            | FailureClass::AlreadyExists
            | FailureClass::NotFound
            | FailureClass::NotLeader => "It is tried again by itself".to_owned(),
        }
    }
}
