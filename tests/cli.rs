//! The command line as people use it: the real program, manifests on disk, the IAM emulator.

#[path = "support/credentials.rs"]
mod broken;
#[path = "cli/clashes.rs"]
mod clashes;
#[path = "cli/credentials.rs"]
mod credentials;
#[path = "cli/docs.rs"]
mod docs;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/flags.rs"]
mod flags;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/live.rs"]
mod live;
#[path = "support/network.rs"]
mod network;
#[path = "cli/network.rs"]
mod networks;
#[path = "support/docs.rs"]
#[allow(clippy::unwrap_used, clippy::panic, dead_code)] // A test's helpers, which others use too.
mod pages;
#[path = "cli/rename.rs"]
mod rename;
#[path = "cli/support.rs"]
mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use support::{ACCOUNT, Bench, answer, manifest, root};

#[allow(clippy::unwrap_used)] // A test's helper is a test.
fn samples() -> Bench {
    let bench = Bench::new(&[("other.json", r#"{"apiVersion": "v1", "kind": "ConfigMap"}"#)]);
    for sample in ["minimal", "logs-and-kms", "hybrid"] {
        let text =
            std::fs::read_to_string(root().join(format!("deploy/samples/{sample}.yaml"))).unwrap();
        bench.write(&format!("{sample}.yaml"), &text);
    }
    bench
}

#[tokio::test]
async fn an_offline_plan_in_words_and_as_json() {
    let bench = samples();
    let text = bench
        .smr(&["plan", "-f", ".", "--offline", "--account-id", ACCOUNT])
        .await;
    insta::assert_snapshot!("offline", text.told());
    let json = bench
        .smr(&[
            "plan",
            "-f",
            "minimal.yaml",
            "--offline",
            "--account-id",
            ACCOUNT,
            "-o",
            "json",
        ])
        .await;
    insta::assert_snapshot!("offline-json", json.told());
}

#[tokio::test]
async fn a_comparison_tells_what_access_changes() {
    let old = [
        (
            "old/a.yaml",
            manifest(
                "a",
                "{tags: {team: a}, sessionLogs: {cloudWatch: {logGroupName: g}}}",
            ),
        ),
        ("old/b.yaml", manifest("b", "{}")),
        ("old/c.yaml", manifest("c", "{deletionPolicy: Retain}")),
        ("old/d.yaml", manifest("d", "{}")),
        ("old/e.yaml", manifest("e", "{role: {name: one}}")),
        (
            "new/a.yaml",
            manifest(
                "a",
                "{role: {maxSessionDurationSeconds: 7200}, sessionLogs: {cloudWatch: {}, s3: {bucket: my-logs}}}",
            ),
        ),
        (
            "new/d.yaml",
            manifest(
                "d",
                "{policy: {type: Inline}, additionalPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']}",
            ),
        ),
        ("new/e.yaml", manifest("e", "{role: {name: two}}")),
        ("new/f.yaml", manifest("f", "{policy: {type: Inline}}")),
    ];
    let files: Vec<(&str, &str)> = old
        .iter()
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    let bench = Bench::new(&files);
    let plan = [
        "plan",
        "--from",
        "old",
        "-f",
        "new",
        "--account-id",
        ACCOUNT,
        "--allow-additional-policy",
        "arn:aws:iam::aws:policy/*",
    ];
    insta::assert_snapshot!("from", bench.smr(&plan).await.told());
    // From nothing, and to nothing.
    bench.write("empty/README.md", "nothing");
    let from_nothing = bench
        .smr(&["plan", "--from", "empty", "-f", "old", "-o", "json"])
        .await
        .json();
    assert_eq!(from_nothing["summary"], serde_json::json!({"create": 5}));
    let to_nothing = bench
        .smr(&["plan", "--from", "old", "-f", "empty", "-o", "json"])
        .await
        .json();
    assert_eq!(
        to_nothing["summary"],
        serde_json::json!({"delete": 4, "release": 1})
    );
}

#[tokio::test]
async fn exit_codes_are_as_documented() {
    let files = [
        ("same/a.yaml", manifest("a", "{}")),
        ("bad.yaml", manifest("a", "{mode: Never}")),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    let bench = Bench::new(&files);
    for (arguments, code) in [
        (&["--from", "same", "-f", "same"][..], 0),
        (&["--from", "same", "-f", "same", "--detailed-exitcode"], 0),
        (&["--offline", "-f", "same"], 0),
        (&["--offline", "-f", "same", "--detailed-exitcode"], 2),
        (&["--offline", "-f", "bad.yaml"], 1),
        (&["--offline", "-f", "bad.yaml", "--detailed-exitcode"], 1),
        (
            &["--offline", "-f", "missing.yaml", "--detailed-exitcode"],
            1,
        ),
    ] {
        let answer = bench.smr(&[&["plan"], arguments].concat()).await;
        assert_eq!(answer.code, code, "{arguments:?}: {}", answer.told());
    }
}

#[tokio::test]
async fn bad_input_is_told_on_stderr() {
    let files = [
        ("broken.yaml", "a: [1\nb: 2\n".to_owned()),
        ("twice.yaml", format!("{}---\n{}", manifest("a", "{}"), manifest("a", "{}"))),
        ("types.yaml", manifest("a", "{role: {maxSessionDurationSeconds: long}, sessionLogs: {s3: {bucket: logs, bucketOwnerAccountId: 999900001111}}}")),
        ("unknown.yaml", manifest("a", "\n  sessionLogs:\n    s3: {bucket: my-logs, prefix: a}\n  tag: {a: b}")),
        ("limits.yaml", manifest("a", "{path: /other/, additionalPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']}")),
        ("other.yaml", "apiVersion: v1\nkind: ConfigMap\n".to_owned()),
        ("version.yaml", "apiVersion: sessionmanager.dev/v1\nkind: SessionManagerRole\nmetadata: {name: a}\nspec: {}\n".to_owned()),
        ("good.yaml", manifest("a", "{}")),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    let bench = Bench::new(&files);
    let mut told = String::new();
    for arguments in [
        &["plan", "--offline", "-f", "broken.yaml"][..],
        &["plan", "--offline", "-f", "missing.yaml"],
        &["plan", "--offline", "-f", "other.yaml"],
        &["plan", "--offline", "-f", "twice.yaml"],
        &["plan", "--offline", "-f", "types.yaml"],
        &["plan", "--offline", "-f", "unknown.yaml"],
        &["plan", "--offline", "-f", "limits.yaml"],
        &["plan", "--offline", "-f", "version.yaml"],
        &[
            "plan",
            "--offline",
            "-f",
            "good.yaml",
            "--account-id",
            "1234",
        ],
        &[
            "plan",
            "--offline",
            "-f",
            "good.yaml",
            "--partition",
            "aws-iso",
        ],
        &[
            "plan",
            "--offline",
            "-f",
            "good.yaml",
            "--default-path",
            "roles",
        ],
        &["plan", "-f", "good.yaml"],
        &["render", "-f", "good.yaml"],
        &["render", "-f", "limits.yaml", "--account-id", ACCOUNT],
        &["render", "-f", "types.yaml", "--account-id", ACCOUNT],
        &["controller-policy", "--account-id", ACCOUNT],
        &[
            "controller-policy",
            "--account-id",
            ACCOUNT,
            "--without-boundary",
            "--path",
            "/",
        ],
        &[
            "controller-policy",
            "--account-id",
            ACCOUNT,
            "--permissions-boundary-arn",
            "arn:aws:iam::111122223333:policy/session-manager/cap",
        ],
        &[
            "controller-policy",
            "--account-id",
            ACCOUNT,
            "--document",
            "trust",
            "--read-only",
        ],
    ] {
        let answer = bench.smr(arguments).await;
        assert_eq!(answer.code, 1, "{arguments:?}: {}", answer.told());
        writeln!(told, "$ smr {}\n{}", arguments.join(" "), answer.told()).unwrap();
    }
    insta::assert_snapshot!("bad-input", told);
}

#[tokio::test]
async fn without_a_network_the_plan_says_so() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))]);
    let mut command = bench.command(&["plan", "-f", "a.yaml"]);
    command
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let answer = answer(command).await;
    assert_eq!(answer.code, 1);
    assert!(
        answer
            .stderr
            .contains("can't reach AWS: connection refused")
            && answer.stderr.contains("--offline"),
        "{}",
        answer.told()
    );
}

