//! Manifests as anybody may have written them: generated values in every style that means the same, then
//! broken. A text means what it was written from, its places point into it, and an error names one.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;

use super::*;
use crate::{documents, to_yaml};

const HOSTILE: [&str; 44] = include!("../../../../../tests/data/hostile.rs");

/// Texts that YAML takes for something else where they stand without quotes.
const ODD: [&str; 20] = [
    "", "~", "null", "yes", "No", "on", "012", "0x1F", "1_000", "1e3", ".inf", "<<", "- a", "a: b",
    "a #b", "&a", "*a", "!!int 5", "---", "...",
];

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(20_261_128),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        select(&ODD[..]).prop_map(str::to_owned),
        select(&HOSTILE[..]).prop_map(str::to_owned),
        "[a-z][a-z0-9.-]{0,8}",
        "\\PC{0,6}",
        "[ -~\n\t\u{85}\u{2028}\u{feff}]{0,8}",
    ]
}

fn values() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<u64>().prop_map(Json::from),
        // Exact in both notations: the last digit of others is the library's.
        1 => any::<i32>().prop_map(|n| Json::from(f64::from(n) / 8.0)),
        4 => texts().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(texts(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// A document: a map that is not empty.
fn maps() -> impl Strategy<Value = Json> {
    prop::collection::btree_map(texts(), values(), 1..4)
        .prop_map(|map| Json::Object(map.into_iter().collect()))
}

/// The value with whole numbers as whole ones, as every reader of JSON takes them for the same.
fn normal(value: &Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() && float.fract() == 0.0 => {
                let whole = format!("{float:.0}").parse::<i64>();
                whole.map_or_else(|_| value.clone(), Json::from)
            }
            _ => value.clone(),
        },
        Json::Array(items) => items.iter().map(normal).collect(),
        Json::Object(map) => map.iter().map(|(k, v)| (k.clone(), normal(v))).collect(),
        _ => value.clone(),
    }
}

/// Writes a value, in styles that the numbers of `style` choose.
struct Pen<'a> {
    style: &'a [u8],
    at: usize,
    line_end: &'static str,
    anchors: usize,
}

impl Pen<'_> {
    fn choose(&mut self, n: u8) -> u8 {
        self.at += 1;
        self.style[self.at % self.style.len()] % n
    }

    fn space(&mut self) -> &'static str {
        ["", "", " ", "\t", "\n", "\r\n"][usize::from(self.choose(6))]
    }

    fn json(&mut self, value: &Json) -> String {
        let (open, items, close) = match value {
            Json::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(item)).collect();
                ("[", items, "]")
            }
            Json::Object(map) => {
                let entry = |(key, value): (&String, &Json)| {
                    let key = serde_json::to_string(key).unwrap();
                    let before = if self.choose(8) == 0 { " " } else { "" };
                    format!("{key}{before}:{}{}", self.space(), self.json(value))
                };
                ("{", map.iter().map(entry).collect(), "}")
            }
            scalar => return scalar.to_string(),
        };
        let mut text = open.to_owned();
        for (at, item) in items.iter().enumerate() {
            text += if at == 0 { "" } else { "," };
            text += self.space();
            text += item;
        }
        text + self.space() + close
    }

    /// A text as a scalar on one line.
    fn scalar(&mut self, text: &str) -> String {
        let is_printable = text.chars().all(|c| (' '..='~').contains(&c));
        let is_plain = text.len() > 3
            && text.bytes().all(|b| b.is_ascii_lowercase())
            && text != "null"
            && text != "true"
            && text != "false";
        match self.choose(3) {
            0 if is_plain => text.to_owned(),
            1 if is_printable => format!("'{}'", text.replace('\'', "''")),
            _ => {
                let each = text.chars().map(|c| match c {
                    '"' | '\\' => format!("\\{c}"),
                    ' '..='~' => c.to_string(),
                    c => format!("\\U{:08x}", u32::from(c)),
                });
                format!("\"{}\"", each.collect::<String>())
            }
        }
    }

    /// A block of YAML, behind a key or a hyphen; ends with the end of a line.
    fn block(&mut self, value: &Json, indent: usize) -> String {
        let end = self.line_end;
        let pad = " ".repeat(indent);
        let anchor = if self.choose(4) == 0 {
            self.anchors += 1;
            format!(" &n{}", self.anchors)
        } else {
            String::new()
        };
        match value {
            Json::Object(map) if !map.is_empty() && self.choose(4) > 0 => {
                let mut text = format!("{anchor}{end}");
                for (key, value) in map {
                    let key = self.scalar(key);
                    let comment = if self.choose(6) == 0 {
                        format!("{pad}# note{end}")
                    } else {
                        String::new()
                    };
                    let value = self.block(value, indent + 2);
                    let _ = write!(text, "{comment}{pad}{key}:{value}");
                }
                text
            }
            Json::Array(items) if !items.is_empty() && self.choose(4) > 0 => {
                let mut text = format!("{anchor}{end}");
                for item in items {
                    let item = self.block(item, indent + 2);
                    let _ = write!(text, "{pad}-{item}");
                }
                text
            }
            Json::String(text) => format!("{anchor} {}{end}", self.scalar(text)),
            Json::Null if anchor.is_empty() => format!(" null # nothing{end}"),
            other => {
                let flow = escaped(&other.to_string());
                format!("{anchor} {flow}{end}")
            }
        }
    }
}

