//! A sweep by the account's details: targets in, keys that need a look queued. Reads IAM, writes
//! nothing. Each part is judged as its page comes in and then gone: what is kept are the few whose
//! status tells of a difference, and what is nobody's.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use smr_core::Tags;
use smr_core::account::Account;
use smr_core::kind::Kind;
use smr_core::names::Names;
use smr_core::observed::{Observed, ObservedRole};
use smr_core::ownership::OWNER;
use smr_core::sweep::{
    BulkItem, Coverage, InSyncCache, ReadTags, TAG_READS, as_if_tagged, is_told_of, needs_look,
    part_needs_look, parts, tags_need_look,
};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Details, Key, SweepError, Sweeper, Target};
use smr_iam::{BulkFilter, Iam, with_own_document};

/// Which of the three, and its name in lower case.
type Name = (Kind, String);

/// A reading as it comes in.
struct Reading<'a> {
    sweeper: &'a Sweeper,
    account: &'a Account,
    targets: &'a [Target],
    /// Whose a name is, by its place in `targets`.
    owners: BTreeMap<Name, usize>,
    /// Who asks for it besides. All of them are judged by it: which of them tells the truth is not known here.
    contenders: BTreeMap<Name, Vec<usize>>,
    /// The parts of each target that are still to come.
    missing: Vec<BTreeSet<Kind>>,
    answers: InSyncCache,
    /// Those that are judged as a whole in the end.
    told: BTreeMap<usize, Observed>,
    /// Policies and profiles under our paths that have the name of no target.
    others: Vec<Tagged>,
    /// ARNs of roles that are ours by tag and have no object.
    orphans: BTreeSet<String>,
}

/// What a reading leaves behind.
struct Found {
    others: Vec<Tagged>,
    orphans: BTreeSet<String>,
    answers: InSyncCache,
}

/// Something whose tags no list gives.
#[derive(Clone, Debug)]
struct Tagged {
    kind: Kind,
    arn: String,
    name: String,
}

impl Sweeper {
    pub(super) async fn by_details(
        &mut self,
        account: &Account,
        targets: &[Target],
    ) -> Result<(), SweepError> {
        let iam = self.iam(account);
        let pages_of_roles = self.roles.div_ceil(1000);
        let interest = self.interest(targets);
        let answers = self.answers.take();
        let mut reading = Reading::new(self, account, targets, answers);
        let read = iam.read_account(&interest, pages_of_roles, |part| reading.take(part));
        let cost = match read.await {
            Ok(cost) => cost,
            Err(failure) => {
                // Some organizations deny it, and for some accounts it takes too long.
                let Some(pause) = Details::pause_after(&failure) else {
                    return Err(SweepError::Call(failure));
                };
                warn!(%failure, "the account's details can't be read: objects are read by lists and in rotation");
                self.by_lists(account, targets).await?;
                self.details.pause(pause, Instant::now());
                return Ok(());
            }
        };

        let Found {
            others,
            orphans,
            answers,
        } = reading.end();
        self.answers = answers;
        if self.details.read() {
            info!("the account's details are read again");
        }
        (self.details_calls, self.roles) = (cost.calls, cost.roles);
        if let Err(error) = self.read_tags(&iam, account, targets, others).await {
            // Their turn comes again; all else has been seen.
            warn!(%error, "tags of policies and instance profiles could not be read in this sweep");
        }
        self.count_orphans(orphans);
        Ok(())
    }

    /// What is read of the account: what has the name of one of our objects, or lies beside them.
    pub(super) fn interest(&self, targets: &[Target]) -> BulkFilter {
        let names = targets.iter().flat_map(|target| names_of(&target.names));
        BulkFilter::Ours {
            names: names.map(|(_, name)| name).collect(),
            paths: targets.iter().map(|t| t.names.path.clone()).collect(),
            cluster: self.context.limits.cluster.name.clone(),
        }
    }

