//! The values of metric labels. Every label is one of a short fixed list, and its word is here only.

crate::words! {
    /// How one attempt of a call to AWS ended: the label `outcome`.
    CallOutcome {
        /// It did what was asked.
        Ok = "ok",
        /// AWS throttles.
        Throttled = "throttled",
        /// Somebody else changes the same object at this moment.
        ConcurrentChange = "concurrent_change",
        /// AWS failed, or was not reached.
        Unavailable = "unavailable",
        /// A policy denies it.
        AccessDenied = "access_denied",
        /// There are no credentials, or they are not valid.
        Credentials = "credentials",
        /// A quota of the account.
        Quota = "quota",
        /// A document is too large.
        TooLarge = "too_large",
        /// AWS does not accept what was asked.
        Refused = "refused",
        /// The name is taken.
        AlreadyExists = "already_exists",
        /// The object does not exist.
        NotFound = "not_found",
        /// Something else still uses the object.
        InUse = "in_use",
        /// This replica may not write.
        NotLeader = "not_leader",
    }
}

crate::words! {
    /// What is at stake for a piece of work or a call: the label `priority`. The more urgent is the lesser.
    Priority {
        /// A person changed or deleted the object.
        Edit = "edit",
        /// Something is known to be wrong in IAM.
        Repair = "repair",
        /// Nothing is known to be wrong; it is time to read.
        Resync = "resync",
    }
}
