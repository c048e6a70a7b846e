//! The rule of refusals: a refusal that an own write of the last minute explains is waited out, and not
//! handed to a person. Calls and written statuses enter, broken rules leave. No IO.

use std::collections::BTreeSet;
use std::time::Duration;

use iam_emulator::Call;

use super::Known;

/// For how long an own write explains a refusal, but for what a pass takes between its reading and its end.
const WINDOW: Duration = Duration::from_secs(50);

/// A write to IAM by one process.
#[derive(Debug)]
struct Written {
    at: Duration,
    process: String,
    action: String,
    outcome: String,
    names: BTreeSet<String>,
}

/// The writes of the last minute.
#[derive(Debug, Default)]
pub struct Refusals {
    writes: Vec<Written>,
}

impl Refusals {
    /// A process has called IAM.
    pub fn called(&mut self, now: Duration, process: &str, call: &Call) {
        self.writes
            .retain(|write| now.saturating_sub(write.at) <= WINDOW);
        if call.write {
            self.writes.push(Written {
                at: now,
                process: process.to_owned(),
                action: call.action.clone(),
                outcome: call.outcome.clone(),
                names: names(call),
            });
        }
    }

    /// Whether all that was refused to this process of this object, since its last status, is explained.
    pub fn explained(&self, now: Duration, process: &str, known: &Known) -> Option<String> {
        let mine = |write: &&Written| {
            write.process == process
                && now.saturating_sub(write.at) <= WINDOW
                && write.names.iter().any(|name| known.has_name(name))
        };
        let (done, refused): (Vec<&Written>, Vec<&Written>) =
            (self.writes.iter().filter(mine)).partition(|write| write.outcome == "ok");
        let last = refused.last()?;
        // What does not exist may be a policy of others that spec names.
        let is_own = |refused: &Written| {
            refused.outcome != "NoSuchEntity"
                || !refused.action.starts_with("Create")
                    && refused.names.iter().all(|name| known.has_name(name))
        };
        let is_explained = |refused: &&Written| {
            is_own(refused)
                && (done.iter()).any(|done| done.at <= refused.at && done.explains(refused))
        };
        let all = refused.iter().all(is_explained);
        all.then(|| format!("{} to {}", last.outcome, last.action))
    }

    /// A pass has said what came of it.
    pub fn said(&mut self, process: &str, known: &Known) {
        let is_told = |write: &Written| {
            write.outcome != "ok"
                && write.process == process
                && write.names.iter().any(|name| known.has_name(name))
        };
        self.writes.retain(|write| !is_told(write));
    }
}

impl Written {
    /// IAM's delay after this write is enough for the refusal.
    fn explains(&self, refused: &Self) -> bool {
        let kinds: &[&str] = match refused.outcome.as_str() {
            "NoSuchEntity" => &["CreateRole", "CreatePolicy", "CreateInstanceProfile"],
            "DeleteConflict" => &["DetachRolePolicy", "RemoveRoleFromInstanceProfile"],
            "EntityAlreadyExists" => &["DeleteRole", "DeletePolicy", "DeleteInstanceProfile"],
            "LimitExceeded" => &["DeletePolicyVersion"],
            _ => &[],
        };
        kinds.contains(&self.action.as_str()) && !self.names.is_disjoint(&refused.names)
    }
}

/// The names of what a call is about; the last part of an ARN is a name.
fn names(call: &Call) -> BTreeSet<String> {
    let keys = ["RoleName", "PolicyName", "InstanceProfileName", "PolicyArn"];
    let values = keys.iter().filter_map(|key| call.params.get(*key));
    values
        .map(|value| value.rsplit('/').next().unwrap_or(value).to_owned())
        .collect()
}
