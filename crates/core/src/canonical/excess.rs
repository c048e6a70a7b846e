//! What a document grants beyond another one, and how much. In: statements and documents by meaning;
//! out: the width of what is granted beyond, if anything is. No IO.

use std::collections::BTreeSet;

use super::access::covers;
use super::{Atom, BulkItem, Canonical, CanonicalStatement, Word};
use crate::difference::{Extent, Importance, Width};

/// How much `document` allows beyond `wanted`, in policies of the same role. A document that is not
/// known, or can't be understood, may allow anything.
pub fn excess(document: Option<&str>, wanted: &str) -> Option<Width> {
    let parsed = document.and_then(|text| Canonical::parse(text).ok());
    match (parsed, Canonical::parse(wanted)) {
        (Some(found), Ok(wanted)) => {
            let wanted = wanted.atoms();
            let allowed = found.statements.iter().filter(|s| !s.denies());
            allowed.filter_map(|s| beyond(s, &wanted)).min()
        }
        (None, _) | (_, Err(_)) => Some(Width::UNKNOWN),
    }
}

/// Judges statements by what the two documents say as a whole: what another statement allows as well
/// is no excess.
pub(super) struct Judge {
    found: BTreeSet<Atom>,
    wanted: BTreeSet<Atom>,
}

impl Judge {
    pub(super) fn new(found: &Canonical, wanted: &Canonical) -> Self {
        Self {
            found: found.atoms(),
            wanted: wanted.atoms(),
        }
    }

    /// What is granted beyond the wanted document: by what `was` found, or because what `should` be
    /// there and denies is not.
    pub(super) fn excess(
        &self,
        was: Option<&CanonicalStatement>,
        should: Option<&CanonicalStatement>,
    ) -> Option<Width> {
        let allowed = was.filter(|s| !s.denies());
        let no_longer_denied = should.filter(|s| s.denies());
        let allowed = allowed.and_then(|s| beyond(s, &self.wanted));
        let no_longer_denied = no_longer_denied.and_then(|s| beyond(s, &self.found));
        allowed.into_iter().chain(no_longer_denied).min()
    }

    /// As [`Self::excess`], with what the difference is where there is none.
    pub(super) fn importance(
        &self,
        was: Option<&CanonicalStatement>,
        should: Option<&CanonicalStatement>,
        otherwise: Importance,
    ) -> Importance {
        self.excess(was, should)
            .map_or(otherwise, Importance::Excess)
    }
}

/// The widest part of a statement that nothing in `others` covers.
fn beyond(statement: &CanonicalStatement, others: &BTreeSet<Atom>) -> Option<Width> {
    let atoms = statement.atoms();
    let beyond = atoms
        .iter()
        .filter(|atom| atom.action.not || !atom.action.values.is_empty())
        .filter(|atom| !others.iter().any(|other| covers(other, atom)));
    beyond.map(width).min()
}

fn width(atom: &Atom) -> Width {
    let is_conditional = !atom.conditions.is_empty();
    let (actions, on) = if atom.principal.values.is_empty() {
        (
            extent(&atom.action, of_action),
            extent(&atom.resource, of_resource),
        )
    } else {
        let by = extent(&atom.principal, of_principal);
        (by, by)
    };
    Width {
        actions,
        on,
        is_conditional,
    }
}

/// The widest of a part's values. "All but" leaves nearly everything.
fn extent(part: &BulkItem, of: fn(&str) -> Extent) -> Extent {
    if part.not {
        return Extent::Everything;
    }
    let each = part.values.iter().map(|word: &Word| of(&word.compared));
    each.min().unwrap_or(Extent::Single)
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// `service:name`
fn of_action(action: &str) -> Extent {
    let (service, name) = action.split_once(':').unwrap_or((action, ""));
    if is_pattern(service) {
        Extent::Everything
    } else if name == "*" {
        Extent::Whole
    } else if is_pattern(name) {
        Extent::Several
    } else {
        Extent::Single
    }
}

/// `arn:partition:service:region:account:resource`
fn of_resource(resource: &str) -> Extent {
    if !is_pattern(resource) {
        return Extent::Single;
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    match parts.as_slice() {
        [_, _, service, ..] if is_pattern(service) => Extent::Everything,
        [_, _, _, _, _, "*"] | [_, _, _, .., "*"] => Extent::Whole,
        [_, _, _, ..] => Extent::Several,
        _ => Extent::Everything,
    }
}

/// The kind of principal and its name, as [`super::principals`] writes them.
fn of_principal(principal: &str) -> Extent {
    match principal.split_once(' ') {
        Some((_, "*")) => Extent::Everything,
        Some(("AWS", account)) if account.bytes().all(|b| b.is_ascii_digit()) => Extent::Whole,
        // Anyone whom the identity provider knows.
        Some(("Federated", _)) => Extent::Several,
        Some((_, name)) if is_pattern(name) => Extent::Several,
        Some(_) | None => Extent::Single,
    }
}

#[cfg(test)]
mod tests {
    use super::Extent::{Everything, Several, Single, Whole};
    use super::*;

    #[test]
    fn the_wider_comes_first() {
        for (action, expected) in [
            ("*", Everything),
            ("*:*", Everything),
            ("s3:*", Whole),
            ("s3:get*", Several),
            ("s3:getobjec?", Several),
            ("s3:getobject", Single),
        ] {
            assert_eq!(of_action(action), expected, "{action}");
        }
        for (resource, expected) in [
            ("*", Everything),
            ("arn:*", Everything),
            ("arn:aws:*", Everything),
            ("arn:aws:*:*:*:*", Everything),
            ("arn:aws:s3:*", Whole),
            ("arn:aws:s3:::*", Whole),
            ("arn:aws:s3:::logs/*", Several),
            ("arn:aws:logs:*:1:log-group:g", Several),
            ("arn:aws:s3:::logs", Single),
        ] {
            assert_eq!(of_resource(resource), expected, "{resource}");
        }
        for (principal, expected) in [
            ("AWS *", Everything),
            ("AWS 111122223333", Whole),
            ("Federated arn:aws:iam::1:oidc-provider/p", Several),
            ("AWS arn:aws:iam::1:role/r", Single),
            ("Service ec2.amazonaws.com", Single),
        ] {
            assert_eq!(of_principal(principal), expected, "{principal}");
        }
    }

    #[test]
    fn a_document_that_nobody_has_read_may_allow_anything() {
        let allow = |action: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#
            )
        };
        let wanted = allow("s3:Get*");
        for unknown in [None, Some(""), Some("{}")] {
            assert_eq!(excess(unknown, &wanted), Some(Width::UNKNOWN));
        }
        assert_eq!(excess(Some(&allow("s3:GetObject")), &wanted), None);
        let wider = excess(Some(&allow("s3:*")), &wanted).unwrap();
        assert_eq!((wider.actions, wider.on), (Whole, Everything));
        assert!(wider > Width::UNKNOWN, "the unknown comes first");
    }
}
