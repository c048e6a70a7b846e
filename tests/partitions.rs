//! Every partition by itself, in process: where the SDK sends calls and for which region it signs,
//! what the caller's own ARN says, and what roles for EC2 and for hybrid activations hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use iam_emulator::connector::Connector;
use iam_emulator::{Config, Emulator, RoleSnapshot, Snapshot};
use serde_json::{Value, json};
use session_manager_role::clock::SystemClock;
use smr_core::fair::Priority;
use smr_core::limits::Limits;
use smr_core::names::{Names, ObjectRef};
use smr_core::observed::Observed;
use smr_core::plan::{Recorded, plan};
use smr_core::ports::Uncounted;
use smr_core::resolve::desired::desired;
use smr_core::resolve::validate::validate;
use smr_iam::{Aws, Budget, Gate, Recent};
use smr_lease::Fence;

const ACCOUNT: &str = "111122223333";

fn emulator(partition: &str) -> Emulator {
    Emulator::new(Config {
        account_id: ACCOUNT.to_owned(),
        partition: partition.to_owned(),
        ..Config::default()
    })
}

/// The program's edge, as it is but for the HTTP client.
fn aws(region: &'static str, http: impl HttpClient + 'static) -> Aws {
    let gate = Gate::new(
        Budget::new(10_000),
        Arc::new(Fence::always()),
        tokio_util::sync::CancellationToken::new(),
        Arc::new(Uncounted),
    );
    let credentials = Credentials::new("AKIACONTROLLER", "not-a-secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .build();
    Aws::new(&config, gate)
}

/// An HTTP client that notes where to and for which region, and never connects. In place of STS it
/// says that the caller is of the partition.
#[derive(Clone, Debug)]
struct Envelopes {
    partition: &'static str,
    seen: Arc<Mutex<BTreeSet<(String, String)>>>,
}

impl Envelopes {
    fn take(&self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl HttpClient for Envelopes {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Envelopes {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let authorization = request.headers().get("authorization").unwrap_or_default();
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let region = authorization.split('/').nth(2).unwrap_or_default();
        let envelope = (request.uri().to_owned(), region.to_owned());
        self.seen.lock().unwrap().insert(envelope);
        if request.uri().starts_with("https://sts.") {
            let partition = self.partition;
            let body = format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:{partition}:iam::{ACCOUNT}:user/u</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
            );
            let answer = HttpResponse::new(StatusCode::try_from(200).unwrap(), body.into());
            return HttpConnectorFuture::ready(Ok(answer));
        }
        let error = ConnectorError::io("nobody is there".into());
        HttpConnectorFuture::ready(Err(error))
    }
}

/// AWS General Reference: IAM's endpoints and quotas; STS answers in every region.
#[tokio::test(start_paused = true)]
async fn calls_go_to_the_partitions_own_endpoints() {
    for (region, partition, iam, signed, sts) in [
        (
            "us-east-1",
            "aws",
            "https://iam.amazonaws.com/",
            "us-east-1",
            "https://sts.us-east-1.amazonaws.com/",
        ),
        (
            "eu-central-1",
            "aws",
            "https://iam.amazonaws.com/",
            "us-east-1",
            "https://sts.eu-central-1.amazonaws.com/",
        ),
        (
            "cn-north-1",
            "aws-cn",
            "https://iam.cn-north-1.amazonaws.com.cn/",
            "cn-north-1",
            "https://sts.cn-north-1.amazonaws.com.cn/",
        ),
        (
            "cn-northwest-1",
            "aws-cn",
            "https://iam.cn-north-1.amazonaws.com.cn/",
            "cn-north-1",
            "https://sts.cn-northwest-1.amazonaws.com.cn/",
        ),
        (
            "us-gov-west-1",
            "aws-us-gov",
            "https://iam.us-gov.amazonaws.com/",
            "us-gov-west-1",
            "https://sts.us-gov-west-1.amazonaws.com/",
        ),
        (
            "us-gov-east-1",
            "aws-us-gov",
            "https://iam.us-gov.amazonaws.com/",
            "us-gov-west-1",
            "https://sts.us-gov-east-1.amazonaws.com/",
        ),
        (
            "eusc-de-east-1",
            "aws-eusc",
            "https://iam.eusc-de-east-1.amazonaws.eu/",
            "eusc-de-east-1",
            "https://sts.eusc-de-east-1.amazonaws.eu/",
        ),
    ] {
        let envelopes = Envelopes {
            partition,
            seen: Arc::default(),
        };
        let aws = aws(region, envelopes.clone());
        let account = aws.account().await.unwrap();
        assert_eq!(account.partition.as_str(), partition);
        assert_eq!(
            envelopes.take(),
            [(sts.to_owned(), region.to_owned())].into()
        );
        let names = Names {
            path: "/session-manager/".to_owned(),
            role: "r".to_owned(),
            policy: "r".to_owned(),
            instance_profile: "r".to_owned(),
        };
        let iam_client = aws.on_behalf_of(&account, "team", Priority::Edit);
        assert!(
            iam_client
                .observe(&account, &names, &BTreeSet::new())
                .await
                .is_err()
        );
        assert_eq!(
            envelopes.take(),
            [(iam.to_owned(), signed.to_owned())].into(),
            "{region}"
        );
    }
}

#[tokio::test]
async fn an_unknown_partition_is_refused_with_words() {
    let emulator = emulator("aws-iso");
    let aws = aws("us-iso-east-1", Connector::new(&emulator));
    let error = aws.account().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the AWS partition aws-iso is not supported: this version knows aws, aws-cn, aws-us-gov and aws-eusc"
    );
}

/// What an account of the partition holds after an object with this spec came into being.
async fn made(partition: &str, region: &'static str, spec: Value, limits: Limits) -> Snapshot {
    let emulator = emulator(partition);
    let aws = aws(region, Connector::new(&emulator));
    let account = aws.account().await.unwrap();
    let subject = ObjectRef {
        namespace: "team".to_owned(),
        name: "web".to_owned(),
        uid: "uid".to_owned(),
    };
    let spec = serde_json::from_value(spec).unwrap();
    let names = Names::resolve(&subject, Some(&spec), None, &limits, None);
    let valid = validate(&spec, &subject, &names, &account, &limits).unwrap();
    let desired = desired(&valid);
    let planned = plan(&desired, &Observed::default(), &Recorded::default(), None).unwrap();
    let iam = aws.on_behalf_of(&account, "team", Priority::Edit);
    let (mut state, recent) = (
        Observed::default(),
        Recent::new(Arc::new(SystemClock::new())),
    );
    let applied = iam.apply(&account, &names, &planned.plan, &mut state, &recent);
    applied.await.unwrap();
    emulator.snapshot()
}

fn trust(role: &RoleSnapshot) -> Value {
    let document: Value = serde_json::from_str(&role.trust).unwrap();
    document["Statement"][0].clone()
}

const PARTITIONS: [(&str, &str, &str); 4] = [
    ("aws", "eu-central-1", "ec2.amazonaws.com"),
    ("aws-cn", "cn-northwest-1", "ec2.amazonaws.com.cn"),
    ("aws-us-gov", "us-gov-east-1", "ec2.amazonaws.com"),
    ("aws-eusc", "eusc-de-east-1", "ec2.amazonaws.com"),
];

#[tokio::test]
async fn roles_for_ec2() {
    for (partition, region, principal) in PARTITIONS {
        let found = made(partition, region, json!({}), Limits::new("test")).await;
        let arn =
            |kind: &str| format!("arn:{partition}:iam::{ACCOUNT}:{kind}/session-manager/team.web");
        let role = &found.roles["team.web"];
        assert_eq!(role.arn, arn("role"));
        assert_eq!(role.attached, [arn("policy")].into());
        assert_eq!(found.policies["team.web"].arn, arn("policy"));
        let profile = &found.instance_profiles["team.web"];
        assert_eq!(profile.arn, arn("instance-profile"));
        assert_eq!(profile.role.as_deref(), Some("team.web"));
        assert_eq!(
            trust(role)["Principal"],
            json!({ "Service": principal }),
            "{partition}"
        );
        assert_eq!(
            trust(role).get("Condition"),
            None,
            "no place for it on EC2's trust"
        );
    }
}

#[tokio::test]
async fn roles_for_hybrid_activations() {
    for (partition, region, _) in PARTITIONS {
        let other = &region.replace("-1", "-2");
        let other = other.as_str();
        for (regions, sources) in [
            (None, vec!["*"]),
            (Some([region, other]), vec![region, other]),
        ] {
            let spec = json!({ "principal": "HybridActivation", "hybrid": { "regions": regions } });
            let found = made(partition, region, spec, Limits::new("test")).await;
            let sources: Vec<String> = sources
                .iter()
                .map(|region| format!("arn:{partition}:ssm:{region}:{ACCOUNT}:*"))
                .collect();
            let trust = trust(&found.roles["team.web"]);
            assert_eq!(
                trust["Principal"],
                json!({ "Service": "ssm.amazonaws.com" })
            );
            assert_eq!(
                trust["Condition"],
                json!({
                    "StringEquals": { "aws:SourceAccount": [ACCOUNT] },
                    "ArnEquals": { "aws:SourceArn": sources },
                })
            );
            assert!(found.instance_profiles.is_empty());
        }
    }
}

/// `--ec2-principal`: sources conflict over China's.
#[tokio::test]
async fn the_operator_names_another_ec2_principal() {
    let mut limits = Limits::new("test");
    limits.ec2_principal = Some("ec2.amazonaws.com".to_owned());
    let found = made("aws-cn", "cn-north-1", json!({}), limits).await;
    let trust = trust(&found.roles["team.web"]);
    assert_eq!(
        trust["Principal"],
        json!({ "Service": "ec2.amazonaws.com" })
    );
}
