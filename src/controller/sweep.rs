//! The sweep: one bulk reading of IAM for all objects that are in sync, once every
//! `--resync-interval`; those that need a look are queued. Reads IAM, writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use smr_core::Tags;
use smr_core::account::Account;
use smr_core::failure::{Failure, FailureClass};
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::ownership::{CLUSTER, OWNER};
use smr_core::sweep::{
    ReadTags, Rotation, SWEEPS_PER_LOOK, Strategy, TAG_READS, as_if_complete, as_if_tagged,
    cheapest, needs_look,
};
use smr_core::wanted::{Wanted, recorded_elsewhere, wanted};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::memory::spread;
use super::object::{Key, Object};
use super::queue::{Priority, Queue};
use super::reconcile::Context;
use crate::iam::bulk::{Interest, WholeAccount};
use crate::iam::client::IdentityError;
use crate::iam::{Iam, budget};

/// How soon a sweep that failed is tried again, where the interval is not shorter.
const RETRY: Duration = Duration::from_secs(10);
/// What the account's details are taken to cost before the first sweep, in calls.
const FIRST_GUESS: usize = 3;
/// After so many objects others get their turn: judging is work without a wait in it.
const BETWEEN_BREATHS: usize = 32;

/// `--sweep`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SweepMode {
    /// What costs least; lists where the account's details are denied.
    #[default]
    Auto,
    /// `GetAccountAuthorizationDetails`, whatever it costs.
    AccountDetails,
    /// Lists of our paths, and each object on its own in rotation.
    Lists,
}

/// What objects this controller sees: those outside can't be told from orphans.
#[derive(Clone, Debug)]
pub struct Sight {
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
    sight: Sight,
    /// What the account's details cost the last time, in calls.
    details_calls: usize,
    /// The account's details are denied to us.
    denied: bool,
    /// Whose tags are read next, by ARN.
    tags: Rotation<String>,
    /// Who is looked at on its own next.
    looks: Rotation<Key>,
    /// Owners of what lies under our paths and is nobody's here, by ARN, as far as they were read.
    strays: BTreeMap<String, Option<String>>,
    orphans: BTreeSet<String>,
}

/// An object in sync, as far as its status tells.
struct Target {
    key: Key,
    object: Arc<Object>,
    names: Names,
}

/// Something whose tags no list gives.
struct Tagged<'a> {
    kind: TaggedKind,
    arn: &'a str,
    name: &'a str,
}

enum TaggedKind {
    Policy,
    InstanceProfile,
}

impl Sweeper {
    /// Sweeps all that `context` knows, and queues on `queue`.
    pub fn new(context: Arc<Context>, queue: Queue<Key>, mode: SweepMode, sight: Sight) -> Self {
        Self {
            context,
            queue,
            mode,
            sight,
            details_calls: FIRST_GUESS,
            denied: false,
            tags: Rotation::default(),
            looks: Rotation::default(),
            strays: BTreeMap::new(),
            orphans: BTreeSet::new(),
        }
    }

    /// Sweeps at once, and then once every interval, until dropped.
    pub async fn run(mut self) {
        let interval = self.context.resync_interval;
        loop {
            let begun = Instant::now();
            let next = match self.sweep().await {
                // From beginning to beginning: drift is seen within the interval.
                Ok(()) => begun + interval,
                Err(error) => {
                    warn!(%error, "the sweep of IAM failed");
                    Instant::now() + spread(interval.min(RETRY))
                }
            };
            tokio::time::sleep_until(next).await;
        }
    }

