//! What the behaviours share: plain requests enter, answers and lines of watches leave. The IO is the
//! client's.

use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt as _;
use http::Request;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http_body_util::{BodyDataStream, BodyExt as _};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::Verdict;

/// Longer than any answer or event is under way.
const PATIENCE: Duration = Duration::from_secs(30);
const JSON: &str = "application/json";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A client, and a namespace to try things in.
#[derive(Clone)]
pub(super) struct Lab {
    client: Client,
    pub(super) namespace: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) body: Value,
}

impl Answer {
    /// It must have this HTTP status; the body.
    pub(super) fn is(self, code: u16) -> Result<Value, String> {
        if self.code == code {
            return Ok(self.body);
        }
        Err(format!(
            "{code} was expected, not {}: {}",
            self.code, self.body
        ))
    }

    /// It must be a refusal with this HTTP status and reason; the body.
    pub(super) fn refused(self, code: u16, reason: &str) -> Result<Value, String> {
        let body = self.is(code)?;
        same("reason", &body["reason"], &json!(reason))?;
        same("code", &body["code"], &json!(code))?;
        Ok(body)
    }

    /// It must say that the object is not there; the body.
    pub(super) fn missing(self) -> Result<Value, String> {
        let body = self.refused(404, "NotFound")?;
        says(&body, "\" not found")?;
        Ok(body)
    }

    /// It must be a refusal because of this field; its cause.
    pub(super) fn invalid(self, field: &str) -> Result<Value, String> {
        let body = self.refused(422, "Invalid")?;
        let causes = body["details"]["causes"].as_array();
        let found = causes
            .into_iter()
            .flatten()
            .find(|cause| cause["field"] == field);
        found
            .cloned()
            .ok_or_else(|| format!("no cause is {field}: {body}"))
    }
}

/// Two values must be equal.
pub(super) fn same(what: &str, found: &Value, expected: &Value) -> Verdict {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is {found}, expected was {expected}"))
}

/// Something must hold.
pub(super) fn must(what: &str, holds: bool) -> Verdict {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// The message must have this in it.
pub(super) fn says(body: &Value, part: &str) -> Verdict {
    let message = body["message"].as_str().unwrap_or_default();
    must(
        &format!("the message does not say '{part}': {message}"),
        message.contains(part),
    )
}

pub(super) fn version(object: &Value) -> u64 {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.and_then(|v| v.parse().ok()).unwrap_or_default()
}

pub(super) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"]
        .as_i64()
        .unwrap_or_default()
}

/// A condition as the schema wants it.
pub(super) fn condition(kind: &str, status: &str) -> Value {
    json!({
        "type": kind,
        "status": status,
        "reason": "Tried",
        "message": "m",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    })
}

/// A status as a config for apply.
pub(super) fn told(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "sessionmanager.dev/v1alpha1",
        "kind": "SessionManagerRole",
        "metadata": { "name": name },
        "status": status,
    })
}

/// The fields that a manager has by an operation.
pub(super) fn managed(object: &Value, manager: &str, operation: &str) -> Option<Value> {
    let entries = object["metadata"]["managedFields"].as_array();
    let found = entries
        .into_iter()
        .flatten()
        .find(|entry| entry["manager"] == manager && entry["operation"] == operation);
    found.map(|entry| entry["fieldsV1"].clone())
}

