//! Takes out of a text what belongs to others: AWS's words and what is the caller's own in, the words
//! without ARNs and ids of others out. No IO.

use crate::account::is_account_id;

/// What may be named, as the call says whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// The ARN that the call was tried on.
    pub resource: &'a str,
    account: Option<&'a str>,
    /// Such as `/session-manager/`.
    path: Option<&'a str>,
}

/// Stands for an ARN.
const ARN: &str = "[ARN not shown]";
/// Stands for the id of an account.
const ACCOUNT: &str = "[account id not shown]";
/// Stands for any other id.
const ID: &str = "[id not shown]";

/// The parts of an ARN that decide whether it may be named.
struct Parts<'a> {
    service: &'a str,
    account: &'a str,
    /// Such as `role/session-manager/team.web`.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (begin, _partition) = (parts.next()?, parts.next()?);
        let (service, _region) = (parts.next()?, parts.next()?);
        let (account, rest) = (parts.next()?, parts.next()?);
        (begin == "arn").then_some(Self {
            service,
            account,
            rest,
        })
    }

    /// The path and the name of an IAM object.
    fn path_and_name(&self) -> Option<(&'a str, &'a str)> {
        let kinds = ["role", "policy", "instance-profile"];
        let slash = self.rest.find('/')?;
        let (kind, path) = self.rest.split_at(slash);
        let name = path.rfind('/')? + 1;
        (self.service == "iam" && kinds.contains(&kind)).then_some((&path[..name], &path[name..]))
    }
}

impl<'a> Own<'a> {
    /// The resource of a call names account and path; `account` is for those that have none.
    pub(super) fn of(resource: &'a str, account: Option<&'a str>) -> Self {
        let parts = Parts::of(resource);
        let named = parts.as_ref().map(|parts| parts.account);
        let named = named.filter(|id| is_account_id(id));
        Self {
            resource,
            account: named.or(account),
            path: (parts.as_ref())
                .and_then(Parts::path_and_name)
                .map(|(path, _)| path),
        }
    }

    /// Whether people may read this ARN: the tried one, IAM objects below its path, what AWS publishes,
    /// and what an object's own documents name in the own account.
    pub(super) fn shows(&self, arn: &str) -> bool {
        if arn == self.resource {
            return true;
        }
        let Some(parts) = Parts::of(arn) else {
            return false;
        };
        let is_one = arn.matches("arn:").count() == 1;
        is_one && self.may_name(&parts) && !is_foreign(arn, self)
    }

    fn may_name(&self, parts: &Parts<'_>) -> bool {
        let is_own = self.account == Some(parts.account);
        match parts.service {
            "iam" if parts.account == "aws" => parts.rest.starts_with("policy/"),
            "iam" => is_own && self.is_below_the_path(parts),
            "s3" => is_own || parts.account.is_empty(),
            "kms" | "logs" | "ssm" => is_own,
            _ => false,
        }
    }

    /// Everything lies below `/`: there only what has the name of the tried object is its own.
    fn is_below_the_path(&self, parts: &Parts<'_>) -> bool {
        let (Some(own), Some((path, name))) = (self.path, parts.path_and_name()) else {
            return false;
        };
        match own {
            "/" => path == "/" && self.resource.rsplit('/').next() == Some(name),
            _ => path.starts_with(own),
        }
    }
}

/// The text with neutral words in the place of what belongs to others.
pub(super) fn scrub(text: &str, own: &Own<'_>) -> String {
    let mut kept = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_delimiter) {
        let end = piece.chars().next_back().filter(|c| is_delimiter(*c));
        let word = &piece[..piece.len() - end.map_or(0, char::len_utf8)];
        scrub_word(word, own, &mut kept);
        kept.extend(end);
    }
    kept
}

/// Whether the text holds an id of others. It is not asked of ARNs as such.
pub(super) fn is_foreign(text: &str, own: &Own<'_>) -> bool {
    let mut kept = String::new();
    scrub_ids(text, own, &mut kept);
    kept != text
}

/// No ARN of IAM or of an organization has one of these.
const fn is_delimiter(c: char) -> bool {
    c.is_ascii_whitespace()
        || matches!(
            c,
            '"' | '\'' | '`' | '(' | ')' | '<' | '>' | '[' | ']' | '{' | '}'
        )
}

