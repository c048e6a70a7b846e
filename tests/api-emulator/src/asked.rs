//! What a request asks for: an HTTP request enters, its meaning leaves. No IO.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::reply::Failure;
use crate::resource::{Resource, Subresource, Verb};

/// How an object is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    Merge,
    Json,
    Apply,
}

/// One request, understood.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) caller: String,
    pub(crate) agent: String,
    pub(crate) verb: Verb,
    pub(crate) resource: Resource,
    pub(crate) subresource: Option<Subresource>,
    /// Empty: all, or the resource has none.
    pub(crate) namespace: String,
    pub(crate) name: Option<String>,
    pub(crate) query: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) content_type: String,
    /// Only metadata is wanted.
    pub(crate) partial: bool,
    pub(crate) body: Bytes,
}

impl Asked {
    /// `None`: there is nothing at this path.
    pub(crate) fn read(caller: &str, parts: &Parts, body: Bytes) -> Option<Self> {
        let path = Path::read(parts.uri.path())?;
        let query = parts.uri.query().unwrap_or_default();
        let params = params(query);
        let verb = verb(&parts.method, &path, &params)?;
        let header = |name| {
            let value = parts.headers.get(name);
            let text = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
            text.to_owned()
        };
        let accept: String = header(ACCEPT);
        Some(Self {
            caller: caller.to_owned(),
            agent: header(USER_AGENT),
            verb,
            resource: path.resource,
            subresource: path.subresource,
            namespace: path.namespace,
            name: path.name,
            query: query.to_owned(),
            params,
            content_type: header(CONTENT_TYPE),
            partial: accept.contains("as=PartialObjectMetadata"),
            body,
        })
    }

    pub(crate) fn param(&self, key: &str) -> Option<&str> {
        let value = self.params.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    pub(crate) fn is_set(&self, key: &str) -> bool {
        matches!(self.param(key), Some("true" | "1"))
    }

    /// A write that is to be judged only.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.param("dryRun").is_some()
    }

    /// The field manager: that of the query, or the user agent's first word.
    pub(crate) fn manager(&self) -> String {
        let agent = self.agent.split('/').next().filter(|word| !word.is_empty());
        let named = self.param("fieldManager").or(agent);
        named.unwrap_or("unknown").to_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::bad_request(format!(
                "couldn't get version/kind; json parse error: {error}"
            ))
        })
    }

    /// Which patch it is.
    pub(crate) fn patch_kind(&self) -> Result<PatchKind, Failure> {
        let named = self.content_type.split(';').next().unwrap_or_default();
        match named.trim() {
            "application/merge-patch+json" => Ok(PatchKind::Merge),
            "application/json-patch+json" => Ok(PatchKind::Json),
            "application/apply-patch+yaml" => Ok(PatchKind::Apply),
            "application/strategic-merge-patch+json" if !self.resource.is_custom() => {
                Ok(PatchKind::Merge)
            }
            _ => Err(Failure::unsupported_media_type(self.resource)),
        }
    }
}

struct Path {
    resource: Resource,
    namespace: String,
    name: Option<String>,
    subresource: Option<Subresource>,
}

impl Path {
    fn read(path: &str) -> Option<Self> {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let parts: Vec<String> = path
            .split('/')
            .filter(|p| !p.is_empty())
            .map(decoded)
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..]
                if rest.first().is_some_and(|first| *first != "status") =>
            {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let (plural, name, below) = match rest {
            [plural] => (*plural, None, None),
            [plural, name] => (*plural, Some((*name).to_owned()), None),
            [plural, name, below] => (*plural, Some((*name).to_owned()), Some(*below)),
            _ => return None,
        };
        let resource = Resource::of(group, version, plural)?;
        let subresource = match below {
            None => None,
            Some("status") if resource.has_status() => Some(Subresource::Status),
            Some(_) => return None,
        };
        let fits = if resource.is_namespaced() {
            name.is_none() || !namespace.is_empty()
        } else {
            namespace.is_empty()
        };
        fits.then(|| Self {
            resource,
            namespace: namespace.to_owned(),
            name,
            subresource,
        })
    }
}

fn params(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

fn verb(method: &Method, path: &Path, params: &BTreeMap<String, String>) -> Option<Verb> {
    let watches = matches!(params.get("watch").map(String::as_str), Some("true" | "1"));
    match (method.as_str(), path.name.is_some()) {
        ("GET", false) if watches => Some(Verb::Watch),
        ("GET", false) => Some(Verb::List),
        ("GET", true) => Some(Verb::Get),
        ("POST", false) => Some(Verb::Create),
        ("PUT", true) => Some(Verb::Update),
        ("PATCH", true) => Some(Verb::Patch),
        ("DELETE", true) => Some(Verb::Delete),
        ("DELETE", false) => Some(Verb::DeleteCollection),
        _ => None,
    }
}
