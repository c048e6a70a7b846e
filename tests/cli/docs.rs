//! Every command of README and the docs, as it stands there: run with the program on the PATH, in a
//! folder with the examples. What needs a cluster is run by the end-to-end tests.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use crate::pages::{self, Block, Fenced, Mark, blocks, blocks_of, fenced, read, root};
use crate::support::{Answer, Bench, answer};

/// Programs that stand in a page and are not run as they are: what stands in for each, as a script.
const STAND_INS: [(&str, &str); 6] = [
    // A target that there is. What it does is tested by what calls it.
    (
        "make",
        "for word; do case $word in *=*) ;; *) grep -q \"^$word:\" \"$ROOT/Makefile\" ;; esac; done",
    ),
    ("aws", "test -n \"$WITH_AWS\"; echo \"$*\" >>aws-calls"),
    (
        "kubectl",
        "echo 'the block needs the mark cluster' >&2; exit 1",
    ),
    (
        "helm",
        "echo 'the block needs the mark helm or cloud' >&2; exit 1",
    ),
    (
        "argocd",
        "echo 'the block needs the mark cloud' >&2; exit 1",
    ),
    ("sudo", "exit 1"),
];

/// The folder that the pages start from: the repository's examples, and manifests in `roles`.
#[allow(clippy::unwrap_used)] // A test's helper is a test.
fn scratch() -> Bench {
    let bench = Bench::new(&[]);
    for file in ["base/web.yaml", "head/web.yaml", "mistyped.yaml"] {
        bench.write(file, &read(&format!("docs/examples/{file}")));
    }
    bench.write("web.yaml", &read("docs/examples/head/web.yaml"));
    for sample in ["minimal", "hybrid", "logs-and-kms"] {
        let text = read(&format!("deploy/samples/{sample}.yaml"));
        bench.write(&format!("roles/{sample}.yaml"), &text);
    }
    for folder in ["deploy", "crds"] {
        symlink(root().join(folder), bench.directory.join(folder)).unwrap();
    }
    symlink(env!("CARGO_BIN_EXE_smr"), bench.directory.join("smr")).unwrap();
    for (name, script) in STAND_INS {
        let path = format!("stand-ins/{name}");
        bench.write(&path, &format!("#!/usr/bin/env bash\nset -eu\n{script}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bench.directory.join(path), mode).unwrap();
    }
    bench
}

/// Runs a command line as a person's shell does.
async fn shell(bench: &Bench, line: &str, with_aws: bool) -> Answer {
    let smr = bench.command(&[]);
    let mut shell = Command::new("bash");
    let paths = [bench.directory.join("stand-ins"), bench.directory.clone()];
    let system = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(paths.into_iter().chain(std::env::split_paths(&system)));
    shell
        .args(["-euo", "pipefail", "-c", line])
        .current_dir(&bench.directory)
        .env_clear()
        .envs(
            smr.get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .env_remove("SMR_CLUSTER_NAME")
        .env("ROOT", root())
        .env("WITH_AWS", if with_aws { "1" } else { "" })
        .env("PATH", path.unwrap_or_default())
        .stdin(std::process::Stdio::null());
    answer(shell).await
}

/// A mark that says what no command of the block needs is wrong, and so is one that is missing.
#[test]
fn marks_say_what_blocks_need() {
    let mut count = 0;
    for block in pages::pages().iter().flat_map(|page| blocks(page)) {
        let needs = block.needs();
        // A step between others of an installation.
        let is_step =
            block.marks == BTreeSet::from([Mark::Helm]) && needs == BTreeSet::from([Mark::Cluster]);
        assert!(
            block.marks == needs || is_step,
            "{}: {needs:?}",
            block.place
        );
        count += 1;
    }
    assert!(count > 20, "{count} blocks: are these the pages?");
}

#[test]
fn a_wrong_mark_is_seen() {
    for (block, fits) in [
        ("console\n$ smr plan --offline -f roles\n", true),
        ("console aws\n$ smr plan --offline -f roles\n", false),
        ("console aws\n$ kubectl smr plan -f roles\n", true),
        ("console\n$ smr render -f roles | jq .\n", false),
        ("sh aws\nA=b\nsmr crd > x; A=b aws iam get-role\n", true),
        ("console cluster\n$ smr crd | kubectl apply -f -\n", true),
        ("console cluster\n$ smr crd\n", false),
        ("console\n$ kubectl get smr\n", false),
        ("console cluster\n$ kubectl get smr\n$ helm list\n", false),
        ("console cloud\n$ kubectl get smr\n$ helm list\n", true),
        ("console cloud\n$ kubectl get smr\n", false),
        (
            "console helm\n$ helm rollback session-manager-role\n$ kubectl get smr\n",
            true,
        ),
        (
            "console cluster\n$ kubectl rollout status deployment/a\n",
            false,
        ),
    ] {
        let blocks = blocks_of("page", &format!("```{block}```\n"));
        assert_eq!(blocks[0].marks == blocks[0].needs(), fits, "{block}");
    }
}

/// Runs a block. What the page shows is what is printed; an error is one that it shows.
async fn run(bench: &Bench, block: &Block) -> String {
    let with_aws = block.marks.contains(&Mark::Aws);
    let mut real = String::new();
    for command in &block.commands {
        let answer = shell(bench, &command.text, with_aws).await;
        let shows_an_error = command.prints.lines().any(|line| line.starts_with("smr: "));
        assert_eq!(
            answer.code != 0,
            shows_an_error,
            "{}: {}\n{}",
            block.place,
            command.text,
            answer.told()
        );
        real.extend(["$ ", &command.text, "\n"]);
        if !command.prints.is_empty() {
            real += &(answer.stdout + &answer.stderr);
        }
    }
    real
}

/// UPDATE_DOCS=1 writes what is printed now.
#[tokio::test]
async fn commands_run_as_they_stand_there() {
    let bench = scratch().with_iam().await;
    let here = BTreeSet::from([Mark::Cluster, Mark::Helm, Mark::Cloud]);
    let has_jq = shell(&bench, "jq --version", false).await.code == 0;
    for page in pages::pages() {
        let text = read(&page);
        let mut real = text.clone();
        // The last one first: a text of another length moves none that is still to come.
        for block in blocks(&page).iter().rev() {
            if !block.marks.is_disjoint(&here) {
                continue;
            }
            if !has_jq && block.commands.iter().any(|c| c.text.contains("| jq ")) {
                eprintln!("{}: NOT RUN, as jq is not installed", block.place);
                continue;
            }
            let printed = run(&bench, block).await;
            if block.commands.iter().any(|c| !c.prints.is_empty()) {
                let lines = printed.split_inclusive('\n');
                let indented: String = lines.flat_map(|line| [&block.indent, line]).collect();
                real.replace_range(block.range.clone(), &indented);
            }
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(root().join(&page), real).unwrap();
        } else {
            assert!(
                real == text,
                "{page} is stale: run UPDATE_DOCS=1 cargo test --test cli docs"
            );
        }
    }
    // Documents that were handed to the stand-in of AWS's program are documents.
    let calls = std::fs::read_to_string(bench.directory.join("aws-calls")).unwrap();
    let documents: Vec<&str> = (calls.split_whitespace())
        .filter_map(|word| word.strip_prefix("file://"))
        .collect();
    assert!(!documents.is_empty());
    for document in documents {
        let text = std::fs::read_to_string(bench.directory.join(document)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["Version"], "2012-10-17", "{document}");
    }
}

/// Manifests of ours in the pages are valid.
#[tokio::test]
async fn manifests_are_valid() {
    let bench = Bench::new(&[]);
    let mut count = 0;
    for page in pages::pages() {
        let text = read(&page);
        for Fenced {
            info, line, body, ..
        } in fenced(&text)
        {
            if info != "yaml" || !body.starts_with("apiVersion: sessionmanager.dev/") {
                continue;
            }
            bench.write("manifest.yaml", &body);
            let answer = bench
                .smr(&["plan", "--offline", "-f", "manifest.yaml"])
                .await;
            assert_eq!(answer.code, 0, "{page}:{line}: {}", answer.told());
            count += 1;
        }
    }
    assert!(count > 0);
}
