//! The API server's audit log. In: its file; out: who asked for what. Reads a file.

use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// A request that the API server has answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditEvent {
    /// Such as `patch`.
    pub verb: String,
    /// Who asked.
    pub user: User,
    /// With what program.
    #[serde(rename = "userAgent", default)]
    pub user_agent: String,
    /// About what; none for requests like `/readyz`.
    #[serde(rename = "objectRef", default)]
    pub object: ObjectRef,
    /// What came of it.
    #[serde(rename = "responseStatus", default)]
    pub response: Response,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Such as `system:serviceaccount:ns:name`.
    pub username: String,
}

/// About what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ObjectRef {
    /// Such as `coordination.k8s.io`; none for the core group.
    #[serde(rename = "apiGroup")]
    pub group: String,
    /// Such as `leases`.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Response {
    /// The HTTP status.
    pub code: u16,
}

impl AuditEvent {
    /// Whether it asked for a change.
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }
}

/// One line is one event; the last may be half written. An empty namespace is any.
pub(crate) fn read(log: &Path, namespace: &str) -> Result<Vec<AuditEvent>, Error> {
    let text = std::fs::read_to_string(log).map_err(|reason| Error::Io {
        what: log.display().to_string(),
        reason,
    })?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let of_interest =
        |event: &AuditEvent| namespace.is_empty() || event.object.namespace == namespace;
    let mut events = Vec::new();
    // Many tests share one log: what doesn't even hold the name is not parsed.
    for line in whole.lines().filter(|line| line.contains(namespace)) {
        let event = serde_json::from_str(line)?;
        if of_interest(&event) {
            events.push(event);
        }
    }
    Ok(events)
}
