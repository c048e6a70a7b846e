//! A text's documents, divided as kubectl divides them: text in, nodes that know their line out. No
//! IO. Source: YAMLOrJSONDecoder and YAMLReader of k8s.io/apimachinery, compared with kubectl 1.37.

use serde::de::IgnoredAny;

use super::yaml::{self, Broken, Node, Place};

const SEPARATOR: &str = "---";

/// Takes a text apart. Text that begins with `{` is JSON, document after document, as long as it is;
/// what comes after at most one JSON document may be YAML.
pub fn documents(text: &str) -> Result<Vec<Node>, Broken> {
    if !text.trim_start().starts_with('{') {
        let mut found = Vec::new();
        return yaml_documents(text, Place::START, &mut found).map(|()| found);
    }
    let mut found = Vec::new();
    let (mut end, mut place, mut count) = (0, Place::START, 0);
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let error = loop {
        match stream.next() {
            None => return Ok(found),
            Some(Ok(IgnoredAny)) => {
                let next = stream.byte_offset();
                let document = &text[end..next];
                found.append(&mut yaml::parse_at(document, place)?);
                (end, place, count) = (next, place.after(document), count + 1);
            }
            Some(Err(error)) => break error,
        }
    };
    let rest = &text[end..];
    let json = Broken {
        place: place_in(text, &error),
        problem: in_words(&error),
    };
    if count > 1 {
        return Err(if rest.trim_start().starts_with(SEPARATOR) {
            Broken {
                problem: format!(
                    "kubectl reads no {SEPARATOR} after several JSON documents: leave it out, or put it between all of them"
                ),
                ..json
            }
        } else {
            json
        });
    }
    // What is broken in both ways is more often meant as JSON.
    yaml_documents(rest, place, &mut found)
        .map(|()| found)
        .map_err(|_| json)
}

/// The library counts a line's bytes, people and the rest of this program its characters.
fn place_in(text: &str, error: &serde_json::Error) -> Place {
    let line = error.line().max(1);
    let bytes = error.column().max(1);
    let before = text.split('\n').nth(line - 1).unwrap_or_default();
    let end = before.floor_char_boundary(bytes - 1);
    Place {
        line,
        column: before[..end].chars().count() + 1,
    }
}

/// What is wrong, without the place that goes before it.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Documents between lines that begin with `---`.
fn yaml_documents(text: &str, start: Place, found: &mut Vec<Node>) -> Result<(), Broken> {
    let mut chunk = (0, start);
    let (mut offset, mut place) = (0, start);
    for line in text.split_inclusive('\n') {
        if let Some(after) = line.strip_prefix(SEPARATOR) {
            let after = after.trim();
            if !after.is_empty() && !after.starts_with('#') {
                return Err(Broken {
                    place,
                    problem: format!(
                        "kubectl takes nothing but a comment after {SEPARATOR}, here it is '{after}': write it on a line of its own"
                    ),
                });
            }
            one(&text[chunk.0..offset], chunk.1, found)?;
            chunk = (offset + line.len(), place.after(line));
        }
        offset += line.len();
        place = place.after(line);
    }
    one(&text[chunk.0..], chunk.1, found)
}

/// A document, or nothing but comments.
fn one(chunk: &str, start: Place, found: &mut Vec<Node>) -> Result<(), Broken> {
    let chunk = chunk.strip_prefix('\u{feff}').unwrap_or(chunk);
    let mut documents = yaml::parse_at(chunk, start)?;
    match documents.get(1) {
        None => {
            found.append(&mut documents);
            Ok(())
        }
        Some(second) => Err(Broken {
            place: second.place,
            problem: format!(
                "kubectl drops what comes after a line '...': separate documents with {SEPARATOR} alone"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"a": "j"}"#;

    /// The values of `a`, each with its place.
    fn read(text: &str) -> Vec<(String, String)> {
        let value = |node: &Node| {
            let value = node.get("a").and_then(Node::text).unwrap_or_default();
            (value.to_owned(), node.place_of("a").to_string())
        };
        documents(text).unwrap().iter().map(value).collect()
    }

    fn refused(text: &str) -> String {
        documents(text).unwrap_err().to_string()
    }

    fn expect(text: &str, expected: &[(&str, &str)]) {
        let read = read(text);
        let read: Vec<_> = read.iter().map(|(a, p)| (a.as_str(), p.as_str())).collect();
        assert_eq!(read, expected, "{text:?}");
    }

    /// Each as kubectl 1.37 does it (`kubectl label --local -f`).
    #[test]
    fn documents_are_divided_as_kubectl_divides_them() {
        expect(&format!("{JSON}{JSON}"), &[("j", "1:2"), ("j", "1:12")]);
        expect(
            &format!("\n{JSON}\n\n  {JSON}\n"),
            &[("j", "2:2"), ("j", "4:4")],
        );
        expect(
            &format!("{JSON}\n---\n{JSON}\n"),
            &[("j", "1:2"), ("j", "3:2")],
        );
        expect(&format!("{JSON}\na: z\n"), &[("j", "1:2"), ("z", "2:1")]);
        expect("a: x\n--- # next\na: z", &[("x", "1:1"), ("z", "3:1")]);
        expect(
            "---\r\na: x\r\n---\r\na: z\r\n",
            &[("x", "2:1"), ("z", "4:1")],
        );
        expect(
            "a: x\n---\n\u{feff}a: z\n---\n# nothing\n",
            &[("x", "1:1"), ("z", "3:1")],
        );
        expect("a: x\n...\n", &[("x", "1:1")]);
        // A block of text ends with its document.
        expect("a: |-\n  x\n---\na: z\n", &[("x", "1:1"), ("z", "4:1")]);
        assert_eq!(read(r#"{"a": "\ud83d\ude00 \/"}"#)[0].0, "😀 /");
        assert_eq!(read(r#"{a: "x",}"#)[0].0, "x");
    }

    #[test]
    fn what_kubectl_refuses_or_drops_is_refused() {
        assert_eq!(
            refused(&format!("{JSON}\n{JSON}\n---\n{JSON}")),
            "3:2: kubectl reads no --- after several JSON documents: leave it out, or put it between all of them"
        );
        assert!(refused(&format!("{JSON}, {JSON}")).starts_with("1:11: "));
        assert_eq!(
            refused("a: x\n--- {a: z}\n"),
            "2:1: kubectl takes nothing but a comment after ---, here it is '{a: z}': write it on a line of its own"
        );
        assert!(refused("a: x\n---x\n").starts_with("2:1: "));
        assert_eq!(
            refused("a: x\n...\na: z\n"),
            "3:1: kubectl drops what comes after a line '...': separate documents with --- alone"
        );
        assert_eq!(refused("{\"a\": 1 \"b\": 2}"), "1:9: expected `,` or `}`");
    }
}
