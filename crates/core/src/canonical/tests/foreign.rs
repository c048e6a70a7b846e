//! Documents as someone else may have written them: generated, written in every form that means the same,
//! and then broken. What is asked of them is asked of this test's own reading, too.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

use super::model::{Doc, Part, Pen, Stmt, docs, neighbours, requests};
use super::*;
use crate::canonical::access::{Direction, access_changes};
use crate::canonical::excess;
use crate::testing::seeded;

fn any_doc() -> impl Strategy<Value = Doc> {
    any::<bool>().prop_flat_map(docs)
}

fn any_neighbours() -> impl Strategy<Value = (Doc, Doc)> {
    let unrelated = any::<bool>().prop_flat_map(|trust| (docs(trust), docs(trust)));
    prop_oneof![
        2 => any::<bool>().prop_flat_map(neighbours),
        1 => unrelated,
    ]
}

fn is_told_as_an_excess(found: &str, wanted: &str) -> bool {
    importance(found, wanted).contains(&"excess")
}

/// A text that means something else, made of one that means what it says.
#[derive(Clone, Copy, Debug)]
enum Harm {
    /// A key stands twice, the first time with what grants most, or denies least.
    Twice(&'static str, &'static str),
    /// A statement has what nobody knows.
    UnknownInStatement,
    /// The document has.
    UnknownInDocument,
    /// What it says is in a list.
    InAList,
    /// `Action` and `NotAction`, and so on.
    Both(&'static str),
    /// Conditions that are no object.
    NoConditions(&'static str),
    /// A mark before the text, as editors set it.
    Mark,
    /// Something behind the text.
    Behind(&'static str),
}

const HARMS: [Harm; 17] = [
    Harm::Twice("Version", r#""2008-10-17""#),
    Harm::Twice("Statement", "[]"),
    Harm::Twice("Effect", r#""Allow""#),
    Harm::Twice("Effect", r#""Deny""#),
    Harm::Twice("Action", r#""*""#),
    Harm::Twice("Resource", r#""*""#),
    Harm::Twice("Principal", r#""*""#),
    Harm::Twice("Condition", "{}"),
    Harm::UnknownInStatement,
    Harm::UnknownInDocument,
    Harm::InAList,
    Harm::Both("Action"),
    Harm::Both("Resource"),
    Harm::NoConditions("[]"),
    Harm::NoConditions(r#"{"StringLike":"k"}"#),
    Harm::Mark,
    Harm::Behind("{}"),
];

impl Harm {
    /// The text with it; nothing where there is no place for it.
    fn done_to(self, text: &str) -> Option<String> {
        let first = |name: &str, instead: &str| {
            let at = text.find(&format!("\"{name}\":"))?;
            Some(format!("{}{instead}{}", &text[..at], &text[at..]))
        };
        match self {
            Self::Twice(name, value) => first(name, &format!("\"{name}\":{value},")),
            Self::UnknownInStatement => first("Effect", r#""Widen":true,"#),
            Self::UnknownInDocument => first("Version", r#""Widen":true,"#),
            Self::InAList => Some(format!("[{text}]")),
            Self::Both(name) => first(name, &format!("\"Not{name}\":\"q:q\",")),
            Self::NoConditions(value) => (!text.contains("Condition"))
                .then(|| first("Effect", &format!("\"Condition\":{value},")))?,
            Self::Mark => Some(format!("\u{feff}{text}")),
            Self::Behind(more) => Some(format!("{text}{more}")),
        }
    }
}

/// The document with its members in one order and without spaces, for a harm to be done to.
fn plainly(doc: &Doc) -> String {
    let value: Value = serde_json::from_str(&doc.written(&mut Pen(7))).unwrap();
    value.to_string()
}

/// Values of every kind that stand where a text is usual.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(&["", "*", "\u{feff}", "\0", "😀", "${aws:username}", "Allow"][..])
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((".*", inner), 0..3)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

/// Puts a value in the place of the `at`-th one of the document.
fn replace(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        value.clone_from(with);
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, at, with)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, at, with)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(seeded(200))]

    /// However it is written, a document means what it says.
    #[test]
    fn spelling_is_no_difference(doc in any_doc(), one in any::<u64>(), other in any::<u64>()) {
        let (one, other) = (doc.written(&mut Pen(one)), doc.written(&mut Pen(other)));
        prop_assert!(same(&one, &one));
        prop_assert!(same(&one, &other) && same(&other, &one), "{one}\n{other}");
        prop_assert_eq!(differences("the policy", &one, &other), []);
        prop_assert_eq!(excess(Some(&one), &other), None);
        prop_assert_eq!(access_changes([one.as_str()], [other.as_str()]), []);
    }

    /// What one document lets through and another one does not is never the same, and is an excess
    /// in each: of the sentences, of the preview, and of what other policies of the role may.
    #[test]
    fn a_request_that_gets_through_is_an_excess(
        (found, wanted) in any_neighbours(),
        pen in any::<u64>(),
    ) {
        let texts = (found.written(&mut Pen(pen)), wanted.written(&mut Pen(!pen)));
        let (is, should) = (texts.0.as_str(), texts.1.as_str());
        let is_same = same(is, should);
        prop_assert_eq!(is_same, same(should, is));
        let told = importance(is, should);
        let changes = access_changes([should], [is]);
        let gains = changes.iter().any(|c| c.change == Direction::Gains);
        let beyond = excess(Some(is), should);
        let of_grants = |doc: &Doc| Doc(doc.0.iter().filter(|s| s.allows).cloned().collect());
        let grants = (of_grants(&found), of_grants(&wanted));
        for request in requests() {
            let (gets, may) = (found.allows(request), wanted.allows(request));
            if gets != may {
                prop_assert!(!is_same, "{request:?}\n{is}\n{should}");
                prop_assert!(!told.is_empty(), "{request:?}\n{is}\n{should}");
            }
            if gets && !may {
                prop_assert!(told.contains(&"excess"), "{request:?}\n{is}\n{should}");
                prop_assert!(gains, "{request:?}\n{is}\n{should}");
            }
            if grants.0.allows(request) && !grants.1.allows(request) {
                prop_assert!(beyond.is_some(), "{request:?}\n{is}\n{should}");
            }
        }
    }

    /// A grant that is added anywhere is named.
    #[test]
    fn an_added_grant_is_named(
        doc in docs(false),
        at in any::<prop::sample::Index>(),
        (pen, alone) in any::<(u64, bool)>(),
    ) {
        let wanted = doc.written(&mut Pen(pen));
        let covers = |s: &Stmt| s.allows && (s.action.not || s.action.values.contains(&"*"));
        prop_assume!(!doc.0.iter().any(covers));
        let mut found = doc.clone();
        let at = at.index(found.0.len());
        let part = |value| Part { not: false, values: vec![value] };
        if alone || !found.0[at].allows {
            let grant = Stmt {
                allows: true,
                principal: None,
                action: part("a0:grant"),
                resource: Some(part("*")),
                conditions: Vec::new(),
            };
            found.0.insert(at, grant);
        } else {
            found.0[at].action.values.push("a0:grant");
        }
        let found = found.written(&mut Pen(!pen));
        let told = differences("the policy", &found, &wanted);
        let names = |d: &DocumentDifference| {
            let sentence = d.sentence.to_ascii_lowercase();
            matches!(d.importance, Importance::Excess(_)) && sentence.contains("a0:grant")
        };
        prop_assert!(told.iter().any(names), "{told:?}\n{found}\n{wanted}");
    }

    /// A text that IAM may read otherwise than this program does is never taken for what is wanted, and
    /// may grant anything.
    #[test]
    fn what_can_be_read_in_two_ways_may_grant_anything(
        doc in any_doc(),
        harm in select(&HARMS[..]),
    ) {
        let wanted = plainly(&doc);
        let Some(found) = harm.done_to(&wanted) else {
            return Ok(());
        };
        prop_assert!(Canonical::parse(&found).is_err(), "{found}");
        prop_assert!(is_told_as_an_excess(&found, &wanted), "{found}");
        prop_assert_eq!(excess(Some(&found), &wanted), Some(Width::UNKNOWN));
        let told = &differences("the policy", &found, &wanted)[0].sentence;
        prop_assert!(told.starts_with("the policy was not a policy document: "), "{told}");
    }

    /// What breaks off is no document.
    #[test]
    fn a_part_of_a_document_is_none(doc in any_doc(), at in any::<prop::sample::Index>()) {
        let text = plainly(&doc);
        let cut = &text[..at.index(text.len())];
        prop_assert!(is_told_as_an_excess(cut, &text), "{cut}");
    }

    /// A value of another kind anywhere: either the document is refused, or it is compared with itself
    /// as equal, and with any other in both directions alike.
    #[test]
    fn any_value_anywhere_has_an_end(
        doc in any_doc(),
        at in any::<prop::sample::Index>(),
        odd in odd(),
    ) {
        let wanted = plainly(&doc);
        let mut value: Value = serde_json::from_str(&wanted).unwrap();
        replace(&mut value, &mut at.index(12), &odd);
        let found = value.to_string();
        let told = differences("the policy", &found, &wanted);
        let _ = access_changes([wanted.as_str()], [found.as_str()]);
        if let Ok(parsed) = Canonical::parse(&found) {
            let wanted = Canonical::parse(&wanted).unwrap();
            prop_assert!(parsed.means_the_same(&parsed));
            prop_assert_eq!(parsed.means_the_same(&wanted), wanted.means_the_same(&parsed));
            prop_assert_eq!(told.is_empty(), parsed.means_the_same(&wanted), "{}", found);
        } else {
            prop_assert_eq!(told[0].importance, Importance::Excess(Width::UNKNOWN));
        }
    }

    /// Any text at all.
    #[test]
    fn any_text_may_grant_anything(text in ".{0,200}") {
        let wanted = WANTED;
        prop_assert!(is_told_as_an_excess(&text, wanted));
    }
}

/// Nesting that would take the stack, and 100 KB of nothing.
#[test]
fn large_texts_have_an_end() {
    let mut lists = "[".repeat(50_000);
    lists += &"]".repeat(50_000);
    let mut statement =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"#.to_owned();
    let _ = write!(statement, "{lists}}}}}");
    for text in [lists, statement, "\0".repeat(100_000), "9".repeat(100_000)] {
        assert!(is_told_as_an_excess(&text, WANTED));
    }
}

/// The three lists of a statement multiply: 10 KB, which is what IAM takes, would need half a gigabyte.
#[test]
fn lists_that_multiply_may_grant_anything() {
    let document = |actions: u32, resources: u32| {
        let list = |of: &str, count| (0..count).map(|n| format!("{of}{n}")).collect::<Vec<_>>();
        serde_json::json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["a:b"], "Resource": "r" },
            { "Effect": "Allow", "Action": list("a:", actions), "Resource": list("r", resources) },
        ] })
        .to_string()
    };
    let (large, larger) = (document(99, 101), document(100, 100));
    assert!(Canonical::parse(&large).is_ok());
    assert!(Canonical::parse(&larger).is_err());
    assert_eq!(excess(Some(&larger), &larger), Some(Width::UNKNOWN));
    assert!(is_told_as_an_excess(&document(700, 300), WANTED));
}

/// No account is every account: only the root of one is the account itself.
#[test]
fn the_root_of_any_account_is_not_everyone() {
    let trust = |who: &str| {
        document(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{who}"}},"Action":"sts:AssumeRole"}}"#
        ))
    };
    for (root, other) in [
        ("arn:aws:iam::*:root", "*"),
        ("arn:aws:iam::u:root", "u"),
        ("arn:aws:iam::1111222233334:root", "1111222233334"),
    ] {
        assert!(!same(&trust(root), &trust(other)), "{root}");
    }
}
