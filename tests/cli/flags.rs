//! Flags that several commands take: regions, and the cluster's name where nobody gives it.

use std::fmt::Write as _;

use crate::support::{ACCOUNT, Answer, Bench, answer, manifest};

/// Without what a bench sets in the environment.
async fn unnamed(bench: &Bench, arguments: &[&str]) -> Answer {
    let mut command = bench.command(arguments);
    command.env_remove("SMR_CLUSTER_NAME");
    answer(command).await
}

#[tokio::test]
async fn regions_that_are_none_are_refused() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))]);
    let mut told = String::new();
    for flags in [
        &["--region", "us-iso-east-1"][..],
        &["--region", "foo"],
        &["--region", "us-east-1a"],
        &["--region", "us-west-2-lax-1a"],
        &["--region", "us-gov-west-1", "--partition", "aws"],
        &["--partition", "aws-iso"],
    ] {
        let account: &[&str] = &["--account-id", ACCOUNT];
        let mut texts = Vec::new();
        for command in [
            [&["render", "-f", "a.yaml"], account].concat(),
            vec!["render", "-f", "a.yaml"],
            [&["plan", "-f", "a.yaml", "--offline"], account].concat(),
            vec!["plan", "-f", "a.yaml", "--offline"],
            vec!["plan", "-f", "a.yaml", "--from", "a.yaml"],
            vec!["plan", "-f", "a.yaml"],
        ] {
            let answer = bench.smr(&[&command, flags].concat()).await;
            assert_eq!(
                (answer.code, answer.stdout.as_str()),
                (1, ""),
                "{command:?} {flags:?}"
            );
            texts.push(answer.stderr);
        }
        texts.dedup();
        writeln!(told, "{}: {}", flags.join(" "), texts.join("")).unwrap();
    }
    insta::assert_snapshot!("regions", told);
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("eusc-de-east-1", "aws-eusc"),
    ] {
        let flags = [
            "--region",
            region,
            "--partition",
            partition,
            "--account-id",
            ACCOUNT,
        ];
        let rendered = bench
            .smr(&[&["render", "-f", "a.yaml"], &flags[..]].concat())
            .await;
        assert_eq!(rendered.json()["partition"], partition);
    }
}

#[tokio::test]
async fn a_region_of_other_credentials_is_refused() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))])
        .with_iam()
        .await;
    for (command, flags) in [
        ("plan", ["--region", "cn-north-1"]),
        ("plan", ["--partition", "aws-us-gov"]),
        ("render", ["--region", "cn-north-1"]),
    ] {
        let answer = bench
            .smr(&[&[command, "-f", "a.yaml"], &flags[..]].concat())
            .await;
        assert_eq!(answer.code, 1, "{}", answer.told());
        let expected = format!("smr: {}: lies in ", flags[0]);
        assert!(answer.stderr.starts_with(&expected), "{}", answer.told());
        assert!(
            answer
                .stderr
                .contains("the credentials are of 111122223333 in aws"),
            "{}",
            answer.told()
        );
    }
}

#[tokio::test]
async fn the_clusters_name_is_needed_only_where_ownership_is_judged() {
    let fleet = "{role: {name: fleet}, deletionPolicy: Retain}";
    let bench = Bench::new(&[
        ("old/a.yaml", &manifest("a", fleet)),
        ("new/b.yaml", &manifest("b", fleet)),
    ]);
    let live = unnamed(&bench, &["plan", "-f", "new"]).await;
    assert_eq!(
        (live.code, live.stderr.as_str()),
        (
            1,
            "smr: --cluster-name: is needed to see whose an IAM object is: give the name that the controller has, or plan without AWS with --offline or --from OLD\n"
        )
    );
    let rendered = unnamed(&bench, &["render", "-f", "new", "--account-id", ACCOUNT]).await;
    assert_eq!(rendered.code, 0, "{}", rendered.told());
    // The name is seen in tags and descriptions, and in commands to copy.
    let offline = unnamed(&bench, &["plan", "-f", "new", "--offline", "-o", "json"])
        .await
        .json();
    let note = "the cluster's name is not known, <cluster-name> stands for it: give --cluster-name";
    assert_eq!(offline["clusterName"], "<cluster-name>");
    assert!(
        offline["notes"].as_array().unwrap().contains(&note.into()),
        "{offline}"
    );
    let tags = &offline["objects"][0]["steps"][0]["parameters"]["tags"];
    assert_eq!(tags["sessionmanager.dev/cluster"], "<cluster-name>");
    let text = unnamed(&bench, &["plan", "-f", "new", "--offline"]).await;
    assert!(!text.stdout.contains("cluster's name"), "{}", text.told());
    let from = unnamed(&bench, &["plan", "--from", "old", "-f", "new"]).await;
    assert!(
        from.stdout.contains(&format!("Note: {note}.\n")),
        "{}",
        from.told()
    );
    assert!(
        from.stdout.contains("Value=<cluster-name>/default/b"),
        "{}",
        from.told()
    );
    let named = [
        "plan",
        "--from",
        "old",
        "-f",
        "new",
        "--cluster-name",
        "production",
    ];
    let named = unnamed(&bench, &named).await;
    assert!(
        !named.stdout.contains("cluster's name")
            && named.stdout.contains("Value=production/default/b"),
        "{}",
        named.told()
    );
}
