//! The live plan: manifests in, what the controller would do with IAM and the cluster as they are
//! out. Does network IO; never writes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use serde_json::Value as Json;
use smr_api::SessionManagerRole;
use smr_core::account::Account;
use smr_core::failure::Failure;
use smr_core::limits::Limits;
use smr_core::names::Live;
use smr_core::observed::Observed;
use smr_core::ownership::{CLUSTER, OWNER, UID};
use smr_core::plan::Recorded;
use smr_core::ports::Clock as _;
use smr_core::resolve::{Resolved, recorded_elsewhere};
use smr_core::sweep::{Coverage, ReadTags, as_if_tagged, needs_look};
use thiserror::Error;

use super::super::account::{self, AccountError};
use super::super::load::{self, LoadError, Loaded, Namespace};
use super::entry::{self, Entry, Sound, UID_TO_BE, Verdict};
use super::iam::Reading;
use super::{CliError, Mode, Report, Task, clash};
use crate::clock::SystemClock;
use crate::controller::cache::Object;
use crate::controller::cluster_uid;
use crate::kubernetes;
use smr_api::Key;

/// The cluster answers in this time, or does without it.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(10);
/// Objects are worked on side by side; the calls are paced by the budget.
const AT_ONCE: usize = 16;
/// Up to so many objects are asked for one by one, more by listing their namespaces; and of so many
/// the tags of policies and profiles are always read.
const ONE_BY_ONE: usize = 10;

/// No plan can be made.
#[derive(Debug, Error)]
pub enum PlanError {
    /// AWS did not answer as it should.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<Failure> for PlanError {
    fn from(failure: Failure) -> Self {
        Self::Account(AccountError::Aws(failure))
    }
}

/// What the cluster knows.
struct Cluster {
    /// Whether it was asked and has answered.
    answered: bool,
    namespace: String,
    objects: BTreeMap<Key, Json>,
    /// That of the namespace kube-system, where it may be read.
    uid: Option<String>,
    note: Option<String>,
}

pub(super) fn plan(mut task: Task, ask_cluster: bool) -> Result<Report, CliError> {
    let manifests = task.manifests.or_none().map_err(LoadError::from)?;
    let given = Namespace::of_flag(task.namespace.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let documents = manifests.documents;
        let cluster = Cluster::ask(ask_cluster, task.namespace.as_deref(), &documents).await;
        let known = &mut task.limits.cluster.uid;
        *known = known.take().or_else(|| cluster.uid.clone());
        let namespace = match given {
            Namespace::Flag(_) => given,
            Namespace::Default(_) => Namespace::Default(&cluster.namespace),
        };
        let loaded = load::check(documents, namespace, |key| {
            cluster.objects.get(key).cloned()
        })?;
        let aws = account::reading().await;
        let account = account::caller(&aws).await.map_err(PlanError::from)?;
        task.account.expect(&account)?;
        let reading = Reading::begin(&aws, account.clone())
            .await
            .map_err(PlanError::from)?;
        let planner = Planner {
            cluster: &cluster,
            account: &account,
            limits: &task.limits,
            reading,
            are_many: loaded.len() > ONE_BY_ONE,
        };
        let entries: Vec<Entry> = stream::iter(loaded)
            .map(|loaded| planner.entry(loaded))
            .buffered(AT_ONCE)
            .try_collect()
            .await
            .map_err(PlanError::from)?;
        Ok(Report {
            mode: Mode::Live,
            account: Some(account),
            cluster: task.limits.cluster.name.clone(),
            entries: clash::refused(entries),
            renames: Vec::new(),
            skipped: manifests.skipped,
            notes: cluster.note.into_iter().collect(),
        })
    })
}

struct Planner<'a> {
    cluster: &'a Cluster,
    account: &'a Account,
    limits: &'a Limits,
    reading: Reading,
    are_many: bool,
}

