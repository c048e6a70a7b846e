//! Objects, versions and their history: changes enter, objects and what happened to them leave. No
//! IO, and no rules: those are applied before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::object;
use crate::resource::{Place, Resource};

/// Of each resource, so many changes can be watched from and read back.
const HISTORY: usize = 2_000;
/// What becomes of an event that nobody writes to.
const EVENT_LIFE: Duration = Duration::from_hours(1);

/// One change of the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The store's version that it made.
    pub resource_version: u64,
    /// When.
    pub at: Instant,
    /// Of which resource.
    pub resource: Resource,
    /// The object before; none where it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; none where it is gone.
    pub after: Option<Arc<Value>>,
    pub(crate) place: Place,
}

#[derive(Debug, Default)]
struct Table {
    objects: BTreeMap<Place, Arc<Value>>,
    history: VecDeque<Change>,
    /// What happened until this version is forgotten.
    compacted: u64,
}

/// All objects as they were at some time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(BTreeMap<Resource, BTreeMap<Place, Arc<Value>>>);

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Store {
    tables: BTreeMap<Resource, Table>,
    version: u64,
    made: u64,
    /// Roles that were kept without a status: it is filled in at every reading.
    bare: BTreeSet<Place>,
    ends: BTreeMap<Place, Instant>,
    ending: BTreeSet<(Instant, Place)>,
}

impl Store {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The version of the last change of a resource.
    pub(crate) fn last_change(&self, resource: Resource) -> u64 {
        let table = self.tables.get(&resource);
        table.map_or(0, |t| {
            t.history.back().map_or(t.compacted, |c| c.resource_version)
        })
    }

    pub(crate) fn compacted(&self, resource: Resource) -> u64 {
        self.tables
            .get(&resource)
            .map_or(0, |table| table.compacted)
    }

    /// A UID that no other object has.
    pub(crate) fn new_uid(&mut self) -> String {
        self.made += 1;
        format!(
            "{:08x}-0000-4000-8000-{:012x}",
            self.made >> 32,
            self.made & 0xffff_ffff
        )
    }

    /// Five letters that no other generated name has.
    pub(crate) fn new_suffix(&mut self) -> String {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        self.made += 1;
        let mut left = self.made;
        let mut suffix = String::new();
        for _ in 0..5 {
            let index = usize::try_from(left % 27).unwrap_or_default();
            suffix.push(char::from(LETTERS.get(index).copied().unwrap_or(b'x')));
            left /= 27;
        }
        suffix
    }

    pub(crate) fn get(&self, resource: Resource, place: &Place) -> Option<&Arc<Value>> {
        self.tables.get(&resource)?.objects.get(place)
    }

    /// The objects now, in order of namespace and name.
    pub(crate) fn objects(
        &self,
        resource: Resource,
    ) -> impl Iterator<Item = (&Place, &Arc<Value>)> {
        let table = self.tables.get(&resource);
        table.into_iter().flat_map(|table| &table.objects)
    }

    /// The objects as they were at a version; `None` where that is forgotten.
    pub(crate) fn objects_at(
        &self,
        resource: Resource,
        version: u64,
    ) -> Option<BTreeMap<Place, Arc<Value>>> {
        let Some(table) = self.tables.get(&resource) else {
            return Some(BTreeMap::new());
        };
        if version < table.compacted {
            return None;
        }
        let mut objects = table.objects.clone();
        let undone = |change: &&Change| change.resource_version > version;
        for change in table.history.iter().rev().take_while(undone) {
            match &change.before {
                Some(before) => objects.insert(change.place.clone(), before.clone()),
                None => objects.remove(&change.place),
            };
        }
        Some(objects)
    }

    /// The role in this place was kept without a status.
    pub(crate) fn keep_bare(&mut self, place: &Place) {
        self.bare.insert(place.clone());
    }

