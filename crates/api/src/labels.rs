//! The values of metric labels. Every label is one of a short fixed list, and its word stands here only.

/// How one attempt of a call to AWS ended: the label `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallOutcome {
    /// It did what was asked.
    Ok,
    /// AWS throttles.
    Throttled,
    /// Somebody else changes the same object at this moment.
    ConcurrentChange,
    /// AWS failed, or was not reached.
    Unavailable,
    /// A policy denies it.
    AccessDenied,
    /// There are no credentials, or they are not valid.
    Credentials,
    /// A quota of the account.
    Quota,
    /// A document is too large.
    TooLarge,
    /// AWS does not accept what was asked.
    Refused,
    /// The name is taken.
    AlreadyExists,
    /// The object does not exist.
    NotFound,
    /// Something else still uses the object.
    InUse,
    /// This replica may not write.
    NotLeader,
}

impl CallOutcome {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled",
            Self::ConcurrentChange => "concurrent_change",
            Self::Unavailable => "unavailable",
            Self::AccessDenied => "access_denied",
            Self::Credentials => "credentials",
            Self::Quota => "quota",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
            Self::AlreadyExists => "already_exists",
            Self::NotFound => "not_found",
            Self::InUse => "in_use",
            Self::NotLeader => "not_leader",
        }
    }
}
