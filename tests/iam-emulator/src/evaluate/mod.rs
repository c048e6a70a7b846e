//! What IAM decides: policies and a request enter, a decision leaves. No IO.
//!
//! The order is that of AWS's evaluation logic: an explicit deny anywhere wins; then every service
//! control policy, the identity-based policies together and the permissions boundary each have to
//! allow. Resource-based and session policies are not part of it: IAM's own objects have none, and
//! nobody here calls with one.

mod condition;
mod pattern;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use policy::Effect;
pub use policy::Policy;

/// A policy that can't be evaluated as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError(String);

impl PolicyError {
    /// In whatever words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PolicyError {}

/// Condition keys with their values. Keys are the same whatever their case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Gives a key its values. Without any, AWS treats the key as absent.
    pub fn set<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if !values.is_empty() {
            self.0.insert(key.to_lowercase(), values);
        }
    }

    /// The keys, in lower case and in order.
    #[cfg(test)]
    pub fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The values of a key in lower case.
    fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice)
    }
}

/// What is to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// With its service: `iam:CreateRole`.
    pub action: String,
    /// An ARN, or `*` for actions that have no resource.
    pub resource: String,
    /// What conditions see.
    pub context: Context,
}

/// A kind of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The policies of the caller itself.
    IdentityBasedPolicy,
    /// The caller's permissions boundary.
    PermissionsBoundary,
    /// A policy of the organization.
    ServiceControlPolicy,
}

/// What comes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may be.
    Allowed,
    /// A statement denies it.
    ExplicitDeny {
        /// The kind of policy that the statement is in.
        by: By,
    },
    /// No statement allows it.
    ImplicitDeny {
        /// The kind of policy that lacks the statement.
        by: By,
    },
}

/// The policies that are in force for one caller.
#[derive(Debug, Clone)]
pub struct InForce<'a> {
    /// The caller's own; one of them has to allow.
    pub identity: Vec<&'a Policy>,
    /// The caller's boundary; if there is one, it has to allow.
    pub boundary: Option<&'a Policy>,
    /// One for each level of the organization, each of which has to allow; none where the account
    /// is in no organization. Several policies of one level are one with all their statements.
    pub scps: Vec<&'a Policy>,
}

impl InForce<'_> {
    /// Judges a request. Where kinds of policies agree on denying, AWS names only one; here it is
    /// the first in the order in which AWS looks at them.
    pub fn judge(&self, request: &Request) -> Decision {
        let verdicts = |policies: &[&Policy]| -> Vec<Option<Effect>> {
            let verdicts = policies.iter().map(|policy| policy.verdict(request));
            verdicts.collect()
        };
        let allows = |verdict: &Option<Effect>| *verdict == Some(Effect::Allow);
        let scps = verdicts(&self.scps);
        let identity = verdicts(&self.identity);
        let boundary = verdicts(self.boundary.as_slice());
        let kinds = [
            (By::ServiceControlPolicy, &scps, scps.iter().all(allows)),
            (
                By::IdentityBasedPolicy,
                &identity,
                identity.iter().any(allows),
            ),
            (
                By::PermissionsBoundary,
                &boundary,
                boundary.iter().all(allows),
            ),
        ];
        for (by, verdicts, _) in kinds {
            if verdicts.contains(&Some(Effect::Deny)) {
                return Decision::ExplicitDeny { by };
            }
        }
        let lacking = kinds.iter().find(|(_, _, allowed)| !allowed);
        lacking.map_or(Decision::Allowed, |(by, _, _)| Decision::ImplicitDeny {
            by: *by,
        })
    }
}
