//! Rules of what the controller says: a written status or the objects as they stand enter, broken rules leave.
//! No IO.

use std::time::Duration;

use api_emulator::{Request, Resource, Subresource};
use serde_json::Value;

use super::known::condition;
use super::{Oracle, PASS};

/// What a pass, its retries and a write of status may take beside the interval.
const GRACE: Duration = Duration::from_mins(1);

/// A status was written.
pub fn written(
    oracle: &mut Oracle,
    now: Duration,
    process: &str,
    request: &Request,
) -> Vec<String> {
    if request.resource != Resource::Roles || request.subresource != Some(Subresource::Status) {
        return Vec::new();
    }
    let Some(code) = request.code.filter(|code| *code < 300) else {
        return Vec::new();
    };
    let mut broken = Vec::new();
    if !request.write {
        broken.push(format!("a status is written that changes nothing ({code})"));
    }
    let Some(after) = request.after.as_deref() else {
        return broken;
    };
    let status = &after["status"];
    let is = |type_: &str| condition(status, type_).is_some_and(|(is, _)| is == "True");
    let ready = condition(status, "Ready");
    if ready.is_some_and(|(is, _)| is == "False")
        && !is("Reconciling")
        && !is("Stalled")
        && !is("Paused")
    {
        broken.push("Ready is False, and neither Reconciling nor Stalled is True".to_owned());
    }
    if is("Reconciling") && is("Stalled") {
        broken.push("Reconciling and Stalled are both True".to_owned());
    }
    // What was true before the pause stays as it was.
    let claims = ready.is_some_and(|(is, _)| is == "True") && !is("Paused");
    if claims && !is_proven(oracle, now, after) {
        broken
            .push("Ready is True, and IAM was not as this generation says in this pass".to_owned());
    }
    broken.extend(blames_in_vain(oracle, now, process, after));
    broken
}

/// Others are blamed only where others have a hand in it, and a person is called only for what time does not
/// mend.
fn blames_in_vain(
    oracle: &mut Oracle,
    now: Duration,
    process: &str,
    object: &Value,
) -> Option<String> {
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    let known = oracle.objects.get(uid)?;
    let status = &object["status"];
    let blamed =
        condition(status, "Ready").filter(|(_, why)| ["NotOwned", "Replaced"].contains(why));
    let by_others = known.held_by_others(now);
    let broken = match (blamed, condition(status, "Stalled")) {
        (Some((_, reason)), _) if by_others.is_none_or(|ago| ago > PASS + oracle.lag) => Some(
            format!("{reason} is said, and all names are the object's own"),
        ),
        (None, Some(("True", reason))) => {
            let explained = oracle.refusals.explained(now, process, known);
            explained
                .map(|what| format!("Stalled ({reason}) is said, and an own write explains {what}"))
        }
        _ => None,
    };
    oracle.refusals.said(process, known);
    broken
}

/// Whether IAM was as the generation says when this pass may have read it.
fn is_proven(oracle: &Oracle, now: Duration, object: &Value) -> bool {
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    let generation = object["status"]["observedGeneration"]
        .as_i64()
        .unwrap_or(-1);
    // While reads lag, what was read and what is written since are of different moments.
    let is_exact = oracle.lag.is_zero();
    let known = oracle.objects.get(uid).filter(|_| is_exact);
    // What others change between a pass' reading and its end, no controller can know.
    let role = known.and_then(|known| Some(known.asked()?.names()[0].clone()));
    let read_at = role.and_then(|role| oracle.read_at.get(&role));
    if read_at.is_none_or(|at| *at <= oracle.changed_at) {
        return true;
    }
    // A generation that nobody has looked at says nothing.
    let Some(matched) = known.and_then(|known| known.matched(generation, now)) else {
        return true;
    };
    matched.is_some_and(|ago| ago <= PASS)
}

/// Ready stands at most two intervals and the lag after IAM was last as the object says, where nothing keeps
/// the controller from its work.
pub fn outdated(oracle: &Oracle, now: Duration) -> Vec<String> {
    let allowed = 2 * oracle.setting.interval + oracle.lag + GRACE;
    let mut broken = Vec::new();
    for known in oracle.objects.values() {
        let counts = known.is_there && !known.is_deleting && !known.is_paused;
        let claims = known.status["observedGeneration"] == known.generation
            && known.condition("Ready").is_some_and(|(is, _)| is == "True");
        let Some(since) = known.differs_since.filter(|_| counts && claims) else {
            continue;
        };
        let since = since.max(oracle.disturbed_until);
        if now.saturating_sub(since) > allowed {
            broken.push(format!(
                "{} is Ready, and IAM is not so for {} s",
                known.subject.owner(),
                now.saturating_sub(since).as_secs()
            ));
        }
    }
    broken
}
