//! The three patches: what is asked and the state enter; the state is changed, and what became of it
//! leaves. No IO.

use serde_json::Value;

use crate::asked::{Asked, PatchKind};
use crate::managers;
use crate::reply::{Cause, Failure};
use crate::resource::Resource;
use crate::state::{Done, State};
use crate::write::{changed, empty, identify, locate, made, place, writer};
use crate::{admission, object, schemas};

/// Does a patch.
pub(crate) fn patch(state: &mut State, asked: &Asked) -> Result<Done, Failure> {
    let kind = asked.patch_kind()?;
    options(asked, kind)?;
    let body = asked.json()?;
    let (resource, place) = (asked.resource, place(asked));
    let existing = state.store().get(resource, &place).cloned();
    let schema = schemas::of(resource);
    let writer = writer(state, asked);
    let Some(existing) = existing else {
        if kind != PatchKind::Apply || asked.subresource.is_some() {
            return Err(Failure::not_found(resource, &place.1));
        }
        may_be_applied(resource, &body)?;
        let new = managers::apply(
            schema,
            &empty(resource),
            &body,
            &writer,
            asked.is_set("force"),
        )?;
        let uid = object::meta(&new, "uid");
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(Failure::conflict(resource, &place.1, &why));
        }
        let mut new = admission::decode(resource, new)?;
        locate(asked, &mut new)?;
        return made(state, asked, new);
    };
    let new = match kind {
        PatchKind::Apply => {
            may_be_applied(resource, &body)?;
            let force = asked.is_set("force");
            let new = managers::apply(schema, &existing, &body, &writer, force)?;
            let mut new = admission::decode(resource, new)?;
            locate(asked, &mut new)?;
            new
        }
        PatchKind::Merge | PatchKind::Json => {
            let new = patched(kind, &existing, &body)?;
            identify(resource, &new)?;
            let mut new = admission::decode(resource, new)?;
            locate(asked, &mut new)?;
            managers::update(schema, &existing, &mut new, &writer);
            new
        }
    };
    changed(state, asked, &existing, new)
}

fn options(asked: &Asked, kind: PatchKind) -> Result<(), Failure> {
    let refused = |field: &str, reason: &str, message: &str| {
        let cause = Cause {
            reason: reason.to_owned(),
            message: message.to_owned(),
            field: field.to_owned(),
        };
        let told = format!("PatchOptions.meta.k8s.io \"\" is invalid: {field}: {message}");
        Err(Failure::new(422, "Invalid", told).because(&[cause]))
    };
    if kind == PatchKind::Apply && asked.param("fieldManager").is_none() {
        let message = "Required value: is required for apply patch";
        return refused("fieldManager", "FieldValueRequired", message);
    }
    if kind != PatchKind::Apply && asked.param("force").is_some() {
        let message = "Forbidden: may not be specified for non-apply patch";
        return refused("force", "FieldValueForbidden", message);
    }
    Ok(())
}

fn may_be_applied(resource: Resource, config: &Value) -> Result<(), Failure> {
    let version = config["apiVersion"].as_str().unwrap_or_default();
    if version != resource.api_version() {
        let message = format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {}",
            resource.api_version()
        );
        return Err(Failure::bad_request(message));
    }
    if !config["metadata"]["managedFields"].is_null() {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    identify(resource, config)?;
    undeclared(schemas::of(resource), config, &mut String::new()).map_or(Ok(()), |path| {
        let message = format!(
            "failed to create typed patch object ({}/{}; {}, Kind={}): {path}: field not declared in schema",
            object::meta(config, "namespace"),
            object::meta(config, "name"),
            resource.api_version(),
            resource.kind(),
        );
        Err(Failure::new(500, "InternalError", message))
    })
}

/// The first field that the schema does not have.
fn undeclared(schema: &Value, value: &Value, path: &mut String) -> Option<String> {
    let length = path.len();
    for (key, value) in value.as_object().into_iter().flatten() {
        let Some(named) = schema["properties"].as_object() else {
            break;
        };
        path.push('.');
        path.push_str(key);
        let Some(schema) = named.get(key) else {
            return Some(path.clone());
        };
        if let Some(found) = undeclared(schema, value, path) {
            return Some(found);
        }
        path.truncate(length);
    }
    None
}

fn patched(kind: PatchKind, existing: &Value, body: &Value) -> Result<Value, Failure> {
    let mut new = existing.clone();
    if kind == PatchKind::Json {
        let patch: json_patch::Patch = serde_json::from_value(body.clone())
            .map_err(|error| Failure::bad_request(error.to_string()))?;
        json_patch::patch(&mut new, &patch).map_err(|error| {
            let message =
                format!("the server rejected our request due to an error in our request: {error}");
            Failure::new(422, "Invalid", message)
        })?;
    } else if body.is_object() {
        json_patch::merge(&mut new, body);
    } else {
        return Err(Failure::bad_request(
            "error decoding patch: the patch is no map",
        ));
    }
    Ok(new)
}
