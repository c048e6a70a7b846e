//! Deletion: objects are marked, or go. What is asked and the state enter, what became of it leaves.
//! No IO.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::asked::Asked;
use crate::reply::{Failure, Reply};
use crate::resource::{Place, Resource};
use crate::selector::Selector;
use crate::state::{Done, State};
use crate::write::place;
use crate::{namespaces, object, read};

/// Deletes one object.
pub(crate) fn delete(state: &mut State, asked: &Asked) -> Result<Done, Failure> {
    let (resource, place) = (asked.resource, place(asked));
    let options = if asked.body.is_empty() {
        Value::Null
    } else {
        asked.json()?
    };
    if resource == Resource::Namespaces {
        namespaces::may_go(&place.1)?;
    }
    let existing = state.store().get(resource, &place).cloned();
    let existing = existing.ok_or_else(|| Failure::not_found(resource, &place.1))?;
    preconditions(resource, &place, &options, &existing)?;
    let is_dry = asked.is_dry_run() || options["dryRun"].is_array();
    if !is_dry {
        mark_or_remove(state, resource, &place);
    }
    let left = state.store().get(resource, &place).cloned();
    let reply = match &left {
        Some(left) if holds(resource, left) || is_dry => Reply::json(200, read::shown(asked, left)),
        Some(_) | None => Reply::json(200, success(resource, &place, &existing)),
    };
    let change = (left.as_ref() != Some(&existing)).then_some((Some(existing), left));
    Ok(Done { reply, change })
}

fn preconditions(
    resource: Resource,
    place: &Place,
    options: &Value,
    existing: &Value,
) -> Result<(), Failure> {
    for (key, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let wanted = options["preconditions"][key].as_str();
        let found = object::meta(existing, key);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been deleted and then recreated"
            );
            return Err(Failure::conflict(resource, &place.1, &why));
        }
    }
    Ok(())
}

fn success(resource: Resource, place: &Place, gone: &Value) -> Value {
    let mut details = json!({
        "name": place.1,
        "kind": resource.plural(),
        "uid": object::meta(gone, "uid"),
    });
    if !resource.group().is_empty() {
        details["group"] = resource.group().into();
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

/// Deletes all that fit.
pub(crate) fn delete_all(state: &mut State, asked: &Asked) -> Result<Done, Failure> {
    let resource = asked.resource;
    let selector = Selector::read(asked.param("labelSelector"), asked.param("fieldSelector"))?;
    let all = state.store().objects(resource);
    let found = all.filter(|(place, object)| {
        (asked.namespace.is_empty() || place.0 == asked.namespace) && selector.fits(object)
    });
    let found: Vec<(Place, Arc<Value>)> = found.map(|(p, o)| (p.clone(), o.clone())).collect();
    let mut items = Vec::new();
    for (place, object) in found {
        mark_or_remove(state, resource, &place);
        let left = state.store().get(resource, &place);
        items.push(left.map_or_else(|| (*object).clone(), |left| (**left).clone()));
    }
    let list = json!({
        "kind": format!("{}List", resource.kind()),
        "apiVersion": resource.api_version(),
        "metadata": { "resourceVersion": state.store().version().to_string() },
        "items": items,
    });
    Ok(Done::answer(Reply::json(200, list)))
}

/// Whether something keeps an object that is to go.
fn holds(resource: Resource, object: &Value) -> bool {
    resource == Resource::Namespaces || object::has_finalizers(object)
}

/// What holds it stays; what nothing holds goes.
pub(crate) fn mark_or_remove(state: &mut State, resource: Resource, place: &Place) {
    let Some(object) = state.store().get(resource, place).cloned() else {
        return;
    };
    let now = state.now();
    if !holds(resource, &object) {
        state.store_mut().remove(resource, place, now);
    } else if !object::is_deleting(&object) {
        let marked = marked(state, resource, (*object).clone());
        state.store_mut().put(resource, place, marked, now);
    }
}

/// An object that is to go as soon as nothing holds it.
fn marked(state: &State, resource: Resource, mut object: Value) -> Value {
    let generation = object::generation(&object);
    if generation > 0 {
        object::set_meta(&mut object, "generation", generation + 1);
    }
    object::set_meta(&mut object, "deletionTimestamp", state.stamp());
    if resource == Resource::Namespaces {
        object["status"]["phase"] = "Terminating".into();
    } else {
        object::set_meta(&mut object, "deletionGracePeriodSeconds", 0);
    }
    object
}
