//! What someone has to allow outside IAM: statements for a bucket's and for keys' policies.
//! In: the validated spec and the role's ARN; out: JSON texts. No IO.

use smr_api::Counterparts;

use super::policy::for_s3;
use super::{Document, Principal, Statement};
use crate::account::Account;
use crate::resolve::validate::{S3Encryption, S3Logs, SessionEncryption, ValidSpec};

/// The statements, each naming the role and as narrow as the role's own: in one account either
/// is enough to allow. `None` where nothing is needed.
pub fn counterparts(spec: &ValidSpec, role_arn: &str) -> Option<Counterparts> {
    let role = || Principal::Aws(role_arn.to_owned());
    let s3 = spec.s3_logs.as_ref();
    let counterparts = Counterparts {
        bucket_policy: s3
            .filter(|logs| logs.other_owner(&spec.account).is_some())
            .map(|logs| json(bucket_policy(logs, &spec.account, &role))),
        bucket_key_policy: s3.and_then(|logs| match &logs.encryption {
            S3Encryption::Kms { key_arn } => {
                Some(json(vec![for_s3(key_arn, "*").principal(role())]))
            }
            S3Encryption::Unspecified | S3Encryption::S3Managed => None,
        }),
        session_key_policy: spec
            .session_encryption
            .as_ref()
            .map(|key| json(vec![session_key(key, role())])),
    };
    (counterparts != Counterparts::default()).then_some(counterparts)
}

/// The agent always uploads with the ACL `bucket-owner-full-control`, without which the bucket's
/// owner could not read the logs.
fn bucket_policy(
    logs: &S3Logs,
    account: &Account,
    role: &impl Fn() -> Principal,
) -> Vec<Statement> {
    let bucket_arn = format!("arn:{}:s3:::{}", account.partition, logs.bucket);
    vec![
        Statement::allow(
            ["s3:PutObject", "s3:PutObjectAcl"],
            [logs.objects_arn(account)],
        )
        .principal(role())
        .when(
            "StringEquals",
            "s3:x-amz-acl",
            ["bucket-owner-full-control"],
        ),
        Statement::allow(["s3:GetEncryptionConfiguration"], [bucket_arn]).principal(role()),
    ]
}

fn session_key(key: &SessionEncryption, role: Principal) -> Statement {
    let statement = Statement::allow(["kms:Decrypt"], ["*"]).principal(role);
    if key.sessions_only {
        statement.when(
            "StringLike",
            "kms:EncryptionContext:aws:ssm:SessionId",
            ["*"],
        )
    } else {
        statement
    }
}

fn json(statements: Vec<Statement>) -> String {
    Document { statements }.to_json()
}
