//! The controller's rights in AWS: how it is started in, what IAM lets it do out. Runs the program, as whoever sets a
//! controller up does.
//!
//! The emulator holds the controller to the policy that `smr controller-policy` prints for its flags, and to the service
//! control policy: what is missing in them shows as a refusal, in every test.

use std::process::{Command, Stdio};

use iam_emulator::{Enforced, PolicyDocument};
use serde_json::{Value, json};
use smr_core::account::Partition;

use super::{ACCOUNT, KEY, SECOND_KEY, Start};

/// The policies of a controller that is started so, for each of its replicas. None where it may use the path `/`, below
/// which everything would be its own, or in a partition that it does not know: for these there is no policy.
pub fn in_force(start: &Start, partition: &str) -> Vec<Enforced> {
    let is_known = Partition::ALL
        .iter()
        .any(|known| known.as_str() == partition);
    let policy = is_known.then(|| policy(start, partition)).flatten();
    let Some(policy) = policy else {
        return Vec::new();
    };
    let role = format!("arn:{partition}:iam::{ACCOUNT}:role/session-manager-role");
    let scp = printed(&["--document=scp", &format!("--controller-role-arn={role}")]);
    let keys = [KEY, SECOND_KEY];
    keys.map(|key| held(key, &policy, &scp, &role)).to_vec()
}

/// Who has this key is this role, with this policy, in an organization with this SCP.
pub fn held(key: &str, policy: &str, scp: &str, role: &str) -> Enforced {
    let document = |text: &str| -> PolicyDocument { text.parse().unwrap() };
    Enforced {
        access_key_id: key.to_owned(),
        principal_arn: role.parse().unwrap(),
        policy: document(policy),
        boundary: None,
        scps: vec![document(&beside_full_access(scp))],
    }
}

/// What is attached to an organization's root besides what AWS attaches there.
fn beside_full_access(scp: &str) -> String {
    let mut document: Value = serde_json::from_str(scp).unwrap();
    let full = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    document["Statement"].as_array_mut().unwrap().push(full);
    document.to_string()
}

fn policy(start: &Start, partition: &str) -> Option<String> {
    let values = |name: &str| {
        let flags = start.flags.iter().filter_map(|flag| flag.split_once('='));
        let of_name = flags.filter(|(flag, _)| *flag == name);
        let all = of_name.flat_map(|(_, values)| values.split(','));
        all.map(str::to_owned).collect::<Vec<String>>()
    };
    let mut paths = start.former_paths.clone();
    paths.extend([values("--default-path"), values("--allow-path")].concat());
    if paths.iter().any(|path| path == "/") {
        return None;
    }
    paths.dedup();
    let mut flags: Vec<String> = paths.iter().map(|path| format!("--path={path}")).collect();
    flags.push(format!("--partition={partition}"));
    let mut add = |flag: &str, values: Vec<String>| {
        flags.extend(values.iter().map(|value| format!("{flag}={value}")));
    };
    add(
        "--additional-policy-arn",
        values("--allow-additional-policy"),
    );
    let boundary = values("--permissions-boundary-arn");
    let tag_keys = values("--allow-tag-key");
    if !tag_keys.is_empty() {
        let key = |tag: &String| tag.split('=').next().unwrap_or_default().to_owned();
        let of_operator = values("--tag").iter().map(key).collect();
        add("--tag-key", [tag_keys, of_operator].concat());
    }
    match boundary.first() {
        Some(arn) => add("--permissions-boundary-arn", vec![arn.clone()]),
        None => flags.push("--without-boundary".to_owned()),
    }
    if start.flags.iter().any(|flag| flag == "--observe") {
        flags.push("--read-only".to_owned());
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Some(printed(&flags))
}

/// What `smr controller-policy` prints.
fn printed(flags: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_smr"))
        .args([
            "controller-policy",
            "--cluster-name=test",
            "--account-id",
            ACCOUNT,
        ])
        .args(flags)
        .env_clear()
        // That it does without a boundary, where it does.
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "smr controller-policy {flags:?}");
    String::from_utf8(output.stdout).unwrap()
}
