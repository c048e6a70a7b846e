//! The objects as last seen, by key. In: watch events and answers to our own patches; out: the
//! newest reading of an object. No IO.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::object::{Key, Object, Trigger};
use crate::telemetry::metrics::ObjectCounts;

/// Shared by the watch and the workers.
#[derive(Clone, Debug, Default)]
pub struct Store(Arc<Mutex<BTreeMap<Key, Arc<Object>>>>);

/// What an event of the watch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not seen before.
    New,
    /// Something that matters has changed.
    Woken,
    /// Nothing that matters: an own status write, another's label.
    Nothing,
}

impl Store {
    /// The newest reading.
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.lock().get(key).cloned()
    }

    /// Takes a reading in, unless a newer one is there (the watch may lag behind our own patches).
    pub fn put(&self, object: Object) -> Change {
        let mut objects = self.lock();
        let key = object.key();
        let Some(known) = objects.get(&key) else {
            objects.insert(key, Arc::new(object));
            return Change::New;
        };
        if !object.is_newer_than(known) {
            return Change::Nothing;
        }
        let before: Trigger = known.trigger();
        let change = if object.trigger() == before {
            Change::Nothing
        } else {
            Change::Woken
        };
        objects.insert(key, Arc::new(object));
        change
    }

    /// The object is gone.
    pub fn remove(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// All keys in a namespace, or everywhere.
    pub fn keys(&self, namespace: Option<&str>) -> Vec<Key> {
        self.lock()
            .keys()
            .filter(|key| namespace.is_none_or(|n| key.namespace == n))
            .cloned()
            .collect()
    }

    /// All objects, in order.
    pub fn all(&self) -> Vec<Arc<Object>> {
        self.lock().values().cloned().collect()
    }

    /// How many objects are ready, and why the others are not.
    pub fn counts(&self) -> ObjectCounts {
        let mut counts = ObjectCounts::new();
        for object in self.lock().values() {
            let ready = object
                .status
                .iter()
                .flat_map(|s| &s.conditions)
                .find(|c| c.type_ == "Ready");
            let (ready, reason) = ready.map_or(("Unknown", "Unknown"), |c| {
                (label(&c.status), label(&c.reason))
            });
            *counts.entry((ready, reason)).or_default() += 1;
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Object>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Labels are bounded: what is not one of ours (someone else's status write) is `Other`.
fn label(text: &str) -> &'static str {
    const KNOWN: [&str; 20] = [
        "True",
        "False",
        "Converged",
        "Creating",
        "Updating",
        "Repairing",
        "Deleting",
        "Drifted",
        "Throttled",
        "AwsUnavailable",
        "InvalidSpec",
        "NotOwned",
        "Replaced",
        "WrongAccount",
        "AccessDenied",
        "CredentialsUnavailable",
        "QuotaExceeded",
        "PolicyTooLarge",
        "DeletionBlocked",
        "Unknown",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == text)
        .unwrap_or("Other")
}
