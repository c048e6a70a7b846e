//! Documents as they come over the wire: encoded in every way that means the same, and broken. What can't
//! be decoded is never taken for what is wanted.

use std::fmt::Write as _;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use smr_core::canonical::differences;

use super::decoded;

/// What IAM leaves as it is (RFC 3986).
const RFC_3986: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const WANTED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],"Resource":"arn:aws:s3:::lögs-100%25-�/*"}]}"#;

/// Each byte as its number, in the case that `capitals` says.
fn all_encoded(text: &str, capitals: bool) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        let _ = if capitals {
            write!(all, "%{byte:02X}")
        } else {
            write!(all, "%{byte:02x}")
        };
        all
    })
}

/// Bytes that no UTF-8 has.
const NO_TEXT: [&str; 7] = [
    "%FF",
    "%C0%AF",
    "%ED%A0%80",
    "%E2%82",
    "%80",
    "%F5%80%80%80",
    "%C3%28",
];
/// Escapes that are none.
const NO_ESCAPE: [&str; 7] = ["%", "%2", "%zz", "%2g", "%u0022", "%+2", "%\u{e9}1"];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        rng_seed: RngSeed::Fixed(20_261_128),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the text is, it comes back.
    #[test]
    fn decoding_is_the_inverse_of_encoding(text in prop_oneof!["\\PC{0,60}", ".{0,60}", "[%a-f0-9+{]{0,20}"]) {
        let as_iam_does = utf8_percent_encode(&text, RFC_3986).to_string();
        prop_assert_eq!(decoded(&as_iam_does), text.as_str());
        prop_assert_eq!(decoded(&all_encoded(&text, true)), text.as_str());
        prop_assert_eq!(decoded(&all_encoded(&text, false)), text.as_str());
        // Raw JSON is left alone, whatever percent signs it has.
        let raw = format!(" {{{text}");
        prop_assert_eq!(decoded(&raw), raw.as_str());
    }

    /// A text that is broken anywhere is no document.
    #[test]
    fn what_is_broken_is_never_what_is_wanted(
        broken in prop_oneof![select(&NO_TEXT[..]), select(&NO_ESCAPE[..])],
        at in any::<prop::sample::Index>(),
        instead in any::<bool>(),
    ) {
        let whole = utf8_percent_encode(WANTED, RFC_3986).to_string();
        // Only between escapes: half of one and half of another may be a third.
        let places: Vec<usize> = (0..whole.len())
            .filter(|at| !whole[..*at].ends_with('%') && !whole[..at.saturating_sub(1)].ends_with('%'))
            .collect();
        let at = places[at.index(places.len())];
        let behind = if instead { whole[at..].strip_prefix("%EF%BF%BD").unwrap_or(&whole[at..]) } else { &whole[at..] };
        let text = format!("{}{broken}{behind}", &whole[..at]);
        let told = differences("the policy", &decoded(&text), WANTED);
        prop_assert!(!told.is_empty(), "{text}");
        let is_unreadable = told[0].sentence.contains("not a policy document");
        // A broken escape before two digits may be a whole one.
        prop_assert!(is_unreadable || !NO_TEXT.contains(&broken), "{told:?}");
    }

    /// Any text has an end, and only what is a document can be what is wanted.
    #[test]
    fn any_text_is_decoded(text in ".{0,80}") {
        let text = decoded(&text);
        prop_assert!(!differences("the policy", &text, WANTED).is_empty());
    }
}

/// Each file is a document as it came; the first word of its name says what it is beside `WANTED`.
#[test]
fn each_document_is_what_its_name_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/convert/tests/corpus");
    let mut count = 0;
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let told = differences("the policy", &decoded(text.trim_end_matches('\n')), WANTED);
        let is = match told.first() {
            None => "same",
            Some(d) if d.sentence.contains("not a policy document") => "unreadable",
            Some(_) => "differs",
        };
        assert!(name.starts_with(is), "{name}: {told:?}");
        count += 1;
    }
    assert!(count >= 12, "{count}");
}

/// 100 KB of what may be an escape.
#[test]
fn large_texts_have_an_end() {
    for piece in ["%", "%2", "%25", "%FF", "é"] {
        let text = piece.repeat(100_000 / piece.len());
        assert!(!differences("the policy", &decoded(&text), WANTED).is_empty());
    }
}