#[tokio::test]
async fn standard_input_is_read() {
    let bench = Bench::new(&[("x", "")]);
    let mut command = bench.command(&["plan", "-f", "-", "--offline"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(manifest("a", "{mode: 1}").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("stdin:5:8: spec.mode: must be a text"),
        "{text}"
    );
}

#[tokio::test]
async fn a_thousand_manifests_are_planned_in_no_time() {
    let bench = Bench::new(&[]);
    let sample = std::fs::read_to_string(root().join("deploy/samples/logs-and-kms.yaml")).unwrap();
    for n in 0..1000 {
        bench.write(
            &format!("{n}.yaml"),
            &sample.replace("web-fleet", &format!("web-{n}")),
        );
    }
    let (answer, seconds) = bench.timed(&["plan", "-f", ".", "--offline"]).await;
    assert!(
        answer
            .stdout
            .ends_with("1000 to create, 0 to change, 0 to delete.\n"),
        "{}",
        answer.told()
    );
    // The bar is one second for the program as it is shipped.
    let bar = if cfg!(debug_assertions) { 10.0 } else { 1.0 };
    assert!(seconds < bar, "{seconds} s");
}

#[tokio::test]
async fn documents_are_rendered_for_pipes() {
    let bench = samples();
    let mut told = String::new();
    for arguments in [
        &["-f", "logs-and-kms.yaml"][..],
        &["-f", "logs-and-kms.yaml", "--only", "policy"],
        &["-f", "hybrid.yaml"],
        &["-f", "hybrid.yaml", "--only", "trust", "-o", "yaml"],
        &[
            "-f",
            "logs-and-kms.yaml",
            "--only",
            "counterparts",
            "-o",
            "yaml",
        ],
        &[
            "-f",
            ".",
            "--only",
            "trust",
            "-o",
            "yaml",
            "--region",
            "cn-north-1",
        ],
    ] {
        let answer = bench
            .smr(&[&["render", "--account-id", ACCOUNT], arguments].concat())
            .await;
        writeln!(
            told,
            "$ smr render {}\n{}",
            arguments.join(" "),
            answer.told()
        )
        .unwrap();
    }
    insta::assert_snapshot!("render", told);
}

#[tokio::test]
async fn render_asks_aws_for_the_account_where_no_flag_gives_it() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))])
        .with_iam()
        .await;
    let rendered = bench.smr(&["render", "-f", "a.yaml"]).await.json();
    assert_eq!(
        rendered["role"]["arn"],
        format!("arn:aws:iam::{ACCOUNT}:role/session-manager/default.a")
    );
    let services: Vec<_> = bench.iam().calls().into_iter().map(|c| c.action).collect();
    assert_eq!(services, ["GetCallerIdentity"]);
}

