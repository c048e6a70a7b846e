//! The Query protocol: form parameters enter, XML leaves. No IO.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What RFC 3986 leaves unreserved is all that IAM leaves as it is in a document.
const RFC_3986: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An error as IAM answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamError {
    /// The HTTP status.
    pub status: u16,
    /// The error code, such as `NoSuchEntity`.
    pub code: Cow<'static, str>,
    /// The message.
    pub message: String,
}

/// What an action answers.
pub type Result<T> = std::result::Result<T, IamError>;

impl IamError {
    /// An error of any code.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// 404 `NoSuchEntity`.
    pub fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new(404, "NoSuchEntity", message)
    }

    /// 409 `EntityAlreadyExists`.
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(409, "EntityAlreadyExists", message)
    }

    /// 409 `DeleteConflict`.
    pub fn delete_conflict(message: impl Into<String>) -> Self {
        Self::new(409, "DeleteConflict", message)
    }

    /// 409 `LimitExceeded`, in the words of a quota.
    pub fn quota(name: &str, limit: usize) -> Self {
        Self::new(
            409,
            "LimitExceeded",
            format!("Cannot exceed quota for {name}: {limit}"),
        )
    }

    /// 400 `MalformedPolicyDocument`.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "MalformedPolicyDocument", message)
    }

    /// 400 `InvalidInput`.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidInput", message)
    }

    /// 400 `ValidationError`.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// 400 `ValidationError` in the words of a constraint of the API model.
    pub fn constraint(field: &str, constraint: &str) -> Self {
        let mut field = field.to_owned();
        if let Some(first) = field.get_mut(0..1) {
            first.make_ascii_lowercase();
        }
        Self::validation(format!(
            "1 validation error detected: Value at '{field}' failed to satisfy constraint: \
             {constraint}"
        ))
    }

    /// Whether what IAM holds is the reason, so that another state would have let the same call
    /// pass: the refusals that a write meets for a while after a change.
    pub fn is_about_state(&self) -> bool {
        matches!(
            self.code.as_ref(),
            "NoSuchEntity" | "EntityAlreadyExists" | "DeleteConflict" | "LimitExceeded"
        )
    }

    /// The answer's body.
    pub fn to_xml(&self, namespace: &str, request_id: &str) -> String {
        let side = if self.status >= 500 {
            "Receiver"
        } else {
            "Sender"
        };
        let mut xml = Xml::default();
        xml.group("Error", |error| {
            error.text("Type", side);
            error.text("Code", &self.code);
            error.text("Message", &self.message);
        });
        xml.text("RequestId", request_id);
        format!(
            "<ErrorResponse xmlns=\"{namespace}\">{}</ErrorResponse>\n",
            xml.0
        )
    }
}

/// The parameters of one request.
#[derive(Debug, Clone, Default)]
pub struct Params(pub BTreeMap<String, String>);

impl Params {
    /// Reads a form body (`a=1&b=2`, percent-encoded, `+` for a space).
    pub fn parse(body: &str) -> Self {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        Self(
            body.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key), decode(value))
                })
                .collect(),
        )
    }

    /// A parameter that may be left out.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that may not be left out.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.get(name)
            .ok_or_else(|| IamError::constraint(name, "Member must not be null"))
    }

    /// A whole number, if given.
    pub fn number(&self, name: &str) -> Result<Option<i64>> {
        self.get(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| IamError::constraint(name, "Member must be a number"))
            })
            .transpose()
    }

    /// A boolean, if given.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// `Name.member.1`, `Name.member.2`, …
    pub fn list(&self, name: &str) -> Vec<&str> {
        (1..)
            .map_while(|index| self.get(&format!("{name}.member.{index}")))
            .collect()
    }

    /// `Tags.member.1.Key` and `.Value`, …
    pub fn tags(&self) -> Vec<(String, String)> {
        (1..)
            .map_while(|index| {
                let key = self.get(&format!("Tags.member.{index}.Key"))?;
                let value = self
                    .get(&format!("Tags.member.{index}.Value"))
                    .unwrap_or_default();
                Some((key.to_owned(), value.to_owned()))
            })
            .collect()
    }
}

/// XML being written: elements only, escaped.
#[derive(Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// One element with text.
    pub fn text(&mut self, name: &str, value: &str) {
        let _ = write!(self.0, "<{name}>{}</{name}>", escape(value));
    }

    /// One element with a value that needs no escaping.
    pub fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = write!(self.0, "<{name}>{value}</{name}>");
    }

    /// One element with text, if there is any.
    pub fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A policy document: IAM answers them percent-encoded after RFC 3986.
    pub fn document(&mut self, name: &str, document: &str) {
        self.value(name, utf8_percent_encode(document, RFC_3986));
    }

    /// A date, to the second.
    pub fn date(&mut self, name: &str, unix_seconds: i64) {
        let time = jiff::Timestamp::from_second(unix_seconds).unwrap_or_default();
        self.value(name, time.strftime("%Y-%m-%dT%H:%M:%SZ"));
    }

    /// An element that holds others.
    pub fn group(&mut self, name: &str, fill: impl FnOnce(&mut Xml)) {
        let _ = write!(self.0, "<{name}>");
        fill(self);
        let _ = write!(self.0, "</{name}>");
    }

    /// A list, each item in a `member`.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Xml, T),
    ) {
        self.group(name, |list| {
            for item in items {
                list.group("member", |member| fill(member, item));
            }
        });
    }

    /// Text with no element of its own around it.
    pub fn raw(&mut self, value: &str) {
        self.0.push_str(&escape(value));
    }

    /// The whole answer of an action.
    pub fn into_answer(self, action: &str, namespace: &str, request_id: &str) -> String {
        // UpdateRole is the one action that answers an empty result instead of none.
        let result = if self.0.is_empty() && action != "UpdateRole" {
            String::new()
        } else {
            format!("<{action}Result>{}</{action}Result>", self.0)
        };
        format!(
            "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>\
             {request_id}</RequestId></ResponseMetadata></{action}Response>\n"
        )
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\t', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // A parser would turn a raw carriage return into a line feed.
            '\r' | '\n' | '\t' => {
                let _ = write!(escaped, "&#x{:X};", character as u32);
            }
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_lists_and_tags() {
        let params = Params::parse(
            "Action=TagRole&Tags.member.1.Key=a%2Fb&Tags.member.1.Value=x+y&TagKeys.member.1=q",
        );
        assert_eq!(params.tags(), [("a/b".to_owned(), "x y".to_owned())]);
        assert_eq!(params.list("TagKeys"), ["q"]);
    }

    #[test]
    fn text_is_escaped_and_documents_are_percent_encoded() {
        let mut xml = Xml::default();
        xml.text("A", "<&\r>");
        xml.document("D", "{\"a\": \"b/c~\"}");
        assert_eq!(
            xml.0,
            "<A>&lt;&amp;&#xD;&gt;</A><D>%7B%22a%22%3A%20%22b%2Fc~%22%7D</D>"
        );
    }
}
