//! Session logs: `spec.sessionLogs` in, where logs may be written out. No IO.

use smr_api::SessionManagerRoleSpec;

use super::Problems;
use crate::account::Account;

/// Session logs to S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Logs {
    /// The bucket's name.
    pub bucket: String,
    /// Without slashes at its ends; may be empty.
    pub key_prefix: String,
    /// As spec has it.
    pub bucket_owner_account_id: Option<String>,
    /// How the bucket encrypts.
    pub encryption: S3Encryption,
}

impl S3Logs {
    /// The bucket's owner, where that is another account than the role's.
    pub fn other_owner(&self, account: &Account) -> Option<&str> {
        self.bucket_owner_account_id
            .as_deref()
            .filter(|owner| *owner != account.id)
    }

    /// The ARN of every object that a log may become.
    pub fn objects_arn(&self, account: &Account) -> String {
        let Self {
            bucket, key_prefix, ..
        } = self;
        let slash = if key_prefix.is_empty() { "" } else { "/" };
        format!(
            "arn:{}:s3:::{bucket}/{key_prefix}{slash}*",
            account.partition
        )
    }
}

/// How the log bucket encrypts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3Encryption {
    /// Not said.
    Unspecified,
    /// With keys of S3.
    S3Managed,
    /// With this key.
    Kms {
        /// The key's ARN.
        key_arn: String,
    },
}

/// Session logs to CloudWatch Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudWatchLogs {
    /// `None`: any group.
    pub log_group_name: Option<String>,
}

pub(super) fn s3_logs(spec: &SessionManagerRoleSpec, problems: &mut Problems) -> Option<S3Logs> {
    const KEY: &str = "spec.sessionLogs.s3.kmsKeyArn";
    let logs = spec.session_logs.as_ref()?.s3.as_ref()?;
    let key_prefix = logs
        .key_prefix
        .as_deref()
        .unwrap_or_default()
        .trim_matches('/')
        .to_owned();
    let encryption = match (logs.encryption.unwrap_or_default(), &logs.kms_key_arn) {
        (smr_api::S3Encryption::KMS, Some(arn)) => S3Encryption::Kms {
            key_arn: arn.clone(),
        },
        (smr_api::S3Encryption::KMS, None) => {
            problems.add(
                KEY,
                "is needed with encryption KMS: write the ARN of the bucket's key",
            );
            S3Encryption::Unspecified
        }
        (smr_api::S3Encryption::Unspecified | smr_api::S3Encryption::S3Managed, Some(_)) => {
            problems.add(KEY, "needs encryption KMS: set spec.sessionLogs.s3.encryption to KMS, or remove the key");
            S3Encryption::Unspecified
        }
        (smr_api::S3Encryption::Unspecified, None) => S3Encryption::Unspecified,
        (smr_api::S3Encryption::S3Managed, None) => S3Encryption::S3Managed,
    };
    Some(S3Logs {
        bucket: logs.bucket.clone(),
        key_prefix,
        bucket_owner_account_id: logs.bucket_owner_account_id.clone(),
        encryption,
    })
}

pub(super) fn cloud_watch_logs(spec: &SessionManagerRoleSpec) -> Option<CloudWatchLogs> {
    let logs = spec.session_logs.as_ref()?.cloud_watch.as_ref()?;
    Some(CloudWatchLogs {
        log_group_name: logs.log_group_name.clone(),
    })
}
