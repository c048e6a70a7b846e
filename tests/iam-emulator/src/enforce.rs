//! Callers that are held to IAM policies: a call as AWS would authorise it enters, a refusal in
//! AWS's words may leave. No IO.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::authorisation::Authorisation;
use crate::evaluate::{By, Decision, InForce, Policy, PolicyError, Request};
use crate::wire::IamError;

/// A caller with this access key may do only what its policies allow, reads included. As with IAM's
/// own conditions, the objects and tags seen are those of the store that lags behind: that of
/// writes where there is a write lag, else that of reads.
///
/// A policy that can't be evaluated is refused where this is made, so none is ever in force in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enforced {
    /// The access key id of the caller.
    pub access_key_id: String,
    /// Who the caller is.
    pub principal_arn: Principal,
    /// The identity-based policy.
    pub policy: PolicyDocument,
    /// The permissions boundary, if any.
    #[serde(default)]
    pub boundary: Option<PolicyDocument>,
    /// The service control policies: one for each level of the organization, each of which has to
    /// allow. What is attached to one level beside AWS's own `FullAWSAccess` has its statement in
    /// the same document.
    #[serde(default)]
    pub scps: Vec<PolicyDocument>,
}

/// A policy, as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyDocument {
    text: String,
    policy: Policy,
}

/// A role or a user, as an ARN: `arn:aws:iam::111122223333:role/session-manager-role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal {
    arn: String,
    partition: String,
    account_id: String,
    is_role: bool,
    /// Without the path.
    name: String,
}

impl Enforced {
    /// The refusal, unless everything that AWS authorises the call on is allowed.
    pub(crate) fn refusal(&self, asked: &Authorisation) -> Option<IamError> {
        let in_force = InForce {
            identity: vec![&self.policy.policy],
            boundary: self.boundary.as_ref().map(|boundary| &boundary.policy),
            scps: self.scps.iter().map(|scp| &scp.policy).collect(),
        };
        let requests = asked.requests(&self.principal_arn.partition);
        requests.into_iter().find_map(|mut request| {
            self.principal_arn.tell(&mut request);
            let why = self.why(in_force.judge(&request), &request.action)?;
            let Request {
                action, resource, ..
            } = request;
            Some(IamError::new(
                403,
                "AccessDenied",
                format!(
                    "User: {} is not authorized to perform: {action} on resource: {resource} {why}",
                    self.principal_arn.caller()
                ),
            ))
        })
    }

    /// The end of AWS's sentence, from where it says why.
    fn why(&self, decision: Decision, action: &str) -> Option<String> {
        let kind = |by| match by {
            By::IdentityBasedPolicy => ("an", "identity-based policy"),
            By::PermissionsBoundary => ("a", "permissions boundary"),
            By::ServiceControlPolicy => ("a", "service control policy"),
        };
        match decision {
            Decision::Allowed => None,
            Decision::ImplicitDeny { by } => Some(format!(
                "because no {} allows the {action} action",
                kind(by).1
            )),
            Decision::ExplicitDeny { by } => {
                let (article, name) = kind(by);
                // Since 2026 AWS names the policy where it has an ARN and is of the same account
                // or organization. What is here of the caller's own has none.
                let which = match by {
                    By::ServiceControlPolicy => format!(
                        ": arn:{}:organizations::999988887777:policy/o-exampleorgid/\
                         service_control_policy/p-examplepolicy",
                        self.principal_arn.partition
                    ),
                    By::IdentityBasedPolicy | By::PermissionsBoundary => String::new(),
                };
                Some(format!("with an explicit deny in {article} {name}{which}"))
            }
        }
    }
}

impl Principal {
    /// The ARN that calls are made with: that of a session for a role.
    pub(crate) fn caller(&self) -> String {
        let Self {
            arn,
            partition,
            account_id,
            is_role,
            name,
        } = self;
        if *is_role {
            format!("arn:{partition}:sts::{account_id}:assumed-role/{name}/session")
        } else {
            arn.clone()
        }
    }

    /// Tells conditions who calls. For a session of a role AWS gives the role's ARN.
    fn tell(&self, request: &mut Request) {
        let context = &mut request.context;
        context.set("aws:PrincipalArn", [&self.arn]);
        context.set("aws:PrincipalAccount", [&self.account_id]);
        if !self.is_role {
            context.set("aws:username", [&self.name]);
        }
    }
}

impl FromStr for Principal {
    type Err = PolicyError;

    fn from_str(arn: &str) -> Result<Self, PolicyError> {
        let wrong = || PolicyError::new(format!("not the ARN of a role or a user: {arn}"));
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "iam", "", account_id, rest] = parts[..] else {
            return Err(wrong());
        };
        let (kind, path) = rest.split_once('/').ok_or_else(wrong)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || account_id.is_empty() || !["role", "user"].contains(&kind) {
            return Err(wrong());
        }
        Ok(Self {
            arn: arn.to_owned(),
            partition: partition.to_owned(),
            account_id: account_id.to_owned(),
            is_role: kind == "role",
            name: name.to_owned(),
        })
    }
}

impl TryFrom<String> for Principal {
    type Error = PolicyError;

    fn try_from(arn: String) -> Result<Self, PolicyError> {
        arn.parse()
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.arn
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl FromStr for PolicyDocument {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for PolicyDocument {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        let policy = text.parse()?;
        Ok(Self { text, policy })
    }
}

impl From<PolicyDocument> for String {
    fn from(document: PolicyDocument) -> Self {
        document.text
    }
}
