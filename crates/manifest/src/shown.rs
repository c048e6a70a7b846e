//! Text of a manifest as a terminal and a CI log may have it: text in, the same on one line without
//! control characters out. No IO. A name could otherwise clear the screen, or begin a line with a
//! command of the CI system.

use std::borrow::Cow;

/// The text on one line; characters that control a terminal or the direction of text are escaped.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// The same for a text of several lines.
pub fn shown_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// Unicode's control characters, separators of lines, and marks of direction.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        assert_eq!(shown("Ж 😀 a-b"), "Ж 😀 a-b");
        assert_eq!(
            shown("a\u{1b}[31m\n::error::x\r\t\u{7f}\u{9b}2J\u{202e}z\u{2066}\u{200f}\u{2028}"),
            r"a\u{1b}[31m\n::error::x\r\t\u{7f}\u{9b}2J\u{202e}z\u{2066}\u{200f}\u{2028}"
        );
        assert_eq!(shown_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
    }
}
