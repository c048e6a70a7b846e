//! Why there are no AWS credentials, as 'smr plan' says it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::broken::{Broken, Cause, SECRETS};
use crate::support::{Bench, answer, manifest};

async fn planned(bench: &Bench, cause: &Cause) -> String {
    let mut command = bench.command(&["plan", "-f", "a.yaml", "--no-cluster"]);
    command.env("AWS_REGION", "us-east-1");
    command.envs(cause.env.iter().map(|(key, value)| (key, value)));
    let answer = answer(command).await;
    assert_eq!(answer.code, 1, "{}: {}", cause.name, answer.told());
    answer.stderr
}

#[tokio::test]
async fn every_cause_has_its_own_text_and_the_same_one_again() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))]);
    let broken = Broken::start().await;
    let mut texts = BTreeSet::new();
    let mut snapshot = String::new();
    for cause in broken.causes() {
        let text = planned(&bench, &cause).await;
        assert_eq!(text, planned(&bench, &cause).await, "{}", cause.name);
        for secret in SECRETS {
            assert!(!text.contains(secret), "{}: {text}", cause.name);
        }
        let text = broken.without_ports(&text);
        writeln!(snapshot, "# {}\n{text}", cause.name).unwrap();
        assert!(texts.insert(text), "{}: another cause's text", cause.name);
    }
    insta::assert_snapshot!("credentials", snapshot);
}
