//! Answers: objects and refusals enter, JSON in the API server's words leaves. No IO.

use serde_json::{Map, Value, json};

use crate::resource::Resource;

/// An answer of the server.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) body: Body,
    pub(crate) retry_after: Option<u32>,
}

/// What an answer says.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Json(Value),
    Text(&'static str),
}

impl Reply {
    pub(crate) fn json(code: u16, body: Value) -> Self {
        Self {
            code,
            body: Body::Json(body),
            retry_after: None,
        }
    }

    pub(crate) fn no_such_path() -> Self {
        Self {
            code: 404,
            body: Body::Text("404 page not found\n"),
            retry_after: None,
        }
    }

    pub(crate) fn text(&self) -> String {
        match &self.body {
            Body::Json(value) => value.to_string(),
            Body::Text(text) => (*text).to_owned(),
        }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        let retry_after = failure.retry_after;
        Self {
            retry_after,
            ..Self::json(failure.code, failure.status())
        }
    }
}

/// One cause of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) field: String,
}

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: u16,
    pub(crate) reason: Box<str>,
    pub(crate) message: Box<str>,
    pub(crate) details: Option<Box<Value>>,
    /// `metadata.continue`, where there is one.
    pub(crate) goes_on: Option<Box<str>>,
    pub(crate) retry_after: Option<u32>,
}

impl Failure {
    pub(crate) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into().into(),
            details: None,
            goes_on: None,
            retry_after: None,
        }
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let mut details = Map::new();
        for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
            if !value.is_empty() {
                details.insert(key.to_owned(), value.into());
            }
        }
        self.details = Some(Box::new(Value::Object(details)));
        self
    }

    fn on(self, resource: Resource, name: &str) -> Self {
        self.about(resource.group(), resource.plural(), name)
    }

    pub(crate) fn because(mut self, causes: &[Cause]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|c| json!({ "reason": c.reason, "message": c.message, "field": c.field }))
            .collect();
        let details = self.details.get_or_insert_with(|| Box::new(json!({})));
        details["causes"] = causes.into();
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn unsupported_media_type(resource: Resource) -> Self {
        let kinds = if resource.is_custom() {
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        } else {
            "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"
        };
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {kinds}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn not_served() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(404, "NotFound", message)
    }

    pub(crate) fn not_found(resource: Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", message).on(resource, name)
    }

    pub(crate) fn already_exists(resource: Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message).on(resource, name)
    }

    pub(crate) fn conflict(resource: Resource, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified()
        );
        Self::new(409, "Conflict", message).on(resource, name)
    }

    pub(crate) fn outdated(resource: Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    pub(crate) fn forbidden(resource: Resource, name: &str, why: &str) -> Self {
        let what = if name.is_empty() {
            resource.qualified()
        } else {
            format!("{} \"{name}\"", resource.qualified())
        };
        Self::new(403, "Forbidden", format!("{what} is forbidden: {why}")).on(resource, name)
    }

    pub(crate) fn invalid(resource: Resource, name: &str, causes: &[Cause]) -> Self {
        let about = |c: &Cause| format!("{}: {}", c.field, c.message);
        let told = match causes {
            [one] => about(one),
            several => {
                let all: Vec<String> = several.iter().map(about).collect();
                format!("[{}]", all.join(", "))
            }
        };
        let kind = resource.qualified_kind();
        let message = format!("{kind} \"{name}\" is invalid: {told}");
        Self::new(422, "Invalid", message)
            .about(resource.group(), resource.kind(), name)
            .because(causes)
    }

    /// An object of another kind of the same group.
    pub(crate) fn wrong_kind(resource: Resource, kind: &str, name: &str) -> Self {
        let group = resource.group();
        let cause = Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: format!("Invalid value: \"{kind}\": must be {}", resource.kind()),
            field: "kind".to_owned(),
        };
        let message = format!(
            "{kind}.{group} \"{name}\" is invalid: {}: {}",
            cause.field, cause.message
        );
        Self::new(422, "Invalid", message)
            .about(group, kind, name)
            .because(&[cause])
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn too_many(seconds: u32) -> Self {
        let message = "Too many requests, please try again later.";
        let mut failure = Self::new(429, "TooManyRequests", message);
        failure.details = Some(Box::new(json!({ "retryAfterSeconds": seconds })));
        failure.retry_after = Some(seconds);
        failure
    }

    /// As the API server writes it.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let Some(details) = &self.details {
            status["details"] = (**details).clone();
        }
        if let Some(token) = &self.goes_on {
            status["metadata"]["continue"] = (**token).into();
        }
        status
    }
}
