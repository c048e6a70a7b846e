//! A few of AWS's own managed policies: an ARN enters, the policy leaves. No IO.

use std::sync::Arc;

use crate::store::{Policy, Version};

/// (path, name, a document in the spirit of the real one)
const POLICIES: &[(&str, &str, &str)] = &[
    (
        "/",
        "AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "/",
        "AmazonS3ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}]}"#,
    ),
    ("/", "AmazonSSMManagedEC2InstanceDefaultPolicy", SSM),
    ("/", "AmazonSSMManagedInstanceCore", SSM),
    (
        "/",
        "AmazonSSMPatchAssociation",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:DescribeEffectivePatchesForPatchBaseline","Resource":"*"}]}"#,
    ),
    (
        "/",
        "CloudWatchAgentServerPolicy",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudwatch:PutMetricData","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
    (
        "/",
        "PowerUserAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}"#,
    ),
    (
        "/",
        "ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","ssm:Get*"],"Resource":"*"}]}"#,
    ),
    ("/service-role/", "AmazonEC2RoleforSSM", SSM),
];

const SSM: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:UpdateInstanceInformation","ssmmessages:CreateControlChannel","ssmmessages:CreateDataChannel","ssmmessages:OpenControlChannel","ssmmessages:OpenDataChannel"],"Resource":"*"}]}"#;

/// 2020-01-01: any fixed moment does.
const CREATED: i64 = 1_577_836_800;

/// The AWS managed policy of that ARN, in whichever partition.
pub fn find(arn: &str) -> Option<Arc<Policy>> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":iam::aws:policy")?;
    let index = POLICIES
        .iter()
        .position(|(path, name, _)| rest.strip_prefix(path).is_some_and(|tail| tail == *name))?;
    Some(policy(partition, index))
}

/// All of them, as a partition names them.
pub fn all(partition: &str) -> impl Iterator<Item = Arc<Policy>> {
    (0..POLICIES.len()).map(move |index| policy(partition, index))
}

/// Whether an ARN names a policy of AWS's own, known here or not.
pub fn is_aws_managed(arn: &str) -> bool {
    arn.contains(":iam::aws:policy/")
}

fn policy(partition: &str, index: usize) -> Arc<Policy> {
    let (path, name, document) = POLICIES[index];
    Arc::new(Policy {
        name: name.to_owned(),
        path: path.to_owned(),
        id: format!(
            "ANPAAWSMANAGEDPOLICY{}",
            &"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index..=index]
        ),
        arn: format!("arn:{partition}:iam::aws:policy{path}{name}"),
        created: CREATED,
        updated: CREATED,
        description: Some(format!("{name}, managed by AWS.")),
        default_version: 1,
        next_version: 2,
        versions: vec![Version {
            number: 1,
            document: document.to_owned(),
            created: CREATED,
        }],
        tags: Vec::new(),
    })
}
