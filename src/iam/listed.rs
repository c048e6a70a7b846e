//! Reads our paths by lists, for accounts that deny the bulk call: what is of interest in, what
//! lists show of roles, policies and instance profiles out. Does network IO; never writes.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{Policy, Role};
use smr_core::Tags;
use smr_core::failure::Failure;
use smr_core::names::Names;
use smr_core::observed::{ObservedInstanceProfile, ObservedRole};
use smr_core::sweep::{Listed, ListedPolicy, Part};
use tokio::try_join;

use super::bulk::Interest;
use super::client::Iam;
use super::observe::decoded;

/// What lists show, by name without case.
#[derive(Clone, Debug, Default)]
pub struct ListedAccount {
    roles: BTreeMap<String, ObservedRole>,
    policies: BTreeMap<String, ListedPolicy>,
    profiles: BTreeMap<String, ObservedInstanceProfile>,
}

impl Iam {
    /// Lists roles, policies and instance profiles, side by side.
    pub async fn lists(&self, interest: &Interest) -> Result<ListedAccount, Failure> {
        let prefixes = interest.prefixes(usize::MAX);
        let mut roles = BTreeMap::new();
        let keep = |role: Role| {
            if interest.has_name(&role.role_name) {
                roles.insert(role.role_name.to_lowercase(), listed_role(role));
            }
        };
        let mut profiles = BTreeMap::new();
        let mut keep_profile = |part| {
            if let Part::InstanceProfile(profile) = part {
                profiles.insert(profile.name.to_lowercase(), *profile);
            }
        };
        let (_, policies, _) = try_join!(
            self.list_roles(&prefixes, keep),
            self.listed_policies(interest, &prefixes),
            self.profiles(interest, &prefixes, &mut keep_profile),
        )?;
        Ok(ListedAccount {
            roles,
            policies,
            profiles,
        })
    }

    async fn listed_policies(
        &self,
        interest: &Interest,
        prefixes: &[Option<String>],
    ) -> Result<BTreeMap<String, ListedPolicy>, Failure> {
        let mut policies = BTreeMap::new();
        let keep = |policy: Policy| {
            let name = policy.policy_name.unwrap_or_default();
            if interest.has_name(&name) {
                let listed = ListedPolicy {
                    arn: policy.arn.unwrap_or_default(),
                    id: policy.policy_id.unwrap_or_default(),
                    default_version: policy.default_version_id.unwrap_or_default(),
                    attachments: policy.attachment_count.unwrap_or_default(),
                    name: name.clone(),
                };
                policies.insert(name.to_lowercase(), listed);
            }
        };
        self.list_policies(prefixes, keep).await?;
        Ok(policies)
    }
}

impl ListedAccount {
    /// One object's part of it.
    pub fn find(&self, names: &Names) -> Listed {
        Listed {
            role: self.roles.get(&names.role.to_lowercase()).cloned(),
            policy: self.policies.get(&names.policy.to_lowercase()).cloned(),
            instance_profile: (self.profiles)
                .get(&names.instance_profile.to_lowercase())
                .cloned(),
        }
    }
}

/// `ListRoles` gives neither boundary nor tags nor policies.
fn listed_role(role: Role) -> ObservedRole {
    let trust = role.assume_role_policy_document.unwrap_or_default();
    ObservedRole {
        trust: decoded(&trust),
        description: role.description.unwrap_or_default(),
        max_session_duration: role.max_session_duration.unwrap_or(3600),
        arn: role.arn,
        id: role.role_id,
        name: role.role_name,
        boundary: None,
        tags: Tags::new(),
        last_used: None,
        created: None,
        attached: std::collections::BTreeSet::new(),
        inline: BTreeMap::new(),
    }
}
