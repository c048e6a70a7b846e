//! The documents that users get, as they would read them on AWS's page "Create a custom IAM role
//! for Session Manager": one committed file a partition.

use std::fmt::Write as _;

use super::*;
use crate::account::{Account, Partition};
use crate::limits::Limits;
use crate::names::Names;
use crate::resolve::validate::tests::subject;
use crate::resolve::validate::{ValidSpec, validate};

const SESSION_KEY: &str = "sessionEncryption: {kmsKeyArn: 'arn:PARTITION:kms:REGION:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'}";
const EVERYTHING: &str = "sessionEncryption: {kmsKeyArn: 'arn:PARTITION:kms:REGION:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab', sessionsOnly: true}
sessionLogs:
  s3:
    bucket: my-logs
    keyPrefix: sessions
    bucketOwnerAccountId: '999900001111'
    encryption: KMS
    kmsKeyArn: 'arn:PARTITION:kms:REGION:999900001111:key/mrk-1234abcd12ab34cd56ef1234567890ab'
  cloudWatch: {logGroupName: /ssm/sessions}";

/// What differs by partition.
fn in_every_partition() -> Vec<(&'static str, String)> {
    let hybrid = "principal: HybridActivation\nhybrid: {regions: [REGION, OTHER]}\n";
    vec![
        ("EC2, nothing else", "{}".to_owned()),
        (
            "EC2, every narrowing field, bucket of another account",
            EVERYTHING.to_owned(),
        ),
        (
            "Hybrid activations in two regions, session key",
            format!("{hybrid}{SESSION_KEY}"),
        ),
        (
            "Hybrid activations in any region",
            "principal: HybridActivation".to_owned(),
        ),
    ]
}

/// What differs by options.
fn with_options() -> Vec<(&'static str, String)> {
    let s3 =
        |more: &str| format!("sessionLogs: {{s3: {{bucket: my-logs, keyPrefix: sessions{more}}}}}");
    let all = "sessionLogs: {s3: {bucket: my-logs, keyPrefix: sessions}, cloudWatch: {}}";
    vec![
        (
            "The page's first policy: session key",
            SESSION_KEY.to_owned(),
        ),
        (
            "The page's second policy: session key, S3, CloudWatch Logs",
            format!("{SESSION_KEY}\n{all}"),
        ),
        (
            "CloudWatch Logs only",
            "sessionLogs: {cloudWatch: {}}".to_owned(),
        ),
        (
            "One log group",
            "sessionLogs: {cloudWatch: {logGroupName: /ssm/sessions}}".to_owned(),
        ),
        ("S3 only", s3("")),
        (
            "S3, encrypted with keys of S3",
            s3(", encryption: S3Managed"),
        ),
        (
            "S3, encrypted with a key",
            s3(
                ", encryption: KMS, kmsKeyArn: 'arn:PARTITION:kms:REGION:111122223333:key/abcd1234-12ab-34cd-56ef-1234567890ab'",
            ),
        ),
        (
            "S3, bucket of another account",
            s3(", bucketOwnerAccountId: '999900001111'"),
        ),
    ]
}

fn valid_in(partition: Partition, spec: &str) -> ValidSpec {
    let spec = serde_saphyr::from_str(spec).unwrap();
    let limits = Limits::new("test");
    let names = Names::resolve(&subject(), Some(&spec), None, &limits, None);
    let account = Account {
        id: "111122223333".into(),
        partition,
    };
    validate(&spec, &subject(), &names, &account, &limits).unwrap()
}

/// All documents of the spec, one below the other.
fn documents(partition: Partition, spec: &str) -> String {
    let valid = valid_in(partition, spec);
    let found = counterparts(&valid, &valid.names.role_arn(&valid.account)).unwrap_or_default();
    let mut text = String::new();
    for (what, document) in [
        ("Trust policy", Some(trust_policy(&valid).to_json())),
        ("Policy", Some(role_policy(&valid).to_json())),
        ("For the bucket's policy", found.bucket_policy),
        ("For the bucket's key", found.bucket_key_policy),
        ("For the session key", found.session_key_policy),
    ] {
        if let Some(document) = document {
            writeln!(text, "\n{what}:\n{}", pretty(&document)).unwrap();
        }
    }
    text
}

/// Indented, with keys in the order that users get, which a map would lose.
fn pretty(json: &str) -> String {
    let (mut text, mut depth, mut quoted) = (String::new(), 0, false);
    for c in json.chars() {
        quoted ^= c == '"'; // No text of ours has an escaped one.
        match c {
            _ if quoted => text.push(c),
            '{' | '[' => {
                depth += 1;
                write!(text, "{c}\n{}", "    ".repeat(depth)).unwrap();
            }
            '}' | ']' => {
                depth -= 1;
                write!(text, "\n{}{c}", "    ".repeat(depth)).unwrap();
            }
            ',' => write!(text, ",\n{}", "    ".repeat(depth)).unwrap(),
            ':' => text.push_str(": "),
            _ => text.push(c),
        }
    }
    text
}

#[test]
fn documents_read_like_the_page() {
    for (partition, region, other) in [
        (Partition::Aws, "eu-central-1", "us-east-1"),
        (Partition::AwsCn, "cn-north-1", "cn-northwest-1"),
        (Partition::AwsUsGov, "us-gov-west-1", "us-gov-east-1"),
        (Partition::AwsEusc, "eusc-de-east-1", "eusc-de-east-2"),
    ] {
        let mut specs = in_every_partition();
        if partition == Partition::Aws {
            specs.extend(with_options());
        }
        let mut text = String::new();
        for (title, spec) in specs {
            let spec = (spec.replace("PARTITION", partition.as_str()))
                .replace("REGION", region)
                .replace("OTHER", other);
            let documents = documents(partition, &spec);
            assert_eq!(
                documents.matches("arn:").count(),
                documents.matches(&format!("arn:{partition}:")).count(),
                "{title} in {partition}"
            );
            writeln!(text, "# {title}\n\n{spec}\n{documents}").unwrap();
        }
        insta::assert_snapshot!(partition.as_str(), text);
    }
}
