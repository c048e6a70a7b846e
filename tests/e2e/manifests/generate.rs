//! Manifests from the CRD's own schema: valid ones, and ones that break a constraint that is given.
//! In: the schema and a seed; out: JSON values. No IO.

use fastrand::Rng;
use serde_json::{Map, Value, json};
use smr_manifest::schema::Constraint;

/// A key that all regions have.
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// What a text is broken with.
const HOSTILE: [&str; 44] = include!("../../data/hostile.rs");

/// A place in the schema and what it asks there: `spec.role.name`, `spec.tags.*`, `spec.hybrid.regions[]`.
pub type Target = (String, Constraint);

pub struct Generator<'a> {
    pub rng: Rng,
    schema: &'a Value,
}

impl<'a> Generator<'a> {
    pub fn new(schema: &'a Value, seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            schema,
        }
    }

    /// A manifest whose single fields are right; rules between fields may be broken.
    pub fn manifest(&mut self) -> Value {
        let mut object = json!({
            "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
            "metadata": { "name": format!("m{}", self.rng.u32(0..1_000_000)) },
        });
        if self.rng.u8(0..20) > 0 {
            let schema = self.schema;
            object["spec"] = self.value(&schema["properties"]["spec"], "spec");
        }
        if self.rng.u8(0..4) == 0 {
            super::metadata::change(&mut self.rng, &mut object);
        }
        object
    }

    fn value(&mut self, schema: &Value, path: &str) -> Value {
        match schema["type"].as_str().unwrap_or_default() {
            "object" if schema.get("properties").is_some() => {
                let required = schema["required"].as_array();
                let is_required = |name: &str| {
                    required.is_some_and(|r| r.iter().any(|n| n.as_str() == Some(name)))
                };
                let mut made = Map::new();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    if is_required(name) || self.rng.u8(0..3) == 0 {
                        made.insert(
                            name.clone(),
                            self.value(property, &format!("{path}.{name}")),
                        );
                    }
                }
                Value::Object(made)
            }
            "object" => {
                let count = self.rng.usize(0..4);
                let one = |this: &mut Self| {
                    let key = this.tag_key();
                    (key, json!(this.text(schema, &format!("{path}.*"))))
                };
                Value::Object((0..count).map(|_| one(self)).collect())
            }
            "array" => {
                let max = schema["maxItems"].as_u64().unwrap_or(4).min(4);
                let count = self.rng.u64(1..=max);
                let mut items = Vec::new();
                for _ in 0..count {
                    let item = self.value(&schema["items"], &format!("{path}[]"));
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
                Value::Array(items)
            }
            "integer" => {
                let bound = |name: &str| whole(&schema[name]);
                let (min, max) = (bound("minimum"), bound("maximum"));
                match self.rng.u8(0..4) {
                    0 => json!(min),
                    1 => json!(max),
                    2 => json!(f64::from(self.rng.i32(min..=max))),
                    _ => json!(self.rng.i32(min..=max)),
                }
            }
            "boolean" => json!(self.rng.bool()),
            _ => json!(self.text(schema, path)),
        }
    }

    /// Some of `characters`, at most `max` of them.
    fn some(&mut self, characters: &str, max: usize) -> String {
        let characters: Vec<char> = characters.chars().collect();
        let most = if self.rng.u8(0..8) == 0 {
            max
        } else {
            max.min(12)
        };
        let count = if self.rng.u8(0..8) == 0 {
            most
        } else {
            self.rng.usize(1..=most)
        };
        (0..count)
            .filter_map(|_| self.rng.choice(&characters))
            .collect()
    }

    fn tag_key(&mut self) -> String {
        self.some("abcXYZ019жЖéロ _.:/=+@-", 128)
    }

    fn text(&mut self, schema: &Value, path: &str) -> String {
        if let Some(known) = schema["enum"].as_array() {
            let known = self.rng.choice(known).and_then(Value::as_str);
            return known.unwrap_or_default().to_owned();
        }
        let max = usize::try_from(schema["maxLength"].as_u64().unwrap_or(16)).unwrap_or(16);
        let last = path.rsplit('.').next().unwrap_or_default();
        match last {
            "path" => format!("/{}/", self.some("abcXYZ019.,+@=_-", 40)),
            "name" => self.some("abcXYZ019_+=,.@-", max),
            "description" => self.some("abc XYZ 019 éß\n\t'\"{}[]#*?", max),
            "permissionsBoundaryArn" | "additionalPolicyArns[]" => {
                let name = self.some("abcXYZ019_+=,.@-", 100);
                let account = self.rng.choice(["aws", "111122223333"]).unwrap_or_default();
                format!("arn:aws:iam::{account}:policy/{name}")
            }
            "kmsKeyArn" => KEY.replace("eu-central-1", &self.region()),
            "bucket" => format!("b{}9", self.some("abc019-", 40)),
            "keyPrefix" => format!("a{}9", self.some("abcXYZ019/é ._-$", max - 2)),
            "bucketOwnerAccountId" => format!("{:012}", self.rng.u64(0..1_000_000_000_000)),
            "logGroupName" => format!("/{}", self.some("abcXYZ019_/.#-", max - 1)),
            "regions[]" => self.region(),
            "*" => self.some("abcXYZ019жé _.:/=+@-", max),
            _ => panic!("{path}: how is it made? Add it here"),
        }
    }

    fn region(&mut self) -> String {
        let regions = [
            "eu-central-1",
            "us-west-2",
            "us-gov-west-1",
            "ap-southeast-5",
            "eusc-de-east-1",
        ];
        (*self.rng.choice(&regions).unwrap_or(&"us-east-1")).to_owned()
    }

    /// Breaks `target` in a manifest, or tries to: a rule may hold after all.
    pub fn break_at(&mut self, object: &mut Value, (path, constraint): &Target) {
        let schema = super::schema_at(self.schema, path).clone();
        match constraint {
            Constraint::Type => {
                let wrong = self.of_another_type(&schema);
                *place(object, path, self) = wrong;
            }
            Constraint::Required => {
                let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
                let parent = place(object, parent, self);
                if self.rng.bool() {
                    parent[name] = Value::Null;
                } else if let Some(fields) = parent.as_object_mut() {
                    fields.remove(name);
                }
            }
            Constraint::Unknown => {
                let name = self
                    .rng
                    .choice(["specs", "Name", "prefix", "tag", "kmsKey", "x"]);
                let value = self.rng.choice([json!(null), json!({}), json!("x")]);
                place(object, path, self)[name.unwrap_or("x")] = value.unwrap_or_default();
            }
            Constraint::Enum => {
                let right = self.text(&schema, path);
                let wrong = [
                    right.to_lowercase(),
                    format!("{right} "),
                    String::new(),
                    "x".to_owned(),
                ];
                *place(object, path, self) = json!(self.rng.choice(wrong));
            }
            Constraint::Bound(bound) => self.beyond(bound, &schema, object, path),
            Constraint::Duplicate => {
                let item = self.value(&schema["items"], &format!("{path}[]"));
                *place(object, path, self) = json!([item, item]);
            }
            Constraint::Rule(_) => self.against_a_rule(&schema, object, path),
            Constraint::Pattern | Constraint::Object => {}
        }
    }

    fn of_another_type(&mut self, schema: &Value) -> Value {
        let all = [
            ("boolean", json!(true)),
            ("integer", json!(3600)),
            ("number", json!(3600.5)),
            ("integer", json!(1.0e20)),
            ("string", json!("3600")),
            ("array", json!([])),
            ("object", json!({})),
        ];
        let is = schema["type"].as_str().unwrap_or_default();
        let others: Vec<_> = (all.into_iter())
            .filter(|(kind, value)| *kind != is || (is == "integer" && !value.is_i64()))
            .map(|(_, value)| value)
            .collect();
        self.rng.choice(others).unwrap_or_default()
    }

    fn beyond(&mut self, bound: &str, schema: &Value, object: &mut Value, path: &str) {
        let limit = whole(&schema[bound]);
        let more = usize::try_from(limit + 1).unwrap_or_default();
        let value = match bound {
            "minimum" => json!(limit - self.rng.i32(1..10)),
            "maximum" => json!(limit + self.rng.i32(1..10)),
            "minItems" => json!([]),
            "maxItems" => {
                let mut items = std::collections::BTreeSet::new();
                for number in 0..more {
                    let account = format!("{number:012}");
                    let item = self.text(&schema["items"], &format!("{path}[]"));
                    let item = item.replace(":aws:policy", ":111122223333:policy");
                    items.insert(
                        item.replace("111122223333", &account)
                            .replace("-1", &format!("-{number}")),
                    );
                }
                let number = |n: usize| format!("eu-central-{n}");
                items.extend((items.len()..more).map(number));
                json!(items)
            }
            "maxLength" => {
                let filler = self.rng.choice(["a", "é", "ж", "\u{1f600}"]).unwrap_or("a");
                json!(filler.repeat(more))
            }
            "maxProperties" => {
                let entry = |n: usize| (format!("k{n}"), json!("v"));
                Value::Object((0..more).map(entry).collect())
            }
            other => panic!("{path}: how is {other} broken? Add it here"),
        };
        *place(object, path, self) = value;
    }

    /// A text with something hostile, or fields that don't go together.
    fn against_a_rule(&mut self, schema: &Value, object: &mut Value, path: &str) {
        match schema["type"].as_str() {
            Some("string") => {
                let text = self.text(schema, path);
                let text = self.hostile(&text);
                *place(object, path, self) = json!(text);
            }
            Some("object") if schema.get("additionalProperties").is_some() => {
                let key = self.tag_key();
                let key = match self.rng.u8(0..5) {
                    0 => String::new(),
                    1 => "ж".repeat(self.rng.usize(120..140)),
                    2 => format!(
                        "{}{key}",
                        self.rng
                            .choice(["aws:", "AWS:", "SessionManager.dev/"])
                            .unwrap_or("aws:")
                    ),
                    _ => self.hostile(&key),
                };
                place(object, path, self)[key] = json!("v");
            }
            _ if path.is_empty() => {
                object["metadata"]["name"] = json!("a".repeat(self.rng.usize(120..140)));
            }
            _ => {
                // Which fields there are is what such rules are about.
                let made = self.value(schema, path);
                *place(object, path, self) = made;
            }
        }
    }

    fn hostile(&mut self, text: &str) -> String {
        let bad = self.rng.choice(HOSTILE).unwrap_or("*");
        let ends: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        match self.rng.u8(0..5) {
            0 => format!("{text}{bad}"),
            1 => format!("{bad}{text}"),
            2 => bad.to_owned(),
            3 => text.chars().skip(1).collect(),
            _ => {
                let at = self.rng.choice(ends).unwrap_or(0);
                format!("{}{bad}{}", &text[..at], &text[at..])
            }
        }
    }

    /// A small change anywhere that may be right.
    pub fn change(&mut self, object: &mut Value, targets: &[Target]) {
        let Some((path, _)) = self.rng.choice(targets) else {
            return;
        };
        if path.is_empty() {
            return;
        }
        let schema = super::schema_at(self.schema, path).clone();
        let value = match self.rng.u8(0..3) {
            0 => Value::Null,
            _ => self.value(&schema, path),
        };
        *place(object, path, self) = value;
    }
}

