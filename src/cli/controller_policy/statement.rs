//! Policy documents as values, with Deny, Sids and conditions, which the documents of the managed
//! roles don't have. Values in, JSON out. No IO.

use std::collections::BTreeMap;

use serde::Serialize;

/// IAM's limit for a managed policy, white space not counted.
pub(super) const MANAGED_POLICY_MAX: usize = 6144;
/// IAM's default limit for a trust policy.
pub(super) const TRUST_POLICY_MAX: usize = 2048;
/// AWS Organizations' limit for a service control policy.
pub(super) const SCP_MAX: usize = 5120;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

impl Document {
    pub(super) fn new(statement: Vec<Statement>) -> Self {
        Self {
            version: "2012-10-17",
            statement,
        }
    }

    /// Characters, as IAM counts them.
    pub(super) fn size(&self) -> usize {
        let text = serde_json::to_string(self).unwrap_or_default();
        text.chars().filter(|c| !c.is_whitespace()).count()
    }

    /// Laid out for people.
    pub(super) fn to_json(&self) -> String {
        format!(
            "{}\n",
            serde_json::to_string_pretty(self).unwrap_or_default()
        )
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    sid: &'static str,
    effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<BTreeMap<&'static str, String>>,
    action: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

impl Statement {
    fn new(sid: &'static str, effect: Effect, actions: &[&str], resources: Vec<String>) -> Self {
        Self {
            sid,
            effect,
            principal: None,
            action: actions.iter().map(|action| (*action).to_owned()).collect(),
            resource: resources,
            condition: BTreeMap::new(),
        }
    }

    pub(super) fn allow(sid: &'static str, actions: &[&str], resources: Vec<String>) -> Self {
        Self::new(sid, Effect::Allow, actions, resources)
    }

    pub(super) fn deny(sid: &'static str, actions: &[&str], resources: Vec<String>) -> Self {
        Self::new(sid, Effect::Deny, actions, resources)
    }

    /// Only for this principal.
    pub(super) fn principal(mut self, kind: &'static str, who: impl Into<String>) -> Self {
        self.principal = Some(BTreeMap::from([(kind, who.into())]));
        self
    }

    /// Only where the condition holds too.
    pub(super) fn when<V: Into<String>>(
        mut self,
        operator: &'static str,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.condition
            .entry(operator)
            .or_default()
            .insert(key.to_owned(), values);
        self
    }
}
