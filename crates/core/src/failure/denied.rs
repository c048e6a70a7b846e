//! A refusal for want of rights. In: the call and AWS's text; out: the missing right, who denies it,
//! and what to do. No IO.
//!
//! The forms of the texts are those of the IAM user guide, "Troubleshoot access denied error
//! messages". Since 2026 they end with the ARN of the denying policy. Nothing of them gets through but
//! what is recognized here.

use super::scrub::{Own, is_foreign};

/// The kinds of policies that AWS names when it denies a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A policy of the caller.
    IdentityBased,
    /// The permissions boundary of the caller.
    Boundary,
    /// A service control policy or a resource control policy of the organization.
    Organization,
    /// A policy of the resource; a role's trust policy is one.
    ResourceBased,
    /// The session policy of the caller's credentials.
    Session,
    /// The policy of the VPC endpoint.
    VpcEndpoint,
}

impl PolicyKind {
    /// Every kind, for tables.
    pub const ALL: [Self; 6] = [
        Self::IdentityBased,
        Self::Boundary,
        Self::Organization,
        Self::ResourceBased,
        Self::Session,
        Self::VpcEndpoint,
    ];

    /// As people read it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::IdentityBased => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Organization => "organization policy (SCP or RCP)",
            Self::ResourceBased => "resource-based policy",
            Self::Session => "session policy",
            Self::VpcEndpoint => "VPC endpoint policy",
        }
    }

    /// What AWS's texts call it, in lower case. An organization's policy is known by its ARN too.
    const fn marks(self) -> &'static [&'static str] {
        match self {
            Self::IdentityBased => &["identity-based policy"],
            Self::Boundary => &["permissions boundary"],
            Self::Organization => &[
                "service control policy",
                "resource control policy",
                ":organizations:",
            ],
            Self::ResourceBased => &["resource-based policy", "role trust policy"],
            Self::Session => &["session policy"],
            Self::VpcEndpoint => &["vpc endpoint policy"],
        }
    }

    const fn article(self) -> &'static str {
        match self {
            Self::IdentityBased | Self::Organization => "an",
            Self::Boundary | Self::ResourceBased | Self::Session | Self::VpcEndpoint => "a",
        }
    }
}

/// Who denied a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The kind of policy; `None` where AWS does not say.
    pub by: Option<PolicyKind>,
    /// Whether a statement denies, rather than that none allows.
    pub explicit: bool,
}

impl Denial {
    /// AWS says which kind of policy denied, and whether explicitly.
    pub fn of(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let is_named = |kind: &PolicyKind| kind.marks().iter().any(|mark| lower.contains(mark));
        Self {
            by: PolicyKind::ALL.into_iter().find(is_named),
            explicit: lower.contains("explicit deny"),
        }
    }

    /// Propagation of a tag or of a new object can only make that no statement allows yet.
    pub const fn may_be_propagation(self) -> bool {
        !self.explicit
            && match self.by {
                Some(PolicyKind::Organization | PolicyKind::Boundary) => false,
                Some(
                    PolicyKind::Session
                    | PolicyKind::VpcEndpoint
                    | PolicyKind::IdentityBased
                    | PolicyKind::ResourceBased,
                )
                | None => true,
            }
    }
}

/// All that people read of a refusal for want of rights.
pub(super) struct Denied<'a> {
    /// The missing right. It can be another than that of the call: `AddRoleToInstanceProfile` needs
    /// `iam:PassRole`.
    action: &'a str,
    /// What AWS refused it on, where that is another than what the call was tried on.
    resource: Option<&'a str>,
    denial: Denial,
}

impl<'a> Denied<'a> {
    pub(super) fn of(tried: &'a str, own: &Own<'a>, text: &'a str) -> Self {
        let resource = named_resource(text);
        Self {
            action: named_action(text, own).unwrap_or(tried),
            resource: resource.filter(|arn| *arn != own.resource && own.shows(arn)),
            denial: Denial::of(text),
        }
    }

    /// The same without a word on the resource.
    pub(super) const fn on_any_resource(mut self) -> Self {
        self.resource = None;
        self
    }

