//! The sweep: one bulk reading of IAM for all objects that are in sync, once every
//! `--resync-interval`; those that need a look are queued. Reads IAM, writes nothing.

mod details;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use smr_api::SessionManagerRoleStatus;
use smr_core::account::Account;
use smr_core::failure::{Failure, FailureClass};
use smr_core::names::Names;
use smr_core::resolve::{Resolved, recorded_elsewhere, resolve};
use smr_core::sweep::{
    Coverage, InSyncCache, ReadTags, RoundRobin, SWEEPS_PER_LOOK, Strategy, as_if_complete,
    as_if_tagged, cheapest, needs_look,
};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::cache::Object;
use super::pass::Context;
use super::queue::{Priority, Queue};
use super::state::spread;
use crate::telemetry::health::Heartbeat;
use smr_api::Key;
use smr_iam::{Iam, IdentityError};

/// How soon a sweep that failed is tried again, where the interval is not shorter.
const RETRY: Duration = Duration::from_secs(10);
/// What the account's details are taken to cost before the first sweep, in calls.
const FIRST_GUESS: usize = 3;

/// How IAM is read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepMode {
    /// What costs least; lists where the account's details are denied.
    Auto,
    /// `GetAccountAuthorizationDetails`, whatever it costs.
    AccountDetails,
    /// Lists of our paths, and each object on its own in rotation.
    Lists,
}

/// What objects this controller sees: those outside can't be told from orphans.
#[derive(Clone, Debug)]
pub struct Scope {
    /// `--watch-namespace`; empty: all.
    pub namespaces: Vec<String>,
    /// Whether `--selector` hides some.
    pub selects: bool,
}

/// Why a sweep came to nothing.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    /// The account is not known.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A call failed.
    #[error("{0}")]
    Call(Failure),
}

/// Sweeps for as long as it lives.
pub struct Sweeper {
    context: Arc<Context>,
    queue: Queue<Key>,
    mode: SweepMode,
    scope: Scope,
    /// What the account's details cost the last time, in calls.
    details_calls: usize,
    /// How many roles the account has, whosever they are, as of the last time.
    roles: usize,
    details: Details,
    /// How many objects had no credentials the last time.
    without_credentials: usize,
    /// Which of them tries next.
    probes: RoundRobin<Key>,
    /// Of the loop.
    heartbeat: Heartbeat,
    /// What was in sync the last time.
    answers: InSyncCache,
    /// Whose tags are read next, by ARN.
    tags: RoundRobin<String>,
    /// Who is looked at on its own next.
    looks: RoundRobin<Key>,
    /// Owners of what lies under our paths and is nobody's here, by ARN, as far as they were read.
    unclaimed: BTreeMap<String, Option<String>>,
    orphans: BTreeSet<String>,
}

/// Whether the account's details are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Details {
    /// Not before this: they were denied, or did not come in time.
    not_before: Option<Instant>,
}

impl Details {
    /// A denial may be of the moment: the policy of the controller's role was just changed.
    const AFTER_DENIAL: Duration = Duration::from_hours(1);
    const AFTER_TIME_OUT: Duration = Duration::from_mins(10);

    fn may_be_asked(self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| time <= now)
    }

    /// How long lists take their place once they failed in this way; `None`: lists would fare no better.
    fn pause_after(failure: &Failure) -> Option<Duration> {
        match failure.class {
            FailureClass::AccessDenied => Some(Self::AFTER_DENIAL),
            // An error of AWS has a code, and is over soon.
            FailureClass::Unavailable if failure.code.is_empty() => Some(Self::AFTER_TIME_OUT),
            _ => None,
        }
    }

    /// Lists have taken their place.
    fn pause(&mut self, pause: Duration, now: Instant) {
        self.not_before = Some(now + pause);
    }

    /// They were read. Whether they had not been before.
    fn read(&mut self) -> bool {
        self.not_before.take().is_some()
    }
}

/// An object in sync, as far as its status tells.
struct Target {
    key: Key,
    object: Object,
    names: Names,
}

