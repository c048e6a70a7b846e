//! The texts of policies: a text with wildcards and policy variables enters, whether it matches a
//! value leaves. No IO.

use super::{Context, PolicyError};

/// How a text of a policy is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Whether `*` and `?` stand for others.
    pub wildcards: bool,
    /// Whether `${…}` is a variable: only from version 2012-10-17 on.
    pub variables: bool,
}

/// A text of a policy, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Token(Token),
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// A pattern whose variables have their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `*`
    Any,
    /// `?`
    One,
}

impl Pattern {
    /// Reads a text.
    pub fn read(text: &str, how: Reading) -> Result<Self, PolicyError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if how.variables
                && let Some(inside) = rest.strip_prefix("${")
            {
                let (name, after) = inside
                    .split_once('}')
                    .ok_or_else(|| PolicyError::new(format!("a variable has no end: {text}")))?;
                pieces.push(variable(name)?);
                rest = after;
                continue;
            }
            pieces.push(Piece::Token(match character {
                '*' if how.wildcards => Token::Any,
                '?' if how.wildcards => Token::One,
                other => Token::Char(other),
            }));
            rest = &rest[character.len_utf8()..];
        }
        Ok(Self(pieces))
    }

    /// Puts the values of a request in. None where a variable has no value, or several: such a
    /// text matches nothing, so NotResource leaves nothing out by it and a negated operator holds.
    pub fn resolve(&self, context: &Context) -> Option<Resolved> {
        let mut tokens = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Token(token) => tokens.push(*token),
                Piece::Variable { key, default } => {
                    let value = match (context.get(key), default) {
                        (Some([value]), _) => value,
                        (None, Some(default)) => default,
                        _ => return None,
                    };
                    // A wildcard in a value is not the policy's: it stands for itself.
                    tokens.extend(value.chars().map(Token::Char));
                }
            }
        }
        Some(Resolved(tokens))
    }
}

/// What is between `${` and `}`: an escaped character, or a key and perhaps a quoted default.
fn variable(name: &str) -> Result<Piece, PolicyError> {
    let wrong = || PolicyError::new(format!("not a variable: ${{{name}}}"));
    if let "*" | "?" | "$" = name {
        return Ok(Piece::Token(Token::Char(
            name.chars().next().unwrap_or_default(),
        )));
    }
    let (key, default) = match name.split_once(',') {
        None => (name, None),
        Some((key, quoted)) => {
            let default = quoted
                .trim()
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''))
                .ok_or_else(wrong)?;
            (key, Some(default.to_owned()))
        }
    };
    let key = key.trim().to_lowercase();
    if !key.contains(':') {
        return Err(wrong());
    }
    Ok(Piece::Variable { key, default })
}

impl Resolved {
    /// Whether the whole of a value matches.
    pub fn matches(&self, value: &str) -> bool {
        glob(&self.0, &value.chars().collect::<Vec<_>>())
    }

    /// The same whatever the case of either.
    pub fn matches_in_any_case(&self, value: &str) -> bool {
        let fold = |token: &Token| -> Vec<Token> {
            match token {
                Token::Char(character) => character.to_lowercase().map(Token::Char).collect(),
                other => vec![*other],
            }
        };
        let folded: Vec<Token> = self.0.iter().flat_map(fold).collect();
        glob(&folded, &value.to_lowercase().chars().collect::<Vec<_>>())
    }

    /// Whether an ARN matches part by part, so that no wildcard reaches across a colon but those
    /// of the last part, which may have colons of its own.
    pub fn matches_arn(&self, value: &str) -> bool {
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        let patterns: Vec<&[Token]> = self
            .0
            .splitn(6, |token| *token == Token::Char(':'))
            .collect();
        parts.len() == 6
            && patterns.len() == 6
            && patterns
                .iter()
                .zip(&parts)
                .all(|(pattern, part)| glob(pattern, &part.chars().collect::<Vec<_>>()))
    }
}

/// Walks along both; a `*` takes one character more each time that what follows it fails.
fn glob(pattern: &[Token], text: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(Token::Any) => {
                last_any = Some((at, read));
                at += 1;
            }
            Some(Token::One) => {
                at += 1;
                read += 1;
            }
            Some(Token::Char(character)) if *character == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((any, taken)) = last_any else {
                    return false;
                };
                at = any + 1;
                read = taken + 1;
                last_any = Some((any, read));
            }
        }
    }
    pattern[at..].iter().all(|token| *token == Token::Any)
}
