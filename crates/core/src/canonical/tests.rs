//! Documents that mean the same, that differ, and what each difference means for access.

mod corpus;
mod foreign;
mod model;

use super::*;
use crate::difference::{Importance, Width};

fn same(a: &str, b: &str) -> bool {
    Canonical::parse(a)
        .unwrap()
        .means_the_same(&Canonical::parse(b).unwrap())
}

fn sentences(found: &str, wanted: &str) -> Vec<String> {
    let all = differences("the policy", found, wanted);
    all.into_iter().map(|d| d.sentence).collect()
}

const WANTED: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["ssm:UpdateInstanceInformation","ssmmessages:OpenDataChannel"],"Resource":"*"},
    {"Effect":"Allow","Action":["s3:PutObject"],"Resource":"arn:aws:s3:::logs/*"}]}"#;

#[test]
fn what_means_the_same_is_equal() {
    for other in [
        // Order of statements and actions, lists of one, Sids, action case.
        r#"{"Statement":[{"Sid":"a","Effect":"Allow","Action":"S3:PutObject","Resource":["arn:aws:s3:::logs/*"]},
            {"Effect":"Allow","Action":["ssmmessages:OpenDataChannel","ssm:UpdateInstanceInformation"],"Resource":["*"]}],"Version":"2012-10-17"}"#,
        // One statement split in two.
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*"},
            {"Effect":"Allow","Action":"ssm:UpdateInstanceInformation","Resource":"*"},
            {"Effect":"Allow","Action":"ssmmessages:OpenDataChannel","Resource":"*"}]}"#,
    ] {
        assert!(same(WANTED, other), "{other}");
        assert_eq!(differences("the policy", other, WANTED), []);
    }
    let root = |p: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{p},"Action":"sts:AssumeRole"}}}}"#
        )
    };
    assert!(same(
        &root(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#),
        &root(r#"{"AWS":["111122223333"]}"#)
    ));
    assert!(same(&root(r#""*""#), &root(r#"{"AWS":"*"}"#)));
}

#[test]
fn what_differs_is_told_in_words() {
    let doc =
        |statements: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let first = r#"{"Effect":"Allow","Action":["ssm:UpdateInstanceInformation","ssmmessages:OpenDataChannel"],"Resource":"*"}"#;
    let second = r#"{"Effect":"Allow","Action":["s3:PutObject"],"Resource":"arn:aws:s3:::logs/*"}"#;
    let cases = [
        (
            doc(&format!(
                r#"{first},{{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::other/*"}}"#
            )),
            vec![
                "statement 2 of the policy: s3:PutObject was on arn:aws:s3:::other/*, should be on arn:aws:s3:::logs/*",
            ],
        ),
        (
            doc(&format!(
                r#"{{"Effect":"Allow","Action":"ssm:UpdateInstanceInformation","Resource":"*"}},{second}"#
            )),
            vec!["statement 1 of the policy: ssmmessages:OpenDataChannel was missing"],
        ),
        (
            doc(&format!(
                r#"{first},{{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::logs/*"}}"#
            )),
            vec!["statement 2 of the policy: had s3:GetObject besides, should not"],
        ),
        (
            doc(&format!(
                r#"{first},{second},{{"Effect":"Allow","Action":"*","Resource":"*"}}"#
            )),
            vec!["the policy had a statement that should not be there: Allow * on *"],
        ),
        (
            doc(first),
            vec![
                "statement 2 of the policy was missing: Allow s3:PutObject on arn:aws:s3:::logs/*",
            ],
        ),
        (
            doc(&format!(
                r#"{first},{{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*"}}"#
            )),
            vec!["statement 2 of the policy: the effect was Deny, should be Allow"],
        ),
        (
            "not json".to_owned(),
            vec!["the policy was not a policy document: expected ident at line 1 column 2"],
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(sentences(&found, WANTED), expected, "{found}");
    }
}

#[test]
fn conditions_are_compared_as_sets() {
    let doc = |c: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"kms:Decrypt","Resource":"k","Condition":{c}}}}}"#
        )
    };
    let wanted = doc(r#"{"StringLike":{"kms:EncryptionContext:aws:ssm:SessionId":"*"}}"#);
    assert!(same(
        &wanted,
        &doc(r#"{"StringLike":{"kms:encryptioncontext:aws:ssm:SessionId":["*"]}}"#)
    ));
    assert_eq!(
        sentences(&doc("{}"), &wanted),
        [
            "statement 1 of the policy: the condition StringLike kms:EncryptionContext:aws:ssm:SessionId * was missing"
        ]
    );
    assert_eq!(
        sentences(
            &doc(r#"{"StringLike":{"kms:EncryptionContext:aws:ssm:SessionId":"x"}}"#),
            &wanted
        ),
        [
            "statement 1 of the policy: the condition StringLike kms:EncryptionContext:aws:ssm:SessionId was x, should be *"
        ]
    );
}

#[test]
fn narrowing_is_seen() {
    let parse = |text: &str| Canonical::parse(text).unwrap();
    let one = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*"}}"#;
    assert!(parse(WANTED).is_narrowed_by(&parse(one)));
    assert!(!parse(one).is_narrowed_by(&parse(WANTED)));
    assert!(!parse(one).is_narrowed_by(&parse(one)));
}

/// The importance of each difference, in words.
fn importance(found: &str, wanted: &str) -> Vec<&'static str> {
    let all = differences("the policy", found, wanted);
    all.iter()
        .map(|d| match d.importance {
            Importance::Excess(_) => "excess",
            Importance::Missing => "missing",
            Importance::Other => "other",
        })
        .collect()
}

fn document(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

/// Found, wanted, and what each difference means.
type Judged = (&'static str, &'static str, &'static [&'static str]);

#[test]
fn what_is_granted_beyond_the_spec_is_an_excess() {
    const TWO: &str = r#"{"Effect":"Allow","Action":["a:b","a:c"],"Resource":"r"}"#;
    const WHERE: &str =
        r#"{"Effect":"Allow","Action":"a:b","Resource":"r","Condition":{"StringLike":{"k":"x*"}}}"#;
    let cases: &[Judged] = &[
        (
            r#"{"Effect":"Allow","Action":["a:b","a:c","a:d"],"Resource":"r"}"#,
            TWO,
            &["excess"],
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"r"}"#,
            TWO,
            &["missing"],
        ),
        // It says both.
        (
            r#"{"Effect":"Allow","Action":["a:b","a:d"],"Resource":"r"}"#,
            TWO,
            &["excess"],
        ),
        // Each part for itself.
        (
            r#"{"Effect":"Allow","Action":["a:b","a:c","a:d"],"Resource":"r/x"}"#,
            r#"{"Effect":"Allow","Action":["a:b","a:c"],"Resource":"r/*"}"#,
            &["excess", "missing"],
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*"}"#,
            TWO,
            &["missing", "excess"],
        ),
        (
            r#"{"Effect":"Allow","Action":["a:b","a:c"],"NotResource":"r"}"#,
            TWO,
            &["excess"],
        ),
        (
            r#"{"Effect":"Allow","NotAction":["a:b","a:c"],"Resource":"r"}"#,
            TWO,
            &["excess"],
        ),
        // What it allows is allowed by another statement as well.
        (
            r#"{"Effect":"Allow","Action":["a:b","a:c"],"Resource":"r"},
               {"Effect":"Allow","Action":"a:c","Resource":"r","Condition":{"Bool":{"k":"true"}}}"#,
            TWO,
            &["other"],
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"r","Condition":{"StringLike":{"k":"*"}}}"#,
            WHERE,
            &["excess"],
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"r","Condition":{"StringLike":{"k":"xy"}}}"#,
            WHERE,
            &["missing"],
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"r"}"#,
            WHERE,
            &["excess"],
        ),
        // A condition more, on a wider resource.
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"StringLike":{"k":"x*"},"Bool":{"l":"true"}}}"#,
            WHERE,
            &["excess", "missing"],
        ),
        (
            r#"{"Effect":"Deny","Action":["a:b","a:c"],"Resource":"r"}"#,
            TWO,
            &["missing"],
        ),
        (
            r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#,
            "",
            &["other"],
        ),
        ("{}", "", &["other"]),
    ];
    for (found, wanted, expected) in cases {
        let (found, wanted) = (document(found), document(wanted));
        assert_eq!(importance(&found, &wanted), *expected, "{found} {wanted}");
    }
    assert_eq!(importance("no document", &document(TWO)), ["excess"]);
    let older = document(TWO).replace("2012-10-17", "2008-10-17");
    assert_eq!(importance(&older, &document(TWO)), ["other"]);
}

