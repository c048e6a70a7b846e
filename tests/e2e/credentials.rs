//! Why there are no AWS credentials: what people read in the status, in the log and from 'smr plan'.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use futures::StreamExt as _;
use tokio::process::Command;

use crate::support::credentials::{Broken, Cause, SECRETS};
use crate::support::{Start, World};

/// Programs at a time.
const AT_ONCE: usize = 4;

/// One cause, as it is read in three places.
struct Read {
    status: String,
    log: String,
    plan: String,
}

/// What follows in the plan only: a command runs without AWS, too.
const WITHOUT_AWS: &str = ". --from OLD, --offline and --account-id work without AWS";

async fn read(cause: &Cause) -> Read {
    let start = (cause.env.iter()).fold(Start::default().without_keys(), |start, (name, value)| {
        start.env(name, value)
    });
    let world = World::unrecorded("credentials").await.running(&start);
    world.apply("web", "{}").await;
    let status = world.reason("web", "CredentialsUnavailable").await;
    let whole = world.log();
    for secret in SECRETS {
        assert!(
            !whole.contains(secret),
            "{}: {secret} in {whole}",
            cause.name
        );
    }
    let logged = whole
        .lines()
        .find(|line| line.contains("a call to AWS failed"));
    let log = logged
        .and_then(|line| line.split_once("failure="))
        .expect(&whole)
        .1;
    // The fields after it.
    let log = log.split(" code=").next().unwrap().to_owned();
    let repeated = whole.lines().filter(|line| line.contains("aws_config"));
    assert_eq!(repeated.count(), 0, "{}: {whole}", cause.name);
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(
        &file,
        "{apiVersion: sessionmanager.dev/v1alpha1, kind: SessionManagerRole, metadata: {name: web}, spec: {}}",
    )
    .unwrap();
    let planned = Command::new(env!("CARGO_BIN_EXE_smr"))
        .args(["plan", "--cluster-name=test", "--no-cluster", "-f"])
        .arg(file.path())
        .env_clear()
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(cause.env.iter().map(|(name, value)| (name, value)))
        .output()
        .await
        .unwrap();
    Read {
        status,
        log,
        plan: String::from_utf8(planned.stderr).unwrap(),
    }
}

#[tokio::test]
async fn every_cause_reads_the_same_in_status_log_and_plan() {
    let broken = Broken::start().await;
    let causes = broken.causes();
    let all: Vec<(&Cause, Read)> = futures::stream::iter(&causes)
        .map(|cause| async move { (cause, read(cause).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut texts = BTreeSet::new();
    let mut table = String::new();
    for (cause, Read { status, log, plan }) in all {
        assert_eq!(log, status, "{}", cause.name);
        assert_eq!(
            plan,
            format!("smr: {status}{WITHOUT_AWS}\n"),
            "{}",
            cause.name
        );
        let rows = format!("status: {status}\nlog:    {log}\nplan:   {plan}");
        writeln!(table, "# {}\n{}", cause.name, broken.without_ports(&rows)).unwrap();
        assert!(texts.insert(status), "{}: another cause's text", cause.name);
    }
    insta::assert_snapshot!(table);
}