    /// A few of the tags that no list gives, in turns: of our policies and profiles, and once of
    /// what lies beside them under our paths.
    async fn read_tags(
        &mut self,
        iam: &Iam,
        account: &Account,
        targets: &[Target],
        others: Vec<Tagged>,
    ) -> Result<(), SweepError> {
        // What has the name of an object that is not looked at (paused, say) is left alone.
        let named = if others.is_empty() {
            BTreeSet::new()
        } else {
            self.names_in_use()
        };
        let mut unclaimed = others;
        unclaimed.retain(|other| !named.contains(&(other.kind, other.name.to_lowercase())));
        let unclaimed: BTreeMap<&str, &Tagged> = unclaimed
            .iter()
            .map(|stray| (stray.arn.as_str(), stray))
            .collect();
        self.unclaimed
            .retain(|arn, _| unclaimed.contains_key(arn.as_str()));
        // Which of the two it has is in its status; where they are is not, as others may write that.
        let own = targets.iter().flat_map(|target| {
            let has = target
                .object
                .written_status()
                .map(parts)
                .unwrap_or_default();
            let (its, has) = (&target.names, move |kind| has.contains(&kind));
            let policy = has(Kind::Policy).then(|| its.policy_arn(account));
            let profile = has(Kind::InstanceProfile).then(|| its.instance_profile_arn(account));
            [policy, profile].map(|arn| Some((arn?, target)))
        });
        let own: Vec<(String, &Target)> = own.flatten().collect();
        let own: BTreeMap<&str, &Target> = own
            .iter()
            .map(|(arn, target)| (arn.as_str(), *target))
            .collect();
        let unread = unclaimed
            .keys()
            .filter(|arn| !self.unclaimed.contains_key(**arn));
        let waiting: BTreeSet<&str> = own.keys().chain(unread).copied().collect();
        let waiting: Vec<&str> = waiting.into_iter().collect();
        let turn = self.tags.next(&waiting, TAG_READS);
        let reads = turn.into_iter().map(async |arn| {
            let (kind, name) = match unclaimed.get(arn) {
                Some(stray) => (stray.kind, stray.name.as_str()),
                None => kind_and_name(arn),
            };
            let tags = match kind {
                Kind::InstanceProfile => iam.profile_tags(arn, name).await,
                Kind::Policy | Kind::Role => iam.policy_tags(arn).await,
            };
            tags.map(|tags| (arn, kind, tags)).map_err(SweepError::Call)
        });
        for (arn, kind, tags) in try_join_all(reads).await? {
            if unclaimed.contains_key(arn) {
                self.unclaimed.insert(arn.to_owned(), self.owner(&tags));
            } else if let Some(target) = own.get(arn) {
                let read = match kind {
                    Kind::InstanceProfile => ReadTags {
                        instance_profile: Some(tags),
                        ..ReadTags::default()
                    },
                    Kind::Policy | Kind::Role => ReadTags {
                        policy: Some(tags),
                        ..ReadTags::default()
                    },
                };
                self.judge(account, target, |wanted, status| {
                    tags_need_look(wanted, status, read)
                });
            }
        }
        Ok(())
    }

    /// Names of the policies and profiles of all objects.
    fn names_in_use(&self) -> BTreeSet<Name> {
        let objects = self.context.store.each();
        let names = objects.map(|(_, object)| self.names(&object));
        names.flat_map(|names| names_of(&names)).collect()
    }

    /// The owner in this cluster, as tags tell.
    fn owner(&self, tags: &Tags) -> Option<String> {
        let cluster = &self.context.limits.cluster;
        cluster
            .is_named_by(tags)
            .then(|| tags.get(OWNER).cloned())?
    }

