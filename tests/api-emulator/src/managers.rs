//! Who manages which fields: an object, what someone makes of it and who that is enter; the object
//! with `metadata.managedFields` leaves, or the conflicts. No IO.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::object;
use crate::reply::{Cause, Failure};
use crate::resource::Subresource;
use crate::typed;

/// What is never noted.
const UNTRACKED: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// Who writes, and how.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) api_version: String,
    pub(crate) subresource: Option<Subresource>,
    pub(crate) time: String,
    /// Status has a path of its own.
    pub(crate) is_split: bool,
}

/// How fields became someone's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Apply,
    Update,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

#[derive(Clone, Debug)]
struct Manager {
    name: String,
    operation: Operation,
    api_version: String,
    subresource: String,
    time: Option<String>,
    fields: Fields,
}

impl Manager {
    fn read(entry: &Value) -> Self {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let operation = if entry["operation"] == "Apply" {
            Operation::Apply
        } else {
            Operation::Update
        };
        Self {
            name: text("manager"),
            operation,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: entry["time"].as_str().map(str::to_owned),
            fields: Fields::read(&entry["fieldsV1"]),
        }
    }

    fn json(&self) -> Value {
        let mut entry = json!({
            "manager": self.name,
            "operation": self.operation.name(),
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.json(),
        });
        if !self.subresource.is_empty() {
            entry["subresource"] = self.subresource.clone().into();
        }
        if let Some(time) = &self.time {
            entry["time"] = time.clone().into();
        }
        entry
    }

    fn is(&self, writer: &Writer, operation: Operation) -> bool {
        self.name == writer.manager
            && self.operation == operation
            && self.subresource == writer.below()
            && (operation == Operation::Apply || self.api_version == writer.api_version)
    }

    /// As messages name it.
    fn shown(&self) -> String {
        let mut shown = format!("\"{}\"", self.name);
        if !self.subresource.is_empty() {
            shown = format!("{shown} with subresource \"{}\"", self.subresource);
        }
        match self.operation {
            Operation::Apply => shown,
            Operation::Update => format!("{shown} using {}", self.api_version),
        }
    }
}

impl Writer {
    const fn below(&self) -> &'static str {
        match self.subresource {
            Some(Subresource::Status) => "status",
            None => "",
        }
    }

    /// Without what such a write can't change.
    fn own(&self, fields: Fields) -> Fields {
        match self.subresource {
            Some(Subresource::Status) => fields.without(&["metadata", "spec"]),
            None if self.is_split => fields.without(&["status"]),
            None => fields,
        }
    }

    fn entry(&self, operation: Operation, time: Option<String>, fields: Fields) -> Manager {
        Manager {
            name: self.manager.clone(),
            operation,
            api_version: self.api_version.clone(),
            subresource: self.below().to_owned(),
            time,
            fields,
        }
    }
}

fn read(object: &Value) -> Vec<Manager> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.into_iter().flatten().map(Manager::read).collect()
}

/// Of what was sent, or of what is there.
fn read_either(live: &Value, sent: &Value, writer: &Writer) -> Vec<Manager> {
    let entries = sent["metadata"]["managedFields"].as_array();
    let is_reset = entries.is_some_and(|entries| entries.as_slice() == [json!({})]);
    match entries {
        Some(_) if is_reset && writer.subresource.is_none() => Vec::new(),
        Some(entries) if !entries.is_empty() && writer.subresource.is_none() => read(sent),
        Some(_) | None => read(live),
    }
}

fn tracked(fields: &Fields) -> Fields {
    let mut untracked = Fields::default();
    for path in [&["apiVersion"][..], &["kind"], &["metadata"]] {
        untracked.insert(&path.iter().map(|p| format!("f:{p}")).collect::<Vec<_>>());
    }
    for name in UNTRACKED {
        untracked.insert(&["f:metadata".to_owned(), format!("f:{name}")]);
    }
    fields.minus(&untracked)
}

fn write(object: &mut Value, mut managers: Vec<Manager>) {
    for manager in &mut managers {
        manager.fields = tracked(&manager.fields);
    }
    managers.retain(|manager| !manager.fields.is_empty());
    managers.sort_by(|one, other| {
        let key = |m: &Manager| {
            let rest = (m.api_version.clone(), m.subresource.clone());
            (m.operation, m.time.clone(), m.name.clone(), rest)
        };
        key(one).cmp(&key(other))
    });
    if managers.is_empty() {
        object::take_meta(object, "managedFields");
    } else {
        let entries: Vec<Value> = managers.iter().map(Manager::json).collect();
        object::set_meta(object, "managedFields", entries);
    }
}

