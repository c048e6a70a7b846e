//! How AWS's errors are told apart, and what people read of each: through the real SDK, from an
//! answer of the emulator to the whole message.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_iam::config::Credentials;
use iam_emulator::connector::Connector;
use iam_emulator::{Config, Emulator, Fault, FaultKind};
use smr_core::account::Account;
use smr_core::fair::Priority;
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::plan::Plan;
use smr_core::step::{PolicyStep, ProfileStep, RoleStep, Step, Target};
use tokio_util::sync::CancellationToken;

use smr_core::ports::Uncounted;

use super::*;
use crate::Budget;
use crate::testing::Still;
use crate::testing::Writes;
use crate::{Aws, Gate, Iam, Recent, explained};
use aws_credential_types::provider::error::CredentialsError;

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
            FailureClass::NoRoom,
        ),
        (
            "AddRoleToInstanceProfile",
            "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
            FailureClass::NoRoom,
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

mod foreign;
mod wire;

/// An account in process whose next call of `action` gets this answer.
fn answering(action: &str, status: u16, code: &str, message: &str) -> Iam {
    let emulator = Emulator::new(Config::default());
    emulator.inject(Fault::new(
        action,
        100,
        FaultKind::Error {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        },
    ));
    reaching(&emulator)
}

fn reaching(emulator: &Emulator) -> Iam {
    iam(&SdkConfig::builder()
        .http_client(Connector::new(emulator))
        .credentials_provider(credentials())
        .build())
}

fn credentials() -> SharedCredentialsProvider {
    let credentials = Credentials::new(KEY, "not-a-secret", None, None, "test");
    SharedCredentialsProvider::new(credentials)
}

fn iam(config: &SdkConfig) -> Iam {
    paced(config, &Budget::new(1000))
}

fn paced(config: &SdkConfig, budget: &Budget) -> Iam {
    let config = config
        .to_builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .build();
    let gate = Gate::new(
        budget.clone(),
        Arc::new(Writes),
        CancellationToken::new(),
        Arc::new(Uncounted),
    );
    let aws = Aws::new(&explained(&config), gate);
    aws.identity.prove(KEY.to_owned(), account());
    aws.on_behalf_of(&account(), "team", Priority::Edit)
}

const KEY: &str = "AKIACONTROLLER";

fn account() -> Account {
    Account::of_caller("arn:aws:iam::111122223333:user/u").unwrap()
}

fn names() -> Names {
    Names {
        path: "/session-manager/".to_owned(),
        role: "team.web".to_owned(),
        policy: "team.web".to_owned(),
        instance_profile: "team.web".to_owned(),
    }
}

/// What people read when this step fails so.
async fn message(iam: &Iam, step: Step) -> String {
    let stages = vec![vec![step]];
    let (mut state, recent) = (Observed::default(), Recent::new(Arc::new(Still)));
    let failed = iam
        .apply(&account(), &names(), &Plan { stages }, &mut state, &recent)
        .await
        .unwrap_err();
    let failure = &failed[0].failure;
    format!("{:?}: {failure}", failure.class)
}

fn create_role() -> Step {
    Step::Role(RoleStep::Create {
        path: "/session-manager/".to_owned(),
        name: "team.web".to_owned(),
        trust: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.eu"},"Action":["sts:AssumeRole"]}]}"#.to_owned(),
        description: String::new(),
        max_session_duration: 3600,
        boundary: None,
        tags: smr_core::Tags::new(),
    })
}

fn create_policy() -> Step {
    Step::Policy(PolicyStep::Create {
        path: "/session-manager/".to_owned(),
        name: "team.web".to_owned(),
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:UpdateInstanceInformation"],"Resource":"*"},{"Effect":"Allow","Action":["s3:PutObject"],"Resource":"arn:aws:s3:::my-logs/*"},{"Effect":"Allow","Action":["kms:Decrypt"],"Resource":"arn:aws-iso:kms:a-b-1:111122223333:key/k"}]}"#.to_owned(),
        description: String::new(),
        tags: smr_core::Tags::new(),
    })
}

fn attach() -> Step {
    Step::Role(RoleStep::AttachPolicy {
        role: "team.web".to_owned(),
        policy_arn: "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned(),
    })
}

fn add_to_profile() -> Step {
    Step::InstanceProfile(ProfileStep::AddRole {
        profile: "team.web".to_owned(),
        role: "team.web".to_owned(),
    })
}

fn delete_policy() -> Step {
    Step::Policy(PolicyStep::Delete {
        policy_arn: names().policy_arn(&account()),
    })
}

/// `is not authorized`, as AWS begins every refusal of this kind.
fn denied(action: &str, because: &str) -> String {
    format!(
        "User: arn:aws:sts::111122223333:assumed-role/controller/web-identity-token-1764000000000 is not authorized to perform: {action} on resource: arn:aws:iam::111122223333:role/session-manager/team.web {because}"
    )
}

/// Every class of error, each in AWS's words, as people then read it.
#[tokio::test(start_paused = true)]
async fn what_people_read() {
    let rows: Vec<(&str, Step, u16, &str, String)> = vec![
        ("a right is missing", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "because no identity-based policy allows the iam:CreateRole action")),
        ("a right of another name is missing", add_to_profile(), 403, "AccessDenied",
            denied("iam:PassRole", "because no identity-based policy allows the iam:PassRole action")),
        ("the right to tag in the same call is missing", create_role(), 403, "AccessDenied",
            denied("iam:TagRole", "because no identity-based policy allows the iam:TagRole action")),
        ("an SCP denies", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "with an explicit deny in a service control policy")),
        ("an SCP denies and AWS names it", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "with an explicit deny in a service control policy: arn:aws:organizations::999988887777:policy/o-exampleorgid/service_control_policy/p-examplepolicy")),
        ("a policy of another account", attach(), 404, "NoSuchEntity",
            "Policy arn:aws:iam::444455556666:policy/theirs does not exist or is not attachable.".to_owned()),
        ("no SCP allows", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "because no service control policy allows the iam:CreateRole action")),
        ("the boundary does not allow", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "because no permissions boundary allows the iam:CreateRole action")),
        ("the boundary denies", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "with an explicit deny in a permissions boundary")),
        ("the session policy does not allow", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "because no session policy allows the iam:CreateRole action")),
        ("the endpoint does not allow", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "because no VPC endpoint policy allows the iam:CreateRole action")),
        ("a policy denies", create_role(), 403, "AccessDenied",
            denied("iam:CreateRole", "with an explicit deny in an identity-based policy")),
        ("an encoded message", create_role(), 403, "AccessDenied",
            "You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abc".to_owned()),
        ("a quota of the account", create_role(), 409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000".to_owned()),
        ("a quota of the role", attach(), 409, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10".to_owned()),
        ("a quota in other words", attach(), 409, "LimitExceeded", "The limit was exceeded.".to_owned()),
        ("too many tags", Step::Tag { target: Target::Role("team.web".to_owned()), tags: smr_core::Tags::new() },
            409, "LimitExceeded", "Cannot exceed quota for TagsPerRole: 50".to_owned()),
        ("IAM still replicates", create_role(), 409, "LimitExceeded",
            "The request was rejected because there are too many updates awaiting replication. Please try again.".to_owned()),
        ("the policy is too large", create_policy(), 409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144".to_owned()),
        ("the trust policy is too large", create_role(), 409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048".to_owned()),
        ("a statement that IAM does not take", create_policy(), 400, "MalformedPolicyDocument",
            "Partition \"aws-iso\" is not valid for resource \"arn:aws-iso:kms:a-b-1:111122223333:key/k\".".to_owned()),
        ("a document that IAM does not take", create_policy(), 400, "MalformedPolicyDocument", "Syntax errors in policy.".to_owned()),
        ("a principal that there is not", create_role(), 400, "MalformedPolicyDocument",
            "Invalid principal in policy: \"SERVICE\":\"ec2.amazonaws.eu\"".to_owned()),
        ("a value that IAM does not take", attach(), 400, "InvalidInput", "ARN x is not valid.".to_owned()),
        ("a tag policy does not take a tag", create_role(), 400, "InvalidInput",
            "The tag policy does not allow the specified value for the following tag key: 'CostCenter'.".to_owned()),
        ("in use", delete_policy(), 409, "DeleteConflict", "Cannot delete a policy attached to entities.".to_owned()),
        ("two changes at once", create_role(), 409, "ConcurrentModification",
            "The request was rejected because multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again.".to_owned()),
        ("throttled", create_role(), 400, "Throttling", "Rate exceeded".to_owned()),
        ("IAM fails", create_role(), 500, "ServiceFailure",
            "The request processing has failed because of an unknown error, exception or failure.".to_owned()),
        ("the token is too old", create_role(), 403, "ExpiredToken", "The security token included in the request is expired".to_owned()),
        ("the key is not known", create_role(), 403, "InvalidClientTokenId", "The security token included in the request is invalid.".to_owned()),
        ("the clock is wrong", create_role(), 403, "SignatureDoesNotMatch",
            "Signature expired: 20261124T101500Z is now earlier than 20261124T103000Z (20261124T104500Z - 15 min.)".to_owned()),
        ("the secret is wrong", create_role(), 403, "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'POST\n/\n\nhost:iam.amazonaws.com\nx-amz-date:20261124T101500Z'".to_owned()),
    ];
    let mut all = Vec::new();
    for (name, step, status, code, said) in rows {
        let id = format!("{said} (Service: Iam; Request ID: 5f0c-{}-1b)", all.len());
        // The same cause gives the same text, whatever the id.
        let with_id = if said.contains("Encoded") { &said } else { &id };
        let mut texts = Vec::new();
        for said in [&said, with_id] {
            let iam = answering(step.action(), status, code, said);
            texts.push(message(&iam, step.clone()).await);
        }
        assert_eq!(texts[0], texts[1]);
        all.push(format!("# {name}\n{}", texts.remove(0)));
    }
    insta::assert_snapshot!(all.join("\n\n"));
}

/// What the network and the SDK's own credential chain say.
#[tokio::test]
async fn what_people_read_where_aws_was_not_reached() {
    let refused = iam(&SdkConfig::builder()
        // Nothing listens there.
        .endpoint_url("http://127.0.0.1:9")
        .credentials_provider(credentials())
        .build());
    let emulator = Emulator::new(Config::default());
    let none = iam(&SdkConfig::builder()
        .http_client(Connector::new(&emulator))
        .credentials_provider(SharedCredentialsProvider::new(NoCredentials))
        .build());
    let (refused, none) = (
        message(&refused, create_role()).await,
        message(&none, create_role()).await,
    );
    insta::assert_snapshot!(format!("{refused}\n{none}"));
    assert_eq!(emulator.calls(), []);
}

/// As the SDK's chain ends where it finds nothing.
#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no provider")))
    }
}

/// However long the names and AWS's words are, what to do is not what is cut off.
#[tokio::test]
async fn messages_are_bounded_and_keep_what_to_do() {
    let said = "ä€ words ".repeat(500);
    let iam = answering("CreateRole", 400, "InvalidInput", &said);
    let long = Names {
        path: format!("/{}/", "p".repeat(510)),
        role: "r".repeat(64),
        ..names()
    };
    let stages = vec![vec![create_role()]];
    let plan = Plan { stages };
    let (mut state, recent) = (Observed::default(), Recent::new(Arc::new(Still)));
    let failed = iam
        .apply(&account(), &long, &plan, &mut state, &recent)
        .await
        .unwrap_err();
    let text = failed[0].failure.to_string();
    assert!(text.len() <= 1000, "{} bytes", text.len());
    assert!(text.contains(&long.role_arn(&account())), "{text}");
    assert!(
        text.ends_with("…. Correct what spec or the controller's flags give for it"),
        "{text}"
    );
}

/// Of several reads that fail, the one that is told of does not depend on which answered first.
#[tokio::test(start_paused = true)]
async fn the_same_failing_read_is_told_of_each_time() {
    for slow in ["GetRole", "GetPolicy", "ListAttachedRolePolicies"] {
        let emulator = Emulator::new(Config::default());
        emulator.inject(Fault::new(slow, 1, FaultKind::Hang));
        emulator.inject(Fault::new("*", 100, FaultKind::AccessDenied));
        let iam = reaching(&emulator);
        let none = std::collections::BTreeSet::new();
        let failure = iam.observe(&account(), &names(), &none).await.unwrap_err();
        assert_eq!(failure.action, "iam:GetRole", "{slow} was slow");
    }
}