#[tokio::test]
async fn a_hook_passes_files_as_they_come() {
    let files = [
        ("good.yaml", manifest("a", "{}")),
        ("bad.yaml", manifest("b", "{mode: Never}")),
        ("other.yaml", "kind: Kustomization\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = (files.iter())
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    let bench = Bench::new(&files);
    let hook = std::fs::read_to_string(root().join(".pre-commit-hooks.yaml")).unwrap();
    let hook: serde_json::Value = serde_saphyr::from_str(&hook).unwrap();
    let entry = hook[0]["entry"]
        .as_str()
        .unwrap()
        .strip_prefix("smr ")
        .unwrap();
    let entry: Vec<&str> = entry.split(' ').collect();
    for (files, code) in [
        (&["good.yaml", "other.yaml"][..], 0),
        (&["other.yaml"], 0),
        (&["good.yaml", "bad.yaml"], 1),
    ] {
        let answer = bench.smr(&[&entry[..], files].concat()).await;
        assert_eq!(answer.code, code, "{files:?}: {}", answer.told());
    }
}

#[tokio::test]
async fn it_works_as_a_kubectl_plugin() {
    let bench = Bench::new(&[("a.yaml", &manifest("a", "{}"))]);
    let plugin = bench.directory.join("kubectl-smr");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_smr"), &plugin).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&plugin);
        command
            .args(arguments)
            .current_dir(&bench.directory)
            .env_clear()
            .env("SMR_CLUSTER_NAME", "test");
        answer(command)
    };
    let help = run(&["plan", "--help"]).await;
    assert!(
        help.stdout.contains("Usage: kubectl smr plan "),
        "{}",
        help.stdout
    );
    assert_eq!(
        run(&["plan", "-f", "a.yaml", "--offline"]).await.stdout,
        bench
            .smr(&["plan", "-f", "a.yaml", "--offline"])
            .await
            .stdout
    );
}

#[tokio::test]
async fn completions_man_page_and_crd_are_printed() {
    let bench = Bench::new(&[("x", "")]);
    for (arguments, part) in [
        (&["completions", "bash"][..], "controller-policy"),
        (&["completions", "zsh"], "#compdef smr"),
        (&["completions", "fish"], "complete -c smr"),
        (&["man"], ".TH smr 1"),
        (&["crd"], "kind: CustomResourceDefinition"),
        (
            &["crd", "--kind", "sessionmanagerrole"],
            "kind: CustomResourceDefinition",
        ),
        (&["crd", "--schema", "json"], "json-schema.org/draft-07"),
        (&["--help"], "kubectl smr plan"),
        (&["plan", "--help"], "--from base/roles -f head/roles"),
        (&["render", "--help"], "--only counterparts"),
        (&["controller-policy", "--help"], "--document boundary"),
    ] {
        let answer = bench.smr(arguments).await;
        assert!(
            answer.code == 0 && answer.stdout.contains(part),
            "{arguments:?}: {}",
            answer.told()
        );
    }
    assert_eq!(bench.smr(&["man", "--directory", "pages"]).await.code, 0);
    assert!(bench.directory.join("pages/smr-plan.1").exists());
}

/// Where the linker leaves them out, the program takes megabytes more and nothing else shows it.
#[cfg(target_os = "linux")]
#[test]
fn the_allocators_settings_are_in_every_build() {
    let smr = std::process::Command::new(env!("CARGO_BIN_EXE_smr"))
        .arg("--version")
        .env("_RJEM_MALLOC_CONF", "stats_print:true")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&smr.stderr).into_owned();
    for setting in [
        "opt.narenas: 1\n",
        "opt.dirty_decay_ms: 0 ",
        "opt.muzzy_decay_ms: 0 ",
        "opt.tcache_max: 2048\n",
    ] {
        assert!(printed.contains(setting), "{setting}: {printed}");
    }
}
