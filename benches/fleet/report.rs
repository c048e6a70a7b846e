//! Figures in, a table of them out: to read on a terminal and, as docs/benchmarks.md, on the web.
//! Writes that page and its plot.

use std::fmt;

use crate::{plot, process};

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What it has to be.
    pub bar: String,
    /// What it was, and in parentheses what else is worth knowing.
    pub seen: String,
    /// Whether it is as it has to be; none where nothing is asked.
    pub holds: Option<bool>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.holds {
            Some(true) => "✓",
            Some(false) => "✗",
            None => " ",
        };
        write!(f, "{mark} {}: {} [{}]", self.what, self.seen, self.bar)
    }
}

/// What was measured so far; each figure is shown at once, as the whole takes long.
#[derive(Debug, Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    pub fn push(&mut self, figure: Figure) {
        eprintln!("  {figure}");
        self.0.push(figure);
    }

    pub fn extend(&mut self, figures: impl IntoIterator<Item = Figure>) {
        figures.into_iter().for_each(|figure| self.push(figure));
    }

    /// Figures that have been shown already.
    pub fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// Whether everything is as it has to be.
    pub fn hold(&self) -> bool {
        self.0.iter().all(|figure| figure.holds != Some(false))
    }

    /// All lines, as a table in Markdown.
    pub fn table(&self) -> String {
        table(&self.0)
    }
}

/// A fleet of one size.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub objects: usize,
    /// Calls to IAM and STS in a sweep.
    pub calls: f64,
    /// CPU seconds in a sweep.
    pub cpu: f64,
    /// MiB resident.
    pub memory: f64,
}

/// What was measured where, and when.
pub fn head() -> String {
    format!(
        "session-manager-role {}, {}, {}",
        env!("CARGO_PKG_VERSION"),
        process::machine(),
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
    )
}

fn table(figures: &[Figure]) -> String {
    let mut lines = vec![
        "| figure | bar | measured | |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    lines.extend(figures.iter().map(|figure| {
        let Figure {
            what,
            bar,
            seen,
            holds,
        } = figure;
        let mark = match holds {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "",
        };
        format!("| {what} | {bar} | {seen} | {mark} |")
    }));
    lines.join("\n")
}

/// Writes docs/benchmarks.md and docs/benchmarks.svg.
pub fn write(table: &str, points: &[Point]) {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    let page = include_str!("page.md")
        .replace("{head}", &head())
        .replace("{table}", table);
    std::fs::write(format!("{docs}/benchmarks.md"), page).expect("docs/benchmarks.md");
    let picture = plot::svg(points).expect("a picture of the points");
    std::fs::write(format!("{docs}/benchmarks.svg"), picture).expect("docs/benchmarks.svg");
    eprintln!("docs/benchmarks.md and docs/benchmarks.svg are written");
}
