//! What a scalar means to kubectl: its text, style and tag in, a JSON value or what is wrong with it out.
//! No IO. Source: go.yaml.in/yaml/v2, compared with kubectl 1.37.

use granit_parser::Tag;
use serde_json::{Number, Value as Json};

/// A scalar as it is written.
pub(super) struct Scalar<'a> {
    pub text: &'a str,
    /// It has no quotes and is no block.
    pub is_plain: bool,
    pub tag: Option<&'a Tag>,
}

impl Scalar<'_> {
    /// Whether it is the key whose value is merged into the map.
    pub fn is_merge(&self) -> bool {
        let is_meant = (self.tag).map_or(self.is_plain, |tag| is_yaml_tag(tag, "merge"));
        is_meant && self.text == "<<"
    }

    /// What it means as a key: JSON has no infinity, but a key of that text.
    pub fn key(&self) -> Result<Json, String> {
        if self.tag.is_none() && self.is_plain && is_infinite(self.text) {
            let name = self.text.trim_start_matches('+').to_lowercase();
            return Ok(Json::String(name));
        }
        match self.value()? {
            Json::Number(number) if number.as_i64().is_none() && number.is_u64() => {
                Err(format!("{number} is too large for a key: put it in quotes"))
            }
            value => Ok(value),
        }
    }

    /// What it means.
    pub fn value(&self) -> Result<Json, String> {
        let Self { text, tag, .. } = *self;
        let as_text = || Json::String(text.to_owned());
        let Some(tag) = tag else {
            return if self.is_plain {
                plain(text)
            } else {
                Ok(as_text())
            };
        };
        if is_yaml_tag(tag, "binary") {
            return Err(
                "!!binary is not supported: write the text itself, without the tag".to_owned(),
            );
        }
        let Some(name) = tag.core_suffix() else {
            return Ok(as_text());
        };
        let value = plain(text);
        let fits = match (name, &value) {
            // An infinity is an error of its own.
            ("null", Ok(Json::Null))
            | ("bool", Ok(Json::Bool(_)))
            | ("float", Ok(Json::Number(_)) | Err(_)) => true,
            ("int", Ok(Json::Number(_))) => integer(text).is_some(),
            ("null" | "bool" | "int" | "float", _) => false,
            _ => return Ok(as_text()),
        };
        if fits {
            value
        } else {
            Err(format!(
                "the tag !!{name} does not fit '{text}': correct the value, or remove the tag"
            ))
        }
    }
}

/// Whether it is a tag of YAML's own, `!!name`.
fn is_yaml_tag(tag: &Tag, name: &str) -> bool {
    let (handle, suffix) = tag.parts();
    format!("{handle}{suffix}") == format!("tag:yaml.org,2002:{name}")
}

/// What a text without quotes means.
fn plain(text: &str) -> Result<Json, String> {
    if is_infinite(text) {
        return Err(format!(
            "{text} is no number that JSON has: put it in quotes where a text is meant"
        ));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Json::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Json::Bool(false)
        }
        _ => match integer(text).or_else(|| fraction(text)) {
            Some(number) => Json::Number(number),
            None => Json::String(text.to_owned()),
        },
    })
}

/// Infinity, or no number at all.
fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// A number with a point or an exponent; a whole one is a whole one, as in JSON.
fn fraction(text: &str) -> Option<Number> {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0; // 2^53
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let fits = |c: char| c.is_ascii_digit() || "+-.eE_".contains(c);
    let has_digit = text.contains(|c: char| c.is_ascii_digit());
    if !begins || !has_digit || !text.chars().all(fits) || text.starts_with("._") {
        return None;
    }
    let number: f64 = text.replace('_', "").parse().ok()?;
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        return format!("{number:.0}").parse::<i64>().ok().map(Into::into);
    }
    Number::from_f64(number)
}

/// A whole number of 64 bits, in decimal, hexadecimal, octal or binary digits.
fn integer(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c)) {
        return None;
    }
    let text = text.replace('_', "");
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // The library takes a sign here, too.
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let size = i128::from_str_radix(digits, radix).ok()?;
    let number = if text.starts_with('-') { -size } else { size };
    let signed = i64::try_from(number).ok().map(Number::from);
    signed.or_else(|| {
        let is_bare = !text.starts_with('+');
        u64::try_from(number)
            .ok()
            .filter(|_| is_bare)
            .map(Number::from)
    })
}
