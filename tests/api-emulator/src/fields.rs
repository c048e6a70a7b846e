//! Sets of fields, as `metadata.managedFields` holds them (FieldsV1): JSON enters and leaves. No IO.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A set of fields. The elements of a path are written as in FieldsV1: `f:NAME` for a field, `k:KEYS`
/// for an item of a list with keys, `v:VALUE` for one of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Whether the field here is in the set itself.
    pub(crate) own: bool,
    pub(crate) below: BTreeMap<String, Fields>,
}

impl Fields {
    pub(crate) fn is_empty(&self) -> bool {
        !self.own && self.below.values().all(Self::is_empty)
    }

    pub(crate) fn insert(&mut self, path: &[String]) {
        match path.split_first() {
            None => self.own = true,
            Some((first, rest)) => self.below.entry(first.clone()).or_default().insert(rest),
        }
    }

    fn with(own: bool, below: BTreeMap<String, Self>) -> Self {
        let below = below.into_iter().filter(|(_, fields)| !fields.is_empty());
        Self {
            own,
            below: below.collect(),
        }
    }

    /// What is in either.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let mut below = self.below.clone();
        for (element, fields) in &other.below {
            let both = below.get(element).map(|own| own.or(fields));
            below.insert(element.clone(), both.unwrap_or_else(|| fields.clone()));
        }
        Self::with(self.own || other.own, below)
    }

    /// What is in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let both = |(element, fields): (&String, &Self)| {
            let others = other.below.get(element)?;
            Some((element.clone(), fields.and(others)))
        };
        Self::with(
            self.own && other.own,
            self.below.iter().filter_map(both).collect(),
        )
    }

    /// What is in this one only.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let left = |(element, fields): (&String, &Self)| {
            let left = match other.below.get(element) {
                Some(others) => fields.minus(others),
                None => fields.clone(),
            };
            (element.clone(), left)
        };
        Self::with(
            self.own && !other.own,
            self.below.iter().map(left).collect(),
        )
    }

    /// Without these fields of the object and all that is below them.
    pub(crate) fn without(mut self, top: &[&str]) -> Self {
        for name in top {
            self.below.remove(&format!("f:{name}"));
        }
        self
    }

    /// The paths in it, as messages write them.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(&mut String::new(), &mut found);
        found
    }

    fn walk(&self, path: &mut String, found: &mut Vec<String>) {
        if self.own {
            found.push(path.clone());
        }
        for (element, fields) in &self.below {
            let length = path.len();
            path.push_str(&shown(element));
            fields.walk(path, found);
            path.truncate(length);
        }
    }

    pub(crate) fn read(json: &Value) -> Self {
        let mut fields = Self::default();
        for (element, below) in json.as_object().into_iter().flatten() {
            if element == "." {
                fields.own = true;
                continue;
            }
            let mut below_it = Self::read(below);
            below_it.own |= below.as_object().is_none_or(Map::is_empty);
            fields.below.insert(element.clone(), below_it);
        }
        fields
    }

    pub(crate) fn json(&self) -> Value {
        let below = self
            .below
            .iter()
            .map(|(element, fields)| (element.clone(), fields.json()));
        let mut map: Map<String, Value> = below.collect();
        if self.own && !map.is_empty() {
            map.insert(".".to_owned(), json!({}));
        }
        Value::Object(map)
    }
}

/// An element of a path, as messages write it.
fn shown(element: &str) -> String {
    let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
    match kind {
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", keys.join(","))
        }
        "v" => format!("[={rest}]"),
        _ => format!(".{rest}"),
    }
}
