//! Looks at every version of an object that a watch shows, and holds it against the promises that
//! hold at every moment.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use smr_api::{SessionManagerRole, Tags};
use tokio::task::JoinHandle;

use super::iam::StandIn;
use super::{PATIENCE, World, condition};

/// kstatus' verdict on a custom resource (sigs.k8s.io/cli-utils, pkg/kstatus/status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kstatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

pub fn kstatus(object: &SessionManagerRole) -> Kstatus {
    if object.metadata.deletion_timestamp.is_some() {
        return Kstatus::Terminating;
    }
    let Some(status) = &object.status else {
        return Kstatus::Current;
    };
    if Some(status.observed_generation) != object.metadata.generation {
        return Kstatus::InProgress;
    }
    let is_true = |type_: &str| condition(status, type_).is_some_and(|c| c.status == "True");
    if is_true("Stalled") {
        return Kstatus::Failed;
    }
    if is_true("Reconciling") || condition(status, "Ready").is_some_and(|c| c.status != "True") {
        return Kstatus::InProgress;
    }
    Kstatus::Current
}

/// Each version of the objects from now on, their present ones first. The watch has begun when this returns: what
/// is changed after that is shown, however busy the machine is. A watch that failed begins anew, with what it has
/// shown before.
pub async fn versions<K>(api: Api<K>, which: watcher::Config) -> impl Stream<Item = K> + Unpin
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = watcher(api, which).default_backoff().boxed();
    let mut first = Vec::new();
    let listed = async {
        while let Some(event) = events.next().await {
            let Ok(event) = event else { continue };
            let done = matches!(event, Event::InitDone);
            first.push(Ok(event));
            if done {
                break;
            }
        }
    };
    let listed = tokio::time::timeout(PATIENCE, listed).await;
    listed.expect("the objects were never listed");
    stream::iter(first)
        .chain(events)
        .applied_objects()
        .filter_map(async |version| version.ok())
        .boxed()
}

/// Every version seen so far.
pub struct Seen {
    versions: Arc<Mutex<Vec<SessionManagerRole>>>,
    task: JoinHandle<()>,
}

impl World {
    /// Watches all objects of the world from now on. At each version that kstatus calls Current,
    /// `converged` must hold of IAM.
    pub async fn watch(
        &self,
        converged: impl Fn(&SessionManagerRole, &iam_emulator::Snapshot) -> bool + Send + 'static,
    ) -> Seen {
        let emulator = self.iam.emulator().clone();
        self.record(move |object| {
            if kstatus(object) == Kstatus::Current {
                let account = emulator.snapshot();
                assert!(
                    converged(object, &account),
                    "Current, but IAM has not converged: {object:?}\n{account:?}"
                );
            }
        })
        .await
    }
}

impl<I: StandIn> World<I> {
    /// Watches all objects of the world from now on, and shows each version to `look`.
    pub async fn record(&self, look: impl Fn(&SessionManagerRole) + Send + 'static) -> Seen {
        let seen = Arc::new(Mutex::new(Vec::<SessionManagerRole>::new()));
        let sink = seen.clone();
        let mut objects = versions(self.api(), watcher::Config::default()).await;
        let task = tokio::spawn(async move {
            while let Some(object) = objects.next().await {
                let number = &object.metadata.resource_version;
                let is_same = |seen: &SessionManagerRole| seen.metadata.resource_version == *number;
                if sink.lock().unwrap().iter().any(is_same) {
                    continue;
                }
                check(&object);
                look(&object);
                sink.lock().unwrap().push(object);
            }
        });
        Seen {
            versions: seen,
            task,
        }
    }
}

