//! The page's two documents, and every combination of options, against the facts.

use super::*;
use crate::validate::tests::valid;

fn policy(spec: &str) -> serde_json::Value {
    serde_json::from_str(&role_policy(&valid(spec)).to_json()).unwrap()
}

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// AWS's page "Create a custom IAM role for Session Manager", first policy, as it stands there.
#[test]
fn the_minimal_policy_is_the_pages_first() {
    let page = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow",
              "Action": ["ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
                         "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"],
              "Resource": "*" },
            { "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": KEY },
        ]
    });
    assert_eq!(
        policy(&format!("sessionEncryption: {{kmsKeyArn: '{KEY}'}}")),
        page
    );
    let mut without_key = page;
    without_key["Statement"].as_array_mut().unwrap().pop();
    assert_eq!(policy("{}"), without_key);
}

/// The page's second policy and every combination of its three options.
#[test]
fn the_policy_with_logs_is_the_pages_second_less_what_was_not_asked_for() {
    let b1 = serde_json::json!({ "Effect": "Allow",
        "Action": ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
                   "ssmmessages:OpenDataChannel", "ssm:UpdateInstanceInformation"],
        "Resource": "*" });
    let b2 = serde_json::json!({ "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"], "Resource": "*" });
    let b3 = serde_json::json!({ "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::my-logs/sessions/*" });
    let b4 = serde_json::json!({ "Effect": "Allow", "Action": ["s3:GetEncryptionConfiguration"], "Resource": "*" });
    let b5 = serde_json::json!({ "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": KEY });
    let b6 = serde_json::json!({ "Effect": "Allow", "Action": ["kms:GenerateDataKey"], "Resource": "*" });
    for (kms, s3, cloud_watch) in [
        (false, false, true),
        (false, true, false),
        (false, true, true),
        (true, false, true),
        (true, true, false),
        (true, true, true),
    ] {
        let mut spec = String::from("sessionLogs:\n");
        let mut expected = vec![&b1];
        if cloud_watch {
            spec.push_str("  cloudWatch: {}\n");
            expected.push(&b2);
        }
        if s3 {
            spec.push_str("  s3: {bucket: my-logs, keyPrefix: /sessions/}\n");
            expected.extend([&b3, &b4]);
        }
        if kms {
            spec.push_str(&format!("sessionEncryption: {{kmsKeyArn: '{KEY}'}}\n"));
            expected.push(&b5);
        }
        if s3 {
            expected.push(&b6);
        }
        let page = serde_json::json!({ "Version": "2012-10-17", "Statement": expected });
        assert_eq!(
            policy(&spec),
            page,
            "kms {kms} s3 {s3} cloudWatch {cloud_watch}"
        );
    }
}

#[test]
fn a_bucket_without_prefix_is_the_whole_bucket() {
    let policy = policy("sessionLogs: {s3: {bucket: my-logs, keyPrefix: /}}");
    assert_eq!(policy["Statement"][1]["Resource"], "arn:aws:s3:::my-logs/*");
}

#[test]
fn another_accounts_bucket_gets_the_acl_and_its_counterparts() {
    let spec = valid("sessionLogs: {s3: {bucket: my-logs, bucketOwnerAccountId: '999900001111'}}");
    let policy = role_policy(&spec);
    assert_eq!(
        policy.statements[1].actions,
        ["s3:PutObject", "s3:PutObjectAcl"]
    );
    let found = counterparts(&spec, "arn:aws:iam::111122223333:role/r").unwrap();
    assert!(
        found
            .bucket_policy
            .unwrap()
            .contains("bucket-owner-full-control")
    );
    // The role's own account is no other account.
    let own = valid("sessionLogs: {s3: {bucket: my-logs, bucketOwnerAccountId: '111122223333'}}");
    assert_eq!(role_policy(&own).statements[1].actions, ["s3:PutObject"]);
    assert_eq!(counterparts(&own, "arn:aws:iam::111122223333:role/r"), None);
}

#[test]
fn the_narrowing_fields_narrow() {
    let spec = format!(
        "sessionEncryption: {{kmsKeyArn: '{KEY}', sessionsOnly: true}}\n\
         sessionLogs: {{s3: {{bucket: my-logs, encryption: KMS, kmsKeyArn: '{KEY}'}}, cloudWatch: {{logGroupName: /ssm}}}}"
    );
    let json = role_policy(&valid(&spec)).to_json();
    for part in [
        r#""Condition":{"StringLike":{"kms:EncryptionContext:aws:ssm:SessionId":["*"]}}"#,
        r#""Resource":"arn:aws:logs:*:111122223333:log-group:/ssm:*""#,
        r#"{"Effect":"Allow","Action":["logs:DescribeLogGroups"],"Resource":"*"}"#,
        r#""Condition":{"StringLike":{"kms:ViaService":["s3.*.amazonaws.com"]}}"#,
    ] {
        assert!(json.contains(part), "{part} not in {json}");
    }
    let managed = role_policy(&valid(
        "sessionLogs: {s3: {bucket: my-logs, encryption: S3Managed}}",
    ))
    .to_json();
    assert!(!managed.contains("kms:"), "{managed}");
}

#[test]
fn the_trust_policy_names_ec2_or_the_hybrid_service_with_its_conditions() {
    assert_eq!(
        trust_policy(&valid("{}")).to_json(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole"]}]}"#
    );
    assert_eq!(
        trust_policy(&valid(
            "{principal: HybridActivation, hybrid: {regions: [eu-central-1]}}"
        ))
        .to_json(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":["sts:AssumeRole"],"Condition":{"ArnEquals":{"aws:SourceArn":["arn:aws:ssm:eu-central-1:111122223333:*"]},"StringEquals":{"aws:SourceAccount":["111122223333"]}}}]}"#
    );
}
