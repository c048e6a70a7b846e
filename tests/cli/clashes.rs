//! Manifests that ask for one name in IAM: an error in every kind of plan, and in `smr render`.

use std::fmt::Write as _;

use crate::support::{ACCOUNT, Bench, manifest};

#[tokio::test]
async fn two_manifests_with_one_name_are_an_error() {
    let bench = Bench::new(&[
        ("case/a.yaml", &manifest("a", "{role: {name: Fleet}}")),
        (
            "case/b.yaml",
            &manifest("b", "{role: {name: fleet}, path: /other/}"),
        ),
        ("default/a.yaml", &manifest("a", "{}")),
        (
            "default/b.yaml",
            &manifest(
                "b",
                "{role: {name: default.a}, policy: {name: b, type: Inline}, instanceProfile: {name: b}}",
            ),
        ),
        ("policy/a.yaml", &manifest("a", "{policy: {name: shared}}")),
        ("policy/b.yaml", &manifest("b", "{policy: {name: shared}}")),
        (
            "policy/c.yaml",
            &manifest("c", "{policy: {name: shared, type: Inline}}"),
        ),
        (
            "profile/a.yaml",
            &manifest("a", "{instanceProfile: {name: p}}"),
        ),
        (
            "profile/b.yaml",
            &manifest("b", "{mode: Observe, instanceProfile: {name: P}}"),
        ),
        ("none.txt", ""),
        (
            "none/a.yaml",
            &manifest("a", "{instanceProfile: {name: p}}"),
        ),
        (
            "none/b.yaml",
            &manifest(
                "b",
                "{role: {name: p}, instanceProfile: {name: q}, policy: {name: r}}",
            ),
        ),
    ]);
    let mut told = String::new();
    for folder in ["case", "default", "policy", "profile"] {
        let common = ["plan", "-f", folder, "--allow-path", "/other/"];
        let offline = bench.smr(&[&common[..], &["--offline"]].concat()).await;
        let from = bench
            .smr(&[&common[..], &["--from", "none.txt"]].concat())
            .await;
        let render = [
            "render",
            "-f",
            folder,
            "--account-id",
            ACCOUNT,
            "--allow-path",
            "/other/",
        ];
        let render = bench.smr(&render).await;
        for answer in [&offline, &from, &render] {
            assert_eq!(answer.code, 1, "{folder}: {}", answer.told());
        }
        assert_eq!(offline.stderr, from.stderr);
        assert_eq!(render.stdout, "");
        writeln!(
            told,
            "# {folder}\n{}## render\n{}",
            offline.told(),
            render.stderr
        )
        .unwrap();
    }
    insta::assert_snapshot!("clashes", told);
    // A role and an instance profile may have one name.
    let none = bench.smr(&["plan", "-f", "none", "--offline"]).await;
    assert_eq!(none.code, 0, "{}", none.told());
}

/// Who has the name keeps it.
#[tokio::test]
async fn the_newcomer_is_refused() {
    let bench = Bench::new(&[
        ("old/a.yaml", &manifest("a", "{role: {name: fleet}}")),
        (
            "new/a.yaml",
            &manifest("a", "{role: {name: fleet}, tags: {a: b}}"),
        ),
        ("new/b.yaml", &manifest("b", "{role: {name: FLEET}}")),
        ("both/a.yaml", &manifest("a", "{role: {name: fleet}}")),
        ("both/b.yaml", &manifest("b", "{role: {name: fleet}}")),
    ])
    .with_iam()
    .await;
    let from = bench.smr(&["plan", "--from", "old", "-f", "new"]).await;
    assert_eq!(from.code, 1);
    let mut told = from.told();
    let same = bench.smr(&["plan", "--from", "both", "-f", "both"]).await;
    assert_eq!(same.code, 1);
    write!(told, "# both exist\n{}", same.told()).unwrap();
    bench.converge("a", "{role: {name: fleet}}").await;
    let live = bench.smr(&["plan", "-f", "new", "--no-cluster"]).await;
    assert_eq!(live.code, 1);
    write!(told, "# live\n{}", live.told()).unwrap();
    insta::assert_snapshot!("newcomer", told);
    // An object that goes leaves its name to the other.
    let renamed = bench
        .smr(&["plan", "--from", "old", "-f", "new/b.yaml"])
        .await;
    assert_eq!(renamed.code, 0, "{}", renamed.told());
}

/// Each of many with one name is named to few, once.
#[tokio::test]
async fn many_with_one_name_are_few_words() {
    let spec = |n: usize| match n % 2 {
        0 => "{role: {name: fleet}}",
        _ => "{role: {name: fleet}, policy: {type: Inline}}",
    };
    let all: Vec<String> = (0..400)
        .map(|n| manifest(&format!("n{n}"), spec(n)))
        .collect();
    let bench = Bench::new(&[("all.yaml", &all.join("---\n"))]);
    for arguments in [
        &["plan", "--offline", "-f", "all.yaml"][..],
        &["render", "--account-id", ACCOUNT, "-f", "all.yaml"],
    ] {
        let answer = bench.smr(arguments).await;
        assert_eq!(answer.code, 1);
        let problems = answer.stderr.matches("would have the name fleet").count();
        assert_eq!(problems, 400, "{arguments:?}: one for each");
        assert_eq!(answer.stderr.matches(" and 396 more.").count(), 400);
        assert!(!answer.stderr.contains("spec.policy.name"));
        assert!(answer.stderr.len() < 400_000, "{}", answer.stderr.len());
    }
}
