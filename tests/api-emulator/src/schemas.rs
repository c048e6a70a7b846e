//! The schemas that objects have for server-side apply and for pruning: the CRD's own, and as much of
//! the others as is of use. Made once, no IO.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::resource::Resource;

static ROLES: LazyLock<Value> = LazyLock::new(|| {
    let crd = smr_api::crd()
        .ok()
        .and_then(|crd| serde_json::to_value(crd).ok());
    let schema = crd.and_then(|crd| {
        crd.pointer("/spec/versions/0/schema/openAPIV3Schema")
            .cloned()
    });
    whole(&schema.unwrap_or_default()["properties"])
});
static LEASES: LazyLock<Value> = LazyLock::new(|| {
    let spec = [
        "holderIdentity",
        "leaseDurationSeconds",
        "acquireTime",
        "renewTime",
        "leaseTransitions",
        "strategy",
        "preferredHolder",
    ];
    whole(&json!({ "spec": named(&spec) }))
});
static EVENTS: LazyLock<Value> = LazyLock::new(|| {
    let atomic = json!({ "type": "object", "x-kubernetes-map-type": "atomic" });
    let mut all = named(&[
        "action",
        "eventTime",
        "note",
        "reason",
        "reportingController",
        "reportingInstance",
        "type",
        "deprecatedCount",
        "deprecatedFirstTimestamp",
        "deprecatedLastTimestamp",
    ]);
    all["properties"]["regarding"] = atomic.clone();
    all["properties"]["related"] = atomic;
    all["properties"]["series"] = named(&["count", "lastObservedTime"]);
    all["properties"]["deprecatedSource"] = named(&["component", "host"]);
    whole(&all["properties"])
});
static NAMESPACES: LazyLock<Value> = LazyLock::new(|| {
    let mut status = named(&["phase"]);
    status["properties"]["conditions"] = json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": named(&["type", "status", "reason", "message", "lastTransitionTime"]),
    });
    whole(&json!({ "spec": named(&["finalizers"]), "status": status }))
});

/// The schema of a kind's objects.
pub(crate) fn of(resource: Resource) -> &'static Value {
    match resource {
        Resource::Roles => &ROLES,
        Resource::Leases => &LEASES,
        Resource::Events => &EVENTS,
        Resource::Namespaces => &NAMESPACES,
    }
}

/// The fields that metadata has.
pub(crate) const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A map with these fields, whatever they are.
fn named(fields: &[&str]) -> Value {
    let properties = fields.iter().map(|field| ((*field).to_owned(), json!({})));
    json!({ "type": "object", "properties": properties.collect::<serde_json::Map<String, Value>>() })
}

/// An object with these fields, and those that every one has.
fn whole(properties: &Value) -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let mut metadata = named(&METADATA);
    metadata["properties"]["labels"] = texts.clone();
    metadata["properties"]["annotations"] = texts;
    metadata["properties"]["finalizers"] = json!({
        "type": "array",
        "x-kubernetes-list-type": "set",
    });
    metadata["properties"]["ownerReferences"] = json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["uid"],
        "items": { "type": "object", "x-kubernetes-map-type": "atomic" },
    });
    let mut schema = json!({ "type": "object", "properties": properties });
    schema["properties"]["metadata"] = metadata;
    schema["properties"]["apiVersion"] = json!({ "type": "string" });
    schema["properties"]["kind"] = json!({ "type": "string" });
    schema
}
