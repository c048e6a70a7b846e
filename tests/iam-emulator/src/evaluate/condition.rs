//! One condition of a statement: its operator, key and values enter; whether it holds for a request
//! leaves. No IO.

use super::pattern::{Pattern, Reading, Resolved};
use super::{Context, PolicyError};

/// A key that is tested. All tests of a statement have to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// In lower case.
    key: String,
    check: Check,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Check {
    /// Whether the key is absent is one of these.
    Null(Vec<bool>),
    Compare {
        how: How,
        negated: bool,
        if_exists: bool,
        over: Option<Over>,
        patterns: Vec<Pattern>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Exactly,
    InAnyCase,
    Arn,
}

/// The set operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    AnyValue,
    AllValues,
}

impl Test {
    /// Reads a test: `ForAllValues:StringLikeIfExists`, a key, the values.
    pub fn read(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, PolicyError> {
        let unknown = || PolicyError::new(format!("unknown condition operator: {operator}"));
        if !key.contains(':') {
            return Err(PolicyError::new(format!("not a condition key: {key}")));
        }
        if values.is_empty() {
            return Err(PolicyError::new(format!("{operator} {key}: no values")));
        }
        let key = key.to_lowercase();
        if operator == "Null" {
            let check = Check::Null(values.iter().map(|v| truth(v)).collect::<Result<_, _>>()?);
            return Ok(Self { key, check });
        }
        let (over, rest) = match operator.split_once(':') {
            None => (None, operator),
            Some(("ForAnyValue", rest)) => (Some(Over::AnyValue), rest),
            Some(("ForAllValues", rest)) => (Some(Over::AllValues), rest),
            Some(_) => return Err(unknown()),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (how, wildcards, negated) = match name {
            "StringEquals" => (How::Exactly, false, false),
            "StringNotEquals" => (How::Exactly, false, true),
            "StringEqualsIgnoreCase" | "Bool" => (How::InAnyCase, false, false),
            "StringNotEqualsIgnoreCase" => (How::InAnyCase, false, true),
            "StringLike" => (How::Exactly, true, false),
            "StringNotLike" => (How::Exactly, true, true),
            // AWS documents that the two behave the same.
            "ArnEquals" | "ArnLike" => (How::Arn, true, false),
            "ArnNotEquals" | "ArnNotLike" => (How::Arn, true, true),
            _ => return Err(unknown()),
        };
        if name == "Bool" {
            values.iter().try_for_each(|value| truth(value).map(drop))?;
        }
        let reading = Reading {
            wildcards,
            variables,
        };
        let patterns = values.iter().map(|value| Pattern::read(value, reading));
        let check = Check::Compare {
            how,
            negated,
            if_exists,
            over,
            patterns: patterns.collect::<Result<_, _>>()?,
        };
        Ok(Self { key, check })
    }

    /// Whether it holds.
    pub fn holds(&self, context: &Context) -> bool {
        let held = context.get(&self.key);
        match &self.check {
            Check::Null(wanted) => wanted.contains(&held.is_none()),
            Check::Compare {
                how,
                negated,
                if_exists,
                over,
                patterns,
            } => {
                let Some(held) = held else {
                    return match over {
                        None => *negated || *if_exists,
                        // IfExists is about each value, so it changes nothing where there is none.
                        Some(Over::AnyValue) => false,
                        Some(Over::AllValues) => true,
                    };
                };
                let patterns: Vec<Resolved> = patterns
                    .iter()
                    .filter_map(|pattern| pattern.resolve(context))
                    .collect();
                let matches =
                    |value: &String| patterns.iter().any(|pattern| how.matches(pattern, value));
                match over {
                    // For a key of several values AWS says nothing; a negated operator is at
                    // least the opposite of the other.
                    None => held.iter().any(matches) != *negated,
                    Some(Over::AnyValue) => held.iter().any(|value| matches(value) != *negated),
                    Some(Over::AllValues) => held.iter().all(|value| matches(value) != *negated),
                }
            }
        }
    }
}

impl How {
    fn matches(self, pattern: &Resolved, value: &str) -> bool {
        match self {
            Self::Exactly => pattern.matches(value),
            Self::InAnyCase => pattern.matches_in_any_case(value),
            Self::Arn => pattern.matches_arn(value),
        }
    }
}

fn truth(text: &str) -> Result<bool, PolicyError> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(PolicyError::new(format!("neither true nor false: {text}"))),
    }
}
