//! The permissions boundary of the managed roles: flags in, one document out. No IO.
//!
//! It is a cap: a role under it can do what Session Manager needs and no more, even if its own policy allows
//! everything, and even if someone who is not the controller wrote that policy.

use clap::Args as ClapArgs;
use smr_api::forms;
use smr_core::account::Account;
use smr_core::resolve::document::{Document, Statement};
use smr_core::resolve::validate::wrong;

use super::statement::allow;
use crate::cli::{CliError, flag};

/// What the sessions of an account need. Each repeatable flag narrows the boundary to what it lists.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "With --document boundary")]
pub(super) struct CapArgs {
    /// A bucket for session logs, perhaps with a key prefix; * stands for any characters (repeatable)
    /// [default: every bucket of the account, with --org-id of the organization]
    // Not split at commas, which a prefix may have.
    #[arg(long, value_name = "BUCKET[/PREFIX]")]
    log_bucket: Vec<String>,
    /// A log group for session logs; * stands for any characters (repeatable) [default: every log group of
    /// the account]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    log_group: Vec<String>,
    /// A KMS key for sessions or their logs in S3; * stands for any characters (repeatable) [default: every
    /// key, but for sessions and through S3 only]
    #[arg(long, value_name = "ARN", value_delimiter = ',')]
    kms_key_arn: Vec<String>,
    /// The organization that log buckets belong to
    #[arg(long, value_name = "o-ID")]
    org_id: Option<String>,
    /// Roles work on EC2 instances only, and not for anybody else whom a role's trust policy lets in.
    /// Roles of HybridActivation can do nothing then
    #[arg(long)]
    ec2_only: bool,
}

/// What goes into the document, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cap {
    buckets: Vec<Bucket>,
    log_groups: Vec<String>,
    keys: Vec<String>,
    organization: Option<String>,
    ec2_only: bool,
}

/// Where logs may go.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bucket {
    name: String,
    /// Without outer slashes; empty: the whole bucket.
    prefix: String,
}

impl CapArgs {
    /// Whether one of them is given.
    pub(super) fn is_given(&self) -> Option<&'static str> {
        [
            ("--log-bucket", !self.log_bucket.is_empty()),
            ("--log-group", !self.log_group.is_empty()),
            ("--kms-key-arn", !self.kms_key_arn.is_empty()),
            ("--org-id", self.org_id.is_some()),
            ("--ec2-only", self.ec2_only),
        ]
        .into_iter()
        .find_map(|(name, is_given)| is_given.then_some(name))
    }

    pub(super) fn checked(&self, account: &Account) -> Result<Cap, CliError> {
        let all = |texts: &[String], check: fn(&str, &Account) -> Result<(), CliError>| {
            texts.iter().try_for_each(|text| check(text, account))
        };
        all(&self.log_group, check_log_group)?;
        all(&self.kms_key_arn, check_key)?;
        if let Some(id) = &self.org_id {
            check_organization(id)?;
        }
        let buckets = self.log_bucket.iter().map(|text| bucket(text));
        Ok(Cap {
            buckets: buckets.collect::<Result<_, _>>()?,
            log_groups: self.log_group.clone(),
            keys: self.kms_key_arn.clone(),
            organization: self.org_id.clone(),
            ec2_only: self.ec2_only,
        })
    }
}

/// Checks a text in which `*` stands for any characters as one that has none.
fn check_pattern(name: &'static str, form: &forms::Form, text: &str) -> Result<(), CliError> {
    // A name that only a `*` makes long enough is checked as if it stood for some letters.
    match wrong(form, &text.replace('*', "aaa")) {
        None => Ok(()),
        Some(problem) => Err(flag(name, format!("'{}' {problem}", text.escape_debug()))),
    }
}

fn bucket(text: &str) -> Result<Bucket, CliError> {
    const FLAG: &str = "--log-bucket";
    let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
    let prefix = prefix.trim_matches('/');
    check_pattern(FLAG, &forms::BUCKET, name)?;
    check_pattern(FLAG, &forms::KEY_PREFIX, prefix)?;
    Ok(Bucket {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
    })
}

fn check_log_group(text: &str, _account: &Account) -> Result<(), CliError> {
    check_pattern("--log-group", &forms::LOG_GROUP, text)
}

fn check_key(text: &str, account: &Account) -> Result<(), CliError> {
    let parts: Vec<&str> = text.split(':').collect();
    let fits = matches!(parts[..], ["arn", partition, "kms", _, _, key]
        if partition == account.partition.as_str() && key.starts_with("key/") && key.len() > 4);
    if fits && !text.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(flag(
        "--kms-key-arn",
        format!(
            "'{}' is not the ARN of a key in partition {}, such as arn:{1}:kms:*:{}:key/*: an alias or a key id works in no policy",
            text.escape_debug(),
            account.partition,
            account.id
        ),
    ))
}

