//! The CRD's CEL rules, compiled once. In: an object, and the one that it changes; out: problems with
//! the rules' own messages. No IO. The language is kube-cel's; the walk is here because its own
//! compiles every regular expression anew at each evaluation, which a thousand manifests feel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::extractors::This;
use kube_cel::cel::objects::Key;
use kube_cel::cel::{Context, ExecutionError, FunctionContext, Value};
use kube_cel::{CompilationResult, CompiledSchema, KubeCelExt as _, compile_schema};
use regex::Regex;
use serde_json::Value as Json;

use super::{Constraint, Problems};

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// All rules of a schema.
pub(super) struct Rules {
    schema: CompiledSchema,
    context: Context<'static>,
}

impl Rules {
    /// Compiles them; an error names the first that can't be.
    pub(super) fn of(schema: &Json) -> Result<Self, String> {
        let schema = compile_schema(schema);
        compiled(&schema)?;
        let mut context = Context::default().with_all();
        context.add_function("matches", matches);
        context.add_function("find", find);
        context.add_function("size", size);
        Ok(Self { schema, context })
    }

    /// Evaluates them; those that compare only where there is a `before`.
    pub(super) fn check(&self, object: &Json, before: Option<&Json>, problems: &mut Problems) {
        self.walk(&self.schema, object, before, "", problems);
    }

    fn walk(
        &self,
        schema: &CompiledSchema,
        value: &Json,
        before: Option<&Json>,
        path: &str,
        problems: &mut Problems,
    ) {
        // What is as it was is accepted, whatever the rules have become since.
        let is_unchanged = before == Some(value);
        if !schema.validations.is_empty() {
            let mut scope = self.context.new_inner_scope();
            scope.add_variable_from_value("self", cel_value(value));
            if let Some(before) = before {
                scope.add_variable_from_value("oldSelf", cel_value(before));
            }
            for rule in schema.validations.iter().flatten() {
                let applies = if rule.is_transition_rule {
                    before.is_some()
                } else {
                    !is_unchanged
                };
                if applies {
                    evaluate(rule, &scope, path, problems);
                }
            }
        }
        for (key, below) in value.as_object().into_iter().flatten() {
            if let Some(schema) = schema
                .properties
                .get(key)
                .or(schema.additional_properties.as_deref())
            {
                let place = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                self.walk(
                    schema,
                    below,
                    before.and_then(|b| b.get(key)),
                    &place,
                    problems,
                );
            }
        }
        if let (Some(schema), Json::Array(items)) = (&schema.items, value) {
            for (index, item) in items.iter().enumerate() {
                // Items of a set or an atomic list have no counterpart before.
                self.walk(schema, item, None, &format!("{path}[{index}]"), problems);
            }
        }
    }
}

/// Whether all rules could be compiled.
fn compiled(schema: &CompiledSchema) -> Result<(), String> {
    if let Some(error) = schema.compilation_errors().first() {
        return Err(error.to_string());
    }
    let below = schema.properties.values();
    let mut below = below
        .chain(schema.items.as_deref())
        .chain(schema.additional_properties.as_deref());
    below.try_for_each(compiled)
}

fn evaluate(compiled: &CompilationResult, scope: &Context, path: &str, problems: &mut Problems) {
    let rule = &compiled.rule;
    let field = format!("{path}{}", rule.field_path.as_deref().unwrap_or_default());
    let message = match compiled.program.execute(scope) {
        Ok(Value::Bool(true)) => return,
        Ok(Value::Bool(false)) => message(compiled, scope),
        Ok(_) => format!("the rule {} is no yes or no", rule.rule),
        Err(error) => format!("the rule {} can't be evaluated: {error}", rule.rule),
    };
    problems.add(Constraint::Rule(rule.rule.clone()), field, message);
}

/// The message as the API server makes it: an expression's text, unless it has several lines or none.
fn message(compiled: &CompilationResult, scope: &Context) -> String {
    let rule = &compiled.rule;
    let made = compiled
        .message_program
        .as_ref()
        .and_then(|program| match program.execute(scope) {
            Ok(Value::String(text)) => Some(text.trim().to_owned()),
            Ok(_) | Err(_) => None,
        });
    made.filter(|text| !text.is_empty() && !text.contains(['\n', '\r']))
        .or_else(|| rule.message.clone())
        .unwrap_or_else(|| format!("failed rule: {}", rule.rule))
}

/// A regular expression, compiled once.
fn with_regex<T>(
    context: &FunctionContext,
    pattern: &str,
    ask: impl FnOnce(&Regex) -> T,
) -> Result<T, ExecutionError> {
    PATTERNS.with_borrow_mut(|known| {
        if !known.contains_key(pattern) {
            let regex = Regex::new(pattern).map_err(|error| context.error(error.to_string()))?;
            known.insert(pattern.to_owned(), regex);
        }
        let regex = known.get(pattern);
        regex
            .map(ask)
            .ok_or_else(|| context.error(format!("no regular expression: {pattern}")))
    })
}

/// CEL's own `matches`, with each expression compiled once.
#[allow(clippy::needless_pass_by_value)] // The form that kube-cel asks for.
fn matches(
    context: &FunctionContext,
    This(text): This<Arc<String>>,
    pattern: Arc<String>,
) -> Result<bool, ExecutionError> {
    with_regex(context, &pattern, |regex| regex.is_match(&text))
}

/// Kubernetes' `find`, likewise: what matches first, or an empty text.
#[allow(clippy::needless_pass_by_value)] // The form that kube-cel asks for.
fn find(
    context: &FunctionContext,
    This(text): This<Arc<String>>,
    pattern: Arc<String>,
) -> Result<Value, ExecutionError> {
    let found = |regex: &Regex| regex.find(&text).map(|found| found.as_str().to_owned());
    let found = with_regex(context, &pattern, found)?;
    Ok(Value::String(Arc::new(found.unwrap_or_default())))
}

/// CEL's own `size` counts the characters of a text, the library's its bytes.
#[allow(clippy::needless_pass_by_value)] // The form that kube-cel asks for.
fn size(context: &FunctionContext, This(value): This<Value>) -> Result<i64, ExecutionError> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.map.len(),
        other => return Err(context.error(format!("{other:?} has no size"))),
    };
    i64::try_from(size).map_err(|error| context.error(error.to_string()))
}

fn cel_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(fraction)) => Value::Float(fraction),
            (None, None) => Value::Null,
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(items) => Value::List(Arc::new(items.iter().map(cel_value).collect())),
        Json::Object(entries) => {
            let entry = |(key, value): (&String, &Json)| {
                (Key::String(Arc::new(key.clone())), cel_value(value))
            };
            Value::Map(entries.iter().map(entry).collect::<HashMap<_, _>>().into())
        }
    }
}
