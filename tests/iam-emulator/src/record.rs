//! A record of what AWS would authorise each call on: a call and the store before it enter; one line
//! of JSON at the end of a file leaves. Does IO.
//!
//! So a policy can be judged by an evaluator from calls that were really made.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::authorisation::Authorisation;

/// Appends a call.
pub fn note(file: &Path, access_key_id: &str, asked: Authorisation) {
    let line = format!("{}\n", line(access_key_id, asked));
    // One write, so that lines of several emulators don't mix. A record that can't be written is
    // missed by whoever wants to read it.
    let open = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file);
    let _ = open.and_then(|mut file| file.write_all(line.as_bytes()));
}

fn line(access_key_id: &str, asked: Authorisation) -> serde_json::Value {
    let map = |tags: Vec<(String, String)>| tags.into_iter().collect::<BTreeMap<_, _>>();
    json!({
        "accessKeyId": access_key_id,
        "action": asked.action,
        "resource": asked.resource,
        "resourceTags": map(asked.resource_tags),
        "requestTags": map(asked.request_tags),
        "untaggedKeys": asked.untagged_keys,
        "boundary": asked.boundary,
        "policyArn": asked.policy_arn,
        "role": asked.role,
    })
}
