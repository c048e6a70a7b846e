//! Files as kubectl reads them: the same files to the real kubectl and to `smr plan`, the objects that each
//! finds out. Runs both; needs no server.

use control_plane::ControlPlane;
use std::process::{Command, Output};
use std::sync::Arc;

use crate::support::plane;

/// A file's name, and what is in it.
type File = (&'static str, Vec<u8>);

fn object(name: &str) -> String {
    format!(
        "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {{name: {name}}}\nspec: {{}}\n"
    )
}

fn json(name: &str) -> String {
    format!(
        r#"{{"apiVersion":"sessionmanager.dev/v1alpha1","kind":"SessionManagerRole","metadata":{{"name":"{name}","annotations":{{"a":"\u00e9"}}}},"spec":{{}}}}"#
    )
}

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// What both read, or both refuse.
#[allow(clippy::many_single_char_names)] // They are the objects' names.
fn the_same() -> Vec<File> {
    let [a, b] = ["a", "b"].map(object);
    let [j, k, l] = ["j", "k", "l"].map(json);
    let marked = format!("\u{feff}{a}");
    let list = "apiVersion: v1\nkind: List\nitems:\n";
    let item = "apiVersion: sessionmanager.dev/v1alpha1, kind: SessionManagerRole, spec: {}";
    let texts: Vec<(&str, String)> = vec![
        ("one.yaml", a.clone()),
        ("two.yaml", format!("{a}---\n{b}")),
        ("comments.yaml", format!("# first\n--- # one\n{a}\n---   \n---\n# none\n---\n{b}---\n")),
        ("crlf.yaml", format!("---\n{a}---\n{b}").replace('\n', "\r\n")),
        ("marked.yaml", marked.clone()),
        ("marked-within.yaml", format!("{b}---\n{marked}")),
        ("json.json", j.clone()),
        ("surrogates.json", j.replace(r"\u00e9", r"\ud83d\ude00 \/")),
        ("several.json", format!("{j}{k}\n\n{l}\n")),
        ("named-yaml.yaml", format!(" \n{j}\n{k}")),
        ("separated.json", format!("{j}\n---\n{k}\n---\n{l}\n")),
        ("mixed.yaml", format!("{j}\n---\n{b}")),
        ("mixed-without.yaml", format!("{j}\n{b}")),
        ("flow.yaml", format!("{{{item}, metadata: {{name: a}},}}")),
        ("list.yaml", format!("{list}- {{{item}, metadata: {{name: x}}}}\n- {{{item}, metadata: {{name: z}}}}\n")),
        ("list-of-ours.yaml", "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRoleList\nitems: [{metadata: {name: x}, spec: {}}]\n".into()),
        ("any-list.yaml", format!("apiVersion: example.com/v1\nkind: Bundle\nitems: [{{{item}, metadata: {{name: x}}}}]\n")),
        ("anchor.yaml", format!("{}spec: &s {{}}\n", "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {name: &n a, labels: {a: *n}}\n")),
        ("block.yaml", format!("{a}---\n{}", "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {name: t}\nspec:\n  role:\n    description: |-\n      a\n      --- b\n")),
        ("tags.yaml", a.replace("{name: a}", "{name: ! 5, labels: {<<: {a: x}, \"b\": !!str 5}}")),
        ("whole.yaml", format!("{a}---\n{}", "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {name: t}\nspec: {role: {maxSessionDurationSeconds: !!int \"3600\"}}\n")),
        // Refused.
        ("after.yaml", format!("--- {{{item}, metadata: {{name: a}}}}\n")),
        ("glued.yaml", format!("{a}---b\n{b}")),
        ("directive.yaml", format!("%YAML 1.1\n---\n{a}")),
        ("indented.yaml", format!("{a} ---\n{b}")),
        ("separated-late.json", format!("{j}{k}\n---\n{l}")),
        ("comma.json", format!("{j},{k}")),
        ("unclosed.json", j[..j.len() - 1].into()),
        ("template.yaml", a.replace("{name: a}", "{name: {{ .Values.name }}}")),
        ("deep.yaml", format!("{a}---\na: {}", "[".repeat(20_000))),
        ("text.yaml", format!("{a}---\njust text\n")),
        ("no-kind.yaml", format!("{a}---\na: b\n")),
        ("null-item.yaml", format!("{list}- null\n- {{{item}, metadata: {{name: x}}}}\n")),
        ("items.yaml", "apiVersion: v1\nkind: List\nitems: {}\n".into()),
        ("comment.json", format!("{j} // ours\n")),
        ("infinite.yaml", format!("{a}x: .inf\n")),
        ("null-key.yaml", format!("{a}x: {{~: 1}}\n")),
        ("tag.yaml", format!("{a}x: !!null x\n")),
        ("merge.yaml", format!("{a}x: {{<<: 5}}\n")),
        ("surrogate.yaml", format!("{a}# \\ud83d\nx: \"\\ud83d\"\n")),
    ];
    let mut files: Vec<File> = (texts.into_iter())
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    files.extend([
        ("wide-le.yaml", utf_16(&marked, u16::to_le_bytes)),
        ("wide-be.yaml", utf_16(&marked, u16::to_be_bytes)),
        ("wide-unmarked.yaml", utf_16(&a, u16::to_le_bytes)),
    ]);
    files
}

/// What kubectl drops or replaces without a word, and `smr` refuses.
fn refused_by_smr_alone() -> Vec<File> {
    let dots = format!("{}...\n{}", object("a"), object("b"));
    let latin = b"apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {name: a, labels: {a: M\xfcller}}\nspec: {}\n";
    let twice = format!("{}kind: SessionManagerRole\n", object("a"));
    vec![
        ("dots.yaml", dots.into_bytes()),
        ("twice.yaml", twice.into_bytes()),
        ("latin-1.yaml", latin.to_vec()),
    ]
}

/// The names that a program printed, one a line; none where it failed.
fn names(output: &Output, of: impl Fn(&str) -> Vec<String>) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| of(&text))
}

