//! Objects under their schema, as server-side apply sees them: which fields one has, how two differ,
//! one merged into another, fields taken away. No IO.

use serde_json::{Map, Value};

use crate::fields::Fields;

/// What a value is to server-side apply.
enum Shape<'a> {
    /// As a whole.
    Leaf,
    Map(&'a Map<String, Value>),
    /// Items are told apart by these fields, or by their value where there are none.
    List(Vec<&'a str>, &'a [Value]),
}

/// A value of another type than the schema's is taken as a whole; what the schema does not know is
/// taken as it looks.
fn shape<'a>(schema: &'a Value, value: &'a Value) -> Shape<'a> {
    match value {
        Value::Object(map) if schema["x-kubernetes-map-type"] != "atomic" => Shape::Map(map),
        Value::Array(items) => match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => Shape::List(Vec::new(), items),
            Some("map") => {
                let keys = schema["x-kubernetes-list-map-keys"].as_array();
                let keys = keys.into_iter().flatten().filter_map(Value::as_str);
                Shape::List(keys.collect(), items)
            }
            Some(_) | None => Shape::Leaf,
        },
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Shape::Leaf
        }
    }
}

/// The schema of a field, and whether it is one that the schema names.
fn below<'a>(schema: &'a Value, key: &str) -> (&'a Value, bool) {
    match schema["properties"].get(key) {
        Some(property) => (property, true),
        None => (&schema["additionalProperties"], false),
    }
}

fn field(key: &str) -> String {
    format!("f:{key}")
}

/// How an item of a list is told from the others.
fn item(keys: &[&str], value: &Value) -> String {
    if keys.is_empty() {
        return format!("v:{value}");
    }
    let own = keys
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), value.get(key)?.clone())));
    let own: Map<String, Value> = own.collect();
    format!("k:{}", Value::Object(own))
}

/// The fields that an object has.
pub(crate) fn fields(schema: &Value, value: &Value) -> Fields {
    let mut found = Fields::default();
    match shape(schema, value) {
        Shape::Leaf => found.own = true,
        Shape::Map(map) => {
            for (key, value) in map {
                let (schema, is_named) = below(schema, key);
                let mut child = fields(schema, value);
                child.own |= !is_named || value.as_object().is_some_and(Map::is_empty);
                found.below.insert(field(key), child);
            }
        }
        Shape::List(keys, items) => {
            for value in items {
                let mut child = fields(&schema["items"], value);
                child.own = true;
                found.below.insert(item(&keys, value), child);
            }
        }
    }
    found
}

/// How two objects differ.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) added: Fields,
    pub(crate) modified: Fields,
    pub(crate) removed: Fields,
}

/// How `new` differs from `old`.
pub(crate) fn compare(schema: &Value, old: &Value, new: &Value) -> Difference {
    let mut difference = Difference::default();
    difference.walk(schema, Some(old), Some(new), &mut Vec::new());
    difference
}

fn is_hollow(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => false,
    }
}

impl Difference {
    fn walk(
        &mut self,
        schema: &Value,
        old: Option<&Value>,
        new: Option<&Value>,
        path: &mut Vec<String>,
    ) {
        let leaf = Shape::Leaf;
        let (before, after) = (
            old.map_or(Shape::Leaf, |old| shape(schema, old)),
            new.map_or(leaf, |new| shape(schema, new)),
        );
        match (before, after) {
            _ if is_hollow(old) && is_hollow(new) => return self.leaf(old, new, path),
            (Shape::Map(before), Shape::Map(after)) => self.maps(schema, before, after, path),
            (Shape::Map(before), _) if new.is_none() => {
                self.maps(schema, before, &Map::new(), path);
            }
            (_, Shape::Map(after)) if old.is_none() => self.maps(schema, &Map::new(), after, path),
            (Shape::List(keys, before), Shape::List(_, after)) => {
                self.lists(schema, &keys, before, after, path);
            }
            (Shape::List(keys, before), _) if new.is_none() => {
                self.lists(schema, &keys, before, &[], path);
            }
            (_, Shape::List(keys, after)) if old.is_none() => {
                self.lists(schema, &keys, &[], after, path);
            }
            _ => return self.leaf(old, new, path),
        }
        if old.is_none() {
            self.added.insert(path);
        } else if new.is_none() {
            self.removed.insert(path);
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>, path: &[String]) {
        if old.is_none() {
            self.added.insert(path);
        } else if new.is_none() {
            self.removed.insert(path);
        } else if old != new {
            self.modified.insert(path);
        }
    }

    fn maps(
        &mut self,
        schema: &Value,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        path: &mut Vec<String>,
    ) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        for key in old.keys().chain(added) {
            path.push(field(key));
            self.walk(below(schema, key).0, old.get(key), new.get(key), path);
            path.pop();
        }
    }

