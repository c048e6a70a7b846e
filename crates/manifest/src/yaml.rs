//! YAML and JSON with places: text in, documents as trees whose nodes know their line out. No IO.
//! Plain scalars mean what they mean to kubectl: `yes` and `on` are booleans, `0777` is octal.

use std::collections::HashMap;
use std::fmt;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle};
use serde_json::Value as Json;
use thiserror::Error;

use super::hints;
use super::shown::shown;

/// Aliases may not make more of a document than this.
const ALIASED_MAX: usize = 200_000;
/// Lists and maps may not lie deeper in one another: what walks the tree is recursive.
const DEPTH_MAX: usize = 200;

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Place {
    /// Where a text begins.
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// The place after `text`, which begins here.
    pub(crate) fn after(self, text: &str) -> Self {
        let lines = text.matches('\n').count();
        let last = text.rsplit('\n').next().unwrap_or_default();
        let before = if lines == 0 { self.column } else { 1 };
        Self {
            line: self.line + lines,
            column: before + last.chars().count(),
        }
    }

    /// A place in a text that begins here; its column counts from 0.
    const fn and(self, line: usize, column: usize) -> Self {
        let is_first = line <= 1;
        Self {
            line: self.line + line.saturating_sub(1),
            column: if is_first { self.column } else { 1 } + column,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Text that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {}", shown(problem))]
pub struct Broken {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub problem: String,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it begins.
    pub place: Place,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A null, a boolean, a number or a text.
    Scalar(Json),
    /// In order.
    List(Vec<Node>),
    /// In order; no key twice.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|e| e.key == key)
            .map(|e| &e.node)
    }

    /// The entries of a map; none where it is none.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::List(_) => &[],
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(Json::String(text)) => Some(text),
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether it is a null.
    pub fn is_null(&self) -> bool {
        self.value == Value::Scalar(Json::Null)
    }

    /// Without places.
    #[cfg(test)]
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Scalar(scalar) => scalar.clone(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.node.to_json()))
                    .collect(),
            ),
        }
    }

    /// The place of what `path` names (`spec.role.name`, `spec.list[0]`): of the key where there
    /// is one, or of the nearest parent that exists.
    pub fn place_of(&self, path: &str) -> Place {
        self.find(path).0
    }

    /// A text in what `path` names for which `is` holds.
    pub fn text_where(&self, path: &str, is: impl Fn(&str) -> bool + Copy) -> Option<&str> {
        self.find(path).1?.any_text(is)
    }

    fn any_text(&self, is: impl Fn(&str) -> bool + Copy) -> Option<&str> {
        match &self.value {
            Value::Scalar(_) => self.text().filter(|text| is(text)),
            Value::List(items) => items.iter().find_map(|item| item.any_text(is)),
            Value::Map(entries) => entries.iter().find_map(|e| {
                let key = Some(e.key.as_str()).filter(|key| is(key));
                key.or_else(|| e.node.any_text(is))
            }),
        }
    }

    /// Place and node of what `path` names; no node where there is none.
    fn find(&self, path: &str) -> (Place, Option<&Self>) {
        let (mut here, mut place) = (self, self.place);
        let mut rest = path;
        while !rest.is_empty() {
            rest = rest.trim_start_matches('.');
            if let Some((index, after)) = index_step(rest) {
                let Value::List(items) = &here.value else {
                    return (place, None);
                };
                let Some(item) = items.get(index) else {
                    return (place, None);
                };
                (here, place, rest) = (item, item.place, after);
                continue;
            }
            // Keys of maps may have dots: the longest key that fits is meant.
            let fits = |entry: &&Entry| {
                rest.strip_prefix(entry.key.as_str())
                    .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
            };
            let found = here
                .entries()
                .iter()
                .filter(fits)
                .max_by_key(|e| e.key.len());
            let Some(entry) = found else {
                return (place, None);
            };
            (here, place, rest) = (&entry.node, entry.place, &rest[entry.key.len()..]);
        }
        (place, Some(here))
    }
}

fn index_step(path: &str) -> Option<(usize, &str)> {
    let (index, after) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, after))
}

/// Takes a text apart into its documents; empty ones are left out. Places count from `start`.
pub(crate) fn parse_at(text: &str, start: Place) -> Result<Vec<Node>, Broken> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            let place = start.and(error.marker().line(), error.marker().col());
            match error.kind() {
                ErrorKind::RecursionLimitExceeded => too_deep(place),
                _ => broken(place, error.info()),
            }
        })?;
        let place = start.and(span.start.line(), span.start.col());
        builder.take(event, place)?;
    }
    Ok(builder.documents)
}

/// The same for a text on its own.
///
/// # Errors
/// The text is not YAML.
pub fn parse(text: &str) -> Result<Vec<Node>, Broken> {
    parse_at(text, Place::START)
}

/// A collection that is not closed yet.
enum Open {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// A key whose value comes next.
    key: Option<Key>,
    /// Where in `entries` each key is.
    known: HashMap<String, usize>,
    /// The line of each key that the map has itself.
    own: HashMap<String, usize>,
}

enum Key {
    Name(String, Place),
    /// `<<` without quotes.
    Merge,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<(Open, Place, usize)>,
    anchors: HashMap<usize, Node>,
    /// How many nodes aliases have made.
    aliased: usize,
}

