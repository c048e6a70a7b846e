//! `smr plan --from`: an object that gets another name in Kubernetes and keeps those in IAM.
#![allow(clippy::unwrap_used)] // A test ends there.

use std::fmt::Write as _;

use super::support::{ACCOUNT, Answer, Bench};

fn manifest(key: &str, spec: &str) -> String {
    let (namespace, name) = key.split_once('/').unwrap();
    format!(
        "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {{namespace: {namespace}, name: {name}}}\nspec: {spec}\n"
    )
}

async fn compare(old: (&str, &str), new: (&str, &str), flags: &[&str]) -> Answer {
    let bench = Bench::new(&[
        ("old.yaml", &manifest(old.0, old.1)),
        ("new.yaml", &manifest(new.0, new.1)),
    ]);
    let plan = [
        &["plan", "--from", "old.yaml", "-f", "new.yaml"][..],
        &["--account-id", ACCOUNT, "--allow-path", "/other/"],
        flags,
    ]
    .concat();
    bench.smr(&plan).await
}

const FLEET: &str = "{role: {name: fleet}}";

#[tokio::test]
async fn a_rename_is_named_with_its_cost_and_the_ways_out() {
    let hybrid = "{principal: HybridActivation, role: {name: fleet}}";
    let mut text = String::new();
    for (what, old, new) in [
        ("another name", ("team/old", FLEET), ("team/new", FLEET)),
        (
            "another namespace, and names in another case",
            ("team/web", FLEET),
            ("ops/web", "{role: {name: Fleet}}"),
        ),
        (
            "a hybrid activation",
            ("team/old", hybrid),
            ("team/new", hybrid),
        ),
        (
            "an inline policy",
            ("team/old", "{role: {name: fleet}, policy: {type: Inline}}"),
            ("team/new", "{role: {name: fleet}, policy: {type: Inline}}"),
        ),
        (
            "the policy's name only",
            ("team/old", "{policy: {name: fleet}}"),
            ("team/new", "{policy: {name: fleet}}"),
        ),
        (
            "the profile's name only",
            ("team/old", "{instanceProfile: {name: fleet}}"),
            ("team/new", "{instanceProfile: {name: fleet}}"),
        ),
        (
            "deleted only when unused",
            (
                "team/old",
                "{role: {name: fleet}, deletionPolicy: DeleteUnused}",
            ),
            ("team/new", FLEET),
        ),
        (
            "handed over, half",
            ("team/old", "{role: {name: fleet}, deletionPolicy: Retain}"),
            ("team/new", FLEET),
        ),
        (
            "handed over, but for consent in AWS",
            ("team/old", "{role: {name: fleet}, deletionPolicy: Retain}"),
            (
                "team/new",
                "{role: {name: fleet}, adoptionPolicy: WithConsent}",
            ),
        ),
        (
            "only observed so far",
            ("team/old", "{role: {name: fleet}, mode: Observe}"),
            ("team/new", FLEET),
        ),
    ] {
        let answer = compare(old, new, &[]).await;
        assert_eq!(answer.code, 0, "{what}: {}", answer.told());
        let rename = answer.stdout.split_once("Rename: ").unwrap().1;
        writeln!(text, "# {what}\nRename: {rename}").unwrap();
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("renames", text);
    });
}

#[tokio::test]
async fn a_rename_as_json() {
    let json = compare(("team/old", FLEET), ("team/new", FLEET), &["-o", "json"])
        .await
        .json();
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_json_snapshot!("renames-json", json["renames"]);
    });
    assert_eq!(
        json["summary"],
        serde_json::json!({"create": 1, "delete": 1})
    );
}

#[tokio::test]
async fn what_shares_no_name_is_no_rename() {
    for (old, new) in [
        (("team/old", "{}"), ("team/new", "{}")),
        (("team/old", FLEET), ("team/new", "{role: {name: web}}")),
        // Below another path.
        (
            ("team/old", FLEET),
            ("team/new", "{role: {name: fleet}, path: /other/}"),
        ),
        // It does not go.
        (("team/web", FLEET), ("team/web", FLEET)),
    ] {
        let answer = compare(old, new, &[]).await;
        assert_eq!(answer.code, 0, "{}", answer.told());
        assert!(!answer.stdout.contains("ename"), "{}", answer.told());
        let json = compare(old, new, &["-o", "json"]).await.json();
        assert_eq!(json.get("renames"), None);
    }
}
