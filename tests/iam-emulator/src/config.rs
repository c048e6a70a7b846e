//! What an emulator is started with: values only, no IO.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::enforce::Enforced;

/// What an emulator is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The account of callers that `credentials` does not name.
    pub account_id: String,
    /// The partition of every ARN: `aws`, `aws-cn`, `aws-us-gov` or `aws-eusc`.
    pub partition: String,
    /// Access key id to account id. Empty: every key belongs to `account_id`. Otherwise an
    /// unknown key is refused, as AWS does.
    pub credentials: BTreeMap<String, String>,
    /// The most items on one page, whatever `MaxItems` asks for: IAM may answer short pages.
    pub page_size: usize,
    /// The account's quotas.
    pub quotas: Quotas,
    /// A file that gets a line for each call, for an evaluator of policies. None: no record.
    pub record: Option<PathBuf>,
    /// The time of day when the emulator starts, from which on it goes as tokio's clock does. None: now.
    pub epoch: Option<Timestamp>,
    /// Callers that are held to policies. Others may do everything.
    pub enforce: Vec<Enforced>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account_id: "111122223333".to_owned(),
            partition: "aws".to_owned(),
            credentials: BTreeMap::new(),
            page_size: 1000,
            quotas: Quotas::default(),
            record: None,
            epoch: None,
            enforce: Vec::new(),
        }
    }
}

/// The quotas of an account, at IAM's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Roles an account.
    pub roles: usize,
    /// Customer managed policies an account.
    pub policies: usize,
    /// Instance profiles an account.
    pub instance_profiles: usize,
    /// Managed policies attached to one role.
    pub attached_policies_per_role: usize,
    /// Characters of a trust policy, white space not counted.
    pub trust_policy_size: usize,
    /// Characters of a managed policy, white space not counted.
    pub managed_policy_size: usize,
    /// Characters of all inline policies of one role, white space not counted.
    pub inline_policies_size: usize,
    /// Versions of one managed policy.
    pub versions_per_policy: usize,
    /// Tags of one object.
    pub tags: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            roles: 1000,
            policies: 1500,
            instance_profiles: 1000,
            attached_policies_per_role: 10,
            trust_policy_size: 2048,
            managed_policy_size: 6144,
            inline_policies_size: 10240,
            versions_per_policy: 5,
            tags: 50,
        }
    }
}