fn scrub_word(word: &str, own: &Own<'_>, kept: &mut String) {
    let lower = word.to_ascii_lowercase();
    let Some(begin) = lower
        .find("arn:")
        .filter(|at| word.len() > at + "arn:".len())
    else {
        scrub_ids(word, own, kept);
        return;
    };
    let (before, arn) = word.split_at(begin);
    scrub_ids(before, own, kept);
    let bare = arn.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    kept.push_str(if own.shows(bare) { bare } else { ARN });
    kept.push_str(&arn[bare.len()..]);
}

fn scrub_ids(word: &str, own: &Own<'_>, kept: &mut String) {
    let mut rest = word;
    let mut before = None;
    while let Some(next) = rest.chars().next() {
        if let Some((length, instead)) = id_at_begin(rest, before, own) {
            kept.push_str(instead);
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
            continue;
        }
        kept.push(next);
        before = Some(next);
        rest = &rest[next.len_utf8()..];
    }
}

/// The length of an id of others that the text begins with, and what stands for it.
fn id_at_begin(text: &str, before: Option<char>, own: &Own<'_>) -> Option<(usize, &'static str)> {
    if !before.is_some_and(|c| c.is_ascii_digit())
        && let Some(length) = account_id(text)
    {
        let id = text[..length].replace('-', "");
        return (own.account != Some(id.as_str())).then_some((length, ACCOUNT));
    }
    if before.is_some_and(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let id = organization_id(text)
        .or_else(|| request_id(text))
        .or_else(|| unique_id(text))?;
    Some((id, ID))
}

/// How many characters of this kind the text begins with.
fn run(text: &str, is_one: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| is_one(*b)).count()
}

/// Parts of these lengths with a hyphen after each but the last, and no more of the last one's kind.
fn in_parts(text: &str, lengths: &[usize], is_one: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    for (number, length) in lengths.iter().enumerate() {
        if number > 0 {
            at += usize::from(text[at..].starts_with('-'));
        }
        if run(&text[at..], &is_one) != *length {
            return None;
        }
        at += length;
    }
    let hyphens = lengths.len() - 1;
    (at == lengths.iter().sum::<usize>() + hyphens).then_some(at)
}

/// `111122223333`, or `1111-2222-3333`. More digits in a row are an id or a time too: both change.
fn account_id(text: &str) -> Option<usize> {
    let is_digit = |b: u8| b.is_ascii_digit();
    let digits = run(text, is_digit);
    if digits >= 12 {
        return Some(digits);
    }
    in_parts(text, &[4, 4, 4], is_digit)
}

/// The organization's own ids, as the Organizations API reference spells them: `o-` an organization,
/// `ou-` a unit, `r-` a root, `p-` a policy, `h-` a handshake.
fn organization_id(text: &str) -> Option<usize> {
    let is_one = |b: u8| b.is_ascii_alphanumeric();
    let is_of_policy = |b: u8| is_one(b) || b == b'_';
    let hyphen = text.bytes().take(3).position(|b| b == b'-')?;
    let (prefix, rest) = (text[..hyphen].to_ascii_lowercase(), &text[hyphen + 1..]);
    let (length, least) = match prefix.as_str() {
        "o" => (run(rest, is_one), 10),
        "r" => (run(rest, is_one), 4),
        "p" => (run(rest, is_of_policy), 8),
        "h" => (run(rest, is_one), 8),
        "ou" => {
            let root = run(rest, is_one);
            let unit = rest[root..].strip_prefix('-').map(|unit| run(unit, is_one));
            (root + 1 + unit.unwrap_or_default(), 13)
        }
        _ => return None,
    };
    (length >= least).then_some(hyphen + 1 + length)
}

/// `8d0a3c1e-5b5f-4b0f-9c6e-0123456789ab`.
fn request_id(text: &str) -> Option<usize> {
    in_parts(text, &[8, 4, 4, 4, 12], |b| b.is_ascii_hexdigit())
}

/// The unique id of an IAM object or of a key, such as `AROA...`, with the session that may follow.
fn unique_id(text: &str) -> Option<usize> {
    const PREFIXES: [&str; 8] = [
        "AROA", "AIDA", "AGPA", "AIPA", "ANPA", "ANVA", "AKIA", "ASIA",
    ];
    let length = run(text, |b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let is_id = length >= 16 && PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    let session = text[length..]
        .strip_prefix(':')
        .map_or(0, |session| 1 + run(session, is_of_session));
    is_id.then_some(length + session)
}

/// What the name of a session may have.
const fn is_of_session(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}
