//! Calls of the Query protocol in words, made in process. Words enter; the answer or the refusal leaves.
//! No IO.
#![allow(dead_code)] // Each test program uses a part of it.

use iam_emulator::{Emulator, Incoming};

pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
pub const POLICY: &str = "arn:aws:iam::111122223333:policy/p";

pub const ROLE: &str = "CreateRole RoleName=r AssumeRolePolicyDocument=TRUST";
pub const CREATE_POLICY: &str = "CreatePolicy PolicyName=p PolicyDocument=DOCUMENT";
pub const PROFILE: &str = "CreateInstanceProfile InstanceProfileName=i";
pub const ATTACH: &str = "AttachRolePolicy RoleName=r PolicyArn=POLICY";
pub const DETACH: &str = "DetachRolePolicy RoleName=r PolicyArn=POLICY";
pub const ADD: &str = "AddRoleToInstanceProfile RoleName=r InstanceProfileName=i";
pub const REMOVE: &str = "RemoveRoleFromInstanceProfile RoleName=r InstanceProfileName=i";
pub const VERSION: &str = "CreatePolicyVersion PolicyArn=POLICY PolicyDocument=DOCUMENT";
pub const INLINE: &str = "PutRolePolicy RoleName=r PolicyName=x PolicyDocument=DOCUMENT";
pub const BOUND: &str = "PutRolePermissionsBoundary RoleName=r PermissionsBoundary=POLICY";

/// Calls: an action and its parameters, `CreateRole RoleName=r`. What has to be long is written
/// short: `TRUST`, `DOCUMENT` and `POLICY`.
pub async fn call(emulator: &Emulator, call: &str) -> Result<String, (String, String)> {
    let (action, params) = call.split_once(' ').unwrap_or((call, ""));
    let mut body = format!("Action={action}&Version=2010-05-08");
    for pair in params.split_whitespace() {
        let (name, value) = pair.split_once('=').unwrap();
        let value = match value {
            "TRUST" => TRUST,
            "DOCUMENT" => DOCUMENT,
            "POLICY" => POLICY,
            other => other,
        };
        let value =
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
        body += &["&", name, "=", &value.to_string()].concat();
    }
    let incoming = Incoming {
        authorization: "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/iam/aws4_request"
            .to_owned(),
        body,
        ..Incoming::default()
    };
    let reply = emulator.handle(incoming).await.unwrap();
    let between = |name: &str| {
        let (_, rest) = reply.body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.to_owned())
    };
    if reply.status == 200 {
        Ok(reply.body.clone())
    } else {
        Err((between("Code").unwrap(), between("Message").unwrap()))
    }
}

pub async fn all(emulator: &Emulator, calls: &[&str]) {
    for each in calls {
        call(emulator, each)
            .await
            .unwrap_or_else(|refusal| panic!("{each}: {refusal:?}"));
    }
}
