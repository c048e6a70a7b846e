use std::fmt::Write as _;

use super::super::manifests::yaml::{Value, parse};
use super::*;

const INVALID: &str = include_str!("../../../tests/data/invalid.yaml");
const HEAD: &str = "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\n";

fn document(rest: &str) -> Node {
    parse(&format!("{HEAD}{rest}")).unwrap().remove(0)
}

fn problems(rest: &str) -> Vec<String> {
    match Schema::new().unwrap().check(&document(rest), None) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .into_iter()
            .map(|p| format!("{}: {}", p.field, p.message))
            .collect(),
    }
}

/// A case's `object` over a minimal manifest.
fn merged(object: &Node) -> Node {
    let mut base = document("metadata: {name: web}\nspec: {}\n");
    let Value::Map(entries) = &mut base.value else {
        panic!()
    };
    for entry in object.entries() {
        let mut entry = entry.clone();
        let before = entries
            .iter()
            .position(|e| e.key == entry.key)
            .map(|at| entries.remove(at));
        if let (Some(before), Value::Map(own)) = (before, &mut entry.node.value) {
            own.extend(
                before
                    .node
                    .entries()
                    .iter()
                    .filter(|e| entry_lacks(own, &e.key))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        entries.push(entry);
    }
    base
}

fn entry_lacks(own: &[super::super::manifests::yaml::Entry], key: &str) -> bool {
    own.iter().all(|e| e.key != key)
}

#[test]
fn every_invalid_sample_is_refused_for_the_right_fields() {
    let schema = Schema::new().unwrap();
    let cases = parse(INVALID).unwrap().remove(0);
    let Value::List(cases) = cases.value else {
        panic!()
    };
    assert!(cases.len() > 40);
    let mut told = String::new();
    for case in &cases {
        let name = case.get("case").and_then(Node::text).unwrap();
        let expected: Vec<String> =
            serde_json::from_value(case.get("fields").unwrap().to_json()).unwrap();
        let document = merged(case.get("object").unwrap());
        let problems = schema.check(&document, None).expect_err(name);
        let mut fields: Vec<&str> = problems.iter().map(|p| p.field.as_str()).collect();
        fields.dedup();
        assert_eq!(fields, expected, "{name}: {problems:?}");
        for problem in problems {
            writeln!(told, "{name}\n  {}: {}", problem.field, problem.message).unwrap();
        }
    }
    insta::assert_snapshot!("invalid", told);
}

#[test]
fn what_is_right_is_accepted() {
    for sample in ["minimal", "logs-and-kms", "hybrid"] {
        let path = format!(
            "{}/deploy/samples/{sample}.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        let node = parse(&std::fs::read_to_string(path).unwrap())
            .unwrap()
            .remove(0);
        Schema::new().unwrap().check(&node, None).unwrap();
    }
    assert_eq!(
        problems(
            "metadata: {name: web}\nspec: {path: null, role: {tags: null}}\nstatus: {nonsense: 1}\n"
        ),
        [""; 0]
    );
}

#[test]
fn what_can_not_be_changed_is_told_with_the_rules_own_words() {
    let schema = Schema::new().unwrap();
    let before = schema
        .check(
            &document("metadata: {name: web}\nspec: {role: {name: one}}\n"),
            None,
        )
        .unwrap();
    for spec in ["{role: {name: two}}", "{role: {}}", "{}"] {
        let after = document(&format!("metadata: {{name: web}}\nspec: {spec}\n"));
        let problems = schema.check(&after, Some(&before.json)).unwrap_err();
        assert_eq!(problems[0].field, "spec.role.name", "{spec}");
        assert!(
            problems[0]
                .message
                .starts_with("spec.role.name can't be changed: an IAM role can't be renamed")
        );
    }
}

#[test]
fn another_version_or_kind_of_ours_is_told() {
    let schema = Schema::new().unwrap();
    let node = parse("apiVersion: sessionmanager.dev/v1\nkind: SessionManagerRoles\nmetadata: {name: a}\nspec: {}\n").unwrap().remove(0);
    let fields: Vec<_> = schema
        .check(&node, None)
        .unwrap_err()
        .into_iter()
        .map(|p| p.field)
        .collect();
    assert_eq!(fields, ["apiVersion", "kind"]);
}
