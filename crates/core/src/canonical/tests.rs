use super::*;

fn same(a: &str, b: &str) -> bool {
    Canonical::parse(a)
        .unwrap()
        .means_the_same(&Canonical::parse(b).unwrap())
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
        assert_eq!(
            differences("the policy", other, WANTED),
            Vec::<String>::new()
        );
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
        assert_eq!(
            differences("the policy", &found, WANTED),
            expected,
            "{found}"
        );
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
        differences("the policy", &doc("{}"), &wanted),
        [
            "statement 1 of the policy: the condition StringLike kms:EncryptionContext:aws:ssm:SessionId * was missing"
        ]
    );
    assert_eq!(
        differences(
            "the policy",
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
