//! The dashboard: its queries ask for what exists, and Grafana can lay it out. Reads files.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use crate::query::{Asked, ask};
use crate::{list, metrics, read, text};

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap()
}

/// Every panel that is no row.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = list(dashboard, "/panels").iter();
    panels.filter(|panel| text(panel, "/type") != "row")
}

/// A query of Grafana with its variables as Prometheus gets it.
fn asked(query: &str) -> Asked {
    let query = query.replace("$__rate_interval", "5m");
    let query = Regex::new(r"\$(namespace|job)")
        .unwrap()
        .replace_all(&query, ".+");
    assert!(
        !query.contains('$'),
        "{query}: a variable that is not there"
    );
    ask(&query, &metrics())
}

#[test]
fn every_panel_asks_for_what_exists_in_the_chosen_namespace_and_job() {
    let dashboard = dashboard();
    let named = Regex::new(r"\{\{(\w+)\}\}").unwrap();
    let mut seen = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = text(panel, "/title");
        assert!(text(panel, "/description").ends_with('.'), "{title}");
        let targets = list(panel, "/targets");
        assert!(!targets.is_empty(), "{title} is empty");
        for target in targets {
            let query = text(target, "/expr");
            let selectors = query.matches('{').count();
            for variable in ["namespace=~\"$namespace\"", "job=~\"$job\""] {
                assert_eq!(
                    query.matches(variable).count(),
                    selectors,
                    "{title}: {query}"
                );
            }
            let Asked {
                metrics, labels, ..
            } = asked(query);
            assert!(!metrics.is_empty(), "{title}: {query}");
            seen.extend(metrics);
            let labels = labels.unwrap_or_default();
            for label in named.captures_iter(text(target, "/legendFormat")) {
                assert!(
                    labels.contains(&label[1]),
                    "{title}: no label {}",
                    &label[1]
                );
            }
            assert_eq!(text(target, "/datasource/uid"), "${datasource}", "{title}");
        }
    }
    // What the program has of its own is there for people to see.
    for metric in metrics() {
        assert!(
            seen.contains(&metric.name) || !metric.name.starts_with("smr_"),
            "no panel shows {}",
            metric.name
        );
    }
}

#[test]
fn variables_are_datasource_namespace_and_job() {
    let dashboard = dashboard();
    let variables = list(&dashboard, "/templating/list");
    let names: Vec<&str> = variables.iter().map(|v| text(v, "/name")).collect();
    assert_eq!(names, ["datasource", "namespace", "job"]);
    let values = Regex::new(r"^label_values\((.+), (\w+)\)$").unwrap();
    for variable in &variables[1..] {
        let query = text(variable, "/query/query");
        let found = values.captures(query).unwrap_or_else(|| panic!("{query}"));
        let labels = asked(&found[1]).labels.unwrap();
        assert!(labels.contains(&found[2]), "{query}");
    }
}

#[test]
fn panels_have_ids_of_their_own_and_lie_side_by_side() {
    let dashboard = dashboard();
    for field in ["title", "uid"] {
        assert!(!text(&dashboard, &format!("/{field}")).is_empty());
    }
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let (mut ids, mut taken, mut titles) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let all = list(&dashboard, "/panels");
    for (panel, next) in all.iter().zip(all.iter().skip(1).map(Some).chain([None])) {
        let title = text(panel, "/title");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        assert!(titles.insert(title), "{title} is there twice");
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} covers another panel");
            }
        }
        if text(panel, "/type") == "row" {
            let next = next.unwrap_or_else(|| panic!("{title} is the last row, and empty"));
            assert_ne!(text(next, "/type"), "row", "{title} is an empty row");
        }
    }
}
