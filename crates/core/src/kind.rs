//! The three kinds of IAM object that the controller keeps. Values only; no IO.

smr_api::words! {
    /// One of the three IAM objects, as `status.drift[].object` and metric labels have it.
    Kind {
        /// The role.
        Role = "Role",
        /// The managed policy.
        Policy = "Policy",
        /// The instance profile.
        InstanceProfile = "InstanceProfile",
    }
}

impl Kind {
    /// In a sentence.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Policy => "policy",
            Self::InstanceProfile => "instance profile",
        }
    }
}
