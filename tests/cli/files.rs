//! Files as kubectl reads them, and what is no manifest: folders, links, encodings, templates.

use std::os::unix::fs::symlink;

use crate::support::{Bench, manifest};

/// The names of the objects that a plan is about, in order.
#[allow(clippy::unwrap_used)] // A test's helper is a test.
async fn names(bench: &Bench, paths: &[&str]) -> Vec<String> {
    let mut arguments = vec!["plan", "--offline", "-o", "json"];
    for path in paths {
        arguments.extend(["-f", path]);
    }
    let plan = bench.smr(&arguments).await.json();
    let objects = plan["objects"].as_array().unwrap().iter();
    objects
        .map(|object| object["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn refused(bench: &Bench, arguments: &[&str]) -> String {
    let answer = bench.smr(arguments).await;
    assert_eq!(answer.code, 1, "{arguments:?}: {}", answer.told());
    answer.stderr
}

#[tokio::test]
async fn links_have_an_end_and_a_file_is_read_once() {
    let bench = Bench::new(&[
        ("roles/a.yaml", &manifest("a", "{}")),
        ("roles/deep/b.yml", &manifest("b", "{}")),
        ("roles/.hidden.json", &manifest("hidden", "{}")),
        ("roles/.git/c.yaml", &manifest("git", "{}")),
        ("roles/notes.txt", "no manifest"),
        ("elsewhere/d.yaml", &manifest("d", "{}")),
        ("named.txt", &manifest("named", "{}")),
    ]);
    let link = |to: &str, at: &str| symlink(to, bench.directory.join(at)).unwrap();
    link("..", "roles/deep/up");
    link("../elsewhere", "roles/linked.yaml");
    link("../a.yaml", "roles/deep/same.yaml");
    link("../../elsewhere/d.yaml", "roles/deep/d.yaml");
    link("roles", "by-link");
    // As 'kubectl label --local -R -f roles' has them, less what is below .git, and each once.
    let expected = ["hidden", "a", "b", "d"];
    assert_eq!(names(&bench, &["roles"]).await, expected);
    assert_eq!(names(&bench, &["roles", "roles/a.yaml"]).await, expected);
    // What is named is followed, and read whatever its name.
    assert_eq!(names(&bench, &["by-link"]).await, expected);
    assert_eq!(names(&bench, &["named.txt"]).await, ["named"]);
    link("gone.yaml", "roles/z.yaml");
    let told = refused(&bench, &["plan", "--offline", "-f", "roles"]).await;
    assert!(told.contains("roles/z.yaml: can't be read: "), "{told}");
}

#[tokio::test]
async fn encodings_and_several_documents_are_read() {
    let json = |name: &str| {
        format!(
            r#"{{"apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole", "metadata": {{"name": "{name}"}}, "spec": {{}}}}"#
        )
    };
    let bench = Bench::new(&[
        (
            "several.json",
            &(json("j1") + &json("j2") + "\n" + &json("j3")),
        ),
        (
            "many.yaml",
            &format!(
                "{}--- # next\n{}",
                manifest("n0", "{}"),
                manifest("n1", "{}")
            ),
        ),
        (
            "list.yaml",
            "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRoleList\nitems:\n- {metadata: {name: l1}, spec: {}}\n- {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret}]}\n",
        ),
    ]);
    let marked: Vec<u8> = format!("\u{feff}{}", manifest("wide", "{}"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(bench.directory.join("wide.yaml"), marked).unwrap();
    assert_eq!(
        names(&bench, &["."]).await,
        ["l1", "n0", "n1", "j1", "j2", "j3", "wide"]
    );
    let latin = b"kind: M\xfcller\n";
    std::fs::write(bench.directory.join("latin.yaml"), latin).unwrap();
    let told = refused(
        &bench,
        &["render", "--account-id", "111122223333", "-f", "."],
    )
    .await;
    assert_eq!(
        told,
        "smr: ./latin.yaml: is not UTF-8 (byte 0xfc in line 1): save it as UTF-8\n"
    );
}

#[tokio::test]
async fn what_is_no_manifest_is_told_what_it_is() {
    let plain = manifest("a", "{}");
    let files = [
        ("helm/templates/role.yaml", "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata:\n  name: {{ .Values.name }}\n".to_owned()),
        ("if.yaml", format!("{{{{- if .Values.enabled }}}}\n{plain}{{{{- end }}}}\n")),
        ("quoted.yaml", manifest("'{{ .Release.Name }}-web'", "{tags: {team: '{{ .Values.team }}'}, mode: Never}")),
        ("jinja.yaml", format!("{{% for n in names %}}\n{plain}{{% endfor %}}\n")),
        ("comment.json", "{\n  // ours\n  \"apiVersion\": \"sessionmanager.dev/v1alpha1\"\n}\n".to_owned()),
        ("json5.json", "{\n  /* ours */ apiVersion: 'sessionmanager.dev/v1alpha1',\n}\n".to_owned()),
        ("comma.json", "{\n  \"kind\": \"a\",\n  \"kind2\": \"b\"]\n}\n".to_owned()),
        ("kustomize/kustomization.yaml", "resources: [role.yaml]\nnamePrefix: x-\n".to_owned()),
        ("kustomize/role.yaml", plain.clone()),
        ("deep.yaml", format!("a: {}", "[".repeat(5000))),
        ("no-version.yaml", "kind: SessionManagerRole\nmetadata: {name: a}\nspec: {}\n".to_owned()),
        ("dots.yaml", format!("{plain}...\n{plain}")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(f, text)| (*f, text.as_str())).collect();
    let bench = Bench::new(&files);
    let mut told = String::new();
    for file in [
        "helm",
        "if.yaml",
        "quoted.yaml",
        "jinja.yaml",
        "comment.json",
        "json5.json",
        "comma.json",
        "kustomize",
        "deep.yaml",
        "no-version.yaml",
        "dots.yaml",
        "https://example.com/role.yaml",
    ] {
        told += &refused(&bench, &["plan", "--offline", "-f", file]).await;
    }
    let from = ["plan", "--from", "kustomize", "-f", "kustomize/role.yaml"];
    told += &refused(&bench, &from).await;
    insta::assert_snapshot!("no-manifest", told);
    // A hook gets every file of a commit: those of Kustomize are no mistake there.
    let hook = [
        "plan",
        "--offline",
        "kustomize/kustomization.yaml",
        "kustomize/role.yaml",
    ];
    assert_eq!(bench.smr(&hook).await.code, 0);
}

/// A read of a pipe ends when its writer does: `-f <(helm template ...)` is one, and one in a folder has
/// no writer.
#[tokio::test]
async fn a_pipe_is_read_where_it_is_named_only() {
    let bench = Bench::new(&[("roles/a.yaml", &manifest("a", "{}"))]);
    let pipe = bench.directory.join("roles/b.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let told = refused(&bench, &["plan", "--offline", "-f", "roles"]).await;
    assert!(
        told.starts_with("smr: roles/b.yaml: is a pipe, a socket or a device"),
        "{told}"
    );
    let writer = tokio::task::spawn_blocking(move || std::fs::write(pipe, manifest("b", "{}")));
    assert_eq!(names(&bench, &["roles/b.yaml"]).await, ["b"]);
    writer.await.unwrap().unwrap();
    // A link to a device, and one that is named and has no end.
    std::fs::remove_file(bench.directory.join("roles/b.yaml")).unwrap();
    symlink("/dev/zero", bench.directory.join("roles/b.yaml")).unwrap();
    let told = refused(&bench, &["plan", "--offline", "-f", "roles"]).await;
    assert!(told.contains("is a pipe, a socket or a device"), "{told}");
    let told = refused(&bench, &["plan", "--offline", "-f", "/dev/zero"]).await;
    assert!(
        told.starts_with("smr: /dev/zero: has more than 64 MiB"),
        "{told}"
    );
}

#[tokio::test]
async fn addresses_are_no_paths() {
    let bench = Bench::new(&[("x", "")]);
    for (address, way_out) in [
        (
            "oci://registry.example.com/chart",
            "smr reads no URLs. Download the manifests first",
        ),
        (
            "git+ssh://example.com/roles",
            "smr reads no URLs. Download the manifests first",
        ),
        (
            "http://example.com/a.yaml",
            "smr reads no URLs. Download it first: 'curl",
        ),
        ("://x", "can't be read: "),
    ] {
        let told = refused(&bench, &["plan", "--offline", "-f", address]).await;
        assert!(
            told.starts_with(&format!("smr: {address}: {way_out}")),
            "{told}"
        );
    }
}

#[tokio::test]
async fn what_kubectl_refuses_is_an_error_and_a_hook_leaves_it_alone() {
    let plain = manifest("a", "{}");
    let mistyped = plain.replace("sessionmanager.dev/", "sessionmanagers.dev/");
    let bench = Bench::new(&[
        ("a/a.yaml", &plain),
        ("a/values.yaml", "image: {tag: v1}\n"),
        ("mistyped.yaml", &mistyped),
        ("playbook.yaml", "- hosts: {{ all }}\n"),
    ]);
    let told = refused(&bench, &["plan", "--offline", "-f", "a"]).await;
    assert!(
        told.starts_with("smr: a/values.yaml:1:1: kind is missing"),
        "{told}"
    );
    for files in [&["-f", "mistyped.yaml"][..], &["mistyped.yaml"]] {
        let told = refused(&bench, &[&["plan", "--offline"], files].concat()).await;
        assert!(told.contains("write sessionmanager.dev/v1alpha1"), "{told}");
    }
    let hook = [
        "plan",
        "--offline",
        "a/a.yaml",
        "a/values.yaml",
        "playbook.yaml",
    ];
    let answer = bench.smr(&hook).await;
    assert_eq!(answer.code, 0, "{}", answer.told());
}

/// A name could clear the screen, or begin a line with a command of the CI system.
#[tokio::test]
async fn a_terminal_gets_no_control_characters_of_a_manifest() {
    let head = "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\n";
    let name = format!(
        "{head}metadata: {{name: \"a\\e[31m\\n::error::x\"}}\nspec: {{mode: \"\\e[2J\", \"\\u202ekey\\n::error::y\": 1}}\n"
    );
    let twice = format!("{head}? \"a\\n::error::z\"\n: 1\n? \"a\\n::error::z\"\n: 2\n");
    let bench = Bench::new(&[
        ("name.yaml", &name),
        ("twice.yaml", &twice),
        ("\u{1b}[2J\n::error::file.yaml", "just text"),
    ]);
    for file in [
        "name.yaml",
        "twice.yaml",
        "\u{1b}[2J\n::error::file.yaml",
        "\u{1b}\n::error::none",
    ] {
        for command in [
            &["plan", "--offline", "-f"][..],
            &["render", "--account-id", "111122223333", "-f"],
        ] {
            let answer = bench.smr(&[command, &[file]].concat()).await;
            let told = answer.told();
            assert_eq!(answer.code, 1, "{told:?}");
            assert!(told.contains(r"\n::error::"), "{told:?}");
            let is_raw = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
            assert!(!told.contains(is_raw) && !told.contains("\n::"), "{told:?}");
        }
    }
}

#[tokio::test]
async fn a_namespace_is_one_and_contradicts_no_manifest() {
    let own = manifest("a", "{}").replace("name: a", "name: a\n  namespace: team");
    let bench = Bench::new(&[("own.yaml", &own), ("none.yaml", &manifest("a", "{}"))]);
    let long = "n".repeat(70);
    for command in [
        &["plan", "--offline"][..],
        &["plan", "--from", "none.yaml"],
        &["plan", "--no-cluster"],
        &["render", "--account-id", "111122223333"],
    ] {
        for namespace in ["", "..", "Foo Bar", &long] {
            let arguments = ["-f", "none.yaml", "-n", namespace];
            let told = refused(&bench, &[command, &arguments].concat()).await;
            let expected = format!("smr: --namespace: '{namespace}' is no name of a namespace");
            assert!(told.starts_with(&expected), "{command:?}: {told}");
        }
    }
    for command in [
        &["plan", "--offline"][..],
        &["plan", "--from", "own.yaml"],
        &["render", "--account-id", "111122223333"],
    ] {
        let with = |namespace| [command, &["-f", "own.yaml", "-n", namespace]].concat();
        let told = refused(&bench, &with("other")).await;
        assert!(
            told.contains("metadata.namespace: the manifest says team and --namespace says other"),
            "{told}"
        );
        let answer = bench.smr(&with("team")).await;
        assert_eq!(answer.code, 0, "{}", answer.told());
    }
}

#[tokio::test]
async fn nothing_to_compare_with_is_said() {
    let bench = Bench::new(&[("old/x.txt", ""), ("new.yaml", &manifest("a", "{}"))]);
    let answer = bench
        .smr(&["plan", "--from", "old", "-f", "new.yaml"])
        .await;
    let note =
        "Note: there is no SessionManagerRole in old (--from): every object is shown as new.";
    assert!(
        answer.code == 0 && answer.stdout.contains(note),
        "{}",
        answer.told()
    );
}

#[tokio::test]
async fn render_refuses_an_unclear_pause_as_plan_does() {
    let unclear = manifest("a", "{}").replace(
        "name: a",
        "name: a\n  annotations: {sessionmanager.dev/paused: 'yes'}",
    );
    let bench = Bench::new(&[("a.yaml", &unclear)]);
    for command in [
        &["plan", "--offline"][..],
        &["render", "--account-id", "111122223333"],
    ] {
        let told = refused(&bench, &[command, &["-f", "a.yaml"]].concat()).await;
        assert!(
            told.contains("\"yes\" is neither \"true\" nor \"false\""),
            "{told}"
        );
    }
}
