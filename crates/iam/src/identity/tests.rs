use std::sync::Arc;
use std::time::SystemTime;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use iam_emulator::connector::Connector;
use iam_emulator::{Config, Emulator, Fault, FaultKind};
use tokio_util::sync::CancellationToken;

use smr_core::fair::Priority;
use smr_core::ports::Uncounted;

use super::*;
use crate::Budget;
use crate::testing::Writes;
use crate::{Aws, Gate};

const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";

/// Credentials that someone exchanges while the program runs.
#[derive(Clone, Debug)]
struct Exchanged(Arc<Mutex<&'static str>>);

impl ProvideCredentials for Exchanged {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let key = *self.0.lock().unwrap();
        // They are too old at once, so each call asks for them anew.
        let expiry = Some(SystemTime::UNIX_EPOCH);
        future::ProvideCredentials::ready(Ok(Credentials::new(key, "secret", None, expiry, "test")))
    }
}

struct World {
    emulator: Emulator,
    credentials: Exchanged,
    aws: Aws,
}

fn world() -> World {
    let of = |(key, account): (&str, &str)| (key.to_owned(), account.to_owned());
    let emulator = Emulator::new(Config {
        account_id: OWN.to_owned(),
        credentials: [("first", OWN), ("second", OWN), ("foreign", OTHER)]
            .map(of)
            .into(),
        ..Config::default()
    });
    let credentials = Exchanged(Arc::new(Mutex::new("first")));
    let config = SdkConfig::builder()
        .http_client(Connector::new(&emulator))
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .build();
    let gate = Gate::new(
        Budget::new(1000),
        Arc::new(Writes),
        CancellationToken::new(),
        Arc::new(Uncounted),
    );
    World {
        aws: Aws::new(&config, gate),
        emulator,
        credentials,
    }
}

impl World {
    fn exchange(&self, key: &'static str) {
        *self.credentials.0.lock().unwrap() = key;
    }

    /// Reads a role that is not there.
    async fn read(&self, account: &Account) -> Result<bool, Failure> {
        let iam = self.aws.on_behalf_of(account, "team", Priority::Edit);
        iam.policy_tags(&account.policy_arn("/", "p"))
            .await
            .map(|tags| tags.is_empty())
    }

    /// The calls since the last time: key and action.
    fn calls(&self) -> Vec<(String, String)> {
        let calls = self.emulator.calls();
        self.emulator.clear_calls();
        calls
            .into_iter()
            .map(|call| (call.access_key_id, call.action))
            .collect()
    }
}

fn calls(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(key, action): &(&str, &str)| ((*key).to_owned(), (*action).to_owned());
    all.iter().map(own).collect()
}

#[tokio::test]
async fn sts_is_asked_once_for_each_set_of_credentials() {
    let world = world();
    let account = world.aws.account().await.unwrap();
    assert_eq!(account.id, OWN);
    for _ in 0..3 {
        assert_eq!(world.aws.account().await.unwrap(), account);
        assert!(world.read(&account).await.unwrap());
    }
    let read = ("first", "ListPolicyTags");
    let expected = [("first", "GetCallerIdentity"), read, read, read];
    assert_eq!(world.calls(), calls(&expected));
    // Those of the same account take over in the course of the work.
    world.exchange("second");
    assert!(world.read(&account).await.unwrap());
    assert!(world.read(&account).await.unwrap());
    let read = ("second", "ListPolicyTags");
    assert_eq!(
        world.calls(),
        calls(&[("second", "GetCallerIdentity"), read, read])
    );
}

#[tokio::test]
async fn no_call_for_one_account_leaves_with_credentials_of_another() {
    let world = world();
    let account = world.aws.account().await.unwrap();
    assert!(world.read(&account).await.unwrap());
    world.calls();
    world.exchange("foreign");
    let failure = world.read(&account).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::ConcurrentChange);
    assert!(failure.to_string().contains("not sent"), "{failure}");
    assert_eq!(world.calls(), calls(&[("foreign", "GetCallerIdentity")]));
    // The next pass knows, and asks nobody.
    let other = world.aws.account().await.unwrap();
    assert_eq!(other.id, OTHER);
    assert_eq!(world.calls(), []);
    // A pass that began before still can't write where it does not belong.
    assert!(world.read(&account).await.is_err());
    assert!(world.read(&other).await.unwrap());
    assert!(world.calls().iter().all(|(key, _)| key == "foreign"));
}

/// However many find the key unproven at once, one of them asks.
#[tokio::test]
async fn many_ask_once() {
    let world = world();
    let account = world.aws.account().await.unwrap();
    world.exchange("second");
    let reads = (0..20).map(|_| world.read(&account));
    for read in futures::future::join_all(reads).await {
        assert!(read.unwrap());
    }
    let asked = world.calls();
    let asked = asked
        .iter()
        .filter(|(_, action)| action == "GetCallerIdentity");
    assert_eq!(asked.count(), 2);
}

/// In an outage of STS each of many who wait would wait as long again for a failure of its own.
#[tokio::test]
async fn those_who_wait_for_an_answer_share_a_failure() {
    let world = world();
    let denied = Fault::new("GetCallerIdentity", 1000, FaultKind::AccessDenied);
    world.emulator.inject(denied);
    // So that they wait for each other.
    world.emulator.set_latency(Duration::from_millis(50));
    let asked = (0..20).map(|_| world.aws.account());
    for answer in futures::future::join_all(asked).await {
        assert!(answer.is_err());
    }
    assert_eq!(world.calls(), calls(&[("first", "GetCallerIdentity")]));
    // Who comes later asks anew.
    world.emulator.clear_faults();
    assert_eq!(world.aws.account().await.unwrap().id, OWN);
}

/// An object of another account makes no call that would show that the credentials are right again.
#[tokio::test(start_paused = true)]
async fn credentials_that_are_right_again_are_found_without_a_call_to_iam() {
    let world = world();
    world.exchange("foreign");
    assert_eq!(world.aws.account().await.unwrap().id, OTHER);
    world.exchange("first");
    // Not more often than every half minute, however many ask.
    assert_eq!(world.aws.account_by_now().await.unwrap().id, OTHER);
    tokio::time::advance(FRESH).await;
    assert_eq!(world.aws.account_by_now().await.unwrap().id, OWN);
    assert_eq!(world.aws.account().await.unwrap().id, OWN);
    assert_eq!(
        world.calls(),
        calls(&[
            ("foreign", "GetCallerIdentity"),
            ("first", "GetCallerIdentity")
        ])
    );
}

/// What the key was exchanged for is asked, and nobody knows: the write was not sent.
#[tokio::test]
async fn a_write_that_was_not_sent_has_had_no_effect() {
    let world = world();
    let account = world.aws.account().await.unwrap();
    world.exchange("second");
    let failing = Fault::new("GetCallerIdentity", 1000, FaultKind::ServiceFailure);
    world.emulator.inject(failing);
    let failure = world.read(&account).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unavailable);
    assert!(!failure.may_have_had_effect(), "{failure:?}");
}
