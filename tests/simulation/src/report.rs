//! What the suites found, for people: tallies enter, a table leaves. No IO.

use std::fmt::Write as _;

use crate::suites::{Suite, Tally, hours_a_minute};

/// What stands before and after the table in a document.
const MARKS: [&str; 2] = ["<!-- figures: begin -->", "<!-- figures: end -->"];

/// A table of what was played.
pub fn table(played: &[(Suite, Tally)]) -> String {
    let mut table = "| Suite | Stories | Failures | Virtual hours | Calls to IAM | Seconds |\n|---|---|---|---|---|---|\n".to_owned();
    for (suite, tally) in played {
        let _ = writeln!(
            table,
            "| `{}`: {} | {} | {} | {:.0} | {} | {:.0} |",
            suite.name(),
            suite.says(),
            tally.cases,
            tally.failures.len(),
            tally.lasted.as_secs_f64() / 3600.0,
            tally.calls,
            tally.took.as_secs_f64()
        );
    }
    table
}

/// One line of what was played.
pub fn line(suite: Suite, tally: &Tally) -> String {
    format!(
        "{}: {} stories, {} failures, {:.1} virtual hours ({:.0} a minute), {} calls to IAM, {:.1} s",
        suite.name(),
        tally.cases,
        tally.failures.len(),
        tally.lasted.as_secs_f64() / 3600.0,
        hours_a_minute(tally),
        tally.calls,
        tally.took.as_secs_f64()
    )
}

/// How fast it was.
pub fn speed(tally: &Tally) -> String {
    format!(
        "{:.0} virtual hours a minute ({:.1} hours with {} calls to IAM in {:.1} s)",
        hours_a_minute(tally),
        tally.lasted.as_secs_f64() / 3600.0,
        tally.calls,
        tally.took.as_secs_f64()
    )
}

/// The document with the figures between its marks; `None` where it has no marks.
pub fn with_figures(document: &str, figures: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{figures}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_go_between_the_marks() {
        let document = format!("a\n{}\nold\n{}\nb\n", MARKS[0], MARKS[1]);
        let new = with_figures(&document, "new\n").unwrap();
        assert_eq!(new, format!("a\n{}\nnew\n{}\nb\n", MARKS[0], MARKS[1]));
        assert_eq!(with_figures("none", "new"), None);
    }
}
