//! The structure that docs/architecture.md promises: arrows only go down, no circle, no long function or
//! file, one place that reads the time of day, one that spells a reason. Reads the sources; no other IO.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use smr_api::{ConditionType, Deed, Reason};

/// A source file of the product, without its tests.
struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
}

/// All of the product's own code.
fn sources() -> Vec<Source> {
    let mut all = Vec::new();
    for dir in ["src", "crates"] {
        files(&root().join(dir), &mut all);
    }
    let of_tests = |path: &str| {
        let mut parts = path.split('/');
        path.contains("/benches/")
            || parts.any(|part| {
                let name = part.trim_end_matches(".rs");
                ["tests", "testing", "golden", "model"].contains(&name)
            })
    };
    let sources: Vec<Source> = all
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            Source {
                path: path
                    .strip_prefix(root())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
                text: code.to_owned(),
            }
        })
        .filter(|source| !of_tests(&source.path))
        .collect();
    assert!(sources.len() > 100, "{}", sources.len());
    sources
}

/// The lines of code, without comments, with their numbers.
fn lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let numbered = (1..).zip(source.text.lines());
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn no_function_is_over_80_lines_and_no_file_over_500() {
    /// One entry a line.
    const TABLES: [(&str, &str); 2] = [
        ("crates/iam/src/write.rs", "on_role"),
        ("src/telemetry/metrics/work.rs", "new"),
    ];
    let mut long = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        if lines.len() > 500 {
            long.push(format!("{}: {} lines", source.path, lines.len()));
        }
        for (begin, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let indent = &line[..line.len() - code.len()];
            let words: Vec<&str> = code.split_whitespace().collect();
            let Some(at) = words.iter().position(|word| *word == "fn") else {
                continue;
            };
            let is_prefix = |word: &&str| {
                word.starts_with("pub") || ["const", "async", "unsafe", "in"].contains(word)
            };
            if !words[..at].iter().all(is_prefix) || code.ends_with(';') {
                continue;
            }
            let name = words[at + 1].split(['(', '<']).next().unwrap();
            // rustfmt puts the end under the beginning.
            let end = format!("{indent}}}");
            let length = lines[begin..].iter().position(|l| **l == end).unwrap_or(0) + 1;
            if length > 80 && !TABLES.contains(&(source.path.as_str(), name)) {
                long.push(format!(
                    "{}:{}: {name}: {length} lines",
                    source.path,
                    begin + 1
                ));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// Every crate of the workspace, and which of them it may build on.
const CRATES: [(&str, &[&str]); 6] = [
    ("crates/api", &[]),
    ("crates/core", &["smr-api"]),
    ("crates/manifest", &["smr-api"]),
    ("crates/lease", &["smr-api", "smr-core"]),
    ("crates/iam", &["smr-api", "smr-core"]),
    (
        ".",
        &[
            "smr-api",
            "smr-core",
            "smr-iam",
            "smr-lease",
            "smr-manifest",
        ],
    ),
];

#[test]
fn arrows_between_crates_only_go_down() {
    for (dir, may) in CRATES {
        let manifest = std::fs::read_to_string(root().join(dir).join("Cargo.toml")).unwrap();
        let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
        let own = rest.split("\n[").next().unwrap();
        let ours = own.lines().filter(|line| line.starts_with("smr-"));
        for line in ours {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            assert!(may.contains(&name), "{dir} builds on {name}");
        }
    }
}

/// What the pure core and the reader of manifests must never see, however far down.
#[test]
fn the_core_sees_no_client_no_sdk_and_no_runtime() {
    for package in ["smr-core", "smr-manifest"] {
        let tree = std::process::Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--locked",
                "-e",
                "normal",
                "--prefix",
                "none",
            ])
            .args(["-p", package])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(tree.status.success(), "{tree:?}");
        let tree = String::from_utf8(tree.stdout).unwrap();
        let seen: BTreeSet<&str> = tree.lines().filter_map(|l| l.split(' ').next()).collect();
        assert!(seen.contains("smr-api"), "{seen:?}");
        let below = |name: &&&str| {
            [
                "tokio",
                "kube-client",
                "kube-runtime",
                "hyper",
                "smr-iam",
                "smr-lease",
            ]
            .contains(*name)
                || name.starts_with("aws-")
        };
        let found: Vec<&&str> = seen.iter().filter(below).collect();
        assert!(found.is_empty(), "{package} sees {found:?}");
    }
}

/// The rooms of a folder, and which others each names.
fn rooms(folder: &str, prefix: &str, sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let room_of = |path: &str| {
        let inner = path.strip_prefix(folder)?.strip_prefix('/')?;
        let room = inner.split('/').next()?.trim_end_matches(".rs");
        (!["lib", "main", "mod"].contains(&room)).then(|| (room.to_owned(), inner.to_owned()))
    };
    let all: BTreeSet<String> = sources
        .iter()
        .filter_map(|s| Some(room_of(&s.path)?.0))
        .collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let Some((room, inner)) = room_of(&source.path) else {
            continue;
        };
        // `super::` of a file that stands in the folder, or is a room's own `mod.rs`, is the folder.
        let is_top =
            !inner.contains('/') || inner.ends_with("/mod.rs") && inner.matches('/').count() == 1;
        let named = graph.entry(room.clone()).or_default();
        for (_, line) in lines(source) {
            let mut prefixes = vec![format!("crate::{prefix}")];
            if is_top {
                prefixes.push("super::".to_owned());
            }
            for prefix in prefixes {
                for (at, found) in line.match_indices(prefix.as_str()) {
                    if line[..at].ends_with("super::") {
                        continue;
                    }
                    let rest = &line[at + found.len()..];
                    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                    let name = &rest[..end.unwrap_or(rest.len())];
                    if name != room && all.contains(name) {
                        named.insert(name.to_owned());
                    }
                }
            }
        }
    }
    graph
}

