//! What people may read of AWS's words. In: a failed call and AWS's text; out: the words for status
//! and events. No IO.
//!
//! Tenants read status and events. AWS's texts name what is not theirs to know: the caller and its
//! session, policies by ARN, the organization, accounts of others.

use super::FailureClass;
use super::denied::Denied;
use super::scrub::{Own, scrub};

/// A call that AWS refused, as far as it decides what people may read.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// What kind of failure it was.
    pub class: FailureClass,
    /// Such as `iam:CreateRole`.
    pub action: &'a str,
    /// The ARN it was tried on; empty where there is none. It names the own account and path.
    pub resource: &'a str,
    /// The own account, for a call whose resource does not name it.
    pub account: Option<&'a str>,
}

/// What people may read of AWS's text. A refusal for want of rights is reduced to who refused; of any
/// other text the words stay, without what belongs to others.
pub fn disclosed(tried: &Tried<'_>, text: &str) -> String {
    let own = Own::of(tried.resource, tried.account);
    match tried.class {
        FailureClass::AccessDenied => Denied::of(tried.action, &own, text).said().to_owned(),
        FailureClass::Throttled
        | FailureClass::ConcurrentChange
        | FailureClass::Unavailable
        | FailureClass::Credentials
        | FailureClass::Partition
        | FailureClass::Quota
        | FailureClass::TooLarge
        | FailureClass::Refused
        | FailureClass::AlreadyExists
        | FailureClass::NotFound
        | FailureClass::Missing
        | FailureClass::NoRoom
        | FailureClass::InUse
        | FailureClass::NotLeader => scrub(&lasting(text), &own),
    }
}

/// AWS puts the request that it got into some texts, with the session's token.
const SECRETS: [&str; 2] = [
    "the canonical string for this request",
    "the string-to-sign should have been",
];

/// AWS's text as the log may have it: all of it, but for secrets.
pub(super) fn without_secrets(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let end = SECRETS.iter().filter_map(|mark| lower.find(mark)).min();
    text[..end.unwrap_or(text.len())].trim_end()
}

/// What of AWS's words is the same whenever the cause is, so that no retry changes a message: no
/// request id, no time, nothing of the request, no encoded message.
fn lasting(text: &str) -> String {
    const CUT: [&str; 4] = [
        "(service: ",
        "request id",
        "requestid",
        "encoded authorization failure message",
    ];
    let text = without_secrets(text);
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("signature expired") || lower.starts_with("signature not yet current") {
        return "the controller's clock and AWS's differ too much".to_owned();
    }
    let end = CUT.iter().filter_map(|mark| lower.find(mark)).min();
    let kept = &text[..end.unwrap_or(text.len())];
    kept.trim_end_matches([' ', '\n', '(', ';', ',']).to_owned()
}
