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
    let (class, said) = match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let said = service.err().message().unwrap_or(code);
            (
                classify(action, code, said, service.raw().status().as_u16()),
                without_request_id(said),
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
            None => (
                FailureClass::Unavailable,
                "the connection to AWS failed".to_owned(),
            ),
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
            said,
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
    // What we wanted is there already, or was a moment ago: a lost reply, or a stale reading.
    if matches!(action, "AddRoleToInstanceProfile" | "CreatePolicyVersion")
        && !lower.contains("size")
    {
        return FailureClass::AlreadyExists;
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
        FailureClass::Credentials => "credentials",
        FailureClass::Quota => "quota",
        FailureClass::TooLarge => "too_large",
        FailureClass::Refused => "refused",
        FailureClass::AlreadyExists => "already_exists",
        FailureClass::NotFound => "not_found",
        FailureClass::InUse => "in_use",
        FailureClass::NotLeader => "not_leader",
    }
}

/// Some services put the request's id into the text: it would make every message differ.
fn without_request_id(said: &str) -> String {
    let cut = [
        "(Request ID",
        "(RequestId",
        "Request ID:",
        "RequestId:",
        "request id:",
        "Encoded authorization failure message",
    ];
    let end = cut
        .iter()
        .filter_map(|mark| said.find(mark))
        .min()
        .unwrap_or(said.len());
    said.get(..end).unwrap_or(said).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_apart_by_their_words() {
        for (action, said, class) in [
            (
                "CreateRole",
                "Cannot exceed quota for RolesPerAccount: 1000",
                FailureClass::Quota,
            ),
            (
                "AttachRolePolicy",
                "Cannot exceed quota for PoliciesPerRole: 10",
                FailureClass::Quota,
            ),
            (
                "CreatePolicy",
                "Cannot exceed quota for PolicySize: 6144",
                FailureClass::TooLarge,
            ),
            (
                "UpdateAssumeRolePolicy",
                "Cannot exceed quota for ACLSizePerRole: 2048",
                FailureClass::TooLarge,
            ),
            (
                "PutRolePolicy",
                "Maximum policy size of 10240 bytes exceeded for role r",
                FailureClass::TooLarge,
            ),
            (
                "CreatePolicyVersion",
                "Cannot exceed quota for PolicySize: 6144",
                FailureClass::TooLarge,
            ),
            (
                "CreatePolicyVersion",
                "A managed policy can have up to 5 versions.",
                FailureClass::AlreadyExists,
            ),
            (
                "AddRoleToInstanceProfile",
                "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
                FailureClass::AlreadyExists,
            ),
            (
                "CreateRole",
                "The request was rejected because there are updates awaiting replication",
                FailureClass::ConcurrentChange,
            ),
        ] {
            assert_eq!(
                classify(action, "LimitExceeded", said, 409),
                class,
                "{said}"
            );
        }
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_status() {
        assert_eq!(
            classify("GetRole", "Strange", "", 503),
            FailureClass::Unavailable
        );
        assert_eq!(
            classify("GetRole", "Strange", "", 400),
            FailureClass::Refused
        );
    }

    #[test]
    fn request_ids_stay_out_of_messages() {
        assert_eq!(
            without_request_id("Rate exceeded (Request ID: 1-2-3)"),
            "Rate exceeded"
        );
        assert_eq!(without_request_id("plain"), "plain");
    }
}
