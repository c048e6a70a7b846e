//! The program: requests enter on its standard input and verdicts leave, and a file of callers enters
//! that are then held to policies. Does IO.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use aws_sdk_iam::Client;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_iam::error::ProvideErrorMetadata as _;

const PROGRAM: &str = env!("CARGO_BIN_EXE_iam-emulator");
const ALLOW: &str = r#"{"policies":[{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}}],"boundary":null,"scps":[],"action":"iam:GetRole","resource":"*","context":{}}"#;

/// Ends the program with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn judged(input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg("--judge")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn each_line_gets_its_verdict() {
    let deny = ALLOW.replace("iam:GetRole", "iam:PutRolePolicy");
    let output = judged(&format!("{ALLOW}\n{deny}\n{ALLOW}\n"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"allowed\ndenied\nallowed\n");
}

#[test]
fn a_line_that_is_not_understood_ends_it() {
    let wrong = ALLOW.replace("Resource", "Resources");
    let output = judged(&format!("{ALLOW}\n{wrong}\n{ALLOW}\n"));
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"allowed\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("line 2") && said.contains("Resources"),
        "{said}"
    );
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn callers_of_the_file_are_held() {
    let callers = r#"[{"access_key_id":"AKIAHELD","principal_arn":"arn:aws:iam::111122223333:role/r","policy":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iam:ListPolicies\",\"Resource\":\"*\"}}","boundary":null,"scps":[]}]"#;
    let mut child = Command::new(PROGRAM)
        .arg("--enforce")
        .arg(file("callers.json", callers))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let _running = Running(child);
    let mut endpoint = String::new();
    BufReader::new(stdout).read_line(&mut endpoint).unwrap();
    for (key, expected) in [("AKIAHELD", Some("AccessDenied")), ("AKIAFREE", None)] {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint.trim())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(key, "s", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .load()
            .await;
        let iam = Client::new(&config);
        iam.list_policies().send().await.unwrap();
        let error = iam.list_roles().send().await.err();
        assert_eq!(error.as_ref().and_then(|error| error.code()), expected);
    }
}

#[test]
fn a_file_that_is_wrong_is_named() {
    let path = file("wrong.json", r#"[{"access_key_id":"AKIAHELD"}]"#);
    let output = Command::new(PROGRAM)
        .arg("--enforce")
        .arg(&path)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("wrong.json") && said.contains("principal_arn"),
        "{said}"
    );
}