#[test]
fn of_statements_that_deny_it_is_the_other_way_round() {
    const DENY: &str = r#"{"Effect":"Deny","Action":["a:b","a:c"],"Resource":"r/*"}"#;
    let cases: &[Judged] = &[
        ("", DENY, &["excess"]),
        (DENY, "", &["missing"]),
        (
            r#"{"Effect":"Allow","Action":["a:b","a:c"],"Resource":"r/*"}"#,
            DENY,
            &["excess"],
        ),
        (
            r#"{"Effect":"Deny","Action":"a:b","Resource":"r/*"}"#,
            DENY,
            &["excess"],
        ),
        (
            r#"{"Effect":"Deny","Action":["a:b","a:c","a:d"],"Resource":"r/*"}"#,
            DENY,
            &["missing"],
        ),
        (
            r#"{"Effect":"Deny","Action":["a:b","a:c"],"Resource":"r/x"}"#,
            DENY,
            &["excess"],
        ),
        (
            r#"{"Effect":"Deny","Action":["a:b","a:c"],"Resource":"*"}"#,
            DENY,
            &["missing"],
        ),
        (
            r#"{"Effect":"Deny","Action":["a:b","a:c"],"Resource":"r/*","Condition":{"Bool":{"k":"true"}}}"#,
            DENY,
            &["excess"],
        ),
    ];
    for (found, wanted, expected) in cases {
        let (found, wanted) = (document(found), document(wanted));
        assert_eq!(importance(&found, &wanted), *expected, "{found} {wanted}");
    }
}

