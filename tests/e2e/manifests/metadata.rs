//! `metadata` of generated manifests: one field of it, right or not. No IO.

use fastrand::Rng;
use serde_json::{Value, json};

/// What is said of every Kubernetes object, right or not.
pub fn change(rng: &mut Rng, object: &mut Value) {
    let long = "x".repeat(64);
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"});
    let fields = [
        (
            "namespace",
            vec![
                json!("default"),
                json!(""),
                json!(null),
                json!(123),
                json!(true),
            ],
        ),
        (
            "labels",
            vec![
                json!({"a.b/c": "d"}),
                json!({"a": ""}),
                json!({"a": null}),
                json!(null),
                json!({}),
                json!({"a": 1}),
                json!({"a": "b c"}),
                json!({"a b": "c"}),
                json!({"": "c"}),
                json!([]),
                json!({"A.b/c": "d"}),
                json!({"a": long}),
                json!({"a/b/c": "d"}),
                json!({"-a": "b"}),
            ],
        ),
        (
            "annotations",
            vec![
                json!({"A.B/c": "1"}),
                json!({"a": "x y\n"}),
                json!({"a": null}),
                json!(null),
                json!({"a": 1}),
                json!({"a": true}),
                json!({"a b": "1"}),
                json!({"a/b/c": "1"}),
                json!("x"),
                json!({"ж": "1"}),
                json!({"a": "x".repeat(263_000)}),
            ],
        ),
        (
            "finalizers",
            vec![
                json!(["a.b/c"]),
                json!(["a"]),
                json!([]),
                json!(null),
                json!(["orphan"]),
                json!([null]),
                json!(["a b"]),
                json!([1]),
                json!("x"),
                json!(["orphan", "foregroundDeletion"]),
            ],
        ),
        (
            "ownerReferences",
            vec![
                json!([owner]),
                json!([]),
                json!(null),
                json!([{}]),
                json!([null]),
                json!({}),
                json!([{"apiVersion": "v1", "kind": "Event", "name": "a", "uid": "1"}]),
                json!([{"apiVersion": "a/b/c", "kind": "X", "name": "a", "uid": "1"}]),
                json!([{"apiVersion": "v1", "kind": "X", "name": "a", "uid": "1", "controller": "true"}]),
                json!([{"apiVersion": "v1", "kind": "X", "name": "a", "uid": "1", "of": "b"}]),
                json!([{"apiVersion": "v1", "kind": "X", "name": "a", "uid": 1}]),
            ],
        ),
        (
            "generateName",
            vec![json!("a-"), json!(""), json!("A_"), json!(1), json!("a.")],
        ),
        (
            "name",
            vec![
                json!("a.b"),
                json!("A"),
                json!("-a"),
                json!("a..b"),
                json!(1),
                json!(null),
                json!(""),
                json!("a".repeat(128)),
                json!("a".repeat(129)),
                json!("a".repeat(254)),
                json!("é"),
            ],
        ),
        ("uid", vec![json!("x"), json!(1)]),
        (
            "generation",
            vec![json!(3), json!(2.0), json!("3"), json!(1.5)],
        ),
        (
            "creationTimestamp",
            vec![
                json!(null),
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-01T00:00:00+02:00"),
                json!("yesterday"),
                json!(1),
                json!(""),
                json!("2026-01-01 00:00:00Z"),
            ],
        ),
        (
            "managedFields",
            vec![
                json!([{"manager": "x", "operation": "Update"}]),
                json!([]),
                json!([{"manager": 1}]),
                json!([{"nonsense": "x"}]),
                json!("x"),
            ],
        ),
        ("selfLink", vec![json!("x"), json!(1)]),
        ("clusterName", vec![json!("x"), json!(null)]),
    ];
    if let Some((field, values)) = rng.choice(&fields)
        && let Some(value) = rng.choice(values)
    {
        object["metadata"][*field] = value.clone();
    }
}
