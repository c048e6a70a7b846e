//! What is right, said without the program: specs, stores and calls enter, broken rules leave. No IO.

mod calls;
pub mod ending;
mod known;
pub mod meaning;
mod refusals;
mod standing;
pub mod wanted;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use iam_emulator::{Call, Snapshot};
use serde_json::Value;

pub use self::known::Known;
use self::refusals::Refusals;
use crate::edges::Process;

/// Everything of ours in IAM, by kind and name.
pub type OwnedName = (crate::deeds::Kind, String);

/// A pass may have read IAM so long before it writes what it found: several attempts of 5 s.
const PASS: Duration = Duration::from_mins(1);
/// The window in which calls are counted.
const MINUTE: Duration = Duration::from_mins(1);

/// What the world is like.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The partition of the account.
    pub partition: &'static str,
    /// `--resync-interval`
    pub interval: Duration,
    /// `--iam-requests-per-second`
    pub calls_per_second: u32,
}

impl Setting {
    /// With the flags as they are shipped.
    pub const fn shipped(partition: &'static str) -> Self {
        Self {
            partition,
            interval: Duration::from_mins(1),
            calls_per_second: 10,
        }
    }
}

/// The rules of the world, and what has to be remembered to judge by them.
#[derive(Debug)]
pub struct Oracle {
    setting: Setting,
    /// How late IAM shows a write now; the longest of the last while.
    lag: Duration,
    /// Until when something is wrong that keeps the controller from its work.
    disturbed_until: Duration,
    /// The objects, by UID: also those that are gone.
    objects: BTreeMap<String, Known>,
    /// IAM as it was last.
    iam: Snapshot,
    /// When what was ours was taken from us by somebody else.
    taken: BTreeMap<OwnedName, Duration>,
    /// When each process has called IAM, in the last minute.
    calls: BTreeMap<String, VecDeque<Duration>>,
    /// Until when the story itself has calls denied.
    denied_until: Duration,
    /// When a pass has read each role last, by name.
    read_at: BTreeMap<String, Duration>,
    /// When others have changed IAM last.
    changed_at: Duration,
    /// Until when a pass may be about objects that a restoration of the API server has changed or taken away.
    restored_until: Duration,
    /// What was written and refused lately.
    refusals: Refusals,
    /// When a role got each of its policies from us, by the role's name and the policy's name or ARN.
    placed_at: BTreeMap<(String, String), Duration>,
}

