//! Whether a reading shows other differences than status tells of. In: both, and what the reading can
//! show at all; out: whether they differ. No IO. Only mode Observe leaves differences in place.

use smr_api::{Drift, DriftField, Mode, SessionManagerRoleStatus};

use crate::difference::Difference;
use crate::kind::Kind;
use crate::resolve::Resolved;
use crate::summary::{DRIFT_MAX, in_status};

/// What a reading can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Everything but the tags of policy and profile.
    Details,
    /// Existence, the role's own settings and the role in the profile.
    Lists,
    /// The tags of one of the three.
    TagsOf(Kind),
}

impl Coverage {
    fn shows(self, drift: &Drift) -> bool {
        let field = DriftField::parse(&drift.field);
        let is_of = |kind: Kind| drift.object == kind.as_str();
        match self {
            Self::Details => field != Some(DriftField::Tags) || is_of(Kind::Role),
            Self::Lists => matches!(
                field,
                Some(
                    DriftField::Existence
                        | DriftField::TrustPolicy
                        | DriftField::Description
                        | DriftField::MaxSessionDurationSeconds
                        | DriftField::Role
                )
            ),
            Self::TagsOf(kind) => field == Some(DriftField::Tags) && is_of(kind),
        }
    }

    /// Whether what is `seen` to differ, the most important first, is something else than what is
    /// `told`, in any order.
    pub(super) fn differs(self, seen: &[Difference], told: &[Drift]) -> bool {
        if told.is_empty() {
            return !seen.is_empty();
        }
        let mut seen: Vec<Drift> = in_status(seen).filter(|d| self.shows(d)).collect();
        let mut known: Vec<Drift> = (told.iter().filter(|d| self.shows(d))).cloned().collect();
        if told.len() >= DRIFT_MAX {
            // Of many only the first are in status.
            seen.truncate(known.len());
        }
        seen.sort();
        known.sort();
        seen != known
    }
}

/// The differences that stay as they are told.
pub(super) fn told<'a>(wanted: &Resolved, status: &'a SessionManagerRoleStatus) -> &'a [Drift] {
    match wanted.valid.mode {
        Mode::Observe => &status.drift,
        Mode::Enforce => &[],
    }
}

/// Whether it is told that one of the three is not there, or not the one.
pub(super) fn is_another(told: &[Drift], kind: Kind) -> bool {
    let mut told = told.iter().filter(|d| d.object == kind.as_str());
    let is_another = |field| matches!(field, DriftField::Existence | DriftField::Type);
    told.any(|d| DriftField::parse(&d.field).is_some_and(is_another))
}
