//! Where the environment says that credentials come from.

use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::SdkError;
use aws_sdk_sts::error::ErrorMetadata;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use super::*;

fn source(env: &[(&str, &str)]) -> Source {
    Source::from_env(|name| {
        let set = env.iter().find(|(key, _)| *key == name);
        set.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_environment_says_where_credentials_come_from() {
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r");
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
    let agent = (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://169.254.170.23/v1/credentials?secret=x",
    );
    let agents_token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/agents-token");
    let pod_identity = Source::Agent {
        // Without what nobody is to read.
        uri: "http://169.254.170.23/v1/credentials".to_owned(),
        token_file: "/agents-token".to_owned(),
    };
    assert_eq!(source(&[agent, agents_token]), pod_identity);
    // IRSA comes first in the SDK's chain, where it is whole.
    assert!(matches!(
        source(&[agent, agents_token, role, token]),
        Source::WebIdentity { .. }
    ));
    assert_eq!(source(&[agent, agents_token, role]), pod_identity);
    assert_eq!(source(&[token]), Source::Other);
    assert_eq!(source(&[]), Source::Other);
}

#[test]
fn each_source_that_does_not_answer_is_named() {
    let role = ("AWS_ROLE_ARN", "r");
    let irsa = source(&[role, ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")]);
    let agent = source(&[(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://169.254.170.23/",
    )]);
    let said = |source| words::timed_out(LOAD_TIMEOUT, source).said.to_string();
    assert!(said(&irsa).ends_with("no answer from STS within 4 s"));
    assert!(said(&agent).ends_with("agent at http://169.254.170.23/ within 4 s"));
    assert!(said(&Source::Other).ends_with("their source within 4 s"));
}

/// Objects' status quotes it: neither who asked nor the organization is named there.
#[test]
fn a_refusal_by_sts_names_the_kind_of_policy_only() {
    let explained = |code: &str, text: &str| {
        let metadata = ErrorMetadata::builder().code(code).message(text).build();
        let response = HttpResponse::new(403_u16.try_into().unwrap(), "".into());
        let refused = AssumeRoleWithWebIdentityError::generic(metadata);
        let refused = SdkError::service_error(refused, response);
        let irsa = source(&[
            ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/controller"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ]);
        words::explain(&CredentialsError::provider_error(refused), &irsa)
    };
    let text = "User: arn:aws:sts::444455556666:assumed-role/node/session is not authorized to perform: sts:AssumeRoleWithWebIdentity on resource: arn:aws:iam::111122223333:role/controller with an explicit deny in a resource control policy: arn:aws:organizations::999988887777:policy/o-exampleorgid/resource_control_policy/p-examplepolicy";
    let denied = explained("AccessDenied", text);
    assert_eq!(
        denied.to_string(),
        "STS refused the service account token for role arn:aws:iam::111122223333:role/controller (AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity because of an explicit deny in an organization policy (SCP or RCP))"
    );
    assert!(denied.said.full().contains(text));
    assert!(denied.way_out.starts_with("Ask the organization's"));
    let other = explained(
        "ValidationError",
        "arn:aws:iam::111122223333:role/controller is not in account 444455556666",
    );
    assert_eq!(
        other.to_string(),
        "STS does not accept the role 'arn:aws:iam::111122223333:role/controller' (ValidationError: arn:aws:iam::111122223333:role/controller is not in account [account id not shown])"
    );
}
