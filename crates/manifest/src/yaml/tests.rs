//! What a text means, as kubectl reads it; and that any text has an end.

mod foreign;

use super::*;
use serde_json::json;

fn one(text: &str) -> Json {
    parse(text).unwrap()[0].to_json()
}

#[test]
fn scalars_mean_what_they_mean_to_kubectl() {
    // What 'kubectl label --local -o json' of version 1.37 makes of them.
    let text = "{a: yes, a2: y, a3: Y, a4: n, a5: on, c: 012, d: 0x1F, e: 1_000, f: 1.5, g: 2026-01-01, i: , j: 1.2.3, k: !!str 5, l: -3, m: 111122223333, q: 0o17, r: 0b11, s: 1e3, t: .5, u: 12:30:45, v: 089, w: +5, x: 1_0.5, z: 012345678901, aa: 1., ab: Off, ad: \"1\"}";
    assert_eq!(
        one(text),
        json!({
            "a": true, "a2": true, "a3": true, "a4": false, "a5": true, "aa": 1, "ab": false,
            "ad": "1", "c": 10, "d": 31, "e": 1000, "f": 1.5, "g": "2026-01-01", "i": null,
            "j": "1.2.3", "k": "5", "l": -3, "m": 111_122_223_333_i64, "q": 15, "r": 3,
            "s": 1000, "t": 0.5, "u": "12:30:45", "v": 89, "w": 5, "x": 10.5,
            "z": 12_345_678_901_i64,
        })
    );
    assert_eq!(
        one("{m: '{}', o: {}, p: e3, q: 'yes', r: ~}"),
        json!({"m": "{}", "o": {}, "p": "e3", "q": "yes", "r": null})
    );
}

#[test]
fn documents_anchors_and_merges() {
    let text = "---\n---\na: &a {x: 1, z: 2}\nb: {<<: *a, z: 3}\n---\n[1, two]\n";
    let documents: Vec<_> = parse(text).unwrap().iter().map(Node::to_json).collect();
    let first = json!({"a": {"x": 1, "z": 2}, "b": {"z": 3, "x": 1}});
    assert_eq!(documents, [first, json!([1, "two"])]);
    assert_eq!(one("{\"a\": [1, \"b\\u0041\"]}"), json!({"a": [1, "bA"]}));
    assert_eq!(
        one("{\n\t\"a\": {\n\t\t\"b\": true\n\t}\n}\n"),
        json!({"a": {"b": true}})
    );
}

#[test]
fn places_are_found_by_path() {
    let node = &parse("a:\n  b.c: 1\n  list:\n  - x\n  - z: 2\n").unwrap()[0];
    let line = |path: &str| node.place_of(path).line;
    assert_eq!((line("a"), line("a.b.c"), line("a.list[1].z")), (1, 2, 5));
    assert_eq!(line("a.list[7]"), 3);
    assert_eq!(line("a.missing.below"), 1);
}

#[test]
fn what_is_broken_is_told_with_its_place() {
    let told = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(
        told("a: 1\nb: 2\na: 3\n"),
        "3:1: the key a is there already, in line 1: keep one of them"
    );
    assert!(
        told("a: [1\nb: 2\n").starts_with("2:"),
        "{}",
        told("a: [1\nb: 2\n")
    );
    assert!(parse(&format!("a: &a [1]\n{}", "b: {x: *a}\n")).is_ok());
    let laughs = "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    assert!(told(laughs).contains("too large"));
    // Many nodes that were written out are no matter: `kubectl get smr -A -o yaml`.
    assert!(parse(&"- {a: b}\n".repeat(70_000)).is_ok());
}

#[test]
fn depth_has_an_end() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    let block = (0..1000).fold(String::new(), |text, depth| {
        text + &" ".repeat(depth) + "a:\n"
    });
    let by_alias = (1..1000).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [*a{}]\n", n - 1)
    });
    for text in [nested(100_000), "[".repeat(100_000), block, by_alias] {
        let told = parse(&text).unwrap_err().to_string();
        assert!(told.contains("more than 200 deep"), "{told}");
    }
}

