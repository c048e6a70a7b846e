//! Specs from the CRD's own schema: a random source enters, specs that ought to be good leave. No IO.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::asked::{ACCOUNT, POLICIES};

/// Fields that can't be changed once the object is there.
const FIXED: [&str; 6] = [
    "/principal",
    "/path",
    "/role/name",
    "/policy/name",
    "/policy/description",
    "/instanceProfile/name",
];

/// Whose spec it is to be.
#[derive(Clone, Debug)]
pub struct Who {
    /// The object's name.
    pub name: String,
    /// The account's partition.
    pub partition: &'static str,
}

/// A place in spec: a JSON pointer, and the schema of what stands there.
#[derive(Clone, Debug)]
pub struct Field {
    /// Such as `/role/name`; empty for spec itself.
    pub pointer: String,
    /// Its schema.
    pub schema: Value,
}

impl Field {
    /// The parts of the schema that say which values there are.
    pub fn is(&self, type_: &str) -> bool {
        self.schema["type"] == type_
    }

    /// Whether it is a text that people choose freely.
    pub fn is_text(&self) -> bool {
        self.is("string") && self.schema["enum"].is_null()
    }

    /// Whether it is a map with any keys.
    pub fn is_map(&self) -> bool {
        self.schema["additionalProperties"].is_object()
    }

    /// As messages name it.
    pub fn path(&self) -> String {
        format!("spec{}", self.pointer.replace('/', "."))
    }
}

/// The schema of spec, and each place in it.
#[derive(Clone, Debug)]
pub struct Shape {
    schema: Value,
    /// Spec itself first.
    pub fields: Vec<Field>,
}

impl Shape {
    /// From the CRD of the program.
    pub fn of_the_crd() -> Self {
        let crd = serde_json::to_value(smr_api::crd().unwrap()).unwrap();
        let pointer = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
        let schema = crd.pointer(pointer).unwrap().clone();
        let mut fields = Vec::new();
        walk("", &schema, &mut fields);
        Self { schema, fields }
    }

    /// A spec in which all is as the schema and the rules between fields have it.
    pub fn good(&self, rng: &mut Rng, who: &Who) -> Value {
        let mut spec = value("", &self.schema, rng, who);
        cohere(&mut spec);
        spec
    }

    /// Another such spec for an object that has this one.
    pub fn edited(&self, rng: &mut Rng, who: &Who, before: &Value) -> Value {
        let mut spec = value("", &self.schema, rng, who);
        for pointer in FIXED {
            remove(&mut spec, pointer);
            if let Some(value) = before.pointer(pointer) {
                set(&mut spec, pointer, value.clone());
            }
        }
        cohere(&mut spec);
        spec
    }
}

fn walk(pointer: &str, schema: &Value, fields: &mut Vec<Field>) {
    fields.push(Field {
        pointer: pointer.to_owned(),
        schema: schema.clone(),
    });
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{pointer}/{key}"), schema, fields);
    }
}

fn value(pointer: &str, schema: &Value, rng: &mut Rng, who: &Who) -> Value {
    let number = |key: &str| schema[key].as_i64();
    match schema["type"].as_str().unwrap_or_default() {
        "object" if schema["additionalProperties"].is_object() => tags(rng),
        "object" => {
            let required = schema["required"].as_array();
            let needs = |key: &str| required.is_some_and(|all| all.iter().any(|k| k == key));
            let mut map = Map::new();
            for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
                if needs(key) || rng.u8(..5) < 2 {
                    let pointer = format!("{pointer}/{key}");
                    map.insert(key.clone(), value(&pointer, schema, rng, who));
                }
            }
            Value::Object(map)
        }
        "array" => {
            let mut items: Vec<Value> = Vec::new();
            for _ in 0..rng.usize(1..=3) {
                let item = text(pointer, rng, who);
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            Value::Array(items)
        }
        "string" => match schema["enum"].as_array() {
            Some(words) => words[rng.usize(..words.len())].clone(),
            None => text(pointer, rng, who),
        },
        "integer" => {
            let (min, max) = (number("minimum"), number("maximum"));
            json!(rng.i64(min.unwrap_or(0)..=max.unwrap_or(1)))
        }
        "boolean" => json!(rng.bool()),
        other => panic!("the suite has no value of type {other} for spec{pointer}"),
    }
}

