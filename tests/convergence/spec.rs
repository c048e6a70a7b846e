//! Any spec that can be asked for, in any partition. Values only.

use proptest::prelude::*;
use serde_json::{Value, json};
use smr_api::SessionManagerRoleSpec;

/// The account of every case.
pub const ACCOUNT: &str = "111122223333";
/// AWS's own policies that specs list and others attach.
pub const POLICIES: [&str; 5] = [
    "ReadOnlyAccess",
    "CloudWatchAgentServerPolicy",
    "AmazonSSMPatchAssociation",
    "AmazonS3ReadOnlyAccess",
    "PowerUserAccess",
];

/// A spec and where it is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub partition: &'static str,
    pub spec: SessionManagerRoleSpec,
}

impl Asked {
    pub fn hybrid(&self) -> bool {
        self.spec.principal == Some(smr_api::Principal::HybridActivation)
    }

    pub fn inline(&self) -> bool {
        let policy = self.spec.policy.as_ref();
        policy.is_some_and(|p| p.type_ == Some(smr_api::PolicyType::Inline))
    }

    /// Names of role, policy and instance profile.
    pub fn names(&self) -> [String; 3] {
        let spec = &self.spec;
        let role = spec.role.as_ref().and_then(|r| r.name.clone());
        let role = role.unwrap_or_else(|| "team.web".to_owned());
        let policy = spec.policy.as_ref().and_then(|p| p.name.clone());
        let profile = spec.instance_profile.as_ref().and_then(|p| p.name.clone());
        let or_as_the_role = |name: Option<String>| name.unwrap_or_else(|| role.clone());
        [
            role.clone(),
            or_as_the_role(policy),
            or_as_the_role(profile),
        ]
    }

    /// The ARN of one of AWS's own policies.
    pub fn managed_by_aws(&self, name: &str) -> String {
        format!("arn:{}:iam::aws:policy/{name}", self.partition)
    }

    /// The ARN of a policy of the account.
    pub fn policy_arn(&self, path: &str, name: &str) -> String {
        format!("arn:{}:iam::{ACCOUNT}:policy{path}{name}", self.partition)
    }
}

fn tags() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec!["a", "b", "c", "Team"]);
    let value = prop::sample::select(vec!["", "1", "two words"]);
    prop::collection::btree_map(key, value, 0..4).prop_map(|tags| json!(tags))
}

fn regions(partition: &str) -> [&'static str; 2] {
    match partition {
        "aws-cn" => ["cn-north-1", "cn-northwest-1"],
        "aws-us-gov" => ["us-gov-west-1", "us-gov-east-1"],
        "aws-eusc" => ["eusc-de-east-1", "eusc-de-north-1"],
        _ => ["eu-central-1", "us-west-2"],
    }
}

/// Keys and logs: session key, S3 and CloudWatch Logs, each with its options.
fn access(partition: &'static str) -> impl Strategy<Value = (Value, Value, Value)> {
    let [region, _] = regions(partition);
    let key = |account, id| format!("arn:{partition}:kms:{region}:{account}:key/{id}");
    let other = key("999900001111", "abcd1234-12ab-34cd-56ef-1234567890ab");
    let key = key(ACCOUNT, "1234abcd-12ab-34cd-56ef-1234567890ab");
    let encryption = prop::option::of(any::<bool>())
        .prop_map(move |only| json!(only.map(|o| json!({"kmsKeyArn": key, "sessionsOnly": o}))));
    let bucket = prop::sample::select(vec![
        json!({"bucket": "my-logs"}),
        json!({"bucket": "my-logs", "keyPrefix": "/x/y/"}),
        json!({"bucket": "my-logs", "encryption": "S3Managed", "bucketOwnerAccountId": "999900001111"}),
        json!({"bucket": "my-logs", "keyPrefix": "x", "encryption": "KMS", "kmsKeyArn": other,
            "bucketOwnerAccountId": "999900001111"}),
        json!({"bucket": "my-logs", "encryption": "Unspecified", "bucketOwnerAccountId": ACCOUNT}),
    ]);
    let groups = prop::sample::select(vec![json!({}), json!({"logGroupName": "/ssm/sessions"})]);
    let s3 = prop::option::of(bucket).prop_map(|s3| json!(s3));
    let cloud_watch = prop::option::of(groups).prop_map(|groups| json!(groups));
    (encryption, s3, cloud_watch)
}

pub fn specs() -> impl Strategy<Value = Asked> {
    prop::sample::select(vec!["aws", "aws-cn", "aws-us-gov", "aws-eusc"]).prop_flat_map(|partition| {
        let role = (
            prop::option::of(prop::sample::select(vec!["", "ours", "ours é"])),
            prop::option::of(3600..=43200),
            any::<bool>(),
        );
        let kinds = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
        let further = prop::sample::subsequence(&POLICIES[..3], 0..=2);
        let all_tags = (tags(), tags(), tags(), tags());
        (role, kinds, further, all_tags, access(partition)).prop_map(move |parts| {
            let ((description, session, boundary), kinds, further, tags, access) = parts;
            let (hybrid, inline, named, remove) = kinds;
            let name = |name: &str| named.then(|| name.to_owned());
            let cap = format!("arn:{partition}:iam::{ACCOUNT}:policy/cap");
            let further: Vec<String> = further
                .iter()
                .map(|name| format!("arn:{partition}:iam::aws:policy/{name}"))
                .collect();
            let (encryption, s3, cloud_watch) = access;
            let spec = json!({
                "principal": if hybrid { "HybridActivation" } else { "EC2" },
                "hybrid": (hybrid && named).then(|| json!({"regions": regions(partition)})),
                "role": {"name": name("a-role"), "description": description,
                    "maxSessionDurationSeconds": session, "tags": tags.0,
                    "permissionsBoundaryArn": boundary.then_some(cap)},
                "policy": {"name": name("a-policy"), "type": if inline { "Inline" } else { "Managed" },
                    "tags": (!inline).then_some(tags.1)},
                "instanceProfile": (!hybrid).then(|| json!({"name": name("a-profile"), "tags": tags.2})),
                "tags": tags.3,
                "sessionEncryption": encryption,
                "sessionLogs": {"s3": s3, "cloudWatch": cloud_watch},
                "additionalPolicyArns": further,
                "unlistedPolicyAction": if remove { "Remove" } else { "Report" },
            });
            let spec = serde_json::from_value(spec).unwrap();
            Asked { partition, spec }
        })
    })
}