impl Builder {
    fn take(&mut self, event: Event, place: Place) -> Result<(), Broken> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let is_key =
                    matches!(self.open.last(), Some((Open::Map(map), ..)) if map.key.is_none());
                if is_key && style == ScalarStyle::Plain && hints::is_json_comment(&text) {
                    return Err(broken(place, hints::no_comments(place.line)));
                }
                let scalar = scalar::Scalar {
                    text: &text,
                    is_plain: style == ScalarStyle::Plain,
                    tag: tag.as_deref(),
                };
                if is_key && scalar.is_merge() {
                    if let Some((Open::Map(map), ..)) = self.open.last_mut() {
                        map.key = Some(Key::Merge);
                    }
                    return Ok(());
                }
                let value = (if is_key { scalar.key() } else { scalar.value() })
                    .map_err(|problem| broken(place, problem))?;
                let value = Value::Scalar(value);
                return self.finished(Node { value, place }, anchor);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(Open::List(Vec::new()), place, anchor)?;
            }
            Event::MappingStart(_, anchor, _) => {
                self.open(Open::Map(OpenMap::default()), place, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((open, place, anchor)) = self.open.pop() {
                    let value = match open {
                        Open::List(items) => Value::List(items),
                        Open::Map(map) => Value::Map(map.entries),
                    };
                    return self.finished(Node { value, place }, anchor);
                }
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(broken(place, "an alias inside of what it names"));
                };
                let (nodes, depth) = size(&node);
                self.aliased += nodes;
                if self.aliased > ALIASED_MAX {
                    return Err(broken(place, "aliases make the document too large"));
                }
                if self.open.len() + depth > DEPTH_MAX {
                    return Err(too_deep(place));
                }
                return self.finished(node, 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, open: Open, place: Place, anchor: usize) -> Result<(), Broken> {
        if self.open.len() >= DEPTH_MAX {
            return Err(too_deep(place));
        }
        self.open.push((open, place, anchor));
        Ok(())
    }

    fn finished(&mut self, node: Node, anchor: usize) -> Result<(), Broken> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None if node.is_null() => {}
            None => self.documents.push(node),
            Some((Open::List(items), ..)) => items.push(node),
            Some((Open::Map(map), ..)) => map.take(node)?,
        }
        Ok(())
    }
}

impl OpenMap {
    /// Takes a key or a value.
    fn take(&mut self, node: Node) -> Result<(), Broken> {
        match self.key.take() {
            None => self.key = Some(Key::Name(as_key(&node)?, node.place)),
            Some(Key::Merge) => self.merge(node)?,
            Some(Key::Name(key, place)) => {
                if let Some(line) = self.own.insert(key.clone(), place.line) {
                    return Err(broken(
                        place,
                        format!("the key {key} is there already, in line {line}: keep one of them"),
                    ));
                }
                self.set(Entry { key, place, node });
            }
        }
        Ok(())
    }

    /// `<<: *anchor`. As with kubectl, it wins over what is before it, and of a list the first map wins.
    fn merge(&mut self, node: Node) -> Result<(), Broken> {
        let maps = match node.value {
            Value::Map(_) => vec![node],
            Value::List(maps) if maps.iter().all(|m| matches!(m.value, Value::Map(_))) => maps,
            Value::Scalar(_) | Value::List(_) => {
                return Err(broken(
                    node.place,
                    "<< takes a map or a list of maps, most often an alias: '<<: *name'",
                ));
            }
        };
        for entry in maps.iter().rev().flat_map(Node::entries) {
            self.set(entry.clone());
        }
        Ok(())
    }

    fn set(&mut self, entry: Entry) {
        if let Some(index) = self.known.get(&entry.key) {
            self.entries[*index] = entry;
        } else {
            self.known.insert(entry.key.clone(), self.entries.len());
            self.entries.push(entry);
        }
    }
}

fn broken(place: Place, problem: impl Into<String>) -> Broken {
    Broken {
        place,
        problem: problem.into(),
    }
}

fn too_deep(place: Place) -> Broken {
    broken(
        place,
        format!(
            "lists and maps lie in one another here more than {DEPTH_MAX} deep, which no Kubernetes object needs"
        ),
    )
}

/// How many nodes there are, and how many lists and maps lie in one another.
fn size(node: &Node) -> (usize, usize) {
    let of = |inner: &mut dyn Iterator<Item = &Node>| {
        inner
            .map(size)
            .fold((1, 1), |(nodes, depth), (more, deep)| {
                (nodes + more, depth.max(1 + deep))
            })
    };
    match &node.value {
        Value::Scalar(_) => (1, 0),
        Value::List(items) => of(&mut items.iter()),
        Value::Map(entries) => of(&mut entries.iter().map(|e| &e.node)),
    }
}

/// Keys are texts, as in JSON.
fn as_key(node: &Node) -> Result<String, Broken> {
    match &node.value {
        Value::Scalar(Json::String(text)) => Ok(text.clone()),
        Value::Scalar(Json::Null) => Err(broken(
            node.place,
            "a key must be a text, and null is none: put it in quotes",
        )),
        Value::Scalar(other) => Ok(other.to_string()),
        Value::List(_) | Value::Map(_) => Err(broken(node.place, "a key must be a text")),
    }
}

mod scalar;
#[cfg(test)]
mod tests;