    /// What is ours by tag and belongs to no object is counted and named, never touched.
    fn count_orphans(&mut self, mut found: BTreeSet<String>) {
        if self.scope.selects {
            return;
        }
        let unclaimed = (self.unclaimed.iter())
            .filter(|(_, owner)| owner.as_ref().is_some_and(|owner| self.is_orphaned(owner)));
        found.extend(unclaimed.map(|(arn, _)| arn.clone()));
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
        let namespaces = &self.scope.namespaces;
        let in_sight = namespaces.is_empty() || namespaces.iter().any(|n| n == namespace);
        let key = Key {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        in_sight && !self.context.store.contains(&key)
    }
}

impl<'a> Reading<'a> {
    fn new(
        sweeper: &'a Sweeper,
        account: &'a Account,
        targets: &'a [Target],
        answers: InSyncCache,
    ) -> Self {
        let numbered = || targets.iter().enumerate();
        let missing: Vec<BTreeSet<Kind>> = (targets.iter())
            .map(|target| target.object.written_status())
            .map(|status| status.map(parts).unwrap_or_default())
            .collect();
        let mut owners = BTreeMap::new();
        let mut contenders: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
        for (number, target) in numbered() {
            for name in names_of(&target.names) {
                match owners.entry(name) {
                    Entry::Vacant(free) => {
                        free.insert(number);
                    }
                    Entry::Occupied(taken) => {
                        contenders
                            .entry(taken.key().clone())
                            .or_default()
                            .push(number);
                    }
                }
            }
        }
        let told = numbered()
            .filter(|(_, target)| (target.object.written_status()).is_some_and(is_told_of));
        Self {
            owners,
            contenders,
            missing,
            told: told
                .map(|(number, _)| (number, Observed::default()))
                .collect(),
            others: Vec::new(),
            orphans: BTreeSet::new(),
            answers,
            sweeper,
            account,
            targets,
        }
    }

    /// A part that is of interest.
    fn take(&mut self, part: BulkItem) {
        if let BulkItem::Role(role) = &part
            && let Some(owner) = self.sweeper.owner(&role.tags)
            && self.sweeper.is_orphaned(&owner)
        {
            self.orphans.insert(role.arn.clone());
        }
        let kind = part.kind();
        let name = (kind, part.name().to_lowercase());
        let Some(owner) = self.owners.get(&name).copied() else {
            if kind != Kind::Role {
                self.others.push(Tagged {
                    kind,
                    arn: part.arn().to_owned(),
                    name: part.name().to_owned(),
                });
            }
            return;
        };
        for number in self.contenders.get(&name).cloned().unwrap_or_default() {
            self.judge(number, part.clone());
        }
        self.judge(owner, part);
    }

    /// A part that may be of this target.
    fn judge(&mut self, number: usize, part: BulkItem) {
        let kind = part.kind();
        let target = &self.targets[number];
        self.missing[number].remove(&kind);
        let part = match part {
            BulkItem::Role(role) => BulkItem::Role(Box::new(ObservedRole {
                // Use is no change.
                last_used: None,
                ..with_own_document(*role, &target.names)
            })),
            BulkItem::Policy(_) | BulkItem::InstanceProfile(_) => part,
        };
        if let Some(observed) = self.told.get_mut(&number) {
            part.put_into(observed);
            return;
        }
        let (sweeper, account) = (self.sweeper, self.account);
        let version = &target.object.metadata.resource_version;
        let question = (account, target.object.uid(), version, &part);
        self.answers.in_sync(&question, || {
            sweeper.judge(account, target, |wanted, status| {
                part_needs_look(wanted, status, part.clone())
            })
        });
    }

    /// All pages are read: what is missing is queued, and the rest judged as a whole.
    fn end(mut self) -> Found {
        for (number, target) in self.targets.iter().enumerate() {
            if let Some(observed) = self.told.get(&number) {
                self.sweeper.judge(self.account, target, |wanted, status| {
                    let desired = &wanted.desired;
                    let reading = as_if_tagged(desired, observed.clone(), ReadTags::default());
                    needs_look(wanted, status, &reading, Coverage::Details)
                });
            } else if !self.missing[number].is_empty() {
                self.sweeper.judge(self.account, target, |_, _| {
                    Some("one of the three is missing")
                });
            }
        }
        self.answers.end_sweep();
        Found {
            others: self.others,
            orphans: self.orphans,
            answers: self.answers,
        }
    }
}

fn names_of(names: &Names) -> [Name; 3] {
    [
        (Kind::Role, names.role.to_lowercase()),
        (Kind::Policy, names.policy.to_lowercase()),
        (Kind::InstanceProfile, names.instance_profile.to_lowercase()),
    ]
}

/// What an ARN of ours says: `arn:aws:iam::111122223333:policy/session-manager/team.web`.
fn kind_and_name(arn: &str) -> (Kind, &str) {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let name = resource.rsplit('/').next().unwrap_or_default();
    match resource.split('/').next() {
        Some("instance-profile") => (Kind::InstanceProfile, name),
        Some(_) | None => (Kind::Policy, name),
    }
}
