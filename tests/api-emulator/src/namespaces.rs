//! Namespaces: those that are there from the beginning, what may be made in one, and how one goes.
//! Part of the state, no IO.

use serde_json::{Value, json};

use crate::object;
use crate::reply::{Cause, Failure};
use crate::resource::{Place, Resource};
use crate::state::State;

const SYSTEM: &str = "kube-system";
/// Those that nobody deletes.
const KEPT: [&str; 3] = ["default", SYSTEM, "kube-public"];

/// Makes the first ones.
pub(crate) fn found(state: &mut State) {
    for name in [SYSTEM, "default"] {
        let uid = if name == SYSTEM {
            state.config().kube_system_uid.clone()
        } else {
            state.store_mut().new_uid()
        };
        let object = json!({
            "kind": "Namespace",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "uid": uid,
                "creationTimestamp": state.stamp(),
                "labels": { "kubernetes.io/metadata.name": name },
            },
            "spec": { "finalizers": ["kubernetes"] },
            "status": { "phase": "Active" },
        });
        let now = state.now();
        let place = (String::new(), name.to_owned());
        state
            .store_mut()
            .put(Resource::Namespaces, &place, object, now);
    }
}

/// Whether something may be made in a namespace.
pub(crate) fn admit(state: &State, resource: Resource, place: &Place) -> Result<(), Failure> {
    if !resource.is_namespaced() {
        return Ok(());
    }
    let (namespace, name) = place;
    let found = state
        .store()
        .get(Resource::Namespaces, &(String::new(), namespace.clone()));
    let Some(found) = found else {
        return Err(Failure::not_found(Resource::Namespaces, namespace));
    };
    if !object::is_deleting(found) {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let cause = Cause {
        reason: "NamespaceTerminating".to_owned(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".to_owned(),
    };
    Err(Failure::forbidden(resource, name, &why).because(&[cause]))
}

/// What every new one has.
pub(crate) fn complete(object: &mut Value) {
    let name = object::meta(object, "name").to_owned();
    if let Some(metadata) = object::metadata_mut(object) {
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        labels["kubernetes.io/metadata.name"] = name.into();
    }
    object["spec"] = json!({ "finalizers": ["kubernetes"] });
    object["status"] = json!({ "phase": "Active" });
}

/// Whether one may be deleted.
pub(crate) fn may_go(name: &str) -> Result<(), Failure> {
    if KEPT.contains(&name) {
        let why = "this namespace may not be deleted";
        return Err(Failure::forbidden(Resource::Namespaces, name, why));
    }
    Ok(())
}

/// Deletes what is in namespaces that are on their way out, and those where nothing is left.
pub(crate) fn settle(state: &mut State) {
    let all = state.store().objects(Resource::Namespaces);
    let leaving = all.filter(|(_, object)| object::is_deleting(object));
    let leaving: Vec<Place> = leaving.map(|(place, _)| place.clone()).collect();
    for namespace in leaving {
        let mut is_empty = true;
        for resource in Resource::ALL.into_iter().filter(|r| r.is_namespaced()) {
            let all = state.store().objects(resource);
            let inside = all.filter(|(place, _)| place.0 == namespace.1);
            let inside: Vec<Place> = inside.map(|(place, _)| place.clone()).collect();
            for place in inside {
                crate::delete::mark_or_remove(state, resource, &place);
                is_empty &= state.store().get(resource, &place).is_none();
            }
        }
        if is_empty {
            let now = state.now();
            state
                .store_mut()
                .remove(Resource::Namespaces, &namespace, now);
        }
    }
}
