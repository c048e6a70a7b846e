//! Tag conditions, as the controller's own IAM policy has them: a call and the store that its
//! conditions see enter, allowed or not leaves. No IO.

use serde::{Deserialize, Serialize};

use crate::store::{Account, Tags};
use crate::wire::Params;

/// Callers with this access key may write only what carries the tag. As with IAM's own
/// conditions, the tags seen are those of the store that lags behind: that of writes where there
/// is a write lag, else that of reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The access key id that is held to it.
    pub access_key_id: String,
    /// The tag's key, such as `sessionmanager.dev/cluster`.
    pub tag: String,
    /// The tag's value.
    pub value: String,
}

impl Guard {
    /// Whether a write is allowed. Creating needs the tag in the request, tagging needs an object
    /// that has it or lacks it, everything else an object that has it.
    pub(crate) fn allows(&self, action: &str, params: &Params, seen: &Account) -> bool {
        let held = tags_of(params, seen);
        let value = |tags: &Tags| {
            tags.iter()
                .find(|(key, _)| *key == self.tag)
                .map(|(_, value)| value.clone())
        };
        let held = held.as_ref().and_then(value);
        let ours = held.as_deref() == Some(self.value.as_str());
        match action {
            "CreateRole" | "CreatePolicy" | "CreateInstanceProfile" => {
                value(&params.tags()).as_deref() == Some(self.value.as_str())
            }
            "TagRole" | "TagPolicy" | "TagInstanceProfile" => {
                let asked = value(&params.tags());
                (ours || held.is_none()) && asked.is_none_or(|asked| asked == self.value)
            }
            _ => ours,
        }
    }
}

/// The tags of the object that a call writes: the profile, not the role, for the two calls that
/// name both; the role, not the policy, for attachments.
fn tags_of(params: &Params, seen: &Account) -> Option<Tags> {
    if let Some(name) = params.get("InstanceProfileName") {
        return seen.profile(name).map(|profile| profile.tags.clone());
    }
    if let Some(name) = params.get("RoleName") {
        return seen.role(name).map(|role| role.tags.clone());
    }
    let arn = params.get("PolicyArn")?;
    seen.customer_policy(arn).map(|policy| policy.tags.clone())
}