impl Oracle {
    /// Rules of a world with nothing in it.
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            lag: Duration::ZERO,
            disturbed_until: Duration::ZERO,
            objects: BTreeMap::new(),
            iam: Snapshot::default(),
            taken: BTreeMap::new(),
            calls: BTreeMap::new(),
            denied_until: Duration::ZERO,
            read_at: BTreeMap::new(),
            changed_at: Duration::ZERO,
            restored_until: Duration::ZERO,
            refusals: Refusals::default(),
            placed_at: BTreeMap::new(),
        }
    }

    /// The partition of the account.
    pub fn partition(&self) -> &'static str {
        self.setting.partition
    }

    /// IAM shows writes so late from now on.
    pub fn lags(&mut self, lag: Duration) {
        self.lag = self.lag.max(lag);
    }

    /// Something keeps the controller from its work until then.
    pub fn disturbed(&mut self, until: Duration) {
        self.disturbed_until = self.disturbed_until.max(until);
    }

    /// The story has calls denied until then.
    pub fn denies(&mut self, until: Duration) {
        self.denied_until = self.denied_until.max(until);
    }

    /// The API server holds what it held at some time before: nothing that was known of the objects holds.
    pub fn restored(&mut self, now: Duration) {
        self.objects.clear();
        self.restored_until = now + PASS;
    }

    /// All troubles are over.
    pub fn calm(&mut self) {
        self.denied_until = Duration::ZERO;
    }

    /// The objects that are known, also those that are gone.
    pub fn objects(&self) -> impl Iterator<Item = &Known> {
        self.objects.values()
    }

    /// A call was made: the budget holds, and the policy that is shipped allows it, whatever happens.
    pub fn called(&mut self, now: Duration, process: &Process, call: &Call) -> Vec<String> {
        let calls = self.calls.entry(process.name.clone()).or_default();
        calls.push_back(now);
        while calls
            .front()
            .is_some_and(|first| now.saturating_sub(*first) > MINUTE)
        {
            calls.pop_front();
        }
        if let ("GetRole" | "CreateRole", Some(role)) =
            (call.action.as_str(), call.params.get("RoleName"))
        {
            self.read_at.insert(role.clone(), now);
        }
        self.refusals.called(now, &process.name, call);
        let mut broken: Vec<String> = self.over_budget(process).into_iter().collect();
        if call.outcome == "AccessDenied" && now > self.denied_until {
            broken.extend(calls::denied(self, now, call));
        }
        broken
    }

    /// A replica has written to IAM.
    pub fn wrote_iam(
        &mut self,
        now: Duration,
        process: &Process,
        call: &Call,
        leader: Option<&str>,
        iam: &Snapshot,
        roles: &[Arc<Value>],
    ) -> Vec<String> {
        let mut broken = Vec::from_iter(self.two_writers(now, process, leader));
        broken.extend(self.refreshed(now, roles));
        let before = std::mem::take(&mut self.iam);
        let is_judged = now > self.restored_until;
        if is_judged && ["ok", "LostReply"].contains(&call.outcome.as_str()) {
            broken.extend(calls::not_ours(self, now, call, &before));
            broken.extend(calls::left_alone(self, now, call, &before));
            broken.extend(calls::access_lost(self, call, &before, iam));
            broken.extend(calls::too_early(self, now, call, &before, iam));
            self.placed_at
                .extend(calls::placed(call).map(|what| (what, now)));
        }
        self.iam = iam.clone();
        self.compare(now);
        broken
    }

    /// A replica has written to the API server.
    pub fn wrote_api(
        &mut self,
        now: Duration,
        process: &Process,
        request: &api_emulator::Request,
        leader: Option<&str>,
        roles: &[Arc<Value>],
    ) -> Vec<String> {
        let mut broken = Vec::from_iter(self.two_writers(now, process, leader));
        broken.extend(self.refreshed(now, roles));
        broken.extend(standing::written(self, now, &process.name, request));
        broken
    }

    /// Somebody else has changed something, or it is time to look.
    /// IAM: `None` where it is as it was.
    pub fn looks(
        &mut self,
        now: Duration,
        iam: Option<&Snapshot>,
        roles: &[Arc<Value>],
    ) -> Vec<String> {
        // What replicas have written is known already.
        if let Some(iam) = iam.filter(|iam| **iam != self.iam) {
            self.note_taken(now, iam);
            self.changed_at = now;
            self.iam = iam.clone();
            self.compare(now);
        }
        self.refreshed(now, roles)
    }

    /// Nothing was changed; but time goes on.
    pub fn waits(&self, now: Duration) -> Vec<String> {
        standing::outdated(self, now)
    }

    /// Whether somebody else has taken what was ours within the last `window`.
    fn lost_within(&self, target: &OwnedName, now: Duration, window: Duration) -> bool {
        let at = self.taken.get(target);
        at.is_some_and(|at| now.saturating_sub(*at) <= window)
    }

    /// What somebody else has changed is not ours any more, but a controller may not know yet.
    fn note_taken(&mut self, now: Duration, iam: &Snapshot) {
        for name in calls::owned(&self.iam) {
            if !calls::owned(iam).contains(&name) {
                self.taken.insert(name, now);
            }
        }
    }

    /// Brings the objects up to date.
    fn refreshed(&mut self, now: Duration, roles: &[Arc<Value>]) -> Vec<String> {
        let mut broken = Vec::new();
        for role in roles {
            let uid = role["metadata"]["uid"].as_str().unwrap_or_default();
            let version = role["metadata"]["resourceVersion"]
                .as_str()
                .unwrap_or_default();
            if self
                .objects
                .get(uid)
                .is_some_and(|known| known.version == version)
            {
                continue;
            }
            match Known::read(role, self.setting.partition, now) {
                Err(why) => broken.push(why),
                Ok(read) => {
                    let known = match self.objects.entry(uid.to_owned()) {
                        Entry::Vacant(new) => new.insert(read),
                        Entry::Occupied(old) => {
                            let known = old.into_mut();
                            known.update(read);
                            known
                        }
                    };
                    known.compare(now, &self.iam);
                }
            }
        }
        let here: BTreeSet<&str> = roles
            .iter()
            .filter_map(|r| r["metadata"]["uid"].as_str())
            .collect();
        for (uid, known) in &mut self.objects {
            known.is_there = here.contains(uid.as_str());
        }
        broken
    }

    /// Whether IAM is as each object says.
    fn compare(&mut self, now: Duration) {
        let iam = &self.iam;
        for known in self.objects.values_mut().filter(|known| known.is_there) {
            known.compare(now, iam);
        }
    }

    /// The budget's rate for a minute, and a full bucket.
    fn over_budget(&self, process: &Process) -> Option<String> {
        let calls = self.calls.get(&process.name).map_or(0, VecDeque::len);
        let rate = self.setting.calls_per_second as usize;
        let most = rate * 60 + 2 * rate;
        (calls > most).then(|| format!("{calls} calls in a minute, and {most} are allowed"))
    }

    /// Never two writers. (After a restoration the Lease is one of before.)
    fn two_writers(
        &self,
        now: Duration,
        process: &Process,
        leader: Option<&str>,
    ) -> Option<String> {
        let is_leader = leader == Some(process.name.as_str()) || now <= self.restored_until;
        (!is_leader).then(|| {
            let leader = leader.unwrap_or("nobody");
            format!("{} writes while {leader} holds the Lease", process.name)
        })
    }
}