impl Lab {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        Self { client, namespace }
    }

    /// The path of a role, or of all where the name is empty.
    pub(super) fn role(&self, name: &str) -> String {
        self.path("sessionmanager.dev/v1alpha1", "sessionmanagerroles", name)
    }

    pub(super) fn path(&self, group: &str, plural: &str, name: &str) -> String {
        let path = format!(
            "/apis/{group}/namespaces/{}/{plural}/{name}",
            self.namespace
        );
        path.trim_end_matches('/').to_owned()
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        self.send_for(JSON, method, path, content, body).await
    }

    /// The same, for another answer than the object.
    pub(super) async fn send_for(
        &self,
        accept: &str,
        method: &str,
        path: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let sent = body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, content)
            .body(Body::from(sent))
            .map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, self.client.send(request)).await;
        let answer = answer
            .map_err(|_| "no answer")?
            .map_err(|error| error.to_string())?;
        let code = answer.status().as_u16();
        let bytes = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        let bytes = bytes.to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Ok(Answer { code, body })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send("GET", path, JSON, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.send("POST", path, JSON, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.send("PUT", path, JSON, Some(body)).await
    }

    pub(super) async fn merge(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.send("PATCH", path, MERGE, Some(body)).await
    }

    pub(super) async fn json_patch(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.send("PATCH", path, JSON_PATCH, Some(body)).await
    }

    pub(super) async fn delete(
        &self,
        path: &str,
        options: Option<&Value>,
    ) -> Result<Answer, String> {
        self.send("DELETE", path, JSON, options).await
    }

    /// Server-side apply by a manager.
    pub(super) async fn apply(
        &self,
        path: &str,
        manager: &str,
        body: &Value,
    ) -> Result<Answer, String> {
        let path = format!("{path}?fieldManager={manager}");
        self.send("PATCH", &path, APPLY, Some(body)).await
    }

    /// The same, with force.
    pub(super) async fn force(
        &self,
        path: &str,
        manager: &str,
        body: &Value,
    ) -> Result<Answer, String> {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.send("PATCH", &path, APPLY, Some(body)).await
    }

    /// Server-side apply with a query of one's own.
    pub(super) async fn apply_with(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.send("PATCH", path, APPLY, Some(body)).await
    }

    /// A role that is not there yet.
    pub(super) fn object(&self, name: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "sessionmanager.dev/v1alpha1",
            "kind": "SessionManagerRole",
            "metadata": { "name": name, "namespace": self.namespace },
            "spec": spec,
        })
    }

    /// Makes a role.
    pub(super) async fn make(&self, name: &str, spec: &Value) -> Result<Value, String> {
        let object = self.object(name, spec);
        self.post(&self.role(""), &object).await?.is(201)
    }

    /// Makes a role and writes it once more: only then is all that was filled in kept with it.
    pub(super) async fn settle(&self, name: &str, spec: &Value) -> Result<Value, String> {
        self.make(name, spec).await?;
        let patch = json!({ "spec": spec });
        self.merge(&self.role(name), &patch).await?.is(200)
    }

    /// Makes a role that a finalizer holds.
    pub(super) async fn make_held(&self, name: &str) -> Result<Value, String> {
        let mut object = self.object(name, &json!({}));
        object["metadata"]["finalizers"] = json!(["example.com/held"]);
        self.post(&self.role(""), &object).await?.is(201)
    }

    /// Lets such a role go.
    pub(super) async fn free(&self, name: &str) -> Result<Value, String> {
        let patch = json!({ "metadata": { "finalizers": null } });
        self.merge(&self.role(name), &patch).await?.is(200)
    }

    pub(super) async fn read(&self, name: &str) -> Result<Value, String> {
        self.get(&self.role(name)).await?.is(200)
    }

    /// Watches roles; the query is added to what every watch has.
    pub(super) async fn watch(&self, query: &str) -> Result<Events, String> {
        self.watch_at(&self.role(""), query).await
    }

    pub(super) async fn watch_at(&self, path: &str, query: &str) -> Result<Events, String> {
        let request = Request::get(format!("{path}?watch=true{query}"))
            .header(ACCEPT, JSON)
            .header(ACCEPT_ENCODING, "identity")
            .body(Body::empty())
            .map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, self.client.send(request)).await;
        let answer = answer
            .map_err(|_| "no answer")?
            .map_err(|error| error.to_string())?;
        let code = answer.status().as_u16();
        must(&format!("the watch is refused with {code}"), code == 200)?;
        Ok(Events {
            body: answer.into_body().into_data_stream(),
            read: BytesMut::new(),
        })
    }
}

/// What a watch tells.
pub(super) struct Events {
    body: BodyDataStream<Body>,
    read: BytesMut,
}

impl Events {
    /// The next event; `None` where the watch ends.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, String> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end + 1);
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| error.to_string());
            }
            match tokio::time::timeout(PATIENCE, self.body.next()).await {
                Err(_) => return Err("the watch says nothing".to_owned()),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(error.to_string()),
                Ok(Some(Ok(bytes))) => self.read.extend_from_slice(&bytes),
            }
        }
    }

    /// The next event must be of this type and about this object; the object.
    pub(super) async fn must(&mut self, kind: &str, name: &str) -> Result<Value, String> {
        let event = self.next().await?.ok_or("the watch has ended")?;
        let found = (&event["type"], &event["object"]["metadata"]["name"]);
        must(
            &format!("{kind} of {name} was expected: {event}"),
            found == (&json!(kind), &json!(name)),
        )?;
        Ok(event["object"].clone())
    }
}
