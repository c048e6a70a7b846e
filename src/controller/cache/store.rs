//! The objects as last seen, by key. In: watch events and answers to our own patches; out: the
//! newest reading of an object. No IO.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smr_api::{ConditionStatus, ConditionType, Key, Mode, Reason};

use super::object::Object;
use super::packed::Packed;
use crate::telemetry::metrics::{Counted, ObjectCounts, Ready};

/// Shared by the watch and the workers.
#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: Arc<Mutex<BTreeMap<Key, Kept>>>,
    /// `--observe`: every object is in mode Observe, whatever its spec says.
    observe: bool,
}

#[derive(Debug)]
struct Kept {
    object: Packed,
    /// Condition Ready and its reason, which are counted often.
    ready: Ready,
    /// Since when it is so, in seconds since 1970; without the condition, since the object exists.
    since: i64,
}

impl Kept {
    fn new(object: Object) -> Self {
        Self {
            ready: ready(&object),
            since: since(&object),
            object: Packed::new(object),
        }
    }
}

/// What an event of the watch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not seen before. `settled`: nothing is left to do, as far as the object itself says.
    New {
        /// See [`Object::is_in_sync`].
        settled: bool,
    },
    /// Something that matters has changed.
    Woken,
    /// Nothing that matters: an own status write, another's label.
    Nothing,
}

impl Store {
    /// An empty one. `observe`: every object in it is in mode Observe.
    pub fn new(observe: bool) -> Self {
        Self {
            observe,
            ..Self::default()
        }
    }

    /// The object as this controller treats it.
    fn as_treated(&self, mut object: Object) -> Object {
        if self.observe {
            object.mode = Mode::Observe;
            if let Ok(spec) = &mut object.spec {
                spec.mode = Some(Mode::Observe);
            }
        }
        object
    }

    /// The newest reading.
    pub fn get(&self, key: &Key) -> Option<Object> {
        known(&self.lock(), key)
    }

