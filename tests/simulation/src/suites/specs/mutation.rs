//! What attacks, mistakes and chance make of a spec: a spec and a random source enter, another spec and what was
//! done leave. No IO.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::shape::{Field, Shape, Who, remove, set, text};

/// The texts that all tests of forms share.
const SHARED: &[&str] = &include!("../../../../data/hostile.rs");

/// Texts that mean something to JSON, IAM, YAML, paths, templates, terminals or people's eyes.
const OWN: [&str; 48] = [
    "\"}],\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}],\"x\":[{\"y\":\"",
    "\"],\"Action\":\"iam:*\",\"Resource\":[\"*",
    "\\\"}],\\\"Statement\\\":[",
    "/*",
    "*/../",
    "**",
    "a*b",
    "${aws:PrincipalTag/team}",
    "${*}",
    "${?}",
    "${$}",
    "$",
    "{namespace}",
    "{{ .Release.Name }}",
    "../../../etc/passwd",
    "/../",
    "%2e%2e%2f",
    "%00",
    "%s%n",
    "\0",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{9b}31m",
    "\u{1b}[2J",
    "\u{200d}",
    "\u{202e}gro.live",
    "\u{2066}",
    "\u{2028}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{e000}",
    "\u{10ffff}",
    "\u{430}dmin",
    "\u{ff0a}",
    "\u{2217}",
    "\u{212a}ey",
    "\u{131}\u{130}",
    "e\u{301}",
    "👩‍👩‍👧‍👦",
    "arn:aws-cn:iam::111122223333:policy/cap",
    "arn:aws:iam::999900001111:policy/x",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:aws:kms:eu-central-1:111122223333:key/*",
    "!!binary aGk=",
    "- a: &b [*b]",
    "<script>",
    "' OR 1=1 --",
];

/// How a change was made, to be read where a case fails.
pub type Change = String;

/// Changes a spec a few times; now and then not at all.
pub fn mutate(shape: &Shape, rng: &mut Rng, who: &Who, spec: &mut Value) -> Vec<Change> {
    let times = match rng.u8(..12) {
        0..=2 => 0,
        3..=8 => 1,
        9 | 10 => 2,
        _ => rng.usize(3..=6),
    };
    (0..times).map(|_| once(shape, rng, who, spec)).collect()
}

/// What the schema lets through, and only the controller can refuse, or IAM, or another object that was first.
fn in_form(rng: &mut Rng, who: &Who, spec: &mut Value) -> Change {
    let other = if who.partition == "aws" {
        "aws-cn"
    } else {
        "aws"
    };
    let policy =
        |account: &str, name: &str| format!("arn:{}:iam::{account}:policy/{name}", who.partition);
    let key = "arn:aws:kms:us-gov-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let many = (0..45).map(|n| (format!("many-{n}"), json!("v")));
    let all = [
        ("/path", json!("/team/")),
        ("/role/name", json!("shared")),
        ("/role/name", json!("Shared")),
        ("/role/name", json!("admin")),
        ("/policy/name", json!("shared")),
        ("/policy/name", json!("theirs")),
        ("/instanceProfile/name", json!("shared")),
        ("/role/tags", json!({"Cost-Center": "7"})),
        ("/role/tags", json!({"a": "1", "A": "1"})),
        ("/tags", json!({"cost-center": "8"})),
        ("/tags", Value::Object(many.collect())),
        (
            "/additionalPolicyArns",
            json!([policy("111122223333", "cap")]),
        ),
        (
            "/additionalPolicyArns",
            json!([policy("aws", "nobody-has-this")]),
        ),
        (
            "/role/permissionsBoundaryArn",
            json!(policy("999900001111", "cap")),
        ),
        (
            "/role/permissionsBoundaryArn",
            json!(policy("111122223333", "nobody-has-this")),
        ),
        (
            "/role/permissionsBoundaryArn",
            json!(format!("arn:{other}:iam::111122223333:policy/cap")),
        ),
        ("/sessionEncryption/kmsKeyArn", json!(key)),
    ];
    let (pointer, value) = &all[rng.usize(..all.len())];
    set(spec, pointer, value.clone());
    format!("{pointer}: in form")
}

fn once(shape: &Shape, rng: &mut Rng, who: &Who, spec: &mut Value) -> Change {
    if rng.u8(..4) == 0 {
        return in_form(rng, who, spec);
    }
    let texts: Vec<&Field> = shape
        .fields
        .iter()
        .filter(|field| field.is_text())
        .collect();
    let field = if rng.u8(..2) == 0 {
        texts[rng.usize(..texts.len())]
    } else {
        &shape.fields[rng.usize(..shape.fields.len())]
    };
    let here = spec.pointer(&field.pointer).cloned();
    let (how, new) = match rng.u8(..16) {
        0 => ("another type", Some(any_value(rng))),
        1 => ("null", Some(Value::Null)),
        2 => ("empty", Some(empty(field))),
        3 => ("left out", None),
        4 => ("another field's text", Some(of_another(shape, rng, who))),
        5 => ("an unknown field", Some(with_unknown(rng, here))),
        6..=8 => ("at its bounds", Some(bounds(field, rng, who, here))),
        _ => ("hostile", Some(hostile_of(field, rng, who, here))),
    };
    match new {
        None => remove(spec, &field.pointer),
        Some(new) => drop(set(spec, &field.pointer, new)),
    }
    format!("{}: {how}", field.path())
}

fn any_value(rng: &mut Rng) -> Value {
    let all = [
        json!(0),
        json!(-1),
        json!(3600.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(true),
        json!("true"),
        json!("3600"),
        json!([]),
        json!([null]),
        json!([["a"]]),
        json!({}),
        json!({"": {}}),
        json!({"name": {"name": "x"}}),
    ];
    all[rng.usize(..all.len())].clone()
}

fn empty(field: &Field) -> Value {
    match field.schema["type"].as_str() {
        Some("object") => json!({}),
        Some("array") => json!([]),
        Some("string") => json!(""),
        Some(_) | None => Value::Null,
    }
}

fn of_another(shape: &Shape, rng: &mut Rng, who: &Who) -> Value {
    let texts: Vec<&Field> = shape
        .fields
        .iter()
        .filter(|field| field.is_text())
        .collect();
    text(&texts[rng.usize(..texts.len())].pointer, rng, who)
}

/// A map gets a field that it does not have; anything else stays as it is.
fn with_unknown(rng: &mut Rng, here: Option<Value>) -> Value {
    let mut here = here.unwrap_or_else(|| json!({}));
    let key = [
        "unknown",
        "Name",
        "kmskeyarn",
        "status",
        "$ref",
        "__proto__",
        "",
    ][rng.usize(..7)];
    if let Value::Object(map) = &mut here {
        map.insert(key.to_owned(), any_value(rng));
    }
    here
}

/// Just inside of the schema's bounds, and just outside.
fn bounds(field: &Field, rng: &mut Rng, who: &Who, here: Option<Value>) -> Value {
    let number = |key: &str| field.schema[key].as_i64();
    let off = rng.usize(..3);
    let size = |key: &str| {
        let max = field.schema[key].as_u64().unwrap_or(64);
        usize::try_from(max).unwrap_or(64) + off - 1
    };
    match field.schema["type"].as_str().unwrap_or_default() {
        "integer" => {
            let (min, max) = (
                number("minimum").unwrap_or(0),
                number("maximum").unwrap_or(0),
            );
            let all = [
                min - 1,
                min,
                min + 1,
                max - 1,
                max,
                max + 1,
                i64::from(i32::MAX) + 1,
            ];
            json!(all[rng.usize(..all.len())])
        }
        "string" => match field.schema["enum"].as_array() {
            Some(words) => {
                let word = words[rng.usize(..words.len())].as_str().unwrap_or_default();
                json!(case(word, rng))
            }
            None => json!(of_length(field, size("maxLength"), rng)),
        },
        "array" => {
            let all: Vec<Value> = (0..size("maxItems"))
                .map(|n| numbered(field, n, who))
                .collect();
            match rng.u8(..3) {
                0 => json!(all),
                1 => json!([all[0], all[0]]),
                _ => json!(
                    [
                        &all[..1],
                        &[json!(case(all[0].as_str().unwrap_or("x"), rng))]
                    ]
                    .concat()
                ),
            }
        }
        "object" if field.is_map() => {
            let room = if rng.bool() {
                size("maxProperties")
            } else {
                38 + off
            };
            let tags = (0..room).map(|n| (format!("key-{n}"), json!("v")));
            Value::Object(tags.collect())
        }
        _ => here.unwrap_or(Value::Null),
    }
}

/// A text of so many characters that may be good.
fn of_length(field: &Field, length: usize, rng: &mut Rng) -> String {
    let fill = if rng.u8(..4) == 0 { "é" } else { "a" };
    let inside = length.saturating_sub(2);
    match field.pointer.as_str() {
        "/path" => format!("/{}/", fill.repeat(inside)),
        "/sessionLogs/s3/bucketOwnerAccountId" => "1".repeat(11 + rng.usize(..3)),
        _ => fill.repeat(length),
    }
}

/// One of many different items that may be good.
fn numbered(field: &Field, n: usize, who: &Who) -> Value {
    match field.pointer.as_str() {
        "/hybrid/regions" => {
            let far = ["us", "eu", "ap", "sa", "af", "me", "ca", "il"][n / 10 % 8];
            json!(format!("{far}-north-{}", n % 10 + 1))
        }
        _ => json!(format!("arn:{}:iam::aws:policy/P{n}", who.partition)),
    }
}

fn hostile_of(field: &Field, rng: &mut Rng, who: &Who, here: Option<Value>) -> Value {
    if field.is_text() {
        let good = text(&field.pointer, rng, who);
        return json!(hostile(
            rng,
            good.as_str().unwrap_or_default(),
            bound(&field.schema)
        ));
    }
    if field.is("array") {
        let good = text(&field.pointer, rng, who);
        let bad = hostile(
            rng,
            good.as_str().unwrap_or_default(),
            bound(&field.schema["items"]),
        );
        return if rng.bool() {
            json!([good, bad])
        } else {
            json!([bad, good, bad])
        };
    }
    if field.is_map() {
        return hostile_tags(rng);
    }
    if field.is("string") {
        return json!(hostile(rng, "", 64));
    }
    here.unwrap_or_else(|| any_value(rng))
}

fn bound(schema: &Value) -> usize {
    usize::try_from(schema["maxLength"].as_u64().unwrap_or(64)).unwrap_or(64)
}

fn hostile_tags(rng: &mut Rng) -> Value {
    let mut tags = Map::new();
    match rng.u8(..6) {
        0 => drop(tags.insert(hostile(rng, "key", 128), json!("v"))),
        1 => drop(tags.insert("key".to_owned(), json!(hostile(rng, "v", 256)))),
        2 => {
            for key in ["Key", "key", "KEY"] {
                tags.insert(key.to_owned(), json!(key));
            }
        }
        3 => {
            let ours = [
                "sessionmanager.dev/owner",
                "SessionManager.dev/uid",
                "aws:cloudformation:stack-name",
                "AWS:x",
                "cost-center",
                "Cost-Center",
                "sessionmanager.dev",
            ];
            tags.insert(ours[rng.usize(..ours.len())].to_owned(), json!("7"));
        }
        4 => drop(tags.insert("n".to_owned(), any_value(rng))),
        _ => {
            tags.insert(hostile(rng, "", 128), json!(hostile(rng, "", 256)));
            tags.insert("good".to_owned(), json!("v"));
        }
    }
    Value::Object(tags)
}

fn piece(rng: &mut Rng) -> &'static str {
    let at = rng.usize(..SHARED.len() + OWN.len());
    SHARED
        .get(at)
        .copied()
        .unwrap_or_else(|| OWN[at - SHARED.len()])
}

/// A hostile text, alone or in a good one.
fn hostile(rng: &mut Rng, good: &str, max: usize) -> String {
    let piece = piece(rng);
    let long = |length: usize| piece.chars().cycle().take(length).collect();
    match rng.u8(..12) {
        0 | 1 => piece.to_owned(),
        2 | 3 => format!("{good}{piece}"),
        4 => format!("{piece}{good}"),
        5 | 6 => {
            let places: Vec<usize> = good.char_indices().map(|(at, _)| at).collect();
            let at = if places.is_empty() {
                0
            } else {
                places[rng.usize(..places.len())]
            };
            format!("{}{piece}{}", &good[..at], &good[at..])
        }
        7 => (0..rng.usize(2..=4)).map(|_| self::piece(rng)).collect(),
        8 => case(good, rng),
        9 => [format!(" {good}"), format!("{good} "), format!("{good}\n")][rng.usize(..3)].clone(),
        10 => long(max + rng.usize(..2)),
        _ => long(10_240),
    }
}

/// The same in other letters.
fn case(text: &str, rng: &mut Rng) -> String {
    match rng.u8(..3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => {
            let odd = |(n, c): (usize, char)| {
                if n % 2 == 0 {
                    c.to_ascii_uppercase()
                } else {
                    c
                }
            };
            text.chars().enumerate().map(odd).collect()
        }
    }
}