    /// Whether the role in this place was kept without a status.
    pub(crate) fn is_bare(&self, place: &Place) -> bool {
        self.bare.contains(place)
    }

    /// What happened after a version, oldest first.
    pub(crate) fn since(&self, resource: Resource, version: u64) -> impl Iterator<Item = &Change> {
        let history = self.tables.get(&resource).map(|table| &table.history);
        let first = history.map_or(0, |h| h.partition_point(|c| c.resource_version <= version));
        history.into_iter().flat_map(move |h| h.range(first..))
    }

    /// All that is remembered, in order.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut all: Vec<Change> = (self.tables.values())
            .flat_map(|table| table.history.iter().cloned())
            .collect();
        all.sort_by_key(|change| change.resource_version);
        all
    }

    /// Puts an object in its place, under the next version.
    pub(crate) fn put(
        &mut self,
        resource: Resource,
        place: &Place,
        mut object: Value,
        now: Instant,
    ) -> Arc<Value> {
        self.version += 1;
        object::set_version(&mut object, self.version);
        let object = Arc::new(object);
        let table = self.tables.entry(resource).or_default();
        let before = table.objects.insert(place.clone(), object.clone());
        self.note(resource, place, before, Some(object.clone()), now);
        match resource {
            Resource::Events => self.lives_until(place, Some(now + EVENT_LIFE)),
            Resource::Roles => drop(self.bare.remove(place)),
            Resource::Leases | Resource::Namespaces => {}
        }
        object
    }

    /// Removes what is in a place.
    pub(crate) fn remove(&mut self, resource: Resource, place: &Place, now: Instant) {
        let table = self.tables.entry(resource).or_default();
        let Some(before) = table.objects.remove(place) else {
            return;
        };
        self.version += 1;
        self.note(resource, place, Some(before), None, now);
        if resource == Resource::Events {
            self.lives_until(place, None);
        }
    }

    fn note(
        &mut self,
        resource: Resource,
        place: &Place,
        before: Option<Arc<Value>>,
        after: Option<Arc<Value>>,
        at: Instant,
    ) {
        let change = Change {
            resource_version: self.version,
            at,
            resource,
            before,
            after,
            place: place.clone(),
        };
        let table = self.tables.entry(resource).or_default();
        table.history.push_back(change);
        if table.history.len() > HISTORY
            && let Some(forgotten) = table.history.pop_front()
        {
            table.compacted = forgotten.resource_version;
        }
    }

    fn lives_until(&mut self, place: &Place, end: Option<Instant>) {
        if let Some(before) = self.ends.remove(place) {
            self.ending.remove(&(before, place.clone()));
        }
        if let Some(end) = end {
            self.ends.insert(place.clone(), end);
            self.ending.insert((end, place.clone()));
        }
    }

    /// When the next event ends of itself.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.ending.first().map(|(end, _)| *end)
    }

    /// Removes the event that ends next.
    pub(crate) fn end_next(&mut self) {
        if let Some((end, place)) = self.ending.first().cloned() {
            self.remove(Resource::Events, &place, end);
        }
    }

    /// Forgets what happened.
    pub(crate) fn compact(&mut self) {
        for resource in Resource::ALL {
            let table = self.tables.entry(resource).or_default();
            table.history.clear();
            table.compacted = self.version;
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let tables = self.tables.iter();
        Snapshot(
            tables
                .map(|(resource, table)| (*resource, table.objects.clone()))
                .collect(),
        )
    }

    /// The objects are as they were then; versions go on.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot, now: Instant) {
        self.ends.clear();
        self.ending.clear();
        self.version += 1;
        for resource in Resource::ALL {
            let objects = snapshot.0.get(&resource).cloned().unwrap_or_default();
            if resource == Resource::Events {
                for place in objects.keys() {
                    self.lives_until(place, Some(now + EVENT_LIFE));
                }
            }
            self.tables.entry(resource).or_default().objects = objects;
        }
        self.compact();
    }
}
