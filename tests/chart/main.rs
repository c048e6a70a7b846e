//! The Helm charts, as far as no cluster and no Helm is needed: what is generated in them is as
//! [`generate`] makes it, and every flag of `smr run` has a value. UPDATE_CHARTS=1 writes what is
//! generated. Reads files, runs the program's help.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

mod generate;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use values::{Entry, entries};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

const CHARTS: [&str; 2] = ["deploy/chart", "deploy/crd-chart"];

#[test]
fn what_is_generated_is_fresh() {
    for (path, text) in generate::all() {
        if std::env::var_os("UPDATE_CHARTS").is_some() {
            let file = root().join(&path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
            continue;
        }
        let is = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert!(is == text, "{path} is stale: run 'make generate'");
    }
}

/// A flag of `smr run` as its help lists it.
#[derive(Debug)]
struct Flag {
    variable: String,
    default: Option<String>,
}

/// clap's own list, by the flag's name.
fn flags() -> BTreeMap<String, Flag> {
    let help = Command::new(env!("CARGO_BIN_EXE_smr"))
        .args(["run", "--help"])
        .env("COLUMNS", "1000")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let head = Regex::new(r"(?m)^ +(?:-\w, )?--([a-z0-9-]+)").unwrap();
    let variable = Regex::new(r"\[env: (SMR_[A-Z0-9_]+)=").unwrap();
    let default = Regex::new(r"\[default: (\[::\]:\d+|[^\]]*)\]").unwrap();
    let starts: Vec<_> = head.captures_iter(&help).collect();
    let mut flags = BTreeMap::new();
    for (number, found) in starts.iter().enumerate() {
        let start = found.get(0).unwrap().start();
        let next = starts.get(number + 1);
        let end = next.map_or(help.len(), |next| next.get(0).unwrap().start());
        let text = &help[start..end];
        let first = |regex: &Regex| regex.captures(text).map(|c| c[1].to_owned());
        if let Some(variable) = first(&variable) {
            let default = first(&default);
            flags.insert(found[1].to_owned(), Flag { variable, default });
        }
    }
    assert!(flags.len() >= 20, "{flags:?}\n{help}");
    flags
}

/// The value that sets a variable or repeats a flag in the Deployment's template.
fn value_of(template: &str, name: &str, flag: &Flag) -> Option<String> {
    let value = r"\$?\.Values\.([A-Za-z0-9.]+)";
    let variable = format!(
        r#""{}" \(?(?:printf "[^"]*" )?\(?(?:int )?{value}"#,
        flag.variable
    );
    let repeated = format!(r"(?s)range (?:\$key, \$value := )?{value} \}}\}}\s+- [^\n]*--{name}=");
    let switch = format!(r"(?s)if {value} \}}\}}\s+- --{name}\n");
    [variable, repeated, switch].iter().find_map(|pattern| {
        let found = Regex::new(pattern).unwrap().captures(template)?;
        Some(found[1].to_owned())
    })
}

#[test]
fn every_flag_of_smr_run_has_a_value_with_the_programs_default() {
    let template = read("deploy/chart/templates/deployment.yaml");
    let values: Value = serde_saphyr::from_str(&read("deploy/chart/values.yaml")).unwrap();
    for (name, flag) in flags() {
        let value = value_of(&template, &name, &flag)
            .unwrap_or_else(|| panic!("no value of the chart sets --{name}"));
        let pointer = format!("/{}", value.replace('.', "/"));
        let set = values.pointer(&pointer);
        let set = set.unwrap_or_else(|| panic!("values.yaml has no {value}"));
        // Where the chart knows better than a program that does not know where it runs.
        if ["leader-elect", "log-format"].contains(&name.as_str()) {
            continue;
        }
        let set = match set {
            Value::String(text) if name == "metrics-addr" => text.clone(),
            Value::Number(port) if name == "metrics-addr" => format!("[::]:{port}"),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(false) | Value::Null => String::new(),
            Value::Array(all) if all.is_empty() => String::new(),
            Value::Object(all) if all.is_empty() => String::new(),
            other => panic!("--{name}: {other}"),
        };
        let default = match name.as_str() {
            // Its text says so: other variables may set it.
            "log-level" => "info".to_owned(),
            _ => flag.default.unwrap_or_default().replace('"', ""),
        };
        assert_eq!(set, default, "the default of --{name} and of {value}");
    }
}

/// Every file of a chart's templates.
fn templates(chart: &str) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root().join(chart).join("templates")).unwrap() {
        let path = entry.unwrap().path();
        all.push((path.clone(), std::fs::read_to_string(path).unwrap()));
    }
    all
}

#[test]
fn templates_use_every_value_and_no_other() {
    let used = Regex::new(r"\.Values\.([A-Za-z0-9]+)(?:\.([A-Za-z0-9]+))?").unwrap();
    for chart in CHARTS {
        let entries = entries(&read(&format!("{chart}/values.yaml")));
        let known: BTreeSet<&str> = entries.iter().map(|e| e.path.as_str()).collect();
        let begins = |path: &str| {
            let below = format!("{path}.");
            known.iter().any(|k| *k == path || k.starts_with(&below))
        };
        let mut seen = BTreeSet::new();
        for (file, text) in templates(chart) {
            for found in used.captures_iter(&text) {
                let mut path = found[1].to_owned();
                if let Some(second) = found.get(2)
                    && !known.contains(path.as_str())
                {
                    path = format!("{path}.{}", second.as_str());
                }
                assert!(begins(&path), "{}: no value {path}", file.display());
                seen.insert(path);
            }
        }
        for Entry { path, .. } in &entries {
            let read = seen
                .iter()
                .any(|s| s == path || path.starts_with(&format!("{s}.")));
            assert!(read, "{chart}: no template reads {path}");
        }
    }
}

#[test]
fn the_versions_are_the_programs() {
    for chart in CHARTS {
        let chart: Value = serde_saphyr::from_str(&read(&format!("{chart}/Chart.yaml"))).unwrap();
        for key in ["version", "appVersion"] {
            assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{chart}");
        }
    }
}
