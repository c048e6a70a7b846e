//! A plan as text for people. In: the report; out: text, with colour where it is wanted. No IO but
//! for reading NO_COLOR and TERM.

use std::fmt::Write as _;

use similar::TextDiff;
use smr_core::plan::Plan;

use super::entry::{Action, DocumentChange, Entry, Outlook, Verdict};
use super::rename::{self, Rename};
use super::words::{self, Symbol};
use super::{Mode, Report};
use smr_manifest::Ordered;
use smr_manifest::shown::shown;

/// Colour, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// Colour on a terminal only, and not where NO_COLOR is set (no-color.org) or the terminal is
    /// a dumb one.
    pub(super) fn for_terminal(is_terminal: bool) -> Self {
        let set = |name: &str| std::env::var(name).ok();
        Self::of(
            is_terminal,
            set("NO_COLOR").as_deref(),
            set("TERM").as_deref(),
        )
    }

    fn of(is_terminal: bool, no_color: Option<&str>, term: Option<&str>) -> Self {
        let unwanted = no_color.is_some_and(|value| !value.is_empty());
        Self {
            on: is_terminal && !unwanted && term != Some("dumb"),
        }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        let text = shown(text);
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into_owned()
        }
    }

    fn symbol(self, symbol: Symbol, text: &str) -> String {
        let code = match symbol {
            Symbol::Adds => "32",
            Symbol::Changes => "33",
            Symbol::Removes => "31",
        };
        self.wrap(code, text)
    }

    fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }
}

/// The whole text.
pub(super) fn render(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    let (quiet, loud): (Vec<&Entry>, Vec<&Entry>) = report
        .entries
        .iter()
        .partition(|e| e.action() == Action::None && e.notes.is_empty() && unlisted(e).is_empty());
    for entry in loud {
        self::entry(entry, paint, &mut text);
        text.push('\n');
    }
    for entry in &quiet {
        let _ = writeln!(
            text,
            "  {}/{}: no change",
            shown(&entry.key.namespace),
            shown(&entry.key.name)
        );
    }
    if !quiet.is_empty() {
        text.push('\n');
    }
    for rename in &report.renames {
        self::rename(rename, paint, &mut text);
        text.push('\n');
    }
    // Few texts have the cluster's name in them.
    let cluster = (report.cluster_note()).filter(|_| text.contains(&report.cluster));
    for note in report.notes.iter().chain(&cluster) {
        let _ = writeln!(text, "Note: {}.", shown(note));
    }
    if report.skipped > 0 {
        let documents = if report.skipped == 1 {
            "1 document"
        } else {
            &format!("{} documents", report.skipped)
        };
        let _ = writeln!(text, "Skipped: {documents} of other kinds.");
    }
    let _ = writeln!(text, "{}", paint.bold(&summary(report)));
    text
}

