//! The SDK's errors → the core's [`Failure`]. Values in, values out; no IO. The only place that
//! knows how AWS spells its errors.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use smr_core::failure::{Failure, FailureClass};

/// An error as metrics, logs and people see it.
#[derive(Debug)]
pub struct Mapped {
    /// For people and for the retry policy.
    pub failure: Failure,
    /// A metric label out of a short fixed list.
    pub outcome: &'static str,
}

/// Maps one attempt's error.
pub fn map<E>(action: &'static str, resource: String, error: &SdkError<E, HttpResponse>) -> Mapped
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut code = "";
    let (class, said) = match error {
        SdkError::ServiceError(service) => {
            code = service.err().code().unwrap_or_default();
            let said = service.err().message().unwrap_or(code);
            (
                classify(action, code, said, service.raw().status().as_u16()),
                lasting(said),
            )
        }
        SdkError::TimeoutError(_) => (
            FailureClass::Unavailable,
            "no answer within the time-out".to_owned(),
        ),
        SdkError::ConstructionFailure(_)
        | SdkError::DispatchFailure(_)
        | SdkError::ResponseError(_) => match credentials_error(error) {
            Some(said) => (FailureClass::Credentials, said),
            None => (FailureClass::Unavailable, connection_error(error)),
        },
        _ => (FailureClass::Unavailable, "the request failed".to_owned()),
    };
    let service = if action == "GetCallerIdentity" {
        "sts"
    } else {
        "iam"
    };
    Mapped {
        outcome: outcome(class),
        failure: Failure {
            class,
            action: format!("{service}:{action}"),
            resource,
            code: code.into(),
            said,
            way_out: None,
        },
    }
}

/// IAM's error codes, as its API reference and the "Common errors" page spell them.
fn classify(action: &str, code: &str, said: &str, status: u16) -> FailureClass {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown" => FailureClass::Throttled,
        "ConcurrentModification"
        | "ConcurrentModificationException"
        | "EntityTemporarilyUnmodifiable" => FailureClass::ConcurrentChange,
        "LimitExceeded" | "LimitExceededException" => limit(action, said),
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            FailureClass::AccessDenied
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "IncompleteSignature"
        | "RequestExpired"
        | "InvalidIdentityToken" => FailureClass::Credentials,
        "EntityAlreadyExists" => FailureClass::AlreadyExists,
        "NoSuchEntity" => FailureClass::NotFound,
        "DeleteConflict" => FailureClass::InUse,
        _ if status >= 500 => FailureClass::Unavailable,
        _ => FailureClass::Refused,
    }
}

/// `LimitExceeded` has four meanings, told apart by AWS's words only.
fn limit(action: &str, said: &str) -> FailureClass {
    let lower = said.to_ascii_lowercase();
    if lower.contains("awaiting replication") {
        return FailureClass::ConcurrentChange;
    }
    // What was wanted is there already, or was a moment ago: a lost reply, or a late reading.
    if matches!(action, "AddRoleToInstanceProfile" | "CreatePolicyVersion")
        && !lower.contains("size")
    {
        return FailureClass::NoRoom;
    }
    if lower.contains("policysize")
        || lower.contains("policy size")
        || lower.contains("aclsizeperrole")
    {
        return FailureClass::TooLarge;
    }
    FailureClass::Quota
}

/// The SDK wraps what its credential providers say in whatever failed for it.
fn credentials_error(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<CredentialsError>() {
            return Some(match found {
                CredentialsError::CredentialsNotLoaded(_) => {
                    "no AWS credentials were found".to_owned()
                }
                CredentialsError::ProviderTimedOut(_) => {
                    "the source of AWS credentials did not answer".to_owned()
                }
                CredentialsError::InvalidConfiguration(_) => {
                    "the configuration of AWS credentials is not valid".to_owned()
                }
                _ => "AWS credentials could not be had".to_owned(),
            });
        }
        next = current.source();
    }
    None
}

/// A metric label.
const fn outcome(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Throttled => "throttled",
        FailureClass::ConcurrentChange => "concurrent_change",
        FailureClass::Unavailable => "unavailable",
        FailureClass::AccessDenied => "access_denied",
        FailureClass::Credentials | FailureClass::Partition => "credentials",
        FailureClass::Quota | FailureClass::NoRoom => "quota",
        FailureClass::TooLarge => "too_large",
        FailureClass::Refused => "refused",
        FailureClass::AlreadyExists => "already_exists",
        FailureClass::NotFound | FailureClass::Missing => "not_found",
        FailureClass::InUse => "in_use",
        FailureClass::NotLeader => "not_leader",
    }
}

/// What of AWS's words is the same whenever the cause is, so that no retry changes a message: no
/// request id, no time, no name of a session, nothing of the request, no encoded message.
fn lasting(said: &str) -> String {
    const CUT: [&str; 6] = [
        "(service: ",
        "request id",
        "requestid",
        "encoded authorization failure message",
        "the canonical string for this request",
        "the string-to-sign should have been",
    ];
    let lower = said.to_ascii_lowercase();
    if lower.starts_with("signature expired") || lower.starts_with("signature not yet current") {
        return "the controller's clock and AWS's differ too much".to_owned();
    }
    let end = CUT.iter().filter_map(|mark| lower.find(mark)).min();
    let kept = &said[..end.unwrap_or(said.len())];
    without_session_name(kept.trim_end_matches([' ', '\n', '(', ';', ',']))
}

/// `…:assumed-role/NAME/SESSION` without the session, which is another one in each replica and
/// whenever credentials are renewed.
fn without_session_name(said: &str) -> String {
    const MARK: &str = ":assumed-role/";
    let Some((before, after)) = said.split_once(MARK) else {
        return said.to_owned();
    };
    let end = after.find(char::is_whitespace).unwrap_or(after.len());
    let (caller, rest) = after.split_at(end);
    let role = caller.split('/').next().unwrap_or_default();
    format!("{before}{MARK}{role}{rest}")
}

/// The kind of what happened, which is the same at every retry; its text may name ports.
fn connection_error(error: &(dyn std::error::Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref::<std::io::Error>()
            && io.kind() != std::io::ErrorKind::Other
        {
            return format!("the connection to AWS failed ({})", io.kind());
        }
        next = current.source();
    }
    "the connection to AWS failed".to_owned()
}

#[cfg(test)]
mod tests;
