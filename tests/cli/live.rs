//! Plans against IAM as it is, by the emulator: what they say, and how many calls they take.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::support::{ACCOUNT, Bench, answer, manifest};

const LAMBDA_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test]
async fn a_live_plan_follows_iam_and_only_looks() {
    let bench = Bench::new(&[
        ("new.yaml", &manifest("new", "{}")),
        ("same.yaml", &manifest("same", "{tags: {a: b}}")),
        ("drifted.yaml", &manifest("drifted", "{}")),
        ("foreign.yaml", &manifest("foreign", "{}")),
        ("inline.yaml", &manifest("inline", "{policy: {type: Inline}}")),
        ("observed.yaml", &manifest("observed", "{mode: Observe}")),
        ("paused.yaml", "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {name: paused, annotations: {sessionmanager.dev/paused: 'true'}}\nspec: {}\n"),
    ])
    .with_iam()
    .await;
    bench.converge("same", "{tags: {a: b}}").await;
    bench.converge("drifted", "{}").await;
    bench.converge("inline", "{}").await;
    let someone = bench.someone();
    someone
        .create_role()
        .role_name("Default.Foreign")
        .assume_role_policy_document(LAMBDA_TRUST)
        .send()
        .await
        .unwrap();
    someone
        .update_assume_role_policy()
        .role_name("default.drifted")
        .policy_document(LAMBDA_TRUST)
        .send()
        .await
        .unwrap();
    let answer = bench.smr(&["plan", "-f", ".", "--no-cluster"]).await;
    insta::assert_snapshot!(
        "live",
        answer
            .told()
            .replace(bench.iam().endpoint().as_str(), "ENDPOINT")
    );
    let (writes, reads) = bench.calls();
    assert_eq!(writes, [""; 0], "a plan only looks");
    // Only what the read-only policy grants.
    let policy = bench
        .smr(&["controller-policy", "--account-id", ACCOUNT, "--read-only"])
        .await
        .json();
    let granted: BTreeSet<String> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|s| s["Action"].as_array().unwrap())
        .map(|a| a.as_str().unwrap().to_owned())
        .collect();
    for action in reads {
        assert!(
            granted.contains(&format!("iam:{action}")),
            "{action} is not granted"
        );
    }
    assert!(
        granted
            .iter()
            .all(|a| a.starts_with("iam:Get") || a.starts_with("iam:List")),
        "{granted:?}"
    );
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_done_without() {
    let kubeconfig = "{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u, namespace: team}}], clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {token: t}}]}";
    let manifest = manifest("a", "{}");
    let bench = Bench::new(&[("a.yaml", &manifest), ("kubeconfig", kubeconfig)]);
    let bench = bench.with_iam().await;
    let mut command = bench.command(&["plan", "-f", "a.yaml"]);
    command.env("KUBECONFIG", bench.directory.join("kubeconfig"));
    let answer = answer(command).await;
    assert_eq!(answer.code, 0);
    for part in [
        "team/a: will be created",
        "Note: the cluster could not be asked (Connection refused",
        "is not taken into account.",
    ] {
        assert!(
            answer.stdout.contains(part),
            "{part} not in {}",
            answer.told()
        );
    }
}

#[tokio::test]
async fn where_the_bulk_call_is_denied_objects_are_read_one_by_one() {
    let bench = Bench::new(&[
        ("a.yaml", &manifest("a", "{}")),
        ("b.yaml", &manifest("b", "{}")),
    ])
    .with_iam()
    .await;
    bench.converge("a", "{}").await;
    let bulk = bench
        .smr(&["plan", "-f", ".", "--no-cluster", "-o", "json"])
        .await
        .json();
    bench.iam().inject(iam_emulator::Fault::new(
        "GetAccountAuthorizationDetails",
        9,
        iam_emulator::FaultKind::AccessDenied,
    ));
    let single = bench
        .smr(&["plan", "-f", ".", "--no-cluster", "-o", "json"])
        .await
        .json();
    assert_eq!(bulk, single);
    assert_eq!(
        single["summary"],
        serde_json::json!({"create": 1, "none": 1})
    );
}

#[tokio::test]
async fn a_thousand_new_objects_take_three_calls() {
    let mut all = String::new();
    for n in 0..1000 {
        let manifest = manifest(&format!("web-{n}"), "{tags: {team: web}}");
        writeln!(all, "{manifest}---").unwrap();
    }
    let bench = Bench::new(&[("all.yaml", &all)]).with_iam().await;
    let answer = bench.smr(&["plan", "-f", "all.yaml", "--no-cluster"]).await;
    assert!(
        answer.stdout.ends_with(
            "Plan in account 111122223333 (aws): 1000 to create, 0 to change, 0 to delete.\n"
        ),
        "{}",
        answer.stderr
    );
    let (_, mut reads) = bench.calls();
    reads.sort();
    assert_eq!(
        reads,
        [
            "GetAccountAuthorizationDetails",
            "ListInstanceProfiles",
            "ListRoles"
        ]
    );
}

/// The bulk calls leave out the tags of policies and profiles: these cost two calls an object.
#[tokio::test]
async fn existing_objects_take_two_calls_each_besides() {
    let bench = Bench::new(&[]).with_iam().await;
    let names: Vec<String> = (0..20).map(|n| format!("web-{n}")).collect();
    for name in &names {
        bench.converge(name, "{}").await;
        bench.write(&format!("{name}.yaml"), &manifest(name, "{}"));
    }
    let answer = bench
        .smr(&["plan", "-f", ".", "--no-cluster", "-o", "json"])
        .await
        .json();
    assert_eq!(answer["summary"], serde_json::json!({"none": 20}));
    assert_eq!(bench.calls().1.len(), 3 + 2 * names.len());
}
