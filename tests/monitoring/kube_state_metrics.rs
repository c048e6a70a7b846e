//! The configuration of kube-state-metrics: every path in it leads somewhere in the CRD's schema and in a real
//! object. Reads files.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{list, read, text, yaml};

const FILE: &str = "deploy/monitoring/kube-state-metrics.yaml";
/// An object that has had every kind of thing happen to it.
const OBJECT: &str = "deploy/argocd/resource_customizations/sessionmanager.dev/SessionManagerRole/testdata/repairing.yaml";
/// What Kubernetes gives every object, which a CRD's schema leaves out.
const METADATA: [&str; 4] = ["name", "namespace", "generation", "creationTimestamp"];

fn path(value: &Value) -> Vec<&str> {
    let parts = value.as_array().into_iter().flatten();
    parts.map(|part| part.as_str().unwrap()).collect()
}

/// The schema at a path; a list's is that of its items.
fn schema_at<'a>(schema: &'a Value, path: &[&str]) -> Option<&'a Value> {
    let items = |schema: &'a Value| schema.get("items").unwrap_or(schema);
    path.iter().try_fold(items(schema), |schema, part| {
        Some(items(schema.get("properties")?.get(part)?))
    })
}

/// The values at a path, through every element of a list.
fn values_at<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a Value> {
    if let Value::Array(elements) = value {
        return elements.iter().flat_map(|e| values_at(e, path)).collect();
    }
    match path {
        [] => vec![value],
        [part, rest @ ..] => {
            let below = value.get(part).into_iter();
            below.flat_map(|below| values_at(below, rest)).collect()
        }
    }
}

/// Every path of the configuration from the top of an object, with what it is for.
fn paths(resource: &Value) -> Vec<(String, Vec<&str>)> {
    let mut all = Vec::new();
    let common = resource["labelsFromPath"].as_object().unwrap();
    all.extend(common.iter().map(|(label, at)| (label.clone(), path(at))));
    for metric in list(resource, "/metrics") {
        let name = text(metric, "/name");
        let kind = text(metric, "/each/type");
        let each = &metric["each"][kind.to_lowercase()];
        let base = path(&each["path"]);
        for (label, from) in each["labelsFromPath"].as_object().into_iter().flatten() {
            let full = base.iter().copied().chain(path(from)).collect();
            all.push((format!("{name}, label {label}"), full));
        }
        if kind == "Gauge" {
            let from = path(&each["valueFrom"]);
            all.push((name.to_owned(), base.iter().copied().chain(from).collect()));
        }
    }
    all
}

#[test]
fn every_path_leads_somewhere() {
    let config = yaml(FILE);
    assert_eq!(text(&config, "/kind"), "CustomResourceStateMetrics");
    let [resource] = list(&config, "/spec/resources") else {
        panic!("one kind");
    };
    let crd = yaml("crds/sessionmanagerroles.sessionmanager.dev.yaml");
    let kind = &resource["groupVersionKind"];
    assert_eq!(text(kind, "/group"), text(&crd, "/spec/group"));
    assert_eq!(text(kind, "/kind"), text(&crd, "/spec/names/kind"));
    let version = &list(&crd, "/spec/versions")[0];
    assert_eq!(text(kind, "/version"), text(version, "/name"));
    let schema = version.pointer("/schema/openAPIV3Schema").unwrap();
    let object = yaml(OBJECT);
    let paths = paths(resource);
    assert!(paths.len() > 15, "{paths:?}");
    for (of, path) in paths {
        if let ["metadata", field] = path.as_slice() {
            assert!(METADATA.contains(field), "{of}: {path:?}");
        } else {
            let found = schema_at(schema, &path);
            let found = found.unwrap_or_else(|| panic!("{of}: no {path:?} in the CRD"));
            let is_object = found.get("properties").is_some();
            assert!(!is_object, "{of}: {path:?} is an object");
        }
        let values = values_at(&object, &path);
        let optional = path[0] == "spec";
        assert!(
            optional || !values.is_empty(),
            "{of}: no {path:?} in {OBJECT}"
        );
        for value in values {
            assert!(!value.is_object(), "{of}: {value}");
        }
    }
}

/// What kube-state-metrics can make a number of.
fn is_a_number(value: &Value) -> bool {
    match value {
        Value::Number(_) | Value::Bool(_) => true,
        Value::String(text) => {
            ["True", "False", "Unknown"].contains(&text.as_str())
                || text.parse::<jiff::Timestamp>().is_ok()
        }
        _ => false,
    }
}

#[test]
fn every_gauge_is_a_number_and_every_name_is_there_once() {
    let config = yaml(FILE);
    let resource = &list(&config, "/spec/resources")[0];
    let object = yaml(OBJECT);
    let mut names = BTreeSet::new();
    for metric in list(resource, "/metrics") {
        let name = text(metric, "/name");
        assert!(names.insert(name), "{name} is there twice");
        assert!(text(metric, "/help").ends_with('.'), "{name}");
    }
    for (of, path) in paths(resource) {
        if names.contains(of.as_str()) {
            for value in values_at(&object, &path) {
                assert!(is_a_number(value), "{of}: {value}");
            }
        }
    }
    let page = read("docs/monitoring.md");
    let prefix = text(resource, "/metricNamePrefix");
    for name in names {
        let series = format!("`{prefix}_{name}`");
        assert!(page.contains(&series), "docs/monitoring.md has no {series}");
    }
}
