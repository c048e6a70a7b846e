//! The page's two documents, and every combination of options, against the facts.

use super::*;
use crate::resolve::validate::tests::valid;

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
            spec.push_str("sessionEncryption: {kmsKeyArn: '");
            spec.push_str(KEY);
            spec.push_str("'}\n");
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
    let policy = policy("sessionLogs: {s3: {bucket: my-logs}}");
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

/// The statements of a policy, as JSON.
fn statements(spec: &str) -> Vec<serde_json::Value> {
    policy(spec)["Statement"].as_array().unwrap().clone()
}

const BUCKET_KEY: &str =
    "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";

#[test]
fn sessions_only_narrows_decryption_with_and_without_logs() {
    let narrowed = serde_json::json!({ "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": KEY,
        "Condition": { "StringLike": { "kms:EncryptionContext:aws:ssm:SessionId": ["*"] } } });
    let key = format!("sessionEncryption: {{kmsKeyArn: '{KEY}', sessionsOnly: true}}\n");
    assert_eq!(statements(&key)[1], narrowed);
    assert_eq!(
        statements(&format!("{key}sessionLogs: {{cloudWatch: {{}}}}"))[2],
        narrowed
    );
    // Said explicitly, the default is the page's.
    let off = format!("sessionEncryption: {{kmsKeyArn: '{KEY}', sessionsOnly: false}}");
    assert_eq!(
        policy(&off),
        policy(&format!("sessionEncryption: {{kmsKeyArn: '{KEY}'}}"))
    );
}

#[test]
fn a_log_group_narrows_the_writing_actions_only() {
    let found = statements("sessionLogs: {cloudWatch: {logGroupName: /ssm/sessions}}");
    assert_eq!(
        found[1..],
        [
            serde_json::json!({ "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                "Resource": "arn:aws:logs:*:111122223333:log-group:/ssm/sessions:*" }),
            serde_json::json!({ "Effect": "Allow", "Action": ["logs:DescribeLogGroups"], "Resource": "*" }),
        ]
    );
}

#[test]
fn the_buckets_encryption_decides_over_the_last_statement() {
    let with = |more: &str| statements(&format!("sessionLogs: {{s3: {{bucket: my-logs{more}}}}}"));
    let page = with("");
    assert_eq!(page.len(), 4);
    assert_eq!(with(", encryption: Unspecified"), page);
    assert_eq!(with(", encryption: S3Managed"), page[..3]);
    let own_key = with(&format!(", encryption: KMS, kmsKeyArn: '{BUCKET_KEY}'"));
    assert_eq!(own_key[..3], page[..3]);
    assert_eq!(
        own_key[3],
        serde_json::json!({ "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": BUCKET_KEY,
            "Condition": { "StringLike": { "kms:ViaService": ["s3.*.amazonaws.com"] } } })
    );
}

/// The service that KMS sees is the endpoint of S3 in the key's partition.
#[test]
fn via_service_is_that_of_the_keys_partition() {
    for (partition, service) in [
        ("aws", "s3.*.amazonaws.com"),
        ("aws-us-gov", "s3.*.amazonaws.com"),
        ("aws-cn", "s3.*.amazonaws.com.cn"),
        ("aws-eusc", "s3.*.amazonaws.eu"),
    ] {
        let mut spec = valid("sessionLogs: {s3: {bucket: my-logs}}");
        let key_arn = format!("arn:{partition}:kms:somewhere-1:111122223333:key/k");
        spec.s3_logs.as_mut().unwrap().encryption =
            crate::resolve::validate::S3Encryption::Kms { key_arn };
        let last = role_policy(&spec).statements.pop().unwrap();
        assert_eq!(
            last.conditions["StringLike"]["kms:ViaService"],
            [service],
            "{partition}"
        );
    }
}

/// What stands in ARNs follows the partition.
#[test]
fn documents_of_other_partitions_name_their_own_arns() {
    let mut spec = valid(
        "{principal: HybridActivation, sessionLogs: {s3: {bucket: my-logs}, cloudWatch: {logGroupName: ssm}}}",
    );
    spec.account.partition = crate::account::Partition::AwsCn;
    let both = role_policy(&spec).to_json() + &trust_policy(&spec).to_json();
    assert!(!both.contains("arn:aws:"), "{both}");
    for arn in [
        "arn:aws-cn:s3:::my-logs/*",
        "arn:aws-cn:logs:*:111122223333:log-group:ssm:*",
        "arn:aws-cn:ssm:*:111122223333:*",
    ] {
        assert!(both.contains(arn), "{arn} not in {both}");
    }
}

#[test]
fn counterparts_name_the_role_and_nobody_else() {
    let role = "arn:aws:iam::111122223333:role/session-manager/team.web";
    let of = |spec: &str| counterparts(&valid(spec), role);
    let json = |text: Option<String>| -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(&text.unwrap()).unwrap()["Statement"].clone()
    };
    assert_eq!(of("{}"), None);
    assert_eq!(
        of("sessionLogs: {s3: {bucket: my-logs}, cloudWatch: {}}"),
        None
    );
    let found = of(&format!(
        "sessionEncryption: {{kmsKeyArn: '{KEY}', sessionsOnly: true}}\n\
         sessionLogs: {{s3: {{bucket: my-logs, keyPrefix: a/b, bucketOwnerAccountId: '999900001111', encryption: KMS, kmsKeyArn: '{BUCKET_KEY}'}}}}"
    ))
    .unwrap();
    assert_eq!(
        json(found.bucket_policy),
        serde_json::json!([
            { "Effect": "Allow", "Principal": { "AWS": role }, "Action": ["s3:PutObject", "s3:PutObjectAcl"],
              "Resource": "arn:aws:s3:::my-logs/a/b/*",
              "Condition": { "StringEquals": { "s3:x-amz-acl": ["bucket-owner-full-control"] } } },
            { "Effect": "Allow", "Principal": { "AWS": role }, "Action": ["s3:GetEncryptionConfiguration"],
              "Resource": "arn:aws:s3:::my-logs" },
        ])
    );
    assert_eq!(
        json(found.bucket_key_policy),
        serde_json::json!([{ "Effect": "Allow", "Principal": { "AWS": role },
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
            "Condition": { "StringLike": { "kms:ViaService": ["s3.*.amazonaws.com"] } } }])
    );
    assert_eq!(
        json(found.session_key_policy),
        serde_json::json!([{ "Effect": "Allow", "Principal": { "AWS": role }, "Action": ["kms:Decrypt"], "Resource": "*",
            "Condition": { "StringLike": { "kms:EncryptionContext:aws:ssm:SessionId": ["*"] } } }])
    );
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