    fn lists(
        &mut self,
        schema: &Value,
        keys: &[&str],
        old: &[Value],
        new: &[Value],
        path: &mut Vec<String>,
    ) {
        let find = |list: &[Value], wanted: &str| {
            list.iter()
                .find(|value| item(keys, value) == wanted)
                .cloned()
        };
        let mut elements: Vec<String> = Vec::new();
        for value in old.iter().chain(new) {
            let element = item(keys, value);
            if !elements.contains(&element) {
                elements.push(element);
            }
        }
        for element in elements {
            let (before, after) = (find(old, &element), find(new, &element));
            path.push(element);
            self.walk(&schema["items"], before.as_ref(), after.as_ref(), path);
            path.pop();
        }
    }
}

/// `config` merged into `live`.
pub(crate) fn merge(schema: &Value, live: &Value, config: &Value) -> Value {
    match (shape(schema, live), shape(schema, config)) {
        (Shape::Map(live), Shape::Map(config)) => {
            let mut merged = live.clone();
            for (key, value) in config {
                let value = match live.get(key) {
                    Some(live) => merge(below(schema, key).0, live, value),
                    None => value.clone(),
                };
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (Shape::List(keys, live), Shape::List(_, config)) => {
            Value::Array(merge_lists(&schema["items"], &keys, live, config))
        }
        _ => config.clone(),
    }
}

/// Items that both have stand in the order of `config`; those of `live` only stay between them.
fn merge_lists(schema: &Value, keys: &[&str], live: &[Value], config: &[Value]) -> Vec<Value> {
    let name = |value: &Value| item(keys, value);
    let lefts: Vec<String> = live.iter().map(name).collect();
    let rights: Vec<String> = config.iter().map(name).collect();
    let shared: Vec<&String> = rights
        .iter()
        .filter(|right| lefts.contains(right))
        .collect();
    let mut shared = shared.into_iter().peekable();
    let mut done: Vec<&String> = Vec::new();
    let mut merged = Vec::new();
    let (mut left, mut right) = (0, 0);
    loop {
        let (at, to) = (lefts.get(left), rights.get(right));
        if let Some(at) = at.filter(|at| to != Some(*at)) {
            let is_shared = rights.contains(at);
            let waits = to.is_some() && shared.peek().is_some_and(|next| *next != at);
            if !is_shared {
                merged.extend(live.get(left).cloned());
            }
            if waits || !is_shared || done.contains(&at) {
                left += 1;
                continue;
            }
        }
        let (Some(to), Some(value)) = (to, config.get(right)) else {
            break;
        };
        let before = lefts
            .iter()
            .position(|l| l == to)
            .and_then(|index| live.get(index));
        merged.push(before.map_or_else(|| value.clone(), |before| merge(schema, before, value)));
        done.push(to);
        shared.next_if(|next| *next == to);
        left += usize::from(at == Some(to));
        right += 1;
    }
    merged
}

/// An object without these fields; `None` where nothing is left of it.
pub(crate) fn remove(schema: &Value, value: &Value, gone: &Fields) -> Option<Value> {
    match shape(schema, value) {
        Shape::Leaf => Some(value.clone()),
        Shape::Map(map) => {
            let mut left = Map::new();
            for (key, value) in map {
                let value = match gone.below.get(&field(key)) {
                    Some(fields) if fields.own => continue,
                    Some(fields) => remove(below(schema, key).0, value, fields),
                    None => Some(value.clone()),
                };
                left.insert(key.clone(), value.unwrap_or(Value::Null));
            }
            (!left.is_empty()).then_some(Value::Object(left))
        }
        Shape::List(keys, items) => {
            let mut left = Vec::new();
            for value in items {
                match gone.below.get(&item(&keys, value)) {
                    Some(fields) if fields.own => {}
                    Some(fields) => {
                        left.push(remove(&schema["items"], value, fields).unwrap_or(Value::Null));
                    }
                    None => left.push(value.clone()),
                }
            }
            (!left.is_empty()).then_some(Value::Array(left))
        }
    }
}

/// These fields, with those that the schema names above them.
pub(crate) fn with_parents(schema: &Value, set: &Fields) -> Fields {
    let mut all = Fields {
        own: set.own,
        ..Fields::default()
    };
    for (element, fields) in &set.below {
        let (schema, is_named) = match element.split_once(':') {
            Some(("f", key)) => below(schema, key),
            Some(_) | None => (&schema["items"], false),
        };
        let mut child = with_parents(schema, fields);
        child.own |= is_named;
        all.below.insert(element.clone(), child);
    }
    all
}
