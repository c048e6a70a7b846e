//! What IAM should hold. In: the validated spec; out: the three objects in full. No IO.

use std::collections::BTreeSet;

use smr_api::{AdoptionPolicy, PolicyType, Tags, UnlistedPolicyAction};

use crate::account::Account;
use crate::names::Names;
use crate::ownership::Identity;
use crate::resolve::document::{role_policy, trust_policy};
use crate::resolve::validate::{TrustedPrincipal, ValidSpec};

/// The three objects as they should be. Tags include those of ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Where.
    pub account: Account,
    /// Under which names.
    pub names: Names,
    /// Whose.
    pub identity: Identity,
    /// Whether existing objects may be taken over.
    pub adoption: AdoptionPolicy,
    /// The role.
    pub role: DesiredRole,
    /// The policy.
    pub policy: DesiredPolicy,
    /// `None` with a hybrid principal: then none is looked at.
    pub instance_profile: Option<DesiredInstanceProfile>,
    /// ARNs of further managed policies on the role.
    pub additional_policy_arns: BTreeSet<String>,
    /// What becomes of policies that nobody listed.
    pub unlisted: UnlistedPolicyAction,
}

/// The role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRole {
    /// The trust policy's JSON text.
    pub trust: String,
    /// Its description.
    pub description: String,
    /// In seconds.
    pub max_session_duration: i32,
    /// `None`: whatever is found stays.
    pub boundary: Option<String>,
    /// All tags that we set.
    pub tags: Tags,
}

/// The policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPolicy {
    /// The JSON text.
    pub document: String,
    /// Where it lives.
    pub home: PolicyHome,
}

/// Where the policy lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyHome {
    /// A customer managed policy, attached to the role.
    Managed {
        /// Given at creation; IAM can't change it later.
        description: String,
        /// All tags that we set.
        tags: Tags,
    },
    /// Inside the role.
    Inline,
}

/// The instance profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredInstanceProfile {
    /// All tags that we set.
    pub tags: Tags,
}

impl Desired {
    /// What `aws ssm create-activation --iam-role` takes, with a hybrid principal.
    pub fn activation_role(&self) -> Option<String> {
        let is_hybrid = self.instance_profile.is_none();
        is_hybrid.then(|| self.names.activation_role())
    }
}

/// The three objects that `spec` asks for.
pub fn desired(spec: &ValidSpec) -> Desired {
    let identity = Identity {
        cluster: spec.cluster.clone(),
        subject: spec.subject.clone(),
    };
    let owned = |tags: &Tags| -> Tags { tags.clone().into_iter().chain(identity.tags()).collect() };
    Desired {
        role: DesiredRole {
            trust: trust_policy(spec).to_json(),
            description: spec.role_description.clone(),
            max_session_duration: spec.max_session_duration,
            boundary: spec.permissions_boundary_arn.clone(),
            tags: owned(&spec.role_tags),
        },
        policy: DesiredPolicy {
            document: role_policy(spec).to_json(),
            home: match spec.policy_type {
                PolicyType::Managed => PolicyHome::Managed {
                    description: spec.policy_description.clone(),
                    tags: owned(&spec.policy_tags),
                },
                PolicyType::Inline => PolicyHome::Inline,
            },
        },
        instance_profile: match spec.principal {
            TrustedPrincipal::Ec2 { .. } => Some(DesiredInstanceProfile {
                tags: owned(&spec.instance_profile_tags),
            }),
            TrustedPrincipal::HybridActivation { .. } => None,
        },
        additional_policy_arns: spec.additional_policy_arns.clone(),
        unlisted: spec.unlisted_policy_action,
        account: spec.account.clone(),
        names: spec.names.clone(),
        adoption: spec.adoption_policy,
        identity,
    }
}

impl Desired {
    /// The own managed policy's ARN, whether it is wanted or not.
    pub fn policy_arn(&self) -> String {
        self.names.policy_arn(&self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::ownership::KEYS;
    use crate::resolve::validate::tests::{check, valid};

    const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/cap";

    #[test]
    fn ownership_stands_on_all_three_beside_the_tags_asked_for() {
        let desired = desired(&valid(
            "{tags: {a: '1', b: '1'}, role: {tags: {b: '2'}}, policy: {tags: {c: '3'}}, instanceProfile: {tags: {d: '4'}}}",
        ));
        let PolicyHome::Managed { tags, .. } = &desired.policy.home else {
            panic!("{desired:?}")
        };
        let profile = &desired.instance_profile.as_ref().unwrap().tags;
        for (found, own) in [
            (&desired.role.tags, vec![("a", "1"), ("b", "2")]),
            (tags, vec![("a", "1"), ("b", "1"), ("c", "3")]),
            (profile, vec![("a", "1"), ("b", "1"), ("d", "4")]),
        ] {
            let mut expected = desired.identity.tags();
            assert_eq!(expected.len(), KEYS.len());
            expected.extend(own.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())));
            assert_eq!(*found, expected);
        }
        assert_eq!(desired.identity.cluster.name, "test");
        assert_eq!(desired.identity.subject.owner(), "team/web");
    }

    #[test]
    fn what_is_not_wanted_is_not_there() {
        let inline = desired(&valid("{policy: {type: Inline}}"));
        assert_eq!(inline.policy.home, PolicyHome::Inline);
        assert!(inline.instance_profile.is_some());
        let hybrid = desired(&valid("{principal: HybridActivation}"));
        assert_eq!(hybrid.instance_profile, None);
        assert!(hybrid.role.trust.contains("ssm.amazonaws.com"));
        assert_eq!(hybrid.role.boundary, None, "none is managed");
    }

    #[test]
    fn what_the_spec_says_arrives() {
        let mut limits = Limits::new("test");
        limits.permissions_boundary_arn = Some(BOUNDARY.into());
        limits.allowed_additional_policies = vec!["*".into()];
        let spec = "{role: {description: mine, maxSessionDurationSeconds: 7200}, policy: {name: agent, description: theirs},
            additionalPolicyArns: ['arn:aws:iam::aws:policy/A'], unlistedPolicyAction: Remove, adoptionPolicy: WithConsent}";
        let desired = desired(&check(spec, &limits).unwrap());
        assert_eq!(desired.role.description, "mine");
        assert_eq!(desired.role.max_session_duration, 7200);
        assert_eq!(desired.role.boundary.as_deref(), Some(BOUNDARY));
        assert!(
            matches!(&desired.policy.home, PolicyHome::Managed { description, .. } if description == "theirs")
        );
        assert_eq!(
            desired.policy_arn(),
            "arn:aws:iam::111122223333:policy/session-manager/agent"
        );
        assert_eq!(
            desired.additional_policy_arns,
            ["arn:aws:iam::aws:policy/A".to_owned()].into()
        );
        assert_eq!(desired.unlisted, UnlistedPolicyAction::Remove);
        assert_eq!(desired.adoption, AdoptionPolicy::WithConsent);
    }
}
