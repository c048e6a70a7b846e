//! The role's policy, statement for statement as AWS's page "Create a custom IAM role for Session
//! Manager" has it. In: the validated spec; out: a [`Document`]. No IO.

use super::{Document, Statement};
use crate::account::{Account, Partition};
use crate::resolve::validate::{
    CloudWatchLogs, S3Encryption, S3Logs, SessionEncryption, ValidSpec,
};

/// The agent's four channels. Their order is the page's.
const CHANNELS: [&str; 4] = [
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];
const UPDATE_INSTANCE_INFORMATION: &str = "ssm:UpdateInstanceInformation";

/// The policy that lets the SSM agent do what the spec asks for, and no more.
///
/// Without logs it is the page's first policy (A1, A2), with logs the second (B1 to B6), less the
/// statements that were not asked for.
pub fn role_policy(spec: &ValidSpec) -> Document {
    let statements = if spec.s3_logs.is_none() && spec.cloud_watch_logs.is_none() {
        minimal(spec)
    } else {
        with_logs(spec)
    };
    Document { statements }
}

fn minimal(spec: &ValidSpec) -> Vec<Statement> {
    let actions = std::iter::once(UPDATE_INSTANCE_INFORMATION).chain(CHANNELS);
    let mut statements = vec![Statement::allow(actions, ["*"])]; // A1
    statements.extend(spec.session_encryption.as_ref().map(decrypt_sessions)); // A2
    statements
}

fn with_logs(spec: &ValidSpec) -> Vec<Statement> {
    let actions = CHANNELS.into_iter().chain([UPDATE_INSTANCE_INFORMATION]);
    let mut statements = vec![Statement::allow(actions, ["*"])]; // B1
    if let Some(logs) = &spec.cloud_watch_logs {
        statements.extend(write_log_events(logs, &spec.account)); // B2
    }
    if let Some(logs) = &spec.s3_logs {
        statements.push(put_objects(logs, &spec.account)); // B3
        statements.push(Statement::allow(["s3:GetEncryptionConfiguration"], ["*"])); // B4
    }
    statements.extend(spec.session_encryption.as_ref().map(decrypt_sessions)); // B5
    if let Some(logs) = &spec.s3_logs {
        statements.extend(bucket_key(logs)); // B6
    }
    statements
}

/// A2 and B5. With `sessionsOnly`, only what carries the encryption context that the agent sends
/// for session data.
fn decrypt_sessions(encryption: &SessionEncryption) -> Statement {
    let statement = Statement::allow(["kms:Decrypt"], [encryption.kms_key_arn.as_str()]);
    if encryption.sessions_only {
        statement.when(
            "StringLike",
            "kms:EncryptionContext:aws:ssm:SessionId",
            ["*"],
        )
    } else {
        statement
    }
}

/// B2. DescribeLogGroups can't be narrowed to one group.
fn write_log_events(logs: &CloudWatchLogs, account: &Account) -> Vec<Statement> {
    const WRITING: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
    match &logs.log_group_name {
        None => vec![Statement::allow(
            WRITING
                .into_iter()
                .chain(["logs:DescribeLogGroups", "logs:DescribeLogStreams"]),
            ["*"],
        )],
        Some(group) => vec![
            Statement::allow(
                WRITING.into_iter().chain(["logs:DescribeLogStreams"]),
                [format!(
                    "arn:{}:logs:*:{}:log-group:{group}:*",
                    account.partition, account.id
                )],
            ),
            Statement::allow(["logs:DescribeLogGroups"], ["*"]),
        ],
    }
}

/// B3. A bucket of another account gets the logs handed over with an ACL.
fn put_objects(logs: &S3Logs, account: &Account) -> Statement {
    let handing_over = logs
        .other_owner(account)
        .is_some()
        .then_some("s3:PutObjectAcl");
    Statement::allow(
        std::iter::once("s3:PutObject").chain(handing_over),
        [logs.objects_arn(account)],
    )
}

/// B6. S3 encrypts uploads with the bucket's key: GenerateDataKey, and Decrypt for multipart ones.
fn bucket_key(logs: &S3Logs) -> Option<Statement> {
    match &logs.encryption {
        S3Encryption::Unspecified => Some(Statement::allow(["kms:GenerateDataKey"], ["*"])),
        S3Encryption::S3Managed => None,
        S3Encryption::Kms { key_arn } => Some(for_s3(key_arn, key_arn)),
    }
}

/// What uploads need of the bucket's key, through S3 only. The key's region is the bucket's.
pub(super) fn for_s3(key_arn: &str, resource: &str) -> Statement {
    // S3 answers under the DNS suffix of the key's partition, which validation has seen to be the account's.
    let partition = key_arn.split(':').nth(1).and_then(|p| p.parse().ok());
    let suffix = partition.unwrap_or(Partition::Aws).dns_suffix();
    Statement::allow(["kms:GenerateDataKey", "kms:Decrypt"], [resource]).when(
        "StringLike",
        "kms:ViaService",
        [format!("s3.*.{suffix}")],
    )
}