/// Takes rooms away that name no others, until none is left or a circle is.
fn circle(mut graph: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let ground: Vec<String> = (graph.iter())
            .filter(|(_, named)| named.iter().all(|name| !graph.contains_key(name)))
            .map(|(room, _)| room.clone())
            .collect();
        if ground.is_empty() {
            return graph;
        }
        for room in ground {
            graph.remove(&room);
        }
    }
}

#[test]
fn no_rooms_form_a_circle() {
    let sources = sources();
    for (folder, prefix) in [
        ("crates/api/src", ""),
        ("crates/core/src", ""),
        ("crates/iam/src", ""),
        ("crates/lease/src", ""),
        ("crates/manifest/src", ""),
        ("src", ""),
        ("src/controller", "controller::"),
        ("src/cli", "cli::"),
        ("src/telemetry", "telemetry::"),
    ] {
        let graph = rooms(folder, prefix, &sources);
        assert!(
            graph.len() > 1 && graph.values().any(|named| !named.is_empty())
                || folder.ends_with("telemetry"),
            "{folder}: {graph:?}"
        );
        let left = circle(graph);
        assert!(left.is_empty(), "{folder}: {left:#?}");
    }
}

#[test]
fn a_circle_would_be_found() {
    let graph = |edges: &[(&str, &[&str])]| {
        let named = |all: &[&str]| all.iter().map(|n| (*n).to_owned()).collect();
        edges
            .iter()
            .map(|(room, all)| ((*room).to_owned(), named(all)))
            .collect()
    };
    assert!(circle(graph(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let left = circle(graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]));
    assert_eq!(left.len(), 3, "{left:?}");
}

/// What enters as a value everywhere else: time, randomness, and tasks that end with whoever began them.
#[test]
fn time_and_chance_come_from_one_place() {
    for source in sources() {
        for (number, line) in lines(&source) {
            let place = format!("{}:{number}: {line}", source.path);
            for (word, only) in [
                ("Timestamp::now", &["src/clock.rs"][..]),
                ("SystemTime", &[]),
                ("std::time::Instant", &[]),
                ("RandomState", &[]),
                ("tokio::spawn(", &[]),
                ("thread::spawn(", &[]),
            ] {
                assert!(
                    !line.contains(word) || only.contains(&source.path.as_str()),
                    "{place}"
                );
            }
        }
        let mut rest = source.text.as_str();
        while let Some(at) = rest.find("select! {") {
            rest = &rest[at + "select! {".len()..];
            assert!(
                rest.trim_start().starts_with("biased;"),
                "{}: a select! without a stated order: {}",
                source.path,
                rest.lines().nth(1).unwrap_or_default()
            );
        }
    }
}

/// A word that pipelines match is spelled in crates/api and nowhere else; AWS's codes are AWS's.
/// The command line is released for Windows too, where no test runs: what only Unix has is behind a
/// guard, and no crate that only Unix has is built there.
#[test]
fn what_only_unix_has_is_guarded() {
    for source in sources() {
        let mut item = Vec::new();
        for (number, line) in lines(&source) {
            if line.trim().is_empty() || line.starts_with('}') {
                item.clear();
            }
            item.push(line);
            let only_unix = ["::unix::", "tikv_jemallocator", "libc::", "procfs::"];
            assert!(
                !only_unix.iter().any(|name| line.contains(name))
                    || item.iter().any(|line| line.trim() == "#[cfg(unix)]"),
                "{}:{number}: {line}\nhas to be behind #[cfg(unix)]",
                source.path
            );
        }
    }
    let crates = |target: &str| {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
            .args(["--target", target])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(tree.status.success(), "{tree:?}");
        String::from_utf8(tree.stdout).unwrap()
    };
    let has = |tree: &str, name: &str| tree.lines().any(|line| line.starts_with(name));
    let (linux, windows) = (
        crates("x86_64-unknown-linux-gnu"),
        crates("x86_64-pc-windows-msvc"),
    );
    for name in ["tikv-jemallocator ", "procfs "] {
        assert!(has(&linux, name) && !has(&windows, name), "{name}");
    }
}

#[test]
fn a_reason_is_spelled_in_one_place() {
    let reasons = Reason::ALL.iter().map(|r| r.as_str());
    let types = ConditionType::ALL.iter().map(|t| t.as_str());
    let deeds = Deed::ALL.iter().map(|d| d.as_str());
    let words: BTreeSet<String> = (reasons.chain(types).chain(deeds))
        .map(|word| format!("\"{word}\""))
        .collect();
    for source in sources() {
        if source.path.starts_with("crates/api/") || source.path.starts_with("crates/iam/src/") {
            continue;
        }
        for (number, line) in lines(&source) {
            for word in &words {
                assert!(!line.contains(word), "{}:{number}: {line}", source.path);
            }
        }
    }
}
