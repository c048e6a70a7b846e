//! Creations and updates: what is asked and the state enter; the state is changed, and what became of
//! it leaves. No IO.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::asked::Asked;
use crate::managers::{self, Writer};
use crate::reply::{Cause, Failure, Reply};
use crate::resource::{Place, Resource, Subresource, Verb};
use crate::state::{Done, State};
use crate::{admission, delete, namespaces, object, patch, read, schemas};

/// Does a write.
pub(crate) fn perform(state: &mut State, asked: &Asked) -> Done {
    let done = match asked.verb {
        Verb::Create => create(state, asked),
        Verb::Update => update(state, asked),
        Verb::Patch => patch::patch(state, asked),
        Verb::Delete => delete::delete(state, asked),
        Verb::DeleteCollection => delete::delete_all(state, asked),
        Verb::Get | Verb::List | Verb::Watch => Err(Failure::not_served()),
    };
    done.unwrap_or_else(Done::answer)
}

/// Where the object of a request is.
pub(crate) fn place(asked: &Asked) -> Place {
    (
        asked.namespace.clone(),
        asked.name.clone().unwrap_or_default(),
    )
}

pub(crate) fn writer(state: &State, asked: &Asked) -> Writer {
    Writer {
        manager: asked.manager(),
        api_version: asked.resource.api_version(),
        subresource: asked.subresource,
        time: state.stamp(),
        is_split: asked.resource.has_status(),
    }
}

/// The body must be of the kind that the path says.
pub(crate) fn identify(resource: Resource, object: &Value) -> Result<(), Failure> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if resource.is_custom() && kind.is_empty() {
        return Err(Failure::bad_request(
            "Object 'Kind' is missing in the body of the request",
        ));
    }
    let expected = resource.api_version();
    let differs = |found: &str, expected: &str| !found.is_empty() && found != expected;
    if differs(version, &expected) || (resource.is_custom() && version.is_empty()) {
        let message = format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        );
        return Err(Failure::bad_request(message));
    }
    if differs(kind, resource.kind()) && resource.is_custom() {
        return Err(Failure::wrong_kind(
            resource,
            kind,
            object::meta(object, "name"),
        ));
    }
    if differs(kind, resource.kind()) {
        let message = format!(
            "{kind} in version \"{}\" cannot be handled as a {}",
            resource.version(),
            resource.kind()
        );
        return Err(Failure::bad_request(message));
    }
    Ok(())
}

/// Name and namespace must be those of the path, where the body says any.
pub(crate) fn locate(asked: &Asked, object: &mut Value) -> Result<(), Failure> {
    let name = asked.name.clone().unwrap_or_default();
    let found = object::meta(object, "name");
    if found != name {
        let message =
            format!("the name of the object ({found}) does not match the name on the URL ({name})");
        return Err(Failure::bad_request(message));
    }
    in_namespace(asked, object)
}

fn in_namespace(asked: &Asked, object: &mut Value) -> Result<(), Failure> {
    if !asked.resource.is_namespaced() {
        object::take_meta(object, "namespace");
        return Ok(());
    }
    let found = object::meta(object, "namespace");
    if !found.is_empty() && found != asked.namespace {
        let message = format!(
            "the namespace of the provided object does not match the namespace sent on the request ({found}, {})",
            asked.namespace
        );
        return Err(Failure::bad_request(message));
    }
    object::set_meta(object, "namespace", asked.namespace.clone());
    Ok(())
}

fn create(state: &mut State, asked: &Asked) -> Result<Done, Failure> {
    let body = asked.json()?;
    identify(asked.resource, &body)?;
    let mut new = admission::decode(asked.resource, body)?;
    in_namespace(asked, &mut new)?;
    let version = object::meta(&new, "resourceVersion");
    if !version.is_empty() && version != "0" {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(Failure::new(500, "InternalError", message));
    }
    let stem = object::meta(&new, "generateName").to_owned();
    if object::meta(&new, "name").is_empty() && !stem.is_empty() {
        let suffix = state.store_mut().new_suffix();
        object::set_meta(&mut new, "name", format!("{stem}{suffix}"));
    }
    let empty = empty(asked.resource);
    let writer = writer(state, asked);
    managers::update(schemas::of(asked.resource), &empty, &mut new, &writer);
    made(state, asked, new)
}

