//! What can go wrong in a call to AWS, as people and the retry policy see it. Values only; no IO.
//! The edge maps the SDK's errors to these; nothing here knows the SDK.

use std::fmt;

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
            | Self::Quota
            | Self::TooLarge
            | Self::Refused => Remedy::Stall,
            Self::NotLeader => Remedy::Stop,
        }
    }
}

/// The longest that AWS's own words are quoted, in characters.
const QUOTED_MAX: usize = 600;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        if !self.resource.is_empty() {
            write!(f, " on {}", self.resource)?;
        }
        let said = self.said.trim().trim_end_matches('.');
        if said.chars().count() > QUOTED_MAX {
            write!(
                f,
                ": {}…",
                said.chars().take(QUOTED_MAX).collect::<String>()
            )?;
        } else if !said.is_empty() {
            write!(f, ": {said}")?;
        }
        match self.way_out() {
            Some(way_out) => write!(f, ". {way_out}"),
            None => Ok(()),
        }
    }
}

impl Failure {
    /// What a person has to do; `None` where nobody has to.
    pub fn way_out(&self) -> Option<String> {
        match self.class {
            FailureClass::AccessDenied => Some(self.missing_right()),
            FailureClass::Credentials => {
                Some("Give the controller working AWS credentials (IRSA, Pod Identity, or the SDK's environment variables)".to_owned())
            }
            FailureClass::Quota => Some("Ask AWS for a higher quota (Service Quotas, IAM), or remove what is not needed".to_owned()),
            FailureClass::TooLarge => Some("Ask for less in spec: IAM's limit can't be raised".to_owned()),
            FailureClass::Refused => Some("Correct the spec".to_owned()),
            FailureClass::InUse => Some("Remove what still uses it".to_owned()),
            FailureClass::Throttled
            | FailureClass::ConcurrentChange
            | FailureClass::Unavailable
            | FailureClass::AlreadyExists
            | FailureClass::NotFound
            | FailureClass::NotLeader => None,
        }
    }

    /// AWS says which kind of policy denied; only that one helps.
    fn missing_right(&self) -> String {
        let said = self.said.to_ascii_lowercase();
        if said.contains("service control policy") {
            format!(
                "A service control policy of the organization denies {}: ask its administrators",
                self.action
            )
        } else if said.contains("permissions boundary") {
            format!(
                "The permissions boundary of the controller's role does not allow {}",
                self.action
            )
        } else if said.contains("explicit deny") {
            format!(
                "A policy denies {} explicitly: see the controller's role",
                self.action
            )
        } else {
            format!(
                "Allow {} in the policy of the controller's role",
                self.action
            )
        }
    }
}