    async fn sweep(&mut self) -> Result<(), SweepError> {
        let now = Timestamp::now();
        self.context
            .memories
            .settle(now, self.context.settling_time);
        let mut targets = self.targets();
        if !targets.is_empty() {
            let account = self.context.identity.current().await?;
            targets.retain(|Target { key, object, .. }| {
                let elsewhere = recorded_elsewhere(object.written_status(), &account).is_some();
                if elsewhere {
                    self.ask_all([key], Priority::Repair);
                }
                !elsewhere
            });
            self.look(&account, &targets).await?;
        }
        self.context.metrics.swept(Timestamp::now().as_second());
        Ok(())
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
                self.ask_all(targets.iter().map(|t| &t.key), Priority::Resync);
                Ok(())
            }
        }
    }

    fn targets(&self) -> Vec<Target> {
        let mut objects = self.context.store.all();
        objects.retain(|object| object.is_settled());
        let target = |object: Arc<Object>| Target {
            names: self.names(&object),
            key: object.key(),
            object,
        };
        objects.into_iter().map(target).collect()
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
            Strategy::AccountDetails if self.denied => Strategy::Lists,
            Strategy::AccountDetails | Strategy::Lists | Strategy::OneByOne => asked,
        }
    }

    fn iam(&self) -> Iam {
        self.context.aws.on_behalf_of("", budget::Priority::Sweep)
    }

    fn interest(&self, targets: &[Target]) -> Interest {
        let names = targets.iter().flat_map(|target| {
            let Names {
                role,
                policy,
                instance_profile,
                ..
            } = &target.names;
            [role, policy, instance_profile].map(|name| name.to_lowercase())
        });
        Interest::Ours {
            names: names.collect(),
            paths: targets.iter().map(|t| t.names.path.clone()).collect(),
            cluster: self.context.limits.cluster_name.clone(),
        }
    }

    async fn by_details(
        &mut self,
        account: &Account,
        targets: &[Target],
    ) -> Result<(), SweepError> {
        let iam = self.iam();
        let mut reading = match iam.whole_account(&self.interest(targets)).await {
            Ok(reading) => reading,
            Err(failure) if failure.class == FailureClass::AccessDenied => {
                // Some organisations deny it. Not asked again before a restart.
                warn!(%failure, "the account's details are denied: objects are looked at by lists and in turns");
                self.denied = true;
                self.context.metrics.sweep_degraded(true);
                return self.by_lists(account, targets).await;
            }
            Err(failure) => return Err(SweepError::Call(failure)),
        };
        self.details_calls = reading.calls();
        let read = self.read_tags(&iam, &reading, targets).await?;
        self.count_orphans(&reading);
        for (number, target) in targets.iter().enumerate() {
            let observed = reading.take(&target.names);
            let tags = ReadTags {
                policy: (observed.policy.as_ref()).and_then(|p| read.get(&p.arn).cloned()),
                instance_profile: (observed.instance_profile.as_ref())
                    .and_then(|p| read.get(&p.arn).cloned()),
            };
            self.judge(account, target, |_| observed, tags);
            if number % BETWEEN_BREATHS == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn by_lists(&mut self, account: &Account, targets: &[Target]) -> Result<(), SweepError> {
        let lists = match self.iam().lists(&self.interest(targets)).await {
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
            let complete = |wanted: &Wanted| {
                let status = target.object.written_status().cloned().unwrap_or_default();
                as_if_complete(listed, &wanted.desired, &status)
            };
            self.judge(account, target, complete, ReadTags::default());
        }
        // What lists leave out.
        let keys: Vec<&Key> = targets.iter().map(|t| &t.key).collect();
        let turn = self.looks.next(&keys, keys.len().div_ceil(SWEEPS_PER_LOOK));
        self.ask_all(turn, Priority::Resync);
        Ok(())
    }

    /// Queues the object where it needs a look.
    fn judge(
        &self,
        account: &Account,
        target: &Target,
        reading: impl FnOnce(&Wanted) -> Observed,
        tags: ReadTags,
    ) {
        let Target { key, object, .. } = target;
        let (Ok(spec), Some(status)) = (&object.spec, object.written_status()) else {
            return;
        };
        let (subject, limits) = (object.subject(), &self.context.limits);
        let why = match wanted(spec, &subject, Some(status), account, limits, None) {
            Ok(wanted) => {
                let reading = as_if_tagged(&wanted.desired, reading(&wanted), tags);
                needs_look(&wanted, status, &reading)
            }
            Err(_) => Some("the operator's limits have changed"),
        };
        if let Some(why) = why {
            debug!(
                namespace = key.namespace,
                name = key.name,
                why,
                "needs a look"
            );
            self.ask_all([key], Priority::Repair);
        }
    }

    fn ask_all<'a>(&self, keys: impl IntoIterator<Item = &'a Key>, priority: Priority) {
        for key in keys {
            self.context.metrics.queue_added();
            self.queue.add(key.clone(), priority);
        }
    }

    /// A few of the tags that no list gives, in turns: of our policies and profiles, and once of
    /// what lies beside them under our paths.
    async fn read_tags(
        &mut self,
        iam: &Iam,
        reading: &WholeAccount,
        targets: &[Target],
    ) -> Result<BTreeMap<String, Tags>, SweepError> {
        let own: BTreeSet<&str> = (targets.iter())
            .flat_map(|Target { names, .. }| {
                let policy = reading.policy(names).map(|p| p.arn.as_str());
                let profile = reading.profile(names).map(|p| p.arn.as_str());
                [policy, profile]
            })
            .flatten()
            .collect();
        let policies = reading.policies().map(|p| Tagged {
            kind: TaggedKind::Policy,
            arn: &p.arn,
            name: &p.name,
        });
        let profiles = reading.profiles().map(|p| Tagged {
            kind: TaggedKind::InstanceProfile,
            arn: &p.arn,
            name: &p.name,
        });
        let all = policies.chain(profiles).map(|tagged| (tagged.arn, tagged));
        let all: BTreeMap<&str, Tagged> = all.collect();
        let others: Vec<&Tagged> = (all.values())
            .filter(|tagged| !own.contains(tagged.arn))
            .collect();
        // What has the name of an object that is not looked at (paused, say) is left alone.
        let named = if others.is_empty() {
            BTreeSet::new()
        } else {
            self.names_in_use()
        };
        let strays: BTreeSet<&str> = (others.into_iter())
            .filter(|tagged| !named.contains(&tagged.name.to_lowercase()))
            .map(|tagged| tagged.arn)
            .collect();
        self.strays.retain(|arn, _| strays.contains(arn.as_str()));
        let unread = strays.iter().filter(|arn| !self.strays.contains_key(**arn));
        let waiting: BTreeSet<&str> = own.iter().chain(unread).copied().collect();
        let waiting: Vec<&str> = waiting.into_iter().collect();
        let turn = self.tags.next(&waiting, TAG_READS);
        let reads = turn.into_iter().filter_map(|arn| all.get(arn));
        let reads = reads.map(async |Tagged { kind, arn, name }| {
            let tags = match kind {
                TaggedKind::Policy => iam.policy_tags(arn).await,
                TaggedKind::InstanceProfile => iam.profile_tags(arn, name).await,
            };
            tags.map(|tags| ((*arn).to_owned(), tags))
                .map_err(SweepError::Call)
        });
        let read: BTreeMap<String, Tags> = try_join_all(reads).await?.into_iter().collect();
        for (arn, tags) in read.iter().filter(|(arn, _)| strays.contains(arn.as_str())) {
            self.strays.insert(arn.clone(), self.owner(tags));
        }
        Ok(read)
    }

    /// Names of the policies and profiles of all objects, in lower case.
    fn names_in_use(&self) -> BTreeSet<String> {
        let objects = self.context.store.all();
        let names = objects.iter().map(|object| self.names(object));
        names
            .flat_map(|of| [of.policy, of.instance_profile])
            .map(|name| name.to_lowercase())
            .collect()
    }

    /// The owner in this cluster, as tags tell.
    fn owner(&self, tags: &Tags) -> Option<String> {
        let cluster = tags.get(CLUSTER)?;
        (*cluster == self.context.limits.cluster_name).then(|| tags.get(OWNER).cloned())?
    }

    /// What is ours by tag and belongs to no object is counted and named, never touched.
    fn count_orphans(&mut self, reading: &WholeAccount) {
        if self.sight.selects {
            return;
        }
        let roles = reading
            .roles()
            .filter_map(|role| Some((role.arn.clone(), self.owner(&role.tags)?)));
        let strays = self
            .strays
            .iter()
            .filter_map(|(arn, owner)| Some((arn.clone(), owner.clone()?)));
        let found: BTreeSet<String> = roles
            .chain(strays)
            .filter(|(_, owner)| self.is_orphaned(owner))
            .map(|(arn, _)| arn)
            .collect();
        for arn in found.difference(&self.orphans) {
            info!(
                arn,
                "carries this cluster's tags and belongs to no SessionManagerRole"
            );
        }
        self.context.metrics.orphans(found.len());
        self.orphans = found;
    }

    fn is_orphaned(&self, owner: &str) -> bool {
        let Some((namespace, name)) = owner.split_once('/') else {
            return true;
        };
        let namespaces = &self.sight.namespaces;
        let in_sight = namespaces.is_empty() || namespaces.iter().any(|n| n == namespace);
        let key = Key {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        in_sight && self.context.store.get(&key).is_none()
    }
}
