//! A watch: the store's changes enter as they happen, lines of JSON leave. No IO; it sleeps until
//! something changes or a time has come.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::asked::Asked;
use crate::object;
use crate::reply::Failure;
use crate::selector::Selector;
use crate::server::ApiServer;
use crate::state::State;
use crate::store::Change;

const BOOKMARKS: Duration = Duration::from_mins(1);
/// A watch that says for how long is told where it stands so long before its end.
const BEFORE_END: Duration = Duration::from_secs(2);
/// How long a watch lasts that does not say.
const LONGEST: Duration = Duration::from_mins(30);

/// An open watch.
pub(crate) struct Watch {
    asked: Asked,
    selector: Selector,
    /// Changes until this version have been told.
    position: u64,
    /// Where it began: a bookmark that is no later says nothing.
    start: u64,
    /// What is told before any change.
    first: VecDeque<String>,
    end: Instant,
    next_bookmark: Option<Instant>,
    /// What it was when the watch was opened.
    era: u64,
    cuts: u64,
    bell: Receiver<u64>,
    is_over: bool,
}

/// What a watch does next.
enum Step {
    Tell(String),
    Wait(Instant),
    Silence,
    End,
}

impl Watch {
    /// Opens one; refused where what is asked makes no sense.
    pub(crate) fn open(asked: Asked, state: &State, bell: Receiver<u64>) -> Result<Self, Failure> {
        let selector = Selector::read(asked.param("labelSelector"), asked.param("fieldSelector"))?;
        let seconds = asked.param("timeoutSeconds").and_then(|s| s.parse().ok());
        let life = seconds
            .filter(|s| *s > 0)
            .map_or(LONGEST, Duration::from_secs);
        let mut watch = Self {
            position: state.store().version(),
            start: 0,
            first: VecDeque::new(),
            end: state.now() + life,
            next_bookmark: None,
            era: state.era(),
            cuts: state.cuts_of(&asked.caller),
            bell,
            is_over: false,
            asked,
            selector,
        };
        if watch.asked.is_set("allowWatchBookmarks") {
            watch.next_bookmark = Some(watch.bookmark_after(state.now()));
        }
        watch.begin(state)?;
        watch.start = watch.position;
        Ok(watch)
    }

    /// Where no version is named, all objects come first.
    fn begin(&mut self, state: &State) -> Result<(), Failure> {
        let wants_all = self.asked.is_set("sendInitialEvents");
        let version = self.asked.param("resourceVersion").unwrap_or("0");
        let Ok(version) = version.parse::<u64>() else {
            return Err(Failure::bad_request(format!(
                "invalid resource version: {version}"
            )));
        };
        if wants_all && self.asked.param("resourceVersionMatch") != Some("NotOlderThan") {
            let message = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(Failure::new(422, "Invalid", message));
        }
        if version > 0 && !wants_all {
            self.position = version;
            return Ok(());
        }
        let resource = self.asked.resource;
        for (place, object) in state.store().objects(resource) {
            if self.is_seen(&place.0, object) {
                self.first.push_back(self.line("ADDED", (**object).clone()));
            }
        }
        if wants_all && self.next_bookmark.is_some() {
            let mut bookmark = self.bookmark(self.position);
            bookmark["object"]["metadata"]["annotations"] =
                json!({ "k8s.io/initial-events-end": "true" });
            self.first.push_back(format!("{bookmark}\n"));
        }
        Ok(())
    }

    /// Its lines, until it ends.
    pub(crate) fn lines(
        self,
        server: ApiServer,
    ) -> impl Stream<Item = Result<Bytes, tower::BoxError>> + Send {
        stream::unfold((self, server), |(mut watch, server)| async move {
            loop {
                watch.bell.borrow_and_update();
                let step = server.with(|state| watch.step(state));
                match step {
                    Step::Tell(lines) => return Some((Ok(lines.into()), (watch, server))),
                    Step::End => return None,
                    Step::Silence => std::future::pending().await,
                    Step::Wait(until) => tokio::select! {
                        biased;
                        _ = watch.bell.changed() => {}
                        () = sleep_until(until) => {}
                    },
                }
            }
        })
    }

    fn step(&mut self, state: &State) -> Step {
        let (caller, resource) = (&self.asked.caller, self.asked.resource);
        if state.is_killed(caller) || state.cuts_of(caller) != self.cuts {
            return Step::Silence;
        }
        if self.is_over || state.era() != self.era || !state.is_served(resource) {
            return Step::End;
        }
        if !self.first.is_empty() {
            return Step::Tell(self.first.drain(..).collect());
        }
        let compacted = state.store().compacted(resource);
        if self.position < compacted {
            self.is_over = true;
            let message = format!("too old resource version: {} ({compacted})", self.position);
            let status = Failure::expired(message).status();
            return Step::Tell(format!(
                "{}\n",
                json!({ "type": "ERROR", "object": status })
            ));
        }
        let (now, hold) = (state.now(), state.hold(resource));
        let mut told = String::new();
        let mut waiting = None;
        for change in state.store().since(resource, self.position) {
            if change.at + hold > now {
                waiting = Some(change.at + hold);
                break;
            }
            self.position = change.resource_version;
            told.push_str(&self.event(change).unwrap_or_default());
        }
        if !told.is_empty() {
            return Step::Tell(told);
        }
        if now >= self.end {
            return Step::End;
        }
        if self.next_bookmark.is_some_and(|next| next <= now) {
            self.next_bookmark = Some(self.bookmark_after(now));
            let last = state.store().last_change(resource);
            let reached = if waiting.is_none() {
                last
            } else {
                self.position
            };
            if reached > self.start {
                return Step::Tell(format!("{}\n", self.bookmark(reached)));
            }
        }
        let times = [self.next_bookmark, waiting, state.next_late()];
        let next = times.into_iter().flatten().fold(self.end, Instant::min);
        Step::Wait(next)
    }

    fn bookmark_after(&self, now: Instant) -> Instant {
        let next = now + BOOKMARKS;
        match self.end.checked_sub(BEFORE_END) {
            Some(last) if last > now && next > last => last,
            Some(_) | None => next,
        }
    }

    fn bookmark(&self, version: u64) -> Value {
        let resource = self.asked.resource;
        let mut object = json!({
            "kind": resource.kind(),
            "apiVersion": resource.api_version(),
            "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null },
        });
        if resource.is_custom() {
            object["metadata"] = json!({ "resourceVersion": version.to_string() });
        }
        if self.asked.partial {
            object = object::partial(&object);
        }
        json!({ "type": "BOOKMARK", "object": object })
    }

    fn is_seen(&self, namespace: &str, object: &Value) -> bool {
        (self.asked.namespace.is_empty() || self.asked.namespace == namespace)
            && self.selector.fits(object)
    }

    /// What a change is to those who see only what they selected.
    fn event(&self, change: &Change) -> Option<String> {
        let seen = |object: &Option<std::sync::Arc<Value>>| {
            let object = object.as_ref()?;
            self.is_seen(&change.place.0, object)
                .then(|| (**object).clone())
        };
        match (seen(&change.before), seen(&change.after)) {
            (None, None) => None,
            (None, Some(after)) => Some(self.line("ADDED", after)),
            (Some(_), Some(after)) => Some(self.line("MODIFIED", after)),
            (Some(mut before), None) => {
                object::set_version(&mut before, change.resource_version);
                Some(self.line("DELETED", before))
            }
        }
    }

    fn line(&self, kind: &str, object: Value) -> String {
        let object = if self.asked.partial {
            object::partial(&object)
        } else {
            object
        };
        format!("{}\n", json!({ "type": kind, "object": object }))
    }
}