/// JSON in ASCII: what is not stands in texts only.
fn escaped(json: &str) -> String {
    let mut text = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

fn styles() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 8..64)
}

/// Whether a place is one of the text: editors go there.
fn is_in(text: &str, place: Place) -> bool {
    // YAML ends a line at a carriage return, too.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    let Some(line) = place.line.checked_sub(1).and_then(|at| lines.get(at)) else {
        // Behind the last line is where something is missing.
        return place.line == lines.len() + 1 && place.column == 1;
    };
    place.column >= 1 && place.column <= line.chars().count() + 1
}

/// Every place in the tree, and that a key stands where it is said to.
fn places_are_right(text: &str, node: &Node) -> bool {
    let begins = |place: Place, key: &str| {
        let line = text.split('\n').nth(place.line - 1).unwrap_or_default();
        let rest: String = line.chars().skip(place.column - 1).collect();
        rest.starts_with(['"', '\'']) || rest.starts_with(key)
    };
    is_in(text, node.place)
        && match &node.value {
            Value::Scalar(_) => true,
            Value::List(items) => items.iter().all(|item| places_are_right(text, item)),
            Value::Map(entries) => entries.iter().all(|e| {
                is_in(text, e.place) && begins(e.place, &e.key) && places_are_right(text, &e.node)
            }),
        }
}

/// The text with something done to it that people and programs do.
fn broken(text: &str, at: Index, with: &str, how: u8) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    if places.is_empty() {
        return with.to_owned();
    }
    let at = places[at.index(places.len())];
    let next = at + text[at..].chars().next().map_or(0, char::len_utf8);
    match how {
        0 => text[..at].to_owned(),
        1 => format!("{}{with}{}", &text[..at], &text[at..]),
        2 => format!("{}{}", &text[..at], &text[next..]),
        _ => format!("{}{with}{}", &text[..at], &text[next..]),
    }
}

