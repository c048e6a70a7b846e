//! What the SDK's credential providers say → what people read. Errors in, words out; no IO.
//!
//! Objects' status quotes these words too. So STS's own words stand in them without policies, sessions
//! and ids of others; the full ones go with them for the log.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use smr_core::failure::{Denial, FailureClass, PolicyKind, Said, Tried};

use super::{NoCredentials, Source};
use crate::connection::{CHECK, Unreached, chain, unreached};

/// For all that has no better one.
const GIVE: &str = "Give this program AWS credentials: IRSA, Pod Identity, AWS_PROFILE or the SDK's other environment variables";
const TRUST: &str = "Check that the role exists and that its trust policy names this cluster's OIDC provider and this service account ('smr controller-policy --document trust' prints the policy)";
const STS: &str = "Check the network, DNS, HTTPS_PROXY and NO_PROXY, AWS_REGION and AWS_ENDPOINT_URL_STS; in a private VPC, STS needs a VPC endpoint";
const PROVIDER: &str = "Check the cluster's IAM OIDC provider: its URL is the cluster's issuer, and its audience sts.amazonaws.com";
const AGENT: &str = "Check that the EKS add-on eks-pod-identity-agent runs on this node, and that NO_PROXY lists 169.254.170.23 and fd00:ec2::23";
const ASSOCIATION: &str = "Check that this service account has a Pod Identity association ('aws eks create-pod-identity-association' makes one), then start this pod again";
const ROLE: &str = "Correct AWS_ROLE_ARN: it comes from the service account's annotation eks.amazonaws.com/role-arn";
const TOKEN: &str = "Check that the pod has the projected token: start it again once the service account has its role";

/// In the program's own words.
fn no_credentials(said: impl Into<String>, way_out: impl Into<String>) -> NoCredentials {
    quoting(Said::in_own_words(said), way_out)
}

/// In words that quote others'.
fn quoting(said: Said, way_out: impl Into<String>) -> NoCredentials {
    NoCredentials {
        said,
        way_out: way_out.into(),
    }
}

/// What STS or a provider said, where the role is known that it is about.
fn quoted(role: &str, text: &str) -> Said {
    let tried = Tried {
        class: FailureClass::Credentials,
        action: "",
        resource: role,
        account: None,
    };
    Said::by_aws(&tried, text)
}

/// The source did not answer.
pub(super) fn timed_out(after: Duration, source: &Source) -> NoCredentials {
    let seconds = after.as_secs();
    match source {
        Source::WebIdentity { .. } => no_credentials(
            format!("cannot get AWS credentials: no answer from STS within {seconds} s"),
            STS,
        ),
        Source::Agent { uri, .. } => no_credentials(
            format!(
                "cannot get AWS credentials: no answer from the Pod Identity agent at {uri} within {seconds} s"
            ),
            AGENT,
        ),
        Source::Other => no_credentials(
            format!("cannot get AWS credentials: no answer from their source within {seconds} s"),
            CHECK,
        ),
    }
}

/// What failed and what to do, by the types in the error's chain.
pub(super) fn explain(error: &CredentialsError, source: &Source) -> NoCredentials {
    if let CredentialsError::CredentialsNotLoaded(_) = error {
        return no_credentials("no AWS credentials were found", GIVE);
    }
    if let Some(refused) = find::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error) {
        return web_identity(refused, source);
    }
    if let Some(refused) = find::<SdkError<AssumeRoleError, HttpResponse>>(error) {
        return assume_role(refused);
    }
    if let Some(failed) = find::<SdkError<CredentialsError, HttpResponse>>(error) {
        return agent_unreached(failed, source);
    }
    // A provider reads no file but that of a token.
    if let CredentialsError::ProviderError(_) = error
        && let Some(io) = error
            .source()
            .and_then(|e| e.downcast_ref::<std::io::Error>())
    {
        return token_file(io, source);
    }
    let innermost = chain(error).last().map(ToString::to_string);
    let innermost = quoted("", &innermost.unwrap_or_default());
    match (error, source) {
        (CredentialsError::InvalidConfiguration(_), _) => quoting(
            innermost.within(|said| {
                format!("the configuration of AWS credentials is not valid: {said}")
            }),
            "Correct AWS_PROFILE and its files, or the SDK's other environment variables",
        ),
        (_, Source::Agent { uri, .. }) => agent_refused(uri, &innermost),
        _ => quoting(
            innermost.within(|said| format!("cannot get AWS credentials: {said}")),
            GIVE,
        ),
    }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|e| e.downcast_ref::<T>())
}

