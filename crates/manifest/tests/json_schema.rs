//! The JSON schema against what the API server accepts, as this crate checks it (a test on the real API
//! server holds it to that). The verdicts on the schema's side come from a validator that is not ours;
//! `make test-schema` gives its Python.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use fastrand::Rng;
use serde_json::{Map, Value, json};
use smr_manifest::schema::{Constraint, Schema};
use smr_manifest::yaml;

const INVALID: &str = include_str!("../../../tests/data/invalid.yaml");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Whether the schema accepts each of these, by the independent validator.
fn verdicts(name: &str, objects: &[Value]) -> Vec<bool> {
    let python = std::env::var("SMR_JSON_SCHEMA_PYTHON").unwrap();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (schema, lines) = (dir.join(format!("{name}.schema")), dir.join(name));
    std::fs::write(&schema, Schema::new().unwrap().json_schema().to_string()).unwrap();
    let text: Vec<String> = objects.iter().map(Value::to_string).collect();
    std::fs::write(&lines, text.join("\n") + "\n").unwrap();
    let output = Command::new(python)
        .arg("-I")
        .arg(root().join("tests/schema/verdicts.py"))
        .arg(&schema)
        .stdin(File::open(&lines).unwrap())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let verdicts = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<bool> = verdicts.lines().map(|line| line == "yes").collect();
    assert_eq!(verdicts.len(), objects.len());
    verdicts
}

/// What of an object the API server refuses, but for what CEL rules say.
fn problems(schema: &Schema, object: &Value) -> Vec<String> {
    let document = yaml::parse(&object.to_string()).unwrap().remove(0);
    let found = schema.broken(&document, None).into_iter();
    found
        .filter(|(_, constraint)| !matches!(constraint, Constraint::Rule(_)))
        .map(|(problem, constraint)| format!("{constraint:?} {}", problem.field))
        .collect()
}

/// Values from the CRD's schema: most of them valid, some wrong in one way or another.
struct Generator {
    rng: Rng,
}

impl Generator {
    fn rarely(&mut self) -> bool {
        self.rng.u8(..) < 3
    }

    fn value(&mut self, schema: &Value) -> Value {
        if self.rarely() {
            let others = [
                json!(1),
                json!("x"),
                json!(true),
                json!([]),
                json!({}),
                json!(1.5),
            ];
            return self.rng.choice(others).unwrap();
        }
        match schema["type"].as_str().unwrap() {
            "object" => self.object(schema),
            "array" => self.list(schema),
            "string" => self.text(schema),
            "integer" => {
                let at = |bound: &str, otherwise| schema[bound].as_i64().unwrap_or(otherwise);
                let (min, max) = (at("minimum", -5), at("maximum", 90_000));
                let beyond = i64::from(self.rng.u8(..) < 20);
                let within = self.rng.i64(min..=max);
                json!(self.rng.choice([min - beyond, max + beyond, within]))
            }
            "boolean" => json!(self.rng.bool()),
            other => panic!("a type without a generator: {other}"),
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let mut object = Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let needed = required.contains(&json!(name));
            if (needed && !self.rarely()) || (!needed && self.rng.u8(..) < 90) {
                object.insert(name.clone(), self.value(field));
            }
        }
        if let Some(values) = schema.get("additionalProperties").filter(|v| v.is_object()) {
            let max = schema["maxProperties"].as_u64().unwrap_or(10);
            for index in 0..self.size(0, max) {
                object.insert(format!("key-{index}"), self.value(values));
            }
        } else if self.rarely() {
            object.insert("unknown".to_owned(), json!({}));
        }
        Value::Object(object)
    }

    fn list(&mut self, schema: &Value) -> Value {
        let at = |bound: &str| schema[bound].as_u64();
        let size = self.size(at("minItems").unwrap_or(0), at("maxItems").unwrap_or(10));
        let mut items: Vec<Value> = (0..size).map(|_| self.value(&schema["items"])).collect();
        if let (true, Some(first)) = (self.rng.u8(..) < 20, items.first().cloned()) {
            items.push(first);
        }
        Value::Array(items)
    }

    fn text(&mut self, schema: &Value) -> Value {
        if let Some(values) = schema["enum"].as_array() {
            let wrong = json!("Other");
            return if self.rarely() {
                wrong
            } else {
                self.rng.choice(values).unwrap().clone()
            };
        }
        let at = |bound: &str| schema[bound].as_u64();
        let length = self.size(at("minLength").unwrap_or(0), at("maxLength").unwrap_or(40));
        // Two and three bytes too: lengths are in characters.
        let letters = ['a', 'b', 'Z', '0', '-', '/', ':', 'é', '中'];
        json!(
            (0..length)
                .map(|_| self.rng.choice(letters).unwrap())
                .collect::<String>()
        )
    }

