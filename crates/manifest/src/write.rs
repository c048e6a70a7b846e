//! YAML for people: a value in, its text out. No IO. A text stands without quotes only where kubectl
//! reads the same text back, so `on`, `0o7` and `1e3` are quoted.

use serde::{Serialize, Serializer};
use serde_saphyr::{SerializerOptions, SingleQuoted, ser_options};
use thiserror::Error;

use crate::ordered::Ordered;
use crate::yaml::{Value, parse};

/// A value that YAML can't say.
#[derive(Debug, Error)]
pub enum WriteError {
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] serde_saphyr::ser_error::Error),
}

/// A value as one YAML document.
///
/// # Errors
/// The value has no form in JSON or in YAML.
pub fn to_yaml(value: &impl Serialize) -> Result<String, WriteError> {
    let value = Ordered::of(value)?;
    Ok(serde_saphyr::to_string_with_options(
        &Styled(&value),
        options(&value),
    )?)
}

/// Lines are never folded: a rule or a description is one line for `grep` and `diff`.
///
/// The serializer quotes keys by itself, and those with a colon always. With the rules of YAML 1.1 it quotes `on`, but dates, too, and
/// a policy's version is shown as AWS writes it.
fn options(value: &Ordered) -> SerializerOptions {
    let are_plain = has_plain_keys(value);
    ser_options! {
        yaml_12: are_plain,
        no_lang_directive: true,
        folded_wrap_chars: usize::MAX,
    }
}

fn has_plain_keys(value: &Ordered) -> bool {
    match value {
        Ordered::List(items) => items.iter().all(has_plain_keys),
        Ordered::Map(entries) => entries
            .iter()
            .all(|(k, v)| is_plain(k) && has_plain_keys(v)),
        _ => true,
    }
}

/// A value with the quotes that it needs.
struct Styled<'a>(&'a Ordered);

impl Serialize for Styled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ordered::Text(text) => Text(text).serialize(serializer),
            Ordered::List(items) => serializer.collect_seq(items.iter().map(Styled)),
            Ordered::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(k, v)| (k, Styled(v))))
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What has to be escaped gets double quotes from the serializer, several lines a block.
        let needs_quotes = !self.0.contains(is_escaped) && !is_plain(self.0);
        if needs_quotes {
            SingleQuoted(self.0).serialize(serializer)
        } else {
            serializer.serialize_str(self.0)
        }
    }
}

/// What the serializer takes within double quotes only.
fn is_escaped(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Whether a text without quotes is read back as that text.
fn is_plain(text: &str) -> bool {
    matches!(parse(text).as_deref(), Ok([node]) if matches!(&node.value, Value::Scalar(_)) && node.text() == Some(text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    /// What another reader may take for something else, or can't take without quotes.
    const HARD: [&str; 60] = [
        "on",
        "off",
        "y",
        "N",
        "yes",
        "No",
        "true",
        "null",
        "~",
        "",
        "1e3",
        "0o7",
        "0777",
        "0x1F",
        "0b11",
        "1_000",
        "12:30:45",
        ".5",
        "1.",
        "1.0",
        "+1",
        "-0",
        ".inf",
        "-.INF",
        ".nan",
        "<<",
        "=",
        "2024-01-01",
        "2024-01-01T00:00:00Z",
        "a\nb",
        "a\n",
        "\na\n\n",
        " \n a",
        "a\r\n",
        "\ta",
        "a\tb",
        " a",
        "a ",
        "'",
        "\"",
        "it's \"so\"",
        "-",
        "- a",
        "a: b",
        "a:",
        "#",
        "a #b",
        "*",
        "&a",
        "!x",
        "%",
        "@x",
        "`",
        "|",
        "{",
        "[a",
        "---",
        "...",
        "? a",
        "\u{85}",
    ];
    const INVISIBLE: [&str; 8] = [
        "\u{feff}",
        "\u{2028}",
        "\u{2029}",
        "\u{1b}[31m",
        "\0",
        "\u{202e}",
        "\u{ffff}",
        "😀",
    ];

    fn values() -> impl Iterator<Item = Json> {
        let texts = HARD.iter().chain(&INVISIBLE);
        let texts = texts.map(|t| json!({"key": t, "list": [t, [t]], "map": {"a": {"b": t}}}));
        // A comma or a quote within a key is what the serializer has to notice by itself.
        let keys = HARD.iter().chain(&INVISIBLE);
        let keys = keys.map(|t| json!([{"a": "2024-01-01", *t: {*t: t}}]));
        texts.chain(keys).chain([
            json!("on"),
            json!([]),
            json!({}),
            json!({"a": [{}, 1.5, null]}),
        ])
    }

    #[test]
    fn every_reader_reads_back_what_was_written() {
        for value in values() {
            let text = to_yaml(&value).unwrap();
            let ours = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(ours[0].to_json(), value, "{text}");
            let theirs: Json = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(theirs, value, "{text}");
        }
    }

    #[test]
    fn quotes_are_single_and_only_where_they_are_needed() {
        let value = json!({
            "a": "on", "b": "2012-10-17", "c": "arn:aws:s3:::logs/*", "d": "say \"no\": it's off",
            "e": "two\nlines\n", "f": "x".repeat(200), "g": ["*", "s3:PutObject"], "h": [{"i": {}}],
            "aws:SourceAccount": "111122223333",
        });
        let long = "x".repeat(200);
        assert_eq!(
            to_yaml(&value).unwrap(),
            format!(
                "a: 'on'\n\"aws:SourceAccount\": '111122223333'\nb: 2012-10-17\nc: arn:aws:s3:::logs/*\n\
                 d: 'say \"no\": it''s off'\ne: |\n  two\n  lines\nf: {long}\ng:\n- '*'\n\
                 - s3:PutObject\nh:\n- i: {{}}\n"
            )
        );
        assert_eq!(to_yaml(&json!({"on": "a"})).unwrap(), "\"on\": a\n");
    }
}
