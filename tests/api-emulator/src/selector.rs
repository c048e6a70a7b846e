//! Selectors of labels and fields: text enters, whether an object fits leaves. No IO.

use serde_json::Value;

use crate::object;
use crate::reply::Failure;

#[derive(Clone, Debug, PartialEq)]
enum Term {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// What a list or a watch is narrowed to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selector {
    labels: Vec<Term>,
    fields: Vec<Term>,
}

impl Selector {
    pub(crate) fn read(labels: Option<&str>, fields: Option<&str>) -> Result<Self, Failure> {
        let labels = split(labels.unwrap_or_default());
        let labels = labels.iter().map(|term| label_term(term));
        let fields = split(fields.unwrap_or_default());
        let fields = fields.iter().map(|term| field_term(term));
        Ok(Self {
            labels: labels.collect::<Result<_, _>>()?,
            fields: fields.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn fits(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"].get(key)?.as_str();
        let field = |key: &str| Some(object::text(object, &format!("/{}", key.replace('.', "/"))));
        self.labels.iter().all(|term| term.fits(label(term.key())))
            && self.fields.iter().all(|term| term.fits(field(term.key())))
    }
}

impl Term {
    fn key(&self) -> &str {
        match self {
            Self::In(key, _) | Self::NotIn(key, _) | Self::Exists(key) | Self::Missing(key) => key,
        }
    }

    fn fits(&self, value: Option<&str>) -> bool {
        let is_in = |values: &[String]| value.is_some_and(|v| values.iter().any(|own| own == v));
        match self {
            Self::In(_, values) => is_in(values),
            Self::NotIn(_, values) => !is_in(values),
            Self::Exists(_) => value.is_some(),
            Self::Missing(_) => value.is_none(),
        }
    }
}

/// At the commas that stand outside of brackets.
fn split(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut depth = 0_u32;
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if letter == ',' && depth == 0 {
            terms.push(String::new());
        } else if let Some(term) = terms.last_mut() {
            term.push(letter);
        }
    }
    terms.retain(|term| !term.trim().is_empty());
    terms
}

fn label_term(term: &str) -> Result<Term, Failure> {
    let term = term.trim();
    let one = |(key, value): (&str, &str)| (key.trim().to_owned(), vec![value.trim().to_owned()]);
    let made = if let Some(pair) = term.split_once("!=") {
        let (key, values) = one(pair);
        Term::NotIn(key, values)
    } else if let Some(pair) = term.split_once("==").or_else(|| term.split_once('=')) {
        let (key, values) = one(pair);
        Term::In(key, values)
    } else if let Some((left, list)) = term.strip_suffix(')').and_then(|t| t.split_once('(')) {
        let values = list
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        match left.trim().rsplit_once(' ') {
            Some((key, "in")) => Term::In(key.trim().to_owned(), values),
            Some((key, "notin")) => Term::NotIn(key.trim().to_owned(), values),
            Some(_) | None => return Err(unparsable(term)),
        }
    } else if let Some(key) = term.strip_prefix('!') {
        Term::Missing(key.trim().to_owned())
    } else {
        Term::Exists(term.to_owned())
    };
    let fits = smr_manifest::schema::is_qualified(made.key());
    fits.then_some(made).ok_or_else(|| unparsable(term))
}

fn unparsable(term: &str) -> Failure {
    Failure::bad_request(format!("unable to parse requirement: {term}"))
}

fn field_term(term: &str) -> Result<Term, Failure> {
    let pair = term
        .split_once("!=")
        .map(|(key, value)| (key, value, false));
    let pair = pair.or_else(|| {
        let (key, value) = term.split_once("==").or_else(|| term.split_once('='))?;
        Some((key, value, true))
    });
    let Some((key, value, is)) = pair else {
        let message = format!("invalid selector: '{term}'; can't understand '{term}'");
        return Err(Failure::bad_request(message));
    };
    if !matches!(key, "metadata.name" | "metadata.namespace") {
        let message = format!("field label not supported: {key}");
        return Err(Failure::bad_request(message));
    }
    let (key, values) = (key.to_owned(), vec![value.to_owned()]);
    Ok(if is {
        Term::In(key, values)
    } else {
        Term::NotIn(key, values)
    })
}