    /// Whether there is such an object.
    pub fn contains(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    /// Takes a reading in, unless a newer one of the same object is there (the watch may lag behind
    /// our own patches).
    pub fn put(&self, object: Object) -> Change {
        self.take(object, |object, known| {
            object.uid() != known.uid() || object.is_newer_than(known)
        })
    }

    /// Takes an object of a new list in, whatever is there: after a restore of the API server's store
    /// resource versions are lower than before.
    pub fn replace(&self, object: Object) -> Change {
        self.take(object, |_, _| true)
    }

    fn take(&self, object: Object, counts: impl FnOnce(&Object, &Object) -> bool) -> Change {
        let object = self.as_treated(object);
        let mut objects = self.lock();
        let key = object.key();
        let change = match known(&objects, &key) {
            None => Change::New {
                settled: object.is_in_sync(),
            },
            Some(known) if !counts(&object, &known) => return Change::Nothing,
            Some(known) if object.trigger() == known.trigger() => Change::Nothing,
            Some(_) => Change::Woken,
        };
        objects.insert(key, Kept::new(object));
        change
    }

    /// Takes the answer to an own patch in, as [`Self::put`] does, unless the watch has seen the
    /// object go meanwhile.
    pub fn refresh(&self, object: Object) {
        let object = self.as_treated(object);
        let mut objects = self.lock();
        let key = object.key();
        let known = known(&objects, &key).filter(|known| known.uid() == object.uid());
        // What has lost its last finalizer is gone, and answered in the version that it had.
        let counts = |known: Object| {
            object.is_newer_than(&known)
                || object.metadata.resource_version == known.metadata.resource_version
        };
        if known.is_some_and(counts) {
            objects.insert(key, Kept::new(object));
        }
    }

    /// The object is gone, but not one that has been made in its place.
    pub fn remove_this(&self, gone: &Object) {
        let mut objects = self.lock();
        let key = gone.key();
        if known(&objects, &key).is_some_and(|known| known.uid() == gone.uid()) {
            objects.remove(&key);
        }
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

    /// The objects that are there now, in order.
    pub fn each(&self) -> impl Iterator<Item = (Key, Object)> {
        let keys = self.keys(None).into_iter();
        keys.filter_map(|key| self.get(&key).map(|object| (key, object)))
    }

    /// The objects that are not Ready because something else holds a name of theirs.
    pub fn waiting_for_a_name(&self) -> Vec<Object> {
        let objects = self.lock();
        let held = |kept: &&Kept| {
            matches!(
                kept.ready.reason(),
                Some(Reason::NotOwned | Reason::Replaced)
            )
        };
        (objects.values().filter(held))
            .filter_map(|kept| kept.object.object())
            .collect()
    }

    /// The objects to work on that are not Ready for want of credentials, or of the right ones.
    pub fn without_credentials(&self) -> Vec<Key> {
        let wants = |kept: &Kept| {
            matches!(
                kept.ready.reason(),
                Some(Reason::CredentialsUnavailable | Reason::WrongAccount)
            ) && (kept.object.object()).is_some_and(|o| o.is_to_be_worked_on())
        };
        let objects = self.lock();
        let stalled = objects.iter().filter(|(_, kept)| wants(kept));
        stalled.map(|(key, _)| key.clone()).collect()
    }

    /// How many objects are ready, and why the others are not.
    pub fn counts(&self) -> ObjectCounts {
        let mut counts = ObjectCounts::new();
        for Kept { ready, since, .. } in self.lock().values() {
            let counted = counts.entry(*ready).or_insert(Counted {
                objects: 0,
                since: *since,
            });
            counted.objects += 1;
            counted.since = counted.since.min(*since);
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Kept>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(objects: &BTreeMap<Key, Kept>, key: &Key) -> Option<Object> {
    objects.get(key)?.object.object()
}

fn ready(object: &Object) -> Ready {
    let ready = (object.status.as_ref()).and_then(|status| status.condition(ConditionType::Ready));
    ready.map_or(Ready::Unknown, |c| {
        Ready::Is(ConditionStatus::parse(&c.status), Reason::parse(&c.reason))
    })
}

fn since(object: &Object) -> i64 {
    let ready = (object.status.as_ref()).and_then(|status| status.condition(ConditionType::Ready));
    let changed = ready.map(|condition| &condition.last_transition_time);
    let time = changed.or(object.metadata.creation_timestamp.as_ref());
    time.map_or(0, |time| time.0.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::cache::object_from as from_yaml;

    fn object(uid: &str, version: u32) -> Object {
        from_yaml(&format!(
            "{{metadata: {{name: web, namespace: team, uid: {uid}, resourceVersion: '{version}'}}, spec: {{}}}}"
        ))
    }

    #[test]
    fn an_answer_to_a_patch_brings_back_nothing_that_has_gone() {
        let store = Store::default();
        let key = object("a", 1).key();
        store.refresh(object("a", 2));
        assert!(!store.contains(&key));
        store.put(object("b", 3));
        store.refresh(object("a", 4));
        assert_eq!(store.get(&key).unwrap().uid(), "b");
        store.refresh(object("b", 5));
        let version = store.get(&key).unwrap().metadata.resource_version;
        assert_eq!(version.as_deref(), Some("5"));
    }

    #[test]
    fn the_answer_that_takes_the_last_finalizer_has_no_new_version() {
        let store = Store::default();
        let mut held = object("a", 1);
        held.metadata.finalizers = Some(vec![smr_api::FINALIZER.to_owned()]);
        store.put(held.clone());
        store.refresh(object("a", 1));
        assert!(!store.get(&held.key()).unwrap().has_finalizer());
        // The watch brings what it was before.
        assert_eq!(store.put(held.clone()), Change::Nothing);
        assert!(!store.get(&held.key()).unwrap().has_finalizer());
    }

    fn version(store: &Store) -> Option<String> {
        let key = object("a", 1).key();
        store.get(&key)?.metadata.resource_version
    }

    #[test]
    fn an_event_that_is_late_changes_nothing() {
        let store = Store::default();
        store.put(object("a", 7));
        assert_eq!(store.put(object("a", 6)), Change::Nothing);
        assert_eq!(version(&store).as_deref(), Some("7"));
    }

    /// After a restore from a backup of etcd resource versions begin anew below those that are known.
    #[test]
    fn a_new_list_and_another_object_replace_what_is_known() {
        let store = Store::default();
        store.put(object("a", 7));
        store.replace(object("a", 5));
        assert_eq!(version(&store).as_deref(), Some("5"));
        assert_eq!(store.put(object("b", 2)), Change::Woken);
        assert_eq!(version(&store).as_deref(), Some("2"));
        // From there on it is as before.
        store.put(object("b", 3));
        assert_eq!(store.put(object("b", 2)), Change::Nothing);
        assert_eq!(version(&store).as_deref(), Some("3"));
    }

    #[test]
    fn what_was_made_in_the_place_of_another_stays() {
        let store = Store::default();
        store.put(object("b", 3));
        store.remove_this(&object("a", 1));
        assert!(store.contains(&object("a", 1).key()));
        store.remove_this(&object("b", 1));
        assert!(!store.contains(&object("a", 1).key()));
    }
}