fn tags(rng: &mut Rng) -> Value {
    let mut tags = Map::new();
    for _ in 0..rng.usize(0..=3) {
        let key = ["team", "stage", "é", "a b", "x/y.z:w=1+2@3-4_5"][rng.usize(..5)];
        let value = ["", "1", "two words", "ロ", "a.b:/=+-@_"][rng.usize(..5)];
        tags.insert(key.to_owned(), json!(value));
    }
    Value::Object(tags)
}

/// A good text for a field. One that the table does not have is new: it has to be added here.
pub fn text(pointer: &str, rng: &mut Rng, who: &Who) -> Value {
    let texts = texts(pointer, who);
    assert!(
        !texts.is_empty(),
        "the suite has no text for spec{pointer}: add one"
    );
    json!(texts[rng.usize(..texts.len())])
}

fn texts(pointer: &str, who: &Who) -> Vec<String> {
    let Who { name, partition } = who;
    let own = |what: &str| vec![format!("{name}-{what}"), format!("{name}+={what},.@_")];
    let policy = |id: &str, name: &str| format!("arn:{partition}:iam::{id}:policy/{name}");
    let key = |region: &str, id: &str| format!("arn:{partition}:kms:{region}:{ACCOUNT}:key/{id}");
    let [one, two] = regions(partition);
    let keys = || {
        vec![
            key(one, "1234abcd-12ab-34cd-56ef-1234567890ab"),
            key(two, "mrk-1234abcd12ab34cd56ef1234567890ab"),
        ]
    };
    let plain = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    match pointer {
        "/path" => plain(&["/session-manager/"]),
        "/role/name" => own("role"),
        "/policy/name" => own("policy"),
        "/instanceProfile/name" => own("profile"),
        "/role/description" | "/policy/description" => {
            plain(&["", "ours", "two\nlines", "ÿ \"quoted\" \\ {namespace} ${x}"])
        }
        "/role/permissionsBoundaryArn" => vec![policy(ACCOUNT, "cap"), policy(ACCOUNT, "theirs")],
        "/additionalPolicyArns" => POLICIES.map(|name| policy("aws", name)).to_vec(),
        "/sessionEncryption/kmsKeyArn" | "/sessionLogs/s3/kmsKeyArn" => keys(),
        "/sessionLogs/s3/bucket" => plain(&["my-logs", "a.b-c.0", "123"]),
        "/sessionLogs/s3/keyPrefix" => plain(&["x", "/x/y/", "a b/é", "..", "$x{y}", "a\"b\\c"]),
        "/sessionLogs/s3/bucketOwnerAccountId" => plain(&["999900001111", ACCOUNT]),
        "/sessionLogs/cloudWatch/logGroupName" => plain(&["/ssm/sessions", "a.b#c_d-e", "..", "/"]),
        "/hybrid/regions" => plain(&[one, two]),
        _ => Vec::new(),
    }
}

fn regions(partition: &str) -> [&'static str; 2] {
    match partition {
        "aws-cn" => ["cn-north-1", "cn-northwest-1"],
        "aws-us-gov" => ["us-gov-west-1", "us-gov-east-1"],
        "aws-eusc" => ["eusc-de-east-1", "eusc-de-north-1"],
        _ => ["eu-central-1", "us-west-2"],
    }
}

/// Leaves out what the rest does not go with.
fn cohere(spec: &mut Value) {
    if spec["principal"] == "HybridActivation" {
        remove(spec, "/instanceProfile");
    } else {
        remove(spec, "/hybrid");
    }
    if spec.pointer("/policy/type") == Some(&json!("Inline")) {
        remove(spec, "/policy/description");
        remove(spec, "/policy/tags");
    }
    let s3 = "/sessionLogs/s3";
    if let Some(logs) = spec.pointer_mut(s3) {
        let has_key = logs.get("kmsKeyArn").is_some();
        if has_key {
            logs["encryption"] = json!("KMS");
        } else if logs["encryption"] == "KMS" {
            logs["encryption"] = json!("S3Managed");
        }
    }
}

/// Takes a value out.
pub fn remove(spec: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return;
    };
    if let Some(Value::Object(map)) = spec.pointer_mut(parent) {
        map.remove(key);
    }
}

/// Puts a value in; parents that are missing are made. Whether there was room for it.
pub fn set(spec: &mut Value, pointer: &str, value: Value) -> bool {
    let mut here = spec;
    for key in pointer.split('/').skip(1) {
        let Value::Object(map) = here else {
            return false;
        };
        here = map.entry(key).or_insert_with(|| json!({}));
    }
    *here = value;
    true
}
