//! The CRD: not stale, and readable by `kubectl explain` throughout.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail like tests.

use serde_json::Value;

fn generated() -> String {
    smr_api::crd_yaml(|value| smr_manifest::to_yaml(value).unwrap()).unwrap()
}

#[test]
fn the_committed_crd_is_the_generated_one() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crds/sessionmanagerroles.sessionmanager.dev.yaml"
    );
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == generated(),
        "{path} is stale: run 'make generate'"
    );
}

fn properties(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        visit(&path, property);
        properties(property, &path, visit);
        properties(&property["items"], &path, visit);
    }
}

fn schema() -> Value {
    let crd: Value = serde_saphyr::from_str(&generated()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn every_property_has_a_description_and_those_of_ours_state_the_default() {
    properties(&schema(), "", &mut |path, property| {
        let text = property["description"].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{path} has no description");
        let defaults = ["Default: ", "No default", "no default"];
        let of_kubernetes = path.starts_with(".status.conditions.") || path == ".spec";
        assert!(
            of_kubernetes || defaults.iter().any(|d| text.contains(d)),
            "{path} does not state its default: {text}"
        );
    });
}

#[test]
fn no_default_stands_below_spec_and_every_string_and_list_is_bounded() {
    let schema = schema();
    let spec = &schema["properties"]["spec"];
    properties(spec, ".spec", &mut |path, property| {
        assert!(property.get("default").is_none(), "{path} has a default");
        assert!(property.get("nullable").is_none(), "{path} is nullable");
        match property["type"].as_str() {
            Some("string") => assert!(
                property.get("maxLength").is_some() || property.get("enum").is_some(),
                "{path} is not bounded"
            ),
            Some("array") => {
                assert!(property.get("maxItems").is_some(), "{path} is not bounded");
                assert!(
                    property.get("x-kubernetes-list-type").is_some(),
                    "{path} has no list type"
                );
                assert!(
                    property["items"].get("maxLength").is_some(),
                    "{path}[] is not bounded"
                );
            }
            Some("object") if property.get("properties").is_none() => {
                assert!(
                    property.get("maxProperties").is_some(),
                    "{path} is not bounded"
                );
            }
            Some(_) | None => {}
        }
    });
    assert_eq!(
        schema["properties"]["status"]["default"],
        serde_json::json!({ "observedGeneration": -1 })
    );
}