/// What others lose by a change, and what they would lose but for `force`.
fn yield_to(
    managers: &mut Vec<Manager>,
    writer: (&Writer, Operation),
    difference: &typed::Difference,
    force: bool,
) -> Result<(), Failure> {
    let taken = writer.0.own(difference.modified.or(&difference.added));
    let removed = writer.0.own(difference.removed.clone());
    let mut causes = Vec::new();
    for manager in managers.iter_mut().filter(|m| !m.is(writer.0, writer.1)) {
        let lost = manager.fields.and(&taken);
        causes.extend(lost.paths().into_iter().map(|path| Cause {
            reason: "FieldManagerConflict".to_owned(),
            message: format!("conflict with {}", manager.shown()),
            field: path,
        }));
        manager.fields = manager.fields.minus(&lost).minus(&removed);
    }
    if !force && !causes.is_empty() {
        return Err(in_conflict(&causes));
    }
    managers.retain(|manager| !manager.fields.is_empty());
    Ok(())
}

fn in_conflict(causes: &[Cause]) -> Failure {
    let message = if let [one] = causes {
        format!(
            "Apply failed with 1 conflict: {}: {}",
            one.message, one.field
        )
    } else {
        let mut lines = Vec::new();
        let mut whose = String::new();
        for cause in causes {
            if cause.message != whose {
                cause.message.clone_into(&mut whose);
                lines.push(format!(
                    "{}:",
                    whose.replacen("conflict with", "conflicts with", 1)
                ));
            }
            lines.push(format!("- {}", cause.field));
        }
        format!(
            "Apply failed with {} conflicts: {}",
            causes.len(),
            lines.join("\n")
        )
    };
    Failure::new(409, "Conflict", message).because(causes)
}

/// `new` as it is written over `live` by something else than apply.
pub(crate) fn update(schema: &Value, live: &Value, new: &mut Value, writer: &Writer) {
    let mut managers = read_either(live, new, writer);
    object::take_meta(new, "managedFields");
    let mut before = live.clone();
    object::take_meta(&mut before, "managedFields");
    let difference = typed::compare(schema, &before, new);
    let taken = writer.own(difference.modified.or(&difference.added));
    // With force nothing is in conflict.
    drop(yield_to(
        &mut managers,
        (writer, Operation::Update),
        &difference,
        true,
    ));
    let taken = tracked(&taken);
    let own = managers
        .iter_mut()
        .find(|m| m.is(writer, Operation::Update));
    if let Some(own) = own {
        own.fields = own.fields.minus(&difference.removed).or(&taken);
        if !taken.is_empty() {
            own.time = Some(writer.time.clone());
        }
    } else if !taken.is_empty() {
        managers.push(writer.entry(Operation::Update, Some(writer.time.clone()), taken));
    }
    write(new, managers);
}

/// `live` with `config` applied.
pub(crate) fn apply(
    schema: &Value,
    live: &Value,
    config: &Value,
    writer: &Writer,
    force: bool,
) -> Result<Value, Failure> {
    let mut managers = read(live);
    let mut before = live.clone();
    object::take_meta(&mut before, "managedFields");
    let merged = typed::merge(schema, &before, config);
    let set = writer.own(typed::fields(schema, config));
    let own = managers.iter().position(|m| m.is(writer, Operation::Apply));
    let last = own.map(|index| managers.remove(index));
    let time = last.as_ref().and_then(|last| last.time.clone());
    managers.push(writer.entry(Operation::Apply, time, set));
    let mut new = match &last {
        Some(last) => prune(schema, &merged, &managers, &last.fields),
        None => merged,
    };
    let difference = typed::compare(schema, &before, &new);
    yield_to(
        &mut managers,
        (writer, Operation::Apply),
        &difference,
        force,
    )?;
    if new != before
        && let Some(own) = managers.iter_mut().find(|m| m.is(writer, Operation::Apply))
    {
        own.time = Some(writer.time.clone());
    }
    write(&mut new, managers);
    Ok(new)
}

/// Without what the manager applied last time and applies no more, unless someone else has it.
fn prune(schema: &Value, merged: &Value, managers: &[Manager], last: &Fields) -> Value {
    let all = |set: &Fields| typed::with_parents(schema, set);
    let left = |gone: &Fields| typed::remove(schema, merged, gone).unwrap_or_else(|| json!({}));
    let of = |value: &Value| all(&typed::fields(schema, value));
    let managed = managers
        .iter()
        .fold(Fields::default(), |sum, m| sum.or(&m.fields));
    let (last, merged_set) = (all(last), of(merged));
    let pruned = left(&last);
    let pruned = left(&merged_set.minus(&of(&pruned)).minus(&all(&managed)));
    left(&merged_set.minus(&of(&pruned)).and(&last))
}