fn check_organization(id: &str) -> Result<(), CliError> {
    let rest = id.strip_prefix("o-").unwrap_or_default();
    let fits = (10..=32).contains(&rest.len())
        && rest
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if fits {
        return Ok(());
    }
    let problem = format!(
        "'{}' is not the id of an organization, such as o-a1b2c3d4e5: 'aws organizations describe-organization' prints it",
        id.escape_debug()
    );
    Err(flag("--org-id", problem))
}

/// All that a Session Manager role can ever need, whatever its policies say: it caps them.
pub(super) fn boundary(account: &Account, cap: &Cap) -> Document {
    let statements = [
        vec![sessions()],
        log_groups(account, cap),
        buckets(account, cap),
        keys(account, cap),
    ];
    let all = statements.concat().into_iter();
    Document {
        statements: all.map(|statement| on_ec2(statement, cap)).collect(),
    }
}

/// EC2 puts the instance's ARN into the credentials that it hands to the instance. Nobody else's have it.
fn on_ec2(statement: Statement, cap: &Cap) -> Statement {
    if cap.ec2_only {
        statement.when("Null", "ec2:SourceInstanceARN", ["false"])
    } else {
        statement
    }
}

fn everywhere() -> Vec<String> {
    vec!["*".to_owned()]
}

fn sessions() -> Statement {
    let agent = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ];
    allow("Sessions", &agent, everywhere())
}

/// The agent writes to its own account only.
fn log_groups(account: &Account, cap: &Cap) -> Vec<Statement> {
    let arn = |group: &str| {
        format!(
            "arn:{}:logs:*:{}:log-group:{group}",
            account.partition, account.id
        )
    };
    let groups = if cap.log_groups.is_empty() {
        vec![arn("*")]
    } else {
        let groups = cap.log_groups.iter();
        groups.map(|group| arn(&format!("{group}:*"))).collect()
    };
    let writing = [
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "logs:DescribeLogStreams",
    ];
    vec![
        allow("LogGroups", &writing, groups),
        allow("LogGroupNames", &["logs:DescribeLogGroups"], everywhere()),
    ]
}

/// The names of buckets are known to everybody: without a list, only those of the own account or organization.
fn buckets(account: &Account, cap: &Cap) -> Vec<Statement> {
    let arn = |rest: &str| format!("arn:{}:s3:::{rest}", account.partition);
    let objects = |bucket: &Bucket| match bucket.prefix.as_str() {
        "" => arn(&format!("{}/*", bucket.name)),
        prefix => arn(&format!("{}/{prefix}/*", bucket.name)),
    };
    let (objects, buckets) = if cap.buckets.is_empty() {
        (vec![arn("*/*")], everywhere())
    } else {
        (
            cap.buckets.iter().map(objects).collect(),
            cap.buckets.iter().map(|b| arn(&b.name)).collect(),
        )
    };
    let of_those = |statement: Statement| match &cap.organization {
        Some(id) => statement.when("StringEquals", "aws:ResourceOrgID", [id]),
        None if cap.buckets.is_empty() => {
            statement.when("StringEquals", "aws:ResourceAccount", [&account.id])
        }
        None => statement,
    };
    // The agent hands its uploads over to the bucket's owner. Any other ACL could open an object to strangers.
    let acl = allow("LogOwner", &["s3:PutObjectAcl"], objects.clone()).when(
        "StringEquals",
        "s3:x-amz-acl",
        ["bucket-owner-full-control"],
    );
    vec![
        of_those(allow("LogBuckets", &["s3:PutObject"], objects)),
        of_those(acl),
        allow(
            "LogBucketEncryption",
            &["s3:GetEncryptionConfiguration"],
            buckets,
        ),
    ]
}

/// A key is for sessions, whose encryption context the agent sends with each call, or for objects in S3.
fn keys(account: &Account, cap: &Cap) -> Vec<Statement> {
    let partition = account.partition;
    let keys = if cap.keys.is_empty() {
        vec![format!("arn:{partition}:kms:*:*:key/*")]
    } else {
        cap.keys.clone()
    };
    vec![
        allow("SessionKeys", &["kms:Decrypt"], keys.clone()).when(
            "StringLike",
            "kms:EncryptionContext:aws:ssm:SessionId",
            ["*"],
        ),
        allow("BucketKeys", &["kms:Decrypt", "kms:GenerateDataKey"], keys).when(
            "StringLike",
            "kms:ViaService",
            [format!("s3.*.{}", partition.dns_suffix())],
        ),
    ]
}

/// What the operator should know of what a boundary leaves open.
pub(super) fn warning(account: &Account, cap: &Cap) -> Option<String> {
    match (&cap.organization, cap.buckets.is_empty()) {
        (organization, true) => {
            let of = match organization {
                Some(id) => format!("organization {id}"),
                None => format!("account {}", account.id),
            };
            Some(format!(
                "under this boundary, a managed role whose object names a bucket can write to any bucket of {of}. \
                 --log-bucket NAME[/PREFIX] limits it to the buckets of session logs."
            ))
        }
        (None, false) => Some(
            "under this boundary, whoever owns a bucket of these names gets the logs, also a stranger after you \
             deleted it. --org-id limits it to buckets of your organization."
                .to_owned(),
        ),
        (Some(_), false) => None,
    }
}