/// Each as 'kubectl label --local -o json' of version 1.37 has it; nothing where it refuses the file.
#[test]
fn tags_and_odd_numbers_mean_what_they_mean_to_kubectl() {
    let table = [
        (".inf", None),
        ("-.Inf", None),
        (".NaN", None),
        ("!!float .inf", None),
        ("!!null x", None),
        ("!!int abc", None),
        ("!!int 1.5", None),
        ("!!int 3.0", None),
        ("!!bool 3", None),
        ("!!null ''", Some(json!(null))),
        ("0X1F", Some(json!(31))),
        ("-0x1F", Some(json!(-31))),
        ("0B11", Some(json!(3))),
        ("0O17", Some(json!(15))),
        ("0x", Some(json!("0x"))),
        ("0xFFFFFFFFFFFFFFFF", Some(json!(u64::MAX))),
        ("0x1FFFFFFFFFFFFFFFF", Some(json!("0x1FFFFFFFFFFFFFFFF"))),
        ("18446744073709551615", Some(json!(u64::MAX))),
        ("-9223372036854775808", Some(json!(i64::MIN))),
        ("99999999999999999999", Some(json!(1e20))),
        ("1e400", Some(json!("1e400"))),
        ("1__0", Some(json!(10))),
        ("._1", Some(json!("._1"))),
        ("!!int \"3600\"", Some(json!(3600))),
        ("!!int 0x1F", Some(json!(31))),
        ("!!bool \"yes\"", Some(json!(true))),
        ("!!float 3", Some(json!(3))),
        ("!!float \"1.5\"", Some(json!(1.5))),
        ("! 5", Some(json!("5"))),
        ("!foo 5", Some(json!("5"))),
        ("!!timestamp 2001-01-01", Some(json!("2001-01-01"))),
        ("-_1", Some(json!(-1))),
        ("0x+1", Some(json!("0x+1"))),
        ("'<<'", Some(json!("<<"))),
    ];
    for (text, expected) in table {
        let read = parse(&format!("x: {text}\n")).ok();
        let read = read.map(|documents| documents[0].to_json()["x"].clone());
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn keys_and_merges_are_those_of_kubectl() {
    let table = [
        ("{~: 1}", None),
        ("{null: 1}", None),
        ("{18446744073709551615: 1}", None),
        ("{<<: 5}", None),
        ("{<<: ~}", None),
        ("{<<: [1]}", None),
        ("{<<: [[{a: 1}]]}", None),
        ("{.inf: 1}", Some(json!({".inf": 1}))),
        ("{0x1F: 1}", Some(json!({"31": 1}))),
        ("{!!int \"5\": 1}", Some(json!({"5": 1}))),
        ("{\"<<\": {a: 1}}", Some(json!({"<<": {"a": 1}}))),
        ("{!!str <<: {a: 1}}", Some(json!({"<<": {"a": 1}}))),
        (
            "{<<: [{a: 1}, {a: 2, b: 3}]}",
            Some(json!({"a": 1, "b": 3})),
        ),
        ("{x: 1, <<: {x: 2}}", Some(json!({"x": 2}))),
        ("{<<: {x: 2}, x: 1}", Some(json!({"x": 1}))),
        ("{<<: {x: 2}, <<: {x: 3}}", Some(json!({"x": 3}))),
        ("{!!merge x: {a: 1}}", Some(json!({"x": {"a": 1}}))),
        ("{<<: {a: 1}, <<: {b: 2}}", Some(json!({"a": 1, "b": 2}))),
    ];
    for (text, expected) in table {
        let read = parse(text).ok();
        let read = read.map(|documents| documents[0].to_json());
        assert_eq!(read, expected, "{text}");
    }
}