impl Sweeper {
    /// Sweeps all that `context` knows, and queues on `queue`.
    pub fn new(
        context: Arc<Context>,
        queue: Queue<Key>,
        mode: SweepMode,
        scope: Scope,
        heartbeat: Heartbeat,
    ) -> Self {
        Self {
            context,
            queue,
            mode,
            scope,
            details_calls: FIRST_GUESS,
            roles: 0,
            details: Details::default(),
            without_credentials: 0,
            probes: RoundRobin::default(),
            heartbeat,
            answers: InSyncCache::new(fastrand::u64(..)),
            tags: RoundRobin::default(),
            looks: RoundRobin::default(),
            unclaimed: BTreeMap::new(),
            orphans: BTreeSet::new(),
        }
    }

    /// Sweeps at once, and then once every interval, until dropped.
    pub async fn run(mut self) {
        let interval = self.context.resync_interval;
        loop {
            let begun = Instant::now();
            self.heartbeat.beat();
            let next = match self.sweep().await {
                // From beginning to beginning: drift is seen within the interval.
                Ok(()) => begun + interval,
                Err(error) => {
                    warn!(%error, "the sweep of IAM failed");
                    Instant::now() + spread(interval.min(RETRY))
                }
            };
            self.heartbeat.rest();
            tokio::time::sleep_until(next).await;
        }
    }

    async fn sweep(&mut self) -> Result<(), SweepError> {
        let begun = Instant::now();
        self.try_credentials();
        let mut targets = self.targets();
        if !targets.is_empty() {
            let account = self.context.aws.account().await?;
            targets.retain(|Target { key, object, .. }| {
                let elsewhere = recorded_elsewhere(object.written_status(), &account).is_some();
                if elsewhere {
                    self.ask([key], Priority::Repair);
                }
                !elsewhere
            });
            self.look(&account, &targets).await?;
        }
        let metrics = &self.context.metrics;
        metrics.sweep_degraded(!self.details.may_be_asked(Instant::now()));
        metrics.swept(self.context.clock.now().as_second(), begun.elapsed());
        Ok(())
    }

    /// A source of credentials comes back without a change of any object: one object at a time finds
    /// out, and once one has found that they are back, all are queued.
    fn try_credentials(&mut self) {
        let stalled = self.context.store.without_credentials();
        let are_back = stalled.len() < self.without_credentials;
        self.without_credentials = stalled.len();
        let keys: Vec<&Key> = stalled.iter().collect();
        let asked = if are_back {
            keys
        } else {
            self.probes.next(&keys, 1)
        };
        for key in asked {
            self.context.metrics.queue_added();
            self.queue.add(key.clone(), Priority::Repair);
        }
    }

    async fn look(&mut self, account: &Account, targets: &[Target]) -> Result<(), SweepError> {
        if targets.is_empty() {
            return Ok(());
        }
        let strategy = self.strategy(targets.len());
        debug!(?strategy, objects = targets.len(), "sweeping");
        match strategy {
            Strategy::AccountDetails => self.by_details(account, targets).await,
            Strategy::Lists => self.by_lists(account, targets).await,
            Strategy::OneByOne => {
                self.ask(targets.iter().map(|t| &t.key), Priority::Resync);
                Ok(())
            }
        }
    }

