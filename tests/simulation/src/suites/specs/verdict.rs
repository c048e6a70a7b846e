//! What came of one spec: the answer of the API server, or the object at rest, enters; what it is counted as, or
//! what is wrong, leaves. No IO.

use iam_emulator::Snapshot;
use kube::core::Status;
use serde_json::Value;

use super::shape::Shape;
use crate::oracle::Known;

/// Reasons for which a person has to act on spec, or on what it names.
const REASONS: [&str; 4] = ["InvalidSpec", "NotOwned", "QuotaExceeded", "PolicyTooLarge"];
/// How long a condition's message may be.
const MESSAGE_MAX: usize = 32_768;

/// Why an object is not at rest, where it is not.
pub fn restless(known: &Known) -> Option<String> {
    if !known.is_there {
        return None;
    }
    let is_current = known.status["observedGeneration"] == known.generation;
    let is_said = match known.condition("Ready") {
        Some(("True", _)) => known.is_as_asked(),
        Some((_, "Drifted")) => observes(known) && !known.is_as_asked(),
        _ => known
            .condition("Stalled")
            .is_some_and(|(is, _)| is == "True"),
    };
    (!is_current || !is_said).then(|| {
        format!(
            "{} is not at rest at generation {}; IAM is as asked: {}; {}",
            known.subject.owner(),
            known.generation,
            known.is_as_asked(),
            known.status
        )
    })
}

/// Whether nothing is to be written for it, not even at its deletion.
pub fn observes(known: &Known) -> bool {
    let asked = known.asked();
    asked.is_some_and(|asked| asked.spec.mode == Some(smr_api::Mode::Observe))
}

/// A refusal is of the asker's making, and names the field.
pub fn refusal(shape: &Shape, status: &Status) -> Vec<String> {
    let mut wrong = Vec::new();
    if !(400..500).contains(&status.code) {
        wrong.push(format!(
            "the API server says {}: {}",
            status.code, status.message
        ));
    }
    if !names_a_field(shape, &status.message) {
        wrong.push(format!("the refusal names no field: {}", status.message));
    }
    // The server quotes values as Go does; what the rules say is in their own hands.
    for said in status.message.split("can't have ").skip(1) {
        let said = said.split(": it takes").next().unwrap_or_default();
        if let Some(c) = control(said, &[]) {
            wrong.push(format!("the refusal has {c:?}: {:?}", status.message));
        }
    }
    wrong
}

/// Whether a text names spec or a field of it.
fn names_a_field(shape: &Shape, text: &str) -> bool {
    let mut fields = shape
        .fields
        .iter()
        .filter(|field| !field.pointer.is_empty());
    fields.any(|field| text.contains(&field.path()))
        || [" spec:", "[spec:", " spec "]
            .iter()
            .any(|said| text.contains(said))
}

/// A character that no message may have.
fn control(text: &str, allowed: &[char]) -> Option<char> {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().find(|c| hides(*c) && !allowed.contains(c))
}

/// What an object at rest is counted as.
pub fn name(known: &Known) -> String {
    match known.condition("Ready") {
        Some(("True", _)) => "Ready".to_owned(),
        Some((_, reason)) => reason.to_owned(),
        None => "nothing said".to_owned(),
    }
}

/// What an object at rest says.
pub fn said(shape: &Shape, known: &Known) -> Vec<String> {
    let mut wrong = Vec::new();
    let stalled = known.condition("Stalled").filter(|(is, _)| *is == "True");
    if let Some((_, reason)) = stalled {
        let message = message(&known.status, "Stalled");
        if reason == "InvalidSpec" && message.contains(": it takes ") {
            wrong.push(format!("the API server has let through: {message}"));
        }
        if !(REASONS.contains(&reason) || reason == "Drifted" && observes(known)) {
            wrong.push(format!("Stalled for {reason}: {message}"));
        }
        let names = known
            .asked()
            .map(crate::asked::Asked::names)
            .into_iter()
            .flatten();
        let mut names = names.filter(|name| message.contains(name));
        if reason != "Drifted" && !names_a_field(shape, message) && names.next().is_none() {
            wrong.push(format!(
                "Stalled for {reason}, and no field or name is told: {message}"
            ));
        }
    }
    for condition in known.status["conditions"].as_array().into_iter().flatten() {
        let message = condition["message"].as_str().unwrap_or_default();
        if let Some(c) = control(message, &[]) {
            wrong.push(format!("a condition has {c:?}: {message:?}"));
        }
        if message.len() > MESSAGE_MAX {
            wrong.push(format!("a condition's message has {} bytes", message.len()));
        }
    }
    wrong.extend(hidden(&known.status, &known.subject.owner()));
    wrong
}

/// Texts of a status or an event in which something hides. JSON texts have line breaks.
pub fn hidden(value: &Value, of: &str) -> Vec<String> {
    match value {
        Value::String(text) => control(text, &['\n'])
            .map(|c| format!("{c:?} is told of {of}: {text:?}"))
            .into_iter()
            .collect(),
        Value::Array(all) => all.iter().flat_map(|value| hidden(value, of)).collect(),
        Value::Object(all) => all.values().flat_map(|value| hidden(value, of)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// A condition's message.
pub fn message<'a>(status: &'a Value, type_: &str) -> &'a str {
    let mut all = status["conditions"].as_array().into_iter().flatten();
    let found = all.find(|condition| condition["type"] == type_);
    found
        .and_then(|condition| condition["message"].as_str())
        .unwrap_or_default()
}

/// All that IAM has of an object, by its UID.
pub fn of(iam: &Snapshot, uid: &str) -> Snapshot {
    let is = |tags: &std::collections::BTreeMap<String, String>| {
        tags.get("sessionmanager.dev/uid")
            .is_some_and(|found| found == uid)
    };
    let mut own = iam.clone();
    own.roles.retain(|_, role| is(&role.tags));
    own.policies.retain(|_, policy| is(&policy.tags));
    own.instance_profiles.retain(|_, profile| is(&profile.tags));
    own
}