    /// What AWS answered.
    pub(super) const fn said(&self) -> &'static str {
        match (self.denial.by, self.denial.explicit) {
            (Some(PolicyKind::IdentityBased), false) => {
                "access denied by the controller's own policy"
            }
            (Some(PolicyKind::IdentityBased), true) => {
                "access denied by an explicit deny in the controller's own policy"
            }
            (Some(PolicyKind::Boundary), false) => {
                "access denied by the permissions boundary of the controller's role"
            }
            (Some(PolicyKind::Boundary), true) => {
                "access denied by an explicit deny in the permissions boundary of the controller's role"
            }
            (Some(PolicyKind::Organization), false) => "access denied by an organization policy",
            (Some(PolicyKind::Organization), true) => {
                "access denied by an explicit deny in an organization policy"
            }
            (Some(PolicyKind::ResourceBased), false) => "access denied by a resource-based policy",
            (Some(PolicyKind::ResourceBased), true) => {
                "access denied by an explicit deny in a resource-based policy"
            }
            (Some(PolicyKind::Session), false) => {
                "access denied by the session policy of the controller's credentials"
            }
            (Some(PolicyKind::Session), true) => {
                "access denied by an explicit deny in the session policy of the controller's credentials"
            }
            (Some(PolicyKind::VpcEndpoint), false) => "access denied by the VPC endpoint policy",
            (Some(PolicyKind::VpcEndpoint), true) => {
                "access denied by an explicit deny in the VPC endpoint policy"
            }
            (None, false) => "access denied (AWS does not name the kind of policy)",
            (None, true) => {
                "access denied by an explicit deny (AWS does not name the kind of policy)"
            }
        }
    }

    /// Who can do what about it. Only the kind of policy that denied helps.
    pub(super) fn way_out(&self) -> String {
        let Denial { by, explicit } = self.denial;
        let right = match self.resource {
            Some(resource) => format!("{} on {resource}", self.action),
            None => self.action.to_owned(),
        };
        let change = |policy: &str| {
            if explicit {
                format!("Remove the deny of {right} from {policy}")
            } else {
                format!("Allow {right} in {policy}")
            }
        };
        match by {
            None | Some(PolicyKind::IdentityBased) if explicit => {
                change("the policies of the controller's role")
            }
            None | Some(PolicyKind::IdentityBased) => format!(
                "Allow {right} for the controller's role (smr controller-policy prints the policy)"
            ),
            Some(PolicyKind::Organization) => format!(
                "Ask the organization's administrators to allow {right} for the controller's role"
            ),
            Some(PolicyKind::Boundary) => change("that permissions boundary"),
            Some(PolicyKind::ResourceBased) => change("the policy of that resource"),
            Some(PolicyKind::VpcEndpoint) => change("the policy of the VPC endpoint"),
            Some(PolicyKind::Session) => format!(
                "Ask whoever issues these credentials to allow {right} in their session policy"
            ),
        }
    }

    /// Both in one sentence, for a refusal inside of another.
    pub(super) fn in_short(&self) -> String {
        let because = match (self.denial.by, self.denial.explicit) {
            (Some(kind), true) => format!(
                " because of an explicit deny in {} {}",
                kind.article(),
                kind.in_words()
            ),
            (Some(kind), false) => format!(" because no {} allows it", kind.in_words()),
            (None, true) => " because of an explicit deny".to_owned(),
            (None, false) => String::new(),
        };
        format!("Not authorized to perform {}{because}", self.action)
    }
}

/// `not authorized to perform: iam:PassRole on resource: ...`; STS leaves the colon out.
fn named_action<'a>(text: &'a str, own: &Own<'_>) -> Option<&'a str> {
    let (_, rest) = text.split_once("uthorized to perform")?;
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim_start();
    let word = rest.split_whitespace().next()?;
    let action = word.trim_end_matches(['.', ',', ';', ':']);
    let (service, name) = action.split_once(':')?;
    let is_service = (2..=30).contains(&service.len())
        && service.starts_with(|c: char| c.is_ascii_lowercase())
        && (service.bytes()).all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let is_name = (2..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_service && is_name && !is_foreign(action, own)).then_some(action)
}

/// `on resource: arn:...`; IAM puts the kind before some ARNs, and names others without one.
fn named_resource(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("on resource: ")?;
    let mut words = rest.split_whitespace().take(3);
    let arn = words.find(|word| word.starts_with("arn:"))?;
    Some(arn.trim_end_matches(['.', ',', ';', ':']))
}
