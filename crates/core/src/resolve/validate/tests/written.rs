//! What is written in a spec: every text that the CRD's rules refuse is refused here too, as an object
//! may be older than they are, and what is accepted renders documents that IAM takes.

use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;
use serde_json::{Value, json};
use smr_api::forms::{self, Form};

use super::*;
use crate::resolve::document::{counterparts, role_policy, trust_policy};

/// What breaks a text.
const HOSTILE: [&str; 44] = include!("../../../../../../tests/data/hostile.rs");

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A pointer to each text of spec.
const TEXTS: [&str; 21] = [
    "/path",
    "/role/name",
    "/role/description",
    "/role/permissionsBoundaryArn",
    "/role/tags/a",
    "/policy/name",
    "/policy/description",
    "/policy/tags/a",
    "/instanceProfile/name",
    "/instanceProfile/tags/a",
    "/tags/a",
    "/sessionEncryption/kmsKeyArn",
    "/sessionLogs/s3/bucket",
    "/sessionLogs/s3/keyPrefix",
    "/sessionLogs/s3/bucketOwnerAccountId",
    "/sessionLogs/s3/kmsKeyArn",
    "/sessionLogs/cloudWatch/logGroupName",
    "/additionalPolicyArns/0",
    "/additionalPolicyArns/1",
    "/hybrid/regions/0",
    "/hybrid/regions/1",
];

/// A spec with every text; for one principal or the other.
fn full(principal: Principal) -> Value {
    let mut spec = json!({
        "path": "/team/",
        "role": { "name": "r", "description": "d", "tags": { "a": "1" },
            "permissionsBoundaryArn": "arn:aws:iam::111122223333:policy/cap" },
        "policy": { "name": "p", "description": "d", "tags": { "a": "1" } },
        "tags": { "a": "1" },
        "sessionEncryption": { "kmsKeyArn": KEY },
        "sessionLogs": {
            "s3": { "bucket": "my-logs", "keyPrefix": "x", "bucketOwnerAccountId": "999900001111",
                "encryption": "KMS", "kmsKeyArn": KEY },
            "cloudWatch": { "logGroupName": "/ssm/sessions" },
        },
        "additionalPolicyArns": [
            "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111122223333:policy/x/y",
        ],
    });
    match principal {
        Principal::EC2 => spec["instanceProfile"] = json!({ "name": "i", "tags": { "a": "1" } }),
        Principal::HybridActivation => {
            spec["principal"] = json!("HybridActivation");
            spec["hybrid"] = json!({ "regions": ["eu-central-1", "us-west-2"] });
        }
    }
    spec
}

fn checked(spec: &Value) -> Result<ValidSpec, Vec<Invalid>> {
    let spec: SessionManagerRoleSpec = serde_json::from_value(spec.clone()).unwrap();
    let mut limits = Limits::new("test");
    limits.allowed_paths = spec.path.iter().cloned().collect();
    limits.allowed_additional_policies = vec!["*".to_owned()];
    let names = Names::resolve(&subject(), Some(&spec), None, &limits, None);
    validate(&spec, &subject(), &names, &account(), &limits)
}

