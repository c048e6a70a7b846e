//! The pages of the documentation: Markdown in, the blocks of commands in them out. Reads files.
//!
//! A block of `console`, `sh` or `bash` without a mark runs as it stands, with nothing but this
//! repository. A mark in its info string (```` ```console aws ````) says what it needs besides:
//! `aws` an AWS account, `cluster` a cluster with what README installs, `helm` a cluster where Helm installs our
//! charts and Pods run, `cloud` what no test can start here (a cloud's cluster, a Helm repository, an installed
//! Argo CD).

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Every mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Aws,
    Cluster,
    Helm,
    Cloud,
}

/// A block of commands.
pub struct Block {
    /// `page:line` of its first line.
    pub place: String,
    /// The heading that it stands below.
    pub heading: String,
    pub marks: BTreeSet<Mark>,
    pub commands: Vec<Command>,
    /// What its lines are indented by.
    pub indent: String,
    /// Where its lines lie in the page.
    pub range: Range<usize>,
}

/// What is typed, and what the page says that it prints.
pub struct Command {
    pub text: String,
    pub prints: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page that people read, by its path from the root.
pub fn pages() -> Vec<String> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md")];
    for folder in ["docs", "deploy"] {
        collect(&root().join(folder), &mut found);
    }
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    let mut pages: Vec<String> = found.iter().map(name).collect();
    pages.sort();
    pages
}

pub fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

/// A fenced block of a page.
pub struct Fenced {
    pub info: String,
    /// The number of its first line.
    pub line: usize,
    /// Its text, without what a list indents it by.
    pub body: String,
    /// What its lines are indented by.
    pub indent: String,
    /// Where its lines lie in the page.
    pub range: Range<usize>,
}

/// Every fenced block of a page, those in lists too.
pub fn fenced(text: &str) -> Vec<Fenced> {
    let mut found = Vec::new();
    let mut open: Option<Fenced> = None;
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        let fence = line.trim_start().strip_prefix("```");
        open = match (open.take(), fence) {
            (None, None) => None,
            (None, Some(info)) => Some(Fenced {
                info: info.trim().to_owned(),
                line: index + 2,
                body: String::new(),
                indent: line[..line.len() - line.trim_start().len()].to_owned(),
                range: end..end,
            }),
            (Some(mut block), None) => {
                block.body += line.strip_prefix(&block.indent).unwrap_or(line);
                Some(block)
            }
            (Some(mut block), Some(_)) => {
                block.range.end = offset;
                found.push(block);
                None
            }
        };
        offset = end;
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// The blocks of commands of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    blocks_of(page, &read(page))
}

/// The same of a text.
pub fn blocks_of(page: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    for block in fenced(text) {
        let Fenced {
            info,
            line,
            body,
            indent,
            range,
        } = block;
        let mut words = info.split_whitespace();
        let language = words.next().unwrap_or_default();
        let commands = match language {
            "console" => typed(&body),
            "sh" | "bash" => vec![Command {
                text: body,
                prints: String::new(),
            }],
            _ => continue,
        };
        let place = format!("{page}:{line}");
        let mut above = text[..range.start].lines().rev();
        let heading = above.find_map(|line| line.strip_prefix("#"));
        found.push(Block {
            heading: heading
                .unwrap_or_default()
                .trim_matches(['#', ' '])
                .to_owned(),
            marks: words.map(|word| mark(word, &place)).collect(),
            commands,
            indent,
            range,
            place,
        });
    }
    found
}

fn mark(word: &str, place: &str) -> Mark {
    match word {
        "aws" => Mark::Aws,
        "cluster" => Mark::Cluster,
        "helm" => Mark::Helm,
        "cloud" => Mark::Cloud,
        other => panic!("{place}: the mark {other} is none of aws, cluster, helm and cloud"),
    }
}

fn typed(body: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in body.split_inclusive('\n') {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(text), _) => commands.push(Command {
                text: text.trim_end().to_owned(),
                prints: String::new(),
            }),
            (None, Some(command)) if command.text.ends_with('\\') => {
                command.text.push('\n');
                command.text += line.trim_end();
            }
            (None, Some(command)) => command.prints += line,
            (None, None) => panic!("output before a command: {line}"),
        }
    }
    commands
}

impl Block {
    /// What its commands need.
    pub fn needs(&self) -> BTreeSet<Mark> {
        let whole: Vec<String> = (self.commands.iter())
            .map(|command| command.text.replace("\\\n", " "))
            .collect();
        let lines = whole.iter().flat_map(|text| text.lines());
        let parts = lines.flat_map(|line| line.split(['|', ';', '&']));
        let needs: BTreeSet<Mark> = parts.filter_map(need).collect();
        // Each has what those before it have.
        for mark in [Mark::Cloud, Mark::Helm] {
            if needs.contains(&mark) {
                return [mark].into();
            }
        }
        needs
    }
}

/// What a simple command needs.
fn need(command: &str) -> Option<Mark> {
    let mut words: Vec<&str> = command.split_whitespace().collect();
    words.retain(|word| word.starts_with('-') || !word.contains('='));
    if words.starts_with(&["kubectl", "smr"]) {
        words.remove(0);
    }
    let has = |flag: &str| words.contains(&flag);
    match words.as_slice() {
        ["aws", ..] => Some(Mark::Aws),
        ["helm", ..] if has("session-manager-role") || has("session-manager-role-crds") => {
            Some(Mark::Helm)
        }
        // Pods run nowhere else.
        ["kubectl", "rollout" | "logs", ..] => Some(Mark::Helm),
        ["argocd" | "helm" | "crane" | "cosign" | "gh" | "docker", ..] | ["smr", "run", ..] => {
            Some(Mark::Cloud)
        }
        ["kubectl", ..] => Some(Mark::Cluster),
        ["smr", "plan", ..] if !has("--offline") && !has("--from") => Some(Mark::Aws),
        ["smr", "render", ..] if !has("--account-id") => Some(Mark::Aws),
        _ => None,
    }
}
