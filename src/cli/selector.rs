//! A label selector, read as the API server reads it (`labels.Parse` of apimachinery). In: its text;
//! out: what is wrong with it. No IO. kube writes selectors, but does not read them.

use std::iter::Peekable;
use std::vec::IntoIter;

use smr_manifest::schema::{is_name, is_qualified};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Not,
    /// `=`, `==` or `!=`
    Equality,
    /// `<` or `>`
    Order,
    Comma,
    Open,
    Close,
}

type Tokens<'a> = Peekable<IntoIter<Token<'a>>>;

/// What is wrong with `selector`, to go after it.
pub(super) fn check(selector: &str) -> Result<(), String> {
    let mut tokens = tokens(selector).into_iter().peekable();
    if tokens.peek().is_none() {
        return Err("is empty: leave it out to watch every object".to_owned());
    }
    loop {
        requirement(&mut tokens)?;
        match tokens.next() {
            None => return Ok(()),
            Some(Token::Comma) => {}
            other => return Err(expected("a comma or the end", other)),
        }
    }
}

fn tokens(mut rest: &str) -> Vec<Token<'_>> {
    const SIGNS: [(&str, Token<'static>); 9] = [
        ("==", Token::Equality),
        ("!=", Token::Equality),
        ("=", Token::Equality),
        ("!", Token::Not),
        ("<", Token::Order),
        (">", Token::Order),
        (",", Token::Comma),
        ("(", Token::Open),
        (")", Token::Close),
    ];
    const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
    let ends_word = |c: char| BLANKS.contains(&c) || "=!<>,()".contains(c);
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start_matches(BLANKS);
        if rest.is_empty() {
            return tokens;
        }
        let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
        let (length, token) = sign.map_or_else(
            || {
                let length = rest.find(ends_word).unwrap_or(rest.len());
                (length, Token::Word(&rest[..length]))
            },
            |(sign, token)| (sign.len(), *token),
        );
        tokens.push(token);
        rest = &rest[length..];
    }
}

/// `KEY`, `!KEY`, `KEY = VALUE`, `KEY > NUMBER` or `KEY in (VALUE, ...)`.
fn requirement(tokens: &mut Tokens<'_>) -> Result<(), String> {
    let absent = tokens.next_if_eq(&Token::Not).is_some();
    let key = match tokens.next() {
        Some(Token::Word(key)) if is_qualified(key) => key,
        other => return Err(expected("a label's key", other)),
    };
    if absent {
        return Ok(());
    }
    match tokens.peek() {
        None | Some(Token::Comma) => Ok(()),
        Some(Token::Equality) => {
            tokens.next();
            value(tokens)
        }
        Some(Token::Order) => {
            tokens.next();
            match tokens.next() {
                Some(Token::Word(text)) if is_name(text) && text.parse::<i64>().is_ok() => Ok(()),
                other => Err(expected("a whole number", other)),
            }
        }
        Some(Token::Word("in" | "notin")) => {
            tokens.next();
            values(tokens)
        }
        other => Err(expected(
            &format!("=, !=, in or notin after {key}"),
            other.copied(),
        )),
    }
}

/// A value, which may be empty.
fn value(tokens: &mut Tokens<'_>) -> Result<(), String> {
    match tokens.next_if(|token| matches!(token, Token::Word(_))) {
        Some(Token::Word(text)) if !is_name(text) => {
            Err(expected("a label's value", Some(Token::Word(text))))
        }
        _ => Ok(()),
    }
}

fn values(tokens: &mut Tokens<'_>) -> Result<(), String> {
    let open = tokens.next();
    if open != Some(Token::Open) {
        return Err(expected("( and the values", open));
    }
    if tokens.peek() == Some(&Token::Close) {
        return Err(expected("a value", Some(Token::Close)));
    }
    loop {
        value(tokens)?;
        match tokens.next() {
            Some(Token::Comma) => {}
            Some(Token::Close) => return Ok(()),
            other => return Err(expected("a comma or )", other)),
        }
    }
}

fn expected(what: &str, found: Option<Token<'_>>) -> String {
    let found = match found {
        None => "it ends".to_owned(),
        Some(Token::Word(text)) => format!("it has '{}'", text.escape_debug()),
        Some(Token::Not) => "it has !".to_owned(),
        Some(Token::Equality) => "it has an equals sign".to_owned(),
        Some(Token::Order) => "it has < or >".to_owned(),
        Some(Token::Comma) => "it has a comma".to_owned(),
        Some(Token::Open) => "it has (".to_owned(),
        Some(Token::Close) => "it has )".to_owned(),
    };
    format!(
        "is not a label selector: {found} where {what} is expected. Write one such as account=production or 'account in (production, staging)'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From apimachinery's own tests of `labels.Parse`.
    #[test]
    fn what_the_api_server_reads_is_accepted_and_nothing_else() {
        for good in [
            "x=a,y=b,z=c",
            "x!=a,y=b",
            "x=",
            "x= ",
            "x=,z= ",
            "x= ,z= ",
            "!x",
            "x",
            "x>1",
            "x>1,z<5",
            "x == a",
            "in=in",
            "in in (in)",
            "x in (a,b)",
            "x notin (a, b),y",
            "x in (,a)",
            "x in (,)",
            "x in (a,,b)",
            "foo.com/x=a",
            "a in\t(b)",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            " ",
            ",",
            "a=b,",
            "a==b,,",
            "a in (b",
            "a in b",
            "a in ()",
            "a in",
            "a in (b c)",
            "a b",
            "x=a||y=b",
            "x==a==b",
            "!x=a",
            "!",
            "=a",
            "x>",
            "x>1.1",
            "x>a",
            "x<-1",
            "a&b",
            "a=b c",
            "a=-b",
            "/a=b",
            "a/b/c",
            "A_/b",
            "x in (a))",
            "(a)",
            "a!b",
            "a=\u{a0}b",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        let long = "x".repeat(64);
        assert!(check(&long).is_err() && check(&format!("a={long}")).is_err());
        assert_eq!(
            check("a in (b"),
            Err("is not a label selector: it ends where a comma or ) is expected. Write one such as account=production or 'account in (production, staging)'".to_owned())
        );
    }
}