/// What is wrong, for standard error: each problem of a manifest, then how many objects a person has
/// to look at.
pub(super) fn problems(report: &Report) -> String {
    let mut text = String::new();
    for entry in &report.entries {
        if let Verdict::Invalid(problems) = &entry.verdict {
            for problem in problems {
                let _ = writeln!(text, "smr: {problem}");
            }
        }
    }
    let told: Vec<String> = WRONG
        .into_iter()
        .map(|(action, words)| (report.count(action), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    if !told.is_empty() {
        let _ = writeln!(text, "smr: {}", told.join(", "));
    }
    text
}

/// What a person has to act on.
const WRONG: [(Action, &str); 4] = [
    (Action::Refuse, "refused"),
    (Action::Blocked, "blocked"),
    (Action::WrongAccount, "of another account"),
    (Action::Invalid, "not valid"),
];

fn unlisted(entry: &Entry) -> &[String] {
    match &entry.verdict {
        Verdict::Planned(outlook) => &outlook.unlisted,
        Verdict::Invalid(_) | Verdict::Paused | Verdict::WrongAccount { .. } => &[],
    }
}

fn entry(entry: &Entry, paint: Paint, text: &mut String) {
    let title = format!("{}/{}", entry.key.namespace, entry.key.name);
    let action = entry.action();
    let word = if action.is_wrong() {
        paint.bad(in_words(action))
    } else {
        in_words(action).to_owned()
    };
    let _ = writeln!(
        text,
        "{}: {word}  ({})",
        paint.bold(&title),
        shown(&entry.place)
    );
    match &entry.verdict {
        Verdict::Invalid(problems) => {
            let count = match problems.len() {
                1 => "1 problem".to_owned(),
                many => format!("{many} problems"),
            };
            let _ = writeln!(text, "    {count}, see standard error");
        }
        Verdict::Paused => {
            let _ = writeln!(
                text,
                "    the annotation sessionmanager.dev/paused is \"true\": the controller does nothing until it goes"
            );
        }
        Verdict::WrongAccount { recorded, caller } => {
            let _ = writeln!(
                text,
                "    its IAM objects are in account {recorded}, the credentials are of {caller}: use credentials of {recorded}"
            );
        }
        Verdict::Planned(outlook) => self::outlook(outlook, action, paint, text),
    }
    for note in &entry.notes {
        let _ = writeln!(text, "    note: {}", shown(note));
    }
}

const fn in_words(action: Action) -> &'static str {
    match action {
        Action::Create => "will be created",
        Action::Change => "will be changed",
        Action::Delete => "will be deleted",
        Action::Release => "will be deleted, what is in IAM stays",
        Action::None => "no change",
        Action::Observe => "is observed only (mode Observe): nothing is written",
        Action::Paused => "is paused",
        Action::Refuse => "will be refused",
        Action::Blocked => "can't be deleted",
        Action::WrongAccount => "is of another account",
        Action::Invalid => "is not valid",
    }
}

fn outlook(outlook: &Outlook, action: Action, paint: Paint, text: &mut String) {
    for obstacle in &outlook.obstacles {
        let _ = writeln!(text, "    {}", paint.bad(obstacle));
    }
    if action == Action::Refuse && !outlook.steps.is_empty() {
        let _ = writeln!(text, "  before that, the following happens");
    }
    steps(outlook, &outlook.steps, paint, text);
    if !outlook.later.is_empty() {
        let _ = writeln!(text, "  then, once IAM has spread the change (30 s)");
        steps(outlook, &outlook.later, paint, text);
    }
    for kind in &outlook.adopts {
        let _ = writeln!(
            text,
            "    the {} is taken over with consent",
            kind.in_words()
        );
    }
    if let Some(role) = outlook.activation_role() {
        let _ = writeln!(
            text,
            "    for 'aws ssm create-activation': --iam-role {role}"
        );
    }
    if matches!(action, Action::Change | Action::Observe) && !outlook.drift.is_empty() {
        let _ = writeln!(text, "    differences:");
        for difference in outlook.drift.iter() {
            let _ = writeln!(text, "      {}", shown(&difference.message));
        }
    }
    if !outlook.unlisted.is_empty() {
        let _ = writeln!(
            text,
            "    policies on the role that spec does not list: {}",
            shown(&outlook.unlisted.join(", "))
        );
    }
    if !outlook.access.is_empty() {
        let _ = writeln!(text, "    access:");
        for change in &outlook.access {
            let symbol = match change.change {
                smr_core::canonical::Direction::Gains => Symbol::Adds,
                smr_core::canonical::Direction::Loses => Symbol::Removes,
            };
            let _ = writeln!(text, "      {}", paint.symbol(symbol, &change.to_string()));
        }
    }
    for document in &outlook.documents {
        diff(document, paint, text);
    }
}

fn steps(outlook: &Outlook, plan: &Plan, paint: Paint, text: &mut String) {
    let Some((account, names)) = outlook.names() else {
        return;
    };
    for step in plan.steps() {
        let (symbol, sentence) = words::step(step, account, names);
        let line = format!("{} {sentence}", symbol.as_str());
        let _ = writeln!(text, "  {}", paint.symbol(symbol, &line));
    }
}

fn rename(rename: &Rename, paint: Paint, text: &mut String) {
    let Rename {
        from,
        to,
        costs,
        ways_out,
        shared,
    } = rename;
    let title = paint.bold(&format!("Rename: {from} becomes {to}"));
    let kinds = rename::kinds(shared);
    let _ = writeln!(text, "{title} with the same {kinds} in IAM");
    for cost in costs {
        let _ = writeln!(text, "    {}", shown(cost));
    }
    let _ = writeln!(
        text,
        "  {}",
        if ways_out.len() > 1 {
            "To avoid that, do one of these:"
        } else {
            "What to do:"
        }
    );
    for way in ways_out {
        let _ = writeln!(text, "    - {}", shown(&way.summary));
        for (index, step) in way.steps.iter().enumerate() {
            let _ = writeln!(text, "      {}. {}", index + 1, shown(&step.summary));
            for command in &step.commands {
                let _ = writeln!(text, "           {}", shown(command));
            }
        }
    }
}

/// A unified diff of the two documents, laid out alike.
fn diff(document: &DocumentChange, paint: Paint, text: &mut String) {
    let (before, after) = (pretty(&document.before), pretty(&document.after));
    let _ = writeln!(text, "    {}:", document.what);
    let diff = TextDiff::from_lines(&before, &after);
    let unified = diff
        .unified_diff()
        .context_radius(3)
        .header("now", "planned")
        .to_string();
    for line in unified.lines() {
        let line = match line.as_bytes().first() {
            Some(b'+') => paint.symbol(Symbol::Adds, line),
            Some(b'-') => paint.symbol(Symbol::Removes, line),
            _ => shown(line).into_owned(),
        };
        let _ = writeln!(text, "      {line}");
    }
}

fn pretty(document: &str) -> String {
    let value = serde_json::from_str::<Ordered>(document).ok();
    let laid_out = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
    format!("{}\n", laid_out.unwrap_or_else(|| document.to_owned()))
}

fn summary(report: &Report) -> String {
    let parts = [
        (Action::Create, "to create"),
        (Action::Change, "to change"),
        (Action::Delete, "to delete"),
        (Action::Release, "to release"),
        (Action::None, "unchanged"),
        (Action::Observe, "observed only"),
        (Action::Paused, "paused"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .chain(WRONG)
        .map(|(action, words)| (report.count(action), words))
        .filter(|(count, words)| {
            *count > 0 || ["to create", "to change", "to delete"].contains(words)
        })
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let basis = match (report.mode, &report.account) {
        (Mode::Live, Some(account)) => {
            format!(" in account {} ({})", account.id, account.partition)
        }
        (Mode::Offline, _) => " on an empty account".to_owned(),
        (Mode::From | Mode::Live, _) => String::new(),
    };
    let renames = match report.renames.len() {
        0 => String::new(),
        some => format!(". Renames: {some}"),
    };
    format!("Plan{basis}: {}{renames}.", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_only() {
        assert_eq!(Paint { on: false }.symbol(Symbol::Adds, "+ a"), "+ a");
        assert_eq!(
            Paint { on: true }.symbol(Symbol::Adds, "+ a"),
            "\x1b[32m+ a\x1b[0m"
        );
        assert!(!Paint::for_terminal(false).on);
    }

    #[test]
    fn colour_follows_the_environment() {
        for (is_terminal, no_color, term, on) in [
            (true, None, Some("xterm"), true),
            (true, Some("1"), Some("xterm"), false),
            // An empty NO_COLOR is none (no-color.org).
            (true, Some(""), Some("xterm"), true),
            (true, None, Some("dumb"), false),
            (false, None, Some("xterm"), false),
        ] {
            assert_eq!(
                Paint::of(is_terminal, no_color, term).on,
                on,
                "{no_color:?} {term:?}"
            );
        }
    }
}
