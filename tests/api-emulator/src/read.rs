//! Gets and lists: what is asked and the store enter, answers leave. No IO.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::asked::Asked;
use crate::object;
use crate::reply::{Failure, Reply};
use crate::resource::{Place, Resource, Verb};
use crate::selector::Selector;
use crate::state::State;

/// Does a read.
pub(crate) fn perform(state: &State, asked: &Asked) -> Reply {
    let read = if asked.verb == Verb::Get {
        get(state, asked)
    } else {
        list(state, asked)
    };
    read.map_or_else(Reply::from, |body| Reply::json(200, body))
}

fn get(state: &State, asked: &Asked) -> Result<Value, Failure> {
    let name = asked.name.clone().unwrap_or_default();
    let found = state
        .store()
        .get(asked.resource, &(asked.namespace.clone(), name.clone()));
    let object = found.ok_or_else(|| Failure::not_found(asked.resource, &name))?;
    Ok(shown(asked, object))
}

/// An object as it is answered.
pub(crate) fn shown(asked: &Asked, object: &Value) -> Value {
    if asked.partial {
        object::partial(object)
    } else {
        object.clone()
    }
}

/// What a page goes on from: a version (none: the latest) and the last object told.
struct Token {
    version: Option<u64>,
    last: Place,
}

impl Token {
    fn read(text: &str) -> Result<Self, Failure> {
        let parts: Vec<&str> = text.split('/').collect();
        let ["v", version, namespace, name] = parts.as_slice() else {
            return Err(Failure::bad_request(
                "continue key is not valid: illegal token",
            ));
        };
        Ok(Self {
            version: version.parse().ok(),
            last: ((*namespace).to_owned(), (*name).to_owned()),
        })
    }

    fn text(&self) -> String {
        let version = self
            .version
            .map_or_else(|| "latest".to_owned(), |v| v.to_string());
        format!("v/{version}/{}/{}", self.last.0, self.last.1)
    }
}

const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

fn list(state: &State, asked: &Asked) -> Result<Value, Failure> {
    let token = asked.param("continue").map(Token::read).transpose()?;
    let (version, objects) = objects(state, asked, token.as_ref())?;
    let selector = Selector::read(asked.param("labelSelector"), asked.param("fieldSelector"))?;
    let limit = asked.param("limit").and_then(|limit| limit.parse().ok());
    let limit = limit
        .filter(|limit| *limit > 0)
        .map(|limit: usize| limit.min(state.config().page_size));
    let after = |place: &Place| token.as_ref().is_none_or(|token| *place > token.last);
    let fits = |place: &Place, object: &Value| {
        (asked.namespace.is_empty() || place.0 == asked.namespace) && selector.fits(object)
    };
    let mut rest = objects
        .iter()
        .filter(|(place, object)| after(place) && fits(place, object));
    let page: Vec<_> = rest.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
    let left = rest.count();
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if let (Some((last, _)), true) = (page.last(), left > 0) {
        let token = Token {
            version: Some(version),
            last: (*last).clone(),
        };
        metadata["continue"] = token.text().into();
        if selector.is_empty() {
            metadata["remainingItemCount"] = left.into();
        }
    }
    let items = page.into_iter().map(|(_, object)| item(asked, object));
    let (kind, api_version) = if asked.partial {
        (
            "PartialObjectMetadata".to_owned(),
            "meta.k8s.io/v1".to_owned(),
        )
    } else {
        (
            asked.resource.kind().to_owned(),
            asked.resource.api_version(),
        )
    };
    Ok(json!({
        "kind": format!("{kind}List"),
        "apiVersion": api_version,
        "metadata": metadata,
        "items": items.collect::<Vec<Value>>(),
    }))
}

/// Items of kinds that are built in don't say what they are.
fn item(asked: &Asked, object: &Value) -> Value {
    let mut item = shown(asked, object);
    if !asked.resource.is_custom()
        && !asked.partial
        && let Some(fields) = item.as_object_mut()
    {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    item
}

type Objects = BTreeMap<Place, Arc<Value>>;

/// The objects of the version that is asked for.
fn objects(state: &State, asked: &Asked, token: Option<&Token>) -> Result<(u64, Objects), Failure> {
    let (store, resource) = (state.store(), asked.resource);
    let latest = store.version();
    let now = |resource: Resource| {
        let all = store.objects(resource);
        all.map(|(place, object)| (place.clone(), object.clone()))
            .collect()
    };
    if let Some(token) = token {
        let Some(version) = token.version else {
            return Ok((latest, now(resource)));
        };
        let old = store.objects_at(resource, version);
        return old.map(|objects| (version, objects)).ok_or_else(|| {
            let inconsistent = Token {
                version: None,
                last: token.last.clone(),
            };
            let mut failure = Failure::expired(TOO_OLD);
            failure.goes_on = Some(inconsistent.text().into());
            failure
        });
    }
    let named = asked.param("resourceVersion").unwrap_or("0");
    let Ok(named) = named.parse::<u64>() else {
        return Err(Failure::bad_request(format!(
            "invalid resource version: {named}"
        )));
    };
    if named > latest {
        return Err(too_large(named, latest));
    }
    if named > 0 && asked.param("resourceVersionMatch") == Some("Exact") {
        let old = store.objects_at(resource, named);
        let gone = || Failure::expired("The resourceVersion for the provided list is too old.");
        return Ok((named, old.ok_or_else(gone)?));
    }
    Ok((latest, now(resource)))
}

fn too_large(named: u64, latest: u64) -> Failure {
    let message = format!("Too large resource version: {named}, current: {latest}");
    let mut failure = Failure::new(504, "Timeout", message);
    failure.details = Some(Box::new(json!({
        "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
        "retryAfterSeconds": 1,
    })));
    failure.retry_after = Some(1);
    failure
}