/// What a new object is compared with. Kinds that are built in have their parts from the beginning.
pub(crate) fn empty(resource: Resource) -> Value {
    let parts: &[&str] = match resource {
        Resource::Roles => &[],
        Resource::Leases => &["spec"],
        Resource::Events => &["regarding", "deprecatedSource"],
        Resource::Namespaces => &["spec", "status"],
    };
    let mut empty = json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind(),
        "metadata": {},
    });
    for part in parts {
        empty[part] = json!({});
    }
    empty
}

/// Keeps an object that was not there.
pub(crate) fn made(state: &mut State, asked: &Asked, mut new: Value) -> Result<Done, Failure> {
    let resource = asked.resource;
    let name = object::meta(&new, "name").to_owned();
    let place = (asked.namespace.clone(), name.clone());
    if name.is_empty() {
        let cause = Cause {
            reason: "FieldValueRequired".to_owned(),
            message: "Required value: name or generateName is required".to_owned(),
            field: "metadata.name".to_owned(),
        };
        return Err(Failure::invalid(resource, &name, &[cause]));
    }
    namespaces::admit(state, resource, &place)?;
    for key in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generation",
        "resourceVersion",
    ] {
        object::take_meta(&mut new, key);
    }
    let uid = state.store_mut().new_uid();
    object::set_meta(&mut new, "uid", uid);
    object::set_meta(&mut new, "creationTimestamp", state.stamp());
    match resource {
        Resource::Roles => {
            object::set_meta(&mut new, "generation", 1);
            if let Some(fields) = new.as_object_mut() {
                fields.remove("status");
            }
        }
        Resource::Namespaces => namespaces::complete(&mut new),
        Resource::Leases | Resource::Events => {}
    }
    admission::check(resource, None, &new, None)?;
    if state.store().get(resource, &place).is_some() {
        return Err(Failure::already_exists(resource, &name));
    }
    if resource.is_custom() {
        admission::defaulted(schemas::of(resource), &mut new);
    }
    if asked.is_dry_run() {
        return Ok(Done::answer(Reply::json(201, read::shown(asked, &new))));
    }
    let now = state.now();
    let kept = state.store_mut().put(resource, &place, new, now);
    if resource == Resource::Roles {
        state.store_mut().keep_bare(&place);
    }
    Ok(Done {
        reply: Reply::json(201, read::shown(asked, &kept)),
        change: Some((None, Some(kept))),
    })
}

fn update(state: &mut State, asked: &Asked) -> Result<Done, Failure> {
    let resource = asked.resource;
    let body = asked.json()?;
    identify(resource, &body)?;
    let mut new = admission::decode(resource, body)?;
    locate(asked, &mut new)?;
    let place = place(asked);
    let existing = state.store().get(resource, &place).cloned();
    let uid = object::meta(&new, "uid").to_owned();
    let has = existing
        .as_ref()
        .map_or("", |existing| object::meta(existing, "uid"));
    let may_be_made = asked.subresource.is_none() && resource.is_created_by_update();
    if existing.is_none() && !may_be_made {
        return Err(Failure::not_found(resource, &place.1));
    }
    if !uid.is_empty() && uid != has {
        return Err(wrong_uid(resource, &place, &uid, has));
    }
    let writer = writer(state, asked);
    let schema = schemas::of(resource);
    match existing {
        None => {
            managers::update(schema, &empty(resource), &mut new, &writer);
            made(state, asked, new)
        }
        Some(existing) => {
            managers::update(schema, &existing, &mut new, &writer);
            changed(state, asked, &existing, new)
        }
    }
}

fn wrong_uid(resource: Resource, place: &Place, wanted: &str, found: &str) -> Failure {
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
        resource.plural(),
        place.0,
        place.1,
    );
    Failure::conflict(resource, &place.1, &why)
}

