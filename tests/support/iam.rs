//! Scenes in IAM, set by someone else over the wire, and readings of the emulator's own store.

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_iam::types::Tag;
use iam_emulator::{Server, Snapshot};

use super::{SOMEONE, Start, World, reading, rights};

/// A trust policy that is not ours.
pub const LAMBDA_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// A policy that is not ours.
pub const READ_S3: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// What answers in place of IAM.
pub trait StandIn {
    fn endpoint(&self) -> String;

    /// Holds the controller to the policies for how it is started, where it can.
    fn hold_to(&self, _start: &Start) {}

    /// Whether it takes what a row of the table of drift does.
    fn plays(&self, _row: &str) -> bool {
        true
    }
}

impl StandIn for Server {
    fn endpoint(&self) -> String {
        self.endpoint()
    }

    fn hold_to(&self, start: &Start) {
        self.set_enforced(rights::in_force(start, &self.config().partition));
    }
}

impl<I: StandIn> World<I> {
    /// IAM as someone else in the same account uses it.
    pub fn someone(&self) -> aws_sdk_iam::Client {
        client(&self.iam.endpoint(), SOMEONE)
    }

    /// What IAM answers of all that is named after this world's namespace.
    pub async fn seen(&self) -> Snapshot {
        reading::read(&self.someone(), &format!("{}.", self.namespace)).await
    }

    /// The account, as STS tells it.
    pub async fn account_id(&self) -> String {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.iam.endpoint())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(
                SOMEONE,
                "not-a-secret",
                None,
                None,
                "test",
            ))
            .build();
        let sts = aws_sdk_sts::Client::from_conf(config);
        let caller = sts.get_caller_identity().send().await.unwrap();
        caller.account.unwrap()
    }
}

impl World {
    /// Everything in the account, read from the emulator's store and not through IAM's answers.
    pub fn account(&self) -> Snapshot {
        self.iam.snapshot()
    }

    /// Waits until nothing is left in IAM.
    pub async fn nothing_left(&self) {
        self.eventually("nothing is left in IAM", async || self.account().is_empty())
            .await;
    }
}

pub fn client(endpoint: &str, key: &str) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(key, "not-a-secret", None, None, "test"))
        // moto answers 500 where two calls meet; nothing that is asked here is spoiled by asking again.
        .retry_config(RetryConfig::standard().with_max_attempts(6))
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

pub fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

/// What a converged account looks like, without what differs from run to run.
pub fn shape(snapshot: &Snapshot) -> serde_json::Value {
    let mut value = serde_json::to_value(snapshot).unwrap();
    strip(&mut value);
    value
}

fn strip(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(object) => {
            for key in [
                "id",
                "last_used",
                "sessionmanager.dev/uid",
                "default_version",
                "versions",
            ] {
                object.remove(key);
            }
            object.values_mut().for_each(strip);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}