proptest! {
    #![proptest_config(config(400))]

    /// JSON means what JSON means. (Characters that YAML does not print, such as U+007F, are refused.)
    #[test]
    fn json_is_read_as_json(value in maps(), style in styles()) {
        let mut pen = Pen { style: &style, at: 0, line_end: "\n", anchors: 0 };
        let text = pen.json(&value);
        prop_assert!(serde_json::from_str::<Json>(&text).is_ok());
        let read = documents(&text);
        prop_assert!(read.is_ok(), "{:?}\n{}", read, text);
        let read = read.unwrap();
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(normal(&read[0].to_json()), normal(&value), "{}", text);
        prop_assert!(places_are_right(&text, &read[0]), "{:?}\n{}", read, text);
    }

    /// YAML means what it was written from, to this reader as to another one.
    #[test]
    fn yaml_is_what_it_was_written_from(
        value in maps(),
        style in styles(),
        line_end in select(&["\n", "\r\n"][..]),
    ) {
        let mut pen = Pen { style: &style, at: 0, line_end, anchors: 0 };
        let text = format!("---{line_end}{}", pen.block(&value, 0).trim_start());
        prop_assume!(!text.contains("--- &") && !text[3..].trim_start().starts_with(['&', '{']));
        let read = documents(&text);
        prop_assert!(read.is_ok(), "{:?}\n{}", read, text);
        let read = read.unwrap();
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(normal(&read[0].to_json()), normal(&value), "{}", text);
        prop_assert!(places_are_right(&text, &read[0]), "{:?}\n{}", read, text);
        let other: Result<Json, _> = serde_saphyr::from_str(&text);
        if let Ok(other) = other {
            prop_assert_eq!(normal(&other), normal(&value), "{}", text);
        }
    }

    /// What this program writes it reads, whatever is in it.
    #[test]
    fn what_is_written_is_read(value in maps()) {
        let text = to_yaml(&value).unwrap();
        // The reader takes a plain key that begins so for a comment of JSON.
        prop_assume!(!text.contains("//") && !text.contains("/*"));
        let read = documents(&text);
        prop_assert!(read.is_ok(), "{:?}\n{}", read, text);
        prop_assert_eq!(normal(&read.unwrap()[0].to_json()), normal(&value), "{}", text);
    }

    /// A text that is broken anywhere is read or refused; what refuses it names a place of it, on one line.
    #[test]
    fn what_is_wrong_has_a_place(
        value in maps(),
        style in styles(),
        (at, how, as_json) in any::<(Index, u8, bool)>(),
        with in prop_oneof![select(&ODD[..]), select(&HOSTILE[..]), select(&["\u{0}", "\r", "{{ .Values.a }}", "\t", "]", "}", "\"", "%YAML 1.1\n", "&x", "*x", "!<tag:x> "][..])],
    ) {
        let mut pen = Pen { style: &style, at: 0, line_end: "\n", anchors: 0 };
        let text = if as_json { pen.json(&value) } else { pen.block(&value, 0) };
        let text = broken(&text, at, with, how % 4);
        match documents(&text) {
            Ok(read) => prop_assert!(read.iter().all(|node| is_in(&text, node.place)), "{text}"),
            Err(error) => {
                prop_assert!(is_in(&text, error.place), "{error:?}\n{text:?}");
                let told = error.to_string();
                prop_assert!(told.starts_with(&format!("{}: ", error.place)) && !told.contains(char::is_control), "{told}");
            }
        }
    }

    /// Any text at all.
    #[test]
    fn any_text_has_an_end(text in prop_oneof![".{0,80}", "[\\[\\]{}:,&*!|>'\"%@`a \n\t-]{0,60}"]) {
        if let Err(error) = documents(&text) {
            prop_assert!(is_in(&text, error.place), "{error:?}\n{text:?}");
        }
    }
}

/// Each file is a manifest; beside what can be read stands what it means, and the others are refused.
#[test]
fn each_manifest_is_what_its_name_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/yaml/tests/corpus");
    let mut count = 0;
    for file in std::fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("meaning") {
            continue;
        }
        count += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let read = documents(&text);
        if name.starts_with("refused") {
            let error = read.expect_err(&name);
            assert!(is_in(&text, error.place), "{name}: {error:?}");
        } else {
            let meaning = std::fs::read(dir.join("meaning.json")).unwrap();
            let meaning: Json = serde_json::from_slice(&meaning).unwrap();
            let read = read.unwrap();
            assert_eq!(read.len(), 1, "{name}");
            assert_eq!(read[0].to_json(), meaning, "{name}");
        }
    }
    assert!(count >= 20, "{count}");
}

/// 100 KB of what opens and never ends.
#[test]
fn large_texts_have_an_end() {
    for piece in [
        "[", "{", "{a: ", "- ", "? ", "&a ", "*a ", "!", "'", "\"", "|\n", "a: &a\n ", "\t", "\0",
        "---\n", "%", "\r", "# ",
    ] {
        let text = piece.repeat(100_000 / piece.len());
        if let Err(error) = documents(&text) {
            assert!(is_in(&text, error.place), "{piece:?}: {error:?}");
        }
    }
}