/// Everything that goes into a document.
fn documents(spec: &ValidSpec) -> String {
    let role_arn = spec.names.role_arn(&spec.account);
    let others = counterparts(spec, &role_arn).unwrap_or_default();
    let others = [
        others.bucket_policy,
        others.bucket_key_policy,
        others.session_key_policy,
    ];
    let own = [role_policy(spec).to_json(), trust_policy(spec).to_json()];
    let all = own.into_iter().chain(others.into_iter().flatten());
    all.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_expression_of_the_forms_can_be_used() {
    let all: [&Form; 16] = [
        &forms::NAME,
        &forms::ROLE_NAME,
        &forms::PATH,
        &forms::DESCRIPTION,
        &forms::BUCKET,
        &forms::KEY_PREFIX,
        &forms::LOG_GROUP,
        &forms::KEY_ARN,
        &forms::POLICY_ARN,
        &forms::POLICY_ARN_PATTERN,
        &forms::SERVICE_PRINCIPAL,
        &forms::NAMESPACE,
        &forms::REGION,
        &forms::ACCOUNT_ID,
        &forms::TAG_KEY,
        &forms::TAG_VALUE,
    ];
    for form in all {
        Regex::new(form.pattern).unwrap();
        Regex::new(&format!("^[{}]$", form.characters)).unwrap();
        for mistake in form.mistakes {
            Regex::new(mistake.pattern).unwrap();
        }
    }
    for expression in [forms::COMBINING, forms::INVISIBLE] {
        Regex::new(expression).unwrap();
    }
}

/// Field, what is written, and what is said of it.
#[test]
fn what_is_wrong_is_named() {
    for (pointer, text, says) in [
        (
            "/sessionLogs/s3/keyPrefix",
            "ログ/本番",
            "can't have 'ロ': it takes",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            "logs\n",
            "ends with a line break: write the value on one line, without | or >",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            "s3://my-logs/x",
            "must be the prefix alone, not a URL or ARN",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            "a\u{a0}b",
            "can't have U+00A0 (no-break space): ",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            "${aws:username}",
            "can't have *, ? or ${",
        ),
        (
            "/sessionLogs/s3/bucket",
            "my-*",
            "can't have '*': it takes lower-case letters",
        ),
        (
            "/sessionLogs/s3/bucket",
            "arn:aws:s3:::my-logs",
            "must be a bucket's name alone, not an ARN or URL",
        ),
        (
            "/sessionLogs/s3/bucket",
            "xn--logs",
            "begins with a prefix that S3 reserves",
        ),
        (
            "/sessionLogs/s3/bucket",
            "logs-s3alias",
            "is the alias of an access point",
        ),
        (
            "/sessionLogs/s3/bucket",
            "logs--use1-az4--x-s3",
            "is a directory bucket or a table bucket",
        ),
        (
            "/sessionLogs/s3/bucket",
            "10.0.0.1",
            "can't be an IP address",
        ),
        (
            "/sessionLogs/s3/bucketOwnerAccountId",
            "9999-0000-1111",
            "can't have '-': it takes 12 digits",
        ),
        (
            "/sessionLogs/cloudWatch/logGroupName",
            "a:*",
            "can't have ':': it takes letters",
        ),
        (
            "/sessionLogs/cloudWatch/logGroupName",
            "aws/ssm",
            "can't begin with aws/",
        ),
        (
            "/role/name",
            "ro\u{301}le",
            "can't have U+0301 (combining acute accent): ",
        ),
        (
            "/role/name",
            "ro\u{307}le",
            "can't have U+0307 (a combining character): ",
        ),
        ("/role/name", "“role”", "can't have '“': "),
        ("/role/name", "role*", "can't have '*': "),
        ("/policy/name", "", "can't be empty: leave it out"),
        ("/path", "team", "must begin and end with /"),
        (
            "/path",
            "/a//b/",
            "must begin and end with / and have no //",
        ),
        (
            "/role/description",
            "роль",
            "can't have 'р': it takes Latin letters",
        ),
        (
            "/sessionEncryption/kmsKeyArn",
            &format!("{KEY}\n"),
            "ends with a line break",
        ),
        (
            "/sessionEncryption/kmsKeyArn",
            &KEY.replace("abcd", "ABCD"),
            "has upper-case letters in the key's id",
        ),
        (
            "/sessionEncryption/kmsKeyArn",
            &KEY.replace("eu-central-1", "us-east-1a"),
            "names an availability zone",
        ),
        (
            "/sessionEncryption/kmsKeyArn",
            &KEY.replace("eu-central-1", "cn-north-1"),
            "cn-north-1 is a region of partition aws-cn, the role lies in aws: ",
        ),
        (
            "/sessionEncryption/kmsKeyArn",
            &KEY.replace("arn:aws:", "arn:aws-cn:"),
            "the ARN lies in partition aws-cn, the role in aws",
        ),
        (
            "/sessionEncryption/kmsKeyArn",
            "arn:aws:kms:eu-central-1:111122223333:key/*",
            "can't have '*': ",
        ),
        (
            "/sessionEncryption/kmsKeyArn",
            "arn:aws:kms:eu-central-1:111122223333:alias/x",
            "an alias or a key id does not work",
        ),
        (
            "/role/permissionsBoundaryArn",
            "arn:aws-us-gov:iam::111122223333:policy/cap",
            "the ARN lies in partition aws-us-gov",
        ),
        (
            "/role/permissionsBoundaryArn",
            "arn:aws:iam::999900001111:policy/cap",
            "the policy belongs to account 999900001111, the role to 111122223333: ",
        ),
        (
            "/additionalPolicyArns/1",
            "arn:aws:iam::999900001111:policy/x/y",
            "the policy belongs to account 999900001111, the role to 111122223333: ",
        ),
        (
            "/role/permissionsBoundaryArn",
            "arn:aws:iam::111122223333:policy/team/P",
            "arn:aws:iam::111122223333:policy/team/p is this object's own policy, which can't bound",
        ),
        (
            "/additionalPolicyArns/0",
            "arn:aws:iam::111122223333:policy/team/P",
            "arn:aws:iam::111122223333:policy/team/p is this object's own policy, which is attached",
        ),
        ("/tags/a", "b#", "the value of 'a' can't have '#': "),
        ("/tags/a", "AWS:x", "the value of 'a' begins with aws:, "),
        (
            "/role/tags/a",
            "aws:",
            "the value of 'a' begins with aws:, ",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            " logs",
            "begins or ends with a space",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            "logs ",
            "begins or ends with a space",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            "/",
            "is no prefix: leave it out for the whole bucket",
        ),
        (
            "/sessionLogs/s3/keyPrefix",
            "ARN:aws:s3:::my-logs/x",
            "must be the prefix alone, not a URL or ARN",
        ),
        (
            "/sessionLogs/cloudWatch/logGroupName",
            "Arn:x",
            "must be a log group's name alone, not an ARN",
        ),
    ] {
        let mut spec = full(Principal::EC2);
        *spec.pointer_mut(pointer).unwrap() = json!(text);
        let field = format!("spec{}", pointer.replace('/', ".")).replace("tags.a", "tags");
        let field = field
            .replace("Arns.0", "Arns[0]")
            .replace("Arns.1", "Arns[1]");
        let problems = checked(&spec).unwrap_err();
        assert_eq!(problems.len(), 1, "{pointer} {text}: {problems:?}");
        assert_eq!(problems[0].field, field);
        assert!(
            problems[0].problem.contains(says),
            "{pointer} {text}: {}",
            problems[0].problem
        );
    }
}

#[test]
fn regions_of_another_partition_and_zones_are_refused() {
    for (region, says) in [
        (
            "us-gov-west-1",
            "us-gov-west-1 is a region of partition aws-us-gov, the role lies in aws: use a region of aws",
        ),
        ("us-iso-east-1", "lies in an isolated partition"),
        ("us-east-01", "must be an AWS region"),
        (
            "us-east-1a",
            "is an availability zone: write its region, such as us-east-1 for us-east-1a",
        ),
        ("us-west-2-lax-1a", "is an availability zone"),
        ("*", "can't have '*'"),
        ("europe", "must be an AWS region"),
    ] {
        let mut spec = full(Principal::HybridActivation);
        spec["hybrid"]["regions"][1] = json!(region);
        let problems = checked(&spec).unwrap_err();
        assert_eq!(problems[0].field, "spec.hybrid.regions[1]");
        assert!(problems[0].problem.contains(says), "{problems:?}");
    }
    let mut spec = full(Principal::HybridActivation);
    spec["hybrid"]["regions"] = json!([]);
    assert_eq!(checked(&spec).unwrap_err()[0].field, "spec.hybrid.regions");
}

/// IAM counts characters, not bytes.
#[test]
fn lengths_are_counted_in_characters() {
    let with = |key: String| {
        let mut spec = full(Principal::EC2);
        spec["tags"] = json!({ key: "ж".repeat(256) });
        checked(&spec)
    };
    assert!(with("ж".repeat(128)).is_ok());
    let problems = with("ж".repeat(129)).unwrap_err();
    assert!(
        problems[0]
            .problem
            .contains("has 129 characters, may have at most 128"),
        "{problems:?}"
    );
}

/// What no schema would let through, but status or an older CRD may hold.
#[test]
fn a_recorded_path_without_slashes_is_refused_and_not_a_panic() {
    for path in ["", "*/", "/a b/"] {
        let spec: SessionManagerRoleSpec =
            serde_json::from_value(full(Principal::HybridActivation)).unwrap();
        let mut names = Names::resolve(&subject(), Some(&spec), None, &Limits::new("test"), None);
        path.clone_into(&mut names.path);
        let problems = validate(&spec, &subject(), &names, &account(), &Limits::new("test"));
        let problems = problems.unwrap_err();
        assert!(
            problems.iter().any(|p| p.field == "spec.path"),
            "{problems:?}"
        );
    }
}

/// Texts that attack, that are copied from somewhere, or that are nearly right.
fn hostile() -> impl Strategy<Value = String> {
    let own = [
        "\0",
        "\u{7f}",
        "\u{85}",
        ".",
        "--",
        "@",
        "a",
        "Z",
        "logs",
        "arn:",
        "key/",
        "eu-central-1",
        "111122223333",
        KEY,
        "arn:aws:iam::aws:policy/x",
        "/team/",
    ];
    let pieces = [&HOSTILE[..], &own].concat();
    prop::collection::vec(select(pieces), 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_accepted_renders_what_iam_takes(
        hybrid in any::<bool>(), pointer in select(TEXTS.as_slice()), text in hostile()
    ) {
        let mut spec = full(if hybrid { Principal::HybridActivation } else { Principal::EC2 });
        let usual = documents(&checked(&spec).unwrap());
        if let Some(field) = spec.pointer_mut(pointer) {
            *field = json!(text);
        }
        if let Ok(valid) = checked(&spec) {
            let written = documents(&valid);
            for document in written.lines() {
                let texts: Value = serde_json::from_str(document).unwrap();
                assert_taken(&texts);
            }
            let wildcards = |text: &str| text.matches(['*', '?']).count() + text.matches("${").count();
            prop_assert!(wildcards(&written) <= wildcards(&usual), "{}", written);
        }
    }
}

/// A policy document's own characters.
fn assert_taken(value: &Value) {
    match value {
        Value::String(text) => assert!(
            text.chars()
                .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')),
            "{text:?}"
        ),
        Value::Array(items) => items.iter().for_each(assert_taken),
        Value::Object(entries) => entries.values().for_each(assert_taken),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