#[test]
fn who_may_have_the_role_counts_like_what_it_may_do() {
    let trust = |principal: &str| {
        document(&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#
        ))
    };
    let wanted = trust(r#"{"Service":"ec2.amazonaws.com"}"#);
    let width = |found: &str| {
        let all = differences("the trust policy", found, &wanted);
        let [difference] = all.as_slice() else {
            panic!("{all:?}")
        };
        let Importance::Excess(width) = difference.importance else {
            panic!("{all:?}")
        };
        width
    };
    let widths = [
        r#""*""#,
        r#"{"AWS":"111122223333"}"#,
        r#"{"Service":["ec2.amazonaws.com","lambda.amazonaws.com"]}"#,
    ]
    .map(|principal| width(&trust(principal)));
    assert!(widths.is_sorted(), "{widths:?}");
    assert_eq!(widths[0], Width::UNKNOWN, "as wide as can be");
    let in_policy = differences(
        "the policy",
        &document(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#),
        &document(""),
    );
    assert!(in_policy[0].importance < Importance::Excess(widths[1]));
    assert!(in_policy[0].importance > Importance::Excess(widths[0]));
}

mod property {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::canonical::access::{Direction, access_changes};

    fn any_statement() -> impl Strategy<Value = String> {
        let some = |of: &'static [&'static str]| {
            proptest::sample::subsequence(of, 1..=2)
                .prop_map(|values| serde_json::to_string(&values).unwrap())
        };
        (
            prop_oneof![3 => Just("Allow"), 1 => Just("Deny")],
            prop_oneof![5 => Just("Action"), 1 => Just("NotAction")],
            some(&["a:b", "a:c", "a:*", "*"]),
            prop_oneof![5 => Just("Resource"), 1 => Just("NotResource")],
            some(&["r/x", "r/*", "*"]),
            proptest::option::of(some(&["x", "x*", "*"])),
        )
            .prop_map(|(effect, action, actions, resource, resources, condition)| {
                let condition = condition.map_or_else(String::new, |values| {
                    format!(r#","Condition":{{"StringLike":{{"k":{values}}}}}"#)
                });
                format!(
                    r#"{{"Effect":"{effect}","{action}":{actions},"{resource}":{resources}{condition}}}"#
                )
            })
    }

    fn any_document() -> impl Strategy<Value = String> {
        proptest::collection::vec(any_statement(), 0..4)
            .prop_map(|statements| document(&statements.join(",")))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 400,
            rng_seed: RngSeed::Fixed(20_261_126),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// An excess is never lost among the sentences, and none is made up: they agree with what
        /// `smr plan` says of access.
        #[test]
        fn a_sentence_is_an_excess_where_access_is_gained(
            found in any_document(),
            wanted in any_document(),
        ) {
            let changes = access_changes([wanted.as_str()], [found.as_str()]);
            let gains = changes.iter().any(|c| c.change == Direction::Gains);
            let sentences = importance(&found, &wanted);
            prop_assert_eq!(sentences.contains(&"excess"), gains, "{:?}", sentences);
        }
    }
}