impl Planner<'_> {
    async fn entry(&self, loaded: Loaded) -> Result<Entry, Failure> {
        let live = (self.cluster.objects.get(&loaded.key))
            .and_then(|json| serde_json::from_value::<Object>(json.clone()).ok());
        let sound = match entry::sound(loaded) {
            Ok(sound) => sound,
            Err(entry) => return Ok(*entry),
        };
        let status = live.as_ref().and_then(Object::written_status);
        if let Some(recorded) = recorded_elsewhere(status, self.account) {
            return Ok(Entry {
                place: sound.place,
                key: sound.loaded.key,
                verdict: Verdict::WrongAccount {
                    recorded,
                    caller: self.account.id.clone(),
                },
                notes: Vec::new(),
            });
        }
        let uid = live.as_ref().map_or(UID_TO_BE, |object| object.uid());
        let (wanted, observed) = match self.look(&sound, uid, live.as_ref()).await? {
            Ok(found) => found,
            Err(entry) => return Ok(*entry),
        };
        let recorded = Recorded::of(status);
        if let Some(live) = live.as_ref().filter(|live| live.is_deleting()) {
            let users = self.reading.users(&observed).await?;
            let outlook = entry::deletion(
                &wanted,
                &observed,
                &recorded,
                &users,
                live.deletion_policy,
                SystemClock::new().now(),
            );
            let mut entry = sound.entry(outlook);
            entry.notes.push(
                "the object in the cluster is being deleted: apply the manifest once it is gone"
                    .to_owned(),
            );
            return Ok(entry);
        }
        Ok(sound.planned(&wanted, &observed, &recorded))
    }

    /// What the manifest comes to, and what IAM holds of it.
    async fn look(
        &self,
        sound: &Sound,
        uid: &str,
        live: Option<&Object>,
    ) -> Result<Result<(Resolved, Observed), Box<Entry>>, Failure> {
        let status = live.and_then(Object::written_status);
        let come_to = |uid: &str, found: Option<&Live>| {
            sound.resolve(uid, status, self.account, self.limits, found)
        };
        let mut wanted = match come_to(uid, None) {
            Ok(wanted) => wanted,
            Err(entry) => return Ok(Err(entry)),
        };
        if let Some(observed) = live.and_then(|live| self.in_sync(sound, live, &wanted)) {
            return Ok(Ok((wanted, observed)));
        }
        let mut observed = self.reading.observe(&wanted.desired.names).await?;
        let is_asked = Recorded::of(status).is_empty() || wanted.creation.path_is_hearsay;
        let found = is_asked.then(|| wanted.live(&observed));
        let known_uid = Some(uid)
            .filter(|_| !self.cluster.answered)
            .and_then(|_| uid_in_tags(&wanted, &observed));
        let names = wanted.desired.names.clone();
        wanted = match come_to(known_uid.as_deref().unwrap_or(uid), found.as_ref()) {
            Ok(wanted) => wanted,
            Err(entry) => return Ok(Err(entry)),
        };
        if wanted.desired.names != names {
            observed = self.reading.observe(&wanted.desired.names).await?;
        }
        Ok(Ok((wanted, observed)))
    }
}

impl Planner<'_> {
    /// What IAM holds of one of many objects that the manifest leaves as it is and that the
    /// controller's own sweep would not look at: the tags that no list gives are not read either.
    fn in_sync(&self, sound: &Sound, live: &Object, wanted: &Resolved) -> Option<Observed> {
        let status = live.written_status()?;
        let unchanged = self.are_many && live.is_in_sync() && live.spec.as_ref() == Ok(&sound.spec);
        let found = (self.reading.in_bulk(&wanted.desired.names)).filter(|_| unchanged)?;
        let observed = as_if_tagged(&wanted.desired, found, ReadTags::default());
        needs_look(wanted, status, &observed, Coverage::Details)
            .is_none()
            .then_some(observed)
    }
}

