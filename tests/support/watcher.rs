//! Looks at every version of an object that a watch shows, and holds it against the promises that
//! hold at every moment.

use std::sync::{Arc, Mutex};

use futures::{StreamExt, TryStreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use smr_api::SessionManagerRole;
use tokio::task::JoinHandle;

use super::{World, condition};

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

/// Every version seen so far.
pub struct Seen {
    versions: Arc<Mutex<Vec<SessionManagerRole>>>,
    task: JoinHandle<()>,
}

impl World {
    /// Watches all objects of the world from now on. At each version that kstatus calls Current,
    /// `converged` must hold of IAM.
    pub fn watch(
        &self,
        converged: impl Fn(&SessionManagerRole, &iam_emulator::Snapshot) -> bool + Send + 'static,
    ) -> Seen {
        let versions = Arc::new(Mutex::new(Vec::new()));
        let (sink, api, emulator) = (versions.clone(), self.api(), self.iam.emulator().clone());
        let task = tokio::spawn(async move {
            let mut objects = watcher(api, watcher::Config::default())
                .applied_objects()
                .boxed();
            while let Ok(Some(object)) = objects.try_next().await {
                check(&object);
                if kstatus(&object) == Kstatus::Current {
                    let account = emulator.snapshot();
                    assert!(
                        converged(&object, &account),
                        "Current, but IAM has not converged: {object:?}\n{account:?}"
                    );
                }
                sink.lock().unwrap().push(object);
            }
        });
        Seen { versions, task }
    }
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