/// A bound, which the CRD may have as a number with a point.
fn whole(bound: &Value) -> i32 {
    let bound = bound.as_f64().map(|bound| format!("{bound:.0}"));
    bound
        .and_then(|bound| bound.parse().ok())
        .unwrap_or_default()
}

/// The place of a path, with what is missing on the way made.
fn place<'v>(object: &'v mut Value, path: &str, generator: &mut Generator) -> &'v mut Value {
    let mut here = object;
    let mut walked = String::new();
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, is_item) = step
            .strip_suffix("[]")
            .map_or((step, false), |name| (name, true));
        if !here.is_object() {
            *here = made(generator, &walked);
        }
        walked = if walked.is_empty() {
            name.to_owned()
        } else {
            format!("{walked}.{name}")
        };
        here = &mut here[if name == "*" { "Team" } else { name }];
        if is_item {
            if here.as_array().is_none_or(Vec::is_empty) {
                *here = json!([null]);
            }
            here = &mut here[0];
            walked.push_str("[]");
        }
    }
    if here.is_null() && !path.ends_with(['*', ']']) {
        *here = made(generator, path);
    }
    here
}

fn made(generator: &mut Generator, path: &str) -> Value {
    let schema = super::schema_at(generator.schema, path).clone();
    if schema["type"] == "object" {
        generator.value(&schema, path)
    } else {
        Value::Null
    }
}