fn web_identity(
    error: &SdkError<AssumeRoleWithWebIdentityError, HttpResponse>,
    source: &Source,
) -> NoCredentials {
    let (role, token_file) = match source {
        Source::WebIdentity { role, token_file } => (role.as_str(), token_file.as_str()),
        // A profile can name them too.
        Source::Agent { .. } | Source::Other => ("of the profile", "of the profile"),
    };
    let SdkError::ServiceError(service) = error else {
        return sts_unreached(error);
    };
    let answer = Answer::of(service.err(), service.raw());
    let Answer { code, status, .. } = answer;
    let sentence = |what: &str| {
        let said = answer.said(role);
        said.within(|said| format!("{what} ({code}: {said})"))
    };
    match service.err() {
        _ if code.is_empty() => not_sts(status),
        AssumeRoleWithWebIdentityError::ExpiredTokenException(_) => no_credentials(
            // STS's own words hold the time.
            format!("the service account token {token_file} has expired (STS: {code})"),
            "Check the node's clock and that the kubelet renews the token, or start the pod again",
        ),
        AssumeRoleWithWebIdentityError::InvalidIdentityTokenException(_)
        | AssumeRoleWithWebIdentityError::IdpRejectedClaimException(_) => quoting(
            sentence("STS does not accept the service account token"),
            PROVIDER,
        ),
        AssumeRoleWithWebIdentityError::IdpCommunicationErrorException(_) => quoting(
            sentence("STS cannot reach the cluster's OIDC issuer"),
            "Check that the issuer's URL can be reached from the internet and serves the cluster's keys; this program retries",
        ),
        AssumeRoleWithWebIdentityError::RegionDisabledException(_) => quoting(
            sentence("STS is not active in this region"),
            "Activate STS there in the account's settings, or set AWS_REGION to another region",
        ),
        _ if code == "AccessDenied" => {
            let denied = answer.denied("sts:AssumeRoleWithWebIdentity", role);
            let refused = format!("STS refused the service account token for role {role}");
            let said = denied.within(|said| format!("{refused} ({code}: {said})"));
            quoting(said, answer.way_out_of_denial(TRUST))
        }
        _ if matches!(
            code,
            "ValidationError" | "InvalidParameterValue" | "NoSuchEntity"
        ) =>
        {
            quoting(
                sentence(&format!("STS does not accept the role '{role}'")),
                ROLE,
            )
        }
        _ => sts_failed(&answer, role),
    }
}

/// A role that a profile or the environment names.
fn assume_role(error: &SdkError<AssumeRoleError, HttpResponse>) -> NoCredentials {
    let SdkError::ServiceError(service) = error else {
        return sts_unreached(error);
    };
    let answer = Answer::of(service.err(), service.raw());
    match answer.code {
        "" => not_sts(answer.status),
        "AccessDenied" => {
            let denied = answer.denied("sts:AssumeRole", "");
            let said = denied.within(|said| {
                format!("STS refused to assume the profile's role (AccessDenied: {said})")
            });
            let way_out =
                "Check that the role exists, and that its trust policy names whoever assumes it";
            quoting(said, answer.way_out_of_denial(way_out))
        }
        _ => sts_failed(&answer, ""),
    }
}

/// What STS answered.
struct Answer<'a> {
    code: &'a str,
    text: &'a str,
    status: u16,
}