    /// Objects in sync. What is neither in sync nor waits for its turn has lost it (someone has taken
    /// our finalizer from it, or written its status), and gets one.
    fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for (key, object) in self.context.store.each() {
            if object.is_in_sync() {
                targets.push(Target {
                    names: self.names(&object),
                    key,
                    object,
                });
            } else if object.is_to_be_worked_on() {
                self.ask([&key], Priority::Repair);
            }
        }
        targets
    }

    fn names(&self, object: &Object) -> Names {
        let (subject, spec) = (object.subject(), object.spec.as_ref().ok());
        let limits = &self.context.limits;
        Names::resolve(&subject, spec, object.written_status(), limits, None)
    }

    fn strategy(&self, objects: usize) -> Strategy {
        let asked = match self.mode {
            SweepMode::Auto => cheapest(objects, self.details_calls),
            SweepMode::AccountDetails => Strategy::AccountDetails,
            SweepMode::Lists => Strategy::Lists,
        };
        match asked {
            Strategy::AccountDetails if !self.details.may_be_asked(Instant::now()) => {
                Strategy::Lists
            }
            Strategy::AccountDetails | Strategy::Lists | Strategy::OneByOne => asked,
        }
    }

    fn iam(&self, account: &Account) -> Iam {
        let aws = &self.context.aws;
        let iam = aws.on_behalf_of(account, "", Priority::Resync);
        iam.beating(Arc::new(self.heartbeat.clone()))
    }

    async fn by_lists(&mut self, account: &Account, targets: &[Target]) -> Result<(), SweepError> {
        let lists = match self.iam(account).lists(&self.interest(targets)).await {
            Ok(lists) => Some(lists),
            Err(failure) if failure.class == FailureClass::AccessDenied => {
                warn!(%failure, "lists are denied too: objects are looked at in turns only");
                None
            }
            Err(failure) => return Err(SweepError::Call(failure)),
        };
        for target in targets {
            let Some(lists) = &lists else { break };
            let listed = lists.find(&target.names);
            self.judge(account, target, |wanted, status| {
                let reading = as_if_complete(listed, &wanted.desired, status);
                let reading = as_if_tagged(&wanted.desired, reading, ReadTags::default());
                needs_look(wanted, status, &reading, Coverage::Lists)
            });
        }
        // What lists leave out.
        let keys: Vec<&Key> = targets.iter().map(|t| &t.key).collect();
        let turn = self.looks.next(&keys, keys.len().div_ceil(SWEEPS_PER_LOOK));
        self.ask(turn, Priority::Resync);
        Ok(())
    }

    /// Queues the object where `needs_look` says why; whether it is in sync as far as that tells.
    fn judge(
        &self,
        account: &Account,
        target: &Target,
        needs_look: impl FnOnce(&Resolved, &SessionManagerRoleStatus) -> Option<&'static str>,
    ) -> bool {
        let Target { key, object, .. } = target;
        let (Ok(spec), Some(status)) = (&object.spec, object.written_status()) else {
            return false;
        };
        let (subject, limits) = (object.subject(), &self.context.limits);
        let why = match resolve(spec, &subject, Some(status), account, limits, None) {
            Ok(wanted) => needs_look(&wanted, status),
            Err(_) => Some("the operator's limits have changed"),
        };
        if let Some(why) = why {
            debug!(
                namespace = key.namespace,
                name = key.name,
                why,
                "needs a look"
            );
            self.ask([key], Priority::Repair);
        }
        why.is_none()
    }

    /// Queues what does not wait already: its own pause, until a second reading or after an error, is
    /// not cut short.
    fn ask<'a>(&self, keys: impl IntoIterator<Item = &'a Key>, priority: Priority) {
        for key in keys {
            if self.queue.add_new(key, priority) {
                self.context.metrics.queue_added();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_that_failed_are_asked_for_again() {
        let now = Instant::now();
        let mut details = Details::default();
        assert!(details.may_be_asked(now));
        let failed = |class: FailureClass, code: &str| Failure {
            class,
            action: String::new(),
            resource: String::new(),
            code: code.into(),
            said: smr_core::failure::Said::in_own_words(""),
            way_out: None,
        };
        for (failure, minutes) in [
            (failed(FailureClass::AccessDenied, "AccessDenied"), 60),
            (failed(FailureClass::Unavailable, ""), 10),
        ] {
            let pause = Details::pause_after(&failure).unwrap();
            assert_eq!(pause, Duration::from_mins(minutes));
            details.pause(pause, now);
            assert!(!details.may_be_asked(now + pause - Duration::from_secs(1)));
            assert!(details.may_be_asked(now + pause));
            assert!(details.read());
            assert!(!details.read());
            assert!(details.may_be_asked(now));
        }
        for (class, code) in [
            (FailureClass::Throttled, "Throttling"),
            (FailureClass::Unavailable, "ServiceUnavailable"),
        ] {
            assert_eq!(Details::pause_after(&failed(class, code)), None);
        }
    }
}
