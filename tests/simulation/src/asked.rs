//! Any spec that can be asked for, in any partition, and of which object. A random source in, values out; no IO.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use smr_api::{SessionManagerRoleSpec, Tags};

/// The account of every case.
pub const ACCOUNT: &str = "111122223333";
/// The path of all that is ours.
pub const PATH: &str = "/session-manager/";
/// The UID of the object team/web.
pub const UID: &str = "33333333-aaaa-bbbb-cccc-444444444444";
/// The name of the cluster.
pub const CLUSTER: &str = "test";
/// The cluster's UID.
pub const CLUSTER_UID: &str = "uid-of-test";
/// All partitions.
pub const PARTITIONS: [&str; 4] = ["aws", "aws-cn", "aws-us-gov", "aws-eusc"];
/// AWS's own policies that specs list and others attach.
pub const POLICIES: [&str; 5] = [
    "ReadOnlyAccess",
    "CloudWatchAgentServerPolicy",
    "AmazonSSMPatchAssociation",
    "AmazonS3ReadOnlyAccess",
    "PowerUserAccess",
];

/// The object that asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Subject {
    /// An object of this name.
    pub fn new(namespace: &str, name: &str, uid: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
        }
    }

    /// As the ownership tag names it.
    pub fn owner(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The tags that say so of an object in IAM.
    pub fn stamps(&self) -> [(String, String); 4] {
        let stamp =
            |key: &str, value: &str| (format!("sessionmanager.dev/{key}"), value.to_owned());
        [
            stamp("cluster", CLUSTER),
            stamp("cluster-uid", CLUSTER_UID),
            stamp("owner", &self.owner()),
            stamp("uid", &self.uid),
        ]
    }

    /// Whether these are the tags of an object of its own.
    pub fn is_stamped(&self, tags: &Tags) -> bool {
        let mut stamps = self.stamps().into_iter();
        stamps.all(|(key, value)| tags.get(&key) == Some(&value))
    }
}

/// A spec, and who asks for it where.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The partition of the account.
    pub partition: &'static str,
    /// Whose spec it is.
    pub subject: Subject,
    /// What is asked for.
    pub spec: SessionManagerRoleSpec,
}

impl Asked {
    /// The same of another object; a name in spec is that object's own.
    #[must_use]
    pub fn of(mut self, subject: &Subject) -> Self {
        let own = |name: &mut Option<String>, what: &str| {
            if let Some(name) = name {
                *name = format!("{}-{what}", subject.name);
            }
        };
        let Self { spec, .. } = &mut self;
        if let Some(role) = &mut spec.role {
            own(&mut role.name, "role");
        }
        if let Some(policy) = &mut spec.policy {
            own(&mut policy.name, "policy");
        }
        if let Some(profile) = &mut spec.instance_profile {
            own(&mut profile.name, "profile");
        }
        self.subject = subject.clone();
        self
    }

    /// The same object with another spec: what can't be changed stays.
    #[must_use]
    pub fn edited(&self, new: Self) -> Self {
        let mut spec = new.spec;
        let old = &self.spec;
        spec.principal = old.principal;
        spec.hybrid = spec.hybrid.filter(|_| self.hybrid());
        let role_name = old.role.as_ref().and_then(|role| role.name.clone());
        let policy_name = old.policy.as_ref().and_then(|policy| policy.name.clone());
        let profile = old.instance_profile.as_ref();
        let profile_name = profile.and_then(|profile| profile.name.clone());
        spec.role.get_or_insert_default().name = role_name;
        spec.policy.get_or_insert_default().name = policy_name;
        if self.hybrid() {
            spec.instance_profile = None;
        } else {
            spec.instance_profile.get_or_insert_default().name = profile_name;
        }
        Self {
            spec,
            ..self.clone()
        }
    }

    /// Whether the role is for on-premises servers.
    pub fn hybrid(&self) -> bool {
        self.spec.principal == Some(smr_api::Principal::HybridActivation)
    }

    /// Whether the policy is inside the role.
    pub fn inline(&self) -> bool {
        let policy = self.spec.policy.as_ref();
        policy.is_some_and(|p| p.type_ == Some(smr_api::PolicyType::Inline))
    }

    /// Names of role, policy and instance profile.
    pub fn names(&self) -> [String; 3] {
        let spec = &self.spec;
        let role = spec.role.as_ref().and_then(|r| r.name.clone());
        let role =
            role.unwrap_or_else(|| format!("{}.{}", self.subject.namespace, self.subject.name));
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

/// Every kind of spec in every partition, as one of the object team/web.
pub fn specs() -> impl Strategy<Value = Asked> {
    prop::sample::select(PARTITIONS.to_vec()).prop_flat_map(specs_in)
}

/// Every kind of spec in one partition.
pub fn specs_in(partition: &'static str) -> impl Strategy<Value = Asked> {
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
            Asked { partition, subject: Subject::new("team", "web", UID), spec }
        })
}

/// What a strategy gives for a seed.
pub fn sample<S: Strategy>(strategy: &S, seed: u64) -> S::Value {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).unwrap().current()
}
