//! What the controller wrote to IAM in the last minute, by account and IAM name. In: own writes and
//! what AWS answered; out: readings with late parts replaced, and whether a refusal is explained. No
//! IO; time enters as a value.
//!
//! IAM is eventually consistent: a reading, and a refusal, may be about what was there before a
//! write (IAM user guide, "Changes that I make are not always immediately visible"). client-go calls
//! this "expectations". The writes are kept by name and outlive the Kubernetes object: the next
//! object of the name meets what the last one left.

mod reading;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use smr_api::{ConditionType, SessionManagerRoleStatus};

use crate::failure::{Failure, FailureClass};
use crate::kind::Kind;
use crate::names::Names;
use crate::observed::{Observed, ObservedInstanceProfile, ObservedPolicy, ObservedRole};
use crate::refusal::{self, Explanation};
use crate::step::Step;
use crate::writes::{IamName, Write};
use reading::{Late, Past};

/// For how long after a write IAM may still answer as before it.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(60);

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < WINDOW
}

/// What to plan on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The reading, with late parts replaced by what is expected.
    pub state: Observed,
    /// Whether there were such parts: to be read again soon.
    pub stale_parts: bool,
}

/// The recent writes of one process. It may have been preceded by another one whose writes it does
/// not know: for its first minute it is young.
#[derive(Debug)]
pub struct RecentWrites {
    started: Timestamp,
    accounts: BTreeMap<String, OfAccount>,
}

#[derive(Debug, Default)]
struct OfAccount {
    writes: BTreeMap<IamName, Vec<(Timestamp, Write)>>,
    roles: BTreeMap<IamName, Past<ObservedRole>>,
    policies: BTreeMap<IamName, Past<ObservedPolicy>>,
    profiles: BTreeMap<IamName, Past<ObservedInstanceProfile>>,
}

