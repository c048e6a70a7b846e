//! What is measured: the controller on real parts in, figures out. Does network IO.

pub mod creation;
pub mod emulator;
pub mod reaction;
pub mod resync;

use std::fmt::Display;

use crate::report::Figure;

/// A figure that has to stay below a bar.
pub fn at_most<T: PartialOrd + Display + Copy>(
    what: impl Into<String>,
    bar: T,
    unit: &str,
    seen: T,
    beside: impl Display,
) -> Figure {
    let with = |number: T| format!("{number:.2}{unit}");
    let beside = beside.to_string();
    let beside = if beside.is_empty() {
        beside
    } else {
        format!(" ({beside})")
    };
    Figure {
        what: what.into(),
        bar: format!("≤ {}", tidy(&with(bar))),
        seen: format!("{}{beside}", tidy(&with(seen))),
        holds: Some(seen <= bar),
    }
}

/// A figure without a bar.
pub fn told(what: impl Into<String>, seen: impl Into<String>) -> Figure {
    Figure {
        what: what.into(),
        bar: "–".to_owned(),
        seen: seen.into(),
        holds: None,
    }
}

/// `5.00 s` is `5 s`.
fn tidy(number: &str) -> String {
    number.replacen(".00", "", 1)
}
