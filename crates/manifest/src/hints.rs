//! What a text is that is no manifest: a template that was not rendered, JSON with comments. Text in,
//! a sentence with the way out or nothing out. No IO.

/// The first template expression of Helm, Go or Jinja.
pub fn expression(text: &str) -> Option<&str> {
    [("{{", "}}"), ("{%", "%}")]
        .into_iter()
        .filter_map(|(begin, end)| {
            let at = text.find(begin)?;
            let length = text[at..].find(end)? + end.len();
            Some((at, &text[at..at + length]))
        })
        .min()
        .map(|(_, expression)| expression)
        .filter(|expression| !expression.contains('\n'))
}

/// What to do with a template.
pub fn way_out(expression: &str) -> String {
    format!(
        "{expression} is a template expression that was not rendered: render the template first, for Helm with 'helm template CHART | smr plan -f -'"
    )
}

/// JSON with a comment in it.
pub(crate) fn no_comments(line: usize) -> String {
    format!("JSON has no comments: remove the one in line {line}, or write YAML with #")
}

/// What may be the cause of what is wrong in line `line`.
pub fn hint(text: &str, line: usize) -> Option<String> {
    let lines = || text.lines().take(line).zip(1..);
    let template = lines()
        .find_map(|(content, number)| Some((number, expression(content)?)))
        .map(|(number, expression)| format!("In line {number}, {}", way_out(expression)));
    let is_json = text.trim_start().starts_with(['{', '[', '/']);
    let is_comment = |content: &str| is_json && is_json_comment(content.trim_start());
    template.or_else(|| {
        lines()
            .find(|(content, _)| is_comment(content))
            .map(|(_, number)| no_comments(number))
    })
}

/// Whether a text begins as comments of JSON5 and JavaScript do.
pub(crate) fn is_json_comment(text: &str) -> bool {
    text.starts_with("//") || text.starts_with("/*")
}