/// Without the cluster, the UID that ours in IAM carry is taken for right.
fn uid_in_tags(wanted: &Resolved, observed: &Observed) -> Option<String> {
    let ours = wanted.desired.identity.tags();
    let role = observed.role.as_ref().map(|r| &r.tags);
    let policy = observed.policy.as_ref().map(|p| &p.tags);
    let profile = observed.instance_profile.as_ref().map(|p| &p.tags);
    [role, policy, profile]
        .into_iter()
        .flatten()
        .filter(|tags| {
            [CLUSTER, OWNER]
                .iter()
                .all(|key| tags.get(*key) == ours.get(*key))
        })
        .find_map(|tags| tags.get(UID).cloned())
}

impl Cluster {
    /// Asks the cluster of the kubeconfig; one that does not answer is done without.
    async fn ask(
        ask: bool,
        namespace: Option<&str>,
        documents: &[super::super::manifests::Document],
    ) -> Self {
        const UNKNOWN: &str = "what only the cluster knows (UIDs, names and paths fixed earlier, which tags and policies are managed) is not taken into account";
        let mut cluster = Self {
            answered: false,
            namespace: namespace.unwrap_or("default").to_owned(),
            objects: BTreeMap::new(),
            uid: None,
            note: None,
        };
        if !ask {
            cluster.note = Some(format!("--no-cluster: {UNKNOWN}"));
            return cluster;
        }
        let Ok(mut config) = kubernetes::config().await else {
            cluster.note = Some(format!("no kubeconfig was found: {UNKNOWN}"));
            return cluster;
        };
        if namespace.is_none() {
            cluster.namespace.clone_from(&config.default_namespace);
        }
        config.connect_timeout = Some(CLUSTER_TIMEOUT);
        config.read_timeout = Some(CLUSTER_TIMEOUT);
        let keys: Vec<Key> = documents
            .iter()
            .map(|d| load::key(d, &cluster.namespace))
            .collect();
        let read = match Client::try_from(config) {
            Ok(client) => {
                let read = async {
                    let objects = read(&client, &keys).await?;
                    // Who may not read it plans without: nothing is said of the tag then.
                    let uid = cluster_uid::read(&client).await.ok().flatten();
                    Ok((objects, uid))
                };
                tokio::time::timeout(CLUSTER_TIMEOUT * 2, read).await
            }
            Err(error) => Ok(Err(error)),
        };
        let problem = match read {
            Ok(Ok((objects, uid))) => {
                cluster.objects = objects;
                cluster.uid = uid;
                cluster.answered = true;
                return cluster;
            }
            Ok(Err(error)) => kubernetes::cause(&error),
            Err(_elapsed) => "no answer in time".to_owned(),
        };
        cluster.note = Some(format!(
            "the cluster could not be asked ({problem}): {UNKNOWN}"
        ));
        cluster
    }
}

/// The objects of these keys, as far as they exist; none where the CRD is not installed.
async fn read(client: &Client, keys: &[Key]) -> kube::Result<BTreeMap<Key, Json>> {
    let kind = ApiResource::erase::<SessionManagerRole>(&());
    let api =
        |namespace: &str| Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &kind);
    let mut found = BTreeMap::new();
    if keys.len() <= ONE_BY_ONE {
        for key in keys.iter().filter(|key| !key.name.is_empty()) {
            if let Some(object) = api(&key.namespace).get_opt(&key.name).await? {
                found.insert(key.clone(), json(&object)?);
            }
        }
        return Ok(found);
    }
    let namespaces: std::collections::BTreeSet<&str> =
        keys.iter().map(|k| k.namespace.as_str()).collect();
    for namespace in namespaces {
        let mut params = ListParams::default().limit(500);
        loop {
            let page = match api(namespace).list(&params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => break,
                page => page?,
            };
            for object in &page.items {
                let name = object.metadata.name.clone().unwrap_or_default();
                found.insert(
                    Key {
                        namespace: namespace.to_owned(),
                        name,
                    },
                    json(object)?,
                );
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(found)
}

fn json(object: &DynamicObject) -> kube::Result<Json> {
    serde_json::to_value(object).map_err(kube::Error::SerdeError)
}