fn by_kubectl(plane: &ControlPlane, path: &std::path::Path) -> Option<Vec<String>> {
    let output = Command::new(plane.binaries().join("kubectl"))
        .args([
            "label",
            "--local",
            "--recursive",
            "a=b",
            "--overwrite",
            "-f",
        ])
        .arg(path)
        .args(["-o", r#"jsonpath={.metadata.name}{"\n"}"#])
        .env_clear()
        .env("HOME", path.parent().unwrap())
        .output()
        .unwrap();
    names(&output, |text| text.lines().map(str::to_owned).collect())
}

fn by_smr(path: &std::path::Path) -> Option<Vec<String>> {
    let output = Command::new(env!("CARGO_BIN_EXE_smr"))
        .args(["plan", "--offline", "-o", "json", "-f"])
        .arg(path)
        .env_clear()
        .output()
        .unwrap();
    let of = |text: &str| -> Vec<String> {
        let plan: serde_json::Value = serde_json::from_str(text).unwrap();
        let objects = plan["objects"].as_array().unwrap().iter();
        objects
            .map(|object| object["name"].as_str().unwrap().to_owned())
            .collect()
    };
    names(&output, of)
}

#[tokio::test]
async fn files_are_read_as_kubectl_reads_them() {
    let plane: Arc<ControlPlane> = plane().await;
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let (mut read, mut refused) = (0, 0);
    for (name, bytes) in the_same() {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let (kubectl, smr) = (by_kubectl(&plane, &path), by_smr(&path));
        if kubectl != smr {
            wrong.push(format!("{name}: kubectl {kubectl:?}, smr {smr:?}"));
        }
        match kubectl {
            Some(_) => read += 1,
            None => refused += 1,
        }
    }
    for (name, bytes) in refused_by_smr_alone() {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        if by_kubectl(&plane, &path).is_none() || by_smr(&path).is_some() {
            wrong.push(format!("{name}: is not read by kubectl alone"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 15 && refused > 10, "{read} read, {refused} refused");
}
