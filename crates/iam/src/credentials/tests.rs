//! Where the environment says that credentials come from.

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
