//! The alerts: every metric, label and reason in them exists, every reason has one alert, and every alert a
//! runbook. Reads files.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;
use smr_api::Reason;

use crate::query::ask;
use crate::{list, metrics, read, text, yaml};

const RULES: &str = "deploy/monitoring/prometheus-rules.yaml";
const PREFIX: &str = "SessionManagerRole";

/// Reasons that need no alert, and why.
const NEEDS_NONE: [(Reason, &str); 3] = [
    (Reason::Converged, "all is well"),
    (
        Reason::Paused,
        "a person asked for it, and it is no reason of condition Ready",
    ),
    (
        Reason::UnlistedAccess,
        "no reason of condition Ready; kube-state-metrics has its series",
    ),
];

/// Every alert.
pub fn alerts() -> Vec<Value> {
    let rules = yaml(RULES);
    let groups = list(&rules, "/spec/groups").iter();
    groups
        .flat_map(|group| list(group, "/rules").to_vec())
        .collect()
}

#[test]
fn rules_are_an_object_of_the_prometheus_operator() {
    let rules = yaml(RULES);
    assert_eq!(text(&rules, "/apiVersion"), "monitoring.coreos.com/v1");
    assert_eq!(text(&rules, "/kind"), "PrometheusRule");
    let mut names = BTreeSet::new();
    for group in list(&rules, "/spec/groups") {
        assert!(names.insert(text(group, "/name").to_owned()), "{group}");
        assert!(!list(group, "/rules").is_empty(), "{group}");
    }
}

#[test]
fn every_alert_asks_for_what_exists_and_says_what_it_means() {
    let known = metrics();
    let mentioned = Regex::new(r"\$labels\.([a-z]+)").unwrap();
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = text(&alert, "/alert").to_owned();
        assert!(name.starts_with(PREFIX), "{name}");
        let labels = ask(text(&alert, "/expr"), &known).labels;
        let labels = labels.unwrap_or_else(|| panic!("{name} asks for a number"));
        assert!(
            ["critical", "warning", "info"].contains(&text(&alert, "/labels/severity")),
            "{name}"
        );
        for field in ["summary", "description"] {
            let words = text(&alert, &format!("/annotations/{field}"));
            assert!(words.ends_with('.') && words.len() > 30, "{name}: {words}");
            for found in mentioned.captures_iter(words) {
                assert!(
                    labels.contains(&found[1]),
                    "{name} has no label {}",
                    &found[1]
                );
            }
        }
        assert!(names.insert(name), "an alert is there twice");
    }
    assert!(names.len() >= 15, "{names:?}");
}

#[test]
fn every_reason_has_exactly_one_alert_or_needs_none() {
    let known = metrics();
    let mut alerts_of: BTreeMap<Reason, Vec<String>> = BTreeMap::new();
    for alert in alerts() {
        for reason in ask(text(&alert, "/expr"), &known).reasons {
            let of = alerts_of.entry(reason).or_default();
            of.push(text(&alert, "/alert").to_owned());
        }
    }
    for reason in Reason::ALL {
        let alerts = alerts_of.remove(&reason).unwrap_or_default();
        let none = NEEDS_NONE.iter().find(|(r, _)| *r == reason);
        assert_eq!(
            alerts.len(),
            usize::from(none.is_none()),
            "{reason}: {alerts:?}"
        );
    }
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase().replace(' ', "-");
    let kept = lower
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_".contains(*c));
    kept.collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let base = format!("{}/blob/main/", env!("CARGO_PKG_REPOSITORY"));
    let mut linked = BTreeSet::new();
    for alert in alerts() {
        let name = text(&alert, "/alert");
        let url = text(&alert, "/annotations/runbook_url");
        let path = url.strip_prefix(&base).unwrap_or_else(|| panic!("{url}"));
        let (page, wanted) = path.split_once('#').unwrap_or_else(|| panic!("{url}"));
        assert_eq!((page, wanted), ("docs/runbooks.md", anchor(name).as_str()));
        linked.insert(name.to_owned());
    }
    let page = read("docs/runbooks.md");
    let headings = page.lines().filter_map(|l| l.strip_prefix("## "));
    let headings: BTreeSet<String> = headings.map(str::to_owned).collect();
    assert_eq!(headings, linked);
    for section in page.split("\n## ").skip(1) {
        for part in [
            "**What it means.**",
            "**How to see it.**",
            "**What to do.**",
        ] {
            assert!(section.contains(part), "no {part} in {section}");
        }
    }
}

#[test]
fn the_pod_monitor_finds_the_pods_of_the_deployment() {
    let monitor = yaml("deploy/monitoring/pod-monitor.yaml");
    let deployment = yaml("deploy/kustomize/base/deployment.yaml");
    let pod = &deployment["spec"]["template"];
    let wanted = monitor.pointer("/spec/selector/matchLabels").unwrap();
    for (label, value) in wanted.as_object().unwrap() {
        assert_eq!(&pod["metadata"]["labels"][label], value, "{label}");
    }
    let [endpoint] = list(&monitor, "/spec/podMetricsEndpoints") else {
        panic!("one endpoint");
    };
    let container = &list(pod, "/spec/containers")[0];
    let ports = list(container, "/ports").iter();
    let mut names = ports.map(|port| text(port, "/name"));
    assert!(names.any(|name| name == text(endpoint, "/port")));
    let kustomization = yaml("deploy/monitoring/kustomization.yaml");
    let namespace = text(&kustomization, "/namespace");
    assert_eq!(namespace, text(&deployment, "/metadata/namespace"));
    for file in list(&kustomization, "/resources") {
        yaml(&format!("deploy/monitoring/{}", file.as_str().unwrap()));
    }
}