/// Keeps an object in place of the one that is there.
pub(crate) fn changed(
    state: &mut State,
    asked: &Asked,
    existing: &Arc<Value>,
    mut new: Value,
) -> Result<Done, Failure> {
    let (resource, place) = (asked.resource, place(asked));
    let version = object::meta(&new, "resourceVersion");
    if version.is_empty() || version == "0" {
        if !resource.is_updated_blindly() {
            let cause = Cause {
                reason: "FieldValueInvalid".to_owned(),
                message: "Invalid value: 0: must be specified for an update".to_owned(),
                field: "metadata.resourceVersion".to_owned(),
            };
            return Err(Failure::invalid(resource, &place.1, &[cause]));
        }
    } else if version != object::meta(existing, "resourceVersion") {
        return Err(Failure::outdated(resource, &place.1));
    }
    prepare(resource, asked.subresource, existing, &mut new);
    let causes = immutable(existing, &new);
    if !causes.is_empty() {
        return Err(Failure::invalid(resource, &place.1, &causes));
    }
    admission::check(resource, asked.subresource, &new, Some(existing))?;
    // What was filled in at reading is kept with the first write.
    let is_bare = new.get("status").is_none();
    let was_bare = resource == Resource::Roles && state.store().is_bare(&place);
    if resource.is_custom() {
        admission::defaulted(schemas::of(resource), &mut new);
    }
    let goes = object::is_deleting(existing)
        && !object::has_finalizers(&new)
        && resource != Resource::Namespaces;
    let is_same = is_bare == was_bare && untimed(&new) == untimed(existing);
    let answer = |object: &Value| Reply::json(200, read::shown(asked, object));
    if asked.is_dry_run() {
        return Ok(Done::answer(answer(&new)));
    }
    let now = state.now();
    if goes {
        state.store_mut().remove(resource, &place, now);
        return Ok(Done {
            reply: answer(&new),
            change: Some((Some(existing.clone()), None)),
        });
    }
    if is_same {
        return Ok(Done::answer(answer(existing)));
    }
    let kept = state.store_mut().put(resource, &place, new, now);
    if resource == Resource::Roles && is_bare {
        state.store_mut().keep_bare(&place);
    }
    Ok(Done {
        reply: answer(&kept),
        change: Some((Some(existing.clone()), Some(kept))),
    })
}

/// An object without what changes at every write: times of field managers and the version.
fn untimed(object: &Value) -> Value {
    let mut object = object.clone();
    object::take_meta(&mut object, "resourceVersion");
    let entries = object["metadata"]["managedFields"].as_array_mut();
    for entry in entries.into_iter().flatten() {
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("time");
        }
    }
    object
}

/// Takes back what such a write can't change, and counts the generation.
fn prepare(resource: Resource, subresource: Option<Subresource>, old: &Value, new: &mut Value) {
    object::copy_meta(new, old, "generation");
    let sent = std::mem::take(new);
    if subresource == Some(Subresource::Status) {
        *new = old.clone();
        object::copy_meta(new, &sent, "managedFields");
        copy(new, &sent, "status");
        return;
    }
    *new = sent;
    if resource.has_status() {
        copy(new, old, "status");
    }
    if resource == Resource::Namespaces {
        copy(new, old, "spec");
    }
    if object::meta(new, "uid").is_empty() {
        object::copy_meta(new, old, "uid");
    }
    object::copy_meta(new, old, "creationTimestamp");
    if object::is_deleting(old) {
        object::copy_meta(new, old, "deletionTimestamp");
        object::copy_meta(new, old, "deletionGracePeriodSeconds");
    }
    if resource.is_custom() && new.get("spec") != old.get("spec") {
        object::set_meta(new, "generation", object::generation(old) + 1);
    }
}

/// Makes a field what it is in another object.
fn copy(object: &mut Value, from: &Value, key: &str) {
    if let Some(fields) = object.as_object_mut() {
        match from.get(key) {
            Some(value) => fields.insert(key.to_owned(), value.clone()),
            None => fields.remove(key),
        };
    }
}

/// What of metadata may not change.
fn immutable(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for key in [
        "name",
        "namespace",
        "uid",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let found = &new["metadata"][key];
        if *found != old["metadata"][key] {
            causes.push(Cause {
                reason: "FieldValueInvalid".to_owned(),
                message: format!("Invalid value: {found}: field is immutable"),
                field: format!("metadata.{key}"),
            });
        }
    }
    let finalizers = |object: &Value| -> Vec<Value> {
        object["metadata"]["finalizers"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let before = finalizers(old);
    let added: Vec<String> = (finalizers(new).iter())
        .filter(|finalizer| !before.contains(finalizer))
        .map(Value::to_string)
        .collect();
    if object::is_deleting(old) && !added.is_empty() {
        causes.push(Cause {
            reason: "FieldValueForbidden".to_owned(),
            message: format!(
                "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            ),
            field: "metadata.finalizers".to_owned(),
        });
    }
    causes
}