impl<'a> Answer<'a> {
    fn of(error: &'a impl ProvideErrorMetadata, raw: &HttpResponse) -> Self {
        Self {
            code: error.code().unwrap_or_default(),
            text: error.message().unwrap_or_default(),
            status: raw.status().as_u16(),
        }
    }

    fn said(&self, role: &str) -> Said {
        let said = quoted(role, self.text);
        if said.shown().is_empty() {
            Said::in_own_words("no message")
        } else {
            said
        }
    }

    fn denied(&self, action: &str, role: &str) -> Said {
        Said::by_sts_that_denied(action, role, self.text)
    }

    /// A trust policy is not the cause where AWS names another policy.
    fn way_out_of_denial(&self, trust: &'static str) -> &'static str {
        match Denial::of(self.text).by {
            Some(PolicyKind::Organization) => {
                "Ask the organization's administrators to allow this program's role to be assumed"
            }
            Some(PolicyKind::VpcEndpoint) => {
                "Allow this program's role to be assumed in the policy of the VPC endpoint of STS"
            }
            Some(
                PolicyKind::IdentityBased
                | PolicyKind::Boundary
                | PolicyKind::ResourceBased
                | PolicyKind::Session,
            )
            | None => trust,
        }
    }
}

fn sts_failed(answer: &Answer<'_>, role: &str) -> NoCredentials {
    let Answer { code, status, .. } = answer;
    let way_out = if *status >= 500 {
        "This program retries"
    } else {
        GIVE
    };
    let said = answer.said(role).within(|said| {
        format!("cannot get AWS credentials: STS answered HTTP {status} ({code}: {said})")
    });
    quoting(said, way_out)
}

fn not_sts(status: u16) -> NoCredentials {
    no_credentials(
        format!("cannot get AWS credentials: a proxy or firewall answered, not STS: HTTP {status}"),
        STS,
    )
}

fn sts_unreached<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> NoCredentials {
    let Unreached { because, way_out } = unreached(error);
    let timed_out = matches!(error, SdkError::TimeoutError(_))
        || matches!(error, SdkError::DispatchFailure(failure) if failure.is_timeout());
    let because = if timed_out {
        "no answer in time".to_owned()
    } else {
        because
    };
    no_credentials(
        format!("cannot get AWS credentials: cannot reach STS: {because}"),
        if way_out == CHECK { STS } else { way_out },
    )
}

fn agent_unreached(
    error: &SdkError<CredentialsError, HttpResponse>,
    source: &Source,
) -> NoCredentials {
    let Unreached { because, .. } = unreached(error);
    let at = match source {
        Source::Agent { uri, .. } => format!(" at {uri}"),
        Source::WebIdentity { .. } | Source::Other => String::new(),
    };
    no_credentials(
        format!("cannot get AWS credentials: cannot reach the Pod Identity agent{at}: {because}"),
        AGENT,
    )
}

/// The agent's status or its own error.
fn agent_refused(uri: &str, innermost: &Said) -> NoCredentials {
    let said = innermost.within(|said| {
        let said = said
            .strip_prefix("Non-success status from HTTP credential provider: StatusCode(")
            .and_then(|rest| rest.strip_suffix(')'))
            .map_or_else(|| said.to_owned(), |status| format!("HTTP {status}"));
        format!("cannot get AWS credentials: the Pod Identity agent at {uri} answered {said}")
    });
    quoting(said, ASSOCIATION)
}

fn token_file(error: &std::io::Error, source: &Source) -> NoCredentials {
    let because = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    };
    let (variable, file) = match source {
        Source::WebIdentity { token_file, .. } => ("AWS_WEB_IDENTITY_TOKEN_FILE", token_file),
        Source::Agent { token_file, .. } => ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file),
        Source::Other => {
            let said = format!("cannot read the token of the AWS profile: {because}");
            return no_credentials(said, GIVE);
        }
    };
    no_credentials(
        format!("cannot read the service account token {file} ({variable}): {because}"),
        TOKEN,
    )
}
