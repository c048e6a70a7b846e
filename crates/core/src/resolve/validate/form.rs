//! Whether a text has its form. In: one of the forms that the CRD's rules are made of, and a text;
//! out: what is wrong with it, in the rules' words. No IO.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use smr_api::forms::{COMBINING, Form, INVISIBLE, NAMED};

/// What is wrong with `text`, to go after the field's path.
pub fn wrong(form: &Form, text: &str) -> Option<String> {
    let length = text.chars().count();
    if length > usize::try_from(form.max).unwrap_or(usize::MAX) {
        return Some(format!(
            "has {length} characters, may have at most {}: make it shorter",
            form.max
        ));
    }
    let mistake = form.mistakes.iter().find(|m| matches(m.pattern, text));
    if let Some(mistake) = mistake {
        return Some(mistake.says.to_owned());
    }
    if matches(form.pattern, text) {
        return None;
    }
    let bad = text.chars().find(|c| !fits(form, *c));
    Some(bad.map_or_else(
        || form.must.to_owned(),
        |c| format!("can't have {}: it takes {}", name(c), form.takes),
    ))
}

fn fits(form: &Form, c: char) -> bool {
    matches(
        &format!("^[{}]$", form.characters),
        c.encode_utf8(&mut [0; 4]),
    )
}

/// A character as people can find it in their text.
fn name(c: char) -> String {
    let named = NAMED.iter().find(|(known, _)| *known == c);
    if let Some((_, name)) = named {
        return (*name).to_owned();
    }
    let is = |class| matches(class, c.encode_utf8(&mut [0; 4]));
    if is(COMBINING) {
        format!("U+{:04X} (a combining character)", u32::from(c))
    } else if is(INVISIBLE) {
        format!("U+{:04X} (an invisible character)", u32::from(c))
    } else {
        format!("'{c}'")
    }
}

/// Whether a regular expression of the forms matches; compiled once, and shared rather than cloned,
/// as a clone begins with an empty cache. One that can't be compiled, which a test rules out, matches
/// nothing: the text is refused.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: Mutex<BTreeMap<String, Option<Arc<Regex>>>> = Mutex::new(BTreeMap::new());
    let regex = {
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = compiled.get(pattern).cloned();
        known.unwrap_or_else(|| {
            // Texts are short, and the controller keeps little memory: no automaton is cached.
            let mut built = RegexBuilder::new(pattern);
            let regex = built.dfa_size_limit(0).build().ok().map(Arc::new);
            compiled.insert(pattern.to_owned(), regex.clone());
            regex
        })
    };
    regex.is_some_and(|regex| regex.is_match(text))
}
