//! The words of status and events that pipelines and dashboards match: condition types, reasons,
//! drifted fields. Types only; no IO. Each word stands here once.

/// An enum of words that users see: each variant is spelled once, and is read back by `parse`.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant,)+];

            /// As users see it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads it back; `None` for a word that is none of these.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|known| known.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// `type` of a condition.
    ConditionType {
        /// IAM matches the spec of this generation, or why not.
        Ready = "Ready",
        /// Present only while True: work goes on without anyone.
        Reconciling = "Reconciling",
        /// Present only while True: a person has to act.
        Stalled = "Stalled",
        /// Present only while True: nothing is done for the object.
        Paused = "Paused",
        /// Present only while True: the role can do more than the object says.
        UnlistedAccess = "UnlistedAccess",
    }
}

words! {
    /// `status` of a condition.
    ConditionStatus {
        /// It holds.
        True = "True",
        /// It does not.
        False = "False",
        /// Nobody has said yet.
        Unknown = "Unknown",
    }
}

words! {
    /// `reason` of a condition.
    Reason {
        /// IAM matches the spec.
        Converged = "Converged",
        /// The IAM objects are made for the first time.
        Creating = "Creating",
        /// The spec has changed.
        Updating = "Updating",
        /// Someone else has changed IAM.
        Repairing = "Repairing",
        /// The object goes.
        Deleting = "Deleting",
        /// AWS asks for fewer calls.
        Throttled = "Throttled",
        /// AWS does not answer, or fails.
        AwsUnavailable = "AwsUnavailable",
        /// Mode Observe: IAM differs, and stays so.
        Drifted = "Drifted",
        /// The spec asks for what can't be.
        InvalidSpec = "InvalidSpec",
        /// Something else holds a name of the object.
        NotOwned = "NotOwned",
        /// Someone else deleted an IAM object and made another one of its name.
        Replaced = "Replaced",
        /// The controller's credentials are of another account.
        WrongAccount = "WrongAccount",
        /// The controller lacks a right.
        AccessDenied = "AccessDenied",
        /// The controller has no credentials that AWS takes.
        CredentialsUnavailable = "CredentialsUnavailable",
        /// A quota of the account is used up.
        QuotaExceeded = "QuotaExceeded",
        /// A policy is over IAM's size limit.
        PolicyTooLarge = "PolicyTooLarge",
        /// Something in AWS still uses what is to be deleted.
        DeletionBlocked = "DeletionBlocked",
        /// Of condition Paused.
        Paused = "Paused",
        /// Of condition UnlistedAccess.
        UnlistedAccess = "UnlistedAccess",
    }
}

words! {
    /// What an event says was done.
    Deed {
        /// The IAM objects were made.
        Created = "Created",
        /// They were brought to a changed spec.
        Updated = "Updated",
        /// What someone else had changed was repaired.
        Repaired = "Repaired",
        /// IAM objects that were there before were taken over with consent.
        Adopted = "Adopted",
        /// The IAM objects were deleted.
        Deleted = "Deleted",
        /// They stay in IAM.
        Retained = "Retained",
        /// What is in IAM under these names is not the object's.
        Released = "Released",
    }
}

/// `reason` of an event: a condition's, or what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventReason {
    /// A condition has this reason.
    Condition(Reason),
    /// This was done.
    Done(Deed),
}

impl EventReason {
    /// As users see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Condition(reason) => reason.as_str(),
            Self::Done(deed) => deed.as_str(),
        }
    }
}

impl From<Reason> for EventReason {
    fn from(reason: Reason) -> Self {
        Self::Condition(reason)
    }
}

impl From<Deed> for EventReason {
    fn from(deed: Deed) -> Self {
        Self::Done(deed)
    }
}

words! {
    /// `field` of an entry in `status.drift`: what of an IAM object differs.
    DriftField {
        /// It is not there.
        Existence = "existence",
        /// The role's trust policy.
        TrustPolicy = "trustPolicy",
        /// The role's description.
        Description = "description",
        /// The longest session of the role.
        MaxSessionDurationSeconds = "maxSessionDurationSeconds",
        /// The role's permissions boundary.
        PermissionsBoundary = "permissionsBoundary",
        /// The object's tags.
        Tags = "tags",
        /// Managed policies on the role.
        AttachedPolicies = "attachedPolicies",
        /// Inline policies on the role.
        InlinePolicies = "inlinePolicies",
        /// The policy's document.
        Document = "document",
        /// A policy of the other type than `spec.policy.type`.
        Type = "type",
        /// The role in the instance profile.
        Role = "role",
    }
}