impl RecentWrites {
    /// Of a process that has been the only one to write since `started`.
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            accounts: BTreeMap::new(),
        }
    }

    /// A call had its effect: it changed `before` to `after`.
    pub fn wrote(
        &mut self,
        now: Timestamp,
        account: &str,
        step: &Step,
        before: &Observed,
        after: &Observed,
    ) {
        let of = self.accounts.entry(account.to_owned()).or_default();
        for (name, write) in step.writes() {
            of.writes.entry(name).or_default().push((now, write));
        }
        let named = |kind, before: Option<&String>, after: Option<&String>| {
            after.or(before).map(|name| IamName::new(kind, name))
        };
        let (was, is) = (before.role.as_ref(), after.role.as_ref());
        replaced(now, &mut of.roles, was, is, |b, a| {
            named(Kind::Role, b.map(|r| &r.name), a.map(|r| &r.name))
        });
        let (was, is) = (before.policy.as_ref(), after.policy.as_ref());
        replaced(now, &mut of.policies, was, is, |b, a| {
            named(Kind::Policy, b.map(|p| &p.name), a.map(|p| &p.name))
        });
        let (was, is) = (
            before.instance_profile.as_ref(),
            after.instance_profile.as_ref(),
        );
        replaced(now, &mut of.profiles, was, is, |b, a| {
            named(
                Kind::InstanceProfile,
                b.map(|p| &p.name),
                a.map(|p| &p.name),
            )
        });
    }

    /// A call got no answer: it may have had its effect.
    pub fn may_have_written(&mut self, now: Timestamp, account: &str, step: &Step) {
        let of = self.accounts.entry(account.to_owned()).or_default();
        for (name, write) in step.writes() {
            let write = write.unanswered();
            of.writes.entry(name).or_default().push((now, write));
        }
    }

    /// Judges a reading.
    pub fn settle(&self, now: Timestamp, account: &str, names: &Names, read: Observed) -> Seen {
        let Some(of) = self.accounts.get(account) else {
            return Seen {
                state: read,
                stale_parts: false,
            };
        };
        let [role, policy, profile] = IamName::all_of(names);
        let (role, late_role) = settled(now, of.roles.get(&role), read.role);
        let (policy, late_policy) = settled(now, of.policies.get(&policy), read.policy);
        let (instance_profile, late_profile) =
            settled(now, of.profiles.get(&profile), read.instance_profile);
        Seen {
            state: Observed {
                role,
                policy,
                instance_profile,
            },
            stale_parts: late_role || late_policy || late_profile,
        }
    }

    /// Whether one of the three names was written to recently.
    pub fn knows(&self, now: Timestamp, account: &str, names: &Names) -> bool {
        let written = |name| self.writes(now, account, &name).next().is_some();
        IamName::all_of(names).into_iter().any(written)
    }

    /// Whether an object of one of the three names may exist although IAM does not show it: its
    /// creation got no answer.
    pub fn may_exist(&self, now: Timestamp, account: &str, names: &Names, kind: Kind) -> bool {
        self.writes(now, account, &names.of(kind))
            .any(|write| write == Write::MaybeCreated)
    }

    /// Whether the controller has recently deleted what had this name, or given it up.
    pub fn was_freed(&self, now: Timestamp, account: &str, name: &IamName) -> bool {
        self.writes(now, account, name)
            .any(|write| matches!(write, Write::Deleted | Write::Untagged))
    }

    /// Whether an earlier process may have written to IAM within the window: what is absent in a
    /// reading may be late.
    pub fn is_young(&self, now: Timestamp) -> bool {
        is_recent(self.started, now)
    }

    /// What explains a refusal of `step`. `observed`: what the step was planned on.
    pub fn explain(
        &self,
        now: Timestamp,
        account: &str,
        step: &Step,
        failure: &Failure,
        observed: &Observed,
    ) -> Explanation {
        let class = failure.class;
        if !failure.may_be_propagation() {
            return Explanation::None;
        }
        let concerned = refusal::concerned(step, failure);
        let explained = concerned.iter().any(|name| {
            self.writes(now, account, name)
                .any(|write| refusal::explains(class, write))
        });
        // A quota of the account counts what was deleted under any name.
        let makes_room = || {
            let writes = self
                .accounts
                .get(account)
                .into_iter()
                .flat_map(|of| &of.writes);
            class == FailureClass::Quota
                && step.creates()
                && writes
                    .filter(|(name, _)| name.kind == step.kind())
                    .flat_map(|(_, writes)| writes)
                    .any(|(at, write)| *write == Write::Deleted && is_recent(*at, now))
        };
        if explained || makes_room() {
            Explanation::OwnWrite
        } else if self.is_of_an_earlier_process(now, class, &concerned, observed) {
            Explanation::EarlierProcess
        } else {
            Explanation::None
        }
    }

    /// Of an earlier process only IAM itself tells: absence may be late, and an object that is
    /// younger than the window was created a moment ago.
    fn is_of_an_earlier_process(
        &self,
        now: Timestamp,
        class: FailureClass,
        concerned: &[IamName],
        observed: &Observed,
    ) -> bool {
        let is_new = |name: &IamName| {
            let created = match name.kind {
                Kind::Role => observed.role.as_ref().and_then(|r| r.created),
                Kind::Policy => observed.policy.as_ref().and_then(|p| p.created),
                Kind::InstanceProfile => observed.instance_profile.as_ref().and_then(|p| p.created),
            };
            created.is_some_and(|at| is_recent(at, now))
        };
        self.is_young(now)
            && match class {
                FailureClass::AlreadyExists | FailureClass::InUse | FailureClass::NoRoom => true,
                FailureClass::NotFound | FailureClass::AccessDenied => concerned.iter().any(is_new),
                FailureClass::Throttled
                | FailureClass::ConcurrentChange
                | FailureClass::Unavailable
                | FailureClass::Credentials
                | FailureClass::Partition
                | FailureClass::Quota
                | FailureClass::TooLarge
                | FailureClass::Refused
                | FailureClass::Missing
                | FailureClass::NotLeader => false,
            }
    }

    /// Forgets what is older than the window.
    pub fn forget(&mut self, now: Timestamp) {
        self.accounts.retain(|_, of| {
            of.writes.retain(|_, writes| {
                writes.retain(|(at, _)| is_recent(*at, now));
                !writes.is_empty()
            });
            of.roles.retain(|_, past| past.forget(now));
            of.policies.retain(|_, past| past.forget(now));
            of.profiles.retain(|_, past| past.forget(now));
            let OfAccount {
                writes,
                roles,
                policies,
                profiles,
            } = of;
            !(writes.is_empty() && roles.is_empty() && policies.is_empty() && profiles.is_empty())
        });
    }

    fn writes(&self, now: Timestamp, account: &str, name: &IamName) -> impl Iterator<Item = Write> {
        let of = self.accounts.get(account);
        let writes = of.and_then(|of| of.writes.get(name)).into_iter().flatten();
        writes
            .filter(move |(at, _)| is_recent(*at, now))
            .map(|(_, write)| *write)
    }
}

fn replaced<T: Late + PartialEq>(
    now: Timestamp,
    pasts: &mut BTreeMap<IamName, Past<T>>,
    before: Option<&T>,
    after: Option<&T>,
    name: impl Fn(Option<&T>, Option<&T>) -> Option<IamName>,
) {
    if before != after
        && let Some(name) = name(before, after)
    {
        let past = pasts.entry(name).or_default();
        past.wrote(now, before.cloned(), after.cloned());
    }
}

fn settled<T: Late>(now: Timestamp, past: Option<&Past<T>>, read: Option<T>) -> (Option<T>, bool) {
    match past {
        Some(past) => past.settle(now, read.as_ref()),
        None => (read, false),
    }
}

/// After a restart nothing is remembered, but status tells when `Ready` last changed: for how much
/// longer a difference may be a late reading of what an earlier process wrote.
pub fn restart_window(
    status: Option<&SessionManagerRoleStatus>,
    now: Timestamp,
) -> Option<SignedDuration> {
    let ready = status?.condition(ConditionType::Ready)?;
    let left = WINDOW - now.duration_since(ready.last_transition_time.0);
    (left > SignedDuration::ZERO).then_some(left)
}

#[cfg(test)]
mod tests;
