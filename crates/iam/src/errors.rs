//! The SDK's errors → the core's [`Failure`]. Values in, values out; no IO. The only place that
//! knows how AWS spells its errors.

use std::time::Duration;

use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use smr_api::labels::CallOutcome;
use smr_core::failure::{Failure, FailureClass, Said, Tried};

use super::connection::{CHECK, CONNECT_TIMEOUT, Unreached, chain, unreached};
use super::credentials::NoCredentials;

/// A [`Failure`] as an error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CallFailed(pub Failure);

/// An error as metrics, logs and people see it.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// For people and for the retry policy.
    pub failure: Failure,
    /// How metrics count it.
    pub outcome: CallOutcome,
    /// Whether IAM itself answered, and not with a failure of its own: only this says something of
    /// the rate that it allows.
    pub answered: bool,
}

/// What is known of one attempt's error, whatever the call was.
struct Cause {
    class: FailureClass,
    code: String,
    said: Said,
    way_out: Option<String>,
    answered: bool,
}

/// Maps the error of one attempt, which was given up after `timeout`.
pub(crate) fn map<E>(
    action: &'static str,
    resource: String,
    error: &SdkError<E, HttpResponse>,
    timeout: Duration,
) -> Mapped
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let cause = match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            answer(action, &resource, service.err(), status)
        }
        SdkError::TimeoutError(_) => no_answer(timeout),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => no_connection(),
        SdkError::ResponseError(broken) => Cause::unavailable(
            format!(
                "AWS's answer (HTTP {}) can't be read",
                broken.raw().status().as_u16()
            ),
            None,
        ),
        // A request that could not be made or sent; and the SDK may add kinds.
        _ => not_sent(error),
    };
    Mapped {
        outcome: outcome(cause.class),
        answered: cause.answered,
        failure: Failure {
            class: cause.class,
            action: with_service(action),
            resource,
            code: cause.code.into(),
            said: cause.said,
            way_out: cause.way_out.map(Into::into),
        },
    }
}

/// As policies name it.
fn with_service(action: &str) -> String {
    let service = if action == "GetCallerIdentity" {
        "sts"
    } else {
        "iam"
    };
    format!("{service}:{action}")
}

impl Cause {
    /// In the program's own words: AWS did not answer.
    fn unavailable(said: impl Into<String>, way_out: Option<&str>) -> Self {
        Self {
            class: FailureClass::Unavailable,
            code: String::new(),
            said: Said::in_own_words(said),
            way_out: way_out.map(str::to_owned),
            answered: false,
        }
    }
}

/// AWS answered with an error, or whatever is between here and AWS did.
fn answer(action: &str, resource: &str, error: &impl ProvideErrorMetadata, status: u16) -> Cause {
    let code = error.code().unwrap_or_default();
    let message = error.message().unwrap_or_default();
    if code.is_empty() && status != 429 {
        return not_aws(status);
    }
    let class = classify(action, code, message, status);
    let tried = Tried {
        class,
        action: &with_service(action),
        resource,
        account: None,
    };
    let by_aws = Said::by_aws(&tried, message);
    let is_silent = by_aws.shown().is_empty();
    // A proxy may put anything into a code too.
    let code_by_aws = Said::by_aws(&tried, code);
    let said = match class {
        FailureClass::Unavailable if is_silent => {
            code_by_aws.within(|code| format!("AWS failed (HTTP {status} {code})"))
        }
        FailureClass::Unavailable => {
            by_aws.within(|said| format!("AWS failed (HTTP {status} {code_by_aws}): {said}"))
        }
        _ if !is_silent => by_aws,
        _ if code.is_empty() => Said::in_own_words(format!("HTTP {status}")),
        _ => code_by_aws,
    };
    Cause {
        class,
        code: code.to_owned(),
        said,
        way_out: None,
        answered: class != FailureClass::Unavailable,
    }
}

/// All of AWS's errors have a code.
fn not_aws(status: u16) -> Cause {
    if status >= 500 {
        let said = format!("HTTP {status} without an AWS error code: AWS or a proxy failed");
        return Cause::unavailable(said, None);
    }
    Cause::unavailable(
        format!("a proxy or firewall answered, not AWS: HTTP {status}"),
        Some(CHECK),
    )
}

fn no_answer(timeout: Duration) -> Cause {
    let said = format!("no answer within {} s", timeout.as_secs());
    Cause::unavailable(said, None)
}

fn no_connection() -> Cause {
    let seconds = CONNECT_TIMEOUT.as_secs();
    let said = format!("can't reach AWS: no connection within {seconds} s");
    Cause::unavailable(said, Some(CHECK))
}

/// The SDK wraps what its credential providers say in whatever failed for it.
fn not_sent(error: &(dyn std::error::Error + 'static)) -> Cause {
    if let Some(none) = chain(error).find_map(|e| e.downcast_ref::<NoCredentials>()) {
        return Cause {
            class: FailureClass::Credentials,
            way_out: Some(none.way_out.clone()),
            said: none.said.clone(),
            ..Cause::unavailable("", None)
        };
    }
    let Unreached { because, way_out } = unreached(error);
    Cause::unavailable(format!("can't reach AWS: {because}"), Some(way_out))
}

/// IAM's error codes, as its API reference and the "Common errors" page spell them.
fn classify(action: &str, code: &str, said: &str, status: u16) -> FailureClass {
    match code {
        _ if status == 429 || is_throttling(code) => FailureClass::Throttled,
        "ConcurrentModification"
        | "ConcurrentModificationException"
        | "EntityTemporarilyUnmodifiable" => FailureClass::ConcurrentChange,
        "LimitExceeded" | "LimitExceededException" => limit(action, said),
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" => {
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
        "InternalFailure"
        | "InternalError"
        | "ServiceFailure"
        | "ServiceUnavailable"
        | "RequestAbortedException"
        | "RequestTimeout"
        | "RequestTimeoutException" => FailureClass::Unavailable,
        _ if status >= 500 => FailureClass::Unavailable,
        _ => FailureClass::Refused,
    }
}

/// All spellings that AWS's services use. `LimitExceeded` is a quota at IAM.
fn is_throttling(code: &str) -> bool {
    const BEGINNINGS: [&str; 6] = [
        "Throttl",
        "RequestThrottl",
        "TooManyRequests",
        "RequestLimitExceeded",
        "SlowDown",
        "PriorRequestNotComplete",
    ];
    const OTHERS: [&str; 4] = [
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
    ];
    OTHERS.contains(&code) || BEGINNINGS.iter().any(|begin| code.starts_with(begin))
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

/// How metrics count it.
const fn outcome(class: FailureClass) -> CallOutcome {
    match class {
        FailureClass::Throttled => CallOutcome::Throttled,
        FailureClass::ConcurrentChange => CallOutcome::ConcurrentChange,
        FailureClass::Unavailable => CallOutcome::Unavailable,
        FailureClass::AccessDenied => CallOutcome::AccessDenied,
        FailureClass::Credentials | FailureClass::Partition => CallOutcome::Credentials,
        FailureClass::Quota | FailureClass::NoRoom => CallOutcome::Quota,
        FailureClass::TooLarge => CallOutcome::TooLarge,
        FailureClass::Refused => CallOutcome::Refused,
        FailureClass::AlreadyExists => CallOutcome::AlreadyExists,
        FailureClass::NotFound | FailureClass::Missing => CallOutcome::NotFound,
        FailureClass::InUse => CallOutcome::InUse,
        FailureClass::NotLeader => CallOutcome::NotLeader,
    }
}

#[cfg(test)]
mod tests;