    /// Mostly few; sometimes the most there may be, and one too many or too few.
    fn size(&mut self, min: u64, max: u64) -> u64 {
        match self.rng.u8(..) {
            0..4 => max + 1,
            4..8 => min.saturating_sub(1),
            8..20 => max,
            _ => self.rng.u64(min..=max.min(min + 4)),
        }
    }

    fn metadata(&mut self) -> Value {
        let names = ["web", "a.b-c", "9", "Web", "a..b", "-a", "a-", ""];
        let name = self.rng.choice(names).unwrap().to_owned();
        let long = if self.rarely() { "a".repeat(254) } else { name };
        let mut metadata =
            json!({ "name": if self.rng.u8(..) < 200 { "web".to_owned() } else { long } });
        let fields = [
            ("namespace", json!("team-a")),
            ("namespace", json!("Team")),
            ("namespace", json!("")),
            ("labels", json!({ "a": "b" })),
            ("labels", json!({ "a": 1 })),
            ("labels", json!({ "a": "b c" })),
            ("labels", json!({ "a": "" })),
            ("labels", json!({ "a.b/c": "b_c.D" })),
            ("labels", json!({ "A.b/c": "b" })),
            ("labels", json!({ "a b": "b" })),
            ("labels", json!({ "a/b/c": "b" })),
            ("annotations", json!({ "A.b/C": "b c" })),
            ("annotations", json!({ "A.b/": "" })),
            ("annotations", json!({ "a b": "" })),
            ("finalizers", json!(["a b"])),
            ("annotations", json!({ "a/b": "true" })),
            ("annotations", json!({ "a/b": true })),
            ("finalizers", json!(["a/b"])),
            ("finalizers", json!("a/b")),
            ("generation", json!(1)),
            ("generation", json!("1")),
            ("lables", json!({})),
        ];
        if self.rng.u8(..) < 60 {
            let (field, value) = self.rng.choice(fields).unwrap();
            metadata[field] = value;
        }
        metadata
    }
}

#[test]
#[ignore = "needs a validator: 'make test-schema' gives it"]
fn generated_objects_get_the_same_verdict_from_the_schema_and_from_the_crd() {
    let crd = serde_json::to_value(smr_api::crd().unwrap()).unwrap();
    let shape = crd
        .pointer("/spec/versions/0/schema/openAPIV3Schema")
        .unwrap();
    let mut generator = Generator {
        rng: Rng::with_seed(15),
    };
    let objects: Vec<Value> = (0..10_000)
        .map(|_| {
            let mut object = json!({
                "apiVersion": "sessionmanager.dev/v1alpha1",
                "kind": "SessionManagerRole",
                "metadata": generator.metadata(),
            });
            if !generator.rarely() {
                object["spec"] = generator.value(&shape["properties"]["spec"]);
            }
            if generator.rarely() {
                object["specs"] = json!({});
            }
            object
        })
        .collect();
    let schema = Schema::new().unwrap();
    let mut accepted = 0;
    for (object, verdict) in objects.iter().zip(verdicts("generated", &objects)) {
        let problems = problems(&schema, object);
        assert_eq!(verdict, problems.is_empty(), "{problems:?}\n{object:#}");
        accepted += usize::from(verdict);
    }
    // Both verdicts are frequent, or the test would say little.
    assert!(
        (2_000..8_000).contains(&accepted),
        "{accepted} of 10000 were valid"
    );
}

/// The cases that only a CEL rule refuses are beyond a JSON schema. It refuses a null, which the API
/// server drops: in an editor that is a field without a value.
#[test]
#[ignore = "needs a validator: 'make test-schema' gives it"]
fn invalid_manifests_are_refused_unless_only_a_rule_refuses_them() {
    let cases: Value = serde_saphyr::from_str(INVALID).unwrap();
    let mut objects = Vec::new();
    for case in cases.as_array().unwrap() {
        let mut object = json!({
            "apiVersion": "sessionmanager.dev/v1alpha1",
            "kind": "SessionManagerRole",
            "metadata": { "name": "web" },
            "spec": {},
        });
        for (key, value) in case["object"].as_object().unwrap() {
            match (&mut object[key], value) {
                (Value::Object(base), Value::Object(own)) => base.extend(own.clone()),
                (place, value) => *place = value.clone(),
            }
        }
        objects.push(object);
    }
    let schema = Schema::new().unwrap();
    let mut refused = 0;
    for (object, verdict) in objects.iter().zip(verdicts("invalid", &objects)) {
        let problems = problems(&schema, object);
        let has_null = object.to_string().contains("null");
        assert_eq!(
            verdict,
            problems.is_empty() && !has_null,
            "{problems:?}\n{object:#}"
        );
        refused += usize::from(!verdict);
    }
    assert!(refused > 20, "{refused}");
    // A wrong kind or version is no object of this schema.
    let wrong = json!({ "apiVersion": "sessionmanager.dev/v1", "kind": "SessionManagerRole", "metadata": { "name": "web" } });
    assert_eq!(verdicts("version", &[wrong]), [false]);
}