/// Whether IAM holds what this version's spec says: read off the spec here, and not asked of the
/// controller's own code. Of the cluster `test`, with derived names and a managed policy.
pub fn as_spec_says(object: &SessionManagerRole, account: &iam_emulator::Snapshot) -> bool {
    let spec = &object.spec;
    let name = |part: &Option<String>| part.clone().unwrap_or_default();
    let (namespace, own) = (
        name(&object.metadata.namespace),
        name(&object.metadata.name),
    );
    let full = format!("{namespace}.{own}");
    let (Some(role), Some(policy), Some(profile)) = (
        account.roles.get(&full),
        account.policies.get(&full),
        account.instance_profiles.get(&full),
    ) else {
        return false;
    };
    let tagged = |found: &Tags, extra: Option<&Option<Tags>>| {
        let mut wanted = spec.tags.clone().unwrap_or_default();
        wanted.extend(extra.cloned().flatten().unwrap_or_default());
        let mut found = found.clone();
        found.retain(|key, _| !key.starts_with("sessionmanager.dev/"));
        found == wanted
    };
    let asked = spec.role.as_ref();
    let description = asked
        .and_then(|r| r.description.clone())
        .unwrap_or_else(|| {
            format!("Session Manager role of SessionManagerRole {namespace}/{own} in cluster test")
        });
    let session = asked
        .and_then(|r| r.max_session_duration_seconds)
        .unwrap_or(3600);
    let attached = std::iter::once(&policy.arn).chain(spec.additional_policy_arns.iter().flatten());
    let logs = spec.session_logs.as_ref();
    let bucket = logs.and_then(|l| l.s3.as_ref()).map(|s3| {
        let prefix = s3
            .key_prefix
            .as_deref()
            .map(|p| format!("{p}/"))
            .unwrap_or_default();
        format!("arn:aws:s3:::{}/{prefix}*", s3.bucket)
    });
    let says = |part: &str, wanted: bool| policy.document.contains(part) == wanted;
    role.description.as_deref() == Some(&description)
        && role.max_session == i64::from(session)
        && role.attached == attached.cloned().collect()
        && role.instance_profiles.contains(&full)
        && tagged(&role.tags, asked.map(|r| &r.tags))
        && tagged(&policy.tags, spec.policy.as_ref().map(|p| &p.tags))
        && tagged(
            &profile.tags,
            spec.instance_profile.as_ref().map(|p| &p.tags),
        )
        && says("kms:Decrypt", spec.session_encryption.is_some())
        && says("s3:PutObject", bucket.is_some())
        && bucket.is_none_or(|arn| says(&arn, true))
        && says(
            "logs:PutLogEvents",
            logs.is_some_and(|l| l.cloud_watch.is_some()),
        )
}

/// What holds of every version, whoever reads it.
fn check(object: &SessionManagerRole) {
    let Some(status) = object.status.as_ref().filter(|s| !s.conditions.is_empty()) else {
        return;
    };
    let is_true = |type_: &str| condition(status, type_).is_some_and(|c| c.status == "True");
    if let Some(ready) = condition(status, "Ready") {
        let others = usize::from(is_true("Reconciling")) + usize::from(is_true("Stalled"));
        let expected = usize::from(ready.status != "True");
        assert_eq!(
            others, expected,
            "Ready={} with {others} of Reconciling and Stalled: {status:?}",
            ready.status
        );
        if ready.status == "True" {
            assert_eq!(
                ready.observed_generation,
                Some(status.observed_generation),
                "{status:?}"
            );
        }
    }
}

impl Seen {
    /// Waits until the watch has shown this version.
    pub async fn version(&self, object: &SessionManagerRole) {
        let begun = Instant::now();
        let wanted = &object.metadata.resource_version;
        let has = || {
            let versions = self.versions.lock().unwrap();
            versions
                .iter()
                .any(|v| v.metadata.resource_version == *wanted)
        };
        while !has() && !self.task.is_finished() {
            assert!(
                begun.elapsed() < PATIENCE,
                "the watch never showed {wanted:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the watch; panics if a version broke a promise.
    pub async fn finish(self) -> Vec<SessionManagerRole> {
        if self.task.is_finished() {
            self.task
                .await
                .expect("a version of the object broke a promise");
            panic!("the watch ended by itself");
        }
        self.task.abort();
        let versions = self.versions.lock().unwrap();
        versions.clone()
    }
}
