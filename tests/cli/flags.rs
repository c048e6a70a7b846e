//! Flags that several commands take: regions, the operator's limits, and the cluster's name where
//! nobody gives it.

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

/// At start, before anything is read.
#[tokio::test]
async fn flags_of_the_operator_are_checked_as_spec_is() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))]);
    let mut told = String::new();
    let limits: [&[&str]; 17] = [
        &["--ec2-principal", ""],
        &["--ec2-principal", "foo\"bar*"],
        &["--ec2-principal", "ec2.example.com"],
        &["--tag", "team=a;b"],
        &["--tag", "a\nb=c"],
        &["--tag", "a=aws:b"],
        &["--tag", "aws:a=b"],
        &["--tag", "=b"],
        &["--permissions-boundary-arn", ""],
        &["--permissions-boundary-arn", "arn:aws:s3:::policy/x"],
        &[
            "--permissions-boundary-arn",
            "arn:aws:iam::111122223333:policy/",
        ],
        &[
            "--permissions-boundary-arn",
            "arn:aws:iam::111122223333:policy/*",
        ],
        &["--default-path", "/a b/"],
        &["--allow-path", ""],
        &["--allow-additional-policy", ""],
        &["--allow-additional-policy", "ReadOnlyAccess"],
        &["--name-prefix", "a b"],
    ];
    for flags in limits {
        let mut texts = Vec::new();
        for command in [
            &["run"][..],
            &["render", "-f", "a.yaml"],
            &["plan", "--offline", "-f", "a.yaml"],
        ] {
            let answer = bench.smr(&[command, flags].concat()).await;
            assert_eq!(
                (answer.code, answer.stdout.as_str()),
                (1, ""),
                "{command:?} {flags:?}"
            );
            texts.push(answer.stderr);
        }
        texts.dedup();
        writeln!(told, "{flags:?}: {}", texts.join("")).unwrap();
    }
    for command in [&["render"][..], &["plan", "--offline"]] {
        let flags = ["-f", "a.yaml", "-n", "Foo"];
        let answer = bench.smr(&[command, &flags].concat()).await;
        assert!(
            answer
                .stderr
                .starts_with("smr: --namespace: 'Foo' is no name of a namespace"),
            "{}",
            answer.told()
        );
    }
    let of_run: [&[&str]; 7] = [
        &["--watch-namespace", "Foo Bar"],
        &["--watch-namespace", ""],
        &["--selector", "a in (b"],
        &["--selector", "a==b,,"],
        &["--selector", ""],
        &["--leader-elect", "--lease-namespace", "Foo"],
        &["--metrics-addr", "localhost"],
    ];
    for flags in of_run {
        let answer = bench.smr(&[&["run"], flags].concat()).await;
        assert!(answer.code > 0, "{}", answer.told());
        writeln!(told, "{flags:?}: {}", answer.stderr).unwrap();
    }
    insta::assert_snapshot!("limits", told);
}

/// The account may be known only when an object is planned.
#[tokio::test]
async fn an_operators_boundary_of_another_account_is_the_operators_problem() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))]);
    let cyrillic = format!("{}=b", "ж".repeat(100));
    let arn = "arn:aws:iam::999900001111:policy/cap";
    let flags = [
        "plan",
        "--offline",
        "-f",
        "a.yaml",
        "--tag",
        &cyrillic,
        "--permissions-boundary-arn",
        arn,
    ];
    let unknown = bench.smr(&flags).await;
    assert_eq!(unknown.code, 0, "{}", unknown.told());
    let known = bench
        .smr(&[&flags[..], &["--account-id", ACCOUNT]].concat())
        .await;
    assert_eq!(known.code, 1, "{}", known.told());
    for words in [
        "--permissions-boundary-arn: the policy belongs to account 999900001111",
        "Ask the operator",
    ] {
        assert!(known.told().contains(words), "{}", known.told());
    }
}

#[tokio::test]
async fn an_empty_environment_variable_counts_as_unset() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))]);
    let empty = async |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        for name in [
            "SMR_NAME_PREFIX",
            "SMR_EC2_PRINCIPAL",
            "SMR_TAG",
            "SMR_ALLOW_PATH",
            "SMR_ALLOW_ADDITIONAL_POLICY",
            "SMR_PERMISSIONS_BOUNDARY_ARN",
            "SMR_DEFAULT_PATH",
            "SMR_WATCH_NAMESPACE",
            "SMR_SELECTOR",
            "SMR_LEASE_NAMESPACE",
            "SMR_RESYNC_INTERVAL",
            "SMR_METRICS_ADDR",
            "SMR_SWEEP",
        ] {
            command.env(name, "");
        }
        answer(command).await
    };
    let render = ["render", "-f", "a.yaml", "--account-id", ACCOUNT];
    let usual = bench.smr(&render).await;
    assert_eq!(usual.code, 0, "{}", usual.told());
    assert_eq!(empty(&render).await.told(), usual.told());
    // One flag is wrong, so that the program ends: it is the only one, or the last that is checked.
    for (flags, words) in [
        (
            &["--selector", "a in (b"][..],
            "smr: --selector: 'a in (b' is not a label selector",
        ),
        (
            &["--watch-namespace", "A"],
            "smr: --watch-namespace: 'A' can't have 'A'",
        ),
        (
            &["--leader-elect"],
            "smr: --lease-namespace: is needed with --leader-elect outside a cluster",
        ),
    ] {
        let answer = empty(&[&["run"], flags].concat()).await;
        assert!(answer.stderr.starts_with(words), "{}", answer.told());
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
